"""Manages the captures (capture.py). A trip begins a capture, and a further trip prolongs it.

A capture ends some time after the last trip, or when the controller ends.
"""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator

from controller.journal.frame import KEYFRAME, Frame
from controller.recorder import events
from controller.recorder.archive import Archive
from controller.recorder.capture import Capture, Folder, RecentFrames, event_number
from controller.recorder.database import Also, DatabaseError, Stored
from controller.recorder.follow import Run
from controller.recorder.limits import Limits
from controller.store import chain
from controller.system.paths import Say
from safety import parameters as p

SYNC_US = RETRY_US = 1_000_000
INSERT = "INSERT INTO captures(event_id, first_sequence, last_sequence, file) VALUES (?, ?, ?, ?)"
KIND = chain.COLUMNS.index("kind")
UPDATE = "UPDATE captures SET first_sequence = ?, last_sequence = ? WHERE file = ?"


class Captures:
    """All captures, of which at most one grows. A failed write is repeated and reported once."""

    def __init__(self, folder: Folder, archive: Archive, limits: Limits, say: Say):
        """archive: keeps the table of captures. say: gives a line to the operator."""
        self._folder, self._archive, self._limits, self._say = folder, archive, limits, say
        self._run: Run | None = None
        self._before, self._after_ticks = RecentFrames(0), 0
        self._committing: tuple[str, int] | None = None  # (name, end) in the present transaction
        self._synced_us = 0
        self._retry_us: int | None = None  # set while the growing capture cannot be written
        # (file, first, last) that are not in the table yet
        self._unrecorded: list[tuple[str, int | None, int | None]] = []
        self._set_idle()

    def _set_idle(self) -> None:
        """Note that no capture grows."""
        self._capture: Capture | None = None
        self._name, self._end = "", 0  # of the growing capture: file name, last sequence
        self._resumed: int | None = None  # first sequence of a capture begun by another process
        self._gave_way = False  # an old capture was removed to make room for the growing one

    # -- the run

    def open(self, run: Run, goes_on: bool) -> int | None:
        """Begin a run. Returns the number of the first frame that a resumed capture needs."""
        self._run = run
        self._before = RecentFrames(p.ticks(self._limits.capture_before_s * 1000, run.tick_ms))
        self._after_ticks = p.ticks(self._limits.capture_after_s * 1000, run.tick_ms)
        pending = self._archive.meta("capture") if goes_on else None
        if pending:
            first = run.reader.begin_at(pending["first"])
            pending = pending if first and first.sequence <= pending["first"] else None
        run.reader.rewind()
        for name in self._folder.unfinished():
            if not pending or name != pending["file"]:
                self._adopt(name)
        if not pending:
            return None
        self._name, self._end, self._resumed = pending["file"], pending["end"], pending["first"]
        self._capture = self._folder.new(self._name, run.reader)
        return pending["first"]

    def _adopt(self, name: str) -> None:
        """Finish a capture of another process as it is, because it cannot be continued."""
        try:
            span = self._folder.adopt(name)
            if span:
                self._unrecorded.append((name, *span))
        except OSError as error:
            self._say(f"capture {name} could not be finished: {error.strerror}")

    def take(self, frame: Frame, tick: int) -> None:
        """Take each frame, in order."""
        self._before.add(frame, frame.kind == KEYFRAME, tick)
        if self._capture is None or self._resumed is not None and frame.sequence < self._resumed:
            return
        if frame.sequence <= self._end and not self._capture.add(frame.sequence, frame.raw):
            self._end = frame.sequence - 1  # the capture has reached its largest size

    # -- trips

    def note(self, trips: list[int]) -> Also | None:
        """The argument `also` for Database.write, which stores the capture of these trips."""
        self._committing = None
        if not trips:
            return None

        def also(connection: sqlite3.Connection, stored: Stored) -> None:
            numbers = [values[0] for values, _ in stored if values[KIND] == events.TRIP]
            name = self._name or f"trip_{numbers[0]}.journal"
            candidates = (self._resumed, self._capture and self._capture.first, self._before.first)
            first = next(
                (sequence for sequence in candidates if sequence is not None), None
            )  # may be 0
            end = max(max(trips) + self._after_ticks, self._end)
            self._committing = name, end
            connection.executemany(INSERT, [(number, first, end, name) for number in numbers])
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES "
                "('capture', json_object('file', ?, 'first', ?, 'end', ?))",
                (name, first, end),
            )

        return also

    def begin(self, trips: list[int]) -> None:
        """Begin the capture or prolong it, after the transaction has become durable."""
        if not trips or self._committing is None or self._run is None:
            return
        self._name, self._end = self._committing
        if self._capture is None:
            self._capture = self._folder.new(self._name, self._run.reader)
            for sequence, raw in self._before.frames():
                self._capture.add(sequence, raw)

    def work(self, now_us: int) -> None:
        """Write some frames, finish complete captures, and update table and folder."""
        if self._retry_us is not None and now_us < self._retry_us:
            return
        with self._trying(now_us):
            if self._capture is not None:
                self._grow(self._capture, now_us)
            while self._unrecorded:
                self._update(*self._unrecorded[0])
                self._unrecorded.pop(0)
            self._retry_us = None

    @contextlib.contextmanager
    def _trying(self, now_us: int) -> Iterator[None]:
        """Context: a failed write is tried again. On a full disk, the oldest capture is removed."""
        try:
            yield
        except DatabaseError:
            self._retry_us = now_us + RETRY_US  # the writer of events reports it
        except OSError as error:
            if self._retry_us is None:
                self._say(f"capture {self._name}: {error.strerror}; it is tried again")
            self._retry_us = now_us + RETRY_US
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and not self._gave_way:
                self._gave_way = True  # only once, because another program may fill the disk
                self._unrecorded += [(gone, None, None) for gone in self._folder.drop_oldest()]

    def _grow(self, capture: Capture, now_us: int) -> None:
        if not self._archive.has_room(capture.waiting_bytes):
            raise OSError(errno.ENOSPC, "no room")
        written = capture.pump()
        if now_us - self._synced_us >= SYNC_US:
            self._synced_us = now_us
            capture.sync()
        newest = self._run.seen.sequence if self._run else None
        if written and (newest or 0) >= self._end:
            self._finish(capture)

    def end_of_run(self, now_us: int) -> None:
        """End the capture, because the journal with its frames has ended."""
        if self._capture is not None:
            with self._trying(now_us):
                self._finish(self._capture)
            self._set_idle()

    def _finish(self, capture: Capture) -> None:
        capture.finish()
        self._unrecorded.append((self._name, capture.first, capture.last))
        self._set_idle()

    def _update(self, name: str, first: int | None, last: int | None) -> None:
        """Store in the table that a capture is complete, or gone (first: None). Then trim."""

        def also(connection: sqlite3.Connection, _: object) -> None:
            if first is None:
                connection.execute("UPDATE captures SET file = NULL WHERE file = ?", (name,))
            elif not connection.execute(UPDATE, (first, last, name)).rowcount:
                connection.execute(INSERT, (event_number(name), first, last, name))

        meta = {"capture": None} if self._capture is None else {}
        self._archive.write((), meta=meta, also=also)
        removed = self._folder.trim(self._limits.captures_MB << 20)
        self._unrecorded += [(name, None, None) for name in removed]

    def close(self) -> None:
        """End. The frames of a growing capture become durable."""
        if self._capture is not None:
            with self._trying(0):
                self._capture.flush()
                self._capture.close()
