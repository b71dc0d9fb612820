"""Simulates a system's outages, and some minutes of a plain day, with the safety kernel.

The rest of a run is in chain-only mode. That mode has no kernel, so it trips nothing and transfers
nothing. So all figures of an outage come from this module. It plays cabinet, kernel and site in
value mode (no bytes on wires), with the charge of that moment. An outage is played from LEAD_S
before the loss of the grid until AFTER_S after its return.
"""

import math
import random
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from controller.core.policies.meter_statistics import TURN_S
from controller.planner.tariff import J_PER_KWH
from hil.site.genset import Genset
from hil.site.grid_contact import GridContact
from hil.site.site import ISLAND, ON_GRID, Site
from hil.systems import contacts, ramps, run, swing_figures
from hil.systems.live import LivePod
from hil.systems.member import SOC_FORMS
from hil.systems.run import DAY_S, Result
from hil.systems.series import SLOT_S, blocks, outages_of
from hil.systems.spec import Inputs, Spec
from hil.values.rig import TICK_MS, ValueRig
from safety import signals as s

MODE = f"{ValueRig.MODE}, {TICK_MS} ms, with the kernel"
LEAD_S, AFTER_S = 90, 120
# The cabinet runs after START_S; after SETTLED_S its start no longer shows on the grid.
START_S, SETTLED_S = 20.0, 60
# Highest charge at the start. The cells of the plant differ, unlike those of a lumped battery. A
# fuller plant would trip row 34 of the cause-and-effect matrix.
SOC_MAX = 0.97
OUTAGE_S = 600  # length of the drawn outages
LESS_W = 1.0  # a smaller power is rounding
# These rows report that a dark site has no voltage. They clear themselves when it is back.
OF_DARKNESS = ("17a", "43a", "50a", "50b")
# Below the charge EMPTY the cell voltages differ much. Then these rows may trip.
EMPTY, OF_THE_END = 0.08, ("34a", "41d")
OVER = "57a"  # row for power beyond limits, which may be stricter than those of the connection
OF_A_HOT_HALL = ("18a",)  # warns at 35 degC while charging; the charge then tapers until 45 degC
Played = dict[str, Any]  # figures of the minutes of an event


class Minutes(NamedTuple):
    """An outage to play, or some seconds of a day without an outage."""

    at_s: int  # start, in the run
    for_s: int  # length
    soc: float  # charge at the start, 0 to 1
    is_outage: bool = True
    degC: float | None = None  # cells at the start; None: as in the system's file


