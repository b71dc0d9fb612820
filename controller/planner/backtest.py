"""Tests a way to plan on past data: a model of the controller follows its plans slot by slot.

The modelled controller holds the cap and the export limit with all power and energy of the battery.
Between these limits it follows the schedule. The model sees only quarters of an hour.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from controller.core.base.schedule_table import OPEN_W, Slot as Row
from controller.planner import cap, tariff
from controller.planner.exact import J_PER_KWH, Numbers
from controller.planner.places import HOUR_SLOTS
from controller.planner.planning import HARD_PART, SLOT_S, Known, Site, later
from controller.system.local_days import day_begin, slots_between

PRICES_AT_H = 13  # tomorrow's prices are known from this hour on
# Parts of the energy (assumed). TARGET_PART: the target of load tracking. TRACKED_PART: the energy
# that the rated power moves in the time in which load tracking corrects the state of charge.
TARGET_PART, TRACKED_PART = 0.55, 0.25


class Past(NamedTuple):
    """Quarters of an hour from the local time `start` on. The first `before` quarters are not
    judged.
    """

    start: datetime
    load_W: Numbers
    pv_W: Numbers
    price_per_kWh: Numbers
    before: int


class Outcome(NamedTuple):
    """Result of the judged slots."""

    grid_W: list[float]  # import of each slot
    gained_J: float  # stored energy at the end, less that at the start
    given_J: float  # discharged
    yielded_J: float = 0.0  # energy that the load did not get, because it was lowered on request
    yielded_h: float = 0.0  # hours in which the load was lowered


# A way to plan. It returns the rows of a schedule from this slot on. After its last row the
# controller acts alone.
Way = Callable[[Known], list[Row]]


def power_W(row: Row, net_W: float, stored_J: float, site: Site) -> float:
    """The battery's mean power in a slot, by request, cap, export limit and stored energy."""
    store = site.store
    wanted_W = float(max(row.battery_low_W, 0))
    if not wanted_W and row.battery_high_W != OPEN_W:
        wanted_W = float(min(row.battery_high_W, 0))
    if wanted_W > 0 and stored_J < row.reserve_permille / 1000 * site.full_J:
        wanted_W = 0.0
    wanted_W = min(max(wanted_W, net_W - row.grid_cap_W), net_W + site.export_W)
    most_discharge_W = max(0.0, stored_J - HARD_PART * site.full_J) * store.one_way / SLOT_S
    most_charge_W = max(0.0, site.full_J - stored_J) / store.one_way / SLOT_S
    return max(-store.charge_W, -most_charge_W, min(store.discharge_W, most_discharge_W, wanted_W))


def unplanned(site: Site, stored_J: float, cap_W: float) -> Row:
    """A row that makes the model act as the controller does without a schedule. Load tracking then
    brings the state of charge to its target (controller/core/tracking/reference.py), below cap_W.
    """
    rated_W = site.store.discharge_W
    lasts_s = max(SLOT_S, TRACKED_PART * site.full_J / rated_W)
    asked_W = round((stored_J - TARGET_PART * site.full_J) / lasts_s)
    low_W, high_W = (asked_W, OPEN_W) if asked_W > 0 else (OPEN_W, asked_W)
    return Row(round(min(cap_W, site.import_W)), low_W, high_W, 0)


def lowered_W(row: Row, net_W: float, stored_J: float, site: Site) -> float:
    """Power by which the load is lowered in a slot, because the controller asks for it."""
    need_W = net_W - row.grid_cap_W
    if need_W <= 0 or not site.yields.most_W:
        return 0.0
    is_low = stored_J <= site.yields.low_part * site.full_J
    can_W = power_W(row, net_W, stored_J, site)
    return cap.lowered_W(need_W, can_W, is_low, site.yields.most_W)


def moved_J(power_W: float, site: Site) -> float:
    """Energy that a slot at this power takes from the store, with the losses of idle converters."""
    one_way = site.store.one_way
    cell_W = power_W * one_way if power_W < 0 else power_W / one_way
    return (cell_W + site.store.idle_W * (power_W == 0)) * SLOT_S


def stepped(row: Row, net_W: float, stored_J: float, site: Site) -> tuple[float, float, float]:
    """A slot as the controller follows it: (less load, battery power, energy at its end)."""
    less_W = lowered_W(row, net_W, stored_J, site)
    battery_W = power_W(row, net_W - less_W, stored_J, site)
    return less_W, battery_W, max(0.0, stored_J - moved_J(battery_W, site))


def followed(
    site: Site,
    past: Past,
    stored_J: float,
    way: Way,
    step_slots: int = HOUR_SLOTS,
    alone_W: float = math.inf,
) -> Outcome:
    """Plan each hour, and let the modelled controller follow. way: makes the plans, and may keep a
    state. alone_W: highest import while the controller has no schedule.
    """
    model, end = SiteModel(site, stored_J, alone_W), len(past.load_W)
    for slot in range(past.before, end, step_slots):
        rows = way(model.known(past, slot))
        model.follow(past, slot, min(slot + step_slots, end), rows)
    return model.outcome()


