"""Counts the failed logins of each name at a terminal, and delays the next try. Also keeps the lock
by which only one person at a time can act at the consoles.
"""

import contextlib
import os

from controller.store import durable
from controller.system import regular_file

DELAY_US, DELAY_US_MAX = 1_000_000, 60_000_000
# Each of NAMES_MAX names has a count of its own, and all other names share one. So a longer list of
# names allows no more tries.
NAMES_MAX, OTHERS = 16, "-"
# A name without a try for this time is forgotten. A person who waits DELAY_US_MAX gets more tries.
FORGOTTEN_US = 3_600_000_000
_CONTENT_BYTES_MAX = 1000

Counts = dict[str, tuple[int, int]]  # {name: (failures, time of the last one)}


class Failures:
    """Counts the failed logins of each name at one terminal. Several consoles may share a count.

    Each try is stored as a failure until the login has passed. So two wrong tries at the same
    moment count as two failures. The first file is on the disk and outlasts a boot. The last one is
    in the run directory and needs no disk. If no file can be written, the try is refused, because
    otherwise each new command could guess again. A login by the key switch needs no count.
    """

    def __init__(self, *paths: str):
        """The last path also has a lock file."""
        self._paths, self.count = paths, 0  # failures of the last name, with this try

    def _counts(self, now_us: int) -> Counts:
        """The counts of all files. If the files differ, the higher count of a name."""
        counts: Counts = {}
        for path in self._paths:
            with contextlib.suppress(OSError, ValueError):
                for line in regular_file.read(path, _CONTENT_BYTES_MAX).decode("ascii").split("\n"):
                    name, count, last_us = line.split()
                    # A later time is of an earlier boot, so it counts as the start of this boot.
                    failed_us = int(last_us) if int(last_us) <= now_us else 0
                    if now_us - failed_us < FORGOTTEN_US:
                        counts[name] = max(counts.get(name, (1, 0)), (int(count), failed_us))
        return counts

    def wait_us(self, now_us: int, name: str) -> int:
        """Delay before the next try: 1, 2, 4 ... 60 s after the first, second, third failure."""
        return _count_of(self._counts(now_us), name, now_us)[2]

    def refusal(self, now_us: int, name: str) -> str:
        """The reason why `begin` refuses a try."""
        wait_us = self.wait_us(now_us, name)
        if wait_us:
            return f"failed logins of {name} here: wait {-(-wait_us // 1_000_000)} s"
        return "no login: another one begins, or disk and run directory are full or read-only"

    def begin(self, now_us: int, name: str) -> bool:
        """Begin a try, which counts as failed until `passed`. False: refused."""
        return self._change(now_us, name, has_passed=False)

    def passed(self, now_us: int, name: str) -> None:
        """Clear the count of this name after a good login, and no other count."""
        self._change(now_us, name, has_passed=True)

    def _change(self, now_us: int, name: str, has_passed: bool) -> bool:
        with (
            contextlib.suppress(OSError),
            durable.opened(f"{self._paths[-1]}.lock", os.O_RDWR | os.O_CREAT) as lock,
        ):
            os.lockf(lock, os.F_TLOCK, 0)  # OSError: another process is counting
            counts = self._counts(now_us)
            counted_name, count, wait_us = _count_of(counts, name, now_us)
            if has_passed:
                counts.pop(name, None)
            elif wait_us:
                return False
            else:
                self.count = count + 1
                counts[counted_name] = self.count, now_us
            lines = [f"{name} {count} {last_us}" for name, (count, last_us) in counts.items()]
            content = "\n".join(lines).encode("ascii")
            return None in [durable.kept(path, ".new", [content], 0o600) for path in self._paths]
        return False


def _count_of(counts: Counts, name: str, now_us: int) -> tuple[str, int, int]:
    """(the name or OTHERS, its number of failures, the delay before its next try in us)."""
    counted_name = name if name in counts or len(counts) < NAMES_MAX else OTHERS
    count, last_us = counts.get(counted_name, (0, 0))
    delay_us = min(DELAY_US_MAX, DELAY_US << min(count - 1, 10)) if count else 0
    return counted_name, count, max(0, last_us + delay_us - now_us)


class ActorLock:
    """The lock of the person who acts, in a file with the person's name. Linux frees the lock when
    the process dies.
    """

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
