"""Uses the load steps that a source has announced (controller/core/policies/notices.py).

The naive way adds the step to the guess of the load (guess.py) at its time, and removes the step
when the meter should show it. A step that comes 50 ms late then moves the battery three times. So
the guess has a bound until the load itself has moved:

    guess >= load before + step   (<= if the load falls), until the load has reached this value

    before      acts                            watched until here
    --|-----------|-------------|----------------|--> time
      load kept   one reaction   announced time   judged: has it come?
                  ahead

A wrong notice costs more than no notice, and nothing shows beforehand that it is wrong. So a new
source is only watched, at no cost, until one of its steps was right. Its next steps act. A right
step adds the energy that it saved to the credit of the source; a wrong step subtracts its cost. A
source below 0 is in debt: it is only watched until its right steps have paid the debt.

Two sources may announce opposite steps at nearly the same time. This may be a contradiction, or a
pulse shorter than the time error of a notice. Neither step acts then. In a voltage sag load
tracking keeps its power. So the part of a step that has not come yet is withdrawn. Otherwise the
battery would give this part during the whole sag.

An adversary could be right while watched and wrong when its steps act. So each forgiven debt
doubles the number of right steps that the next debt needs. Of n notices, at most about log2(n) then
do harm.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

from controller.core.base.integers import within

EARLY_MS = LATE_MS = 50  # error that the announced time may have
BEGUN_PART = 8  # a step has begun when an eighth of it has come
EDGE_MS = 150  # a step that has begun must come within this time
RIGHT_QUARTERS = 3  # a step is right when three quarters of it have come
CREDIT_NOTICES_MAX = 4  # a credit is at most the energy that this many right steps save
NEW_W_MS = -1  # credit of a new source: one right step is enough to pay this debt

# Words of a source.
# A_STEP_W: 0 while the source has no step.
# A_SHOWN_W_MS: sum of the right steps that the source has shown while in debt.
# A_FORGIVEN_W_MS: sum of the forgiven debts; it doubles with each new one.
# A_MISSING_W: power that the step adds to the guess now.
A_STEP_W, A_AGE_MS, A_BEFORE_W, A_COME_W, A_ADDED_W_MS, A_CROSSED = range(6)
A_CREDIT_W_MS, A_SHOWN_W_MS, A_FORGIVEN_W_MS, A_MISSING_W = range(6, 10)
A_WORDS = 10


class Notice(NamedTuple):
    """A coming step. step_W: > 0 if the load rises; start_ms: time until it; left_ms: validity."""

    source: int
    step_W: int
    start_ms: int
    left_ms: int


def whole_W(step_W: int) -> int:
    """Return the whole step, for a site where the grid operator does not limit the range in 5 s."""
    return step_W


class Announced:
    """words: A_WORDS of each source. A_AGE_MS counts from the announced time, so it
    begins below 0.
    """

    def __init__(self, tick_ms: int, sample_ms: int, count: int, share_permille: int):
        """count: number of sources; share_permille: part of the load that this cabinet follows."""
        self._tick_ms, self._sample_ms = tick_ms, max(sample_ms, tick_ms)
        self._share_permille = share_permille
        self.words = array("q", bytes(8 * A_WORDS * count))
        self._firsts = range(0, len(self.words), A_WORDS)
        for first in self._firsts:
            self.words[first + A_CREDIT_W_MS] = NEW_W_MS

    def begin(self) -> int:
        """Forget the steps but keep the credits. Returns the power that the steps added to the
        guess.
        """
        added_W = sum(self.words[A_MISSING_W::A_WORDS])
        for first in self._firsts:
            self.words[first + A_STEP_W] = self.words[first + A_MISSING_W] = 0
        return added_W

    def ahead_W(
        self,
        load_W: int,
        guess_W: int,
        notices: Sequence[Notice],
        elapsed_ticks: int,
        delay_ms: int,
        room_W: Callable[[int], int] = whole_W,
    ) -> int:
        """The guess, moved to the announced load. If two sources announce the same moment, only the
        larger step counts. room_W(size of a step): the part that may act, because the step may be
        wrong.
        """
        state = self.words
        if not notices and not any(state[A_STEP_W::A_WORDS]):
            return guess_W
        reaction_ms = max(0, delay_ms - self._sample_ms)
        near_ms = reaction_ms + EARLY_MS + self._sample_ms
        near = [notice for notice in notices if 0 < notice.start_ms <= near_ms]
        sources = [notice.source for notice in near]
        for first in self._firsts:
            if state[first + A_STEP_W]:
                state[first + A_AGE_MS] += elapsed_ticks * self._tick_ms
                # a step that was withdrawn or moved before it acted is forgotten
                if state[first + A_AGE_MS] < -reaction_ms and first // A_WORDS not in sources:
                    state[first + A_STEP_W] = 0
        for notice in near:
            self._keep(notice, load_W, reaction_ms)
        for first in self._firsts:
            if state[first + A_STEP_W]:
                most_W = room_W(abs(state[first + A_STEP_W]))
                limits = delay_ms, reaction_ms, most_W
                moved_W = self._moved_W(first, load_W, guess_W, limits)
                state[first + A_MISSING_W], guess_W = moved_W - guess_W, moved_W
        return guess_W

    def _keep(self, notice: Notice, load_W: int, reaction_ms: int) -> None:
        """Store the load before a step that is near. Until it acts, its time may still change."""
        state, first = self.words, notice.source * A_WORDS
        if not state[first + A_STEP_W]:
            state[first + A_BEFORE_W] = load_W
            state[first + A_COME_W] = state[first + A_ADDED_W_MS] = 0
            state[first + A_CROSSED] = 0
        elif state[first + A_AGE_MS] >= -reaction_ms:
            return
        state[first + A_AGE_MS] = -notice.start_ms
        state[first + A_STEP_W] = notice.step_W * self._share_permille // 1000

    def _moved_W(self, first: int, load_W: int, guess_W: int, limits: tuple[int, int, int]) -> int:
        """The guess with the step of one source. limits: delay_ms, reaction_ms, W of the step that
        may act.
        """
        state, (delay_ms, reaction_ms, most_W) = self.words, limits
        step_W, age_ms = state[first + A_STEP_W], state[first + A_AGE_MS]
        size_W, before_W = abs(step_W), state[first + A_BEFORE_W]
        come_W = max(state[first + A_COME_W], _come_W(load_W - before_W, step_W))
        is_begun = BEGUN_PART * come_W >= size_W
        state[first + A_COME_W] = come_W
        if age_ms >= 2 * self._sample_ms + (EDGE_MS if is_begun else LATE_MS):
            self._close(first, size_W * (delay_ms - delay_ms % self._tick_ms))
            return guess_W
        if self._is_crossed(first):
            state[first + A_CROSSED] = 1
        is_acting = state[first + A_CREDIT_W_MS] >= 0 and not state[first + A_CROSSED]
        if age_ms < -reaction_ms or not is_acting:
            return guess_W
        missing_W = max(0, most_W - _come_W(guess_W - before_W, step_W))
        state[first + A_ADDED_W_MS] += missing_W * self._tick_ms
        return guess_W + (missing_W if step_W > 0 else -missing_W)

    def _is_crossed(self, first: int) -> bool:
        """True if a source without debt announces an opposite step at nearly the same time."""
        state = self.words
        sign = 1 if state[first + A_STEP_W] > 0 else -1
        return any(
            -sign * state[other_first + A_STEP_W] * BEGUN_PART >= sign * state[first + A_STEP_W]
            and state[other_first + A_CREDIT_W_MS] >= 0
            and abs(state[other_first + A_AGE_MS] - state[first + A_AGE_MS]) <= EARLY_MS + LATE_MS
            for other_first in self._firsts
        )

    def _close(self, first: int, whole_W_ms: int) -> None:
        """Judge a step and free its words. whole_W_ms: energy error on the grid
        without a notice.
        """
        state = self.words
        size_W, added_W_ms = abs(state[first + A_STEP_W]), state[first + A_ADDED_W_MS]
        is_right = 4 * state[first + A_COME_W] >= RIGHT_QUARTERS * size_W
        state[first + A_STEP_W] = 0
        if state[first + A_CROSSED] and is_right:
            return
        if state[first + A_CREDIT_W_MS] < 0:
            self._watch(first, whole_W_ms if is_right else -whole_W_ms)
        elif is_right:
            self._earn(first, whole_W_ms - abs(added_W_ms - whole_W_ms), whole_W_ms)
        else:
            state[first + A_CREDIT_W_MS] -= added_W_ms

    def _watch(self, first: int, shown_W_ms: int) -> None:
        """Count a step of a source in debt. Enough right steps forgive the debt."""
        state = self.words
        debt_W_ms, forgiven_W_ms = -state[first + A_CREDIT_W_MS], state[first + A_FORGIVEN_W_MS]
        state[first + A_SHOWN_W_MS] = max(0, state[first + A_SHOWN_W_MS] + shown_W_ms)
        if state[first + A_SHOWN_W_MS] >= debt_W_ms + forgiven_W_ms:
            state[first + A_FORGIVEN_W_MS] = 2 * forgiven_W_ms + debt_W_ms
            state[first + A_CREDIT_W_MS] = state[first + A_SHOWN_W_MS] = 0

    def _earn(self, first: int, saved_W_ms: int, whole_W_ms: int) -> None:
        """Add the saved energy to the credit. The part above its limit pays forgiven debts."""
        state = self.words
        before_W_ms = state[first + A_CREDIT_W_MS]
        most_W_ms = max(before_W_ms, CREDIT_NOTICES_MAX * whole_W_ms)
        credit_W_ms = min(most_W_ms, before_W_ms + saved_W_ms)
        left_W_ms = before_W_ms + saved_W_ms - credit_W_ms
        state[first + A_CREDIT_W_MS] = credit_W_ms
        state[first + A_FORGIVEN_W_MS] = max(0, state[first + A_FORGIVEN_W_MS] - left_W_ms)


def _come_W(moved_W: int, step_W: int) -> int:
    """Part of a step that has come: moved_W in its direction, from 0 to the size of the step."""
    return within(moved_W if step_W > 0 else -moved_W, 0, abs(step_W))
