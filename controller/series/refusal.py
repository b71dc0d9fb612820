"""The error for a file of a series that is refused, with safe excerpts of the file."""

import contextlib
from collections.abc import Iterable, Iterator

SHOWN_MAX = 40  # characters of a cell in a message


class SeriesError(ValueError):
    """An unusable series: one line with file, line, cell and what is allowed."""


def shown(text: str) -> str:
    """A cell in quotes, in printable ASCII, cut to SHOWN_MAX."""
    return ascii(text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "...")


def listed(names: Iterable[str]) -> str:
    """Names for a message: printable, at most 200 characters."""
    text = ", ".join(ascii(name)[1:-1] for name in names)
    return text if len(text) <= 200 else text[:200] + " ..."


@contextlib.contextmanager
def at_cell(line: int, column: str) -> Iterator[None]:
    """Make a SeriesError in this context begin with the line and the column."""
    try:
        yield
    except SeriesError as error:
        raise SeriesError(f"line {line}: {column} = {error}") from None
