"""The strict judge, for a site whose grid operator limits the peak-to-peak range in 5 s to W.

An unexpected step appears twice on the grid: as the load's edge, then as the battery's. If a
battery follows the share v of swings of height h, the range of the grid in 5 s is (1 + v) h. So

    v = 4/5 W / (largest range of the load lately) - 1

is safe unless a swing is more than a quarter larger than all swings before. The share falls in the
tick in which a larger swing appears, but the battery still has the power of the larger share. A
swing that grows by the factor g from a share v leaves up to (3/2 - 1/(2 g)) times the range, which
is 1.2 at g = 1.8. So the factor 4/5 keeps a fifth in reserve.

A choice of the judge is proven, and then followed without this share, in two cases:

1. The range that it has left on the grid is at most W. It is also clearly less than the load's
   range, or at most half of W, so that the next swing may be twice as large. A choice that shows
   steps twice leaves more than the load's range.
2. It has left at most half of the load's range for 20 s, even if this is above W.

Only the parts of the powers above 0.1 Hz count. Source: second study of load tracking, chapters 2
and 5. The conditions were tested with 108 random series of steps whose range is close to W. With
"at most W" alone, 30 of them exceeded max(W, 1.11 times the load's range), by a factor of up to
1.4. With these conditions the largest factor is 1.00.
"""

from array import array
from collections.abc import Sequence

from controller.core.base.integers import within

BLOCK_MS, BLOCKS = 500, 10
KEPT_BLOCKS = 240  # the largest range in 5 s is forgotten with a time constant of two minutes
FEARED, FEARED_OF = 4, 5  # the next swing may be a quarter larger than any before
# After a swing a 16th larger than before, nothing is proven for LIKE_MS: its end has not been seen.
GROWN_PARTS, LIKE_MS = 16, 1000
LESS_PARTS = 8  # "clearly less than the load": an eighth less than its range
PROOF_BLOCKS, CLEAR_PARTS = 40, 2  # 20 s; half of W or of the load's range
NO_RULE_W = 100_000_000
ONE = 256

S_MS, S_BLOCK, S_SEEN, S_SHARE, S_RANGE_W, S_LIKE_MS = range(6)


def share(range_W_max: int, range_W: int) -> int:
    """Share of the load's movement in 1/256 that may be followed without proof."""
    free_W = within(FEARED * range_W_max // FEARED_OF - range_W, 0, range_W)
    return ONE * free_W // range_W if range_W else ONE * (range_W_max > 0)


class Strict:
    """Extremes of each signal, W. Signal 0 is the load, the others are the rest after
    each choice.
    """

    def __init__(self, range_W_max: int, sample_ms: int, shares: int):
        self._range_W_max, self._sample_ms, self._signals = range_W_max, sample_ms, shares + 1
        self.words = array("q", [0] * 6)
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
        """The share of the load's movement that may be followed without proof, in 1/256."""
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
        state[S_SEEN] = min(state[S_SEEN] + 1, PROOF_BLOCKS)
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
        state = self.words
        state[S_RANGE_W] = self._largest_W(0)
        before_W = self.kept[0]
        is_grown = state[S_RANGE_W] > before_W + before_W // GROWN_PARTS
        state[S_LIKE_MS] = 0 if is_grown else min(state[S_LIKE_MS] + self._sample_ms, LIKE_MS)
        state[S_SHARE] = share(self._range_W_max, state[S_RANGE_W])

    @property
    def is_like(self) -> bool:
        """True if no larger swing than before is under way."""
        return self.words[S_LIKE_MS] >= LIKE_MS

    def is_proven(self, choice: int, is_followed: bool) -> bool:
        """True if the choice (from 1) meets one of the two cases above. Within W, a choice that is
        followed whole stays proven until the end of a larger swing is seen.
        """
        state, left_W = self.words, self._largest_W(choice)
        if left_W <= self._range_W_max:
            is_less = left_W <= state[S_RANGE_W] - state[S_RANGE_W] // LESS_PARTS
            is_small = CLEAR_PARTS * left_W <= self._range_W_max
            return is_less or is_small or (is_followed and not self.is_like)
        is_seen = state[S_SEEN] == PROOF_BLOCKS and self.is_like
        return is_seen and CLEAR_PARTS * left_W <= state[S_RANGE_W]
