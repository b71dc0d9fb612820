"""Reads a CSV file, which may be gzipped: one column with times, one with values.

A last line without a line end may be cut in the middle of a number, so it does not count.
"""

import os
from collections.abc import Iterator

from controller.planner.feeds.points import QUANTITIES, Feed, Points, Reading, of_readings, unit_of
from controller.series import money, table, times
from controller.series.refusal import SeriesError, listed
from controller.series.units import Unit

LINE_ENDS = b"\r\n\0"  # the last byte of a line in UTF-8 and UTF-16
GZIP = b"\x1f\x8b"
ROWS_MAX = 600_000  # a year of minutes
CUT = "the last line has no end, so it may be cut and does not count"


def read(path: str, feed: Feed, made_s: float) -> Points:
    """The points of a file. SeriesError says why in one line with the path."""
    with table.opened(path) as csv_file:
        time_columns = times.columns(csv_file.names, csv_file.first) or (0,)
        place, unit = _column(csv_file, feed, time_columns)
        names, is_cut = (csv_file.named(time_columns), csv_file.names[place]), _is_cut(path)
        readings = _readings(csv_file, time_columns, place, is_cut, feed, unit)
        points = of_readings(readings, feed, unit, names, made_s, csv_file.has_comma)
        return points._replace(doubts=points.doubts + ([f"{path}: {CUT}"] if is_cut else []))


def _readings(
    csv_file: table.Table,
    time_columns: tuple[int, ...],
    place: int,
    is_cut: bool,
    feed: Feed,
    unit: Unit,
) -> Iterator[Reading]:
    before, only = list[Reading](), feed.keys.get("only")
    for count, (line, cells) in enumerate(csv_file):
        if count >= ROWS_MAX:
            raise SeriesError(f"line {line}: has more than {ROWS_MAX} rows: shorten it")
        yield from before
        before = []
        if only and only not in map(str.strip, cells):
            continue
        if feed.kind == "prices":
            money.check(f"line {line}", zip(csv_file.names, cells), feed.currency, unit)
        time = " ".join([cells[column] for column in time_columns if column < len(cells)])
        before = [(f"line {line}", time, cells[place] if place < len(cells) else "")]
    yield from before if not is_cut else ()


def _is_cut(path: str) -> bool:
    with open(path, "rb") as file:
        if file.read(2) in (b"", GZIP):  # a gzip file ends with a checksum
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) not in LINE_ENDS


def _column(csv_file: table.Table, feed: Feed, time_columns: tuple[int, ...]) -> tuple[int, Unit]:
    """Index and unit of the values: of the named column, else of the only one with such a unit."""
    column_name, unit_name = feed.keys["column"], feed.keys["unit"]
    columns = [place for place in range(len(csv_file.names)) if place not in time_columns]
    fits = [place for place in columns if unit_of(feed.kind, csv_file.names[place])]
    if column_name:
        fits = [csv_file.at(column_name)]
    elif not fits and unit_name:
        fits = columns
    unit = unit_of(feed.kind, unit_name or csv_file.names[fits[0]]) if len(fits) == 1 else None
    if unit is None:
        raise SeriesError(
            f"line {csv_file.line}: {len(fits) or 'no'} columns of {QUANTITIES[feed.kind].name} in "
            f"{listed(csv_file.names)}: needed is one, chosen by column and unit of the feed"
        )
    return fits[0], unit
