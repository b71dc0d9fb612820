"""Sends a system's schedule, made by the real planner from the knowledge in the system's file.

The planner learns from the days before the run. It knows the prices of today, and from 13:00 on
also of tomorrow. Events and outages are known after they are announced. The load is known for the
next `notice_min`, or completely.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from controller.core.base.schedule_table import Slot as Row
from controller.planner import backtest, site_file
from controller.planner.backtest import Outcome, Past, Way
from controller.planner.cap import Agreed
from controller.planner.daily import Daily
from controller.planner.exact import J_PER_WH, Store
from controller.planner.planning import CAP_PART, Known, Site, later
from controller.planner.reserve import Hours
from hil.plant import pcs
from hil.systems import round_trip
from hil.systems.series import BEFORE_DAYS, HOUR_SLOTS, SLOT_S, SLOTS_PER_DAY, Series, outages_of
from hil.systems.spec import Spec

HOUR_S = 3600.0
START_SOC = "start_soc_permille"
ONE_PRICE = 0.1  # per kWh, in place of all prices, so that moving energy earns nothing


class Sender:
    """Makes plans during a run. cap_W: import that the last plan keeps; caps_W: for each slot."""

    def __init__(self, spec: Spec, series: Series, before: Series) -> None:
        self.site, self.cap_W, self.caps_W = site_of(spec), 0.0, list[float]()
        self.sends = sends(spec)
        self._spec, self.past = spec, past_of(spec, before, series)
        self._daily, self._peaks = Daily(self.site), backtest.Peaks(self.site)
        self._events = [event_of(event) for event in spec.events]
        self._load_to_come = LoadToCome(spec, self.past)
        self._yielded_s: dict[tuple[int, int], float] = {}  # {(year, month): s with a lowered load}

    def is_due(self, slot: int) -> bool:
        """True if a schedule is due at this slot: each hour, or each slot if there are notices."""
        return self.sends and (slot % HOUR_SLOTS == 0 or self._spec.schedule["notice_min"] > 0)

    def rows(self, slot: int, soc: float, own_W: float = 0.0) -> list[Row]:
        """The rows of a schedule from this slot on. soc: state of charge, 0 to 1. own_W: power that
        the cabinets draw for themselves, as the grid meter shows it.
        """
        index = self.past.before + slot
        peaks_W = self._peaks.of(later(self.past.start, index))
        known = backtest.known_at(self.past, index, soc * self.site.full_J, peaks_W)
        yielded_h = self.yielded_h(later(self.past.start, index))
        return self.way(known._replace(yielded_h=yielded_h), own_W)

    def way(self, known: Known, own_W: float = 0.0) -> list[Row]:
        """The rows of a schedule from the knowledge at a slot. A back-test calls it as `way`."""
        slot = len(known.past_load_W) - self.past.before
        limits_W = self._limits_W(slot)
        warned = self._warned(slot)
        knowledge = self._load_to_come(known._replace(limits_W=limits_W, warned=warned))
        past_load_W, load_W = [
            [power_W + own_W for power_W in series_W]
            for series_W in (knowledge.past_load_W, knowledge.load_W)
        ]
        plan = self._daily.planned(knowledge._replace(past_load_W=past_load_W, load_W=load_W))
        self.cap_W, self.caps_W = plan.cap_W, plan.caps_W
        return plan.rows

    def alone(self, way: Way | None = None) -> Outcome:
        """The outcome of a back-test over the slots of the run. way: None for `self.way`."""
        interval_slots = 1 if self._spec.schedule["notice_min"] else HOUR_SLOTS
        stored_J = self.site.store.now_J
        return backtest.followed(self.site, self.past, stored_J, way or self.way, interval_slots)

    def saw(self, slot: int, grid_W: float, yielded_s: float = 0.0) -> None:
        """Note the mean import of a slot that ended, and its seconds with a lowered load."""
        time = later(self.past.start, self.past.before + slot)
        self._peaks.see(time, grid_W)
        month = time.year, time.month
        self._yielded_s[month] = self._yielded_s.get(month, 0.0) + yielded_s

    def yielded_h(self, time: datetime) -> float:
        """Hours with a lowered load so far, in the month of this time."""
        return self._yielded_s.get((time.year, time.month), 0.0) / HOUR_S

    def _limits_W(self, slot: int) -> dict[int, float]:
        """{slots ahead: cap} of the events that are announced by this slot."""
        return {
            position - slot: event.cap_W
            for event in self._events
            if event.known <= slot
            for position in range(max(slot, event.first), event.end)
        }

    def _warned(self, slot: int) -> list[bool]:
        """True for each slot ahead in an outage that is announced by this slot."""
        ahead_h, now_s = self._spec.warned_ahead_h, slot * SLOT_S
        outages = [] if ahead_h is None else outages_of(self._spec)
        announced = [
            range(at_s - SLOT_S + 1, at_s + for_s)
            for at_s, for_s in outages
            if at_s - (ahead_h or 0.0) * HOUR_S <= now_s
        ]
        times_s = range(now_s, now_s + 2 * SLOTS_PER_DAY * SLOT_S, SLOT_S)
        return [any([time_s in outage_s for outage_s in announced]) for time_s in times_s]


def sends(spec: Spec) -> bool:
    """False if only load tracking uses the battery, because a schedule would hold the charge where
    it is.
    """
    schedule = spec.schedule
    return bool(schedule["is_trading"] or schedule["cap_W"] or spec.events)


class LoadToCome:
    """Adds the load to come, as notices or an owner report it, to the knowledge at a slot."""

    def __init__(self, spec: Spec, past: Past) -> None:
        schedule = spec.schedule
        self._past, self._draw = past, np.random.default_rng(spec.seed)
        self._error = schedule["forecast_error_permille"] / 1000
        is_known, notice_min = schedule["is_load_known"], schedule["notice_min"]
        self._slots = 2 * SLOTS_PER_DAY if is_known else notice_min // 15

    def __call__(self, known: Known) -> Known:
        """The knowledge with the load to come."""
        start = len(known.past_load_W)
        load_W = np.array(self._past.load_W[start : start + self._slots])
        load_W *= 1 + self._error * self._draw.normal(size=len(load_W))
        return known._replace(load_W=load_W.tolist())


class Event(NamedTuple):
    """Slots of a demand response event. known: slot of its announcement."""

    first: int
    end: int
    known: int
    cap_W: float


def event_of(table: Mapping[str, float]) -> Event:
    """An event. table: a table `event` of a system's file."""
    first = round((table["day"] - 1) * SLOTS_PER_DAY + table["hour"] * HOUR_SLOTS)
    end = first + round(table["hours"] * HOUR_SLOTS)
    return Event(first, end, first - round(table["announced_h"] * HOUR_SLOTS), table["cap_W"])


