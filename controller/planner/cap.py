"""Finds the lowest caps of the import that a battery can hold, and the energy needed for them.

Each demand charge has a cap of its own. If several charges bill a slot, their lowest cap counts.
"""

import math
from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import NamedTuple

from controller.planner.exact import Numbers, Store
from controller.planner.places import HOUR_SLOTS, Bills

HALVINGS = 16  # steps of a bisection
ROUNDING_J = 1.0  # tolerance for rounding errors
# Parts of the possible fall of the dearest peak that are given up, so that other peaks can fall.
PARTS = 0.0, 0.25, 0.5, 0.75, 1.0


class Yields(NamedTuple):
    """A load that is lowered by at most most_W on request of the controller (its role load_cap). It
    yields in at most `slots` slots, when the store cannot hold the cap alone or has no more than
    low_J.
    """

    most_W: float = 0.0
    slots: float = 0.0
    low_J: float = 0.0


NEVER = Yields()


class Agreed(NamedTuple):
    """Agreement with a scheduler: the load is lowered by at most most_W, for at most h_per_month.
    low_part: part of the battery's energy; below it, load_cap asks for all that a cap needs.
    """

    most_W: float = 0.0
    h_per_month: float = 20.0
    low_part: float = 0.2

    def left(self, gone_h: float, low_J: float, months: float = 1.0) -> Yields:
        """Yields of a span of `months` months, at most those left in this month. gone_h: hours
        already used in this month.
        """
        left_h = min(months * self.h_per_month, self.h_per_month - gone_h)
        if not self.most_W or left_h <= 0:
            return NEVER
        return Yields(self.most_W, left_h * HOUR_SLOTS, low_J)


class Span(NamedTuple):
    """Slots in a row."""

    net_W: Numbers
    billed: Sequence[Bills]
    open_W: float  # highest import of a slot that no demand charge bills
    # for each demand charge: the store charges up to this import in the slots that it bills. Empty:
    # no such bound
    charge_W: Numbers = ()
    yields: Yields = NEVER
    lows_J: Numbers = ()  # lowest energy after each slot; empty: that of the store

    def peak_W(self, charge: int, least_W: float = 0.0) -> float:
        """The highest power of the slots that this charge bills, at least least_W."""
        pairs = zip(self.net_W, self.billed)
        return max([net_W for net_W, bills in pairs if bills[charge]] + [least_W])


def limits_W(billed: Sequence[Bills], caps_W: Numbers, open_W: float) -> dict[Bills, float]:
    """{charges that bill a slot: the lowest of their caps}; open_W if no charge bills it."""
    return {
        bills: min(
            [cap_W for cap_W, is_billed in zip(caps_W, bills, strict=True) if is_billed],
            default=open_W,
        )
        for bills in {*billed}
    }


def reached_W(billed: Sequence[Bills], caps_W: Numbers) -> list[float]:
    """The highest import that each charge can see under all caps. It is below the charge's own cap
    if other charges with lower caps bill all its slots.
    """
    limits = limits_W(billed, caps_W, math.inf)
    return [
        max([limit for bills, limit in limits.items() if bills[charge]], default=0.0)
        for charge in range(len(caps_W))
    ]


def cheapest(
    span: Span, slot_s: float, store: Store, rates: Numbers, least_W: Numbers
) -> list[float]:
    """The caps of the charges that cost least together, each at least least_W. rates: money per kW.
    The search first lowers the peak that is worth most, by several parts of its possible fall. For
    each part it makes the other peaks as low as they can be. Another peak may end higher than
    without a battery.
    """
    caps_W = [math.inf if rate else span.open_W for rate in rates]
    ends_W = {
        charge: (
            max(lowest(span, slot_s, store, 0.0, caps_W, charge), floor_W),
            span.peak_W(charge, floor_W),
        )
        for charge, (rate, floor_W) in enumerate(zip(rates, least_W))
        if rate
    }
    dearest, *cheaper = sorted(
        ends_W, key=lambda charge: rates[charge] * (ends_W[charge][0] - ends_W[charge][1])
    )
    low_W, high_W = ends_W[dearest]
    candidates = []
    for part in PARTS if cheaper else PARTS[:1]:
        caps_W[dearest] = low_W + part * (high_W - low_W)
        candidates.append(each_lowest(span, slot_s, store, cheaper, least_W, caps_W))

    def cost(caps_W: Numbers) -> float:
        return math.fsum([a * b for a, b in zip(rates, reached_W(span.billed, caps_W)) if a])

    return min(candidates, key=cost)


