"""Plays one run with several outages, byte by byte in virtual time. Computes their figures."""

import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from controller.config.cabinet_config import Config
from hil.campaigns.trials import Figures
from hil.engine import coverage
from hil.engine.simulate import VirtualRig
from hil.loads import selection
from hil.loads.trace import Power, synthetic_load
from hil.site.grid import Grid
from hil.site.site import ISLAND, ON_GRID, Site
from hil.site.transfer_switch import TransferSwitch
from safety import signals as s

OUTAGE_S, RETURN_S, AFTER_S = 120.0, 10.0, 10.0
CALM_S = 10.0, 40.0  # between the end of an outage and the next one
SOC = 0.35, 0.85
AUXILIARY_W = 5000.0  # power beside the load: the cabinet's auxiliaries, the charge of their UPS
# An unforeseen edge of the load shows on the grid for at most EDGE_S, the path delay from load
# meter to battery. For PROOF_S after the grid's return, until the sign of the grid meter is proven
# again, the set-point may be off by 1 % of the converters' power.
EDGE_S, PROOF_S, TOLERANCE_PARTS = 0.2, 2.5, 100
CONVERTER_SHARE = 0.95  # peak of the built-in load, as a share of the converters' power


class Course(NamedTuple):
    """The outages of one run. peak_W: of the training job; None: the highest that the converters
    carry.
    """

    cabinet: str
    seed: int
    number: int
    outages: int
    peak_W: float | None
    open_s: float
    transfer_s: float


def play(course: Course) -> list[Figures]:
    """The figures of each outage (`Watch.figures`)."""
    config = coverage.loaded(course.cabinet)
    rng = random.Random(f"{course.seed}/outage/{course.number}")
    at_s, times_s = selection.START_S, []
    for _ in range(course.outages):
        at_s = round(at_s + rng.uniform(*CALM_S), 3)
        times_s.append(at_s)
        at_s += OUTAGE_S + RETURN_S + AFTER_S
    rig = _rig(course, config, times_s, at_s, rng.uniform(*SOC))
    outages = []
    for begin_s in times_s:
        rig.run(begin_s - rig.tick_us / 1e6)
        watch = Watch(rig, begin_s)
        while rig.now_us < (begin_s + OUTAGE_S + RETURN_S + AFTER_S) * 1e6:
            rig.step()
            watch.see()
        outages.append({"run": course.number, **_outcome(watch, course)})
    return outages


def _rig(
    course: Course, config: Config, times_s: list[float], end_s: float, soc: float
) -> VirtualRig:
    seed = course.seed + course.number
    peak_W = course.peak_W or selection.battery_W(config) * CONVERTER_SHARE
    load = synthetic_load(seed, end_s, peak_W, "training")
    switch = {"open_s": course.open_s, "return_s": RETURN_S}
    plant = {"soc": soc, "pcs_transfer_s": course.transfer_s}
    return island_rig(config, load, seed, [(at_s, OUTAGE_S) for at_s in times_s], switch, plant)


def island_rig(
    config: Config,
    load: Power,
    seed: int,
    outages: Sequence[tuple[float, float]],
    switch: dict[str, float],
    plant: dict[str, Any],
    kind: type[VirtualRig] = VirtualRig,
) -> VirtualRig:
    """A cabinet that can form an island, on a site with a transfer switch. outages: (at_s, for_s).
    switch, plant: parameters that differ from their usual values.
    """
    grid = Grid(seed, config.cabinet["grid_import_W_max"], outages)
    site = Site(load, seed, grid, [TransferSwitch(switch)])
    rig = kind(config, None, seed, plant_config=plant, site=site)
    for unit in rig.plant.pcs:
        unit.can_form = True
    return rig