def past_of(spec: Spec, before: Series, series: Series) -> Past:
    """The slots of the days before the run, then those of the run."""
    load_W, pv_W, price = [
        [*earlier.tolist(), *own.tolist()] for earlier, own in zip(before[1:], series[1:])
    ]
    if not spec.schedule["is_trading"]:
        price = [ONE_PRICE] * len(price)
    start = spec.start - timedelta(days=BEFORE_DAYS)
    return Past(start, load_W, pv_W, price, len(before.load_W))


def site_of(spec: Spec, is_capped: bool = True) -> Site:
    """A system as its planner sees it. is_capped: the cap in its file limits the connection. Both
    are without the power that a dispatcher keeps free.
    """
    size, lent_W = spec.size, spec.size.import_W - spec.spare_W
    cap_W = min(spec.schedule["cap_W"], lent_W) / CAP_PART
    import_W = cap_W if is_capped and cap_W else float(lent_W)
    export_W = float(size.control.get("grid_export_W_max", size.export_W))
    tariff: dict[str, Any] = spec.tariff
    if not spec.schedule["is_trading"]:  # load tracking has the battery for itself
        tariff = {**tariff, "demand_per_kW_month": [0.0], "demand": []}
    hours = Hours(*[spec.schedule[field] for field in Hours._fields])
    limits = import_W, export_W, tariff, _agreed(spec), hours
    return Site(store_of(spec), size.energy_Wh * J_PER_WH, *limits)


def _agreed(spec: Spec) -> Agreed:
    """The agreement with the scheduler in the system's file, for 20 h a month."""
    for device in spec.size.devices.values():
        if device["role"] == "load_cap":
            low = device.get(START_SOC, site_file.LOAD[START_SOC].default)
            return Agreed(device["lower_W_max"], low_part=low / 1000)
    return Agreed()


def store_of(spec: Spec) -> Store:
    """The battery of a system, with its charge at the first slot."""
    schedule, size = spec.schedule, spec.size
    energy_J, power_W = size.energy_Wh * J_PER_WH, float(size.power_W)
    sleeps = spec.plant.get("pcs_sleeps", 0)
    return Store(
        low_J=energy_J * schedule["reserve_permille"] / 1000,
        high_J=energy_J * schedule["high_permille"] / 1000,
        now_J=energy_J * spec.soc_permille / 1000,
        charge_W=power_W,
        discharge_W=power_W,
        one_way=round_trip.efficiency(size, spec.plant) ** 0.5,
        wear_per_kWh=schedule["wear_per_kWh"],
        idle_W=size.units * pcs.losses_W(0.0, size.rated_W, sleeps),
    )
