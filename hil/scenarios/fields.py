"""Keys of a scenario's tables: kind of value, range or choices, default."""

from typing import NamedTuple

BOOL, INTEGER, NUMBER = "true or false", "a whole number", "a number"
TEXT, ANY = "a text", "a value"
REQUIRED = object()


class Entry(NamedTuple):
    """One key of a table. default: REQUIRED for none; low, high: both or neither."""

    kind: str
    default: object
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
