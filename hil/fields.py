"""Keys of the rig's TOML tables (scenarios, sites, systems): kind of value, range or choices,
default; a table is checked against them.
"""

import difflib
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from drivers import toml_text

BOOL, INTEGER, NUMBER = "true or false", "a whole number", "a number"
TEXT, ANY = "a text", "a value"
LIST, TABLE, TABLES = "a list", "a table", "a list of tables"
MOMENT = "an event, an action's label or seconds"
MOMENTS, TEXTS = "a list of events", "a list of texts"
REQUIRED = object()
_TYPES = {
    BOOL: bool,
    INTEGER: int,
    NUMBER: (int, float),
    TEXT: str,
    LIST: list,
    TABLE: dict,
    ANY: object,
    MOMENT: (str, int, float),
}


class Entry(NamedTuple):
    """One key of a table. default: REQUIRED for none; low, high: both or neither."""

    kind: str
    default: object
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


class ScenarioError(ValueError):
    """A wrong file of the rig: one line with file, place, mistake and allowed values."""


def tables_of(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The tables of a file. Raises ScenarioError."""
    name = os.path.basename(path)
    try:
        return toml_text.read(path)
    except OSError as error:
        raise ScenarioError(f"{name}: cannot be read: {error.strerror or error}") from None
    except toml_text.TomlError as error:
        raise ScenarioError(f"{name}: {error}") from None


def checked(table: dict[str, Any], fields: dict[str, Entry], where: str) -> dict[str, Any]:
    """A dict with every key of `fields` or its default. ScenarioError: unknown key, bad value."""
    for key in table:
        if key not in fields:
            raise ScenarioError(
                f"{where}: unknown key {key!r}{nearest(key, fields)}; allowed: {', '.join(fields)}"
            )
    return {key: value_of(table, key, field, where) for key, field in fields.items()}


def value_of(table: dict[str, Any], key: str, field: Entry, where: str) -> Any:
    """Checked value of a key of the table, or its default."""
    value = table.get(key, field.default)
    if value is REQUIRED:
        raise ScenarioError(f"{where}: {key} is missing, it must be {_allowed(field)}")
    if key in table and not _fits(value, field):
        hint = nearest(value, field.choices) if isinstance(value, str) and field.choices else ""
        raise ScenarioError(f"{where}: {key} = {value!r} must be {_allowed(field)}{hint}")
    return value


def _fits(value: Any, field: Entry) -> bool:
    if not fits_kind(value, field.kind) or field.choices and value not in field.choices:
        return False
    return field.low is None or field.low <= value <= field.high


def fits_kind(value: object, kind: str) -> bool:
    """The value is of this kind."""
    if kind in (TABLES, MOMENTS, TEXTS):
        return isinstance(value, list) and all(
            isinstance(part, dict if kind == TABLES else str) for part in value
        )
    if isinstance(value, bool) and kind not in (BOOL, ANY):
        return False  # Python counts True as a number
    return isinstance(value, _TYPES[kind])


def _allowed(field: Entry) -> str:
    if field.choices:
        return "one of " + ", ".join(field.choices)
    return field.kind if field.low is None else f"{field.kind} in {field.low:g} .. {field.high:g}"


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean ...` for the known word that is nearest, otherwise ""."""
    close = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f", did you mean {close[0]!r}" if close else ""
