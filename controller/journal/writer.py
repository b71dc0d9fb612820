"""Writes a journal. Each run of the controller has a new file with a ring in mapped memory."""

import contextlib
import mmap
import os
from array import array
from typing import Any

from controller.journal import header_form
from controller.journal.frame import Counts, FrameEncoder
from controller.journal.ring import (
    KEYFRAMES,
    NEWEST,
    NOTHING_YET,
    PREAMBLE,
    JournalError,
    JournalReader,
    file_start,
)
from controller.system import regular_file


class JournalWriter:
    """Appends frames to a new file.

    The file of the last run becomes `PATH.previous`. Its ring is cut if the disk lacks room.
    """

    def __init__(self, path: str, header: dict[str, Any], counts: Counts, capacity_bytes: int):
        """header: see header_form.packed. After OSError or JournalError no file has changed."""
        self._encoder = FrameEncoder(counts)
        if capacity_bytes < 4 * self._encoder.frame_bytes_max:
            raise JournalError(
                f"{path}: a ring of {capacity_bytes} bytes is too small, this topology needs "
                f">= {4 * self._encoder.frame_bytes_max}"
            )
        packed = header_form.packed(header)
        start = file_start(counts, packed, capacity_bytes)
        self._newest_at = PREAMBLE.size + len(packed)
        self._keyframes_at = self._newest_at + NEWEST.size
        self._keyframes = (0, 0)
        self._ring_at = self._keyframes_at + KEYFRAMES.size
        self._end = self._ring_at + capacity_bytes
        self._position = self._ring_at
        self._map = _new_map(path, self._end)
        self._map[: self._newest_at] = start
        NEWEST.pack_into(self._map, self._newest_at, NOTHING_YET)
        if os.path.exists(path):
            os.replace(path, f"{path}.previous")
        os.replace(f"{path}.new", path)

    def append(
        self,
        sequence: int,
        elapsed_ticks: int,
        inp: "array[int]",
        fresh: bytes | bytearray,
        out: "array[int]",
        state: "array[int] | None" = None,
    ) -> None:
        """Write one tick. `sequence` rises by 1 per frame. A frame with `state` is a keyframe."""
        frame = self._encoder.encode(sequence, elapsed_ticks, inp, fresh, out, state)
        position = self._position
        end = position + len(frame)
        if end > self._end:
            # Clear the rest, because a reader would find valid frames of an earlier lap there.
            self._map[position : self._end] = bytes(self._end - position)
            position = self._ring_at
            end = position + len(frame)
        self._map[position:end] = frame
        if state is not None:
            self._keyframes = (position, self._keyframes[0])
            KEYFRAMES.pack_into(self._map, self._keyframes_at, *self._keyframes)
        NEWEST.pack_into(self._map, self._newest_at, sequence)
        self._position = end

    def close(self) -> None:
        """Unmap the file; the file stays for its readers."""
        self._map.close()


def _new_map(path: str, size_bytes: int) -> mmap.mmap:
    """The map of a new file PATH.new. Its room is allocated here, so that a full /run is an error
    at the start, not a SIGBUS in the loop.
    """
    new_path = f"{path}.new"
    # The file is truncated, not unlinked. A killed start may have left it, and a reader may hold it
    # open.
    descriptor = regular_file.opened(new_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        _take_room(descriptor, size_bytes, f"{path}.previous")
        return mmap.mmap(descriptor, size_bytes)
    except OSError as error:
        os.unlink(new_path)
        raise JournalError(f"{path}: no room for {size_bytes >> 20} MB: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _take_room(descriptor: int, size_bytes: int, superseded: str) -> None:
    """Allocate a file. If there is no room, first cut the superseded journal. Raises OSError."""
    with contextlib.suppress(OSError):
        os.posix_fallocate(descriptor, 0, size_bytes)
        return
    _cut(superseded)
    os.posix_fallocate(descriptor, 0, size_bytes)


def _cut(path: str) -> None:
    """Free the ring of a journal that a reader may hold open.

    The file is cut, because a reader that touches a hole on a tmpfs takes its room again.
    """
    kept_bytes = 0
    with contextlib.suppress(JournalError), contextlib.closing(JournalReader(path)) as reader:
        kept_bytes = reader.ring_at
    with contextlib.suppress(OSError):
        descriptor = regular_file.opened(path, os.O_WRONLY)
        os.ftruncate(descriptor, kept_bytes)
        os.close(descriptor)
