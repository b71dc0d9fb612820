"""The values of a profile against their rules (kind, low or choices, high, default): taken, or
refused in one line that says file, key, what is allowed, and the nearest right key.
"""

import difflib

REQUIRED = object()
STRING, INTEGER, NUMBER, INTEGERS, STRINGS, RANGE = (
    "text",
    "a whole number",
    "a number",
    "whole numbers",
    "texts",
    "[low, high]",
)


class ProfileError(ValueError):
    """A profile that cannot be used: one line with file, key and what is allowed."""


def wrong(path, words: str):
    """ProfileError that names the file."""
    return ProfileError(f"{path.name}: {words}")


def only_tables(path, prefix: str, data: dict) -> dict:
    """data, a dict of tables."""
    for name, table in data.items():
        if not isinstance(table, dict):
            raise wrong(path, f"{prefix}{name}: {table!r}; allowed a table")
    return data


def rows_of(path, prefix: str, data: dict, schema: dict) -> dict:
    """data, a dict of tables, each checked against schema."""
    return {
        name: fields_of(path, f"{prefix}{name}.", table, schema)
        for name, table in only_tables(path, prefix, data).items()
    }


def fields_of(path, prefix: str, data: dict, schema, more: tuple = ()) -> dict:
    """data checked against schema, defaults filled in."""
    for key in data:
        if key not in schema:
            raise wrong(path, f"{prefix}{key}: unknown key{nearest(key, tuple(schema) + more)}")
    return {
        key: _value(path, prefix + key, data.get(key, rule[3]), rule)
        for key, rule in schema.items()
    }


def _value(path, place, value, rule):
    kind, low, high, _ = rule
    if value is REQUIRED:
        raise wrong(path, f"{place}: missing; allowed {_allowed(kind, low, high)}")
    # None: only a default can be
    if value is None or _IS[kind](value) and _within(value, low, high):
        return value
    raise wrong(path, f"{place}: {value!r}; allowed {_allowed(kind, low, high)}")


def _within(value, low, high):
    if low is None:
        return True
    if isinstance(low, tuple):
        return value in low
    return all(low <= item <= high for item in (value if isinstance(value, list) else [value]))


def _allowed(kind, low, high):
    if low is None:
        return kind
    if isinstance(low, tuple):
        return ", ".join(map(str, low))
    return f"{kind} from {low} to {high}"


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, float) or _is_integer(value)


def _is_range(value):
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(map(_is_number, value))
        and value[0] <= value[1]
    )


_IS = {
    STRING: lambda value: isinstance(value, str),
    INTEGER: _is_integer,
    NUMBER: _is_number,
    INTEGERS: lambda value: isinstance(value, list) and all(map(_is_integer, value)),
    STRINGS: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    RANGE: _is_range,
}


def nearest(key: str, keys) -> str:
    """ ", did you mean KEY?", or nothing."""
    found = difflib.get_close_matches(key, list(keys), 1)
    return f", did you mean {found[0]}?" if found else ""
