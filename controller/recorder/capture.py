"""Writes captures: all frames around a trip, as a separate journal for `firebreak replay`.

A growing capture, NAME.part, is already a valid journal. Its ring has the largest size of a
capture, but most of it is a hole in the file. If the process is killed at any moment, the capture
is complete up to its newest frame.
"""

import contextlib
import os
import re
from collections import deque

from controller.journal.frame import Frame
from controller.journal.ring import (
    KEYFRAMES,
    NEWEST,
    NOTHING_YET,
    JournalError,
    JournalReader,
    file_start,
)
from controller.store import durable
from controller.system import regular_file

FOLDER, PART = "captures", ".part"
CLOSED = -1  # descriptor of a closed file
RING_BYTES = 64 << 20  # a capture is finished early before it grows beyond this
BEFORE_BYTES_MAX = 32 << 20
PUMP_BYTES = 256 << 10  # most bytes per write, because events must wait for the write
NAME = re.compile(r"trip_(\d+)\.journal")


def event_number(name: str) -> int:
    """Number of the trip after which a capture is named."""
    return int(name.removeprefix("trip_").removesuffix(".journal"))


class RecentFrames:
    """The frames of the last seconds, bounded by time and by bytes, beginning at a keyframe."""

    def __init__(self, before_ticks: int):
        self._before_ticks = before_ticks
        self.clear()

    def clear(self) -> None:
        """Forget all frames, because the next frame does not continue them."""
        # for each keyframe: (its tick, [(sequence, raw), ...] of the frames from it on)
        self._groups: deque[tuple[int, list[tuple[int, bytes]]]] = deque()
        self._bytes = 0

    def add(self, frame: Frame, is_keyframe: bool, tick: int) -> None:
        """Add one frame. Frames before the first keyframe cannot be decoded and are left out."""
        if is_keyframe:
            self._groups.append((tick, []))
        if not self._groups:
            return
        self._groups[-1][1].append((frame.sequence, frame.raw))
        self._bytes += len(frame.raw)
        while len(self._groups) > 1 and (
            self._groups[1][0] <= tick - self._before_ticks or self._bytes > BEFORE_BYTES_MAX
        ):
            self._bytes -= sum(len(raw) for _, raw in self._groups.popleft()[1])

    def frames(self) -> list[tuple[int, bytes]]:
        """[(sequence, raw)] of all kept frames, oldest first."""
        return [frame for group in self._groups for frame in group[1]]

    @property
    def first(self) -> int | None:
        """Sequence of the oldest kept frame, or None."""
        return self._groups[0][1][0][0] if self._groups else None


