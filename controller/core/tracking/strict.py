"""The strict judge, for a site whose grid operator limits the peak-to-peak range in 5 s to W.

An unexpected step appears twice on the grid: as the load's edge, then as the battery's. If a
battery follows the share v of swings of height h, the range of the grid in 5 s is (1 + v) h. The
naive way follows only the share that is safe, v = W / h - 1. If the load's own range is above W,
that is nothing, and the grid gets all swings although load tracking would have left a tenth.

So a choice of the judge may be followed whole while the range that it has left on the grid lately
is at most 2/3 W, or at most the load's range. If no choice may, only the share

    v = 4/5 W / (largest range of the load lately) - 1

is followed. It is safe unless a swing is more than a quarter larger than all swings before.

All ranges are forgotten equally slowly. With a memory of 10 s, a choice that had failed was soon
followed again, and failed again. Only the parts of the powers above 0.1 Hz count. Source: second
study of load tracking, chapters 2 and 5; `hil smooth --range-kW` judges the result.
"""

from array import array
from collections.abc import Sequence

from controller.core.base.integers import within

BLOCK_MS, BLOCKS = 500, 10
KEPT_BLOCKS = 240  # the largest range in 5 s is forgotten with a time constant of two minutes
FEARED, FEARED_OF = 4, 5  # the next swing may be a quarter larger than any before
CLEAR, CLEAR_OF = 2, 3  # what a choice leaves may become half as large again
NO_RULE_W = 100_000_000
ONE = 256

S_MS, S_BLOCK, S_SHARE, S_RANGE_W = range(4)


def share(range_W_max: int, range_W: int) -> int:
    """Share of the load's movement that may be followed if no choice may, in 1/256."""
    free_W = within(FEARED * range_W_max // FEARED_OF - range_W, 0, range_W)
    return ONE * free_W // range_W if range_W else ONE * (range_W_max > 0)


class Strict:
    """Extremes of each signal, W. Signal 0 is the load, the others are the rest after
    each choice.
    """

    def __init__(self, range_W_max: int, sample_ms: int, shares: int):
        self._range_W_max, self._sample_ms, self._signals = range_W_max, sample_ms, shares + 1
        self.words = array("q", [0] * 4)
        self.lows = array("q", [0] * (BLOCKS * self._signals))
        self.highs = array("q", [0] * (BLOCKS * self._signals))
        self.kept = array("q", [0] * self._signals)

    def arrays(self) -> tuple["array[int]", ...]:
        """Every array that carries over to the next tick."""
        return self.words, self.lows, self.highs, self.kept

    def begin(self) -> None:
        """Forget everything."""
        for block in self.arrays():
            block[:] = array("q", bytes(8 * len(block)))
        self._allow()

    @property
    def share(self) -> int:
        """See the function share."""
        return self.words[S_SHARE]

    def room_W(self, step_W: int) -> int:
        """Largest power that the battery may add to a step. A step or a swing may appear twice."""
        return max(0, self._range_W_max - 2 * max(self.words[S_RANGE_W], step_W))

    def take(self, powers_W: Sequence[int]) -> None:
        """Take a new sample. powers_W: the load, then the rest after each choice, above 0.1 Hz."""
        state = self.words
        state[S_MS] += self._sample_ms
        if state[S_MS] >= BLOCK_MS:
            state[S_MS] = 0
            self._next_block(powers_W)
        index = state[S_BLOCK]
        lows, highs = self.lows, self.highs
        for power_W in powers_W:
            if power_W < lows[index]:
                lows[index] = power_W
            if power_W > highs[index]:
                highs[index] = power_W
            index += BLOCKS
        self._allow()

    def _next_block(self, powers_W: Sequence[int]) -> None:
        """Keep the ranges of the last 5 s, and begin a new block."""
        state = self.words
        state[S_BLOCK] = (state[S_BLOCK] + 1) % BLOCKS
        for signal, power_W in enumerate(powers_W):
            largest_W = self._largest_W(signal)
            self.kept[signal] = largest_W - largest_W // KEPT_BLOCKS
            index = signal * BLOCKS + state[S_BLOCK]
            self.lows[index] = self.highs[index] = power_W

    def _largest_W(self, signal: int) -> int:
        """The largest recent range in 5 s."""
        part = slice(signal * BLOCKS, (signal + 1) * BLOCKS)
        return max(self.kept[signal], max(self.highs[part]) - min(self.lows[part]))

    def _allow(self) -> None:
        range_W = self._largest_W(0)
        self.words[S_RANGE_W], self.words[S_SHARE] = range_W, share(self._range_W_max, range_W)

    def allows(self, choice: int) -> bool:
        """True if the choice (from 1) may be followed whole."""
        clear_W = CLEAR * self._range_W_max // CLEAR_OF
        return self._largest_W(choice) <= max(clear_W, self.words[S_RANGE_W])
