"""Reads a CSV file of another program as a recording for the audit.

The load is the power column with "load" in its name. If there is no such column, the load is the
only power column that is neither grid nor battery. Optional columns: `grid_kW` or `battery_kW`
(above 0 discharges), `voltage_pu`, `frequency_Hz`, `commanded`, also as in "Voltage [pu]". If the
load has no column, it is computed from grid and battery. A cell that is no number counts as a lost
sample. The report names the columns that are not read.
"""

import contextlib
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo

import numpy as np

from controller.audit.samples import (
    BATTERY,
    COMMANDED,
    FREQUENCY,
    GRID,
    LOAD,
    VOLTAGE,
    Piece,
    Values,
)
from controller.series import powers, table, times
from controller.series.refusal import SeriesError, at_cell, listed, shown
from controller.series.table import Row, Table
from controller.series.units import POWER

# A piece has at most so many rows and cells. CELLS limits memory: a file may have 1000 columns.
ROWS, CELLS = 1 << 16, 1 << 18
CELL_MAX = 32
POWER_W_MAX = 1e10
PLAIN = {VOLTAGE: 3.0, FREQUENCY: 100.0, COMMANDED: 7.0}
WORDS = {LOAD: "load", GRID: "grid", BATTERY: "battery"}
Column = tuple[str, int, float, float]  # name, place, factor, highest absolute value


