"""Runs a system: its controllers follow the schedule on the site, second by second."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from controller.core.base import reasons
from controller.core.policies import modes
from hil.site.branches import LoadCap
from hil.site.parts import ENGINES, GIVING_WAY
from hil.site.site import Site
from hil.systems import dispatched, sized
from hil.systems.member import DAY_S, SENDER, ChainMember
from hil.systems.sender import Sender
from hil.systems.series import SLOT_S, SLOTS_PER_DAY, Series, before_of, series_of, site_of
from hil.systems.spec import Inputs, Spec
from hil.systems.watched import Watch, Watched

MODE = "chain only, 1 s"
FED = GIVING_WAY, ENGINES
Kind = TypeVar("Kind", bound=ChainMember)
TICK_MS = 100  # tick of the configuration; limits rise by a step in each tick


class Result(NamedTuple):
    """Results of a run. An array has means of 15 min, unless its comment says otherwise."""

    spec: Spec
    series: Series
    grid_W: np.ndarray
    battery_W: np.ndarray  # > 0 discharges
    pv_W: np.ndarray
    genset_W: np.ndarray
    load_W: np.ndarray
    soc: np.ndarray  # at the end of each slot
    spread_K: np.ndarray  # warmest less coldest unit, at the end of each slot
    seconds_W: np.ndarray  # load and grid of each second, float32
    cap_W: float  # import that the last plan keeps
    account: dict[str, float]  # energies of the site, J
    watched: Watched
    thermal: dict[str, float] = {}  # see _thermal
    modes_s: dict[str, int] = {}  # {mode: s that the first controller was in it}
    degC: np.ndarray = np.zeros(0)  # mean of the cells at the end of each slot
    minutes: tuple[dict[str, Any], ...] = ()  # played with the kernel (minutes.py)
    battery_1s_W: np.ndarray = np.zeros(0, np.float32)
    before: Series = Series(*np.zeros((4, 0)))  # days before the run
    lowered_W: np.ndarray = np.zeros(1)  # power by which a scheduler lowered the load
    asked_s: np.ndarray = np.zeros(1)  # seconds of each slot with a request to lower the load

    @property
    def wanted_W(self) -> np.ndarray:
        """The load as it would have been without requests to lower it."""
        return self.load_W + self.lowered_W

    @property
    def mean_price(self) -> float:
        """Mean price of the energy in the run, per kWh."""
        return float(self.series.price.mean()) + self.spec.tariff["adder_per_kWh"]

    def import_without_W(self, added_W: float = 0.0) -> np.ndarray:
        """Import of each slot without the battery, if the load takes added_W more. It is the mean
        over the seconds, because surplus sun of one second cannot feed the load of another.
        """
        seconds_W = (self.seconds_W[1] + self.battery_1s_W).astype(float).reshape(-1, SLOT_S)
        swings_W = seconds_W - seconds_W.mean(axis=1, keepdims=True)
        net_W = self.wanted_W - self.pv_W + added_W
        return np.maximum(0.0, net_W[:, None] + swings_W).mean(axis=1)

    @property
    def gained_Wh(self) -> float:
        """Energy that the battery gained from the start to the end of the run."""
        return (float(self.soc[-1]) - self.spec.soc_permille / 1000) * self.spec.size.energy_Wh


def run(spec: Spec, inputs: Inputs | None = None) -> Result:
    """Run a system. inputs: files that replace built-in series; "dead": parts that are silent."""
    inputs = inputs or {}
    series = series_of(spec, inputs)
    site = site_of(spec, inputs)
    members = members_of(spec, site, ChainMember)
    before = before_of(spec, inputs)
    for member in members:
        member.silent = frozenset(inputs.get("dead", ()))
    return Run(spec, series, before, site, members).all_days()


def members_of(spec: Spec, site: Site, kind: type[Kind]) -> list[Kind]:
    """The controllers of a system, joined to its site. kind: ChainMember or a subclass."""
    begin_s = round((spec.start - datetime(1970, 1, 1)).total_seconds())
    soc = spec.soc_permille / 1000
    members = []
    for size in sized.cabinets(spec.size, spec.cabinets, sources_of(spec)):
        with tempfile.TemporaryDirectory() as folder:
            config = sized.load(size, Path(folder), TICK_MS)
            plant = size.plant | spec.plant
            members.append(kind(config, site, soc, begin_s, plant))
    return members


def sources_of(spec: Spec) -> dict[str, dict[str, Any]]:
    """The source of the dispatcher's hints; {} without one."""
    if spec.fallback_W is None:
        return {}
    source = {"role": "grid_cap", "priority": 2, "fallback_import_W_max": spec.fallback_W}
    return {dispatched.SOURCE: source}


