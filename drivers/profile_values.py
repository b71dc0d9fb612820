"""Checks of the values of a profile against their rules (kind, low or choices, high, default).

A refusal is one line: file, key, the allowed values, and for an unknown key the nearest key.
"""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# kind, low or choices, high, default
Rule = tuple[str, Any, Any, Any]
Schema = Mapping[str, Rule]
Table = dict[str, Any]

REQUIRED = object()
VALUE_MAX = 10**9  # of a signal: a word of the image has 30 bits
STRING, INTEGER, NUMBER, INTEGERS, STRINGS, RANGE, BOOL, STATES = (
    "text",
    "a whole number",
    "a number",
    "a list of whole numbers",
    "a list of texts",
    "[low, high]",
    "true or false",
    "a table {raw value = value}, both whole numbers",
)


class ProfileError(ValueError):
    """A profile that cannot be used: one line with file, key and the allowed values."""


def wrong(path: Path, words: str) -> ProfileError:
    """ProfileError that names the file."""
    return ProfileError(f"{path.name}: {words}")


def only_tables(path: Path, prefix: str, data: Table) -> dict[str, Table]:
    """`data`, which must hold only tables."""
    for name, table in data.items():
        if not isinstance(table, dict):
            raise wrong(path, f"{prefix}{name}: {table!r}; allowed a table")
    return data


def rows_of(path: Path, prefix: str, data: Table, schema: Schema) -> dict[str, Table]:
    """The tables of `data`, each checked against `schema`."""
    return {
        name: fields_of(path, f"{prefix}{name}.", table, schema)
        for name, table in only_tables(path, prefix, data).items()
    }


def fields_of(
    path: Path, prefix: str, data: Table, schema: Schema, more: tuple[str, ...] = ()
) -> Table:
    """`data` checked against `schema`, with defaults. `more`: other keys to suggest."""
    for key in data:
        if key not in schema:
            raise wrong(path, f"{prefix}{key}: unknown key{nearest(key, tuple(schema) + more)}")
    return {
        key: _value(path, prefix + key, data.get(key, rule[3]), rule)
        for key, rule in schema.items()
    }


def _value(path: Path, place: str, value: Any, rule: Rule) -> Any:
    kind, low, high, _ = rule
    if value is REQUIRED:
        raise wrong(path, f"{place}: missing; allowed {_allowed(kind, low, high)}")
    # TOML has no null: None is a default
    if value is None or _IS[kind](value) and _within(value, low, high):
        return value
    raise wrong(path, f"{place}: {value!r}; allowed {_allowed(kind, low, high)}")


def _within(value: Any, low: Any, high: Any) -> bool:
    if low is None:
        return True
    if isinstance(low, tuple):
        return value in low
    return all(low <= item <= high for item in (value if isinstance(value, list) else [value]))


def _allowed(kind: str, low: Any, high: Any) -> str:
    if low is None:
        return kind
    if isinstance(low, tuple):
        return ", ".join(map(str, low))
    return f"{kind} from {low} to {high}"


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or _is_integer(value)


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(map(_is_number, value))
        and value[0] <= value[1]
    )


def _is_states(value: object) -> bool:
    return isinstance(value, dict) and all(
        raw.removeprefix("-").isdecimal() and _is_integer(each) and abs(each) <= VALUE_MAX
        for raw, each in value.items()
    )


_IS = {
    BOOL: lambda value: isinstance(value, bool),
    STATES: _is_states,
    STRING: lambda value: isinstance(value, str),
    INTEGER: _is_integer,
    NUMBER: _is_number,
    INTEGERS: lambda value: isinstance(value, list) and all(map(_is_integer, value)),
    STRINGS: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    RANGE: _is_range,
}


def nearest(key: str, keys: Iterable[str]) -> str:
    """ ", did you mean KEY?", or nothing."""
    found = difflib.get_close_matches(key, list(keys), 1)
    return f", did you mean {found[0]}?" if found else ""
