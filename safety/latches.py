"""Resets: who may clear what, how often, and only what the operator saw.

A reset names the first-out stage and the cause mask it was given for. It is refused if either
changed, if any cause it would clear has been gone for less than `reset_clear_ms` or is not known
now, or if the hour's remote resets are used up. A key reset needs the key turned out of RUN. Tokens
age with the controller's uptime, so a restart never gives a reset back.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s

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
    """The reset rules over an evaluator's latches, and the tokens."""

    def __init__(self, evaluator, image, image_map):
        tick_ms = image[p.H_TICK_MS]
        self.evaluator = evaluator
        self.hour_ticks = p.ticks(HOUR_MS, tick_ms)
        self.clear_ticks = p.ticks(image[image_map.cabinet + p.P_RESET_CLEAR_MS], tick_ms)
        self.allowed = image[image_map.cabinet + p.P_RESETS_PER_HOUR_MAX]
        self.token_age = array("i", [self.hour_ticks] * TOKENS)

    def left(self) -> int:
        """How many remote resets the present hour still allows."""
        used = 0
        for age in self.token_age:
            if age < self.hour_ticks:
                used += 1
        return max(0, self.allowed - used)

    def update(self, elapsed: int, inp) -> int:
        """Age the tokens and carry out the reset the inputs ask for. Returns a result code
        (RESULTS).
        """
        age = self.token_age
        for token in range(TOKENS):
            if age[token] < self.hour_ticks:
                age[token] = min(age[token] + elapsed, self.hour_ticks)
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
        """What a reset would come to now (RESULTS), without any effect. key_out: the key is known
        not to be in RUN.
        """
        if first_out != self.evaluator.first_out[0] or mask != self.evaluator.cause_mask():
            return CHANGED
        if kind == m.REMOTE:
            return self._clearable(m.REMOTE) if self.left() else NO_TOKENS
        return self._clearable(m.KEY) if key_out else KEY_NEEDED

    def _spend(self):
        age, oldest = self.token_age, 0
        for token in range(TOKENS - 1):
            if age[token + 1] > age[oldest]:
                oldest = token + 1
        age[oldest] = 0

    def _clear(self, level):
        """Clear all latches that `level` may clear. The first-out is named anew when the causes are
        published.
        """
        evaluator = self.evaluator
        evaluator.moved[0] = 1
        for index in range(evaluator.count):
            if self.clears(index, level):
                evaluator.latched[index] = 0

    def clears(self, index: int, level: int) -> int:
        """True for a latched instance that a reset of this level clears."""
        return (
            self.evaluator.latched[index]
            and m.STAGES[self.evaluator.stage[index]][m.S_LATCH] <= level
        )

    def _clearable(self, level):
        evaluator = self.evaluator
        found = NOTHING
        for index in range(evaluator.count):
            if not evaluator.latched[index]:
                continue
            if m.STAGES[evaluator.stage[index]][m.S_LATCH] > level:
                found = KEY_NEEDED if found == NOTHING else found
            elif not self._is_clear(index):
                return NOT_CLEAR_YET
            else:
                found = DONE
        return found

    def _is_clear(self, index):
        """True if the cause is known to be gone, for long enough: of a silent input the last
        news is old.
        """
        evaluator = self.evaluator
        known = evaluator.features.known[evaluator.watch[index][0]] == m.KNOWN
        return (
            known
            and not evaluator.active[index]
            and evaluator.clear_count[index] >= self.clear_ticks
        )

    def publish_causes(self, out) -> None:
        """First-out, mask and counts; left alone in the steps in which nothing came or went."""
        evaluator = self.evaluator
        evaluator.moved[0] = 0
        evaluator.refresh_first_out()
        first = evaluator.first_out[0]
        out[s.FIRST_OUT] = evaluator.stage[first] if first >= 0 else -1
        out[s.FIRST_OUT_INSTANCE] = first
        out[s.CAUSE_MASK] = evaluator.cause_mask()
        if evaluator.features.layout.units == 0:
            return  # channel B tells nobody how many
        out[s.ACTIVE_COUNT] = sum(evaluator.active)
        out[s.LATCHED_COUNT] = sum(evaluator.latched)
