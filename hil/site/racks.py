"""The racks between the GPUs and their feed: power smoothing, then the capacitors of the supplies.

An object of Racks replaces a load: it maps a time in s to the power of the feed in W. Calls must
come in order of time.

Smoothing has the four settings of NVIDIA's drivers: a floor, a rate up to it, a rate down from it,
and a hysteresis before the way down. At the floor, power is burnt as heat. Energy that a rate holds
back counts as lost.

A supply lets the voltage of its capacitor fall as its power rises (droop). So the stored energy
determines the power of the feed, which follows the GPUs with a first-order lag of J_per_kW ms.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

# J_per_kW: 65 J per GPU of 1.0 to 1.4 kW give 46 to 65 (second-hand source, 2026).
DEFAULTS = {
    "J_per_kW": 0.0,
    "capacitor_permille": 1000.0,
    "floor_permille": 0.0,
    "up_W_per_s": 0.0,
    "down_W_per_s": 0.0,
    "hysteresis_s": 0.0,
}


class Smoothing:
    """Power of the GPUs after smoothing. A rate of 0 or None holds nothing back. burnt_J: energy
    spent to stay at the floor; withheld_J: energy that the load asked for and did not get.
    """

    def __init__(self, parameters: Mapping[str, float]) -> None:
        self._floor_W = parameters["rated_W"] * parameters["floor_permille"] / 1000
        self._up_W_per_s = parameters["up_W_per_s"] or math.inf
        self._down_W_per_s = parameters["down_W_per_s"] or math.inf
        self._hysteresis_s = parameters["hysteresis_s"]
        self._power_W: float | None = None
        self._below_s = 0.0
        self.burnt_J = self.withheld_J = 0.0

    def step(self, dt_s: float, asked_W: float) -> float:
        """The power of this step, W."""
        floor_W = self._floor_W
        before_W = asked_W if self._power_W is None else self._power_W
        self._below_s = 0.0 if asked_W >= floor_W else self._below_s + dt_s
        power_W = asked_W
        if asked_W > before_W and before_W < floor_W:
            risen_W = before_W + self._up_W_per_s * dt_s
            power_W = asked_W if risen_W >= floor_W else min(asked_W, risen_W)
        elif asked_W < floor_W:
            kept_W = min(before_W, floor_W)
            if self._below_s > self._hysteresis_s:
                kept_W -= self._down_W_per_s * dt_s
            power_W = max(asked_W, kept_W)
        self.burnt_J += max(0.0, power_W - asked_W) * dt_s
        self.withheld_J += max(0.0, asked_W - power_W) * dt_s
        self._power_W = power_W
        return power_W


class Capacitor:
    """energy_J: stored energy; full at 0 W, empty at rated power. It gives at most a share of rated
    power.
    """

    def __init__(self, parameters: Mapping[str, float]) -> None:
        rated_W = parameters["rated_W"]
        self._gives_W_max = rated_W * parameters["capacitor_permille"] / 1000
        self._lag_s = parameters["J_per_kW"] / 1000
        self._full_J = rated_W * self._lag_s
        self.energy_J: float | None = None  # the first step sets it, as if the load were steady

    def step(self, dt_s: float, load_W: float) -> float:
        """Mean power of the feed in this step, W."""
        if not self._full_J:
            return load_W
        energy_J = self.energy_J
        if energy_J is None:
            energy_J = max(0.0, self._full_J - load_W * self._lag_s)
        behind_W = load_W - (self._full_J - energy_J) / self._lag_s
        share = -math.expm1(-dt_s / self._lag_s) * self._lag_s / dt_s
        gives_W = min(max(behind_W * share, -self._gives_W_max), self._gives_W_max)
        gives_W = max(min(gives_W, energy_J / dt_s), (energy_J - self._full_J) / dt_s)
        self.energy_J = energy_J - gives_W * dt_s
        return load_W - gives_W


class Racks:
    """load: t_s -> W that the GPUs ask for, or (W, channels). parameters: rated_W, and any of
    DEFAULTS. inside_W: power at the racks minus power of the feed, if the load meter is at the
    racks; 0 if it is at the feed.
    """

    def __init__(
        self,
        load: Callable[[float], Any],
        parameters: Mapping[str, float],
        is_metered_inside: bool = False,
    ) -> None:
        settings = {**DEFAULTS, **parameters}
        self._load, self._before_s, self._is_metered_inside = load, 0.0, is_metered_inside
        self.smoothing, self.capacitor = Smoothing(settings), Capacitor(settings)
        self.inside_W = 0.0

    def __call__(self, t_s: float) -> float:
        """Mean power of the feed since the previous call, W."""
        dt_s, self._before_s = t_s - self._before_s, t_s
        asked_W = self._load(t_s)
        if isinstance(asked_W, tuple):
            asked_W = asked_W[0]
        if dt_s <= 0.0:
            return asked_W
        smoothed_W = self.smoothing.step(dt_s, asked_W)
        feed_W = self.capacitor.step(dt_s, smoothed_W)
        self.inside_W = smoothed_W - feed_W if self._is_metered_inside else 0.0
        return feed_W
