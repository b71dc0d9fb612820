"""Reads powers from a table: finds the columns, and reads them row by row.

The time is a column `t_s` (`t_ms`, `t_min`, `t_h`) that counts from any zero, or a column of times
as in times.py.
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, tzinfo

from controller.series import times
from controller.series.refusal import SeriesError, at_cell, listed, shown
from controller.series.table import Table, number
from controller.series.units import DURATION, POWER, Unit
from drivers.plausible import EXACT, plausible

TIME = "t_s"
_CHANNEL = re.compile(r"ch\d")
# Numbers for "no value". Larger ones need no entry, because they exceed every allowed power.
BLANKS = frozenset((-999.0, -9999.0, -99999.0, 32767.0, -32768.0, 65535.0))
Reading = tuple[float, float, int]  # time, s since 1970 or since the file's zero; W; line


def columns(table: Table) -> list[str]:
    """The names of the power columns, without the channels of a meter (`ch1_W`)."""
    return [name for name in table.names if POWER.unit_of(name) and not _CHANNEL.match(name)]


def chosen(table: Table, column: str | None) -> str:
    """The named power column, or the only one. SeriesError: no power column, or several."""
    names = columns(table)
    if column in table.names and POWER.unit_of(column):
        return column
    if not names:
        raise SeriesError(
            f"no power column (its name ends in _kW or _W) in the header: {listed(table.names)}"
        )
    if column is not None:
        raise SeriesError(f"column {column}: allowed are {listed(names)}")
    if len(names) > 1:
        raise SeriesError(f"several power columns, choose with --column: {listed(names)}")
    return names[0]


class Powers:
    """Readings of one power column.

    refused, empty: number of rows without a reading. first: text about the first refused row.
    """

    def __init__(
        self, table: Table, column: str | None, scale: float, power_W_max: float, zone: tzinfo = UTC
    ):
        """column: name of the column; None: the only one. zone: of times without an offset."""
        self.time_at, self.time_unit = time_of(table)
        self.table, self.column = table, chosen(table, column)
        unit = POWER.unit_of(self.column)
        assert unit is not None  # `chosen` has checked it
        self.unit = unit
        self._scale, self._power_W_max = scale, power_W_max
        self._width, self._power_at = len(table.names), table.names.index(self.column)
        clock = times.TimeCells(zone, name=table.named(self.time_at))
        self._clock = self._duration_s if self.time_unit else clock
        self.rows = self.refused = self.empty = 0
        self.first = ""
        self._before_s = -math.inf

    def __iter__(self) -> Iterator[Reading]:
        """The readings in order of time."""
        for line, cells in self.table:
            reading = self.reading(line, cells)
            if reading is not None:
                yield reading

    def reading(self, line: int, cells: list[str]) -> Reading | None:
        """The reading of a row. None: the row has no reading, and is counted."""
        self.rows += 1
        cell = cells[self._power_at] if len(cells) == self._width else ""
        with at_cell(line, self.column):
            # Some tools write "212.5 W" below a header "power [W]".
            figure = number(cell.strip().removesuffix(self.unit.name), self.table.has_comma)
            if not cell or not self.is_right(cells, figure):
                self._leave_out(line, cells, cell)
                return None
            power_W = figure * self.unit.factor * self._scale
            if not plausible(power_W, self._power_W_max, EXACT):
                raise SeriesError(self._beyond(cell))
        with at_cell(line, self.table.names[self.time_at[0]]):
            return self._clock(" ".join(cells[place] for place in self.time_at)), power_W, line

    def is_right(self, cells: list[str], found: float) -> bool:
        """True if the row has a power. found: its number.

        The reader of a meter's channels overrides this check.
        """
        return found == found and found not in BLANKS

    def _leave_out(self, line: int, cells: list[str], cell: str) -> None:
        if len(cells) == self._width and not cell.strip():
            self.empty += 1
            return
        self.refused += 1
        self.first = self.first or f"line {line}: {shown(cell) if cell else 'too few cells'}"

    def _duration_s(self, cell: str) -> float:
        assert self.time_unit is not None
        factor = self.time_unit.factor
        time_s = number(cell, self.table.has_comma) * factor
        if not self._before_s < time_s <= times.UNIX_S_MAX:
            if time_s > times.UNIX_S_MAX:
                raise SeriesError(f"{times.too_large(time_s)}; their column is t_ms")
            bound = "" if self._before_s == -math.inf else f", above {self._before_s / factor:g}"
            raise SeriesError(f"{shown(cell)}: allowed is a number{bound}")
        self._before_s = time_s
        return time_s

    def _beyond(self, cell: str) -> str:
        high_W = self._power_W_max / abs(self._scale)
        return (
            f"{shown(cell)}: allowed is at most {high_W / self.unit.factor:g} {self.unit.name}"
            f"{f' with scale {self._scale:g}' if self._scale != 1 else ''}"
        )

    def check(self, usable: int) -> None:
        """Check the counts. SeriesError: too few rows are usable."""
        if usable < 2 or self.refused > self.rows // 2:
            first = f", first {self.first}" if self.first else ""
            raise SeriesError(
                f"{usable} of {self.rows} rows usable in {self.column} ({self.refused} refused, "
                f"{self.empty} empty{first}): needed are 2 and at least half"
            )


def time_of(table: Table) -> tuple[tuple[int, ...], Unit | None]:
    """Places of the columns that make the time, and its unit; unit None: times as in times.py."""
    for name in sorted(table.names, key=lambda name: name != TIME):
        unit = DURATION.unit_of(name) if name.startswith("t_") else None
        if unit:
            return (table.names.index(name),), unit
    places = times.columns(table.names, table.first)
    if not places:
        raise SeriesError(f"no time column {TIME} (seconds) in the header: {listed(table.names)}")
    return places, None