class Watch:
    """Looks at each tick from the start of an outage until some time after the grid's return."""

    def __init__(self, rig: VirtualRig, begin_s: float) -> None:
        self.rig, self.begin_s, self.tick_s = rig, begin_s, rig.tick_us / 1e6
        self.dark_s = self.back_s = 0.0  # time without supply; time until the first return
        self.islands = 0
        self.stages, self.needless_W = rig.plant.site.open_stages, 0.0
        self.shed_at: list[tuple[float, int]] = []
        # highest import or export that lasts EDGE_S after the return, minus the allowed power
        self.beyond_W = -1e9
        self.swing_W = 0.0
        self._grid_W: list[float] = []
        self._last_source, self._trips = ON_GRID, len(rig.trips.trips)
        limits = rig.config.cabinet
        self._limits_W = limits["grid_import_W_max"], limits["grid_export_W_max"]
        self.soc = rig.plant.racks[0].soc
        self.load_W = rig.plant.site.load_wanted_W

    def see(self) -> None:
        """Count the tick that has just ended."""
        site = self.rig.plant.site
        if not site.is_live:
            self.dark_s += self.tick_s
        self.islands += site.source == ISLAND and self._last_source != ISLAND
        self._look_at_shedding(site)
        if self.islands and site.source == ON_GRID:
            self.back_s = self.back_s or site.now_us / 1e6 - self.begin_s
            self._look_at_return(site.grid_power_W)
        self._last_source = site.source

    def _look_at_shedding(self, site: Site) -> None:
        stages = site.open_stages
        if stages != self.stages:
            self.shed_at.append((round(site.now_us / 1e6 - self.begin_s, 2), stages))
        if stages > self.stages:
            spare_W = site.island_W - site.load_wanted_W - AUXILIARY_W
            self.needless_W = max(self.needless_W, spare_W if site.source == ISLAND else 0.0)
        self.stages = stages

    def _look_at_return(self, grid_W: float) -> None:
        import_W, export_W = self._limits_W
        self._grid_W.append(grid_W)
        count = round(EDGE_S / self.tick_s)
        recent_W = self._grid_W[-count:]
        if len(recent_W) == count:
            beyond_W = max(min(recent_W) - import_W, -max(recent_W) - export_W)
            self.beyond_W = max(self.beyond_W, beyond_W - self._tolerance_W())
        ticks = round(2.0 / self.tick_s)
        self.swing_W = max(self.swing_W, abs(grid_W - self._grid_W[-ticks:][0]))

    def _tolerance_W(self) -> float:
        """The power by which the set-point may be off now."""
        if len(self._grid_W) * self.tick_s > PROOF_S:
            return 0.0
        return math.fsum(unit.rated_W for unit in self.rig.plant.site.units) / TOLERANCE_PARTS

    def figures(self) -> Figures:
        """Figures of this outage: load_W and soc when it began; dark_s; islands; shed stages as
        [(s, stages)]; trips; beyond_W and swing_W (in 2 s) after the return.
        """
        cabinet = self.rig.controller.cabinet
        return {
            "at_s": self.begin_s,
            "load_W": round(self.load_W),
            "soc": round(self.soc, 3),
            "dark_s": round(self.dark_s, 3),
            "islands": self.islands,
            "back_s": round(self.back_s, 2),
            "shed": self.shed_at,
            "needless_W": round(self.needless_W),
            "trips": [
                f"{trip['stage']} {trip['scope']} {trip['t_s'] - self.begin_s:+.2f} s"
                for trip in self.rig.trips.trips[self._trips :]
            ],
            "beyond_W": round(self.beyond_W),
            "swing_W": round(self.swing_W),
            "is_running": cabinet is not None and cabinet.summary()[1] == s.RUNNING,
            "violations": len(self.rig.observer.violations),
        }


def _outcome(watch: Watch, course: Course) -> Figures:
    """The figures of an outage, with `faults`: each promise that it broke."""
    figures = watch.figures()
    broken = {
        "gap": figures["dark_s"] > course.open_s + course.transfer_s + 1e-6,
        "dark again": figures["islands"] != 1,
        "trip": bool(figures["trips"]),
        "shed without need": watch.needless_W > 0,
        "shed order": _is_jump(figures["shed"]),
        "no return": not figures["back_s"],
        "connection": figures["beyond_W"] > 0,
        "stopped": not figures["is_running"],
        "violation": bool(figures["violations"]),
    }
    return figures | {"faults": [name for name, is_broken in broken.items() if is_broken]}


def _is_jump(shed: list[tuple[float, int]]) -> bool:
    """True if several stages returned at once; they must return one at a time."""
    stages = [0, *[stages for _, stages in shed]]
    return any(before - after > 1 for before, after in zip(stages, stages[1:]))
