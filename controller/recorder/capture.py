"""Full-rate captures: the frames around a trip as a journal of their own, which `firebreak replay`
runs again.

While it grows the file is called NAME.part and is a journal already, with a ring as large as a
capture may become; what lies beyond the frames is a hole. Finished, it is cut to its frames and
gets its name. Killed at any instant, what is there is a journal up to its newest whole frame.
"""

import contextlib
import os
import re
from collections import deque

from controller.record import durable
from controller.record.journal import (
    KEYFRAMES,
    NEWEST,
    NOTHING_YET,
    JournalError,
    JournalReader,
    file_start,
)
from controller.system import regular_file

FOLDER, PART = "captures", ".part"
RING_BYTES = 64 << 20  # a capture is finished early rather than let grow beyond
BEFORE_BYTES_MAX = 32 << 20
PUMP_BYTES = 256 << 10  # written at once; an event must not wait for more than this
_NAME = re.compile(r"trip_(\d+)\.journal")


def event_number(name):
    """Number of the trip a capture is named after."""
    return int(_NAME.fullmatch(name)[1])


class Before:
    """The frames of the last seconds, from a keyframe on: bounded by time and by bytes."""

    def __init__(self, before_ticks):
        self._before_ticks = before_ticks
        self.clear()

    def clear(self):
        """Forget everything: what comes next does not follow."""
        self._groups = deque()  # each [tick of its keyframe, bytes, [(sequence, raw), ...]]
        self._bytes = 0

    def add(self, frame, is_keyframe, tick):
        """One frame; those before the first keyframe are of no use and left out."""
        if is_keyframe:
            self._groups.append([tick, 0, []])
        if not self._groups:
            return
        group = self._groups[-1]
        group[1] += len(frame.raw)
        group[2].append((frame.sequence, frame.raw))
        self._bytes += len(frame.raw)
        while len(self._groups) > 1 and (
            self._groups[1][0] <= tick - self._before_ticks or self._bytes > BEFORE_BYTES_MAX
        ):
            self._bytes -= self._groups.popleft()[1]

    def frames(self):
        """[(sequence, raw)] of what is held, oldest first."""
        return [frame for group in self._groups for frame in group[2]]

    @property
    def first(self):
        """Sequence of the oldest frame held, or None."""
        return self._groups[0][2][0][0] if self._groups else None


class Capture:
    """One growing file. `first`, `last`: sequences written so far; `waiting_bytes`: what is not.
    All raise OSError.
    """

    def __init__(self, path, reader, files=os):
        """reader: JournalReader the frames come from; files: the os module or a stand-in."""
        self.path, self._files = path, files
        self._counts, self._packed = reader.counts, reader.packed_header
        self._newest_at = len(file_start(self._counts, self._packed, RING_BYTES))
        self._at = self._ring_at = self._newest_at + NEWEST.size + KEYFRAMES.size
        self._waiting = deque()
        self.waiting_bytes = 0
        self.first = self.last = None
        self._synced = self._descriptor = None

    def _begin(self):
        """The file with no frame in it."""
        start = file_start(self._counts, self._packed, RING_BYTES)
        self._descriptor = regular_file.opened(
            self.path + PART, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644, self._files
        )
        self._put(start + NEWEST.pack(NOTHING_YET) + KEYFRAMES.pack(0, 0), 0)
        self._files.ftruncate(self._descriptor, self._ring_at + RING_BYTES)

    def add(self, sequence, raw):
        """Take a frame; it is written by `pump`. False when the capture has no room for it."""
        if self._at + self.waiting_bytes + len(raw) > self._ring_at + RING_BYTES:
            return False
        self._waiting.append((sequence, raw))
        self.waiting_bytes += len(raw)
        return True

    def pump(self, bytes_max=PUMP_BYTES):
        """Write what waits, so much at once. True when nothing waits any more; what could not be
        written waits on.
        """
        if self._descriptor is None:
            self._begin()
        count = piece_bytes = 0
        while count < len(self._waiting) and piece_bytes < bytes_max:
            piece_bytes += len(self._waiting[count][1])
            count += 1
        if count:
            self._put(b"".join(self._waiting[index][1] for index in range(count)), self._at)
            taken = [self._waiting.popleft()[0] for _ in range(count)]
            self.first = taken[0] if self.first is None else self.first
            self.last = taken[-1]
            self._at += piece_bytes
            self.waiting_bytes -= piece_bytes
        return not self._waiting

    def sync(self):
        """Make what was written durable, then say so in the file."""
        if self.last is not None and self._synced != self.last:
            self._files.fsync(self._descriptor)
            self._put(NEWEST.pack(self.last), self._newest_at)
            self._synced = self.last

    def finish(self):
        """Write the rest, cut the file to its frames, give it its name."""
        while not self.pump():
            pass
        self.sync()
        self._put(file_start(self._counts, self._packed, self._at - self._ring_at), 0)
        self._files.ftruncate(self._descriptor, self._at)
        self._files.fsync(self._descriptor)
        self._close()
        _rename(self.path + PART, self.path, self._files)

    def abandon(self):
        """Close the file as it is; it stays under its growing name."""
        self._close()

    def _close(self):
        if self._descriptor is not None:
            self._files.close(self._descriptor)
        self._descriptor = None

    def _put(self, content, at):
        while content:
            written = self._files.pwrite(self._descriptor, content, at)
            content, at = content[written:], at + written


