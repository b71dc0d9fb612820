"""Computes features about time.

They are frozen meters (row 50 of the cause-and-effect matrix), late steps (row 44) and the UPS
reserve while its monitor is silent (row 43). source.py adds the time on the grid.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.feature_arrays import TICKS_FOR_MS_MAX, FeatureArrays
from safety.source import AT_START, Source

LATE_MS, LATE_WINDOW_MS = 100, 10_000  # late steps in this window are counted
LATE_STEPS = 3
MINUTE_MS = 60_000
# Places in `words`. FROZEN: ticks since the raw words of each meter changed. HASH: the last hash of
# these words. SOURCE: the words of source.py. LATE: ticks since each of the last late steps, the
# newest first.
FROZEN, HASH, SOURCE, LATE = 0, 2, 4, 6


class Pace:
    """Computes the features of frozen meters, late steps and UPS of one cabinet."""

    def __init__(self, features: FeatureArrays) -> None:
        self.features, self.tick_ms = features, features.tick_ms
        self.inp, self.fresh, self.ages = features.inp, features.fresh, features.ages
        self.late_ticks = p.ticks(LATE_MS, self.tick_ms)
        self.window_ticks = p.ticks(LATE_WINDOW_MS, self.tick_ms)
        self.minute_ticks = p.ticks(MINUTE_MS, self.tick_ms)
        late = [self.window_ticks] * LATE_STEPS
        self.words = array("i", [0] * SOURCE + list(AT_START) + late)
        self.source = Source(features, self.words, SOURCE)

    def update(self, elapsed: int) -> None:
        """Compute the features of a step, `elapsed` ticks after the last step."""
        value = self.features.value
        value[m.F_LATE_STEPS] = self._late(elapsed)
        self.source.update(elapsed)
        self._watch_words(0, s.GRID_RAW_HASH, s.G_METER_GRID, elapsed)
        self._watch_words(1, s.LOAD_RAW_HASH, s.G_METER_LOAD, elapsed)
        # The words of a grid meter do not change while the site is off the grid, so that time is
        # left out.
        grid_ticks = min(self.words[FROZEN], self.source.on_grid_ticks())
        value[m.F_METER_FROZEN_MS] = max(grid_ticks, self.words[FROZEN + 1]) * self.tick_ms
        self._ups()

    def frozen_ms(self) -> int:
        """Longest time for which the words of a meter have not changed, ms, off the grid too."""
        return max(self.words[FROZEN], self.words[FROZEN + 1]) * self.tick_ms

    def _late(self, elapsed: int) -> int:
        """Number of late steps in the last 10 s, 3 at most. A step after one tick is on time."""
        words, count = self.words, 0
        for place in range(LATE, LATE + LATE_STEPS):
            words[place] = min(words[place] + elapsed, self.window_ticks)
        if elapsed > 1 and elapsed >= self.late_ticks:
            for back in range(1, LATE_STEPS):
                words[LATE + LATE_STEPS - back] = words[LATE + LATE_STEPS - back - 1]
            words[LATE] = 0
        for place in range(LATE, LATE + LATE_STEPS):
            count += 1 if words[place] < self.window_ticks else 0
        return count

    def _ups(self) -> None:
        """Count the UPS as in use, with a falling reserve, while its monitor is silent.

        A silent monitor may hide a loss of mains, so the time counts from its last report.
        """
        features, seen, known = self.features, self.ages.seen[s.G_UPS], self.ages.known(s.G_UPS)
        features.put(m.F_ON_UPS, 0 if known and self.inp[s.MAINS_OK] else 1, seen)
        if seen and not known:
            silent_min = self.ages.ticks[s.G_UPS] // self.minute_ticks
            left_min = max(self.inp[s.UPS_RESERVE_MIN] - silent_min, 0)
            features.put(m.F_MAINS_OK, 0, m.KNOWN)
            features.put(m.F_UPS_RESERVE_MIN, left_min, m.KNOWN)

    def _watch_words(self, meter: int, signal: int, group: int, elapsed: int) -> None:
        words = self.words
        if self.fresh[group] and self.inp[signal] != words[HASH + meter]:
            words[HASH + meter] = self.inp[signal]
            words[FROZEN + meter] = 0
        elif self.ages.seen[group]:
            words[FROZEN + meter] = min(words[FROZEN + meter] + elapsed, TICKS_FOR_MS_MAX)
