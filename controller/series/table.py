"""Reads a table of text: separator, decimal mark and header, then (line, cells) of each row.

A row may have fewer cells than the header, because a log may still be written at its last line.
"""

import contextlib
import csv
import itertools
import math
import re
from collections.abc import Iterator, Sequence

from controller.series import text
from controller.series.refusal import SeriesError, listed, shown
from controller.series.text import Path

SEPARATORS = ",;\t"
SAMPLED = 200  # number of first lines that show the decimal mark
COLUMNS_MAX = 1000
BLANKS_MAX = 1 << 20  # empty lines; a full sheet has so many rows
BLANK = " ,;\t\r\n"  # an empty row of a spreadsheet has only separators
Row = tuple[int, list[str]]  # number of the line, cells

_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*$')  # the first line of some exports
_DECIMAL_COMMA = re.compile(
    r"\s*[+-]?(?:\d*,(?:\d{1,2}|\d{4,})|0*,\d+|\d{4,},\d+)(?:[eE][+-]?\d+)?\s*$"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?!\d)|\d\d\.\d\d\.\d{4}(?!\d)")
NAMES_NEEDED = "allowed is a header first: a line with the names of the columns"


class Table:
    """A table. It can be iterated once.

    first: cells of the first row. has_comma: numbers have a decimal comma.
    """

    def __init__(self, lines: Iterator[str], separators: str = SEPARATORS):
        numbered = _filled(lines)
        sample = list(itertools.islice(numbered, SAMPLED))
        if sample and (match := _SEPARATOR_LINE.match(sample[0][1])):
            self.separator, sample = match[1], sample[1:]
        else:
            self.separator = _separator([line for _, line in sample[:2]])
        if self.separator not in separators:
            raise SeriesError(
                f"line 1: the separator is {self.separator!r}: allowed is "
                f"{' or '.join(map(repr, separators))}"
            )
        self.line, head = sample[0] if sample else (1, "")
        heads = [_cells(self.line, head, self.separator)]
        if sample[1:] and _is_head(second_head := _cells(*sample[1], self.separator)):
            heads, sample = [*heads, second_head], sample[1:]
        parts = itertools.zip_longest(*heads, fillvalue="")
        self.names = [" ".join(part).strip() for part in parts]
        self._check_head()
        self.first = _cells(*sample[1], self.separator) if sample[1:] else []
        self._rows = itertools.chain(sample[1:], numbered)
        self.has_comma = any(
            _DECIMAL_COMMA.match(cell)
            for number, line in sample[1:]
            if "," in line
            for cell in _cells(number, line, self.separator)
        )

    def __iter__(self) -> Iterator[Row]:
        """The rows, without blank ones."""
        separator, width = self.separator, len(self.names)
        for number, line in self._rows:
            if '"' in line:
                cells = _cells(number, line, separator)
            else:
                cells = line.rstrip("\n").split(separator)
            if len(cells) > width:
                cells = self._cut(number, cells, width)
            yield number, cells

    def _cut(self, number: int, cells: list[str], width: int) -> list[str]:
        """The row, cut to the width of the header. SeriesError: a cell beyond it is not empty."""
        if any(cell.strip() for cell in cells[width:]):
            raise SeriesError(
                f"line {number}: {len(cells)} cells ({listed(map(shown, cells))}): allowed are "
                f"{width}, as in the header; a decimal comma needs ; or tab between the cells"
            )
        return cells[:width]

    def at(self, name: str) -> int:
        """The place of a column. SeriesError: the table has no such column."""
        if name not in self.names:
            raise SeriesError(
                f"line {self.line}: no column {name} in the header: {listed(self.names)}"
            )
        return self.names.index(name)

    def named(self, places: Sequence[int]) -> str:
        """The joined names of several columns, such as a date and a time of day."""
        return " ".join(self.names[place] for place in places)

    def _check_head(self) -> None:
        names = self.names
        if "\0" in "".join(names):
            raise SeriesError(text.NO_TEXT)
        if len(names) > COLUMNS_MAX:
            raise SeriesError(f"line {self.line}: {len(names)} columns: allowed {COLUMNS_MAX}")
        for name in names:
            if not name.isprintable():
                raise SeriesError(f"line {self.line}: {shown(name)}: allowed is a printable name")
            if _is_value(name):
                raise SeriesError(
                    f"line {self.line}: no header, but {listed(map(shown, names))}: {NAMES_NEEDED}"
                )
        repeated = sorted({name for name in names if name and names.count(name) > 1})
        if repeated:
            raise SeriesError(f"column {repeated[0]} is twice in the header; allowed is once")


@contextlib.contextmanager
def opened(path: Path, separators: str = SEPARATORS) -> Iterator[Table]:
    """The table of a file or its gzip. Each SeriesError begins with the path."""
    with text.opened(path) as lines:
        yield Table(lines, separators)


def _filled(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """(number, line) of lines that are not empty. SeriesError: more than BLANKS_MAX empty lines."""
    blanks = 0
    for number, line in enumerate(lines, 1):
        if line.strip(BLANK):
            yield number, line
            continue
        blanks += 1
        if blanks > BLANKS_MAX:
            raise SeriesError(f"line {number}: has more than {BLANKS_MAX} empty lines")


def _separator(lines: Sequence[str]) -> str:
    """The separator that splits the header and the first row into equally many cells.

    If several do, tab comes first, then the semicolon.
    """
    counts = {separator: [len(_split(line, separator)) for line in lines] for separator in "\t;,"}
    several = [separator for separator, count in counts.items() if count and count[0] > 1]
    equal = [separator for separator in several if len(set(counts[separator])) == 1]
    return (equal or several or [","])[0]


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _is_value(cell: str) -> bool:
    """True for a number or a time. A column cannot have such a name."""
    try:
        return _TIME.match(cell) is not None or not math.isnan(number(cell, False))
    except SeriesError:
        return True


def _is_head(cells: Sequence[str]) -> bool:
    """True for a second line of the header, such as units: it has no time and no value."""
    return not cells[0].strip() and not any(map(_is_value, cells))


def _cells(number: int, line: str, separator: str) -> list[str]:
    cells = _split(line, separator)
    if not cells and line:
        raise SeriesError(
            f"line {number}: a quote is not closed or stands within a cell: allowed are quotes "
            f"around a whole cell"
        )
    return cells


def number(cell: str, has_comma: bool) -> float:
    """The finite number of a cell, or NaN. SeriesError: its comma may separate thousands."""
    try:
        value = float(cell)
    except ValueError:
        return _with_comma(cell, has_comma) if "," in cell else math.nan
    if has_comma and "." in cell:
        raise SeriesError(f"{shown(cell)} beside decimal commas: allowed is one of the two")
    # Python would read 1_0 as 10, and would accept digits of every script.
    return value if value - value == 0 and "_" not in cell and cell.isascii() else math.nan


def _with_comma(cell: str, has_comma: bool) -> float:
    is_decimal = _DECIMAL_COMMA.match(cell) or (has_comma and cell.count(",") == 1)
    if is_decimal and "." not in cell:
        return number(cell.replace(",", "."), False)
    if re.match(r"\s*[+-]?[\d.,]+\s*$", cell):
        raise SeriesError(
            f"{shown(cell)} may have a mark of thousands: allowed is a number with a decimal "
            f"point, or with a decimal comma that cannot be one"
        )
    return math.nan
