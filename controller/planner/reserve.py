"""The reserve: energy that each slot keeps, so that the battery can carry the load in an outage.

A state of charge alone does not show for how many hours it lasts. At 60 % a battery may carry the
load of a night twice as long as the load of a day. So the need of a moment is the deepest fall of
the stored energy in the hours after it. The fall follows from the forecast of load less PV, with
losses and idle converters. A solar surplus is stored meanwhile.
"""

import math
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import NamedTuple

from controller.planner.exact import J_PER_WH, Numbers, Slot, Store, floors
from controller.planner.forecast import MARGIN
from controller.system.local_days import HOUR_SLOTS, SLOT_S

HALVINGS = 10  # steps of the search for an import


class Hours(NamedTuple):
    """Hours of the load that the battery must carry without the grid."""

    always_h: float = 0.0  # from any moment on
    warned_h: float = 0.0  # from each moment of a warned span on

    @property
    def slots(self) -> int:
        """Slots after the end of a plan that its reserve depends on."""
        return math.ceil(HOUR_SLOTS * max(self))


def asked_J(net_W: Numbers, hours: Hours, hard: Store, warned: Sequence[bool] = ()) -> list[float]:
    """Energy needed at the end of each slot, J; it may be more than the battery holds. The time
    after the last slot needs no energy. net_W: load less PV. hard: its low_J is the lowest energy
    in an outage. warned: True for each slot in a warned span.
    """
    spent_J = [0.0, *accumulate([_spent_J(power_W, hard) for power_W in net_W])]
    always_slots, warned_slots = [math.ceil(HOUR_SLOTS * hour) for hour in hours]
    needs_J = list[float]()
    for slot in range(1, len(spent_J)):
        end = slot + max(always_slots, warned_slots * any(warned[slot - 1 : slot + 1]))
        needs_J.append(hard.low_J + max(spent_J[slot : end + 1]) - spent_J[slot])
    return needs_J


def kept_J(asked_J: Numbers, hard: Store, warned: Sequence[bool]) -> list[float]:
    """Energy that each slot keeps, J: the needed energy with a margin. From a warning on, the
    battery keeps the energy for the warned span, because charging in the last hour would rely on
    the forecast.
    """
    energies_J = [
        min(hard.high_J, hard.low_J + MARGIN * (need_J - hard.low_J)) for need_J in asked_J
    ]
    first = next((slot for slot, is_warned in enumerate(warned[: len(energies_J)]) if is_warned), 0)
    now_J = min(hard.now_J, energies_J[first])
    return [max(now_J, energy_J) for energy_J in energies_J[:first]] + energies_J[first:]


def before_end(warned: Sequence[bool]) -> set[int]:
    """Numbers of the slots until the end of the last warned span."""
    return set(
        range(max([slot for slot, is_warned in enumerate(warned, 1) if is_warned], default=0))
    )


def lifted(
    slots: list[Slot], kept_J: Numbers, hard: Store, most_W: float, places: Collection[int]
) -> list[Slot]:
    """The slots, with a higher import allowed at these places. It is the lowest import, at most
    most_W, with which the battery reaches kept_J there. A peak costs less than an outage.
    """

    def up_to(import_W: float) -> list[Slot]:
        higher = list(slots)
        for place in places:
            cap_W, to_W = max(slots[place].cap_W, import_W), max(slots[place].charge_to_W, import_W)
            higher[place] = slots[place]._replace(cap_W=cap_W, charge_to_W=to_W)
        return higher

    def lacks(some: list[Slot]) -> bool:
        lows_J = floors(some, SLOT_S, hard)[1:]
        return any([lows_J[place] < kept_J[place] - J_PER_WH for place in places])

    low_W, high_W = 0.0, most_W
    if not lacks(slots):
        return slots
    for _ in range(HALVINGS):
        middle_W = (low_W + high_W) / 2
        low_W, high_W = (middle_W, high_W) if lacks(up_to(middle_W)) else (low_W, middle_W)
    return up_to(high_W)


def _spent_J(net_W: float, store: Store) -> float:
    """Energy that a slot without the grid takes from the store; below 0: the sun gives more."""
    if net_W > 0:
        own_W = min(net_W, store.discharge_W) / store.one_way
    else:
        own_W = max(net_W, -store.charge_W) * store.one_way
    return (own_W + store.idle_W) * SLOT_S
