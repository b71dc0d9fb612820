"""PV: from the irradiance to the power of an inverter, with the edges of clouds: 40 to 75 % of the
sun go within 3 to 12 s, after up to 15 % more beside the edge (cloud enhancement).
"""

import random
from collections.abc import Callable, Mapping

from hil.site.part import SitePart, towards
from hil.site.weather import Weather

CYCLE_S = 180.0  # of a cloud and the gap after it, in the mean
EDGE_S, BRIGHT_S = (3.0, 12.0), 5.0
PASSES, BRIGHT = (0.25, 0.6), (1.0, 1.15)
FULL_W_PER_M2 = 1000.0
ROSS_K_PER_W_PER_M2, PER_K = 0.03, -0.004  # of the cells above the air; power per kelvin from 25


class Clouds:
    """Share of the clear sky's irradiance, from a seed; time only goes on."""

    def __init__(self, seed: object, cover_permille: float) -> None:
        self._deal = random.Random(f"{seed}/clouds")
        self._cover = cover_permille / 1000
        self._from_s, self._until_s = 0.0, 0.0
        self._before = self._after = 1.0
        self._ahead: list[tuple[float, float]] = []

    def __call__(self, time_s: float) -> float:
        """The share at this time."""
        if not self._cover:
            return 1.0
        while time_s >= self._until_s:
            self._next()
        part = (time_s - self._from_s) / (self._until_s - self._from_s)
        return self._before + (self._after - self._before) * min(1.0, max(0.0, part))

    def _next(self) -> None:
        if not self._ahead:
            self._ahead = self._cloud()
        duration_s, share = self._ahead.pop(0)
        self._from_s, self._until_s = self._until_s, self._until_s + duration_s
        self._before, self._after = self._after, share

    def _cloud(self) -> list[tuple[float, float]]:
        """(duration, share at its end): a gap, then a cloud with its edges."""
        deal = self._deal
        passes, bright = deal.uniform(*PASSES), deal.uniform(*BRIGHT)
        gap_s = deal.expovariate(1.0) * CYCLE_S * (1 - self._cover)
        cloud_s = deal.expovariate(1.0) * CYCLE_S * self._cover
        edges_s = deal.uniform(*EDGE_S), deal.uniform(*EDGE_S)
        rising = [(0.1 + gap_s, 1.0), (BRIGHT_S, bright), (edges_s[0], passes)]
        return [*rising, (0.1 + cloud_s, passes), (edges_s[1], bright), (BRIGHT_S, 1.0)]


class Pv(SitePart):
    """An inverter that follows its limit within a second. measured: t_s -> W of a file instead."""

    kind, text, FEEDS, GIVES_WAY = "pv", "PV", True, True
    UNHEARD_S, TIME_CONSTANT_S = 60.0, 0.5

    def __init__(
        self,
        parameters: Mapping[str, float],
        weather: Weather | None = None,
        seed: object = 0,
        measured: Callable[[float], float] | None = None,
    ):
        super().__init__(parameters)
        self._weather = weather or Weather()
        self._clouds = Clouds(seed, parameters.get("cloud_cover_permille", 0))
        self._measured = measured
        self.available_W = 0.0

    def begin_at(self, begin_s: float) -> None:
        """See SitePart."""
        measured = self._measured
        if measured:
            self._measured = lambda t_s: measured(begin_s + t_s)

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        rated_W = self.parameters["rated_W"]
        given_W = self._measured(time_s) if self._measured else self._of_sun_W(time_s, rated_W)
        self.available_W = max(0.0, min(rated_W, given_W))
        wanted_W = min(self.available_W, self.asked.get("limit_W", rated_W))
        self.feeds_W = towards(self.feeds_W, wanted_W, dt_s, self.TIME_CONSTANT_S)
        if not self.is_live:
            self.feeds_W = 0.0

    def _of_sun_W(self, time_s: float, rated_W: float) -> float:
        weather = self._weather
        irradiance_W_per_m2 = weather.irradiance_W_per_m2(time_s) * self._clouds(time_s)
        cell_degC = weather.outside_degC(time_s) + ROSS_K_PER_W_PER_M2 * irradiance_W_per_m2
        warm = 1 + PER_K * (cell_degC - 25.0)
        return rated_W * irradiance_W_per_m2 / FULL_W_PER_M2 * warm

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"power_W": self.feeds_W, "available_W": self.available_W}
