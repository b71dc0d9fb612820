"""Piecewise linear tables on a uniform grid, for fast look-up."""

import bisect
from collections.abc import Sequence


class Table:
    """Values over [low, high] in equal steps. Outside, the table returns its end value."""

    def __init__(self, anchors: Sequence[tuple[float, float]], step: float) -> None:
        """anchors: (x, y) with rising x, multiples of step apart; step: spacing of the grid."""
        self.low = anchors[0][0]
        self.per_unit = 1.0 / step
        self.last = round((anchors[-1][0] - self.low) * self.per_unit)
        self.values = [_between(anchors, self.low + i * step) for i in range(self.last + 1)]
        self.steps = [b - a for a, b in zip(self.values, self.values[1:])]

    def at(self, x: float) -> float:
        """The value at x, linear between grid points."""
        position = (x - self.low) * self.per_unit
        if position <= 0.0:
            return self.values[0]
        if position >= self.last:
            return self.values[-1]
        i = int(position)
        return self.values[i] + self.steps[i] * (position - i)


def _between(anchors: Sequence[tuple[float, float]], x: float) -> float:
    right = bisect.bisect_left([anchor_x for anchor_x, _ in anchors], x, 1, len(anchors) - 1)
    (x0, y0), (x1, y1) = anchors[right - 1], anchors[right]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
