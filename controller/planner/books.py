"""Books of the planner: a file with a line for each finished quarter of an hour.

Each line holds the measured values and the planned values. The books keep 42 days: the present
month, the 28 days of accounts.share, and the 14 days that a plan learns from. A line that a power
cut has damaged is left out. A Series is made from the books and has no holes: an unknown value
repeats the value before it, and the battery counts as idle there. So a hole never looks like a
saving.
"""

import contextlib
import math
import os
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from controller.planner import planning
from controller.planner.backtest import HOUR_SLOTS
from controller.planner.exact import J_PER_WH
from controller.store import durable
from controller.system import regular_file
from controller.system.local_days import SLOT_S, SLOTS_PER_DAY, number_of

FILE = "books.csv"
Column = list[float]  # a number for each quarter
KEPT, SPARE = 42 * SLOTS_PER_DAY, SLOTS_PER_DAY  # above KEPT + SPARE, the file is rewritten
BYTES_MAX, NUMBER_MAX = 2 << 20, 1e12


class Quarter(NamedTuple):
    """A finished quarter of an hour that began at `at`, an aware local time. None is unknown."""

    at: datetime
    load_W: float | None = None
    pv_W: float | None = None
    grid_W: float | None = None
    battery_W: float | None = None
    stored_Wh: float | None = None  # at its end, for a battery with the energy of the site file
    price_per_kWh: float | None = None  # before adders
    planned_battery_W: float | None = None
    planned_grid_W: float | None = None
    forecast_load_W: float | None = None
    yesterday_load_W: float | None = None
    carbon_g_per_kWh: float | None = None
    lowered_W: float | None = None  # the load was lower than load_W by this, on request


class Series(NamedTuple):
    """Quarters of an hour without a hole, from the whole hour `start` on."""

    start: datetime
    load_W: Column
    pv_W: Column
    grid_W: Column
    battery_W: Column
    stored_J: Column  # at the end of each
    price_per_kWh: Column
    carbon_g_per_kWh: Column  # NaN: never known
    errors_W: list[tuple[float, float] | None]  # of the load's forecast, and of yesterday's load
    lowered_W: Column


class Books:
    """The books of one state directory. `rows`: in order of time, up to the present quarter."""

    def __init__(self, state_directory: str, zone: tzinfo):
        self._path, self._zone = os.path.join(state_directory, FILE), zone
        *lines, cut_line = self._lines()
        # {number: quarter} in the order of the file, in which quarters were measured
        self._measured = dict(filter(None, map(self._of_line, lines)))
        self._early = set[int]()  # numbers of quarters that were later than the clock
        self.rows, self._is_whole = list[Quarter](), not cut_line

    def look(self, now: int) -> None:
        """Fill `rows` with the quarters before `now`. Call this first, in each new quarter. A later
        quarter stays aside: the clock was ahead when it was measured, or the clock is behind now.
        """
        self._early |= {number for number in self._measured if number >= now}
        self.rows = [self._measured[number] for number in sorted(self._measured) if number < now]

    def lacks(self, number: int, powers_W: tuple[float | None, ...]) -> bool:
        """True if the books do not have this quarter, or have other powers in its place that were
        measured while the clock was ahead. powers_W: as measured, the first values of a Quarter.
        """
        before = self._measured.get(number)
        is_other = before is not None and before[1 : 1 + len(powers_W)] != powers_W
        return before is None or (is_other and number in self._early)

    @property
    def newest(self) -> int:
        """Number of the newest quarter of `rows` since 1970, UTC; -1 without any."""
        return number_of(self.rows[-1].at) if self.rows else -1

    def add(self, rows: Sequence[Quarter], now: int) -> None:
        """Take measured quarters that the books lack. If the books are full, the quarters that were
        measured first are dropped. After an OSError this process still has the new quarters, and
        the next call writes the whole file again with them.
        """
        for row in rows:
            number = number_of(row.at)
            self._measured.pop(number, None)
            self._measured[number] = row
            self._early.discard(number)
        is_whole, self._is_whole = self._is_whole, False
        is_full = len(self._measured) > KEPT + SPARE
        if is_full:
            self._measured = dict(list(self._measured.items())[-KEPT:])
        self.look(now)
        if is_full or not is_whole:
            durable.put(self._path, ".new", map(_line, self._measured.values()), 0o600)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with durable.opened(self._path, flags) as descriptor:
                durable.write(descriptor, b"".join(map(_line, rows)))
                os.fsync(descriptor)
        self._is_whole = True

    def _lines(self) -> list[bytes]:
        with contextlib.suppress(FileNotFoundError):
            return regular_file.read(self._path, BYTES_MAX).split(b"\n")
        return [b""]

    def _of_line(self, line: bytes) -> tuple[int, Quarter] | None:
        try:
            time, *cells = line.decode("ascii").split(",")
            values = [float(cell) if cell else None for cell in cells]
            number, late_s = divmod(int(time), SLOT_S)
            begin = datetime.fromtimestamp(number * SLOT_S, self._zone)
        except (ValueError, OverflowError, OSError):
            return None
        are_numbers = all([value is None or abs(value) < NUMBER_MAX for value in values])
        # A line of an earlier version has one cell less.
        are_whole = len(Quarter._fields) - len(values) in (1, 2)
        if late_s or not are_numbers or not are_whole:
            return None
        return number, Quarter(begin, *values)


