"""Keeps a reserve file. On a full disk it is removed, so that events can still be written."""

import contextlib
import os

from controller.store import durable

FILE = "record.reserve"
RESERVE_BYTES = 4 << 20
FREE_BYTES_MIN = 4 * RESERVE_BYTES  # must be free as well before rows of seconds are written again


class Reserve:
    """The reserve file. laid: True while it occupies its room."""

    def __init__(self, directory: str):
        self._directory = directory
        self._path = os.path.join(directory, FILE)
        self.laid = False

    def lay(self) -> bool:
        """Create the file if there is enough room. Returns `laid`."""
        held_bytes = 0
        with contextlib.suppress(OSError):
            held_bytes = os.stat(self._path).st_blocks * 512  # the reserve of an earlier run
        free_bytes = self._free_bytes() + held_bytes
        if not self.laid and free_bytes >= FREE_BYTES_MIN + RESERVE_BYTES:
            try:
                with durable.opened(self._path, os.O_RDWR | os.O_CREAT) as descriptor:
                    os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
                self.laid = True
            except OSError:
                self.give_up()
        return self.laid

    def give_up(self) -> None:
        """Remove the file, for a write that must happen now."""
        self.laid = False
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def has_beside(self, wanted_bytes: int) -> bool:
        """True if this many bytes fit in addition to the reserve, even if it is not laid now."""
        kept_bytes = 0 if self.laid else RESERVE_BYTES
        return self._free_bytes() >= wanted_bytes + kept_bytes

    def _free_bytes(self) -> int:
        filesystem = os.statvfs(self._directory)
        return filesystem.f_bavail * filesystem.f_frsize