def each_lowest(
    span: Span, slot_s: float, store: Store, order: Sequence[int], least_W: Numbers, caps_W: Numbers
) -> list[float]:
    """The caps, after the cap of each charge in `order` was lowered in turn as far as it can be."""
    lowest_W = [*caps_W]
    for charge in order:
        lowest_W[charge] = lowest(span, slot_s, store, least_W[charge], lowest_W, charge)
    return lowest_W


def lowest(
    span: Span,
    slot_s: float,
    store: Store,
    least_W: float,
    caps_W: Numbers,
    charge: int,
    halvings: int = HALVINGS,
) -> float:
    """The lowest cap of a charge that the store can hold from its present energy, W; at least
    least_W. caps_W: caps of all charges; the value for this charge does not count.
    """

    def held(cap_W: float) -> bool:
        own_W = [*caps_W[:charge], cap_W, *caps_W[charge + 1 :]]
        return is_held(span, slot_s, store, own_W)

    if held(least_W):
        return least_W
    low_W, high_W = least_W, span.peak_W(charge, least_W)
    if len(caps_W) > 1 and not held(high_W):  # it must charge here for another charge's cap
        low_W, high_W = high_W, max(high_W, span.open_W)
    for _ in range(halvings):
        middle_W = (low_W + high_W) / 2
        low_W, high_W = (low_W, middle_W) if held(middle_W) else (middle_W, high_W)
    return high_W


def is_held(span: Span, slot_s: float, store: Store, caps_W: Numbers) -> bool:
    """True if the store can give the power above the caps, less the power that the load yields.
    Below the caps the store charges.
    """
    low_J, high_J, stored_J, take_W, give_W, one_way, *_ = store
    idle_J, yields_W, slots_left, yields_J = store.idle_W * slot_s, *span.yields
    into, out_of = one_way * slot_s, slot_s / one_way
    bounds_W = caps_W, span.charge_W or [math.inf] * len(caps_W)
    limits, charges = [limits_W(span.billed, bound_W, span.open_W) for bound_W in bounds_W]
    limits_both = {bills: (limit, min(limit, charges[bills])) for bills, limit in limits.items()}
    lows_J = span.lows_J or repeat(low_J)
    for net_W, bills, low_J in zip(span.net_W, span.billed, lows_J):
        limit_W, to_W = limits_both[bills]
        room_W = limit_W - net_W
        if room_W < 0:
            if slots_left >= 1:
                can_W = min(give_W, (stored_J - idle_J - low_J) / out_of)
                less_W = lowered_W(-room_W, can_W, stored_J <= yields_J, yields_W)
                slots_left, room_W = slots_left - (less_W > 0), room_W + less_W
            stored_J += room_W * out_of - idle_J
            if stored_J < low_J - ROUNDING_J or room_W < -give_W:
                return False
        else:
            room_W = to_W - net_W if to_W > net_W else 0.0
            stored_J += (room_W if room_W < take_W else take_W) * into - idle_J
            if stored_J > high_J:
                stored_J = high_J
    return True


def lowered_W(need_W: float, can_W: float, is_low: bool, most_W: float) -> float:
    """Power by which the controller asks the load to be lowered, W. At a low state of charge it
    asks for all power above the cap, otherwise for the part that the battery cannot give.
    """
    return min(most_W, need_W if is_low else max(0.0, need_W - max(0.0, can_W)))


def needed_J(
    over_W: Numbers, slot_s: float, store: Store, places: Sequence[Hashable]
) -> dict[Hashable, float]:
    """{place: energy above store.low_J that a slot of this place needs at its start, J}. With
    this energy, the store would have held the cap from each past slot of this place on. over_W:
    load less PV less cap, for the slots that have these places.
    """
    band_J, idle_J, need_J = store.high_J - store.low_J, store.idle_W * slot_s, 0.0
    into, out_of, take_W = store.one_way * slot_s, slot_s / store.one_way, store.charge_W
    needs_J = dict[Hashable, float]()
    for power_W, place in zip(reversed(over_W), reversed(places)):
        if power_W > 0:
            need_J += idle_J + power_W * out_of
        else:
            need_J += idle_J - (-power_W if -power_W < take_W else take_W) * into
        need_J = 0.0 if need_J < 0 else band_J if need_J > band_J else need_J
        if need_J > needs_J.get(place, -1.0):
            needs_J[place] = need_J
    return needs_J
