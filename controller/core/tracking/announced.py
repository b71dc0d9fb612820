"""Steps of the load that a source has announced (controller/core/policies/notices.py).

The naive way adds the step to the guess at its time and takes it off when the meter should show it.
A step that comes 50 ms late then moves the battery three times. So the step is handed over:

    guess = at least the load before + step,   until the load has come so far

    before      acts                            watched until here
    --|-----------|-------------|----------------|--> time
      load kept   one reaction   announced time   judged: has it come?
                  ahead

A wrong notice costs more than silence, and nothing shows beforehand that it is wrong. So a new
source is watched until it was right once, which costs nothing. Its next steps act, and may come
late. What they save is its credit; a wrong one takes off what it cost. A source in debt is watched
until it was right as often.

Two sources may announce steps of opposite signs at nearly one time: a pulse that is shorter than
the error of a notice, or a contradiction. Neither step acts then. In a sag the power of load
tracking stays, so what a step adds that has not come is withdrawn. It would stay for the whole sag.

An adversary is right while watched, and wrong otherwise. So each debt that was forgiven doubles how
often the source must be right before the next one. After n notices at most about log2(n) were lost.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Protocol

from controller.core.base.integers import within

EARLY_MS = LATE_MS = 50  # a notice may be wrong by so much
BEGUN_PART = 8  # of the step: it has begun to come
EDGE_MS = 150  # in which a step that has begun comes
RIGHT_QUARTERS = 3  # of a right step have come
CREDIT_NOTICES_MAX = 4
NEW_W_MS = -1  # credit of a new source: one right step forgives it

# words of a source; without a step it is free. shown: of right steps while it is in debt;
# forgiven: each debt, doubled with each next one; missing: what the step adds to the guess now
A_STEP_W, A_AGE_MS, A_BEFORE_W, A_COME_W, A_ADDED_W_MS, A_CROSSED = range(6)
A_CREDIT_W_MS, A_SHOWN_W_MS, A_FORGIVEN_W_MS, A_MISSING_W = range(6, 10)
A_WORDS = 10


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


def whole_W(step_W: int) -> int:
    """All of a step, where no range in 5 s is stated."""
    return step_W


class Announced:
    """words: A_WORDS of each source. The age counts from the announced time."""

    def __init__(self, tick_ms: int, sample_ms: int, count: int, share_permille: int):
        """count: of sources; share_permille: of the load that this cabinet follows."""
        self._tick_ms, self._sample_ms = tick_ms, max(sample_ms, tick_ms)
        self._share_permille = share_permille
        self.words = array("q", bytes(8 * A_WORDS * count))
        self._firsts = range(0, len(self.words), A_WORDS)
        for first in self._firsts:
            self.words[first + A_CREDIT_W_MS] = NEW_W_MS

    def begin(self) -> int:
        """Forget the steps, not the credits. Returns what they added to the guess."""
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
        """The guess, moved to the load that is announced. Two sources that announce one moment
        count once, as the larger step. room_W: the part of a step that may be wrong.
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
                most_W = room_W(abs(self.words[first + A_STEP_W]))
                limits = delay_ms, reaction_ms, most_W
                moved_W = self._moved_W(first, load_W, guess_W, limits)
                self.words[first + A_MISSING_W], guess_W = moved_W - guess_W, moved_W
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
            words[first + A_CROSSED] = 0
        elif words[first + A_AGE_MS] >= -reaction_ms:
            return
        words[first + A_AGE_MS] = -notice.start_ms
        words[first + A_STEP_W] = notice.step_W * self._share_permille // 1000

    def _moved_W(self, first: int, load_W: int, guess_W: int, limits: tuple[int, int, int]) -> int:
        """limits: delay_ms, reaction_ms, W of the step that may act."""
        words, (delay_ms, reaction_ms, most_W) = self.words, limits
        step_W, age_ms = words[first + A_STEP_W], words[first + A_AGE_MS]
        size_W, before_W = abs(step_W), words[first + A_BEFORE_W]
        come_W = max(words[first + A_COME_W], _come_W(load_W - before_W, step_W))
        is_begun = BEGUN_PART * come_W >= size_W
        words[first + A_COME_W] = come_W
        if age_ms >= 2 * self._sample_ms + (EDGE_MS if is_begun else LATE_MS):
            self._close(first, size_W * (delay_ms - delay_ms % self._tick_ms))
            return guess_W
        if self._is_crossed(first):
            words[first + A_CROSSED] = 1
        is_acting = words[first + A_CREDIT_W_MS] >= 0 and not words[first + A_CROSSED]
        if age_ms < -reaction_ms or not is_acting:
            return guess_W
        missing_W = max(0, most_W - _come_W(guess_W - before_W, step_W))
        words[first + A_ADDED_W_MS] += missing_W * self._tick_ms
        return guess_W + (missing_W if step_W > 0 else -missing_W)

    def _is_crossed(self, first: int) -> bool:
        """A step of the other sign, of a source that is not in debt, comes at nearly that time."""
        words = self.words
        sign = 1 if words[first + A_STEP_W] > 0 else -1
        return any(
            -sign * words[each + A_STEP_W] * BEGUN_PART >= sign * words[first + A_STEP_W]
            and words[each + A_CREDIT_W_MS] >= 0
            and abs(words[each + A_AGE_MS] - words[first + A_AGE_MS]) <= EARLY_MS + LATE_MS
            for each in self._firsts
        )

    def _close(self, first: int, whole_W_ms: int) -> None:
        """Judge a step and free its words. whole_W_ms: what it leaves without a notice."""
        words = self.words
        size_W, added_W_ms = abs(words[first + A_STEP_W]), words[first + A_ADDED_W_MS]
        is_right = 4 * words[first + A_COME_W] >= RIGHT_QUARTERS * size_W
        words[first + A_STEP_W] = 0
        if words[first + A_CROSSED] and is_right:
            return
        if words[first + A_CREDIT_W_MS] < 0:
            self._watch(first, whole_W_ms if is_right else -whole_W_ms)
        elif is_right:
            self._earn(first, whole_W_ms - abs(added_W_ms - whole_W_ms), whole_W_ms)
        else:
            words[first + A_CREDIT_W_MS] -= added_W_ms

    def _watch(self, first: int, shown_W_ms: int) -> None:
        """A source in debt shows right steps until the debt is forgiven."""
        words = self.words
        debt_W_ms, forgiven_W_ms = -words[first + A_CREDIT_W_MS], words[first + A_FORGIVEN_W_MS]
        words[first + A_SHOWN_W_MS] = max(0, words[first + A_SHOWN_W_MS] + shown_W_ms)
        if words[first + A_SHOWN_W_MS] >= debt_W_ms + forgiven_W_ms:
            words[first + A_FORGIVEN_W_MS] = 2 * forgiven_W_ms + debt_W_ms
            words[first + A_CREDIT_W_MS] = words[first + A_SHOWN_W_MS] = 0

    def _earn(self, first: int, saved_W_ms: int, whole_W_ms: int) -> None:
        """Add the saved energy to the credit. The part above its limit pays forgiven debts."""
        words = self.words
        before_W_ms = words[first + A_CREDIT_W_MS]
        most_W_ms = max(before_W_ms, CREDIT_NOTICES_MAX * whole_W_ms)
        credit_W_ms = min(most_W_ms, before_W_ms + saved_W_ms)
        left_W_ms = before_W_ms + saved_W_ms - credit_W_ms
        words[first + A_CREDIT_W_MS] = credit_W_ms
        words[first + A_FORGIVEN_W_MS] = max(0, words[first + A_FORGIVEN_W_MS] - left_W_ms)


def _come_W(moved_W: int, step_W: int) -> int:
    """The part of a step that a movement is, 0 to its size."""
    return within(moved_W if step_W > 0 else -moved_W, 0, abs(step_W))
