"""Finds the period of a load that repeats itself, and guesses how the load will move.

The period is the lag of the highest local maximum of the autocorrelation of the load's changes. The
autocorrelation uses a time grid of about 100 ms, and a memory of 512 steps (51 s). On this grid
movement above 5 Hz looks slow (aliasing). Then the period that a parabola through the maximum gives
has a wrong phase:

    tone of 9.8 Hz on the grid: 0.24 Hz, period 4.17 s; 4.17 s are 40.7 periods of the tone

So the samples one period ago are compared with the last 2 s, for each lag around the maximum. A
repetition that is lost and found again moves the site's grid power more than the load does, so a
period stays until another fits better. A search is spread over several samples, one step each.
Otherwise one tick would take five times as long as the others.
Source: load tracking study, chapter 4.2.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from operator import mul, sub

from controller.core.base.integers import within
from controller.core.tracking.packed import Products
from controller.core.tracking.samples import FRACTION, Samples

GRID_MS = 100
# In grid steps: 0.4 s to 28 s. A longer lag would double the keyframe of the journal.
LAG_MIN, LAG_MAX = 4, 280
MEMORY_BITS = 9  # a memory of 2^9 grid steps
# A period counts if its correlation is above this part of the changes' power.
LIKENESS_TENTHS = 4
SEARCH_STEPS = 5  # grid steps from one search for the period to the next
# A period is refined over the last 2 s of the load, with a sample each 20 ms.
FINE_MS, FINE_STEP_MS = 2000, 20
FINE_LAG_MS = 5000  # 2 s are too short to refine a longer period

# R_GRID: samples since the last grid step.
# R_STEPS: grid steps since the last search.
# R_LOW_W, R_HIGH_W: range of the load.
# R_LAG: maximum that a search has found, in grid steps, until it is refined.
# R_NEXT: refined period, until it counts.
R_GRID, R_STEPS, R_PERIOD, R_LOW_W, R_HIGH_W, R_LAG, R_NEXT = range(7)


def kept_samples(sample_ms: int) -> int:
    """Number of samples that a repetition needs: two of the longest periods."""
    return 2 * (LAG_MAX + 1) * grid_step(sample_ms) + 2


def grid_step(sample_ms: int) -> int:
    """Samples in a grid step, at least one."""
    return max(1, (GRID_MS + sample_ms // 2) // sample_ms)


class Repetition:
    """The period (1/256 sample, 0 if unknown), and the range of the load in two periods."""

    def __init__(self, samples: Samples, sample_ms: int):
        self._samples, self._step = samples, grid_step(sample_ms)
        self._fine = max(1, FINE_STEP_MS // sample_ms)
        self._fine_lag = FINE_LAG_MS // sample_ms
        self._count = FINE_MS // (sample_ms * self._fine)
        self.words = array("q", [0] * 7)
        self.correlation = array("q", [0] * (LAG_MAX + 2))
        self._products = Products(LAG_MAX + 2, MEMORY_BITS)

    @property
    def is_found(self) -> bool:
        """True while the load repeats itself."""
        return self.words[R_PERIOD] > 0

    def begin(self) -> None:
        """Forget everything."""
        for block in self.words, self.correlation:
            block[:] = array("q", bytes(8 * len(block)))

    def learn(self, periods: int) -> None:
        """Take the newest sample. periods: meter periods since the previous sample. A lost sample
        says nothing about the change at its time, so its grid step is left out.
        """
        state, newest_W = self.words, self._samples.newest_W()
        if state[R_NEXT]:
            self._choose()
        elif state[R_LAG]:
            self._refine()
        if newest_W < state[R_LOW_W]:
            state[R_LOW_W] = newest_W
        elif newest_W > state[R_HIGH_W]:
            state[R_HIGH_W] = newest_W
        state[R_GRID] += periods
        if state[R_GRID] < self._step:
            return
        state[R_GRID] %= self._step
        if periods == 1:
            powers_W = self._samples.every(self._step, LAG_MAX + 3)
            self.correlation[:] = self._products.moved(self.correlation, powers_W)
            state[R_STEPS] = (state[R_STEPS] + 1) % SEARCH_STEPS
            if not state[R_STEPS]:
                self._find()

    def guess_W(self, horizon_256: int) -> int:
        """Guess of the load `horizon_256` (1/256 sample) after the newest sample: it moves as one
        period ago, within the range of the last two periods.
        """
        period, samples = self.words[R_PERIOD], self._samples
        later_256 = (period - horizon_256) % period  # a longer horizon repeats the period
        moved_W = samples.change_W(period, later_256)
        return within(samples.newest_W() + moved_W, self.words[R_LOW_W], self.words[R_HIGH_W])

    def _find(self) -> None:
        """Find the highest local maximum. It counts at once if no sample is finer than the grid."""
        state, correlation = self.words, self.correlation
        state[R_NEXT], state[R_LAG] = 0, _highest_peak(correlation.tolist())
        if not state[R_LAG] or 10 * correlation[state[R_LAG]] <= LIKENESS_TENTHS * correlation[0]:
            state[R_LAG] = state[R_PERIOD] = 0
        elif self._step == 1:
            self._refine()
            self._choose()

    def _refine(self) -> None:
        """Refine the maximum by the samples around it, or by a parabola if they do not decide."""
        state, lag, step, fine = self.words, self.words[R_LAG], self._step, self._fine
        period = (lag * FRACTION + _vertex(*self.correlation[lag - 1 : lag + 2])) * step
        reach = step // (2 * fine)
        if reach and lag * step <= self._fine_lag:
            first_lag, lag_count = lag * step - (reach + 1) * fine, 2 * reach + 3
            differences = self._all_unlike(first_lag, lag_count)
            vertex_difference = differences[(_rounded(period) - first_lag) // fine]
            best_index = min(range(1, lag_count - 1), key=differences.__getitem__)
            best_three = differences[best_index - 1 : best_index + 2]
            if best_three[1] == min(vertex_difference, *best_three):
                period = (first_lag + best_index * fine) * FRACTION + _vertex(*best_three) * fine
        state[R_LAG], state[R_NEXT] = 0, period

    def _choose(self) -> None:
        """Take the refined period, unless the period in use fits as well. Find the range of the
        load in two periods.
        """
        state = self.words
        before, period, state[R_NEXT] = state[R_PERIOD], state[R_NEXT], 0
        is_other = self._step > 1 and before > 0 and abs(before - period) >= FRACTION
        if is_other and self._unlike(before) <= self._unlike(period):
            period = before
        state[R_PERIOD] = period
        sample_count = 2 * period // FRACTION + 2
        state[R_LOW_W], state[R_HIGH_W] = self._samples.range_W(sample_count)

    def _unlike(self, period_256: int) -> int:
        """Squared difference of the load of the last 2 s and the load one period before."""
        newer = self._samples.every(self._fine, self._count)
        older = self._samples.every(self._fine, self._count, _rounded(period_256))
        differences_W = list(map(sub, newer, older))
        return sum(map(mul, differences_W, differences_W))

    def _all_unlike(self, first_lag: int, lag_count: int) -> list[int]:
        """`_unlike` for `lag_count` lags, from `first_lag` samples on. The sum of newer^2 is left
        out, because it is the same for all lags.
        """
        sampled, fine, count = self._samples.every, self._fine, self._count
        newer, older = (
            sampled(fine, count).tolist(),
            sampled(fine, count + lag_count - 1, first_lag).tolist(),
        )
        squares = list(accumulate(map(mul, older, older), initial=0))
        return [
            end_sum - begin_sum - 2 * sum(map(mul, newer, older[index:]))
            for index, (begin_sum, end_sum) in enumerate(zip(squares, squares[count:]))
        ]


def _rounded(period_256: int) -> int:
    """The period in whole samples."""
    return (period_256 + FRACTION // 2) // FRACTION


def _vertex(before: int, middle: int, after: int) -> int:
    """Place of a parabola's vertex in 1/256, from the middle one of three points."""
    bend = before - 2 * middle + after
    return FRACTION // 2 * (before - after) // bend if bend else 0


def _highest_peak(heights: Sequence[int]) -> int:
    """Lag of the highest local maximum from LAG_MIN on, 0 without one. A value that still rises at
    an end of the range is no maximum.
    """
    first, last = LAG_MIN, LAG_MAX
    while first <= last and heights[first] <= heights[first - 1]:
        first += 1
    while first <= last and heights[last] < heights[last + 1]:
        last -= 1
    return heights.index(max(heights[first : last + 1]), first) if first <= last else 0
