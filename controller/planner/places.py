"""Places of quarters of an hour in their local day, also in the nights in which the clock changes.

A plan asks for those of four weeks each time, and only a few are new: the rest is remembered.
"""

from datetime import datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

from controller.planner import tariff

SLOT_S, SLOTS_PER_DAY, HOUR_SLOTS = 900, 96, 4
REMEMBERED = 4096  # four weeks and two days


class Place(NamedTuple):
    """Slot of the local day; is_working: its day is one that demand hours count."""

    slot: int
    is_working: bool

    def is_billed(self, hours: list[int]) -> bool:
        """The demand charge counts. hours: `demand_hours` of the tariff."""
        return not hours or (self.is_working and hours[0] <= self.slot // HOUR_SLOTS < hours[1])


def of(time: datetime, first: int, count: int) -> list[Place]:
    """Places of `count` slots, from `first` slots after this time on."""
    zone = time.tzinfo
    if zone is None:
        now = time.toordinal() * SLOTS_PER_DAY + slot_of(time)
    else:
        now = int(time.timestamp() // SLOT_S)
    return [_place(zone, each) for each in range(now + first, now + first + count)]


def slot_of(time: datetime) -> int:
    """The slot of the day at a local time."""
    return (time.hour * 3600 + time.minute * 60 + time.second) // SLOT_S


@lru_cache(REMEMBERED)
def _place(zone: tzinfo | None, quarter: int) -> Place:
    if zone is None:
        day, slot = divmod(quarter, SLOTS_PER_DAY)
        return Place(slot, (day - 1) % 7 < tariff.WEEKDAYS)  # day 1 is a Monday
    time = datetime.fromtimestamp(quarter * SLOT_S, zone)
    return Place(slot_of(time), time.weekday() < tariff.WEEKDAYS)
