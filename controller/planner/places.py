"""Finds the place of a quarter of an hour in its local day, also when the clock changes.

Each plan asks for the places of four weeks. Only a few of them are new, so a cache has the others.
"""

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

from controller.planner import tariff
from controller.planner.tariff import Charge
from controller.system.local_days import (
    HOUR_SLOTS,
    REMEMBERED,
    SLOT_S,
    SLOTS_PER_DAY,
    number_of,
    slot_of,
)

Bills = tuple[bool, ...]  # for one slot: True for each demand charge that bills it


class Place(NamedTuple):
    """A slot of the local day. is_working: the day is a working day."""

    slot: int
    is_working: bool

    def bills(self, charges: Sequence[Charge]) -> Bills:
        """True for each demand charge that bills this place in the months of the charge."""
        return tuple([charge.counts(self.is_working, self.slot / HOUR_SLOTS) for charge in charges])


def of(time: datetime, first: int, count: int, holidays: Sequence[str]) -> list[Place]:
    """Places of `count` slots, from `first` slots after this time on."""
    now, free = number_of(time) + first, tuple(holidays)
    return [_place(time.tzinfo, quarter, free) for quarter in range(now, now + count)]


@lru_cache(REMEMBERED)
def _place(zone: tzinfo | None, quarter: int, holidays: tuple[str, ...]) -> Place:
    if zone is None:
        day, slot = divmod(quarter, SLOTS_PER_DAY)
        return Place(slot, tariff.is_working(date.fromordinal(day), holidays))
    time = datetime.fromtimestamp(quarter * SLOT_S, zone)
    return Place(slot_of(time), tariff.is_working(time.date(), holidays))
