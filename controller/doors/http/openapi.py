"""Makes the OpenAPI 3.1 description of the HTTP door from the forms that check its messages."""

from typing import Any

from controller.core.base.hint_codes import EFFECTS
from controller.doors.asking import JOB
from controller.doors.sending import HINT, NAMES
from controller.forms.field import REQUIRED, Field, Form
from controller.state import schema

# path | media type | form of the answer (- for any object) | meaning
READ = """
/api/v1/state | application/json | State | The state of the cabinet
/api/v1/why | application/json | - | The chain from request to set-point, and why
/api/v1/alarms | application/json | - | Active or latched rows, and what a reset and a start need
/api/v1/events | application/json | - | What happened, oldest first
/api/v1/trend | application/json | - | The last minutes; behind ?: span_s=600, 3600 or 21600
/api/v1/plan | application/json | - | The plan of the planner
/api/v1/devices | application/json | - | Devices of the site: signals, and what they are asked for
/api/v1/links | application/json | - | Each device and bus: how it is heard
/api/v1/racks | application/json | - | What each BMS reports
/api/v1/map | application/json | - | Heat and alarms on the plan of the site
/api/v1/schema | application/json | - | JSON Schema of the state
/api/v1/openapi.json | application/json | - | This description
/api/v1/stream | text/event-stream | - | `state`, then `patch` (JSON merge patch), or `trouble`
/metrics | text/plain | - | The state for Prometheus
"""
PROBLEM = {"status": "integer", "title": "string", "detail": "string"}
ANSWER = {"granted": "boolean", "effect": "string", "code": "integer", "label": "string"}
ANSWER |= {"remedy": "string"}
KINDS = {"int": "integer", "number": "number"}
TITLE = "Firebreak: reading, and hints that only narrow or ask within limits"
Json = dict[str, Any]


def document() -> Json:
    """The complete description."""
    state = _moved(schema.schema())
    shared = state.pop("$defs")
    del state["$schema"]
    messages = {"Hint": _form(HINT), "Job": _form(JOB)}
    messages["Hint"]["properties"]["quantity"]["enum"] = list(NAMES.values())
    answers = {"Answer": _object(ANSWER), "Problem": _object(PROBLEM)}
    answers["Answer"]["properties"]["effect"]["enum"] = list(EFFECTS)
    bearer = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1"},
        "security": [{"bearer": []}],
        "paths": _paths(),
        "components": {
            "schemas": {**shared, "State": state, **messages, **answers},
            "securitySchemes": bearer,
        },
    }


def _paths() -> Json:
    rows = [line.split(" | ") for line in READ.strip().splitlines()]
    paths: Json = {path: {"get": _one(meaning, kind, form)} for path, kind, form, meaning in rows}
    for name, form, answer in (("hints", "Hint", "Answer"), ("ask", "Job", "-")):
        operation = _one(f"{form} of the source of the token", "application/json", answer)
        operation["requestBody"] = {"required": True, "content": _content("application/json", form)}
        paths[f"/api/v1/{name}"] = {"post": operation}
    return paths


def _one(summary: str, kind: str, form: str) -> Json:
    problem = _content("application/problem+json", "Problem")
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "Done", "content": _content(kind, form)},
            "default": {"description": "Refused; detail or remedy says why", "content": problem},
        },
    }


def _content(kind: str, form: str) -> Json:
    named = {"$ref": f"#/components/schemas/{form}"}
    return {kind: {"schema": {"type": "object"} if form == "-" else named}}


def _form(form: Form) -> Json:
    """The JSON schema for a form of whole numbers, names and flags."""
    needed = [name for name, field in form.items() if field.default is REQUIRED]
    properties = {name: _field(field) for name, field in form.items()}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": needed,
        "properties": properties,
    }


def _field(field: Field) -> Json:
    definition: Json = {"type": "boolean" if isinstance(field.default, bool) else "string"}
    if field.kind in KINDS:
        definition = {
            "type": KINDS[field.kind],
            "minimum": field.allowed[0],
            "maximum": field.allowed[1],
        }
    return definition if field.default is REQUIRED else {**definition, "default": field.default}


def _object(kinds: dict[str, str]) -> Json:
    properties = {name: {"type": kind} for name, kind in kinds.items()}
    return {"type": "object", "required": list(kinds), "properties": properties}


def _moved(value: Any) -> Any:
    """The schema, with its references changed to the place under `components`."""
    if isinstance(value, dict):
        return {key: _moved(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_moved(part) for part in value]
    return value.replace("#/$defs/", "#/components/schemas/") if isinstance(value, str) else value
