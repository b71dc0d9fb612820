"""Makes one schedule, which is a plan and its rows, from the past, the forecast and the caps.

The value of a plan depends on cap and reserve, not on forecasts. The cap is the lowest import that
a part of the battery would have held in the last days, or the peak that the month already has. A
part of the energy range stays out of the plan. The controller uses that part only to hold the cap.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from controller.core.base.schedule_table import OPEN_W, Slot as Row
from controller.planner import cap, exact, forecast, guard, places, reserve, tariff
from controller.planner.exact import Numbers, Plan, Slot, Store
from controller.planner.guard import Net
from controller.planner.places import Bills
from controller.planner.rows import rows_of
from controller.series.middle import median
from controller.system import local_days
from controller.system.local_days import SLOT_S, SLOTS_PER_DAY

PAST_DAYS = 28  # a cap is learnt from these days, as far as they are known
HARD_PART = 0.1  # least_part without a frequency response
# Parts of the connection: highest import of an unbilled slot, and highest cap. Both stay below 1,
# because the mean of a slot hides short peaks.
OPEN_PART, CAP_PART = 0.9, 0.98
MONTH_SLOTS, G_PER_T = 30.4 * SLOTS_PER_DAY, 1e6


class Habit(NamedTuple):
    """A way to plan: how carefully caps are learnt and energy is kept."""

    name: str
    part: float  # part of the battery with which caps are learnt
    kept: float  # part of the energy range that the plan does not use
    looks: int  # slots ahead; a cap that the battery cannot hold over these slots rises
    keeps_need: bool = False  # keep the energy that the worst of the last days needed for the cap


HOLDS_CAP = Habit("holds_cap", 0.7, 0.8, 2 * SLOTS_PER_DAY)
TRADES = Habit("trades", 0.7, 0.0, 2 * SLOTS_PER_DAY, True)
KNOWS_LOAD = Habit("told", 0.6, 0.0, 2 * SLOTS_PER_DAY)  # with a job plan of a whole day
ENERGY_ONLY = Habit("energy_only", 1.0, 0.0, 0)


class Site(NamedTuple):
    """Battery, grid connection and tariff of a site, and what is agreed on its load and outages."""

    store: Store
    full_J: float  # of the battery
    import_W: float  # highest power of the connection
    export_W: float  # highest power of the connection
    tariff: Mapping[str, Any]
    yields: cap.Agreed = cap.Agreed()
    hours: reserve.Hours = reserve.Hours()
    least_part: float = HARD_PART  # of full_J: down to this, the controller holds a cap

    @property
    def hard(self) -> Store:
        """The store with the lowest energy to which the controller discharges to hold a cap."""
        return self.store._replace(low_J=self.least_part * self.full_J)


class Known(NamedTuple):
    """Knowledge at the slot that begins at `time`. The past has at least one quarter and ends
    before this slot. Values to come begin with this slot and end where they are unknown. Prices are
    without adders.
    """

    time: datetime
    past_load_W: Numbers
    past_pv_W: Numbers
    past_price_per_kWh: Numbers
    price_per_kWh: Numbers  # to come
    stored_J: float
    peaks_W: Numbers  # highest billed import of this month, for each charge
    limits_W: Mapping[int, float] = {}  # {slots from now: highest import by another rule}
    load_W: Numbers = ()  # to come, by a job plan
    pv_W: Numbers = ()  # to come, by a weather forecast
    carbon_g_per_kWh: Numbers = ()  # to come
    cooling_W: Numbers = ()  # of the past slots of the load, and to come
    yielded_h: float = 0.0  # hours of this month in which the load was lowered on request
    warned: Sequence[bool] = ()  # for each slot to come: whether an outage is warned of


class Planned(NamedTuple):
    """A schedule and what it was made of."""

    held_W: list[float]  # cap of each demand charge
    slots: list[Slot]
    plan: Plan
    rows: list[Row]  # of the schedule, made of slots and plan
    asked_J: list[float]  # energy that the reserve asks for at the end of each slot

    @property
    def cap_W(self) -> float:
        """The lowest cap."""
        return min(self.held_W)

    @property
    def caps_W(self) -> list[float]:
        """The import that each row promises. In slots that store PV, the row's own cap is only an
        aim (rows.py).
        """
        return [
            slot.cap_W if row.battery_low_W == row.battery_high_W == OPEN_W else row.grid_cap_W
            for slot, row in zip(self.slots, self.rows)
        ]


def rates_of(site: Site, time: datetime) -> list[float]:
    """The demand charges of this month, money per kW. On the last day the plan reaches into the
    next month, so the higher of both rates counts.
    """
    months = time.month, local_days.day_begin(time, 1).month
    return [float(max(map(charge.rate, months))) for charge in tariff.charges(site.tariff)]


def open_W(site: Site, net_W: Numbers) -> float:
    """Import that slots without a demand charge may reach. A tenth of the connection stays free for
    a job that begins. A higher load raises the limit, because a lower import would save no money.
    """
    return max(OPEN_PART * site.import_W, min(CAP_PART * site.import_W, max(net_W, default=0.0)))


def past_of(site: Site, known: Known) -> Net:
    """Load less PV of the last days, and the charges that bill it."""
    count = min(PAST_DAYS * SLOTS_PER_DAY, len(known.past_load_W))
    pairs = zip(known.past_load_W[-count:], known.past_pv_W[-count:])
    billed = billed_of(site, known.time, -count, count)
    return [load_W - pv_W for load_W, pv_W in pairs], billed


def billed_of(site: Site, time: datetime, first: int, count: int) -> list[Bills]:
    """The demand charges that bill each of `count` slots, from `first` slots after this time on.
    The months of a charge are ignored here: `rates_of` decides by the present month.
    """
    charges = tariff.charges(site.tariff)
    if not any([charge.hours or charge.days != tariff.ALL_DAYS for charge in charges]):
        return [(True,) * len(charges)] * count
    slot_places = places.of(time, first, count, site.tariff["holidays"])
    bills = {place: place.bills(charges) for place in {*slot_places}}
    return [bills[place] for place in slot_places]


def planned(site: Site, known: Known, caps_W: Numbers, habit: Habit) -> Planned:
    """The schedule from this slot until the end of tomorrow. caps_W: one for each demand charge. If
    the battery cannot hold these caps from now on, the lowest caps that it can hold count.
    """
    count = local_days.slots_between(known.time, local_days.day_begin(known.time, 2))
    net_W = net_ahead_W(known, count + site.hours.slots)
    store, hard = [battery._replace(now_J=known.stored_J) for battery in (site.store, site.hard)]
    asked_J = reserve.asked_J(net_W, site.hours, hard, known.warned)[:count]
    kept_J = reserve.kept_J(asked_J, hard, known.warned)
    net_W, past = net_W[:count], past_of(site, known)
    ahead: Net = net_W, billed_of(site, known.time, 0, count)
    held_W, own_W = _held_W(site, known, caps_W, habit, ahead, kept_J)
    job_plan = net_W[: len(known.load_W)], ahead[1][: len(known.load_W)]
    to_W = guard.charge_to_W(site.tariff, known.time, past, known.peaks_W, job_plan, caps_W)
    to = cap.limits_W(ahead[1], to_W, math.inf)
    slots = [
        slot._replace(charge_to_W=to[bills], low_J=max(store.low_J, energy_J))
        for slot, bills, energy_J in zip(slots_ahead(site, known, net_W, own_W), ahead[1], kept_J)
    ]
    lifts = reserve.before_end(known.warned[:count]) - known.limits_W.keys()
    slots = reserve.lifted(slots, kept_J, hard, OPEN_PART * site.import_W, lifts)
    worth = median([slot.price_per_kWh for slot in slots]) * store.one_way
    low_J = store.low_J + habit.kept * (store.high_J - store.low_J)
    if habit.keeps_need:
        slots = _floored(site, known.time, past, slots, held_W)
    plan = exact.plan(slots, SLOT_S, store._replace(low_J=low_J), max(0.0, worth))
    rows = rows_of(hard, slots, plan, low_J, site.full_J)
    return Planned(held_W, slots, plan, rows, asked_J)


def _held_W(
    site: Site, known: Known, caps_W: Numbers, habit: Habit, ahead: Net, kept_J: Numbers
) -> tuple[list[float], list[float]]:
    """Caps that the battery holds over these slots, and the cap of each slot. If it cannot hold
    caps_W, the cap of the cheapest charge rises first.
    """
    net_W, billed = ahead
    rates, most_W = rates_of(site, known.time), CAP_PART * site.import_W
    free_W = open_W(site, net_W)
    caps_W = [cap_W if rate else max(cap_W, free_W) for cap_W, rate in zip(caps_W, rates)]
    looks = max(habit.looks, len(known.load_W))  # a job plan is taken as certain
    # If a cap rises, charging still stays below the old cap. Otherwise it would cost money even if
    # the load stays low.
    is_load_known = len(known.load_W) >= SLOTS_PER_DAY
    yields = site.yields.left(known.yielded_h, site.yields.low_part * site.full_J)
    to_W = () if is_load_known else caps_W
    span = cap.Span(net_W[:looks], billed[:looks], free_W, to_W, yields, kept_J)
    hard = site.hard._replace(now_J=known.stored_J)
    order = sorted(range(len(rates)), key=lambda charge: -rates[charge])
    lowest_caps_W = cap.each_lowest(span, SLOT_S, hard, order, caps_W, [math.inf] * len(rates))
    held_W = [min(lowest_W, max(cap_W, most_W)) for lowest_W, cap_W in zip(lowest_caps_W, caps_W)]
    low, high = [cap.limits_W(billed, bounds_W, free_W) for bounds_W in (caps_W, held_W)]
    return held_W, [
        high[bills] if is_load_known or power_W > low[bills] else low[bills]
        for power_W, bills in zip(net_W, billed)
    ]


def _floored(
    site: Site, time: datetime, past: Net, slots: list[Slot], caps_W: Numbers
) -> list[Slot]:
    """The slots, each with at least the energy that the worst past day needed from this slot on."""
    count, ends = len(past[0]), _of_need(site, time, 1, len(slots))
    limits = cap.limits_W(past[1], caps_W, open_W(site, past[0]))
    over_W = [net_W - limits[bills] for net_W, bills in zip(*past)]
    need_J = cap.needed_J(over_W, SLOT_S, site.store, _of_need(site, time, -count, count))
    return [
        slot._replace(low_J=slot.low_J + need_J.get(key, 0.0)) for slot, key in zip(slots, ends)
    ]


def later(time: datetime, slots: int) -> datetime:
    """The local time `slots` slots later, also in nights in which the clock changes."""
    return local_days.later(time, SLOT_S * slots)


def net_ahead_W(known: Known, count: int) -> list[float]:
    """Forecast of the load less PV of the next slots."""
    return [load_W - pv_W for load_W, pv_W in zip(*ahead_W(known, count))]


def ahead_W(known: Known, count: int) -> tuple[list[float], list[float]]:
    """Forecast of load and PV of the next slots."""
    day_before = local_days.before_at(known.time)
    load_W = forecast.load(known.past_load_W, day_before, count, known.cooling_W)
    load_W[: len(known.load_W)] = known.load_W[:count]
    pv_W = forecast.repeated(known.past_pv_W, day_before, count)
    pv_W[: len(known.pv_W)] = known.pv_W[:count]
    return load_W, pv_W


def slots_ahead(site: Site, known: Known, net_W: list[float], caps_W: list[float]) -> list[Slot]:
    """The slots to come. An unknown price is that of the day before."""
    price = [*known.price_per_kWh[: len(net_W)]]
    past, lacks = [*known.past_price_per_kWh, *price], len(net_W) - len(price)
    price += forecast.repeated(past, local_days.before_at(known.time), lacks, len(price))
    feed_in, slots = site.tariff["feed_in_per_kWh"], []
    for index, cap_W in enumerate(caps_W):
        cost_per_kWh = price[index] + adder(site, known, index)
        most_W = min(cap_W, known.limits_W.get(index, cap_W))
        slots.append(
            Slot(net_W[index], cost_per_kWh, min(feed_in, cost_per_kWh), most_W, site.export_W)
        )
    return slots


def _of_need(site: Site, time: datetime, first: int, count: int) -> Sequence[Hashable]:
    """Keys of equal slots: places, or slots of the day if no demand charge depends on the day."""
    slot_places = places.of(time, first, count, site.tariff["holidays"])
    charges = tariff.charges(site.tariff)
    days = {charge.days for charge in charges if charge.rate(time.month)}
    return [place.slot for place in slot_places] if days == {tariff.ALL_DAYS} else slot_places


def adder(site: Site, known: Known, ahead: int) -> float:
    """Adders and carbon cost that a plan adds to the price of a bought kWh in a slot ahead. The
    last known carbon counts for all slots after it.
    """
    grams, rate = known.carbon_g_per_kWh, site.tariff.get("carbon_per_t", 0.0)
    carbon = grams[min(ahead, len(grams) - 1)] * rate / G_PER_T if grams else 0.0
    return float(adder_per_kWh(site, known.time, ahead) + carbon)


def adder_per_kWh(site: Site, time: datetime, ahead: int = 0) -> float:
    """Cost of a bought kWh by the tariff, without its price, `ahead` slots after this time. Each
    hour that may set a capacity tag carries a share of the tag's cost.
    """
    if not site.tariff["tag_per_kW_year"]:
        return float(site.tariff["adder_per_kWh"])
    share = tariff.may_set_tag(site.tariff, later(time, ahead)) / tariff.TAG_DAYS
    return float(site.tariff["adder_per_kWh"] + site.tariff["tag_per_kW_year"] * share)


def past_costs_per_kWh(site: Site, known: Known, count: int) -> list[float]:
    """Costs of a bought kWh in the last known slots, at most `count`: price and adder."""
    prices = known.past_price_per_kWh[-count:]
    return [
        price + adder_per_kWh(site, known.time, slot)
        for slot, price in enumerate(prices, -len(prices))
    ]
