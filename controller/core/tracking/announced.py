"""Steps of the load that a source has announced (controller/core/policies/notices.py).

The naive way adds the step to the guess at its time and takes it off when the meter should show it.
A step that comes 50 ms late then moves the battery three times. So the step is handed over:

    guess = at least the load before + step,   until the load has come so far

    before      acts                            watched until here
    --|-----------|-------------|----------------|--> time
      load kept   one reaction   announced time   judged: has it come?
                  ahead

A wrong notice costs at most what a right one saves, one path delay of the step. So a step of a
source without credit ends when the meter should show it. A right notice gives credit, from which
patience for late steps is paid. A source in debt is only watched until it was right as often.
"""

from array import array
from collections.abc import Sequence
from typing import Protocol

from controller.core.base.integers import within

EARLY_MS = LATE_MS = 50  # a notice may be wrong by so much
BEGUN_PART = 8  # of the step: it has begun to come
EDGE_MS = 150  # in which a step that has begun comes
RIGHT_QUARTERS = 3  # of a right step have come
CREDIT_NOTICES_MAX = 4

# words of a source; without a step it is free
A_STEP_W, A_AGE_MS, A_BEFORE_W, A_COME_W, A_ADDED_W_MS, A_CREDIT_W_MS = range(6)
A_WORDS = 6


class Notice(Protocol):
    """A step to come (controller/core/policies/notices.py)."""

    @property
    def source(self) -> int:
        """Number of the source."""

    @property
    def step_W(self) -> int:
        """Change of the load."""

    @property
    def start_ms(self) -> int:
        """Time until the step."""


class Announced:
    """words: A_WORDS of each source. The age counts from the announced time."""

    def __init__(self, tick_ms: int, sample_ms: int, count: int, share_permille: int):
        """count: of sources; share_permille: of the load that this cabinet follows."""
        self._tick_ms, self._sample_ms = tick_ms, max(sample_ms, tick_ms)
        self._share_permille = share_permille
        self.words = array("q", bytes(8 * A_WORDS * count))
        self._firsts = range(0, len(self.words), A_WORDS)

    def begin(self) -> None:
        """Forget the steps, not the credits."""
        for first in self._firsts:
            self.words[first + A_STEP_W] = 0

    def ahead_W(
        self,
        load_W: int,
        guess_W: int,
        notices: Sequence[Notice],
        elapsed_ticks: int,
        delay_ms: int,
    ) -> int:
        """The guess, moved to the load that is announced. Two sources that announce one moment
        count once, as the larger step.
        """
        if not notices and not any(self.words[A_STEP_W::A_WORDS]):
            return guess_W
        reaction_ms = max(0, delay_ms - self._sample_ms)
        near_ms = reaction_ms + EARLY_MS + self._sample_ms
        near = [each for each in notices if 0 < each.start_ms <= near_ms]
        for first in self._firsts:
            if self.words[first + A_STEP_W]:
                self.words[first + A_AGE_MS] += elapsed_ticks * self._tick_ms
                self._drop(first, near, reaction_ms)
        for notice in near:
            self._keep(notice, load_W, reaction_ms)
        for first in self._firsts:
            if self.words[first + A_STEP_W]:
                guess_W = self._moved_W(first, load_W, guess_W, delay_ms, reaction_ms)
        return guess_W

    def _drop(self, first: int, near: Sequence[Notice], reaction_ms: int) -> None:
        """Forget a step that was withdrawn or moved before it acted."""
        is_near = first // A_WORDS in [each.source for each in near]
        if self.words[first + A_AGE_MS] < -reaction_ms and not is_near:
            self.words[first + A_STEP_W] = 0

    def _keep(self, notice: Notice, load_W: int, reaction_ms: int) -> None:
        """Keep the load before a step that is near; until it acts, its time may still move."""
        words, first = self.words, notice.source * A_WORDS
        if not words[first + A_STEP_W]:
            words[first + A_BEFORE_W] = load_W
            words[first + A_COME_W] = words[first + A_ADDED_W_MS] = 0
        elif words[first + A_AGE_MS] >= -reaction_ms:
            return
        words[first + A_AGE_MS] = -notice.start_ms
        words[first + A_STEP_W] = notice.step_W * self._share_permille // 1000

    def _moved_W(
        self, first: int, load_W: int, guess_W: int, delay_ms: int, reaction_ms: int
    ) -> int:
        words = self.words
        step_W, age_ms = words[first + A_STEP_W], words[first + A_AGE_MS]
        size_W, before_W = abs(step_W), words[first + A_BEFORE_W]
        come_W = max(words[first + A_COME_W], _come_W(load_W - before_W, step_W))
        words[first + A_COME_W] = come_W
        if age_ms >= EDGE_MS + 2 * self._sample_ms:
            self._close(first, delay_ms)
            return guess_W
        if age_ms < -reaction_ms or not self._acts(first):
            return guess_W
        missing_W = size_W - _come_W(guess_W - before_W, step_W)
        words[first + A_ADDED_W_MS] += missing_W * self._tick_ms
        return guess_W + (missing_W if step_W > 0 else -missing_W)

    def _acts(self, first: int) -> bool:
        """Whether the step still counts: it is to come, has begun, or its source has credit."""
        words = self.words
        size_W, credit_W_ms = abs(words[first + A_STEP_W]), words[first + A_CREDIT_W_MS]
        if credit_W_ms < 0:
            return False
        age_ms, patience_ms = words[first + A_AGE_MS], LATE_MS + self._sample_ms
        if BEGUN_PART * words[first + A_COME_W] >= size_W or age_ms < self._sample_ms:
            return True
        return age_ms < self._sample_ms + patience_ms and credit_W_ms >= size_W * patience_ms

    def _close(self, first: int, delay_ms: int) -> None:
        """Judge a step and free its words."""
        words = self.words
        size_W = abs(words[first + A_STEP_W])
        saved_W_ms = size_W * delay_ms
        if 4 * words[first + A_COME_W] >= RIGHT_QUARTERS * size_W:
            credit_W_ms = words[first + A_CREDIT_W_MS]
            most_W_ms = max(credit_W_ms, CREDIT_NOTICES_MAX * saved_W_ms)
            words[first + A_CREDIT_W_MS] = min(most_W_ms, credit_W_ms + saved_W_ms)
        else:
            words[first + A_CREDIT_W_MS] -= words[first + A_ADDED_W_MS]
        words[first + A_STEP_W] = 0


def _come_W(moved_W: int, step_W: int) -> int:
    """The part of a step that a movement is, 0 to its size."""
    return within(moved_W if step_W > 0 else -moved_W, 0, abs(step_W))
