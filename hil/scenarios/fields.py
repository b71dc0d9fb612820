"""Keys of the tables of a scenario: what kind of value each has, its range or choices, and its
default.
"""

from typing import NamedTuple

BOOL, INTEGER, NUMBER, TEXT, ANY = (
    "true or false",
    "a whole number",
    "a number",
    "a text",
    "a value",
)
REQUIRED = object()


class Entry(NamedTuple):
    """One key of a table: what kind of value, its range or choices, and its default (REQUIRED =
    none).
    """

    kind: str
    default: object
    low: float = None
    high: float = None
    choices: tuple = ()