class Run:
    """A run, slot by slot, from midnight on."""

    def __init__(
        self, spec: Spec, series: Series, before: Series, site: Site, members: Sequence[ChainMember]
    ) -> None:
        self.spec, self.series, self.before = spec, series, before
        self.site, self.members = site, members
        self._count = spec.days * SLOTS_PER_DAY
        self._seconds = np.zeros((2, spec.days * DAY_S), np.float32)
        self._battery_W = np.zeros(spec.days * DAY_S, np.float32)
        self._rows, self._degC = np.zeros((7, self._count)), np.zeros(self._count)
        self._schedulers = [part for part in site.parts if part.kind == LoadCap.kind]
        self._lowered = np.zeros((2, self._count))
        self._sender = Sender(spec, series, before)
        self._modes_s = [0] * len(modes.NEXT)
        self._moves = moves_of(spec)
        shared = spec.size.import_W, spec.spare_W
        self._shares = (
            dispatched.Shares(members, *shared, spec.fallback_W, spec.seed)
            if spec.fallback_W is not None
            else None
        )
        self._watch = Watch(spec, site, members)

    def all_days(self) -> Result:
        """Make the whole run."""
        for slot in range(self._count):
            if self._sender.is_due(slot) and SENDER not in self.members[0].silent:
                present = [member for member in self.members if member.is_here]
                stored = _soc(present) * len(present) / len(self.members)
                rows = self._sender.rows(slot, stored, self._own_W(slot))
                for member in present:
                    member.schedule(slot * SLOT_S, SLOT_S // 60, rows)
                self._watch.sent(slot, self._sender.caps_W)
            self._slot(slot)
            self._sender.saw(slot, float(self._rows[0, slot]), float(self._lowered[1, slot]))
        grid_W, battery_W, pv_W, genset_W, load_W, soc, spread_K = self._rows
        return Result(
            self.spec,
            self.series,
            grid_W,
            battery_W=battery_W,
            pv_W=pv_W,
            genset_W=genset_W,
            load_W=load_W,
            soc=soc,
            spread_K=spread_K,
            seconds_W=self._seconds,
            cap_W=self._sender.cap_W,
            account=dict(self.site.account.energy_J),
            watched=self._watch.watched(),
            thermal=_thermal(self.members),
            modes_s=self._of_modes(),
            degC=self._degC,
            battery_1s_W=self._battery_W,
            before=self.before,
            lowered_W=self._lowered[0],
            asked_s=self._lowered[1],
        )

    def second(self, second: int) -> None:
        """Simulate this second of the run."""
        for place, soc in self._moves.get(second, ()):
            if soc is None:
                self.members[place].leave()
            else:
                self.members[place].come(soc)
        if self._shares is not None:
            self._shares.step(second)
        self.site.step(1.0)
        self._seconds[:, second] = self.site.load_power_W, self.site.grid_power_W
        self._battery_W[second] = self.site.battery_W
        self._modes_s[self.members[0].control.found.mode] += 1
        self._watch.see(second)

    def _own_W(self, slot: int) -> float:
        """Mean power that the cabinets themselves have drawn so far."""
        if not slot:
            return math.fsum([member.drawn_W for member in self.members])
        return self.site.account.energy_J["auxiliaries"] / (slot * SLOT_S)

    def _of_modes(self) -> dict[str, int]:
        names = [modes.Modes.TEXTS[reasons.MODE + mode][0] for mode in range(len(modes.NEXT))]
        return {name: seconds for name, seconds in zip(names, self._modes_s) if seconds}

    def _slot(self, slot: int) -> None:
        site, members = self.site, self.members
        before_J = dict(site.account.energy_J)
        first = slot * SLOT_S
        for second in range(first, first + SLOT_S):
            self.second(second)
            for part in self._schedulers:
                asked = part.asked.get("lower_W", 0) > 0
                self._lowered[:, slot] += part.sheds_W / SLOT_S, asked
        slot_W = means_W(before_J, site.account.energy_J, SLOT_S)
        units_degC = [unit.battery.degC for member in members for unit in member.pcs]
        self._rows[:, slot] = *slot_W, _soc(members), max(units_degC) - min(units_degC)
        self._degC[slot] = np.mean(units_degC)


def means_W(
    before_J: Mapping[str, float], after_J: Mapping[str, float], lasted_s: int
) -> tuple[float, ...]:
    """Means of grid, battery, PV, generator set and load between two states of a site's account."""
    mean_W = {name: (energy_J - before_J[name]) / lasted_s for name, energy_J in after_J.items()}
    return (
        mean_W["imported"] - mean_W["exported"],
        mean_W["discharged"] - mean_W["charged"],
        *(math.fsum([mean_W[kind] for kind in kinds]) for kinds in FED),
        mean_W["load"],
    )


def moves_of(spec: Spec) -> dict[int, list[tuple[int, float | None]]]:
    """Times when cabinets come or leave: {second: [(place, charge; None if it leaves)]}."""
    moves: dict[int, list[tuple[int, float | None]]] = {}
    for away in spec.away:
        place, from_s = away["cabinet"] - 1, round((away["day"] - 1) * DAY_S + away["hour"] * 3600)
        moves.setdefault(from_s, []).append((place, None))
        if away["hours"] is not None:
            back_s = from_s + round(away["hours"] * 3600)
            moves.setdefault(back_s, []).append((place, away["soc_permille"] / 1000))
    return moves


def _soc(members: Sequence[ChainMember]) -> float:
    """Mean charge of all units on the site."""
    charges = [member.soc for member in members if member.is_here]
    return math.fsum(charges) / len(charges)


def _thermal(members: Sequence[ChainMember]) -> dict[str, float]:
    """heat_J: heat of the heaters. charge_opens_s: seconds until every member had allowed
    CHARGE_OPENS of its power; this key is missing if one never did.
    """
    opened_s = [member.charge_opens_s for member in members]
    known_s = [time_s for time_s in opened_s if time_s is not None]
    opened = {"charge_opens_s": max(known_s)} if len(known_s) == len(members) else {}
    return {"heat_J": math.fsum([member.heat_J for member in members]), **opened}
