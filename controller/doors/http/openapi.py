"""The description of the interface for programs, OpenAPI 3.1, made of the forms that check it."""

from typing import Any

from controller.doors.sending import HINT, NAMES
from controller.forms.field import REQUIRED, Form
from controller.state import schema
from controller.upstream.asking import JOB

VERSION = "1"
FACTS = {
    "why": "Why the power is what it is: the chain from request to set-point",
    "alarms": "Rows that are active or latched, what to check, what a reset and a start need",
    "events": "What happened, oldest first",
    "trend": "The last ten minutes",
    "plan": "The plan of the planner",
    "devices": "Devices of the site: signals and what they are asked for",
    "links": "Each device and bus: how it is heard",
    "racks": "What each BMS reports",
    "map": "Heat and alarms on the plan of the site",
}
REASON = {"label": "string", "name": "string", "sentence": "string", "remedy": "string"}
PROBLEM = {"status": "integer", "title": "string", "detail": "string"}
Json = dict[str, Any]


def document() -> Json:
    """The whole description."""
    state = _moved(schema.schema())
    shared = state.pop("$defs")
    del state["$schema"]
    answer = {"granted": "boolean", "code": "integer", **REASON}
    schemas = {
        **shared,
        "State": state,
        "Hint": _form(HINT, {"quantity": list(NAMES.values())}),
        "Job": _form(JOB, {}),
        "Answer": _object(answer),
        "Problem": _object(PROBLEM),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Firebreak",
            "version": VERSION,
            "description": "Reading, and hints that can only narrow or ask within limits.",
        },
        "security": [{"bearer": []}],
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> Json:
    api = "/api/v1/"
    return {
        f"{api}state": _get("The state of the cabinet", _ref("State")),
        **{f"{api}{name}": _get(words, {"type": "object"}) for name, words in FACTS.items()},
        f"{api}schema": _get("JSON Schema of the state", {"type": "object"}),
        f"{api}openapi.json": _get("This description", {"type": "object"}),
        f"{api}stream": _get(
            "Server-sent events, at most 5 a second: `state` has the whole, each `patch` a JSON "
            "merge patch (a missing name is null), `trouble` says why no state is known",
            {"type": "string"},
            "text/event-stream",
        ),
        "/metrics": _get("The state for Prometheus", {"type": "string"}, "text/plain"),
        f"{api}hints": _post(
            "A hint of the source of the token; the answer is that of the loop", "Hint", "Answer"
        ),
        f"{api}ask": _post("May a job that raises the load run", "Job", None),
    }


def _get(words: str, form: Json, kind: str = "application/json") -> Json:
    return {"get": {"summary": words, "responses": _responses(form, kind)}}


def _post(words: str, form: str, answer: str | None) -> Json:
    body = {"required": True, "content": {"application/json": {"schema": _ref(form)}}}
    found = _responses(_ref(answer) if answer else {"type": "object"}, "application/json")
    if answer:
        found["409"] = {**found["200"], "description": "The loop refuses it, and says why"}
    return {"post": {"summary": words, "requestBody": body, "responses": found}}


def _responses(form: Json, kind: str) -> Json:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    return {
        "200": {"description": "Done", "content": {kind: {"schema": form}}},
        "default": {"description": "Refused; detail says why", "content": problem},
    }


def _form(form: Form, options: Json) -> Json:
    """The schema of a form of whole numbers, names and flags."""
    made: Json = {"type": "object", "additionalProperties": False, "properties": {}}
    made["required"] = [name for name, field in form.items() if field.default is REQUIRED]
    for name, field in form.items():
        own: Json = {"type": "boolean"} if isinstance(field.default, bool) else {"type": "string"}
        if field.kind == "int":
            low, high = field.allowed
            own = {"type": "integer", "minimum": low, "maximum": high}
        if name in options:
            own["enum"] = options[name]
        if field.default is not REQUIRED:
            own["default"] = field.default
        made["properties"][name] = own
    return made


def _object(kinds: dict[str, str]) -> Json:
    properties = {name: {"type": kind} for name, kind in kinds.items()}
    return {"type": "object", "required": list(kinds), "properties": properties}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _moved(value: Any) -> Any:
    """The schema with its references into components."""
    if isinstance(value, dict):
        return {key: _moved(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_moved(each) for each in value]
    is_ref = isinstance(value, str) and value.startswith("#/$defs/")
    return value.replace("#/$defs/", "#/components/schemas/") if is_ref else value
