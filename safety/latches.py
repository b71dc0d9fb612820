"""Decides about resets: which latches a reset clears, how often, and when it is refused.

A reset names the first-out stage and the cause mask that the operator saw. It is refused in four
cases:

- First-out or cause mask have changed since.
- A cause of a latch that it would clear is not known, or ended less than `reset_clear_ms` ago.
- It is remote, and the remote resets of this hour are used up.
- It needs the key, and the key is not turned out of RUN.

Each remote reset uses a token for an hour. Tokens age with the uptime of the controller, so a
restart gives no token back.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.evaluate import W_FEATURE, Evaluator

NONE, DONE, CHANGED, NOT_CLEAR_YET, NO_TOKENS, KEY_NEEDED, NOTHING = range(7)
RESULTS = (
    "none",
    "done",
    "changed",
    "not clear yet",
    "no tokens",
    "key needed",
    "nothing to reset",
)
HOUR_MS = 3_600_000
TOKENS = 3


class Latches:
    """The rules for resets of the latches of an evaluator, and the tokens of remote resets."""

    def __init__(self, evaluator: Evaluator) -> None:
        features = evaluator.features
        image, cabinet, tick_ms = features.image, features.map.cabinet, features.tick_ms
        self.evaluator = evaluator
        self.hour_ticks = p.ticks(HOUR_MS, tick_ms)
        self.clear_ticks = p.ticks(image[cabinet + p.P_RESET_CLEAR_MS], tick_ms)
        self.allowed = image[cabinet + p.P_RESETS_PER_HOUR_MAX]
        self.token_age = array("i", [self.hour_ticks] * TOKENS)

    def left(self) -> int:
        """How many remote resets are allowed now."""
        used = 0
        for age in self.token_age:
            if age < self.hour_ticks:
                used += 1
        return max(0, self.allowed - used)

    def update(self, elapsed: int, inp: "array[int]") -> int:
        """Age the tokens, and carry out the reset that the inputs ask for.

        Returns a code of RESULTS.
        """
        ages = self.token_age
        for token in range(TOKENS):
            if ages[token] < self.hour_ticks:
                ages[token] = min(ages[token] + elapsed, self.hour_ticks)
        kind = inp[s.RESET_KIND]
        if kind == 0:
            return NONE
        key_out = self.evaluator.features.fire.key_is_out()
        result = self.verdict(kind, inp[s.RESET_FIRST_OUT], inp[s.RESET_MASK], key_out)
        if result == DONE:
            self._clear(kind)
            if kind == m.REMOTE:
                self._spend()
        return result

    def verdict(self, kind: int, first_out: int, mask: int, key_out: int) -> int:
        """The result that a reset would have now (RESULTS). Nothing is cleared.

        key_out: 1 while the key is known to be out of RUN.
        """
        if first_out != self.evaluator.first_out[0] or mask != self.evaluator.cause_mask():
            return CHANGED
        if kind == m.REMOTE:
            return self._clearable(m.REMOTE) if self.left() else NO_TOKENS
        return self._clearable(m.KEY) if key_out else KEY_NEEDED

    def _spend(self) -> None:
        """Use the oldest token."""
        ages, oldest = self.token_age, 0
        for token in range(TOKENS - 1):
            if ages[token + 1] > ages[oldest]:
                oldest = token + 1
        ages[oldest] = 0

    def _clear(self, level: int) -> None:
        """Clear all latches that this level may reset."""
        evaluator = self.evaluator
        evaluator.moved[0] = 1
        for index in range(evaluator.count):
            if self.clears(index, level):
                evaluator.latched[index] = 0

    def clears(self, index: int, level: int) -> int:
        """True if the instance is latched and a reset of this level clears it."""
        return (
            self.evaluator.latched[index]
            and m.STAGES[self.evaluator.stage[index]][m.S_LATCH] <= level
        )

    def _clearable(self, level: int) -> int:
        """DONE if a reset of this level would clear a latch now, else why not (RESULTS)."""
        evaluator = self.evaluator
        code = NOTHING
        for index in range(evaluator.count):
            if not evaluator.latched[index]:
                continue
            if m.STAGES[evaluator.stage[index]][m.S_LATCH] > level:
                code = KEY_NEEDED if code == NOTHING else code
            elif not self._is_clear(index):
                return NOT_CLEAR_YET
            else:
                code = DONE
        return code

    def _is_clear(self, index: int) -> int:
        """True if the cause is known to have been gone for long enough.

        The last value of a silent input is no proof.
        """
        evaluator = self.evaluator
        known = evaluator.features.known[evaluator.watch[index][W_FEATURE]] == m.KNOWN
        return (
            known
            and not evaluator.active[index]
            and evaluator.clear_count[index] >= self.clear_ticks
        )

    def publish_causes(self, out: "array[int]") -> None:
        """Publish first-out, cause mask and counts, after a stage or latch has changed."""
        evaluator = self.evaluator
        evaluator.moved[0] = 0
        evaluator.refresh_first_out()
        first = evaluator.first_out[0]
        out[s.FIRST_OUT] = evaluator.stage[first] if first >= 0 else -1
        out[s.FIRST_OUT_INSTANCE] = first
        out[s.CAUSE_MASK] = evaluator.cause_mask()
        if evaluator.features.layout.units == 0:
            return  # channel B reports no counts
        out[s.ACTIVE_COUNT] = sum(evaluator.active)
        out[s.LATCHED_COUNT] = sum(evaluator.latched)
