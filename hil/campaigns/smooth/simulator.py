"""Simulates load, meter, converter and battery at a tick of 20 ms.

A follower has the load from the start. Of the rest it sees only the state of charge.
"""

import math
from typing import NamedTuple, Protocol

import numpy as np

from hil.campaigns.smooth.paths import TICK_MS, Path
from hil.systems.series import blocks

RATED_W = 250_000
ENERGY_Wh = 645_000
EFFICIENCY = 0.97  # cells and converter, each way (assumed)
SOC_START = 0.55
TICK_S = TICK_MS / 1000
ENERGY_J = ENERGY_Wh * 3600.0


class Follower(Protocol):
    """Decides the request of each tick."""

    def request_W(self, tick: int, soc: float, setpoint_W: float) -> float:
        """The request, W, > 0 discharges. tick: from 0; soc: 0 to 1; setpoint_W: the last one."""


class Result(NamedTuple):
    """Results. grid_W: mean of each tick, W; soc: at the end of each tick, 0 to 1."""

    grid_W: np.ndarray
    soc: np.ndarray


def seen_W(load_W: np.ndarray, path: Path) -> np.ndarray:
    """The load that the controller knows in each tick, W: the mean of the meter's last window."""
    values = np.append(load_W[:1], blocks(load_W, path.sample_ticks).mean(axis=1))
    return np.repeat(values, path.sample_ticks)[: len(load_W)]


def run(follower: Follower, load_W: np.ndarray, path: Path) -> Result:
    """Let the follower calm the load."""
    ticks, dead = len(load_W), path.dead_ticks
    rest = math.exp(-TICK_MS / path.lag_ms)
    held = path.lag_ms / TICK_MS * (1.0 - rest)  # mean share of the excess in a tick
    sent, battery, soc = [0.0] * (ticks + dead), [0.0] * ticks, [0.0] * ticks
    charge, setpoint_W, state_W = SOC_START, 0.0, 0.0
    per_W = TICK_S / ENERGY_J
    request_W = follower.request_W
    for tick in range(ticks):
        setpoint_W = min(max(request_W(tick, charge, setpoint_W), -RATED_W), RATED_W)
        sent[tick + dead] = setpoint_W
        target_W = sent[tick]
        excess_W = state_W - target_W
        battery[tick] = power_W = target_W + excess_W * held
        state_W = target_W + excess_W * rest
        charge -= power_W * per_W * (1.0 / EFFICIENCY if power_W > 0 else EFFICIENCY)
        soc[tick] = charge
    return Result(load_W - np.array(battery), np.array(soc))
