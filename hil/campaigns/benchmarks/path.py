"""How long a change of the load takes to the battery: the pure path, in virtual time.

Load tracking is replaced by a function that follows the last sample, so that no lead, filter or
overshoot of it counts. The delay of an edge is the mean time of the battery's movement: the area
between the load's step and the battery's answer, over the height of the step.
"""

import random

from controller.config.configuration import Config
from controller.core.base import reasons
from controller.core.base.answers import FastRequest
from controller.core.policies.found import Found
from controller.core.policies.known import Known
from hil.engine.simulate import VirtualRig

BASE_W, STEP_W = 200_000, 50_000  # a fifth of the rating of the example cabinet
START_S = 40.0  # the contactors are closed and the grid meter is proven
APART_TICKS = 45, 65  # between two edges
ANSWERED_TICKS = 40  # the battery has moved by then


class _Load:
    """t_s -> W: BASE_W until START_S, then up and down by STEP_W at random ticks."""

    def __init__(self, tick_us: int, edges: int, seed: int) -> None:
        draw = random.Random(f"{seed}/path")
        self.tick_us = tick_us
        self.edges: list[int] = []  # ticks
        tick = round(START_S * 1e6) // tick_us
        for _ in range(edges):
            tick += draw.randint(*APART_TICKS)
            self.edges.append(tick)
        self._passed = 0

    def __call__(self, t_s: float) -> float:
        tick = round(t_s * 1e6) // self.tick_us
        while self._passed < len(self.edges) and self.edges[self._passed] <= tick:
            self._passed += 1
        return float(BASE_W + STEP_W * (self._passed & 1))


def delays_ms(config: Config, edges: int, seed: int) -> list[float]:
    """Delay of each edge in ms, in virtual time. The phases of the meters follow from the seed."""
    tick_us = config.tick_ms * 1000
    load = _Load(tick_us, edges, seed)
    rig = VirtualRig(config, load, seed)
    assert rig.controller.cabinet is not None, "it has just started"
    track = rig.controller.cabinet.core.functions["track"]
    track.step = follow  # type: ignore[method-assign]
    battery_W = []
    for _ in range(load.edges[-1] + ANSWERED_TICKS + 1):
        rig.step()
        battery_W.append(sum([pcs.ac_power_W for pcs in rig.plant.pcs]))
    return [_delay_ms(battery_W[tick - 1 :], config.tick_ms) for tick in load.edges]


def follow(known: Known, found: Found, elapsed_ticks: int) -> tuple[FastRequest]:
    """The battery takes what the load has above BASE_W."""
    power_W = 0 if found.load_W is None else found.load_W - BASE_W
    return (FastRequest(power_W, reasons.LOAD_TRACKING),)


def _delay_ms(battery_W: list[float], tick_ms: int) -> float:
    """battery_W: from the tick of the edge on."""
    before_W, after_W = battery_W[0], battery_W[ANSWERED_TICKS]
    missing = [(after_W - power_W) / (after_W - before_W) for power_W in battery_W[:ANSWERED_TICKS]]
    return (sum(missing) - missing[0] / 2) * tick_ms
