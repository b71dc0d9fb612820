"""A run of a system: its series, a schedule for each day, the controller at 1 s, the records."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hil.plant import pcs
from hil.site import cooling as site_cooling, description
from hil.site.site import Site
from hil.systems import prices, rules, sized
from hil.systems.member import DAY_S, ChainMember
from hil.systems.spec import Spec

SLOT_S, SLOTS_PER_DAY, SAMPLE_S = 900, 96, 60
HOUR_SLOTS = 4
J_PER_WH = 3600.0
MODE = "chain only, 1 s"
HALVINGS, CAP_MARGIN = 24, 1.02  # search of the lowest cap; margin for a load that is not known
TICK_MS = 100  # of the configuration: how fast the limits of the kernel rise


class Series(NamedTuple):
    """Means of each quarter of an hour, without a battery. load_W: it_W with its cooling."""

    it_W: np.ndarray
    load_W: np.ndarray
    pv_W: np.ndarray
    price: np.ndarray


class Result(NamedTuple):
    """Means of each quarter of an hour: grid, battery (> 0 discharges), PV, generator set; SOC and
    spread at its end. seconds_W: load and grid of each second, float32. caps_W: of each slot.
    """

    spec: Spec
    series: Series
    grid_W: np.ndarray
    battery_W: np.ndarray
    pv_W: np.ndarray
    genset_W: np.ndarray
    load_W: np.ndarray
    soc: np.ndarray
    spread_K: np.ndarray
    seconds_W: np.ndarray
    cap_W: float
    account: dict[str, float]
    thermal: dict[str, float] = {}  # of ChainMember.thermal


def series_of(spec: Spec, inputs: dict[str, Any]) -> Series:
    """The series of a system from a site of its own, stepped once a minute."""
    count = spec.days * SLOTS_PER_DAY
    site = site_of(spec, inputs)
    steps = count * SLOT_S // SAMPLE_S
    powers = np.zeros((3, steps))
    cooling = site.cooling
    for step in range(steps):
        now_s = (step + 0.5) * SAMPLE_S
        it_W = site.load(now_s)
        cool_W = 0.0
        if cooling is not None:
            degC = site.weather.outside_degC(now_s)
            cool_W = it_W * site_cooling.share_of_heat(cooling.water_degC, degC)
        pv_W = 0.0
        for part in site.parts:
            if part.kind == "pv":
                part.step(now_s, SAMPLE_S, it_W)
                pv_W += part.feeds_W
        powers[:, step] = it_W, it_W + cool_W, pv_W
    means = powers.reshape(3, count, SLOT_S // SAMPLE_S).mean(axis=2)
    return Series(*means, _price(spec, inputs))


def _price(spec: Spec, inputs: dict[str, Any]) -> np.ndarray:
    hours = spec.days * 24
    if inputs.get("prices"):
        found = prices.hourly(Path(inputs["prices"]), spec.start, hours)
    elif spec.prices["kind"] == "time_of_use":
        found = prices.time_of_use(spec.prices, spec.start, hours)
    else:
        found = prices.built_in(spec.seed, spec.start, hours)
    return np.repeat(found, HOUR_SLOTS)


def site_of(spec: Spec, inputs: dict[str, Any]) -> Site:
    """The site of a system, with files in place of the built-in series."""
    tables = {
        key: dict(each) if isinstance(each, dict) else each for key, each in spec.site.items()
    }
    for section, key in (("load", "load"), ("pv", "pv"), ("weather", "weather")):
        if inputs.get(key):
            tables[section] = _of_file(tables.get(section, {}), section, inputs)
    checked = description.of_table({"name": spec.name, **tables}, f"{spec.name}: site")
    return description.built(checked, spec.seed, "")


def _of_file(table: dict[str, Any], section: str, inputs: dict[str, Any]) -> dict[str, Any]:
    found = {"file": inputs[section], "column": inputs.get(f"{section}_column")}
    scale = inputs.get(f"{section}_scale")
    if section == "weather":
        return {"file": inputs[section]}
    if section == "load":
        return {"kind": "file", **found, **({"scale": scale} if scale else {})}
    return {"rated_W": table["rated_W"], **found, **({"scale": scale} if scale else {})}


def run(
    spec: Spec, inputs: dict[str, Any] | None = None, show: Callable[[float], object] | None = None
) -> Result:
    """inputs: files instead of the built-in series; show: gets the share that is done."""
    inputs = inputs or {}
    series = series_of(spec, inputs)
    site = site_of(spec, inputs)
    begin_s = round((spec.start - datetime(1970, 1, 1)).total_seconds())
    plant = {"capacity_Ah": spec.size.capacity_Ah, **spec.plant}
    with tempfile.TemporaryDirectory() as folder:
        config = sized.load(spec.size, Path(folder), TICK_MS)
        soc = spec.soc_permille / 1000
        member = ChainMember(config, site, soc, begin_s, plant, can_form=spec.can_form)
    return _Run(spec, series, site, member).all_days(show)


class _Run:
    def __init__(self, spec: Spec, series: Series, site: Site, member: ChainMember) -> None:
        self.spec, self.series, self.site, self.member = spec, series, site, member
        self._count = spec.days * SLOTS_PER_DAY
        self._seconds = np.zeros((2, spec.days * DAY_S), np.float32)
        self._rows = np.zeros((7, self._count))
        self.cap_W = cap_of(spec, series)

    def all_days(self, show: Callable[[float], object] | None) -> Result:
        for slot in range(self._count):
            if slot % SLOTS_PER_DAY == 0:
                self._plan(slot // SLOTS_PER_DAY)
            self._slot(slot)
            if show is not None:
                show((slot + 1) / self._count)
        grid_W, battery_W, pv_W, genset_W, load_W, soc, spread_K = self._rows
        return Result(
            self.spec, self.series, grid_W, battery_W, pv_W, genset_W, load_W, soc, spread_K,
            self._seconds, self.cap_W, dict(self.site.account.energy_J),
            self.member.thermal(),
        )  # fmt: skip

    def _slot(self, slot: int) -> None:
        site, member = self.site, self.member
        before_J = dict(site.account.energy_J)
        first = slot * SLOT_S
        for second in range(first, first + SLOT_S):
            site.step(1.0)
            self._seconds[0, second] = site.load_power_W
            self._seconds[1, second] = site.grid_power_W
        gained = {name: each - before_J[name] for name, each in site.account.energy_J.items()}
        mean_W = {name: each / SLOT_S for name, each in gained.items()}
        self._rows[:, slot] = (
            mean_W["imported"] - mean_W["exported"],
            mean_W["discharged"] - mean_W["charged"],
            *(mean_W["pv"], mean_W["genset"], mean_W["load"]),
            *(member.soc, member.spread_K),
        )

    def _plan(self, day: int) -> None:
        """The schedule of a day, sent at midnight."""
        first = day * SLOTS_PER_DAY
        rows = planned(self.spec, self.series, self.cap_W, self.member.soc, first)
        self.member.schedule(day * DAY_S, SLOT_S // 60, rows)


def planned(
    spec: Spec, series: Series, cap_W: float, soc: float, first: int
) -> list[tuple[int, int, int, int]]:
    """The schedule of a day from slot `first` of the run on (rules.slots). The day behind it is
    planned too, and not sent. The last day of the run is followed by a day like it.
    """
    given, size = spec.schedule, spec.size
    ahead = first + np.arange(2 * SLOTS_PER_DAY)
    last = len(series.price) - SLOTS_PER_DAY
    ahead = np.where(ahead < len(series.price), ahead, last + (ahead - last) % SLOTS_PER_DAY)
    known = ahead
    if not given["is_load_known"] and first >= SLOTS_PER_DAY:
        known = first - SLOTS_PER_DAY + np.arange(2 * SLOTS_PER_DAY) % SLOTS_PER_DAY
    energy_J, power_W = size.energy_Wh * J_PER_WH, float(size.units * size.rated_W)
    store = rules.Store(
        *(energy_J, energy_J * given["reserve_permille"] / 1000),
        *(energy_J * given["high_permille"] / 1000, energy_J * soc),
        *(power_W, power_W, given["efficiency"], given["wear_per_kWh"]),
        pcs.FIXED * power_W,
    )
    price = series.price[ahead] + spec.tariff["adder_per_kWh"]
    if not given["is_trading"]:
        price[:] = price.mean()
    plan = rules.plan((series.load_W - series.pv_W)[known], price, SLOT_S, store, cap_W)
    return rules.slots(plan, store, cap_W)[:SLOTS_PER_DAY]


def cap_of(spec: Spec, series: Series) -> float:
    """The import that the schedule keeps to, W: as asked, but not below what the battery can hold
    over the whole run.
    """
    net_W = series.load_W - series.pv_W
    peak_W = float(net_W.max())
    asked_W = spec.schedule["cap_W"] or peak_W * spec.schedule["cap_permille"] / 1000
    low_W, high_W = 0.0, max(peak_W, float(asked_W))
    for _ in range(HALVINGS):
        middle_W = (low_W + high_W) / 2
        low_W, high_W = (low_W, middle_W) if _is_held(spec, net_W, middle_W) else (middle_W, high_W)
    return max(float(asked_W), min(high_W * CAP_MARGIN, peak_W))


def _is_held(spec: Spec, net_W: np.ndarray, cap_W: float) -> bool:
    """The battery carries all above cap_W, and charges whenever there is room below it."""
    given, size = spec.schedule, spec.size
    power_W = float(size.units * size.rated_W)
    capacity_J = size.energy_Wh * J_PER_WH
    low_J, high_J = (
        capacity_J * given[name] / 1000 for name in ("reserve_permille", "high_permille")
    )
    one_way, stored_J = given["efficiency"] ** 0.5, capacity_J * spec.soc_permille / 1000
    for room_W in (cap_W - net_W).tolist():
        if room_W < -power_W:
            return False
        moved_W = min(room_W, power_W) * one_way if room_W > 0 else room_W / one_way
        stored_J = min(high_J, stored_J + (moved_W - pcs.FIXED * power_W) * SLOT_S)
        if stored_J < low_J:
            return False
    return True
