"""Resets: who may clear what, how often, and only what the operator saw.

A reset names the first-out stage and the cause mask it was given for. It is refused if either changed, if any cause it
would clear has been gone for less than `reset_clear_ms`, or if the hour's remote resets are used up. A key reset needs
the key turned out of RUN. Tokens age with the controller's uptime, so a restart never gives a reset back.
"""

from array import array

from safety import matrix as m
from safety import parameters as p
from safety import signals as s

NONE, DONE, CHANGED, NOT_CLEAR_YET, NO_TOKENS, KEY_NEEDED, NOTHING = range(7)
RESULTS = ("none", "done", "changed", "not clear yet", "no tokens", "key needed", "nothing to reset")
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

    def left(self):
        """How many remote resets the present hour still allows."""
        used = 0
        for age in self.token_age:
            if age < self.hour_ticks:
                used += 1
        return max(0, self.allowed - used)

    def update(self, elapsed, inp, known_key):
        """Age the tokens and carry out the reset the inputs ask for. Returns a result code (RESULTS)."""
        for token in range(TOKENS):
            self.token_age[token] = min(self.token_age[token] + elapsed, self.hour_ticks)
        kind = inp[s.RESET_KIND]
        if kind == 0:
            return NONE
        evaluator = self.evaluator
        if inp[s.RESET_FIRST_OUT] != evaluator.first_out[0] or inp[s.RESET_MASK] != evaluator.cause_mask():
            return CHANGED
        if kind == m.REMOTE:
            return self._remote()
        return self._clear(m.KEY) if known_key and not inp[s.KEY_RUN_OK] else KEY_NEEDED

    def _remote(self):
        if self.left() == 0:
            return NO_TOKENS
        result = self._clear(m.REMOTE)
        if result == DONE:
            self._spend()
        return result

    def _spend(self):
        oldest = 0
        for token in range(TOKENS):
            if self.token_age[token] > self.token_age[oldest]:
                oldest = token
        self.token_age[oldest] = 0

    def _clear(self, level):
        """Clear all latches that `level` may clear, or none of them."""
        found = self._clearable(level)
        if found != DONE:
            return found
        evaluator = self.evaluator
        for index in range(evaluator.count):
            if evaluator.latched[index] and m.STAGES[evaluator.stage[index]][m.S_LATCH] <= level:
                evaluator.latched[index] = 0
        evaluator.refresh_first_out()
        return DONE

    def _clearable(self, level):
        evaluator = self.evaluator
        found = NOTHING
        for index in range(evaluator.count):
            if not evaluator.latched[index]:
                continue
            if m.STAGES[evaluator.stage[index]][m.S_LATCH] > level:
                found = KEY_NEEDED if found == NOTHING else found
            elif evaluator.active[index] or evaluator.clear_count[index] < self.clear_ticks:
                return NOT_CLEAR_YET
            else:
                found = DONE
        return found
