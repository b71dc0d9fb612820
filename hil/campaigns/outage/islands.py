"""Plays islands until only the backup reserve is left, in value mode.

An island runs on the battery alone, or with a generator set that the controller starts. The hours
on the battery are compared with a calculation:

    energy above the backup reserve x efficiency of the converter / (load + auxiliaries)
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from controller.config import configuration
from controller.config.cabinet_config import Config
from controller.sites import FOLDER
from hil.campaigns.outage.course import island_rig
from hil.campaigns.trials import Figures, Judged, Trial
from hil.engine import coverage, forks
from hil.engine.simulate import VirtualRig
from hil.plant import pcs
from hil.runner import options, report
from hil.site.genset import CRANKING, LOADED, Genset
from hil.site.transfer_switch import TransferSwitch
from hil.values.rig import TICK_MS, ValueRig

GENSET_CABINET = str(FOLDER / "pv_genset" / "cabinet.toml")
BEGIN_S = 100.0  # start of the outage, when the meter test is over
AFTER_S = 120.0  # time below the backup reserve, which an island may use
HOURS_MAX, DARK_S_MAX = 12.0, 60.0
NEVER_S = 1e6
ERROR_PCT_MAX = 5.0


class Island(NamedTuple):
    """failed_starts: how often the generator set fails to start; None: the island has no set."""

    name: str
    load_W: float
    soc: float
    failed_starts: int | None = None


ISLANDS = (
    Island("generator set", 150_000.0, 0.17, 0),
    Island("generator set, first start fails", 150_000.0, 0.17, 1),
    Island("battery, 200 kW", 200_000.0, 0.35),
    Island("battery, 100 kW", 100_000.0, 0.20),
    Island("battery, 30 kW", 30_000.0, 0.13),
)


class Islands(Trial):
    """This trial is met if each island lasts as long as calculated, and keeps its promises."""

    summary = "islands until the backup reserve, on the battery alone and with a generator set"
    mode = f"value, {TICK_MS} ms"
    own_options = options.CABINET

    def draw(self) -> Sequence[Island]:
        """The islands. An island with a generator set runs on a shipped cabinet."""
        for island in ISLANDS:
            coverage.loaded(self._cabinet(island))
        return ISLANDS

    def _cabinet(self, island: Island) -> str:
        return self.arguments.cabinet if island.failed_starts is None else GENSET_CABINET

    def play(self, case: Island) -> Figures:
        """See Trial."""
        config = configuration.load(self._cabinet(case), tick_ms=TICK_MS)
        return play(case, config, self.arguments.seed) | {"cpu_s": round(forks.cpu_s(), 1)}

    def line(self, outcome: Figures) -> str:
        """One island as a line."""
        broken = ", ".join(outcome["faults"]) or "ok"
        if "start_s_max" in outcome:
            text = (
                f"carried after {outcome['start_s']} s of {outcome['start_s_max']} s, "
                f"{outcome['tries']} tries, {outcome['above_reserve_permille']} permille above the "
                f"backup reserve"
            )
        else:
            text = (
                f"{outcome['hours']:.3f} h, arithmetic {outcome['expected_hours']:.3f} h "
                f"({outcome['error_pct']:+.1f} %), {AFTER_S:.0f} s later "
                f"{outcome['below_reserve_kWh']} kWh below the reserve, load "
                f"{outcome['load_after_W'] / 1000:.0f} kW"
            )
        trips = f" ({', '.join(outcome['trips'])})" if outcome["trips"] else ""
        return f"{outcome['name']:33} from {outcome['soc']:.1%}: {text}: {broken}{trips}"

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        wrong = [outcome["name"] for outcome in outcomes if outcome["faults"]]
        mirrored = coverage.about(coverage.loaded(GENSET_CABINET))
        lines = [f"CPU        {math.fsum(outcome['cpu_s'] for outcome in outcomes):.0f} s"]
        verdict = report.counted(len(outcomes), wrong, "islands as the arithmetic says")
        return Judged({"islands": outcomes, "mirrored": mirrored}, lines, verdict, not wrong)


def play(island: Island, config: Config, seed: int) -> Figures:
    """The figures of one island."""
    rig = _rig(island, config, seed)
    rig.run(BEGIN_S)
    soc, site = _soc(rig), rig.plant.site
    backup_soc = config.control["soc_reserve_backup_permille"] / 1000
    gensets = [] if island.failed_starts is None else site.gensets
    called_s = carried_s = reserve_s = None
    dark_s = 0.0
    end_us = (BEGIN_S + HOURS_MAX * 3600) * 1e6
    while rig.now_us < end_us and dark_s < DARK_S_MAX and not (carried_s or reserve_s):
        rig.step()
        now_s = rig.now_us / 1e6 - BEGIN_S
        dark_s += (not site.is_live) * TICK_MS / 1000
        if gensets and called_s is None and gensets[0].state == CRANKING:
            called_s = now_s
        if gensets and gensets[0].state == LOADED and gensets[0].feeds_W:
            carried_s = now_s
        if _soc(rig) <= backup_soc:
            reserve_s = now_s
    figures: Figures = {
        "name": island.name,
        "load_W": island.load_W,
        "soc": round(soc, 4),
        "hours": round((reserve_s or now_s) / 3600, 4),
        "dark_s": round(dark_s, 1),
        "trips": [f"{trip['stage']} {trip['scope']}" for trip in rig.trips.trips],
    }
    if gensets:
        figures |= _of_genset(gensets[0], called_s, carried_s, _soc(rig) - backup_soc)
    else:
        figures |= _of_battery(rig, figures, soc, backup_soc)
    return figures | {"faults": _faults(figures)}


def _rig(island: Island, config: Config, seed: int) -> VirtualRig:
    # The controller calls the generator set; the transfer switch never does.
    switch, plant = {"call_s": NEVER_S}, {"soc": island.soc}
    outages = [(BEGIN_S, NEVER_S)]
    rig = island_rig(config, lambda t_s: island.load_W, seed, outages, switch, plant, kind=ValueRig)
    for genset in rig.plant.site.gensets:
        genset.parameters["failed_starts"] = island.failed_starts or 0
    return rig


def _soc(rig: VirtualRig) -> float:
    return min(rack.soc for rack in rig.plant.racks)


def _of_battery(rig: VirtualRig, figures: Figures, soc: float, backup_soc: float) -> Figures:
    """Figures of an island on the battery: hours, calculated hours, and the time after them."""
    energy_Wh = rig.config.control["energy_Wh"]
    power_W = figures["load_W"] + rig.plant.config.aux_W
    rated_W = math.fsum(unit.rated_W for unit in rig.plant.pcs)
    expected_h = energy_Wh * (soc - backup_soc) * _efficiency(power_W, rated_W) / power_W
    rig.run(rig.now_us / 1e6 + AFTER_S)
    below_kWh = max(0.0, backup_soc - _soc(rig)) * energy_Wh / 1000
    return {
        "expected_hours": round(expected_h, 4),
        "error_pct": round((figures["hours"] / expected_h - 1) * 100, 2),
        "below_reserve_kWh": round(below_kWh, 2),
        "load_after_W": round(rig.plant.site.load_power_W),
    }


def _efficiency(power_W: float, rated_W: float) -> float:
    return power_W / (power_W + pcs.losses_W(power_W, rated_W))


def _of_genset(
    genset: Genset, called_s: float | None, carried_s: float | None, above_reserve_soc: float
) -> Figures:
    """The start of the generator set, and the longest time that it may take."""
    times = genset.parameters
    failed_s = times["failed_starts"] * (times["start_s"] + times["rest_s"])
    allowed_s = times["start_s"] + times["warm_up_s"] + failed_s
    start_s = carried_s - called_s if carried_s and called_s else None
    return {
        "start_s": start_s and round(start_s, 1),
        "start_s_max": allowed_s + 2 * TICK_MS / 1000,
        "tries": genset.tries,
        "above_reserve_permille": round(above_reserve_soc * 1000, 1),
    }


def _faults(figures: Figures) -> list[str]:
    """Each promise that this island broke."""
    broken = []
    if abs(figures.get("error_pct", 0.0)) > ERROR_PCT_MAX:
        broken.append("hours")
    if "start_s_max" in figures:
        if not figures["start_s"] or figures["start_s"] > figures["start_s_max"]:
            broken.append("start of the generator set")
        if figures["above_reserve_permille"] <= 0:
            broken.append("backup reserve before the generator set")
    if figures["dark_s"] > TransferSwitch({}).parameters["open_s"] + 1e-6:
        broken.append("gap")
    if figures["trips"]:
        broken.append("trip")
    return broken
