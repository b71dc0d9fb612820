"""The writer of a journal: one new file in a run, its ring in mapped memory. The loop appends."""

import mmap
import os

from controller.journal.frame import FrameEncoder
from controller.journal.ring import (
    KEYFRAMES,
    NEWEST,
    NOTHING_YET,
    PREAMBLE,
    JournalError,
    file_start,
    pack_header,
)


class JournalWriter:
    """Appends frames to the ring of a new file; a journal already there is kept beside it as
    `PATH.previous`.
    """

    def __init__(
        self,
        path,
        header: dict,
        n_in: int,
        n_groups: int,
        n_out: int,
        n_state: int,
        capacity_bytes: int,
    ):
        """header: see pack_header; raises OSError when the file cannot be made or its space not be
        had.
        """
        self._encoder = FrameEncoder(n_in, n_groups, n_out, n_state)
        if capacity_bytes < 4 * self._encoder.frame_bytes_max:
            raise JournalError(
                f"{path}: a ring of {capacity_bytes} bytes is too small, this topology needs "
                f">= {4 * self._encoder.frame_bytes_max}"
            )
        packed = pack_header(header)
        start = file_start((n_in, n_groups, n_out, n_state), packed, capacity_bytes)
        self._newest_at = PREAMBLE.size + len(packed)
        self._keyframes_at = self._newest_at + NEWEST.size
        self._keyframes = (0, 0)
        self._ring_at = self._keyframes_at + KEYFRAMES.size
        self._end = self._ring_at + capacity_bytes
        self._at = self._ring_at
        self._map = _new_map(path, self._end)
        self._map[: self._newest_at] = start
        NEWEST.pack_into(self._map, self._newest_at, NOTHING_YET)

    def append(
        self, sequence: int, elapsed_ticks: int, inp, fresh: bytearray, out, state=None
    ) -> None:
        """Write one tick; sequence rises by 1 per frame; state (array('i')) makes it a keyframe."""
        frame = self._encoder.encode(sequence, elapsed_ticks, inp, fresh, out, state)
        at = self._at
        after = at + len(frame)
        if after > self._end:
            # else frames of the lap before last stay valid there
            self._map[at : self._end] = bytes(self._end - at)
            at = self._ring_at
            after = at + len(frame)
        self._map[at:after] = frame
        if state is not None:
            self._keyframes = (at, self._keyframes[0])
            KEYFRAMES.pack_into(self._map, self._keyframes_at, *self._keyframes)
        NEWEST.pack_into(self._map, self._newest_at, sequence)
        self._at = after

    def close(self) -> None:
        """Unmap the file; it stays for its readers."""
        self._map.close()


def _new_map(path, size_bytes):
    if os.path.exists(path):
        os.replace(path, f"{path}.previous")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        # a full /run is an error now and not a SIGBUS in the loop
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(f"{path}: no room for {size_bytes >> 20} MB: {error.strerror}") from None
    try:
        return mmap.mmap(descriptor, size_bytes)
    finally:
        os.close(descriptor)
