"""`python -m hil bench path` measures how long a change of the load takes to the battery.

The run is in virtual time. Load tracking is replaced by a function that follows the last sample, so
that leads, filters and overshoot do not count. The delay of an edge is the area between the step of
the load and the battery's answer, divided by the height of the step. An edge comes at any moment of
a tick and of the meter's refresh.
"""

import bisect
import math
import random
from typing import Any

from controller.config import configuration, track_path
from controller.config.cabinet_config import Config
from controller.core.base import reasons
from controller.core.base.answers import FastRequest
from controller.core.policies.found import Found
from controller.core.policies.known import Known
from controller.sites import FOLDER
from hil.campaigns.benchmarks.document import Figures, Measured, figure, percentile
from hil.devices.power_meter import PowerMeter
from hil.engine import coverage
from hil.engine.simulate import VirtualRig

# The load and its step. The step is a fifth of the rating of the example cabinet.
BASE_W, STEP_W = 200_000, 50_000
START_S = 40.0  # the contactors are closed and the grid meter is proven
APART_US = 900_000, 1_300_000  # time between two edges
ANSWERED_MS = 800  # by then the battery has moved
CABINETS = {"example": "", "fast": "short_path"}  # {cabinet: its budget}


def run(count: int = 200, seed: int = 1, cabinet: str | None = None) -> Measured:
    """The findings. count: edges for each cabinet; cabinet: a file, instead of CABINETS."""
    figures: Figures = []
    details: dict[str, Any] = {}
    files = {name: str(FOLDER / name / "cabinet.toml") for name in CABINETS}
    for name, file in ({cabinet: cabinet} if cabinet else files).items():
        config, budget = configuration.load(file), CABINETS.get(name, "")
        measured_ms = details[name] = [
            round(delay_ms, 2) for delay_ms in delays_ms(config, count, seed)
        ]
        median_us, late_us = track_path.phases_us(track_path.path_delay(config))
        for label, permille, us in (("median", 500, median_us), ("p95", 950, late_us)):
            quantity = f"from a change of the load to the battery's power, cabinet {name}, {label}"
            percentile_ms = round(percentile(measured_ms, permille), 1)
            judged = f"{budget}_{label}" if budget else None
            figures.append(
                figure(quantity, percentile_ms, "ms", "by `check`", round(us / 1000, 1), judged)
            )
    notes = [f"{count} steps of {STEP_W / 1000:g} kW of each, in virtual time, seed {seed}"]
    return Measured(figures, notes, details)


class _Load:
    """t_s -> W: BASE_W until START_S; then up and down by STEP_W, at any moment."""

    def __init__(self, edges: int, seed: int) -> None:
        self.rng = random.Random(f"{seed}/path")
        self.edges_us: list[int] = []
        at_us = round(START_S * 1e6)
        for _ in range(edges):
            at_us += self.rng.randint(*APART_US)
            self.edges_us.append(at_us)

    def __call__(self, t_s: float) -> float:
        return float(BASE_W + STEP_W * (self.passed(round(t_s * 1e6)) & 1))

    def passed(self, now_us: int) -> int:
        """Number of edges before or at now_us."""
        return bisect.bisect_right(self.edges_us, now_us)


def delays_ms(config: Config, edges: int, seed: int) -> list[float]:
    """Delay of each edge in ms, in virtual time."""
    load = _Load(edges, seed)
    rig = VirtualRig(config, load, seed)
    assert rig.controller.cabinet is not None  # it has just started
    track = rig.controller.cabinet.core.functions["track"]
    track.step = follow
    meter = rig.cabinet.devices[coverage.simulated_name(track_path.source(config))]
    _see_edges(meter, load)
    battery_W, passed = [], 0
    while rig.now_us < load.edges_us[-1] + ANSWERED_MS * 1000 + rig.tick_us:
        rig.step()
        battery_W.append(rig.plant.battery_W)
        if load.passed(rig.now_us - ANSWERED_MS * 1000) > passed:
            passed += 1
            meter.phase_us = load.rng.randrange(meter.refresh_us)
    return [_delay_ms(battery_W, edge_us, rig.tick_us) for edge_us in load.edges_us]


def _see_edges(meter: PowerMeter, load: _Load) -> None:
    """Let a meter integrate up to each edge, because the plant's load changes only at ticks."""
    integrate = meter.tick

    def tick(now_us: int) -> None:
        passed = slice(load.passed(meter._seen_us), load.passed(now_us))
        for edge_us in load.edges_us[passed]:
            integrate(edge_us)
        integrate(now_us)

    meter.tick = tick  # type: ignore[method-assign]
    meter._power_W = lambda: load(meter._seen_us / 1e6)  # type: ignore[method-assign]


def follow(known: Known, found: Found, elapsed_ticks: int) -> tuple[FastRequest]:
    """Request that the battery takes the load above BASE_W."""
    power_W = 0 if found.load_W is None else found.load_W - BASE_W
    return (FastRequest(power_W, reasons.LOAD_TRACKING),)


def _delay_ms(battery_W: list[float], edge_us: int, tick_us: int) -> float:
    """Delay of the edge. battery_W: at the end of each tick from the start of the run on."""
    first = -(-edge_us // tick_us)
    battery_W = battery_W[first - 1 : first + ANSWERED_MS * 1000 // tick_us]
    before_W, after_W = battery_W[0], battery_W[-1]
    missing = [(after_W - power_W) / (after_W - before_W) for power_W in battery_W]
    area_ticks = math.fsum(missing) - missing[0] / 2
    return (area_ticks * tick_us + first * tick_us - edge_us) / 1000
