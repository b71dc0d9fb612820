"""The only calendar of local days and their quarters of an hour.

A local day has 92, 96 or 100 quarters of an hour, or 94 and 98 on Lord Howe Island. A step of 96
quarters over a change of the clock leads to another local time: the load of yesterday would be used
an hour early or late. So every step by days uses this module.

Quarters of an hour are numbered since 1970, UTC. Simulated times have the zone None, and all their
days have 96 quarters.
"""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache

SLOT_S, SLOTS_PER_DAY, HOUR_SLOTS = 900, 96, 4
REMEMBERED = 8192  # number of quarter hours: four weeks and two days, for a few zones
Before = Callable[[int], int]


def later(time: datetime, seconds: float) -> datetime:
    """The local time that is so many seconds later."""
    step = timedelta(seconds=seconds)
    if time.tzinfo is None:
        return time + step
    return (time.astimezone(UTC) + step).astimezone(time.tzinfo)


def day_begin(time: datetime, days: int = 0) -> datetime:
    """Midnight of the day of this local time, or of the day so many days later."""
    return time.replace(hour=0, minute=0, second=0, microsecond=0, fold=0) + timedelta(days=days)


def next_shown(clock: time, now: datetime) -> datetime:
    """The first local time from now on at which the clock shows this time.

    One day may not have this time, and another day may have it twice.
    """
    for days, fold in itertools.product(range(3), (0, 1)):
        day = day_begin(now, days)
        moment = datetime.combine(day, clock, day.tzinfo).replace(fold=fold)
        is_shown = later(moment, 0).time() == clock
        if is_shown and moment.timestamp() >= now.timestamp():
            return moment
    raise ValueError(f"no clock shows {clock}")


def slots_between(begin: datetime, end: datetime) -> int:
    """Number of quarters of an hour from one time to the other."""
    if begin.tzinfo:
        begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    return round((end - begin).total_seconds() / SLOT_S)


def slot_of(time: datetime) -> int:
    """Number of the slot in the day at a local time."""
    return (time.hour * 3600 + time.minute * 60 + time.second) // SLOT_S


def number_of(time: datetime) -> int:
    """Number of the quarter of an hour at this time. Without a zone, it counts since year 1."""
    if time.tzinfo is None:
        return time.toordinal() * SLOTS_PER_DAY + slot_of(time)
    return int(time.timestamp() // SLOT_S)


@lru_cache(REMEMBERED)
def day_before(zone: tzinfo | None, quarter: int) -> int:
    """The quarter at the same local time on the day before.

    If the day before does not have this hour, the hour after it is used.
    """
    if zone is None:
        return quarter - SLOTS_PER_DAY
    time = datetime.fromtimestamp(quarter * SLOT_S, zone) - timedelta(days=1)
    return int(time.timestamp() // SLOT_S)


def before_of(zone: tzinfo | None, first: int = 0) -> Before:
    """`day_before` for indexes of a list that begins with quarter `first`."""
    return lambda index: day_before(zone, first + index) - first


def before_at(time: datetime) -> Before:
    """`day_before` for indexes of a list that begins at this local time."""
    return before_of(time.tzinfo, number_of(time))
