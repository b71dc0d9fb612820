"""Books of the planner: each finished quarter of an hour, a line each, in its state directory.

They hold what was measured beside what was planned, for 42 days: the present month, and what the
share of the optimum needs. A line that a power cut has damaged is left out.
"""

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime, tzinfo

from controller.planner.accounts import Quarter
from controller.store import durable
from controller.system import regular_file
from controller.system.local_days import SLOT_S, SLOTS_PER_DAY, number_of

FILE = "books.csv"
KEPT, SPARE = 42 * SLOTS_PER_DAY, SLOTS_PER_DAY  # SPARE: lines more, before the file is made anew
BYTES_MAX, NUMBER_MAX = 2 << 20, 1e12


class Books:
    """`rows`: in order of time, up to the present quarter."""

    def __init__(self, state_directory: str, zone: tzinfo) -> None:
        self._path, self._zone = os.path.join(state_directory, FILE), zone
        # in the order of the file, in which they were measured
        *lines, rest = self._lines()
        self._found = dict(filter(None, map(self._of_line, lines)))
        self._early = set[int]()  # have been later than now
        self.rows, self._is_whole = list[Quarter](), not rest  # else it was cut in a line

    def look(self, now: int) -> None:
        """Call with the number of each new quarter, before the rest. A quarter that is later is of
        a clock that was ahead, or the clock is behind now: it stays aside.
        """
        self._early |= {at for at in self._found if at >= now}
        self.rows = [self._found[at] for at in sorted(self._found) if at < now]

    def lacks(self, at: int, powers_W: tuple[float | None, ...]) -> bool:
        """The books have not this quarter, or have another one of a clock that was ahead in its
        place. powers_W: as measured, the first ones of a Quarter.
        """
        before = self._found.get(at)
        is_other = before is not None and before[1 : 1 + len(powers_W)] != powers_W
        return before is None or (is_other and at in self._early)

    @property
    def newest(self) -> int:
        """Number of the newest quarter of `rows` since 1970, UTC; -1 without any."""
        return number_of(self.rows[-1].at) if self.rows else -1

    def add(self, rows: Sequence[Quarter], now: int) -> None:
        """Take measured quarters that it lacks. Without room those that were measured first give
        way. Raises OSError: they count in this process, and the next call makes the file anew with
        them.
        """
        for each in rows:
            at = number_of(each.at)
            self._found.pop(at, None)
            self._found[at] = each
            self._early.discard(at)
        is_whole, self._is_whole = self._is_whole, False
        is_full = len(self._found) > KEPT + SPARE
        if is_full:
            self._found = dict(list(self._found.items())[-KEPT:])
        self.look(now)
        if is_full or not is_whole:
            durable.put(self._path, ".new", map(_line, self._found.values()), 0o600)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with durable.opened(self._path, flags) as descriptor:
                durable.write(descriptor, b"".join(map(_line, rows)))
                os.fsync(descriptor)
        self._is_whole = True

    def _lines(self) -> list[bytes]:
        with (
            contextlib.suppress(FileNotFoundError),
            open(self._path, "rb", opener=regular_file.opener) as file,
        ):
            return file.read(BYTES_MAX).split(b"\n")
        return [b""]

    def _of_line(self, line: bytes) -> tuple[int, Quarter] | None:
        try:
            time, *cells = line.decode("ascii").split(",")
            values = [float(cell) if cell else None for cell in cells]
            number, late_s = divmod(int(time), SLOT_S)
            at = datetime.fromtimestamp(number * SLOT_S, self._zone)
        except (ValueError, OverflowError, OSError):
            return None
        is_good = not late_s and all([each is None or abs(each) < NUMBER_MAX for each in values])
        # a line of an earlier version has one cell less
        if len(values) not in (len(Quarter._fields) - 2, len(Quarter._fields) - 1) or not is_good:
            return None
        return number, Quarter(at, *values)


def _line(row: Quarter) -> bytes:
    cells = ",".join(["" if each is None else f"{each:.7g}" for each in row[1:]])
    return f"{int(row.at.timestamp())},{cells}\n".encode("ascii")
