"""Plays one case in the rig, byte by byte in virtual time, and judges what the controller did.

The converter's current is limited, so its power falls with the voltage. The converter's own
protection is set to the curve of the code, and trips at the first moment outside. Nothing else of
the protection is simulated.
"""

import math
from typing import NamedTuple

from controller.config.cabinet_config import Config
from controller.recorder.ticks import ISLAND, SHED, STOP
from hil.campaigns.frequency.course import GridOfCase
from hil.campaigns.ride import codes
from hil.campaigns.ride.codes import Case
from hil.campaigns.rows import start
from hil.campaigns.trials import Figures
from hil.engine.simulate import VirtualRig
from hil.plant import pcs
from hil.site.grid import PHASE_V
from hil.site.site import Site
from safety import signals as s

BASE_W, BASE_SHARE = start.LOAD_W, 0.45  # the load; its highest share of the connection's limit
BEFORE_S, AFTER_S = 1.0, 2.5  # the first sag, and the last one
BACK_S_MAX, STOP_S_MAX = 0.5, 0.2
BACK_SHARE, NOISE_SHARE, WAVE_SHARE, SEEN_S = 0.9, 0.01, 0.04, 0.1
FULL_PU, LEAVES_PU = 0.9, 0.7
# Row for a converter that tripped by itself, and its time: debounce of 200 ms and two reads.
TRIP_STAGE, TRIP_S_MAX = "59d", 0.5
ACTS = {STOP: "stop", ISLAND: "island", SHED: "shed"}


class SaggingGrid(GridOfCase):
    """A grid with the sags of a case."""

    base_W = BASE_W

    @property
    def voltage_V(self) -> float:
        """See Grid."""
        return PHASE_V * (codes.voltage_pu(self.case.sags, self.t_s) if self.case else 1.0)

    @property
    def frequency_Hz(self) -> float:
        """See Grid."""
        if self.case is None:
            return super().frequency_Hz
        return codes.frequency_Hz(self.case.sags, codes.CODES[self.case.code], self.t_s)

    def load_W(self, t_s: float) -> float:
        """The load, which follows the voltage as the case says."""
        if self.case is None:
            return self.base_W
        share, period_s = self.case.wave
        case_s = t_s - self.begin_s
        power_W = self.base_W * (1 + share * math.sin(2 * math.pi * case_s / period_s))
        pu = codes.voltage_pu(self.case.sags, case_s)
        if self.case.load == codes.FALLS:
            return power_W * min(1.0, pu / FULL_PU)
        return 0.0 if self.case.load == codes.LEAVES and pu < LEAVES_PU else power_W


class Tick(NamedTuple):
    """Values of a tick. t_s: time of the case; acts: bits of ACTS; seen: the grid meter's voltage,
    pu, and frequency, Hz.
    """

    t_s: float
    grid_W: float
    battery_W: float
    acts: int
    seen: tuple[float, float]
    load_W: float


def started(config: Config, seed: int, request_kW: int) -> VirtualRig:
    """A running cabinet whose battery has the requested power."""
    import_W = config.cabinet["grid_import_W_max"]
    grid = SaggingGrid(seed, import_W)
    grid.base_W = min(BASE_W, BASE_SHARE * import_W)
    site = Site(grid.load_W, seed, grid)
    rig = VirtualRig(config, None, seed, plant_config={"soc": 0.5}, site=site)
    if request_kW:
        start.ask(rig, request_kW, start.START_S, wait_s=start.SETTLED_S)
    rig.run(start.START_S)
    return rig


def play(case: Case, rig: VirtualRig) -> Figures:
    """The figures of a case. rig: from `started`, with the request of the case."""
    grid = rig.plant.site.grid
    assert isinstance(grid, SaggingGrid)  # `started` made it
    share, period_s = case.wave
    # a slow meter leaves the wave on the grid, so a whole period is watched before the sag
    grid.case, grid.begin_s = case, rig.now_us / 1e6 + period_s * (share > WAVE_SHARE)
    trips = len(rig.trips.trips)
    ticks: list[Tick] = []
    while not ticks or ticks[-1].t_s < case.end_s + AFTER_S:
        _protect(rig, case, grid)
        rig.step()
        ticks.append(_tick(rig, rig.now_us / 1e6 - grid.begin_s))
    stages = [
        (trip["stage"], round(trip["t_s"] - grid.begin_s, 2)) for trip in rig.trips.trips[trips:]
    ]
    outcome = {"case": case.name, "stages": stages, **figures(case, ticks)}
    return outcome | {"faults": faults(case, outcome)}


def _protect(rig: VirtualRig, case: Case, grid: SaggingGrid) -> None:
    """Limit the converters by the voltage of the next step; trip them outside the curve."""
    t_s = rig.now_us / 1e6 - grid.begin_s + rig.tick_us / 1e6
    is_outside = case.outside_s is not None and case.outside_s <= t_s < case.end_s
    share = min(1.0, codes.voltage_pu(case.sags, t_s) / FULL_PU)
    for unit in rig.plant.pcs:
        unit.derated_W = unit.rated_W * share
        if is_outside and not unit.alarm_bits:
            unit.protect(_alarm(case))


def _alarm(case: Case) -> int:
    sag = case.sags[0]
    if sag.kind == "voltage":
        return pcs.ALARM_AC_UNDER_VOLT if sag.value < 1 else pcs.ALARM_AC_OVER_VOLT
    is_low = sag.value < codes.CODES[case.code]
    return pcs.ALARM_UNDER_FREQUENCY if is_low else pcs.ALARM_OVER_FREQUENCY


