"""One schedule: what the past shows, what is to come, the cap to hold, the plan, its slots.

Cap and reserve decide what a plan is worth, not forecasts. The cap is the lowest import that a part
of the battery would have held in the last days, or the peak that the month has already. A part of
the band is kept out of the plan, and the controller spends it only to hold the cap.
"""

import math
import statistics
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from controller.core.base.schedule_table import OPEN_W, Slot as Row
from controller.planner import cap, exact, forecast, guard, places, reserve, tariff
from controller.planner.exact import Plan, Slot, Store
from controller.planner.guard import Net
from controller.planner.rows import rows_of
from controller.planner.tariff import W_PER_KW
from controller.system import local_days
from controller.system.local_days import SLOT_S, SLOTS_PER_DAY, Before

PAST_DAYS = 28  # from which a cap is learnt, as far as they are known
PRICE_DAYS = 14  # whose prices show what the battery earns
HARD_PART = 0.1  # of the energy: the controller goes down to it to hold a cap
# of the connection: highest import of an unbilled slot, and highest cap; a mean does not show all
OPEN_PART, CAP_PART = 0.9, 0.98
DEAR_DEMAND = 6.0  # so many times what the battery earns by prices: then it holds the cap first
MONTH_SLOTS, G_PER_T = 30.4 * SLOTS_PER_DAY, 1e6


class Habit(NamedTuple):
    """part: of the battery that the cap is learnt with; kept: of the band, not in the plan. Within
    the next `looks` slots the cap rises to what the battery can hold from now on. keeps_need: the
    plan keeps what the worst of the last days needed to hold the cap.
    """

    part: float
    kept: float
    looks: int
    keeps_need: bool = False


HOLDS_CAP = Habit(0.7, 0.8, 2 * SLOTS_PER_DAY)
TRADES = Habit(0.7, 0.0, 2 * SLOTS_PER_DAY, True)
TOLD = Habit(0.6, 0.0, 2 * SLOTS_PER_DAY)  # a job plan tells the load of a day: the cap is sure
ENERGY_ONLY = Habit(1.0, 0.0, 0)


class Site(NamedTuple):
    """What a plan counts with. import_W, export_W: of the connection; full_J: of the battery."""

    store: Store
    full_J: float
    import_W: float
    export_W: float
    tariff: Mapping[str, Any]
    yields: cap.Agreed = cap.Agreed()
    hours: reserve.Hours = reserve.Hours()

    @property
    def hard(self) -> Store:
        """The store down to which the controller holds a cap."""
        return self.store._replace(low_J=HARD_PART * self.full_J)


class Known(NamedTuple):
    """What is known at a slot, by quarters of an hour. The past ends with the slot before this one
    and has at least one; price_per_kWh begins with this slot, and ends where it is unknown. Prices
    are without adders. peak_W: highest billed import of this month so far. limits_W: highest import
    that something else sets, by slot ahead. load_W, pv_W: to come, as far as a
    job plan or a weather forecast tells.
    """

    time: datetime
    past_load_W: Sequence[float]
    past_pv_W: Sequence[float]
    past_price_per_kWh: Sequence[float]
    price_per_kWh: Sequence[float]
    stored_J: float
    peak_W: float = 0.0
    limits_W: Mapping[int, float] = {}
    load_W: Sequence[float] = ()
    pv_W: Sequence[float] = ()
    carbon_g_per_kWh: Sequence[float] = ()  # to come
    cooling_W: Sequence[float] = ()  # of the past slots of the load, and to come
    yielded_h: float = 0.0  # of this month, in which the load was lowered on request
    warned: Sequence[bool] = ()  # slots to come of an outage that somebody has warned of


class Planned(NamedTuple):
    """rows: of a schedule (schedule_table.Slot), from slots and plan; asked_J: by the reserve."""

    cap_W: float
    slots: list[Slot]
    plan: Plan
    rows: list[Row]
    asked_J: list[float]

    @property
    def caps_W(self) -> list[float]:
        """The import that each row promises: beneath a cloud its cap is only an aim (rows.py)."""
        return [
            slot.cap_W if row.battery_low_W == row.battery_high_W == OPEN_W else row.grid_cap_W
            for slot, row in zip(self.slots, self.rows)
        ]


def habit_of(site: Site, known: Known) -> Habit:
    """How to plan, by what the last days show: what the battery takes off the demand charge of a
    month, against what it earns by prices and the own sun alone.
    """
    rate = rate_of(site, known.time)
    if not rate:
        return ENERGY_ONLY
    if len(known.load_W) >= SLOTS_PER_DAY:
        return TOLD
    net_W, billed = past_of(site, known)
    peak_W = max([each for each, is_paid in zip(net_W, billed) if is_paid], default=0.0)
    off = rate / W_PER_KW * max(0.0, peak_W - cap_of(site, known._replace(peak_W=0.0), HOLDS_CAP))
    return HOLDS_CAP if off > DEAR_DEMAND * _earned(site, known, net_W) else TRADES


