"""Books of the planner: each finished quarter of an hour, a line each, in its state directory.

They hold what was measured beside what was planned, for 42 days: the present month, and what the
share of the optimum needs. A line that a power cut has damaged is left out.
"""

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime, tzinfo

from controller.planner.accounts import Quarter
from controller.planner.planning import SLOT_S, SLOTS_PER_DAY
from controller.store import durable
from controller.system import regular_file

FILE = "books.csv"
KEPT, SPARE = 42 * SLOTS_PER_DAY, SLOTS_PER_DAY  # SPARE: lines more, before the file is made anew
BYTES_MAX, NUMBER_MAX = 2 << 20, 1e12


class Books:
    """`rows`: in order of time."""

    def __init__(self, state_directory: str, zone: tzinfo) -> None:
        self._path, self._zone = os.path.join(state_directory, FILE), zone
        found = dict(filter(None, map(self._of_line, self._lines())))
        self.rows = [found[at] for at in sorted(found)][-KEPT:]
        self._is_whole = True

    @property
    def newest(self) -> int:
        """Number of the newest quarter since 1970, UTC; -1 without any."""
        return number_of(self.rows[-1]) if self.rows else -1

    def add(self, rows: Sequence[Quarter]) -> None:
        """Take quarters that follow the newest one. Raises OSError: they count in this process, and
        the next call makes the file anew with them.
        """
        self.rows += rows
        is_whole, self._is_whole = self._is_whole, False
        if len(self.rows) > KEPT + SPARE or not is_whole:
            self.rows = self.rows[-KEPT:]
            durable.put(self._path, ".new", map(_line, self.rows), 0o600)
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
        return []

    def _of_line(self, line: bytes) -> tuple[int, Quarter] | None:
        try:
            time, *cells = line.decode("ascii").split(",")
            values = [float(cell) if cell else None for cell in cells]
            at = datetime.fromtimestamp(int(time), self._zone)
        except (ValueError, OverflowError, OSError):
            return None
        is_good = all([each is None or abs(each) < NUMBER_MAX for each in values])
        # a line of an earlier version has one cell less
        if len(values) not in (len(Quarter._fields) - 2, len(Quarter._fields) - 1) or not is_good:
            return None
        return int(time) // SLOT_S, Quarter(at, *values)


def number_of(row: Quarter) -> int:
    """Number of a quarter since 1970, UTC."""
    return int(row.at.timestamp()) // SLOT_S


def _line(row: Quarter) -> bytes:
    cells = ",".join(["" if each is None else f"{each:.7g}" for each in row[1:]])
    return f"{int(row.at.timestamp())},{cells}\n".encode("ascii")
