"""The samples of the load meter that load tracking remembers: a ring at the meter's own rate.

A search for the range of all samples takes 0.1 ms. So each block of the ring keeps its least and
largest sample.
"""

from array import array

FRACTION = 256  # positions between two samples are in 1/256 sample

BLOCK = 128

# S_FILLED: 1 after the first sample. S_NEWEST: place of the newest sample in the ring.
S_FILLED, S_NEWEST = range(2)


class Samples:
    """Samples in W, one meter period apart. A place counts samples back from the newest one."""

    def __init__(self, count: int):
        """count: how many samples the ring keeps."""
        self.ring = array("i", [0] * count)
        self.lows, self.highs = (array("i", [0] * -(-count // BLOCK)) for _ in range(2))
        self.words = array("q", [0, 0])

    def arrays(self) -> tuple["array[int]", ...]:
        """Every array that carries over to the next tick."""
        return self.words, self.ring, self.lows, self.highs

    def begin(self, load_W: int) -> None:
        """Forget everything: the past is one constant load."""
        for block in self.ring, self.lows, self.highs:
            block[:] = array("i", [load_W]) * len(block)
        self.words[S_FILLED] = 1

    def append(self, load_W: int) -> None:
        """Add the newest sample."""
        state, lows, highs = self.words, self.lows, self.highs
        state[S_NEWEST] = index = (state[S_NEWEST] + 1) % len(self.ring)
        self.ring[index] = load_W
        block = index // BLOCK
        if not index % BLOCK:
            lows[block] = highs[block] = load_W
        elif load_W < lows[block]:
            lows[block] = load_W
        elif load_W > highs[block]:
            highs[block] = load_W

    def newest_W(self) -> int:
        """The newest sample."""
        return self.ring[self.words[S_NEWEST]]

    def change_W(self, older_256: int, newer_256: int) -> int:
        """Change of the load between two ages in 1/256 sample, linear between samples."""
        ring, newest, count = self.ring, self.words[S_NEWEST], len(self.ring)
        index = (newest - older_256 // FRACTION) % count
        from_W = ring[index]
        from_W += (ring[index - 1] - from_W) * (older_256 % FRACTION) >> 8
        index = (newest - newer_256 // FRACTION) % count
        to_W = ring[index]
        return to_W + ((ring[index - 1] - to_W) * (newer_256 % FRACTION) >> 8) - from_W

    def every(self, step: int, count: int, back: int = 0) -> "array[int]":
        """`count` samples, `step` apart, newest first. back: number of samples to skip before the
        first.
        """
        ring = self.ring
        index = (self.words[S_NEWEST] - back) % len(ring)
        inside = min(count, index // step + 1)
        samples = ring[index : index - inside * step if index >= inside * step else None : -step]
        if inside < count:
            index += len(ring) - inside * step
            end = index - (count - inside) * step
            samples += ring[index : end if end >= 0 else None : -step]
        return samples

    def range_W(self, count: int) -> tuple[int, int]:
        """The least and the largest of the `count` newest samples."""
        newest = self.words[S_NEWEST]
        first = newest + 1 - count
        index = first % len(self.ring)
        block, end = index // BLOCK + 1, newest // BLOCK + 1
        seen = self.ring[index : min(block * BLOCK, newest + 1) if first >= 0 else block * BLOCK]
        lows, highs = (
            extremes[block:end] if first >= 0 else extremes[block:] + extremes[:end]
            for extremes in (self.lows, self.highs)
        )
        return min(seen + lows), max(seen + highs)
