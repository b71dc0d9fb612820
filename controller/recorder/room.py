"""Room on the disk: a reserve that is given up so that events can still be written."""

import contextlib
import os

from controller.store import durable

FILE = "record.reserve"
RESERVE_BYTES = 4 << 20
FREE_BYTES_MIN = 4 * RESERVE_BYTES  # free beside the reserve before seconds are written again


class Reserve:
    """`laid`: True while the reserve holds its room."""

    def __init__(self, directory: str):
        self._directory = directory
        self._path = os.path.join(directory, FILE)
        self.laid = False

    def lay(self) -> bool:
        """Take the room if there is enough. Returns `laid`."""
        if not self.laid and self._free_bytes() >= FREE_BYTES_MIN + RESERVE_BYTES:
            try:
                with durable.opened(self._path, os.O_RDWR | os.O_CREAT) as descriptor:
                    os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
                self.laid = True
            except OSError:
                self.give_up()
        return self.laid

    def give_up(self) -> None:
        """Give the room back for a write that must happen now."""
        self.laid = False
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def has_beside(self, wanted_bytes: int) -> bool:
        """True if this many bytes fit beside the reserve, whether or not the reserve is laid."""
        found = os.statvfs(self._directory)
        kept_bytes = 0 if self.laid else RESERVE_BYTES
        return found.f_bavail * found.f_frsize >= wanted_bytes + kept_bytes

    def _free_bytes(self) -> int:
        found = os.statvfs(self._directory)
        held_bytes = 0
        with contextlib.suppress(OSError):
            held_bytes = os.stat(self._path).st_blocks * 512  # the reserve of an earlier run
        return found.f_bavail * found.f_frsize + held_bytes
