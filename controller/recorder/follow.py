"""Follows the journals of a controller from run to run.

It takes each frame once and counts lost frames. At a start the controller renames the last file to
`journal.previous`. A position is the place up to which a file was read: its inode, the last
sequence, and a keyframe with its CRC. The CRC is needed because a new file may get an old inode.
"""

import contextlib
import os
from collections.abc import Iterator
from zlib import crc32

from controller.journal.frame import KEYFRAME, Frame
from controller.journal.ring import JournalError
from controller.journal.snapshot import Snapshot, other_version
from safety import parameters as p

NAMES = ("journal.previous", "journal")  # oldest first


class Run:
    """One journal file that is read.

    seen: the image after each frame that `frames` yields. position: where another process can
    continue to read. changed_utc_us: when the file got this name.
    """

    def __init__(self, path: str):
        """Open a journal. JournalError: the file is no journal, or of another version."""
        try:
            status = os.stat(path)
            self.inode, self.changed_utc_us = status.st_ino, status.st_ctime_ns // 1000
            self.seen = Snapshot(path)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise other_version(path, error) from None
        self.reader = self.seen.reader
        self.tick_ms = self.reader.header["safety_image"][p.H_TICK_MS]
        self.tick = 0  # elapsed ticks in all frames taken
        self._keyframe: tuple[int, int] | tuple[None, None] = (None, None)
        self._lost = 0

    @property
    def position(self) -> dict:
        """The place of the next frame, as Follower.first takes it."""
        return {
            "inode": self.inode,
            "sequence": self.seen.sequence,
            "keyframe": self._keyframe[0],
            "crc": self._keyframe[1],
        }

    def is_at(self, position: dict | None) -> bool:
        """True if the position is in this file, or was before the ring overwrote it."""
        newest = self.reader.newest()
        if not position or position["inode"] != self.inode:
            return False
        if newest is None or position["sequence"] is None or newest < position["sequence"]:
            return False
        frame = self.reader.begin_at(position["keyframe"])
        self.reader.rewind()
        expected = (position["keyframe"], position["crc"])
        return frame is None or (frame.sequence, crc32(frame.raw)) == expected

    def frames(self) -> Iterator[Frame]:
        """Yield each new frame after applying it to `seen`."""
        for frame in self.seen.follow():
            self.tick += frame.elapsed_ticks
            if frame.kind == KEYFRAME:
                self._keyframe = (frame.sequence, crc32(frame.raw))
            yield frame

    def take_lost(self) -> int:
        """Number of frames lost since the last call."""
        lost = self.reader.lost + self.seen.skipped - self._lost
        self._lost += lost
        return lost

    def unread(self, earlier: int | None) -> int:
        """Number of frames of an ended run that no recorder has taken.

        earlier: the last frame that an earlier recorder took.
        """
        sequences = [sequence for sequence in (self.seen.sequence, earlier) if sequence is not None]
        return max(0, (self.reader.newest() or 0) - max(sequences, default=-1))

    def close(self) -> None:
        """Unmap the file."""
        self.seen.close()


class Follower:
    """Finds the runs in a run directory, oldest first."""

    def __init__(self, run_directory: str):
        self._paths = [os.path.join(run_directory, name) for name in NAMES]

    def first(self, position: dict | None) -> tuple[Run | None, bool]:
        """(first run to read or None, True if reading continues at the position)."""
        runs = [run for run in map(_opened, self._paths) if run is not None]
        continued = [run for run in runs if run.is_at(position)]
        chosen = next(iter(continued or runs), None)
        for run in runs:
            if run is not chosen:
                run.close()
        return chosen, bool(continued)

    def after(self, run: Run) -> Run | None:
        """The run after a finished one; None while the finished one is the newest."""
        older, newest = map(_inode, self._paths)
        if newest in (None, run.inode):
            return None
        # after two starts, the run in between is still there as the previous one
        between = None if older in (None, run.inode) else _opened(self._paths[0])
        return between or _opened(self._paths[1])

    def is_newest(self, run: Run) -> bool:
        """True if this is the newest journal, which a running controller writes."""
        return _inode(self._paths[-1]) == run.inode


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _opened(path: str) -> Run | None:
    with contextlib.suppress(JournalError):
        run = Run(path)
        if run.reader.newest() is not None:
            return run
        run.close()
    return None
