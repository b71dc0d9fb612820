"""Which captures there are: begun by a trip, prolonged by the next, ended in time or with the run,
removed by size.
"""

import contextlib
import errno

from controller.journal.frame import KEYFRAME
from controller.recorder.capture import Before, event_number
from controller.recorder.database import DatabaseError
from safety import parameters as p

SYNC_US = RETRY_US = 1_000_000
INSERT = "INSERT INTO captures(event_id, first_sequence, last_sequence, file) VALUES (?, ?, ?, ?)"
UPDATE = "UPDATE captures SET first_sequence = ?, last_sequence = ? WHERE file = ?"


class Captures:
    """The captures; at most one grows. A failure is tried again, and named once."""

    def __init__(self, folder, archive, limits, say):
        """folder: capture.Folder; archive: what keeps the table; limits: Limits."""
        self._folder, self._archive, self._limits, self._say = folder, archive, limits, say
        self._run = self._before = None
        self._noted = None  # (name, end) of a transaction that is being written
        self._synced_us = 0
        self._retry_us = None  # set while the growing one cannot be written
        self._complete = []  # (file, first, last) that the table does not know yet
        self._drop()

    def _drop(self):
        """No capture grows."""
        # of the growing one: file, sequence after which it is complete
        self._capture = self._name = self._end = None
        self._resumed = None  # first sequence of one that another process began
        self._gave_way = False  # an old one was removed for the growing one already

    # -- the run

    def open(self, run, goes_on: bool) -> int | None:
        """A run is going to be read. Returns the sequence to begin at for a capture that goes on,
        or None.
        """
        self._run = run
        before_ticks, self._after_ticks = (
            p.ticks(seconds * 1000, run.tick_ms)
            for seconds in (self._limits.capture_before_s, self._limits.capture_after_s)
        )
        self._before = Before(before_ticks)
        pending = self._archive.meta("capture") if goes_on else None
        first = pending and run.reader.begin_at(pending["first"])
        run.reader.rewind()
        if not first or first.sequence > pending["first"]:
            pending = None
        for name in self._folder.unfinished():
            if not pending or name != pending["file"]:
                self._adopt(name)
        if not pending:
            return None
        self._name, self._end, self._resumed = pending["file"], pending["end"], pending["first"]
        self._capture = self._folder.new(self._name, run.reader)
        return pending["first"]

    def _adopt(self, name):
        """Another process's capture that cannot go on: finished as it is."""
        try:
            found = self._folder.adopt(name)
            if found:
                self._complete.append((name, *found))
        except OSError as error:
            self._say(f"capture {name} could not be finished: {error.strerror}")

    def take(self, frame, tick: int) -> None:
        """Every frame, in order."""
        self._before.add(frame, frame.kind == KEYFRAME, tick)
        if self._capture is None or self._resumed is not None and frame.sequence < self._resumed:
            return
        if frame.sequence <= self._end and not self._capture.add(frame.sequence, frame.raw):
            self._end = frame.sequence - 1  # as large as a capture may become

    # -- trips

    def note(self, trips: list):
        """The changes for the transaction of these trips (sequences), also for later recorders: the
        argument `also` of Database.write.
        """
        self._noted = None
        if not trips:
            return None

        def also(connection, stored):
            numbers = [values[0] for values, _ in stored if values[6] == "trip"]
            name = self._name or f"trip_{numbers[0]}.journal"
            known = (self._resumed, self._capture and self._capture.first, self._before.first)
            first = next((each for each in known if each is not None), None)  # 0 is one too
            end = max(max(trips) + self._after_ticks, self._end or 0)
            self._noted = name, end
            connection.executemany(INSERT, [(number, first, end, name) for number in numbers])
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES "
                "('capture', json_object('file', ?, 'first', ?, 'end', ?))",
                (name, first, end),
            )

        return also

    def begin(self, trips: list) -> None:
        """The transaction is durable: the capture begins, or goes on for longer."""
        if not trips or self._noted is None:
            return
        self._name, self._end = self._noted
        if self._capture is None:
            self._capture = self._folder.new(self._name, self._run.reader)
            for sequence, raw in self._before.frames():
                self._capture.add(sequence, raw)

    def work(self, now_us: int) -> None:
        """Write a bounded piece; finish what is complete; keep the table and the folder in step."""
        if self._retry_us is not None and now_us < self._retry_us:
            return
        with self._trying(now_us):
            if self._capture is not None:
                self._grow(now_us)
            while self._complete:
                self._update(*self._complete[0])
                self._complete.pop(0)
            self._retry_us = None

    @contextlib.contextmanager
    def _trying(self, now_us):
        """A failed write is tried again. The oldest capture is removed to make room."""
        try:
            yield
        except DatabaseError:
            self._retry_us = now_us + RETRY_US  # the writer of events says so
        except OSError as error:
            if self._retry_us is None:
                self._say(f"capture {self._name}: {error.strerror}; it is tried again")
            self._retry_us = now_us + RETRY_US
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and not self._gave_way:
                self._gave_way = True  # once: another program that fills the disk costs only one
                self._complete += [(gone, None, None) for gone in self._folder.drop_oldest()]

    def _grow(self, now_us):
        if not self._archive.has_room(self._capture.waiting_bytes):
            raise OSError(errno.ENOSPC, "no room")
        written = self._capture.pump()
        if now_us - self._synced_us >= SYNC_US:
            self._synced_us = now_us
            self._capture.sync()
        if written and (self._run.seen.sequence or 0) >= self._end:
            self._finish()

    def end_of_run(self, now_us: int) -> None:
        """The journal the frames came from has ended, and the capture with it."""
        if self._capture is not None:
            with self._trying(now_us):
                self._finish()
            self._drop()

    def _finish(self):
        self._capture.finish()
        self._complete.append((self._name, self._capture.first, self._capture.last))
        self._drop()

    def _update(self, name, first, last):
        """Tell the table of a capture that is complete, or gone (first: None); then keep the folder
        within its size.
        """

        def also(connection, _):
            if first is None:
                connection.execute("UPDATE captures SET file = NULL WHERE file = ?", (name,))
            elif not connection.execute(UPDATE, (first, last, name)).rowcount:
                connection.execute(INSERT, (event_number(name), first, last, name))

        meta = {"capture": None} if self._capture is None else {}
        self._archive.write((), meta=meta, also=also)
        gone = self._folder.trim(self._limits.captures_MB << 20)
        self._complete += [(each, None, None) for each in gone]

    def close(self) -> None:
        """End; a growing capture is durable as far as it is written."""
        if self._capture is not None:
            with self._trying(0):
                self._capture.flush()
                self._capture.close()
