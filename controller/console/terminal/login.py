"""Failed logins, counted and delayed per line; and the lock of the one person who acts."""

import contextlib
import fcntl
import os

from controller.store import durable
from controller.system import regular_file

DELAY_US, DELAY_US_MAX = 1_000_000, 60_000_000
_CONTENT_BYTES_MAX = 200


class Failures:
    """Counts failed logins of one line in a file, so that a hang-up or a new console keeps them.

    Several consoles may share a line's file: it is read before each try, and a try counts as failed
    until it has passed, so that two at the same moment are two.
    """

    def __init__(self, path: str):
        self._path, self._is_stored = path, True
        self.count = self._last_us = 0
        self._look()

    def _look(self):
        """Read the count of all consoles of this line; one that could not be stored counts here."""
        if self._is_stored:
            self.count, self._last_us = self._stored()

    def _stored(self):
        with (
            contextlib.suppress(OSError, ValueError),
            open(self._path, "rb", opener=regular_file.opener) as file,
        ):
            count, last_us = map(int, file.read(_CONTENT_BYTES_MAX).split())
            return max(0, count), last_us
        return 0, 0

    def wait_us(self, now_us: int) -> int:
        """How long the next try has to wait: 1 s, 2 s, 4 s ... 60 s after the first, second, third
        failure.
        """
        self._look()
        if not self.count:
            return 0
        if self._last_us > now_us:  # the box was restarted: its clock began anew
            self._store(now_us)
        delay_us = min(DELAY_US_MAX, DELAY_US << min(self.count - 1, 10))
        return max(0, min(delay_us, self._last_us + delay_us - now_us))

    def begin(self, now_us: int) -> bool:
        """A try begins: it counts as failed until `passed`. False while it has to wait."""
        with contextlib.ExitStack() as held:
            try:
                folder = os.open(
                    os.path.dirname(self._path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                )
                held.callback(os.close, folder)  # and with it the lock
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:
                pass  # what cannot be locked counts all the same
            if self.wait_us(now_us):
                return False
            self.failed(now_us)
        return True

    def failed(self, now_us: int) -> None:
        """One more."""
        self.count += 1
        self._store(now_us)

    def _store(self, now_us):
        self._last_us = now_us
        try:
            durable.put(self._path, ".new", [f"{self.count} {now_us}\n".encode("ascii")], 0o600)
            self._is_stored = True
        except OSError:
            self._is_stored = False

    def passed(self) -> None:
        """A login went well: none any more."""
        self.count, self._is_stored = 0, True
        with contextlib.suppress(OSError):
            os.unlink(self._path)


class Actor:
    """A file whose lock marks the person who acts; the kernel frees it when the process dies."""

    def __init__(self, path: str):
        """Raises OSError."""
        self._descriptor = regular_file.opened(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.is_held = False

    def take(self, who: str) -> bool:
        """Become the person who acts. False while somebody else is."""
        try:
            os.lockf(self._descriptor, os.F_TLOCK, 0)
        except OSError:
            return False
        self.is_held = True
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, who.encode("ascii", "replace"), 0)
        return True

    def other(self):
        """The person who acts at another console, None without one."""
        if self.is_held:
            return None
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        try:
            os.lockf(self._descriptor, os.F_TEST, 0)
        except OSError:
            return (
                os.pread(self._descriptor, _CONTENT_BYTES_MAX, 0).decode("ascii", "replace")
                or ": somebody"
            )
        return None

    def give_back(self) -> None:
        """Act no more."""
        if self.is_held:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.lockf(self._descriptor, os.F_ULOCK, 0)
            self.is_held = False
