"""JSON Schema of the state of a cabinet, made from `fields.py`: `firebreak status --schema`."""

import re
from typing import Any

from controller.state.base import Facts
from controller.state.fields import FIELDS
from safety import signals as s

SHARED = {
    "reason": """
code | int | number of the reason
label | text | R or row and number
name | text | a few words
sentence | text | what it means
remedy | text | what to do
""",
    "alarm": """
stage | text | stage of the matrix
row | int | row of the matrix
scope | text | cabinet, or the unit or rack
instance | text | stage and scope
devices[] | text | behind it
where | text | devices or scope
reason | reason | what it means, and what to do
reset | text | which reset it needs
is_active | bool | its cause is there
is_latched | bool | it waits for a reset
began_ms | int? | uptime of its begin
clear_for_ms | int | since its cause is gone
reset_clear_ms | int | how long that must last
demands{} | int | level of each output
effect | text | on the power
danger | text | how dangerous
source | text | where the row comes from
""",
    "event": """
id | int? | its number in the record
uptime_ms | int | of the controller
utc_us | int | since 1970
utc_source | text? | of the time
utc_uncertainty_us | int? | how wrong it may be
kind | text? | of the event
code | text? | of the event
scope | text? | cabinet, unit or rack
text | text? | what happened
""",
    "band": """
sample_ms | int? | time between two samples
observable_to_Hz | num? | a third of their rate
rms_W{} | int? | in each band
not_observable{} | text | why a band has no value
""",
}
TYPES = {"text": "string", "int": "integer", "num": "number", "bool": "boolean", "object": "object"}
UNITS = {"ddegC": "0.1 degC", "permille": "0.1 %", "d": "day", "us": "us"}
UNIT = re.compile(r"_(W|Wh|mV|mA|ms|us|s|d|min|permille|ddegC|mm|Hz|ppm)(?=_|$)(?:_per_(min|s))?")
CAUSE = {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
LINE = re.compile(r"(\S+) \| (\w+)(!?)(\??) \| (.+)")
SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Facts:
    """JSON Schema of the state. An object has the listed fields and no others."""
    root = _object(FIELDS)
    root["properties"]["state"]["enum"] = list(s.STATES)
    shared = {name: _object(text) for name, text in SHARED.items()}
    return {"$schema": SCHEMA, "title": "Firebreak", **root, "$defs": {**shared, "cause": CAUSE}}


def _object(text: str) -> Facts:
    form: Facts = {"type": "object"}
    for line in text.strip().splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        path, kind, optional_mark, null_mark, meaning = match.groups()
        value_form = _value_form(path, kind, bool(null_mark), meaning)
        _put(form, path, value_form, bool(optional_mark))
    return form


def _value_form(path: str, kind: str, is_nullable: bool, meaning: str) -> Facts:
    """The form of a value. kind: a name of TYPES, or of a shared form."""
    value_form: Facts
    if kind in TYPES:
        value_form = {"type": [TYPES[kind], "null"] if is_nullable else TYPES[kind]}
    else:
        form = {"$ref": f"#/$defs/{kind}"}
        value_form = {"anyOf": [form, {"type": "null"}]} if is_nullable else form
    value_form["description"] = meaning
    unit = _unit(path)
    return {**value_form, "unit": unit} if unit and kind in ("int", "num") else value_form


def _unit(path: str) -> str:
    """The unit with which a name ends: 0.1 degC/min for `rise_ddegC_per_min`."""
    matches = UNIT.findall("_" + path.rpartition(".")[2].rstrip("[]{}"))
    if not matches:
        return ""
    unit, per = matches[0]  # only the first counts: a later `_min` means "minimum"
    return UNITS.get(unit, unit) + (f"/{per}" if per else "")


def _put(form: Facts, path: str, value_form: Any, is_optional: bool) -> None:
    """Put the form of a field at its place in the form of an object."""
    name, _, rest = path.partition(".")
    key = name.rstrip("[]{}")
    own = form.setdefault("properties", {})
    form.setdefault("additionalProperties", False)
    if key not in own and not is_optional:
        form.setdefault("required", []).append(key)
    if name.endswith("[]"):
        part = own.setdefault(key, {"type": "array"}).setdefault("items", value_form)
    elif name.endswith("{}"):
        part = own.setdefault(key, {"type": "object"}).setdefault(
            "additionalProperties", value_form
        )
    else:
        part = own.setdefault(key, value_form)
    if rest:
        _put(part, rest, value_form, is_optional)
