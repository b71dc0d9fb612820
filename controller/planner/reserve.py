"""Hours that the battery is to carry the load without the grid, as energy that a slot keeps.

A charge alone says no hours: the same 60 % carry a night twice as long as a day. So the need of a
moment is the deepest fall of the stored energy within the hours after it, by the forecast of the
load less the sun, with losses and idle converters. What the sun gives too much is stored meanwhile.
"""

import math
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import NamedTuple

from controller.planner.exact import J_PER_WH, Slot, Store, floors
from controller.system.local_days import HOUR_SLOTS, SLOT_S


HALVINGS = 10


class Hours(NamedTuple):
    """always_h: carried from any moment on; warned_h: from each moment of a warned span on."""

    always_h: float = 0.0
    warned_h: float = 0.0

    @property
    def slots(self) -> int:
        """How many slots behind a plan its needs look at."""
        return math.ceil(HOUR_SLOTS * max(self))


def needs_J(
    net_W: Sequence[float], warned: Sequence[bool], hours: Hours, store: Store, count: int
) -> list[float]:
    """Energy above an empty store that the end of each of the first `count` slots needs, J. net_W:
    load less PV, of the hours behind them too; warned: slots of warned spans.
    """
    spent_J = [0.0, *accumulate([_spent_J(each_W, store) for each_W in net_W])]
    slots, found = [math.ceil(HOUR_SLOTS * each) for each in hours], list[float]()
    for at in range(1, count + 1):
        end = at + max(slots[0], slots[1] * any(warned[at - 1 : at + 1]))
        found.append(max(spent_J[at : end + 1]) - spent_J[at])
    return found


def lifted(
    slots: list[Slot],
    places: Collection[int],
    asked_J: Sequence[float],
    store: Store,
    most_W: float,
) -> list[Slot]:
    """The slots, of which those at these places charge to the lowest import, at most most_W, with
    which the store reaches what is asked at their ends: a peak costs less than an outage.
    """

    def up_to(import_W: float) -> list[Slot]:
        return [
            slot._replace(
                cap_W=max(slot.cap_W, import_W), charge_to_W=max(slot.charge_to_W, import_W)
            )
            if at in places
            else slot
            for at, slot in enumerate(slots)
        ]

    def lacks(some: list[Slot]) -> bool:
        lows_J = floors(some, SLOT_S, store)[1:]
        return any([lows_J[at] < asked_J[at] - J_PER_WH for at in places])

    if not lacks(slots):
        return slots
    low_W, high_W = 0.0, most_W
    for _ in range(HALVINGS):
        middle_W = (low_W + high_W) / 2
        low_W, high_W = (middle_W, high_W) if lacks(up_to(middle_W)) else (low_W, middle_W)
    return up_to(high_W)


def _spent_J(net_W: float, store: Store) -> float:
    """Energy that a slot of an island takes from the store; below 0: the sun gives more."""
    if net_W > 0:
        own_W = min(net_W, store.discharge_W) / store.one_way
    else:
        own_W = max(net_W, -store.charge_W) * store.one_way
    return (own_W + store.idle_W) * SLOT_S
