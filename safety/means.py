"""Two series that should tell the same: their means over the last 2 s, and how far the second one
ranged in the last 4 s.

What one source tells later than the other (by 2 s at most) changes a mean by no more than that
delay times the range, divided by the 2 s: so a swing of the load is no contradiction, and a lasting
difference is.
"""

BLOCK_MS = 500  # a new result each half second
MEAN_BLOCKS, BLOCKS = 4, 8
WINDOW_MS = MEAN_BLOCKS * BLOCK_MS
RANGE_MAX = 500_000  # so that times 2000 ms it is a small int
VALUE_MAX = RANGE_MAX // 2  # a value beyond counts as this
# of a block: sums of value times ticks, lowest and highest of the second series
FIRST, SECOND, LOW, HIGH = range(4)
BLOCK_WORDS = 4
# words of a pair of series: results, blocks that are full, ticks in the one that is being filled,
# that one, those before it with the newest first
KNOWN, MEAN_FIRST, MEAN_SECOND, RANGE, FILLED, TICKS, NOW = range(7)
WORDS = NOW + (1 + BLOCKS) * BLOCK_WORDS


def within(value: int) -> int:
    """A value that Means can hold."""
    return min(max(value, -VALUE_MAX), VALUE_MAX)


class Means:
    """One pair of series, in WORDS words of `words` from `at` on. words[at + KNOWN] is 1 once the
    results MEAN_FIRST, MEAN_SECOND and RANGE are of 4 s without a gap.
    """

    def __init__(self, words, at: int, tick_ms: int):
        self.words, self.at, self.block_ticks = words, at, BLOCK_MS // tick_ms
        self.sum_max = VALUE_MAX * self.block_ticks

    def forget(self) -> None:
        """A value is missing: begin anew."""
        words, at = self.words, self.at
        words[at + KNOWN] = words[at + FILLED] = words[at + TICKS] = 0

    def add(self, elapsed: int, first: int, second: int) -> None:
        """One value of each, `elapsed` ticks after those before. A block has the same ticks always:
        what a late step has beyond them is left out.
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

    def _count(self, at, value):
        """Within what a block can hold, also if a word of the memory is not what was written."""
        self.words[at] = min(max(self.words[at] + value, -self.sum_max), self.sum_max)

    def _end_block(self, at):
        words, last = self.words, at + WORDS - 1
        for back in range(BLOCKS * BLOCK_WORDS):
            words[last - back] = words[last - back - BLOCK_WORDS]
        words[at + TICKS] = 0
        words[at + FILLED] = min(words[at + FILLED] + 1, BLOCKS)
        if words[at + FILLED] == BLOCKS:
            self._result(at)

    def _result(self, at):
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