def _tick(rig: VirtualRig, t_s: float) -> Tick:
    core, plant = rig.core, rig.plant
    units = range(core.layout.units)
    forming = any([core.inp[core.layout.unit_input(unit, s.PCS_FORMING)] for unit in units])
    is_island = forming or core.inp[s.SOURCE_CODE] != s.SOURCE_GRID
    is_stop = core.out[s.STATE] != s.RUNNING
    image = rig.controller.cabinet.image  # type: ignore[union-attr]
    permille, mHz = core.inp[image.places["grid_quality"]]
    acts = STOP * is_stop + ISLAND * is_island + SHED * (plant.site.open_stages > 0)
    seen = permille / 1000, mHz / 1000
    return Tick(t_s, plant.grid_power_W, plant.battery_W, acts, seen, plant.load_power_W)


def figures(case: Case, ticks: list[Tick]) -> Figures:
    """acts: what was commanded, with its time after the start of the first sag. back_s: time from
    the last sag until the import was no longer too low. settled_s: time until the import was also
    not too high, which the battery can cause. apart_pu: error of the lowest voltage that the meter
    saw. stop_s: from the first moment outside until the battery gave no more power. is_wave: the
    wave of the load was on the grid before the sag.
    """
    begin_s = case.sags[0].at_s
    acts = {
        name: round(next(t.t_s for t in ticks if t.acts & bit) - begin_s, 2)
        for bit, name in ACTS.items()
        if any(t.acts & bit for t in ticks)
    }
    outcome: Figures = {"acts": acts, "apart_pu": _apart_pu(case, ticks)}
    if case.outside_s is None:
        before = [t for t in ticks if t.t_s < begin_s]
        outcome["is_wave"] = is_wave = _is_wave(before)
        after = [t for t in ticks if t.t_s >= case.end_s]
        outcome["back_s"], outcome["settled_s"] = _back_s(before, after, is_wave, case.end_s)
    else:
        outcome["stop_s"] = _stop_s(ticks, case.outside_s, case.end_s)
    return outcome


def _apart_pu(case: Case, ticks: list[Tick]) -> float | None:
    lowest = min(case.sags, key=lambda sag: sag.value if sag.kind == "voltage" else 1.0)
    if lowest.kind != "voltage" or lowest.value > 1 or lowest.for_s < SEEN_S:
        return None
    return round(abs(min(t.seen[0] for t in ticks) - lowest.value), 3)


def _is_wave(before: list[Tick]) -> bool:
    """True if half of the load's movement was on the grid, because a slow meter sees it too
    late.
    """
    grid_W, load_W = [t.grid_W for t in before], [t.load_W for t in before]
    moved_W = max(load_W) - min(load_W)
    return moved_W > NOISE_SHARE * max(load_W) and 2 * (max(grid_W) - min(grid_W)) > moved_W


def _back_s(
    before: list[Tick], after: list[Tick], is_wave: bool, end_s: float
) -> tuple[float, float]:
    """(time until the import is no longer below 90 % of its mean before the sag, time until it is
    neither below nor above). A wave that was on the grid before the sag may be deeper after it. So
    with is_wave the import counts as back where it follows the load.
    """
    tick_s = after[1].t_s - after[0].t_s
    last = before[-round(BEFORE_S / tick_s) :]
    mean_W = math.fsum(t.grid_W for t in last) / len(last)
    load_W = math.fsum(t.load_W for t in last) / len(last)
    grid_W = [t.grid_W for t in before]
    low_W = min(BACK_SHARE * mean_W, min(grid_W) - NOISE_SHARE * mean_W)
    high_W = max((2 - BACK_SHARE) * mean_W, max(grid_W) + NOISE_SHARE * mean_W)
    low_s = far_s = end_s
    for t in after:
        usual_W = mean_W * (t.load_W / load_W) if is_wave else mean_W
        is_low = t.grid_W < min(low_W, BACK_SHARE * usual_W)
        is_high = t.grid_W > max(high_W, (2 - BACK_SHARE) * usual_W)
        low_s = t.t_s + tick_s if is_low else low_s
        far_s = t.t_s + tick_s if is_low or is_high else far_s
    return round(low_s - end_s, 2), round(far_s - end_s, 2)


def _stop_s(ticks: list[Tick], outside_s: float, end_s: float) -> float | None:
    """Time until the battery gives no power. None: it still gives power at the end."""
    fed = [t.t_s for t in ticks if outside_s <= t.t_s < end_s and abs(t.battery_W) > 1.0]
    if fed and fed[-1] >= end_s - 2 * (ticks[1].t_s - ticks[0].t_s):
        return None
    return round(max(0.0, fed[-1] - outside_s), 2) if fed else 0.0


def faults(case: Case, outcome: Figures) -> list[str]:
    """Each promise that this case broke."""
    if case.outside_s is None:
        return [*outcome["acts"], *(["power not back"] if outcome["back_s"] > BACK_S_MAX else [])]
    broken = []
    if outcome["stop_s"] is None or outcome["stop_s"] > STOP_S_MAX:
        broken.append("power outside the curve")
    trips_s = [at_s - case.outside_s for name, at_s in outcome["stages"] if name == TRIP_STAGE]
    if not trips_s or trips_s[0] > TRIP_S_MAX:
        broken.append("row 59 silent")
    return broken
