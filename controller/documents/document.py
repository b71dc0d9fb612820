"""Describes a page as a list of blocks, such as headings and tables, and prints the blocks as
Markdown or plain text. `html_page.py` prints them as HTML.

The words of a Mark mean the same as its colour, because a page may be printed in black and white.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from controller.system.paths import ascii_only

WIDTH = 100  # columns of a report on a terminal
TERMINAL, LABEL = 79, 24  # columns of plain text, columns of its first cell
KINDS = ("armed", "other", "absent", "missing", "doubt")


class Banner(NamedTuple):
    """A warning in a frame."""

    text: str


class Heading(NamedTuple):
    """A heading; level 1 is the title."""

    level: int
    text: str


class Mark(NamedTuple):
    """A text in the colour of its kind (one of KINDS), with a note behind it."""

    kind: str
    text: str
    note: str = ""


class Picture(NamedTuple):
    """A drawing as SVG. Only HTML shows it; other forms print its title. kind: its CSS class."""

    svg: str
    kind: str = ""
    title: str = ""


Cell = str | Mark | Picture


class Text(NamedTuple):
    """A paragraph. kind: its CSS class in HTML."""

    text: Cell
    kind: str = ""


class Table(NamedTuple):
    """Rows of cells under their headers. blanks: so many of the last columns are filled in by hand.
    kind: its CSS class in HTML. With the class CARDS, the rows become cards on a phone.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    blanks: int = 0
    kind: str = ""


Block = Banner | Heading | Text | Table | Picture
Blocks = list[Block]
Facts = dict[str, Any]  # a document as plain data: what `--format json` prints
CARDS = "cards"


Column = str | Callable[[Facts], Cell]
Columns = dict[str, Column]


def table(
    rows: Iterable[Facts], columns: Mapping[str, Column], blanks: Sequence[str] = ()
) -> Table:
    """A table with a line for each row. A column is a key of the row, or a function that makes a
    cell from the row. blanks: headers of columns to fill in by hand.
    """
    lines = [
        (*[_cell(row, column) for column in columns.values()], *[""] * len(blanks)) for row in rows
    ]
    return Table((*columns, *blanks), lines, len(blanks))


def _cell(row: Facts, column: Column) -> Cell:
    value = row[column] if isinstance(column, str) else column(row)
    return value if isinstance(value, Mark) else str(value)


def judged(is_good: bool | None, text: str) -> Cell:
    """The text in the colour of its verdict. is_good: None for a text without a colour."""
    return text if is_good is None else Mark("armed" if is_good else "missing", text)


def section(title: str, table: Table, paragraph: str = "") -> Blocks:
    """A heading, the paragraph if it is not empty, and a table."""
    return [Heading(2, title), *([Text(paragraph)] if paragraph else []), table]


def filled(title: str, headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Blocks:
    """A heading and a table. [] if there are no rows."""
    return section(title, Table(headers, rows)) if rows else []


def texts(lines: Iterable[Cell]) -> Blocks:
    """A paragraph for each line."""
    return [Text(line) for line in lines]


_OPENS_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # does not match "<= 25 % LFL"


def wrapped(first: str, text: str, width: int = WIDTH) -> list[str]:
    """`first` and `text` as lines of this width. Later lines begin below the start of `text`."""
    return textwrap.wrap(
        first + text, width, subsequent_indent=" " * len(first), break_on_hyphens=False
    ) or [first]


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown in plain ASCII. HTML in a text is escaped, because a text that people
    write, such as the name of a cabinet, may contain it.
    """
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            lines += ["#" * block.level + " " + block.text, ""]
        elif isinstance(block, Text):
            lines += [text(block.text), ""]
        elif isinstance(block, Banner):
            lines += [f"**{block.text}**", ""]
        elif isinstance(block, Table):
            lines += [_row(block.headers), _row(["---"] * len(block.headers))]
            lines += [*[_row(cells) for cells in block.rows], ""]
    return _OPENS_TAG.sub("&lt;", ascii_only("\n".join(lines)))


def _row(cells: Sequence[Cell]) -> str:
    texts = [text(cell).replace("|", "/").replace("\n", " ") for cell in cells]
    return f"| {' | '.join(texts)} |"


def text(cell: Cell) -> str:
    """A cell in plain words."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Picture):
        return cell.title
    return f"{cell.text}, {cell.note}" if cell.note else cell.text


def plain(blocks: Sequence[Block]) -> str:
    """The blocks as plain ASCII. The first cell of a row is the label of its line."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            for first, *rest in block.rows:
                label = f"{text(first):<{LABEL}} "
                lines += wrapped(label, " | ".join(map(text, rest)), TERMINAL)
            lines.append("")
        elif isinstance(block, Heading):
            lines += [block.text.upper(), ""] if block.level == 1 else [block.text.upper()]
        elif not isinstance(block, Picture):
            first = "*** " if isinstance(block, Banner) else ""
            lines += [*wrapped(first, text(block.text), TERMINAL), ""]
    return ascii_only("\n".join(lines).rstrip())
