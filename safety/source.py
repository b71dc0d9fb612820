"""Decides whether the power source of the site is the grid or another one.

Other sources are a generator set, or the converters alone. A contact of the transfer switch is
closed off the grid. If it is open, unknown, silent or not fitted, the source counts as grid,
because then every row of the cause-and-effect matrix acts. Off the grid row 50b ignores the grid
meter. Row 56 ignores a converter that forms the grid, because no set-point applies to it.
"""

from array import array

from safety import parameters as p, signals as s
from safety.feature_arrays import FeatureArrays

# The contact must be closed for this time, in several readings, so a pulse disables no row.
OFF_GRID_MS = 500
ON_GRID_TICKS_MAX = 1_000_000
# Words. CLOSED: steps for which the contact has been closed, up to OFF_GRID_MS. It grows by one per
# step, like every count that ends a cause. ON_GRID: ticks since the source counts as grid, 0 while
# it does not.
CLOSED, ON_GRID = range(2)
AT_START = (0, ON_GRID_TICKS_MAX)


class Source:
    """The source of one cabinet. Its two words are in `words` from place `at` on."""

    def __init__(self, features: FeatureArrays, words: "array[int]", at: int) -> None:
        self.ages, self.inp, self.words, self.at = features.ages, features.inp, words, at
        self.off_grid_steps = p.ticks(OFF_GRID_MS, features.tick_ms)

    def update(self, elapsed: int) -> None:
        """Debounce the contact. A change back to the grid has no delay."""
        words, closed, on_grid = self.words, self.at + CLOSED, self.at + ON_GRID
        is_off = self.ages.known(s.G_IO_3) and self.inp[s.SOURCE_CODE] != s.SOURCE_GRID
        words[closed] = min(words[closed] + 1, self.off_grid_steps) if is_off else 0
        if words[closed] == self.off_grid_steps:
            words[on_grid] = 0
        else:
            words[on_grid] = min(words[on_grid] + elapsed, ON_GRID_TICKS_MAX)

    def on_grid_ticks(self) -> int:
        """Ticks for which the source has counted as grid, at most ON_GRID_TICKS_MAX."""
        return self.words[self.at + ON_GRID]

    def is_off_grid(self) -> bool:
        """True while the contact is fresh and has been closed for OFF_GRID_MS."""
        return self.words[self.at + ON_GRID] == 0
