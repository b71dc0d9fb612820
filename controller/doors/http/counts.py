"""Counts the answers and refusals of one door since it was opened, by status and cause."""

from collections import Counter


class Counts:
    """The counters. gauges: returns the present numbers of connections and streams."""

    def __init__(self, streams_max: int):
        self.streams_max = streams_max
        self.answered: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()
        self.gauges = lambda: (0, 0)
