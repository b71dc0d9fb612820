"""Opens a recording of power for the audit. It is a CSV file, a capture or journal of the
controller, or the folder in which the recorder keeps the newest ticks.
"""

import math
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo

import numpy as np

from controller.audit import samples
from controller.audit.samples import AuditError, Piece, Source, Values
from controller.audit.table import CsvSource
from controller.journal.ring import MAGIC, JournalError
from controller.journal.snapshot import Snapshot
from controller.recorder import fast_csv, fast_ring
from controller.recorder.seconds import Seconds
from controller.recorder.ticks import COLUMNS, NONE, Ticks, meters_of
from controller.system.paths import plain
from safety import parameters as p

GRID_METER, LOAD_METER = "meter_grid", "meter_load"
ELAPSED = COLUMNS[0]
FRAMES = 1 << 14
US = 1e6
PAUSE_S_MIN = 1.0


def opened(path: str, column: str | None, meter_s: float, zone: tzinfo) -> Source:
    """The source at a path. column, meter_s, zone: only for a CSV file. Raises AuditError,
    SeriesError.
    """
    fast_folder = os.path.join(path, fast_ring.FOLDER)
    folder = fast_folder if os.path.isdir(fast_folder) else path
    if os.path.isdir(folder):
        return RingSource(folder)
    if _is_journal(path):
        return JournalSource(path)
    return CsvSource(path, column, meter_s, zone)


def _is_journal(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise AuditError(plain(error, path)) from None


class RingSource:
    """The newest ticks that a recorder keeps. Time 0 is the first tick. Time is counted in ticks,
    because a change of the clock must not look like a change of the load. begin_utc_s is computed
    from the newest block.
    """

    def __init__(self, folder: str) -> None:
        """Raises AuditError if the ring has no block."""
        self.path = folder
        self.begin_utc_s: float | None = None
        names = fast_ring.files(folder)
        paths = [os.path.join(folder, name) for name in names]
        first = next((block for path in paths for block in fast_ring.blocks_of(path)), None)
        if first is None:
            raise AuditError(f"{folder}: allowed is a folder with the ticks of a recorder")
        self.meter_s = first.header["meter_ms"] / 1000

    def pieces(self) -> Iterator[Piece]:
        """See Source."""
        end_s, end_utc_s = 0.0, math.inf
        try:
            for placed in fast_ring.placed(self.path):
                header, begin_utc_s = placed.block.header, placed.begin_us / US
                columns = {name: _unpacked(column) for name, column in placed.columns.items()}
                step_s = header["tick_ms"] / 1000
                if placed.follows:
                    end_s += float(columns[ELAPSED][0]) * step_s
                elif end_utc_s < math.inf:  # after a pause, or after the clock was set back
                    end_s += max(PAUSE_S_MIN, begin_utc_s - end_utc_s)
                columns[ELAPSED][0] = 0
                piece = _piece(columns, step_s, header["meters"])
                self.begin_utc_s = begin_utc_s - end_s
                yield Piece(piece.times_s + end_s, piece.values, not placed.follows)
                end_s += float(piece.times_s[-1])
                end_utc_s = begin_utc_s + float(piece.times_s[-1])
        except (ValueError, KeyError, OSError) as error:
            raise AuditError(f"{self.path}: {error}") from None


def _unpacked(column: bytes) -> np.ndarray:
    """The values of a column. The result equals that of fast_ring.unpacked, but numpy is faster."""
    return np.frombuffer(column, "<u4").cumsum(dtype="<u4").view("<i4").copy()


def _piece(
    columns: Mapping[str, Sequence[int] | np.ndarray], step_s: float, meters: Sequence[str]
) -> Piece:
    """Makes samples from columns of Ticks. Their names are those of an exported CSV file. If the
    load or the grid has no meter, its power is computed from the other power and the battery.
    """
    values: Values = {}
    for name, (label, divisor) in fast_csv.COLUMNS.items():
        column = np.array(columns[name], float)
        column[column == NONE] = np.nan
        values[label] = column * (1 / divisor)
    battery_W = values.pop(samples.BATTERY)
    if LOAD_METER not in meters:
        values[samples.LOAD] = values[samples.GRID] + battery_W
    if GRID_METER not in meters:
        values[samples.GRID] = values[samples.LOAD] - battery_W
    return Piece(np.cumsum(np.array(columns[ELAPSED], float)) * step_s, values)


class JournalSource:
    """A capture or a whole journal. Its ticks have no UTC."""

    def __init__(self, path: str) -> None:
        """Raises AuditError if the file is no journal of this version."""
        self.path = path
        self.begin_utc_s: float | None = None
        snapshot = self._opened()
        header = snapshot.reader.header
        meter_ms, self._meters = meters_of(header)
        self.meter_s, self._step_s = meter_ms / 1000, header["safety_image"][p.H_TICK_MS] / 1000
        snapshot.close()

    def _opened(self) -> Snapshot:
        try:
            return Snapshot(self.path)
        except JournalError as error:
            raise AuditError(str(error)) from None

    def pieces(self) -> Iterator[Piece]:
        """See Source."""
        begin_s, width = 0.0, len(COLUMNS)
        for rows in self._rows():
            columns = {name: rows[index::width] for index, name in enumerate(COLUMNS)}
            piece = _piece(columns, self._step_s, self._meters)
            yield Piece(piece.times_s + begin_s, piece.values)
            begin_s += float(piece.times_s[-1])

    def _rows(self) -> Iterator[array]:
        """One row of values for each tick, many rows at a time."""
        snapshot = self._opened()
        seconds, rows = Seconds(snapshot), array("i")
        ticks = Ticks(seconds)
        for frame in snapshot.follow():
            seconds.feed(frame)
            rows.extend(ticks.row(frame))
            if len(rows) >= FRAMES * len(COLUMNS):
                yield rows
                rows = array("i")
        if rows:
            yield rows
        snapshot.close()