class CsvSource:
    """A CSV file. column: the column of the load, or None to find it by its name. zone: the time
    zone of times that have no offset from UTC.
    """

    def __init__(self, path: str, column: str | None, meter_s: float, zone: tzinfo) -> None:
        """Reads the header. Raises SeriesError, AuditError."""
        self.path, self.meter_s, self._load_column, self._zone = path, meter_s, column, zone
        self.unread: list[str] = []
        self.begin_utc_s: float | None = None
        with table.opened(path) as rows:
            self._columns(rows)

    def pieces(self) -> Iterator[Piece]:
        """See Source."""
        with table.opened(self.path) as rows:
            clock, columns = _Clock(rows, self._zone), self._columns(rows)
            iterator, count = iter(rows), min(ROWS, CELLS // len(rows.names))
            while batch := list(itertools.islice(iterator, count)):
                yield self._piece(clock, columns, batch, rows)

    def _piece(self, clock: "_Clock", columns: list[Column], rows: list[Row], file: Table) -> Piece:
        whole = [row for row in rows if len(row[1]) == len(file.names)]
        if not whole:
            return Piece(np.empty(0), {})
        cells = list(zip(*[row[1] for row in whole]))
        times_s = clock.read([row[0] for row in whole], [cells[place] for place in clock.places])
        values: Values = {}
        for name, place, factor, most in columns:
            column = measured(cells[place], file.has_comma) * factor
            least = 0.0 if name in PLAIN else -most
            wrong = np.flatnonzero((column < least) | (column > most))
            if len(wrong):
                line, cell = whole[wrong[0]][0], cells[place][wrong[0]]
                raise SeriesError(
                    f"line {line}: {file.names[place]} = {shown(cell)}: allowed is "
                    f"{least / factor:g} to {most / factor:g}"
                )
            values[name] = column
        if self.begin_utc_s is None and clock.is_utc:
            self.begin_utc_s = float(times_s[0])
        if clock.is_utc:
            times_s = times_s - (self.begin_utc_s or 0.0)
        return Piece(times_s, with_grid(values))

    def _columns(self, rows: Table) -> list[Column]:
        """The columns of the file, the load first. Raises SeriesError if there is no load."""
        power_columns = powers.columns(rows)
        chosen = powers.chosen(rows, self._load_column) if self._load_column else ""
        assigned = {LOAD: chosen} if chosen else {}
        for name, word in WORDS.items():
            fitting = [
                column for column in power_columns if word in column.lower() and column != chosen
            ]
            if name not in assigned and len(fitting) > 1:
                raise SeriesError(f"several columns of the {word}: {listed(fitting)}; --column")
            if name not in assigned and fitting:
                assigned[name] = fitting[0]
        if LOAD not in assigned and not {GRID, BATTERY} <= set(assigned):
            rest = [column for column in power_columns if column not in assigned.values()]
            assigned[LOAD] = _only_power(rest) if power_columns else powers.chosen(rows, None)
        columns: list[Column] = []
        for name, column in assigned.items():
            unit = POWER.unit_of(column)
            assert unit is not None  # powers.columns has chosen it by its unit
            columns.append((name, rows.names.index(column), unit.factor, POWER_W_MAX))
        for name, most in PLAIN.items():
            fitting = [column for column in rows.names if _plain(column) == name.lower()]
            if len(fitting) > 1:
                raise SeriesError(f"several columns of {name}: {listed(fitting)}")
            columns += [(name, rows.names.index(column), 1.0, most) for column in fitting]
        read = {*powers.time_of(rows)[0], *[place for _, place, _, _ in columns]}
        self.unread = [column for place, column in enumerate(rows.names) if place not in read]
        return columns


def _plain(name: str) -> str:
    """A name such as "Frequency [Hz]" as frequency_hz."""
    return "_".join(re.findall("[a-z0-9]+", name.lower()))


def _only_power(names: Sequence[str]) -> str:
    if len(names) != 1:
        raise SeriesError(f"no column of the load among {listed(names) or 'the powers'}; --column")
    return names[0]


def with_grid(values: Values) -> Values:
    """Add the power of the load or of the grid if it was not measured. The two powers differ by
    the power of the battery.
    """
    battery_W = values.pop(BATTERY, None)
    if battery_W is not None and GRID not in values:
        values[GRID] = values[LOAD] - battery_W
    if battery_W is not None and LOAD not in values:
        values[LOAD] = values[GRID] + battery_W
    return values


def measured(cells: Sequence[str], has_comma: bool) -> np.ndarray:
    """The values of cells. NaN for no number, and for a device's number for "no value"."""
    values = numbers(cells, has_comma)
    values[np.isin(values, tuple(powers.BLANKS))] = np.nan
    return values


def numbers(cells: Sequence[str], has_comma: bool) -> np.ndarray:
    """The numbers of cells. NaN for a cell that is no number."""
    # numpy would cut longer cells and a NUL at the end, and would read 1_0 as 10.
    is_plain = max(map(len, cells), default=0) <= CELL_MAX and not {*"_\0"} & {*"".join(cells)}
    if is_plain and not has_comma:
        with contextlib.suppress(ValueError):
            values = np.array(cells, dtype=f"S{CELL_MAX}").astype(float)
            values[~np.isfinite(values)] = np.nan
            return values
    return np.array([table.number(cell, has_comma) for cell in cells])


class _Clock:
    """Reads the times of rows, s. They must rise. is_utc: they count from 1970."""

    def __init__(self, rows: Table, zone: tzinfo) -> None:
        self.places, self._unit = powers.time_of(rows)
        self.is_utc, self._has_comma = self._unit is None, rows.has_comma
        self._name = rows.names[self.places[0]]
        self._cells = times.TimeCells(zone, name=self._name)
        self._before_s = -math.inf

    def read(self, lines: Sequence[int], columns: Sequence[Sequence[str]]) -> np.ndarray:
        """The times of some rows. Raises SeriesError if a time does not rise."""
        if self._unit is None:
            return np.fromiter(map(self._clock, lines, zip(*columns)), float, len(lines))
        times_s = numbers(columns[0], self._has_comma) * self._unit.factor
        steps_s = np.diff(times_s, prepend=self._before_s)
        wrong = np.flatnonzero(~(steps_s > 0))
        if len(wrong):
            index = int(wrong[0])
            before_s = times_s[index - 1] if index else self._before_s
            above = "" if before_s == -math.inf else f" above {before_s / self._unit.factor:.10g}"
            cell = shown(columns[0][index])
            raise SeriesError(
                f"line {lines[index]}: {self._name} = {cell}: allowed is a number{above}"
            )
        self._before_s = float(times_s[-1])
        return times_s

    def _clock(self, line: int, cells: tuple[str, ...]) -> float:
        with at_cell(line, self._name):
            return self._cells(" ".join(cells))
