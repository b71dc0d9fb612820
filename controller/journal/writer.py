"""The writer of a journal: one new file in a run, its ring in mapped memory. The loop appends."""

import contextlib
import mmap
import os

from controller.journal import header_form
from controller.journal.frame import FrameEncoder
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
    """Appends frames to the ring of a new file. The journal of the run before is kept beside it as
    `PATH.previous`. If the new file finds no room, the superseded `PATH.previous` gives its room.
    """

    def __init__(
        self,
        path: str,
        header: dict,
        n_in: int,
        n_groups: int,
        n_out: int,
        n_state: int,
        capacity_bytes: int,
    ):
        """header: see header_form.packed. Raises OSError, JournalError when there is no room; then
        no file has another name or content.
        """
        self._encoder = FrameEncoder(n_in, n_groups, n_out, n_state)
        if capacity_bytes < 4 * self._encoder.frame_bytes_max:
            raise JournalError(
                f"{path}: a ring of {capacity_bytes} bytes is too small, this topology needs "
                f">= {4 * self._encoder.frame_bytes_max}"
            )
        packed = header_form.packed(header)
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
        if os.path.exists(path):
            os.replace(path, f"{path}.previous")
        os.replace(f"{path}.new", path)

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


def _new_map(path: str, size_bytes: int) -> mmap.mmap:
    """The map of a new file PATH.new. A full /run is an error now and no SIGBUS in the loop."""
    new = f"{path}.new"
    # truncated, not unlinked: a start that was killed left it, and a reader may hold it open
    descriptor = regular_file.opened(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        _take_room(descriptor, size_bytes, f"{path}.previous")
        return mmap.mmap(descriptor, size_bytes)
    except OSError as error:
        os.unlink(new)
        raise JournalError(f"{path}: no room for {size_bytes >> 20} MB: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _take_room(descriptor: int, size_bytes: int, superseded: str) -> None:
    """Allocate a file, if need be in place of a superseded journal. Raises OSError."""
    with contextlib.suppress(OSError):
        os.posix_fallocate(descriptor, 0, size_bytes)
        return
    _cut(superseded)
    os.posix_fallocate(descriptor, 0, size_bytes)


def _cut(path: str) -> None:
    """Free the ring of a journal, also where a reader holds the file open.

    A punched hole would not do: on a tmpfs a reader that touches its map of a hole takes the room
    again. A reader that touches its map beyond the end of a file gets SIGBUS instead.
    """
    kept_bytes = 0
    with contextlib.suppress(JournalError), contextlib.closing(JournalReader(path)) as found:
        kept_bytes = found.ring_at
    with contextlib.suppress(OSError):
        descriptor = regular_file.opened(path, os.O_WRONLY)
        os.ftruncate(descriptor, kept_bytes)
        os.close(descriptor)
