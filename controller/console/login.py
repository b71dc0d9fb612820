"""Counts the failed logins at each terminal and delays the next try. Also keeps the lock by which
only one person at a time can act at the consoles.
"""

import contextlib
import fcntl
import os

from controller.store import durable
from controller.system import regular_file

DELAY_US, DELAY_US_MAX = 1_000_000, 60_000_000
_CONTENT_BYTES_MAX = 200


class Failures:
    """Counts the failed logins at one terminal. The count is in a file, because a hang-up or a new
    console must not clear it.

    Several consoles may share a file. Each try first reads the file, and is stored as a failure
    until the login has passed. So two wrong tries at the same moment count as two failures.
    """

    def __init__(self, path: str):
        self._path, self._is_stored = path, True
        self.count = self._last_us = 0
        self._look()

    def _look(self) -> None:
        """Read the count from the file. If the last count could not be stored, keep the count in
        memory.
        """
        if self._is_stored:
            self.count, self._last_us = self._stored()

    def _stored(self) -> tuple[int, int]:
        with contextlib.suppress(OSError, ValueError):
            content = regular_file.read(self._path, _CONTENT_BYTES_MAX)
            count, last_us = map(int, content.split())
            return max(0, count), last_us
        return 0, 0

    def wait_us(self, now_us: int) -> int:
        """Delay before the next try: 1, 2, 4 ... 60 s after the first, second, third failure."""
        self._look()
        if not self.count:
            return 0
        if self._last_us > now_us:  # the box has restarted, so this clock began at 0 again
            self._store(now_us)
        delay_us = min(DELAY_US_MAX, DELAY_US << min(self.count - 1, 10))
        return max(0, min(delay_us, self._last_us + delay_us - now_us))

    def begin(self, now_us: int) -> bool:
        """Begin a try, which counts as failed until `passed`. False during the delay."""
        with contextlib.ExitStack() as held:
            try:
                folder = os.open(os.path.dirname(self._path), os.O_RDONLY | os.O_DIRECTORY)
                held.callback(os.close, folder)  # frees the lock too
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:
                pass  # the try counts even without the lock
            if self.wait_us(now_us):
                return False
            self.failed(now_us)
        return True

    def failed(self, now_us: int) -> None:
        """Count one more failure."""
        self.count += 1
        self._store(now_us)

    def _store(self, now_us: int) -> None:
        self._last_us = now_us
        try:
            durable.put(self._path, ".new", [f"{self.count} {now_us}\n".encode("ascii")], 0o600)
            self._is_stored = True
        except OSError:
            self._is_stored = False

    def passed(self) -> None:
        """Clear the count after a good login."""
        self.count, self._is_stored = 0, True
        with contextlib.suppress(OSError):
            os.unlink(self._path)


class Actor:
    """A file whose lock marks the person who acts. Linux frees the lock when the process dies."""

    def __init__(self, path: str):
        """Raises OSError."""
        self._descriptor = regular_file.opened(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.is_held = False

    def take(self, who: str) -> bool:
        """Become the person who acts. False while another person acts."""
        try:
            os.lockf(self._descriptor, os.F_TLOCK, 0)
        except OSError:
            return False
        self.is_held = True
        with contextlib.suppress(OSError):  # on a full disk other consoles see no name
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, who.encode("ascii", "replace"), 0)
        return True

    def other(self) -> str | None:
        """The person who acts at another console, or None."""
        if self.is_held:
            return None
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        try:
            os.lockf(self._descriptor, os.F_TEST, 0)
        except OSError:
            return (
                os.pread(self._descriptor, _CONTENT_BYTES_MAX, 0).decode("ascii", "replace")
                or ": another person"
            )
        return None

    def give_back(self) -> None:
        """Let another person act."""
        if self.is_held:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.lockf(self._descriptor, os.F_ULOCK, 0)
            self.is_held = False
