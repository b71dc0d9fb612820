"""Writes `quarters.csv` for the planner: means over quarters of an hour.

The user of the planner may not open the record. The recorder keeps the last 28 days in the state
directory, so that a restart of the box loses none. It also publishes them in the run directory,
which the group may read. The quarter that was measured first is removed first, whatever its time
is, because the clock may be set by days. A quarter in the future was measured while the clock was
ahead, or the clock is behind now. It stays in the state directory, but is not published. The next
measurement of the same quarter replaces it.

PV is load minus battery minus grid, so a generator set counts as PV. If the result is negative, the
site has a load behind no meter but that of the grid; it counts as load. Without a load meter the
load is grid plus battery. An empty cell is unknown: less than half of the quarter was measured.
lowered_W: power by which schedulers report that they have lowered the load (role load_cap); unknown
while one of them is silent. full_Wh, charge_W, discharge_W: energy and powers of the battery while
the cabinet runs (able.py). ups_Wh: energy of the load's UPS (role load_ups). A file of an earlier
version lacks the last five or six columns.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple, SupportsInt

from controller.store import durable
from controller.system import regular_file
from controller.system.paths import Say
from controller.system.utc import is_set

FILE, BYTES_MAX = "quarters.csv", 1 << 20
QUARTER_S, KEPT = 900, 28 * 96
KNOWN_MIN = 450  # a quarter with fewer known seconds is unknown
NUMBER_MAX = 1e10


class Quarter(NamedTuple):
    """One finished quarter of an hour. number: quarters since 1970, UTC."""

    number: int
    load_W: float | None
    pv_W: float | None
    grid_W: float | None
    battery_W: float | None
    soc_permille: float | None  # at its end
    lowered_W: float | None = None
    full_Wh: float | None = None
    charge_W: float | None = None
    discharge_W: float | None = None
    ups_Wh: float | None = None

    @property
    def able(self) -> tuple[float | None, float | None, float | None]:
        """The abilities of the battery: (full_Wh, charge_W, discharge_W)."""
        return self.full_Wh, self.charge_W, self.discharge_W


CELLS = [len(Quarter._fields) - less for less in (1, 5, 6)]  # in this and two earlier versions
HEADERS = [",".join(["utc_s", *Quarter._fields[1 : count + 1]]) for count in CELLS]
HEADER = HEADERS[0]


def unlowered(row: Quarter) -> Quarter:
    """The row with the load as it would be if no scheduler had lowered it.

    While lowered_W is unknown, the load stays as measured.
    """
    more_W = row.lowered_W or 0.0
    return row if row.load_W is None else row._replace(load_W=row.load_W + more_W)


class QuartersError(Exception):
    """The file is not valid. One line."""


def read(path: str, doubts: list[str] | None = None) -> list[Quarter]:
    """The quarters of a file, in order of time. Raises OSError.

    doubts: gets a line about lines that were left out. QuartersError: no line of the file is valid.
    """
    rows, line = _measured(path)
    if line and doubts is not None:
        doubts.append(line)
    return sorted(rows.values())


def _measured(path: str) -> tuple[dict[int, Quarter], str]:
    """({number: quarter} in the order of measurement, a line about lines that were left out)."""
    data = regular_file.read(path, BYTES_MAX + 1, regular_file.link_opener)
    lines = data.decode("ascii", "replace").splitlines()
    if len(data) > BYTES_MAX or not lines or lines[0] not in HEADERS:
        raise QuartersError(f"{path}: is no quarters.csv of the recorder: its header is another")
    rows, odd = dict[int, Quarter](), list[int]()
    for number, text in enumerate(lines[1:], 2):
        try:
            quarter = _of_line(text)
            rows.pop(quarter.number, None)
            rows[quarter.number] = quarter
        except ValueError:
            odd.append(number)
    if not odd:
        return rows, ""
    line = f"{path}: {len(odd)} lines are left out, the first is line {odd[0]}: allowed are "
    line += "the begin of a quarter of an hour and its numbers"
    if not rows:
        raise QuartersError(line)
    return rows, line


def _of_line(line: str) -> Quarter:
    """The quarter of a line. ValueError: the line is not valid, or begins at another time."""
    time, *cells = line.split(",")
    values = [float(cell) if cell else None for cell in cells]
    known = [value for value in values if value is not None]
    number, late_s = divmod(int(time), QUARTER_S)
    if late_s or len(values) not in CELLS or not all(abs(value) < NUMBER_MAX for value in known):
        raise ValueError("a wrong number of cells, or a number out of range")
    return Quarter(number, *values)


def _line(row: Quarter) -> str:
    cells = ["" if cell is None else f"{cell:.0f}" for cell in row[1:]]
    return ",".join([str(row.number * QUARTER_S), *cells])


class Quarters:
    """Computes the quarters from the row of each second, and writes both files after each one."""

    def __init__(self, run_directory: str, state_directory: str, say: Say):
        self._paths = [
            os.path.join(directory, FILE) for directory in (state_directory, run_directory)
        ]
        self._say, self._reported = say, ""
        self._rows = self._kept()
        self._soc_permille: float | None = None
        self._begin(0)
        if self._rows:
            self._publish()

    def _kept(self) -> dict[int, Quarter]:
        """The quarters of an earlier run. A damaged file is reported, and later replaced."""
        try:
            rows, line = _measured(self._paths[0])
            if line:
                self._say(line)
            return rows
        except FileNotFoundError:
            return {}
        except (OSError, QuartersError) as error:
            self._say(f"{error}; quarters of an hour begin anew")
            return {}

    def feed(self, second: Sequence, utc: SupportsInt, *last_fields: int | None) -> None:
        """Take a second. second: as in seconds.COLUMNS. utc: its time, us since 1970.

        last_fields: values of the last five fields of Quarter.
        """
        if not is_set(utc):
            return
        number = int(utc) // (QUARTER_S * 1_000_000)
        if number != self._number:
            self._end()
            self._begin(number)
        grid_W, load_W, battery_W = second[:3]
        soc_permille = second[6]
        both = None not in (grid_W, battery_W)
        pv_W = load_W - battery_W - grid_W if both and load_W is not None else None
        if load_W is None and both:
            load_W = grid_W + battery_W
        for index, value in enumerate((load_W, pv_W, grid_W, battery_W, *last_fields)):
            if value is not None:
                self._sums[index] += value
                self._counts[index] += 1
        if soc_permille is not None:
            self._soc_permille = soc_permille

    def _begin(self, number: int) -> None:
        self._number, self._sums, self._counts = number, [0.0] * 9, [0] * 9
        self._soc_permille = None

    def _end(self) -> None:
        """Keep the finished quarter. If there are too many, remove the one measured first."""
        means = [
            total / count if count >= KNOWN_MIN else None
            for total, count in zip(self._sums, self._counts)
        ]
        if all(mean is None for mean in means[:4]):
            return
        load_W, pv_W = means[:2]
        if load_W is not None:
            load_W = max(0.0, load_W - min(0.0, pv_W or 0.0))
        pv_W = None if pv_W is None else max(0.0, pv_W)
        fields = self._number, load_W, pv_W, *means[2:4], self._soc_permille, *means[4:]
        self._rows.pop(self._number, None)
        self._rows[self._number] = Quarter._make(fields)
        while len(self._rows) > KEPT:
            del self._rows[next(iter(self._rows))]
        self._publish()

    def _publish(self) -> None:
        """Write both files. A failure is reported once, and the record goes on."""
        now = self._number or next(reversed(self._rows))
        past = sorted(row for number, row in self._rows.items() if number <= now)
        line = ""
        for path, rows in zip(self._paths, (self._rows.values(), past)):
            text = "\n".join([HEADER, *map(_line, rows), ""]).encode("ascii")
            try:
                durable.put(path, ".new", [text], 0o640)
            except OSError as error:
                line = f"{path}: {error.strerror}: the planner gets no new quarters of an hour"
        if line and line != self._reported:
            self._say(line)
        self._reported = line
