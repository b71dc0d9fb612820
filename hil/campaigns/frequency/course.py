"""Plays one case in the rig, byte by byte in virtual time, and compares the battery's response with
the ideal: the droop of the true frequency, without a delay.
"""

import dataclasses
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from controller.audit.response import compared
from controller.config import meter_profile
from controller.config.cabinet_config import Config
from controller.core.policies import droop
from hil.campaigns.frequency.shapes import BEGIN_S, NOMINAL_HZ, STUCK, Case
from hil.campaigns.rows import start
from hil.campaigns.trials import Figures
from hil.engine.simulate import VirtualRig
from hil.site.grid import Grid
from hil.site.site import Site

LIMIT_PART = 0.4  # of the rated power: the limit of a cabinet whose file has no response
SOC = 0.55  # the target of load tracking
READY_S = 100.0  # from the start until the cabinet keeps power and energy for its response
SEARCHED_DELAY_S_MAX = 1.0
# The promise. 0.5 s: half of the full activation time of 1 s that fast reserves ask for.
DELAY_S_MAX, ERROR_PERMILLE_MAX, ENERGY_PERMILLE_MAX = 0.5, 80, 30
# A response below this part of the limit counts as ended. REST_S is the tolerance of its end.
REST_PART, REST_S = 0.02, 1.0
BACK_PERMILLE_MIN = 500  # of the energy must be back at the end of after_s


class GridOfCase(Grid):
    """A grid with the frequency of a case. begin_s: when the case starts, in the time of the
    run.
    """

    case: Any = None
    begin_s = _now_s = 0.0

    @property
    def t_s(self) -> float:
        """Time of the case."""
        return self._now_s - self.begin_s

    def look(self, now_us: int) -> None:
        """See Grid."""
        super().look(now_us)
        self._now_s = now_us / 1e6

    @property
    def frequency_Hz(self) -> float:
        """See Grid."""
        return self.case.frequency_Hz(self.t_s) if self.case else super().frequency_Hz


class Tick(NamedTuple):
    """Time of the case, power of the battery, and the ideal response."""

    t_s: float
    battery_W: float
    ideal_W: float


def responding(config: Config) -> Config:
    """The configuration with a response, if it has none. ValueError: its grid meter is too slow or
    too coarse.
    """
    if config.control["droop_W_max"]:
        return config
    rated_W = sum(unit_table["rated_W"] for unit_table in config.unit_tables)
    if problem := meter_profile.read_frequency(config.topology.required("meter_grid").profile):
        raise ValueError(f"{config.path}: the grid meter {problem}: no frequency response")
    control = config.control | {"droop_W_max": round(LIMIT_PART * rated_W)}
    return dataclasses.replace(config, control=control, control_image=array("i", control.values()))


def started(config: Config, seed: int) -> VirtualRig:
    """A running cabinet that keeps power and energy for its response."""
    grid = GridOfCase(seed, config.cabinet["grid_import_W_max"])
    site = Site(start.load_W, seed, grid)
    return VirtualRig(config, None, seed, plant_config={"soc": SOC}, site=site).run(READY_S)


def play(case: Case, rig: VirtualRig) -> Figures:
    """The figures of a case. rig: from `started`."""
    grid = rig.plant.site.grid
    assert isinstance(grid, GridOfCase)  # `started` made it
    grid.case, grid.begin_s = case, rig.now_us / 1e6
    curve = rig.core.functions[droop.Droop.NAME].curve
    ticks: list[Tick] = []
    trips = len(rig.trips.trips)
    while not ticks or ticks[-1].t_s < case.end_s + case.after_s:
        rig.step()
        t_s = rig.now_us / 1e6 - grid.begin_s
        off_mHz = round((NOMINAL_HZ - case.frequency_Hz(t_s)) * 1000)
        ticks.append(Tick(t_s, rig.plant.battery_W, droop.response_W(off_mHz, *curve)))
    stages = [
        f"row {trip['row']} at {trip['t_s'] - grid.begin_s:.0f} s"
        for trip in rig.trips.trips[trips:]
    ]
    outcome = {"case": case.name, "stages": stages, **figures(case, ticks)}
    return outcome | {"faults": faults(outcome, rig.config.control["droop_stuck_s"])}


def figures(case: Case, ticks: Sequence[Tick]) -> Figures:
    """ideal_Wh: energy in either direction; energy_permille: share of it that the battery gave in
    the same direction, delay_s later; error_permille: difference of the powers with this delay;
    used_Wh: greatest energy that the battery was away from its start; back_permille: share of it
    that came back; rest_s: from the last change of a stuck frequency to no response.
    """
    t_s, battery_W, ideal_W = (np.array(column) for column in zip(*ticks))
    own_W = battery_W - battery_W[t_s < BEGIN_S / 2].mean()
    tick_s = t_s[1] - t_s[0]
    in_event = t_s <= min(case.end_s, case.stuck_s)
    comparison = compared(own_W[in_event], ideal_W[in_event], round(SEARCHED_DELAY_S_MAX / tick_s))
    net_Wh = np.cumsum(own_W) * tick_s / 3600
    used_Wh = net_Wh[np.argmax(np.abs(net_Wh))]
    limit_W = np.abs(own_W).max()
    moving = t_s[np.abs(own_W) > REST_PART * limit_W]
    return {
        "ideal_Wh": round(float(np.abs(ideal_W[in_event]).sum()) * tick_s / 3600),
        "energy_permille": round(1000 * comparison.energy),
        "error_permille": round(1000 * comparison.apart),
        "delay_s": round(float(comparison.delay * tick_s), 2),
        "most_W": round(float(limit_W)),
        "used_Wh": round(float(used_Wh)),
        "back_permille": round(1000 * float(1 - net_Wh[-1] / used_Wh)) if case.after_s else None,
        "rest_s": round(float(moving[-1] - case.stuck_s), 1) if case.name == STUCK else None,
    }


def faults(outcome: Figures, stuck_s: int) -> list[str]:
    """A line for each part of the promise that a case broke."""
    lines = list(outcome["stages"])
    if outcome["delay_s"] > DELAY_S_MAX:
        lines.append(f"{outcome['delay_s']:g} s late")
    if abs(outcome["energy_permille"] - 1000) > ENERGY_PERMILLE_MAX:
        lines.append(f"{outcome['energy_permille'] / 10:g} % of the ideal energy")
    if outcome["error_permille"] > ERROR_PERMILLE_MAX:
        lines.append(f"{outcome['error_permille'] / 10:g} % away from the ideal")
    rest_s, back_permille = outcome["rest_s"], outcome["back_permille"]
    if rest_s is not None and rest_s > stuck_s + droop.FALL_MS / 1000 + REST_S:
        lines.append(f"responds for {rest_s:g} s to a stuck frequency")
    if back_permille is not None and back_permille < BACK_PERMILLE_MIN:
        lines.append(f"{back_permille / 10:g} % of the energy came back")
    return lines