class SiteModel:
    """A model of the controller, its battery and its site. It follows plans slot by slot."""

    def __init__(self, site: Site, stored_J: float, alone_W: float = math.inf):
        self._site, self._peaks, self._begun_J, self._alone_W = site, Peaks(site), stored_J, alone_W
        self._stored_J, self._given_J, self._yielded_J = stored_J, 0.0, 0.0
        self._grid_W, self._yielded_slots = list[float](), 0

    def known(self, past: Past, slot: int) -> Known:
        """Knowledge of a planner at a slot, with the battery and the peaks of this model."""
        peaks_W, hours = self._peaks.of(later(past.start, slot)), self._yielded_slots / HOUR_SLOTS
        return known_at(past, slot, self._stored_J, peaks_W)._replace(yielded_h=hours)

    def follow(self, past: Past, first: int, end: int, rows: Sequence[Row]) -> None:
        """Follow a schedule in these slots. Its first row is for the slot `first`."""
        site = self._site
        for slot in range(first, end):
            if slot - first < len(rows):
                row = rows[slot - first]
            else:
                row = unplanned(site, self._stored_J, self._alone_W)
            net_W = past.load_W[slot] - past.pv_W[slot]
            less_W, battery_W, self._stored_J = stepped(row, net_W, self._stored_J, site)
            self._given_J += max(0.0, battery_W) * SLOT_S
            self._yielded_J += less_W * SLOT_S
            self._yielded_slots += less_W > 0
            self._grid_W.append(net_W - less_W - battery_W)
            self._peaks.see(later(past.start, slot), self._grid_W[-1])

    def outcome(self) -> Outcome:
        """The result of all slots so far."""
        gained_J, hours = self._stored_J - self._begun_J, self._yielded_slots / HOUR_SLOTS
        return Outcome(self._grid_W, gained_J, self._given_J, self._yielded_J, hours)


def known_at(past: Past, slot: int, stored_J: float, peaks_W: Numbers) -> Known:
    """Knowledge of a planner at a slot: the past before it, and the prices published by then."""
    time = later(past.start, slot)
    days = 2 if time.hour >= PRICES_AT_H else 1
    end = slots_between(past.start, day_begin(time, days))
    before = past.load_W[:slot], past.pv_W[:slot], past.price_per_kWh[:slot]
    return Known(time, *before, past.price_per_kWh[slot:end], stored_J, peaks_W)


class Peaks:
    """The highest interval of the month so far that each demand charge bills."""

    def __init__(self, site: Site):
        self._charges = tariff.charges(site.tariff)
        self._month, self._peaks_W = (0, 0), [0.0] * len(self._charges)
        self._last_W, self._seen = list[float](), 0  # powers of the longest interval; slots seen

    def of(self, time: datetime) -> list[float]:
        """Peak of each charge in the month of this time, W; 0 before its first slot."""
        is_now = self._month == (time.year, time.month)
        return [peak_W * is_now for peak_W in self._peaks_W]

    def see(self, time: datetime, grid_W: float) -> None:
        """Count a slot that began at this time and has ended."""
        self._peaks_W, self._month = self.of(time), (time.year, time.month)
        self._last_W, self._seen = [*self._last_W[1 - HOUR_SLOTS :], grid_W], self._seen + 1
        for index, charge in enumerate(self._charges):
            count = round(charge.interval_min * 60 / SLOT_S)
            if self._seen % count == 0 and charge.is_billed(time):
                mean_W = math.fsum(self._last_W[-count:]) / count
                self._peaks_W[index] = max(self._peaks_W[index], mean_W)


def cost(site: Site, past: Past, outcome: Outcome) -> float:
    """The bill with wear. Energy that the battery gained is credited at the mean price. Energy that
    the load did not get is charged at the mean price, because its work is done later.
    """
    start = later(past.start, past.before)
    price = past.price_per_kWh[past.before : past.before + len(outcome.grid_W)]
    bill = tariff.bill(site.tariff, outcome.grid_W, SLOT_S, price, start)
    mean = math.fsum(price) / len(price) + site.tariff["adder_per_kWh"]
    credited_J = outcome.gained_J - outcome.yielded_J
    battery_cost = outcome.given_J * site.store.wear_per_kWh - credited_J * mean
    return bill.total + battery_cost / J_PER_KWH


def without(past: Past) -> Outcome:
    """The result of the judged slots without a battery."""
    nets = zip(past.load_W[past.before :], past.pv_W[past.before :])
    return Outcome([load_W - pv_W for load_W, pv_W in nets], 0.0, 0.0)