def _rename(old, new, files):
    files.replace(old, new)
    durable.sync_directory(os.path.dirname(new), files)


class Folder:
    """The captures of one cabinet and the room they may take."""

    def __init__(self, directory, files=os):
        """Makes the folder; raises OSError."""
        self.path = os.path.join(directory, FOLDER)
        self._files = files
        os.makedirs(self.path, mode=0o750, exist_ok=True)

    def new(self, name, reader):
        """A Capture with this name. Raises OSError."""
        return Capture(os.path.join(self.path, name), reader, self._files)

    def kept(self):
        """[(event number, file name)] of the finished ones, oldest first."""
        found = [
            (int(match[1]), match[0])
            for match in map(_NAME.fullmatch, os.listdir(self.path))
            if match
        ]
        return sorted(found)

    def adopt(self, name):
        """Finish what another process has left growing. (first, last) sequence, or None when
        nothing is in it.
        """
        path = os.path.join(self.path, name)
        try:
            with contextlib.closing(JournalReader(path + PART)) as reader:
                again = Capture(path + ".again", reader, self._files)
                for frame in reader.frames():
                    again.add(frame.sequence, frame.raw)
                    again.pump()
                again.finish()
        except JournalError:
            again = None  # killed before there was anything in it
        if again is not None and again.last is not None:
            _rename(path + ".again", path, self._files)
        for left_over in (PART, ".again"):
            with contextlib.suppress(FileNotFoundError):
                self._files.unlink(path + left_over)
        return (again.first, again.last) if again is not None and again.last is not None else None

    def unfinished(self):
        """Names of the captures that were left growing."""
        return sorted(
            name.removesuffix(PART) for name in os.listdir(self.path) if name.endswith(PART)
        )

    def drop_oldest(self):
        """Let the oldest finished one go, unless it is the only one. Returns the names that
        went.
        """
        kept = [name for _, name in self.kept()][:-1][:1]
        for name in kept:
            self._files.unlink(os.path.join(self.path, name))
        return kept

    def trim(self, bytes_max):
        """Let the oldest go until all fit; the newest stays whatever its size. Returns the names
        that went.
        """
        kept = [name for _, name in self.kept()]
        sizes = {name: os.stat(os.path.join(self.path, name)).st_blocks * 512 for name in kept}
        gone = []
        while len(kept) > 1 and sum(sizes[name] for name in kept) > bytes_max:
            gone.append(kept.pop(0))
            os.unlink(os.path.join(self.path, gone[-1]))
        return gone
