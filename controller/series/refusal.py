"""Defines the error for a refused file of a series, and makes safe excerpts for messages."""

import contextlib
from collections.abc import Iterable, Iterator

SHOWN_MAX = 40  # characters of a cell in a message


class SeriesError(ValueError):
    """A series cannot be used. One line: file, line, cell and allowed values."""


def shown(text: str) -> str:
    """A cell in quotes, in printable ASCII, cut to SHOWN_MAX."""
    return ascii(text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "...")


def listed(names: Iterable[str]) -> str:
    """Names for a message: printable, at most 200 characters."""
    text = ", ".join(ascii(name)[1:-1] for name in names)
    return text if len(text) <= 200 else text[:200] + " ..."


@contextlib.contextmanager
def at_cell(line: int, column: str) -> Iterator[None]:
    """Put the line and the column before the text of each SeriesError in this context."""
    try:
        yield
    except SeriesError as error:
        raise SeriesError(f"line {line}: {column} = {error}") from None
