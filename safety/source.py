"""What feeds the cabinet: the grid, or something else (a generator set, or the converters alone).

A contact of the transfer switch is closed off the grid. Open, unknown, silent or not fitted counts
as grid: then every row acts. Off the grid row 50b leaves the grid meter out, and row 56 leaves out
a converter that forms the grid: no set-point applies to it.
"""

from array import array

from safety import parameters as p, signals as s
from safety.ages import Ages

# The contact must be closed for so long, in several readings: a pulse leaves no row out.
OFF_GRID_MS = 500
# Places in `words`. CLOSED: steps for which the contact has been closed, at most those of
# OFF_GRID_MS. They count one per step, as every count that takes a cause away.
# ON_GRID: ticks since the source counts as grid, 0 while it does not.
CLOSED, ON_GRID = range(2)
ON_GRID_TICKS_MAX = 1_000_000


class Source:
    """The source of one cabinet."""

    def __init__(self, ages: Ages, inp: "array[int]", tick_ms: int) -> None:
        self.ages, self.inp = ages, inp
        self.off_grid_steps = p.ticks(OFF_GRID_MS, tick_ms)
        self.words = array("i", [0, ON_GRID_TICKS_MAX])

    def update(self, elapsed: int) -> None:
        """Debounce the contact. The way back to the grid has no delay."""
        words = self.words
        is_off = self.ages.known(s.G_IO_3) and self.inp[s.SOURCE_CODE] != s.SOURCE_GRID
        words[CLOSED] = min(words[CLOSED] + 1, self.off_grid_steps) if is_off else 0
        if words[CLOSED] == self.off_grid_steps:
            words[ON_GRID] = 0
        else:
            words[ON_GRID] = min(words[ON_GRID] + elapsed, ON_GRID_TICKS_MAX)

    def is_off_grid(self) -> bool:
        """True while the contact is fresh and has been closed for OFF_GRID_MS."""
        return self.words[ON_GRID] == 0
