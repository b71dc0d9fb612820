"""Decides whether the cabinet is to run or to stay in standby.

After some events the cabinet stays in standby until a person starts it: a stop by a person, a test,
a lock-out, some rows, a restart that the hazard analysis does not allow. The reason (standby.py of
core) is stored. The end of the process is no such event: after a restart the cabinet continues as
before.
"""

from controller.core.base import standby
from controller.run.stored_value import StoredValue
from controller.store.stored_record import AWAKE

# The kernel ends a test after this time. Then nothing runs until a person starts the cabinet.
TEST_MS = 60_000
# A store that fails opens the contactors, and the cabinet runs again by itself once the store is
# saved. A disk that fills again and again must not wear the contactors (chosen by the project).
STORE_MS, STORE_START_MS = 3_600_000, 1_200_000  # three starts at once; one more every 20 min


class RunRequest:
    """`rest`: StoredValue of (why, name of the person who locked out or ""); `test`: 1 in TEST
    mode.
    """

    def __init__(self, rest: tuple[int, str]):
        """rest: from the record of the last run."""
        self.rest = StoredValue(rest)
        self.is_ending = False  # the process has been asked to end
        self.test = self._test_ms = self._spent_ms = 0
        self._was_saved = True

    @property
    def waits(self) -> bool:
        """True while the cabinet would close by itself, unless its process ends in order."""
        return self.rest.chosen == AWAKE and not self.is_ending

    @property
    def is_asked(self) -> bool:
        """True if the cabinet is to run. A test counts once the kernel knows of it."""
        why = self.rest.in_effect
        return why == AWAKE or bool(self.test and self._test_ms) and why[0] == standby.TEST

    def stop(self, why: int, is_awaited: bool = False, name: str = "") -> None:
        """Go to standby. A start that is not stored yet is void."""
        self.rest.take_effect((why, name), is_awaited)

    def start(self, is_awaited: bool = False) -> None:
        """Run again, once the start is stored."""
        self.rest.store_first(AWAKE, is_awaited)

    def note_store(self, is_saved: bool, elapsed_ms: int) -> None:
        """Called once a tick. A store that fails too often puts the cabinet in standby."""
        self._spent_ms = max(0, self._spent_ms - elapsed_ms)
        if self._was_saved and not is_saved and self.rest.chosen == AWAKE:
            self._spent_ms += STORE_START_MS
            if self._spent_ms > STORE_MS:
                self.stop(standby.STORE)
        self._was_saved = is_saved

    def begin_test(self) -> None:
        """Begin TEST mode. When the test ends, or a restart ends it, the cabinet is in standby."""
        self.stop(standby.TEST)
        self.test, self._test_ms = 1, 0

    def count_test(self, elapsed_ms: int, is_open: bool) -> None:
        """End the test, and with it the request to run, after TEST_MS and once the contactors are
        open.
        """
        self._test_ms += elapsed_ms if self.test else 0
        if self._test_ms > TEST_MS and is_open:
            self.test = 0
