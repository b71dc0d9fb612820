"""A load that repeats itself: its period, and what came next the last two times.

The period is the lag of the highest local maximum of the autocorrelation of the load's changes, on
a grid of about 100 ms. The autocorrelation forgets with 512 grid steps (51 s). Source: load
tracking study, chapter 4.2.
"""

from array import array
from collections.abc import Sequence

from controller.core.base.integers import within
from controller.core.tracking.samples import FRACTION, Samples

GRID_MS = 100
LAG_MIN, LAG_MAX = 4, 280  # in grid steps: 0.4 s to 28 s; a longer one doubles the keyframe
MEMORY_BITS = 9
# a period is believed from this part of the changes' power on
LIKENESS_TENTHS = 4
SEARCH_STEPS = 5  # grid steps from one search for the period to the next

# samples since the last grid step, grid steps since the last search, period, range of the load
R_GRID, R_STEPS, R_PERIOD, R_LOW_W, R_HIGH_W = range(5)


def kept_samples(sample_ms: int, horizon_ms: int) -> int:
    """How many samples a repetition needs: two of its longest periods and the horizon."""
    step = grid_step(sample_ms)
    return 2 * (LAG_MAX + 1) * step + horizon_ms // sample_ms + 2


def grid_step(sample_ms: int) -> int:
    """Samples in a grid step, at least one."""
    return max(1, (GRID_MS + sample_ms // 2) // sample_ms)


class Repetition:
    """Period in 1/256 sample, 0 while it is unknown; range of the load in the last two periods."""

    def __init__(self, samples: Samples, sample_ms: int):
        self._samples, self._step = samples, grid_step(sample_ms)
        self.words = array("q", [0] * 5)
        self.correlation = array("q", [0] * (LAG_MAX + 2))

    @property
    def is_found(self) -> bool:
        """True while the load repeats itself."""
        return self.words[R_PERIOD] > 0

    def begin(self) -> None:
        """Forget everything."""
        for block in self.words, self.correlation:
            block[:] = array("q", bytes(8 * len(block)))

    def learn(self, periods: int) -> None:
        """Take the newest sample in, which came so many meter periods after the one before. A
        lost sample says nothing of the changes at its time, so the grid step that holds it is left
        out.
        """
        words, newest_W = self.words, self._samples.newest_W()
        words[R_LOW_W] = min(words[R_LOW_W], newest_W)
        words[R_HIGH_W] = max(words[R_HIGH_W], newest_W)
        words[R_GRID] += periods
        if words[R_GRID] < self._step:
            return
        words[R_GRID] %= self._step
        if periods == 1:
            self._correlate()
            words[R_STEPS] = (words[R_STEPS] + 1) % SEARCH_STEPS
            if not words[R_STEPS]:
                self._find()

    def guess_W(self, horizon_256: int) -> int:
        """The load `horizon_256` (1/256 sample) after the newest sample: what came next the last
        two times, as far as both agree, and within the range of the last two periods.
        """
        period, newest_W = self.words[R_PERIOD], self._samples.newest_W()
        first_W, second_W = (self._came_next_W(turn * period, horizon_256) for turn in (1, 2))
        agreed_W = 0
        if first_W > 0 < second_W:
            agreed_W = min(first_W, second_W)
        elif first_W < 0 > second_W:
            agreed_W = max(first_W, second_W)
        low_W, high_W = self.words[R_LOW_W], self.words[R_HIGH_W]
        return within(newest_W + agreed_W, min(low_W, newest_W), max(high_W, newest_W))

    def _came_next_W(self, age_256: int, horizon_256: int) -> int:
        """Change of the load from this age to one horizon later."""
        later_256 = age_256 - horizon_256
        if later_256 < 0:  # beyond the newest sample: as many periods before that
            later_256 %= self.words[R_PERIOD]
        return self._samples.between_W(later_256) - self._samples.between_W(age_256)

    def _correlate(self) -> None:
        at = self._samples.every(self._step, LAG_MAX + 3)
        changes = [newer - older for newer, older in zip(at, at[1:])]
        newest = changes[0]
        sums = zip(self.correlation, changes)
        moved = [old + ((newest * change - old) >> MEMORY_BITS) for old, change in sums]
        self.correlation[:] = array("q", moved)

    def _find(self) -> None:
        """Period from the highest local maximum, refined by a parabola through its neighbours."""
        words, lags = self.words, self.correlation
        words[R_PERIOD] = 0
        at = _highest_peak(lags)
        if not at or 10 * lags[at] <= LIKENESS_TENTHS * lags[0]:
            return
        bend = lags[at - 1] - 2 * lags[at] + lags[at + 1]
        half = FRACTION // 2 * (lags[at - 1] - lags[at + 1])
        words[R_PERIOD] = ((at * FRACTION) + (half // bend if bend else 0)) * self._step
        seen = self._samples.every(1, 2 * words[R_PERIOD] // FRACTION + 2)
        words[R_LOW_W], words[R_HIGH_W] = min(seen), max(seen)


def _highest_peak(lags: Sequence[int]) -> int:
    """Lag of the highest local maximum from LAG_MIN on, 0 without a maximum."""
    searched = lags[LAG_MIN : LAG_MAX + 1]
    at = searched.index(max(searched)) + LAG_MIN
    if lags[at - 1] < lags[at] >= lags[at + 1]:
        return at
    peaks = [
        (height, lag)
        for lag, (before, height, after) in enumerate(zip(lags[3:], lags[4:], lags[5:]), LAG_MIN)
        if before < height >= after
    ]
    return max(peaks)[1] if peaks else 0