def rate_of(site: Site, time: datetime) -> float:
    """The demand charge of this month, money per kW."""
    rates = site.tariff["demand_per_kW_month"]
    return float(rates[(time.month - 1) % len(rates)])


def _earned(site: Site, known: Known, net_W: Sequence[float]) -> float:
    """Money of a month that the battery earns without a cap, by the prices of the last days."""
    prices = known.past_price_per_kWh[-min(len(net_W), PRICE_DAYS * SLOTS_PER_DAY) :]
    net_W, feed_in = net_W[-len(prices) :], site.tariff["feed_in_per_kWh"]
    own = [
        price + adder_per_kWh(site, known.time, at) for at, price in enumerate(prices, -len(prices))
    ]
    slots = [
        Slot(each_W, price, min(feed_in, price), site.import_W, site.export_W)
        for each_W, price in zip(net_W, own)
    ]
    if not slots:
        return 0.0
    mean = sum(own) / len(own)
    store = site.store._replace(now_J=(site.store.low_J + site.store.high_J) / 2)
    found = exact.plan(slots, SLOT_S, store, max(0.0, mean))
    money = sum([slot.paid(0.0) - slot.paid(each) for slot, each in zip(slots, found.power_W)])
    given_W = sum([max(0.0, each) for each in found.power_W])
    money = (money - given_W * store.wear_per_kWh) * SLOT_S
    gained = (found.stored_J[-1] - store.now_J) * mean
    return (money + gained) / exact.J_PER_KWH * MONTH_SLOTS / len(slots)


def past_of(site: Site, known: Known) -> Net:
    """Load less PV of the last days, and whether the demand charge counts."""
    count = min(PAST_DAYS * SLOTS_PER_DAY, len(known.past_load_W))
    pairs = zip(known.past_load_W[-count:], known.past_pv_W[-count:])
    billed = billed_of(site, known.time, -count, count)
    return [load_W - pv_W for load_W, pv_W in pairs], billed


def cap_of(site: Site, known: Known, habit: Habit) -> float:
    """The import to hold in billed slots, W, from the past alone; without a demand charge, that of
    other slots.
    """
    if not rate_of(site, known.time):
        return OPEN_PART * site.import_W
    net_W, billed = past_of(site, known)
    store, part = site.store, habit.part
    room_J = part * (store.high_J - store.low_J)
    own = store._replace(
        low_J=0.0,
        high_J=room_J,
        now_J=room_J,
        charge_W=part * store.charge_W,
        discharge_W=part * store.discharge_W,
    )
    low_J = part * (site.yields.low_part * site.full_J - store.low_J)
    yields = site.yields.left(known.yielded_h, low_J, len(net_W) / MONTH_SLOTS)
    asked_J = reserve.asked_J(net_W, site.hours, site.hard)
    lows_J = [min(room_J, max(0.0, part * (each_J - store.low_J))) for each_J in asked_J]
    span = cap.Span(net_W, billed, OPEN_PART * site.import_W, math.inf, yields, lows_J)
    return min(cap.lowest(span, SLOT_S, own, known.peak_W), CAP_PART * site.import_W)


def billed_of(site: Site, time: datetime, first: int, count: int) -> list[bool]:
    """The demand charge counts in these slots, which begin `first` slots after this time."""
    hours = site.tariff["demand_hours"]
    if not hours:
        return [True] * count
    return [each.is_billed(hours) for each in places.of(time, first, count)]


def planned(site: Site, known: Known, cap_W: float, habit: Habit) -> Planned:
    """The schedule from this slot until the end of tomorrow, with this cap, or the lowest one that
    the battery can hold from now on.
    """
    count = local_days.slots_between(known.time, local_days.day_begin(known.time, 2))
    net_W = net_ahead_W(known, count + site.hours.slots)
    store, hard = [each._replace(now_J=known.stored_J) for each in (site.store, site.hard)]
    asked_J = reserve.asked_J(net_W, site.hours, hard, known.warned)[:count]
    net_W, open_W = net_W[:count], OPEN_PART * site.import_W
    billed = billed_of(site, known.time, 0, count)
    looks = max(habit.looks, len(known.load_W))  # a job plan is sure
    # the cap rises to spare the battery: a charge up to it would be paid for, needed or not
    is_told = len(known.load_W) >= SLOTS_PER_DAY
    yields = site.yields.left(known.yielded_h, site.yields.low_part * site.full_J)
    to_W = math.inf if is_told else cap_W
    kept_J = reserve.kept_J(asked_J, hard, known.warned)
    span = cap.Span(net_W[:looks], billed[:looks], open_W, to_W, yields, kept_J)
    held_W = min(cap.lowest(span, SLOT_S, hard, cap_W), max(cap_W, CAP_PART * site.import_W))
    own_W = [held_W if is_told or each_W > cap_W else cap_W for each_W in net_W]
    caps_W = [each_W if is_paid else open_W for each_W, is_paid in zip(own_W, billed)]
    slots, past = slots_ahead(site, known, net_W, caps_W), past_of(site, known)
    told = net_W[: len(known.load_W)], billed[: len(known.load_W)]
    to_W = guard.charge_to_W(site.tariff, known.time, past, known.peak_W, told)
    slots = [slot._replace(charge_to_W=to_W) if each else slot for slot, each in zip(slots, billed)]
    slots = [slot._replace(low_J=max(store.low_J, each)) for slot, each in zip(slots, kept_J)]
    lifts = reserve.before_end(known.warned[:count]) - known.limits_W.keys()
    slots = reserve.lifted(slots, asked_J, hard, open_W, lifts)
    worth = statistics.median([slot.price_per_kWh for slot in slots]) * store.one_way
    low_J = store.low_J + habit.kept * (store.high_J - store.low_J)
    if habit.keeps_need:
        slots = _floored(site, known.time, past, slots, held_W)
    found = exact.plan(slots, SLOT_S, store._replace(low_J=low_J), max(0.0, worth))
    rows = rows_of(hard, slots, found, low_J, site.full_J)
    return Planned(held_W, slots, found, rows, asked_J)


