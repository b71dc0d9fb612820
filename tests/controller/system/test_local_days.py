"""Local days: in both nights in which the clock changes every step by days keeps the local time."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from controller.planner import forecast
from controller.planner.inputs import filled
from controller.system import local_days

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
# both nights of each zone, by the day after which the clock is another one; Kolkata has none
NIGHTS = [
    ("Europe/Berlin", date(2026, 3, 29), 92),
    ("Europe/Berlin", date(2026, 10, 25), 100),
    ("America/New_York", date(2026, 3, 8), 92),
    ("America/New_York", date(2026, 11, 1), 100),
    ("Australia/Lord_Howe", date(2026, 10, 4), 94),
    ("Australia/Lord_Howe", date(2026, 4, 5), 98),
    ("Asia/Kolkata", date(2026, 3, 29), 96),
]
NOWS = st.tuples(st.sampled_from(NIGHTS), st.integers(-200, 200))


def local(zone, quarter):
    return datetime.fromtimestamp(quarter * 900, ZoneInfo(zone))


def begin(zone, day):
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def load_W(time):
    """A load of the local time alone, another one in each quarter of an hour."""
    return 1000.0 + time.hour * 100 + time.minute


@pytest.mark.parametrize("zone, day, slots", NIGHTS)
def test_a_day_has_its_own_number_of_quarters(zone, day, slots):
    midnight = begin(zone, day)
    assert local_days.slots_between(midnight, local_days.day_begin(midnight, 1)) == slots
    late = local_days.later(midnight, slots * 900 - 1)
    assert late.date() == day and local_days.day_begin(late) == midnight
    assert local_days.later(midnight, slots * 900).date() == day + timedelta(days=1)


@given(NOWS)
def test_the_day_before_has_the_same_local_time(now):
    (zone, day, _), off = now
    time = local(zone, local_days.number_of(begin(zone, day)) + off)
    found = local(zone, local_days.day_before(ZoneInfo(zone), local_days.number_of(time)))
    wanted = time.replace(tzinfo=None) - timedelta(days=1)
    assert found.date() == wanted.date()
    exists = wanted.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone))
    if exists.replace(tzinfo=None) == wanted:
        assert (found.hour, found.minute) == (time.hour, time.minute)


@given(NOWS, st.integers(1, 200))
def test_yesterdays_load_comes_at_its_local_time(now, count):
    (zone, day, _), off = now
    first = local_days.number_of(begin(zone, day)) + off
    past = [load_W(local(zone, at)) for at in range(first - 200, first)]
    before = local_days.before_of(ZoneInfo(zone), first)
    found = forecast.load(past, before, count)
    for at, each in enumerate(found):
        time = local(zone, first + at)
        is_there = {local(zone, first + at - step).hour for step in (92, 94, 96, 98, 100)}
        # an hour that no day of the past has is the one beside it
        if time.hour in is_there and time.date() != day:
            assert abs(each - load_W(time)) <= 100


@given(NOWS, st.integers(100, 399), st.integers(1, 60))
def test_a_hole_has_the_value_of_the_same_local_time(now, hole, length):
    (zone, day, _), off = now
    first = local_days.number_of(begin(zone, day)) + off - 200
    whole = [load_W(local(zone, first + at)) for at in range(400)]
    values = [float("nan") if hole <= at < hole + length else each for at, each in enumerate(whole)]
    found = filled(values, local_days.before_of(ZoneInfo(zone), first))
    for at in range(400):
        if local(zone, first + at).hour > 4:  # the hours that no night changes
            assert found[at] == whole[at]


def test_a_time_without_a_zone_has_96_quarters():
    time = datetime(2026, 10, 25, 13, 7)
    first = local_days.number_of(time)
    assert local_days.day_before(None, first) == first - 96
    assert local_days.slot_of(time) == 52
    assert local_days.slots_between(local_days.day_begin(time), time) == 52
    assert local_days.later(time, 86_400) == datetime(2026, 10, 26, 13, 7)
