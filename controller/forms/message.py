"""Reads messages and files of other programs, field by field, by the form that declares them.

A value is unknown if it is absent, null, of another type or out of range: the sender may be of a
later release, or an attacker. A person then sees None. A function that decides takes from `counted`
what the form declares for an unknown value, which never permits more. A field that the form does
not have is ignored.
"""

from collections.abc import Collection
from typing import Any

from controller.forms.field import REQUIRED, Field, Form, check_value
from controller.forms.refusal import ConfigError
from controller.system import json_text
from controller.system.paths import printable

Facts = dict[str, Any]
TEXT_MAX = 700  # characters of a text that are kept


def said(unknown: str, counts_as: Any, field: Field, names: str) -> dict[str, Field]:
    """{name: Field} of fields of one kind. unknown: what an unknown value means for a function that
    decides. counts_as: the value that this function takes then, or None.
    """
    return dict.fromkeys(names.split(), field._replace(default=counts_as, unknown=unknown))


def loaded(data: bytes, bytes_max: int) -> Facts | str:
    """The object of a JSON text, or a text that says why there is none."""
    if len(data) > bytes_max:
        return f"has {len(data)} bytes"
    try:
        content = json_text.whole(json_text.loads(data))
    except ValueError:
        return "is not JSON"
    return content if isinstance(content, dict) else "is no JSON object"


def read(form: Form, facts: Facts) -> tuple[Facts, list[str]]:
    """({each name of the form: its value, or None}, names of the fields that are not understood).

    An inner table is unknown if one of its required fields is. An unknown optional field has its
    default.
    """
    values: Facts = {}
    wrong: list[str] = []
    for name, field in form.items():
        values[name] = facts.get(name)
        if values[name] is not None:
            try:
                values[name] = _value(name, values[name], field)
            except ConfigError:
                values[name] = None
                wrong.append(name)
    return values, wrong


def counted(form: Form, values: Facts) -> Facts:
    """The values for a function that decides. The default of the form replaces None."""
    return {
        name: field.default if values.get(name) is None else values[name]
        for name, field in form.items()
    }


def is_whole(form: Form, facts: Facts, may_lack: Collection[str] = ()) -> bool:
    """True if every field is known. may_lack: names of fields that may be absent or null."""
    values, wrong = read(form, facts)
    lacks = [name for name, value in values.items() if value is None and name not in may_lack]
    return not wrong and not lacks


def _value(name: str, value: Any, field: Field) -> Any:
    """The checked value, texts printable. Raises ConfigError."""
    check_value("", (name,), value, field)
    if field.kind == "table" and field.allowed:
        return _part(field.allowed[0], value)
    if field.kind == "tables":
        return [_part(field.allowed[0], table) for table in value]
    return printable(value[:TEXT_MAX]) if isinstance(value, str) else value


def _part(form: Form, facts: Facts) -> Facts:
    values: Facts = {}
    for name, field in form.items():
        try:
            values[name] = _value(name, facts.get(name), field)
        except ConfigError:
            if field.default is REQUIRED:
                raise
            values[name] = field.default
    return values
