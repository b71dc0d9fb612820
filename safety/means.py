"""Compares two series that should agree, such as a measured current and its cross-check.

One source may be late compared with the other, by 2 s at most. The delay changes a mean over 2 s by
at most delay x range / 2 s. This is allowed as a margin, so a swing of the load does not count as a
difference, while a lasting difference is found. The range is that of the second series over the
last 4 s.
"""

from array import array

BLOCK_MS = 500  # each block gives a new result
MEAN_BLOCKS, BLOCKS = 4, 8
WINDOW_MS = MEAN_BLOCKS * BLOCK_MS
RANGE_MAX = 500_000  # times 2000 ms it is still a small int
VALUE_MAX = RANGE_MAX // 2  # a larger value counts as this one
# Words of a block. FIRST, SECOND: sum of value x ticks of each series. LOW, HIGH: lowest and
# highest value of the second series.
FIRST, SECOND, LOW, HIGH = range(4)
BLOCK_WORDS = 4
# Words of a pair of series. KNOWN to RANGE: the results. FILLED: number of full blocks. TICKS:
# ticks in the present block. NOW: the present block, followed by the earlier blocks from new to
# old.
KNOWN, MEAN_FIRST, MEAN_SECOND, RANGE, FILLED, TICKS, NOW = range(7)
WORDS = NOW + (1 + BLOCKS) * BLOCK_WORDS


def within(value: int) -> int:
    """The value, limited to the range that Means can hold."""
    return min(max(value, -VALUE_MAX), VALUE_MAX)


class Means:
    """One pair of series. Its WORDS words are in `words` from place `at` on.

    words[at + KNOWN] is 1 once MEAN_FIRST, MEAN_SECOND and RANGE come from 4 s without a gap.
    """

    def __init__(self, words: "array[int]", at: int, tick_ms: int) -> None:
        self.words, self.at, self.block_ticks = words, at, BLOCK_MS // tick_ms
        self.sum_max = VALUE_MAX * self.block_ticks

    def forget(self) -> None:
        """Start again, because a value is missing."""
        words, at = self.words, self.at
        words[at + KNOWN] = words[at + FILLED] = words[at + TICKS] = 0

    def add(self, elapsed: int, first: int, second: int) -> None:
        """Add a value of each series, `elapsed` ticks after the last values.

        Every block has the same number of ticks. Ticks of a late step beyond that are left out.
        """
        words, at, now = self.words, self.at, self.at + NOW
        first, second = within(first), within(second)
        if words[at + TICKS] == 0:
            words[now + FIRST] = words[now + SECOND] = 0
            words[now + LOW] = words[now + HIGH] = second
        ticks = max(0, min(elapsed, self.block_ticks - words[at + TICKS]))
        words[at + TICKS] += ticks
        self._count(now + FIRST, first * ticks)
        self._count(now + SECOND, second * ticks)
        words[now + LOW] = min(words[now + LOW], second)
        words[now + HIGH] = max(words[now + HIGH], second)
        if words[at + TICKS] >= self.block_ticks:
            self._end_block(at)

    def _count(self, place: int, value: int) -> None:
        """Add to a sum, within the limits of a block: a flipped bit must not overflow the sum."""
        self.words[place] = min(max(self.words[place] + value, -self.sum_max), self.sum_max)

    def _end_block(self, at: int) -> None:
        words, last = self.words, at + WORDS - 1
        for back in range(BLOCKS * BLOCK_WORDS):
            words[last - back] = words[last - back - BLOCK_WORDS]
        words[at + TICKS] = 0
        words[at + FILLED] = min(words[at + FILLED] + 1, BLOCKS)
        if words[at + FILLED] == BLOCKS:
            self._result(at)

    def _result(self, at: int) -> None:
        words, block = self.words, at + NOW + BLOCK_WORDS
        first = second = 0
        low = high = words[block + LOW]
        for back in range(BLOCKS):
            low, high = min(low, words[block + LOW]), max(high, words[block + HIGH])
            if back < MEAN_BLOCKS:
                first += words[block + FIRST]
                second += words[block + SECOND]
            block += BLOCK_WORDS
        ticks = MEAN_BLOCKS * self.block_ticks
        words[at + MEAN_FIRST], words[at + MEAN_SECOND] = first // ticks, second // ticks
        words[at + RANGE] = high - low
        words[at + KNOWN] = 1
