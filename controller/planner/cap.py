"""The lowest import that a battery holds, in the last days or in those to come, and the energy that
holding it needs.
"""

import math
from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import NamedTuple

from controller.planner.exact import Store
from controller.planner.places import HOUR_SLOTS

HALVINGS = 16
ROUNDING_J = 1.0


class Yields(NamedTuple):
    """A load that is lower by at most most_W on request of the controller (its role load_cap). It
    yields in so many slots, where the store cannot hold the cap alone or has no more than low_J.
    """

    most_W: float = 0.0
    slots: float = 0.0
    low_J: float = 0.0


NEVER = Yields()


class Agreed(NamedTuple):
    """Agreement with a scheduler: less load by at most most_W in so many hours of a month.
    low_part: of the battery's energy, at which load_cap asks for all that a cap needs.
    """

    most_W: float = 0.0
    h_per_month: float = 20.0
    low_part: float = 0.2

    def left(self, gone_h: float, low_J: float, months: float = 1.0) -> Yields:
        """What a span of so many months has, at most the rest of this one; gone_h: used of it."""
        left_h = min(months * self.h_per_month, self.h_per_month - gone_h)
        if not self.most_W or left_h <= 0:
            return NEVER
        return Yields(self.most_W, left_h * HOUR_SLOTS, low_J)


class Span(NamedTuple):
    """Slots in a row. open_W: highest import of a slot that no demand charge counts; charge_W: to
    which import the store charges in the others, at most; lows_J: lowest energy after each slot,
    otherwise that of the store.
    """

    net_W: Sequence[float]
    is_billed: Sequence[bool]
    open_W: float
    charge_W: float = math.inf
    yields: Yields = NEVER
    lows_J: Sequence[float] = ()


def lowest(
    span: Span, slot_s: float, store: Store, least_W: float = 0.0, halvings: int = HALVINGS
) -> float:
    """The lowest import in billed slots that the store holds from its energy of now on, W; at least
    least_W.
    """
    if is_held(span, slot_s, store, least_W):
        return least_W
    billed_W = [net_W for net_W, billed in zip(span.net_W, span.is_billed) if billed]
    low_W, high_W = least_W, max(billed_W, default=least_W)
    for _ in range(halvings):
        middle_W = (low_W + high_W) / 2
        held = is_held(span, slot_s, store, middle_W)
        low_W, high_W = (low_W, middle_W) if held else (middle_W, high_W)
    return high_W


def is_held(span: Span, slot_s: float, store: Store, cap_W: float) -> bool:
    """The store carries each power above the cap that the load keeps, and charges below it."""
    low_J, high_J, stored_J, take_W, give_W, one_way, *_ = store
    idle_J, open_W = store.idle_W * slot_s, span.open_W
    into, out_of = one_way * slot_s, slot_s / one_way
    most_W, (yields_W, left, yields_J) = min(cap_W, span.charge_W), span.yields
    lows_J = span.lows_J or repeat(low_J)
    for net_W, billed, low_J in zip(span.net_W, span.is_billed, lows_J):
        room_W = (cap_W if billed else open_W) - net_W
        if room_W < 0:
            if left >= 1:
                can_W = min(give_W, (stored_J - idle_J - low_J) / out_of)
                less_W = lowered_W(-room_W, can_W, stored_J <= yields_J, yields_W)
                left, room_W = left - (less_W > 0), room_W + less_W
            stored_J += room_W * out_of - idle_J
            if stored_J < low_J - ROUNDING_J or room_W < -give_W:
                return False
        else:
            if billed:
                room_W = max(0.0, most_W - net_W)
            stored_J += (room_W if room_W < take_W else take_W) * into - idle_J
            if stored_J > high_J:
                stored_J = high_J
    return True


def lowered_W(need_W: float, can_W: float, is_low: bool, most_W: float) -> float:
    """Less load that the controller asks for: of what a cap needs that which the battery cannot
    give, or all of it while the charge is low.
    """
    return min(most_W, need_W if is_low else max(0.0, need_W - max(0.0, can_W)))


def needed_J(
    span: Span, slot_s: float, store: Store, cap_W: float, places: Sequence[Hashable]
) -> dict[Hashable, float]:
    """{place: energy above the band's lowest at the begin of a slot of this place, with which the
    store held the cap from there on, whenever there was one}. places: of the slots of the span.
    """
    band_J, idle_J, need_J = store.high_J - store.low_J, store.idle_W * slot_s, 0.0
    into, out_of, take_W = store.one_way * slot_s, slot_s / store.one_way, store.charge_W
    every = zip(reversed(span.net_W), reversed(span.is_billed), reversed(places))
    found = dict[Hashable, float]()
    for net_W, billed, place in every:
        room_W = (cap_W if billed else span.open_W) - net_W
        if room_W < 0:
            need_J += idle_J - room_W * out_of
        else:
            need_J += idle_J - (room_W if room_W < take_W else take_W) * into
        need_J = 0.0 if need_J < 0 else band_J if need_J > band_J else need_J
        if need_J > found.get(place, -1.0):
            found[place] = need_J
    return found
