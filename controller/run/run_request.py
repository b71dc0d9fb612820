"""Whether the cabinet is to run: what a person stopped, a test or a lock-out has left, rests until
somebody starts it.

Why it rests is one of the record's values, so it survives restarts: it takes effect at once and is
stored then, while a start is stored first. A cut of power may lose a start that way, never a stop.
That the process is told to end is no wish: after a restart the cabinet runs, or rests, as before.
"""

from array import array

from controller.core.image import packed_name
from controller.record.store import STOPPED
from controller.run import operator_commands

# why it rests; 0: it does not; 4: no store says whether it was to
PERSON, TEST, LOCK_OUT, UNKNOWN = 1, 2, 3, 4
AWAKE = (0, "")
# the kernel ends a test of this length; then nothing runs until somebody asks for it
TEST_MS = 60_000


class Wish:
    """Of one cabinet. rest: (why, whose lock-out it was, else "") in effect; is_asked: it is to
    run.

    stored: the rest that each record says from now on; is_new: none has said it yet. test: 1 in
    TEST mode, which runs while the cabinet rests otherwise. words: `rest` for the journal
    (image.REST).
    """

    def __init__(self, values):
        """values: of the record of the last run."""
        found = [
            (code, name.removeprefix(STOPPED))
            for name, code in values.items()
            if name.startswith(STOPPED)
        ]
        # a union of two unlike copies may hold two: neither is a start
        self.stored = max(found, default=AWAKE)
        self._show(self.stored)
        self.is_asked = self.stored == AWAKE
        self.is_new = self._is_awaited = self._is_overruled = False
        self._waited_ms = 0  # for what is awaited to be stored
        self._number = 0  # of the first record that holds it; what was loaded needs none
        self.test = self._test_ms = 0

    def _show(self, rest):
        self.rest = rest
        self.words = array("i", [rest[0]]) + packed_name(rest[1])

    def values(self):
        """What a record says of it."""
        return {} if self.stored == AWAKE else {STOPPED + self.stored[1]: self.stored[0]}

    def submitted(self, number):
        """A record with these values was handed over."""
        if self.is_new:
            self._number, self.is_new = number, False

    def stop(self, why, is_awaited=False, name=""):
        """Rest from now on; a start that is not stored yet is void. is_awaited: somebody waits for
        its being stored.
        """
        if self._is_awaited and self.stored == AWAKE:
            self._is_awaited, self._is_overruled = False, True
        self._store((why, name), is_awaited or self._is_awaited)
        self._show(self.stored)
        self.is_asked = False

    def start(self, is_awaited=False):
        """Run again, once that is stored."""
        self._store(AWAKE, is_awaited)

    def _store(self, rest, is_awaited):
        self.is_new = self.is_new or rest != self.stored
        self.stored, self._is_awaited, self._waited_ms = rest, is_awaited, 0

    def settle(self, keeper, elapsed_ms):
        """Before each tick: a start that is stored takes effect. Returns how what is awaited has
        ended, 0: it has not.

        One of command.ACCEPTED, OVERRULED, NOT_STORED of a start, UNSTORED of a stop. Nobody is
        kept waiting for longer than command.STORED_MS: a start of which nobody has heard that it
        was taken must not close the cabinet later.
        """
        if self._is_overruled:
            self._is_overruled = False
            return operator_commands.OVERRULED
        is_stored = not self.is_new and keeper.poll() >= self._number
        self._waited_ms += elapsed_ms
        is_in_vain = not is_stored and (
            not keeper.ok or self._is_awaited and self._waited_ms > operator_commands.STORED_MS
        )
        if is_stored and self.stored == AWAKE and self.rest != AWAKE:
            self._show(AWAKE)
            self.is_asked = True
        is_void = is_in_vain and self.stored != self.rest
        if is_void:
            self._void_start()
        if not self._is_awaited or not is_stored and not is_in_vain:
            return 0
        self._is_awaited = False
        return (
            operator_commands.ACCEPTED
            if is_stored
            else operator_commands.NOT_STORED
            if is_void
            else operator_commands.UNSTORED
        )

    def _void_start(self):
        """The next record says so: the keeper may yet save the last one, with the start in it."""
        self.stored, self.is_new = self.rest, True

    def begin_test(self):
        """TEST mode: it is to run now, and rests after that, also when the controller restarts
        meanwhile.
        """
        self.stop(TEST)
        self.test, self._test_ms, self.is_asked = 1, 0, True

    def count_test(self, elapsed_ms, is_open):
        """After its time, and once nothing is closed, the test is over and so is the request to
        run.
        """
        self._test_ms += elapsed_ms
        if self._test_ms > TEST_MS and is_open:
            self.test, self.is_asked = 0, False