def _floored(site: Site, time: datetime, past: Net, slots: list[Slot], cap_W: float) -> list[Slot]:
    """No slot ends with less energy than the worst of the last days needed from there on."""
    count, ends = len(past[0]), _of_need(site, time, 1, len(slots))
    span = cap.Span(*past, OPEN_PART * site.import_W)
    need_J = cap.needed_J(span, SLOT_S, site.store, cap_W, _of_need(site, time, -count, count))
    return [slot._replace(low_J=slot.low_J + need_J.get(at, 0.0)) for slot, at in zip(slots, ends)]


def later(time: datetime, slots: int) -> datetime:
    """The local time so many slots later, also in the nights in which the clock changes."""
    return local_days.later(time, SLOT_S * slots)


def before_of(time: datetime) -> Before:
    """The slot from this time on that has the local time of another one on the day before."""
    return local_days.before_of(time.tzinfo, local_days.number_of(time))


def net_ahead_W(known: Known, count: int) -> list[float]:
    """Forecast of the load less PV of the next slots."""
    return [own_W - sun_W for own_W, sun_W in zip(*ahead_W(known, count))]


def ahead_W(known: Known, count: int) -> tuple[list[float], list[float]]:
    """Forecast of load and PV of the next slots."""
    before = before_of(known.time)
    load_W = forecast.load(known.past_load_W, before, count, known.cooling_W)
    load_W[: len(known.load_W)] = known.load_W[:count]
    pv_W = forecast.repeated(known.past_pv_W, before, count)
    pv_W[: len(known.pv_W)] = known.pv_W[:count]
    return load_W, pv_W


def slots_ahead(site: Site, known: Known, net_W: list[float], caps_W: list[float]) -> list[Slot]:
    """The slots to come, at the prices that are known, or at those of the day before."""
    price = [*known.price_per_kWh[: len(net_W)]]
    past, lacks = [*known.past_price_per_kWh, *price], len(net_W) - len(price)
    price += forecast.repeated(past, before_of(known.time), lacks, len(price))
    feed_in, found = site.tariff["feed_in_per_kWh"], []
    for at, cap_W in enumerate(caps_W):
        own = price[at] + adder(site, known, at)
        most_W = min(cap_W, known.limits_W.get(at, cap_W))
        found.append(Slot(net_W[at], own, min(feed_in, own), most_W, site.export_W))
    return found


def _of_need(site: Site, time: datetime, first: int, count: int) -> Sequence[Hashable]:
    """Places, or slots of the day where the demand charge does not tell days apart."""
    found = places.of(time, first, count)
    return found if site.tariff["demand_hours"] else [each.slot for each in found]


def adder(site: Site, known: Known, ahead: int) -> float:
    """What a plan counts beside the price of a bought kWh in a slot ahead: adders and carbon."""
    return adder_per_kWh(site, known.time, ahead) + _carbon(site, known, ahead)


def _carbon(site: Site, known: Known, ahead: int) -> float:
    """Money for the carbon of a kWh; after the last known value that one counts."""
    grams, rate = known.carbon_g_per_kWh, site.tariff.get("carbon_per_t", 0.0)
    return float(grams[min(ahead, len(grams) - 1)] * rate / G_PER_T) if grams else 0.0


def adder_per_kWh(site: Site, time: datetime, ahead: int = 0) -> float:
    """What a bought kWh costs by the tariff beside its price, so many slots after this time: each
    hour that may set a tag has its share.
    """
    if not site.tariff["tag_per_kW_year"]:
        return float(site.tariff["adder_per_kWh"])
    share = tariff.may_set_tag(site.tariff, later(time, ahead)) / tariff.TAG_DAYS
    return float(site.tariff["adder_per_kWh"] + site.tariff["tag_per_kW_year"] * share)
