"""The integrity of one reading: decides whether a new value counts.

A single false report once made the battery replace PV power that had not gone. A phase jump looks
like a step of the frequency. A value that is read again before the device measures again confirms
nothing. So a small change counts at once, and a jump needs a reason to be believed:

    other readings confirm it            --> it counts at once
    nothing can confirm or contradict it --> it must last for `alone_ms`; then it counts
    other readings contradict it         --> after CONTRADICTED_MS the reading is unknown, until
                                             they confirm it, at most for DOUBT_MS; then it begins
                                             anew from its new value
    the old value comes back sooner      --> the old value still counts; this is a flap
    it flaps again and again             --> the reading is unknown for DOUBT_MS

The value before the jump stays in use until the jump counts, so a false value moves nothing. If no
other reading exists, false changes of up to `step` act, and so does a false jump that lasts.
"""

from array import array

WORDS = 5
COUNTED, SEEN, WAITS, DOUBT, FLAPS = range(WORDS)
NONE = -(1 << 40)  # nothing counts yet
CONFIRMED, ALONE, CONTRADICTED = 1, 0, -1
# Time for the other meters to show a change: their reading, and the battery's answer to it.
CONTRADICTED_MS, DOUBT_MS = 1000, 10_000
# Each flap adds FLAP_MS to a sum, which decreases with time. A value that flaps once in 5 s keeps
# its meaning. A value that flaps every second or two is broken.
FLAP_MS, FLAPS_MS_MAX = 5000, 10_000


class Integrity:
    """Integrity of one number. Its words in `state` have 64 bits and are in the journal."""

    def __init__(
        self, state: "array[int]", first: int, step: int, stale_ms: int, alone_ms: int
    ) -> None:
        """first: place of its words in `state`; step: largest change that counts at once;
        stale_ms: the first report after such a silence counts at once.
        """
        self._state, self._words = state, slice(first, first + WORDS)
        self._at, self._step = first, step
        self._stale_ms, self._alone_ms = stale_ms, alone_ms
        state[self._words] = array("q", [NONE, NONE, 0, 0, 0])

    @property
    def value(self) -> int | None:
        """The value that counts, however old; None before the first report."""
        value = self._state[self._at + COUNTED]
        return None if value == NONE else value

    @property
    def is_doubted(self) -> bool:
        """True while the reading is unknown, because it was contradicted or flaps."""
        return self._state[self._at + DOUBT] > 0

    @property
    def is_open(self) -> bool:
        """True while `advance` must be called: a jump waits, or a time runs."""
        return any(self._state[self._at + WAITS : self._at + WORDS])

    @property
    def is_held(self) -> bool:
        """True while the value that counts is not the last report."""
        return any(self._state[self._at + WAITS : self._at + FLAPS])

    @property
    def jump(self) -> int:
        """The last report less the value that counts."""
        return self._state[self._at + SEEN] - self._state[self._at + COUNTED]

    def take(self, value: int, now_ms: int, silence_ms: int) -> None:
        """Take a report, which came `silence_ms` after the previous report."""
        counted, seen, waits_ms, doubt_ms, flaps_ms = self._state[self._words]
        if counted == NONE or silence_ms >= self._stale_ms:
            counted, waits_ms, doubt_ms = value, 0, 0
        is_near = abs(value - counted) <= self._step
        if waits_ms and (is_near or (value > counted) != (seen > counted)):
            waits_ms, flaps_ms = 0, min(flaps_ms + FLAP_MS, 2 * FLAPS_MS_MAX)
        if flaps_ms >= FLAPS_MS_MAX or doubt_ms and abs(value - seen) > self._step:
            waits_ms, doubt_ms = 0, DOUBT_MS
        elif is_near and not doubt_ms:
            counted = value
        elif not doubt_ms:
            waits_ms = max(waits_ms, 1)
        self._state[self._words] = array("q", [counted, value, waits_ms, doubt_ms, flaps_ms])

    def advance(self, passed_ms: int, verdict: int = ALONE) -> int:
        """Let time pass. verdict: judgement of the other readings on a jump that waits. Returns the
        jump if it counts from now on without a confirmation, else 0.
        """
        counted, seen, waits_ms, doubt_ms, flaps_ms = self._state[self._words]
        jump, moved = seen - counted, 0
        if doubt_ms and verdict == CONFIRMED and not flaps_ms:
            counted, doubt_ms = seen, 0
        elif doubt_ms:
            doubt_ms = max(0, doubt_ms - passed_ms)
            moved = 0 if doubt_ms else jump
        elif waits_ms and verdict == CONFIRMED:
            counted, waits_ms = seen, 0
        elif waits_ms:
            waits_ms += passed_ms
            limit_ms = CONTRADICTED_MS if verdict == CONTRADICTED else self._alone_ms
            if waits_ms > limit_ms:
                waits_ms, doubt_ms = 0, DOUBT_MS if verdict == CONTRADICTED else 0
                moved = 0 if doubt_ms else jump
        flaps_ms = max(0, flaps_ms - passed_ms)
        updated = array("q", [counted + moved, seen, waits_ms, doubt_ms, flaps_ms])
        self._state[self._words] = updated
        return moved