def of(result: Result, plain_s: int, outages: int) -> list[Minutes]:
    """The minutes to play: plain_s at a drawn moment, and around each moment at which a cabinet
    leaves or comes or a contact closes; each outage of the run; drawn outages.
    """
    spec = result.spec
    draw = random.Random(f"{spec.seed}/minutes")
    first_s, end_s = lead_s(spec), spec.days * DAY_S - AFTER_S
    spans = []
    if plain_s:
        spans.append((draw.randint(first_s, end_s - plain_s), plain_s, False))
        closings = (spec.site.get(GridContact.kind) or {}).values()
        changes_s = sorted(run.moves_of(spec))
        changes_s += [round(at_s) for closing in closings for at_s, _ in closing]
        spans += [(max(first_s, at_s - plain_s // 2), plain_s, False) for at_s in changes_s]
    spans += [(at_s, for_s, True) for at_s, for_s in outages_of(spec)]
    count = outages if spec.size.can_form else 0  # without an island, no system claims an outage
    spans += [(draw.randint(first_s, end_s - OUTAGE_S), OUTAGE_S, True) for _ in range(count)]
    return [_minutes(result, *span) for span in spans]


def lead_s(spec: Spec) -> int:
    """Time before the minutes: each of several cabinets tests its meter in its turn."""
    return LEAD_S + (spec.cabinets - 1) * TURN_S


def _minutes(result: Result, at_s: int, for_s: int, is_outage: bool) -> Minutes:
    """Minutes that begin with the charge and the cell temperature of that moment of the run."""
    slot = (at_s - lead_s(result.spec)) // SLOT_S
    degC = float(result.degC[slot]) if len(result.degC) else None
    return Minutes(at_s, for_s, min(SOC_MAX, float(result.soc[slot])), is_outage, degC)


def played(spec: Spec, inputs: Inputs, minutes: Minutes) -> Played:
    """The figures of these minutes (`Watch.figures`), with their trips and violations."""
    spec = spec._replace(outages=[[minutes.at_s, minutes.for_s]] if minutes.is_outage else [])
    with tempfile.TemporaryDirectory() as folder:
        lead = lead_s(spec)
        begin_s = minutes.at_s - lead
        pod = LivePod(spec, Path(folder), begin_s, minutes.soc, inputs, minutes.degC)
        for member in pod.members:
            member.quicken()
        _wait_for_start(pod)
        watch = Watch(pod, spec)
        while pod.now_us < (lead + minutes.for_s + AFTER_S) * 1_000_000:
            pod.step()
            watch.see(lead <= pod.now_us / 1e6 < lead + minutes.for_s)
    figures = {**minutes._asdict(), **watch.figures()}
    seconds_W = watch.seconds_W()
    moved = ramps.broken(seconds_W, spec.ramps)
    over = contacts.broken(spec, seconds_W, begin_s + SETTLED_S)
    return {**figures, "faults": [*_faults(figures), *moved, *over]}


def _wait_for_start(pod: LivePod) -> None:
    """Limit load and sun until the cabinet runs, because in the run it was running already."""
    site = pod.site
    configs = [member.config for member in pod.members]
    import_mW = sum(
        [
            config.cabinet["grid_import_W_max"] * config.control["share_permille"]
            for config in configs
        ]
    )
    half_W, load = import_mW // 1000 / 2, site.load
    assert load is not None, "the file of a system has [load]"
    for part in site.parts:
        if part.GIVES_WAY:
            part.ask("limit_W", 0)  # until the controller allows more
    site.load = lambda now_s: load(now_s) if now_s > START_S else min(load(now_s), half_W)


def _faults(figures: Played) -> list[str]:
    """A text for each fault in these minutes: lost load, trips, violations."""
    is_dark = figures["dark_s"] > 0
    trips = {
        f"row {stage} tripped, {scope}, at {at_s:.1f} s": stage
        for stage, scope, at_s in figures["trips"]
        if at_s >= 0  # earlier trips belong to the cabinet's own start
        and stage not in OF_A_HOT_HALL
        and not (is_dark and stage in OF_DARKNESS)
        and not (stage == OVER and figures["over_W"] <= 0)
    }
    is_empty = figures["soc_end"] < EMPTY
    ended = [trip for trip, stage in trips.items() if is_empty and stage in OF_THE_END]
    stopped = ["a unit does not run at the end"] if not figures["is_running"] else []
    if ended:
        stopped = ["; ".join([f"the charge ended: {ended[0]}, {len(ended)} such trips", *stopped])]
    remaining = [trip for trip in trips if trip not in ended]
    return [*_lost(figures), *remaining, *figures["violations"], *stopped]


def _lost(figures: Played) -> list[str]:
    """A text about the critical load that had no power, with the charge; [] if it had power."""
    if not figures["critical_kWh"]:
        return []
    return [
        f"critical load without {figures['critical_kWh']:g} of {figures['needed_kWh']:g} kWh: "
        f"dark {figures['dark_s']:g} s, charge {figures['soc']:.0%} to {figures['soc_end']:.0%}"
    ]


class Falling:
    """A store whose level falls while it carries an island. least: level of an empty store."""

    def __init__(self, least: float) -> None:
        self.least = least
        self.first: tuple[float, float] | None = None
        self.last = 0.0, 0.0

    def see(self, now_s: float, level: float) -> None:
        """Note the level of now."""
        self.last = now_s, level
        self.first = self.first or self.last

    def hours(self) -> float | None:
        """Hours from the first level until empty, at the mean rate of its fall. None: no fall."""
        (begin_s, first), (end_s, last) = self.first or self.last, self.last
        if first <= last:
            return None
        return round((first - self.least) / (first - last) * (end_s - begin_s) / 3600, 2)


class Watch:
    """Counts the figures in each tick. Without `critical_W`, the whole load is critical."""

    def __init__(self, pod: LivePod, spec: Spec) -> None:
        self.pod, self.critical_W, self.size = pod, spec.critical_W, spec.size
        self.lead_s = lead_s(spec)
        self.carried_s = self.island_s = self.dark_s = 0.0
        self.lost_J = self.critical_J = self.wanted_J = self.needed_J = 0.0
        # charge while the battery alone carries the island; fuel, l, while a generator set does
        self.charge, self.fuel = Falling(SOC_FORMS), Falling(0.0)
        self.import_W = self.step_W = 0.0
        self.over_W = -float(spec.size.import_W)  # largest excess over the connection's limits
        self.stages: list[tuple[float, int]] = []
        self.engine_s: float | None = None  # time from the loss until a set carries load
        self._grid_W: float | None = None
        self._grids_W: list[float] = []  # one for each tick; nan off the grid
        self._event_W: list[tuple[float, float]] = []  # load and grid of each tick of the event

    def see(self, is_event: bool) -> None:
        """Count the tick that ended. is_event: the tick is in the minutes that were asked for."""
        site, dt_s = self.pod.site, self.pod.tick_us / 1e6
        wanted_W, missing_W = site.load_wanted_W, _missing_W(site)
        needed_W = min(wanted_W, self.critical_W or wanted_W)
        critical_W = max(0.0, needed_W - (wanted_W - missing_W))
        self.carried_s += (is_event and critical_W < LESS_W) * dt_s
        self.island_s += (site.source == ISLAND) * dt_s
        self.dark_s += (not site.is_live) * dt_s
        if is_event:
            self._event_W.append((wanted_W, site.grid_power_W))
        if site.now_us / 1e6 > self.lead_s:
            self.wanted_J += wanted_W * dt_s
            self.lost_J += missing_W * dt_s
            self.critical_J += critical_W * dt_s
            self.needed_J += needed_W * dt_s
        self._see_grid(site)
        self._see_devices(site)

    def _see_grid(self, site: Site) -> None:
        """Count the import, and the largest step between two ticks after the grid is back."""
        grid_W = site.grid_power_W
        self._grids_W.append(grid_W if site.source == ON_GRID else math.nan)
        if site.source != ON_GRID:
            self._grid_W = 0.0
            return
        self.import_W = max(self.import_W, grid_W)
        if site.now_us / 1e6 > self.lead_s:
            import_W, export_W = grid_W - self.size.import_W, -grid_W - self.size.export_W
            self.over_W = max(self.over_W, import_W, export_W)
        if self._grid_W is not None:
            self.step_W = max(self.step_W, abs(grid_W - self._grid_W))
            self._grid_W = grid_W

    def _see_devices(self, site: Site) -> None:
        since_s = site.now_us / 1e6 - self.lead_s
        if site.open_stages != (self.stages[-1][1] if self.stages else 0):
            self.stages.append((round(since_s, 1), site.open_stages))
        is_carried = any(part.feeds_W > 0 for part in site.parts if isinstance(part, Genset))
        if site.source == ISLAND and is_carried:
            self.engine_s = since_s if self.engine_s is None else self.engine_s
            self.fuel.see(since_s, math.fsum([genset.fuel_l for genset in site.gensets]))
        elif site.source == ISLAND and self.engine_s is None:
            self.charge.see(since_s, self.pod.soc)

    def seconds_W(self) -> np.ndarray:
        """Import as means of a second after the start; nan off the grid and one second before."""
        per_s = 1_000_000 // self.pod.tick_us
        means_W = blocks(np.array(self._grids_W[SETTLED_S * per_s :]), per_s).mean(axis=1)
        # A lost grid gives no power in the time before the switch opens.
        means_W[:-1][np.isnan(means_W[1:])] = np.nan
        return means_W

    def figures(self) -> Played:
        """The figures as plain data."""
        members = self.pod.members
        living = [member.controller.cabinet for member in members if member.controller.cabinet]
        return {
            "load_W": round(self.wanted_J / (self.pod.now_us / 1e6 - self.lead_s)),
            "carried_s": round(self.carried_s, 1),
            "island_s": round(self.island_s, 1),
            "dark_s": round(self.dark_s, 1),
            "lost_kWh": round(self.lost_J / J_PER_KWH, 2),
            "critical_kWh": round(self.critical_J / J_PER_KWH, 2),
            "needed_kWh": round(self.needed_J / J_PER_KWH, 2),
            "wanted_kWh": round(self.wanted_J / J_PER_KWH, 2),
            "charge_h": self.charge.hours(),
            "fuel_h": self.fuel.hours(),
            "engine_s": None if self.engine_s is None else round(self.engine_s, 1),
            "stages": self.stages,
            "import_W": round(self.import_W),
            "over_W": round(self.over_W),
            "step_W": round(self.step_W),
            "swings": swing_figures.of_ticks(np.array(self._event_W).T, self.pod.tick_us / 1e6),
            "soc_end": round(self.pod.soc, 3),
            "trips": [
                (trip["stage"], trip["scope"], trip["t_s"] - self.lead_s)
                for member in members
                for trip in member.trips.trips
            ],
            "violations": [
                violation for member in members for violation in member.observer.violations
            ],
            "is_running": all(cabinet.summary()[1] == s.RUNNING for cabinet in living),
        }


def _missing_W(site: Site) -> float:
    """Load without power in this step, because the site is dark or contacts shed it."""
    shed_W = math.fsum([part.sheds_W for part in site.parts if part.FLOW == "shed"]) * site.is_live
    if site.load_ups is not None:
        return site.load_ups.unserved_W + shed_W
    return shed_W if site.is_live else site.load_wanted_W
