"""The share of the sun that the sky lets through: clouds change by the second, weather by the day.

A cloud takes 40 to 75 % of the sun within 3 to 12 s. Beside its edge the sky reflects up to 15 %
more (cloud enhancement), so the power jumps from above the clear sky to far below.
"""

import math
import random

import numpy as np

CYCLE_S = 180.0  # mean time of one cloud and the gap after it
EDGE_S, BRIGHT_S = (3.0, 12.0), 5.0
PASSES, BRIGHT = (0.25, 0.6), (1.0, 1.15)
TAKES = 1 - math.fsum(PASSES) / 2  # share of the sun that a cloud takes on average
# Clear-sky index of a day: its irradiance over that of a clear sky. DAYS: {mean: values at RANKS}
# of a typical year at Sand Point and Greensboro (NREL TMY3). Model / data at Greensboro, at Sand
# Point (test_sun.py):
#   mean                         0.71 / 0.72, 0.57 / 0.56
#   standard deviation           0.19 / 0.22, 0.22 / 0.25
#   correlation with next day    0.33 / 0.31, 0.33 / 0.36
#   percent of days below 0.4    8 / 11, 31 / 35
RANKS = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
DAYS = {
    0.56: (0.15, 0.22, 0.26, 0.33, 0.56, 0.76, 0.92, 1.0),
    0.72: (0.2, 0.25, 0.39, 0.54, 0.77, 0.89, 0.97, 1.0),
}
# mean duration of one kind of sky; duration of the front between two kinds
LASTS_S, FRONT_S = (65_000.0, 3600.0)
OVERCAST = 0.4  # below this index the sky is a closed layer, above it there are broken clouds
LAYER_COVER = 0.2  # share of the time in which a cloud passes below a closed layer


class Clouds:
    """Share of the clear sky's irradiance, drawn from a seed. Calls must come in order of time.
    cover: share of the time in which a cloud hides the sun.
    """

    def __init__(self, seed: object, cover: float) -> None:
        self._deal = random.Random(f"{seed}/clouds")
        self.cover = cover
        self._from_s = self._until_s = 0.0
        self._before = self._after = 1.0
        self._ahead: list[tuple[float, float]] = []

    def __call__(self, time_s: float) -> float:
        """The share of the clear sky at this time."""
        if not self.cover and not self._ahead:
            return 1.0
        while time_s >= self._until_s:
            self._next()
        share = (time_s - self._from_s) / (self._until_s - self._from_s)
        return self._before + (self._after - self._before) * min(1.0, max(0.0, share))

    def _next(self) -> None:
        if not self._ahead:
            self._ahead = self._cloud()
        duration_s, share = self._ahead.pop(0)
        self._from_s, self._until_s = self._until_s, self._until_s + duration_s
        self._before, self._after = self._after, share

    def _cloud(self) -> list[tuple[float, float]]:
        """[(duration, share at its end)] of a gap and then a cloud with its edges."""
        deal = self._deal
        passing_share, bright_share = deal.uniform(*PASSES), deal.uniform(*BRIGHT)
        gap_s = deal.expovariate(1.0) * CYCLE_S * (1 - self.cover)
        cloud_s = deal.expovariate(1.0) * CYCLE_S * self.cover
        edges_s = deal.uniform(*EDGE_S), deal.uniform(*EDGE_S)
        rising = [(0.1 + gap_s, 1.0), (BRIGHT_S, bright_share), (edges_s[0], passing_share)]
        return [
            *rising,
            (0.1 + cloud_s, passing_share),
            (edges_s[1], bright_share),
            (BRIGHT_S, 1.0),
        ]


class Sky:
    """Share of the clear sky's irradiance over days. Kinds of sky follow each other, each with its
    own clouds; a front of an hour lies between two of them. index: mean, within those of DAYS.
    """

    def __init__(self, seed: object, index: float) -> None:
        self._deal = random.Random(f"{seed}/sky")
        (dull_mean, dull_days), (clear_mean, clear_days) = DAYS.items()
        share = (index - dull_mean) / (clear_mean - dull_mean)
        self._days = [
            dull_index + (clear_index - dull_index) * share
            for dull_index, clear_index in zip(dull_days, clear_days)
        ]
        self.clouds = Clouds(seed, 0.0)
        self._from_s = self._until_s = 0.0
        self._before = self._after = self._kind()

    def _kind(self) -> tuple[float, float]:
        """Draw (index, share that clouds take). A closed layer takes the rest of the loss."""
        index = float(np.interp(self._deal.random(), RANKS, self._days))
        return index, TAKES * LAYER_COVER if index < OVERCAST else min(1 - index, TAKES)

    def __call__(self, time_s: float) -> float:
        """The share of the clear sky at this time."""
        while time_s >= self._until_s:
            self._from_s = self._until_s
            self._until_s += self._deal.expovariate(1 / LASTS_S)
            self._before, self._after = self._after, self._kind()
        part = min(1.0, (time_s - self._from_s) / FRONT_S)
        index, cloud_share = [
            before + (after - before) * part for before, after in zip(self._before, self._after)
        ]
        self.clouds.cover = cloud_share / TAKES
        return index / (1 - cloud_share) * self.clouds(time_s)