class Capture:
    """One growing file. first, last: numbers of the frames in it. All methods raise OSError."""

    def __init__(self, path: str, reader: JournalReader):
        """reader: reads the journal from which the frames come."""
        self.path = path
        self._counts, self._packed = reader.counts, reader.packed_header
        self._newest_at = len(self._start(RING_BYTES))
        self._at = self._ring_at = self._newest_at + NEWEST.size + KEYFRAMES.size
        self._waiting: deque[tuple[int, bytes]] = deque()
        self.waiting_bytes = 0
        self.first: int | None = None
        self.last: int | None = None
        self._synced: int | None = None
        self._descriptor = CLOSED

    def _start(self, ring_bytes: int) -> bytes:
        return file_start(self._counts, self._packed, ring_bytes)

    def _begin(self) -> None:
        """Create the file without any frame."""
        self._descriptor = regular_file.opened(
            self.path + PART, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644
        )
        try:
            self._put(self._start(RING_BYTES) + NEWEST.pack(NOTHING_YET) + KEYFRAMES.pack(0, 0), 0)
            os.ftruncate(self._descriptor, self._ring_at + RING_BYTES)
        except OSError:
            self.close()  # otherwise the next attempt would go on with a file without a head
            raise

    def add(self, sequence: int, raw: bytes) -> bool:
        """Queue a frame for `pump`. Returns False if the capture has no room for it."""
        if self._at + self.waiting_bytes + len(raw) > self._ring_at + RING_BYTES:
            return False
        self._waiting.append((sequence, raw))
        self.waiting_bytes += len(raw)
        return True

    def pump(self) -> bool:
        """Write some of the waiting frames. Returns True if no frame waits any more."""
        if self._descriptor == CLOSED:
            self._begin()
        piece: list[int] = []
        content = bytearray()
        while len(content) < PUMP_BYTES and len(piece) < len(self._waiting):
            sequence, raw = self._waiting[len(piece)]
            piece.append(sequence)
            content += raw
        if piece:
            self._put(bytes(content), self._at)
            for _ in piece:
                self._waiting.popleft()
            self.first = piece[0] if self.first is None else self.first
            self.last = piece[-1]
            self._at += len(content)
            self.waiting_bytes -= len(content)
        return not self._waiting

    def sync(self) -> None:
        """Make the written frames durable, then store the newest sequence in the file."""
        if self.last is not None and self._synced != self.last:
            os.fsync(self._descriptor)
            self._put(NEWEST.pack(self.last), self._newest_at)
            self._synced = self.last

    def finish(self) -> None:
        """Write the rest, cut the file after its last frame, and give it its final name."""
        self.flush()
        self._put(self._start(self._at - self._ring_at), 0)
        os.ftruncate(self._descriptor, self._at)
        os.fsync(self._descriptor)
        self.close()
        _rename(self.path + PART, self.path)

    def flush(self) -> None:
        """Write the remaining frames and sync."""
        while not self.pump():
            pass
        self.sync()

    def close(self) -> None:
        """Close the file as it is. It keeps the name of a growing capture."""
        os.close(self._descriptor)
        self._descriptor = CLOSED

    def _put(self, content: bytes, offset: int) -> None:
        while content:
            written = os.pwrite(self._descriptor, content, offset)
            content, offset = content[written:], offset + written


def _rename(old: str, new: str) -> None:
    os.replace(old, new)
    durable.sync_directory(os.path.dirname(new))


class Folder:
    """The captures of one cabinet, and the room that they may take."""

    def __init__(self, directory: str):
        """Make the folder. Raises OSError."""
        self.path = os.path.join(directory, FOLDER)
        os.makedirs(self.path, mode=0o750, exist_ok=True)

    def new(self, name: str, reader: JournalReader) -> Capture:
        """A new Capture with this name. Raises OSError."""
        return Capture(os.path.join(self.path, name), reader)

    def kept(self) -> list[tuple[int, str]]:
        """[(event number, file name)] of the finished captures, oldest first."""
        matches = filter(None, map(NAME.fullmatch, os.listdir(self.path)))
        return sorted((int(match[1]), match[0]) for match in matches)

    def adopt(self, name: str) -> tuple[int, int] | None:
        """Finish a capture that another process left growing.

        Returns its (first, last) sequence, or None if it has no frame.
        """
        path, span = os.path.join(self.path, name), None
        try:
            with contextlib.closing(JournalReader(path + PART)) as reader:
                copy = Capture(path + ".again", reader)
                for frame in reader.frames():
                    copy.add(frame.sequence, frame.raw)
                    copy.pump()
                copy.finish()
            if copy.first is not None and copy.last is not None:
                span = copy.first, copy.last
                _rename(path + ".again", path)
        except JournalError:
            pass  # killed before the file had a frame
        for left_over in (PART, ".again"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + left_over)
        return span

    def unfinished(self) -> list[str]:
        """Names of the captures that were left growing."""
        return sorted(
            name.removesuffix(PART) for name in os.listdir(self.path) if name.endswith(PART)
        )

    def drop_oldest(self) -> list[str]:
        """Remove the oldest finished capture, unless it is the only one. Returns removed names."""
        removed = [name for _, name in self.kept()][:-1][:1]
        for name in removed:
            os.unlink(os.path.join(self.path, name))
        return removed

    def trim(self, bytes_max: int) -> list[str]:
        """Remove the oldest captures until all fit, never the newest. Returns removed names."""
        removed: list[str] = []
        while self._used_bytes() > bytes_max and (oldest := self.drop_oldest()):
            removed += oldest
        return removed

    def _used_bytes(self) -> int:
        paths = [os.path.join(self.path, name) for _, name in self.kept()]
        return sum(os.stat(path).st_blocks * 512 for path in paths)