def _line(row: Quarter) -> bytes:
    cells = ",".join(["" if quantity is None else f"{quantity:.7g}" for quantity in row[1:]])
    return f"{int(row.at.timestamp())},{cells}\n".encode("ascii")


def worn(rows: Sequence[Quarter], part: float) -> list[Quarter]:
    """The same quarters with a battery that has this part of the energy in the file."""
    if part == 1:
        return list(rows)
    return [row._replace(stored_Wh=row.stored_Wh and part * row.stored_Wh) for row in rows]


def series_of(quarters: Sequence[Quarter]) -> Series | None:
    """The quarters in order of time, with holes filled; None if load, energy or prices are unknown
    in all of them.
    """
    by_index = {number_of(quarter.at): quarter for quarter in quarters}
    if not by_index:
        return None
    first, end, earliest = min(by_index), max(by_index) + 1, min(quarters).at
    # by local time: in some zones no local hour begins with an hour of UTC
    slots_past = round(60 * earliest.minute / SLOT_S)
    first = min(first + -slots_past % HOUR_SLOTS, end)
    rows = [by_index.get(number) for number in range(first, end)]
    load_W, pv_W = _column(rows, "load_W"), _column(rows, "pv_W")
    stored_Wh, price = _column(rows, "stored_Wh"), _column(rows, "price_per_kWh")
    if not rows or any([math.isnan(column[0]) for column in (load_W, stored_Wh, price)]):
        return None
    if math.isnan(pv_W[0]):  # a site without PV
        pv_W = [0.0] * len(rows)
    powers_W = [_pair(*parts) for parts in zip(rows, load_W, pv_W)]
    return Series(
        start=planning.later(earliest, first - min(by_index)),
        load_W=load_W,
        pv_W=pv_W,
        grid_W=[grid_W for grid_W, _ in powers_W],
        battery_W=[battery_W for _, battery_W in powers_W],
        stored_J=[energy_Wh * J_PER_WH for energy_Wh in stored_Wh],
        price_per_kWh=price,
        carbon_g_per_kWh=_column(rows, "carbon_g_per_kWh"),
        errors_W=[_errors_W(row) for row in rows],
        lowered_W=[(row and row.lowered_W) or 0.0 for row in rows],
    )


def _column(rows: Sequence[Quarter | None], name: str) -> Column:
    """Values without holes. An unknown value repeats the value before it; unknown values at the
    start take the first known value.
    """
    cells = [getattr(row, name, None) for row in rows]
    last = next((cell for cell in cells if cell is not None), math.nan)
    return [last := last if cell is None else float(cell) for cell in cells]


def _pair(row: Quarter | None, load_W: float, pv_W: float) -> tuple[float, float]:
    """Import and battery power of a quarter. If one is unknown, it follows from the other; if both
    are unknown, the battery is idle.
    """
    net_W = load_W - pv_W - ((row and row.lowered_W) or 0.0)
    grid_W, battery_W = (row.grid_W, row.battery_W) if row else (None, None)
    if battery_W is None:
        battery_W = 0.0 if grid_W is None or row is None or row.load_W is None else net_W - grid_W
    return net_W - battery_W if grid_W is None else grid_W, battery_W


def _errors_W(row: Quarter | None) -> tuple[float, float] | None:
    """Errors of the forecast of the load and of yesterday's load, where both are known."""
    if row is None or row.load_W is None:
        return None
    if row.forecast_load_W is None or row.yesterday_load_W is None:
        return None
    return abs(row.forecast_load_W - row.load_W), abs(row.yesterday_load_W - row.load_W)
