"""The form of one key of a configuration, and of one value that a file gives it."""

from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A value, the file that holds it, and the rank of that layer. The Spec of the key types it."""

    value: Any
    file: str
    rank: int = 0


class Spec(NamedTuple):
    """The allowed values of one key.

    kind: int, bool, choice, text, named (a text that names a paper or a person), list or derived (a
    parameter that no file may set). tighter: up, down, fixed, free or subset.

    allowed: int (low, high); choice its options; text and named (regular expression, description);
    list (length or 0, options of one type); derived (the reason,). unit: (divisor, name) of an
    integer whose key does not name its unit, else None.
    """

    kind: str
    allowed: tuple[Any, ...]
    default: Any = None
    tighter: str = "fixed"
    unit: tuple[int, str] | None = None


def derived(reason: str) -> Spec:
    """Spec of a parameter that no file may set."""
    return Spec("derived", (reason,))
