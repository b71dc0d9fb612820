"""The caps of a site, learnt from its last days: the lowest import that its battery can hold.

A cap counts only if it saves more than it costs. A low demand charge at a flat price is not worth
the energy that the battery turns into heat.
"""

import math
from collections.abc import Sequence

from controller.planner import cap, exact, reserve
from controller.planner.planning import (
    CAP_PART,
    MONTH_SLOTS,
    Habit,
    Known,
    Site,
    open_W,
    past_costs_per_kWh,
    past_of,
    rates_of,
)
from controller.planner.tariff import W_PER_KW
from controller.system.local_days import SLOT_S


def caps_of(site: Site, known: Known, habit: Habit) -> list[float]:
    """The import to hold in the slots of each demand charge, W, from the past alone. Without demand
    charges, it is `open_W`.
    """
    rates, most_W = rates_of(site, known.time), CAP_PART * site.import_W
    net_W, billed = past_of(site, known)
    if not any(rates):
        return [open_W(site, net_W)] * len(rates)
    store, part = site.store, habit.part
    room_J = part * (store.high_J - store.low_J)
    store_part = store._replace(
        low_J=0.0,
        high_J=room_J,
        now_J=room_J,
        charge_W=part * store.charge_W,
        discharge_W=part * store.discharge_W,
    )
    low_J = part * (site.yields.low_part * site.full_J - store.low_J)
    yields = site.yields.left(known.yielded_h, low_J, len(net_W) / MONTH_SLOTS)
    asked_J = reserve.asked_J(net_W, site.hours, site.hard)
    lows_J = [min(room_J, max(0.0, part * (need_J - store.low_J))) for need_J in asked_J]
    span = cap.Span(net_W, billed, open_W(site, net_W), (), yields, lows_J)
    caps_W = cap.cheapest(span, SLOT_S, store_part, rates, known.peaks_W)
    if _lost(site, known, span, caps_W) > _saved(span, rates, caps_W):
        caps_W = [max(cap_W, span.peak_W(charge)) for charge, cap_W in enumerate(caps_W)]
    return [min(cap_W, most_W) for cap_W in caps_W]


def _saved(span: cap.Span, rates: Sequence[float], caps_W: Sequence[float]) -> float:
    """Money that the caps save of the demand charges in a month."""
    pairs = zip(rates, cap.reached_W(span.billed, caps_W))
    return math.fsum(
        [
            rate / W_PER_KW * (span.peak_W(charge) - cap_W)
            for charge, (rate, cap_W) in enumerate(pairs)
        ]
    )


def _lost(site: Site, known: Known, span: cap.Span, caps_W: Sequence[float]) -> float:
    """Money that holding the caps costs in a month. Energy given above the caps has losses and
    wear. This energy is bought at the mean price instead of the price of its slot.
    """
    limits = cap.limits_W(span.billed, caps_W, math.inf)
    costs = past_costs_per_kWh(site, known, len(span.net_W))
    if not costs:  # a new feed knows only future prices
        return 0.0
    first = len(span.net_W) - len(costs)
    bought = math.fsum(costs) / len(costs) / site.store.one_way**2 + site.store.wear_per_kWh
    losses = [
        max(0.0, net_W - limits[bills]) * (bought - cost)
        for net_W, bills, cost in zip(span.net_W[first:], span.billed[first:], costs)
    ]
    return math.fsum(losses) * SLOT_S / exact.J_PER_KWH * MONTH_SLOTS / len(costs)
