"""Which captures there are: begun by a trip, prolonged by the next, ended in time or with the run,
let go by size.
"""

import errno

from controller.record.frame import KEYFRAME
from controller.recorder.capture import Before, event_number
from controller.recorder.database import DatabaseError
from safety import parameters as p

SYNC_US = 1_000_000
RETRY_US = 1_000_000


class Captures:
    """At most one grows. Everything that fails is tried again; what cannot be had is said once."""

    def __init__(self, folder, archive, limits, say):
        """folder: capture.Folder; archive: what keeps the table; limits: Limits."""
        self._folder, self._archive, self._limits, self._say = folder, archive, limits, say
        self._run = self._before = self._capture = None
        # of the growing one: file, sequence after which it is complete
        self._name = self._end = None
        self._noted = None  # (name, end) of a transaction that is being written
        self._synced_us = 0
        self._retry_us = None  # set while the growing one cannot be written
        self._gave_way = False  # an old one has gone for the growing one already
        self._complete = []  # (file, first, last) that the table does not know yet
        self._resumed = None  # first sequence of one that another process began

    # -- the run

    def open(self, run, goes_on):
        """A run is going to be read. Returns the sequence to begin at for a capture that goes on,
        or None.
        """
        self._run = run
        self._before_ticks, self._after_ticks = (
            p.ticks(seconds * 1000, run.tick_ms)
            for seconds in (self._limits.capture_before_s, self._limits.capture_after_s)
        )
        self._before = Before(self._before_ticks)
        pending = self._archive.meta("capture") if goes_on else None
        first = pending and run.reader.begin_at(pending["first"])
        run.reader.rewind()
        if not pending or first is None or first.sequence > pending["first"]:
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

    def take(self, frame, tick):
        """Every frame, in order."""
        self._before.add(frame, frame.kind == KEYFRAME, tick)
        if self._capture is None or self._resumed is not None and frame.sequence < self._resumed:
            return
        if frame.sequence <= self._end and not self._capture.add(frame.sequence, frame.raw):
            self._end = frame.sequence - 1  # as large as a capture may become

    # -- trips

    def note(self, trips, meta):
        """What belongs into the transaction of these trips (sequences); meta gets what a later
        recorder needs.

        Returns what Database.write takes as `also`.
        """
        self._noted = None
        if not trips:
            return None

        def also(connection, stored):
            numbers = [values[0] for values, _ in stored if values[6] == "trip"]
            name = self._name or f"trip_{numbers[0]}.journal"
            first = self._resumed or (self._capture and self._capture.first) or self._before.first
            end = max(max(trips) + self._after_ticks, self._end or 0)
            self._noted = name, end
            connection.executemany(
                "INSERT INTO captures(event_id, first_sequence, last_sequence, "
                "file) "
                "VALUES (?, ?, ?, ?)",
                [(number, first, end, name) for number in numbers],
            )
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('capture', "
                "json_object('file', ?, 'first', ?, "
                "'end', ?))",
                (name, first, end),
            )

        return also

    def begin(self, trips):
        """The transaction is durable: the capture begins, or goes on for longer."""
        if not trips or self._noted is None:
            return
        self._name, self._end = self._noted
        if self._capture is None:
            self._capture = self._folder.new(self._name, self._run.reader)
            for sequence, raw in self._before.frames():
                self._capture.add(sequence, raw)

    def work(self, now_us):
        """Write a bounded piece; finish what is complete; keep the table and the folder in step."""
        if self._retry_us is not None and now_us < self._retry_us:
            return
        try:
            if self._capture is not None:
                self._grow(now_us)
            while self._complete:
                self._update(*self._complete[0])
                self._complete.pop(0)
            self._retry_us = None
        except OSError as error:
            self._fail(error, now_us)
        except DatabaseError:
            self._retry_us = now_us + RETRY_US  # whoever writes events says so

    def _grow(self, now_us):
        if not self._archive.has_room(self._capture.waiting_bytes):
            raise OSError(errno.ENOSPC, "no room")
        written = self._capture.pump()
        if now_us - self._synced_us >= SYNC_US:
            self._synced_us = now_us
            self._capture.sync()
        if written and (self._run.seen.sequence or 0) >= self._end:
            self._finish()

    def end_of_run(self, now_us):
        """The journal the frames came from has ended, and the capture with it."""
        if self._capture is not None:
            try:
                self._finish()
            except OSError as error:
                self._fail(error, now_us)
                self._drop()

    def _finish(self):
        self._capture.finish()
        self._complete.append((self._name, self._capture.first, self._capture.last))
        self._drop()

    def _drop(self):
        self._capture = self._name = self._end = self._resumed = None
        self._gave_way = False

    def _fail(self, error, now_us):
        """No room: the oldest capture gives way to this one. Tried again after a while in any
        case.
        """
        if self._retry_us is None:
            self._say(f"capture {self._name}: {error.strerror}; it is tried again")
        self._retry_us = now_us + RETRY_US
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and not self._gave_way:
            self._gave_way = True  # once: who else fills the disk must not cost all of them
            for gone in self._folder.drop_oldest():
                self._complete.append((gone, None, None))

    def _update(self, name, first, last):
        """Tell the table of a capture that is complete, or gone (first: None); then keep the folder
        within its size.
        """

        def also(connection, _):
            if first is None:
                connection.execute("UPDATE captures SET file = NULL WHERE file = ?", (name,))
            elif not connection.execute(
                "UPDATE captures SET first_sequence = ?, last_sequence = ? WHERE file = ?",
                (first, last, name),
            ).rowcount:
                connection.execute(
                    "INSERT INTO captures(event_id, first_sequence, last_sequence, "
                    "file) "
                    "VALUES (?, ?, ?, ?)",
                    (event_number(name), first, last, name),
                )

        self._archive.write(
            (),
            meta={} if self._capture is not None or first is None else {"capture": None},
            also=also,
        )
        self._complete += [
            (gone, None, None) for gone in self._folder.trim(self._limits.captures_MB << 20)
        ]

    def close(self):
        """End; a growing capture is durable as far as it is written."""
        if self._capture is not None:
            try:
                while not self._capture.pump():
                    pass
                self._capture.sync()
                self._capture.abandon()
            except OSError as error:
                self._fail(error, 0)
