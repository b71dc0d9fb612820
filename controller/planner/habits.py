"""Chooses the habit of a site, which is the way in which the planner uses the battery.

The habit depends on whether demand charges or prices let the battery save more.
"""

import math
from collections.abc import Sequence

from controller.planner import cap, exact, learnt
from controller.planner.exact import Slot
from controller.planner.planning import (
    ENERGY_ONLY,
    HOLDS_CAP,
    KNOWS_LOAD,
    MONTH_SLOTS,
    TRADES,
    Habit,
    Known,
    Site,
    past_costs_per_kWh,
    past_of,
    rates_of,
)
from controller.planner.tariff import W_PER_KW
from controller.system.local_days import SLOT_S, SLOTS_PER_DAY

PRICE_DAYS = 14  # the prices of these last days show what the battery earns
# The battery holds the cap first if this saves more than DEAR_DEMAND times what it earns by prices
# (assumed).
DEAR_DEMAND = 6.0


def habit_of(site: Site, known: Known) -> Habit:
    """Choose the habit from the last days. They show how much the battery saves of a month's demand
    charges, and how much it earns by prices and the site's PV alone.
    """
    rates = rates_of(site, known.time)
    if not any(rates):
        return ENERGY_ONLY
    if len(known.load_W) >= SLOTS_PER_DAY:
        return KNOWS_LOAD
    net_W, billed = past_of(site, known)
    new = known._replace(peaks_W=[0.0] * len(rates))
    span = cap.Span(net_W, billed, 0.0)
    caps_W = cap.reached_W(billed, learnt.caps_of(site, new, HOLDS_CAP))
    off = math.fsum(
        [
            rate / W_PER_KW * max(0.0, span.peak_W(charge) - cap_W)
            for charge, (rate, cap_W) in enumerate(zip(rates, caps_W))
        ]
    )
    return HOLDS_CAP if off > DEAR_DEMAND * _earned(site, known, net_W) else TRADES


def _earned(site: Site, known: Known, net_W: Sequence[float]) -> float:
    """Money that the battery earns in a month without a cap, by the prices of the last days."""
    costs = past_costs_per_kWh(site, known, min(len(net_W), PRICE_DAYS * SLOTS_PER_DAY))
    feed_in = site.tariff["feed_in_per_kWh"]
    slots = [
        Slot(power_W, cost, min(feed_in, cost), site.import_W, site.export_W)
        for power_W, cost in zip(net_W[-len(costs) :], costs)
    ]
    if not slots:
        return 0.0
    mean = math.fsum(costs) / len(costs)
    store = site.store._replace(now_J=(site.store.low_J + site.store.high_J) / 2)
    plan = exact.plan(slots, SLOT_S, store, max(0.0, mean))
    money = math.fsum(
        [slot.paid(0.0) - slot.paid(power_W) for slot, power_W in zip(slots, plan.power_W)]
    )
    given_W = math.fsum([max(0.0, power_W) for power_W in plan.power_W])
    money = (money - given_W * store.wear_per_kWh) * SLOT_S
    gained = (plan.stored_J[-1] - store.now_J) * mean
    return (money + gained) / exact.J_PER_KWH * MONTH_SLOTS / len(slots)
