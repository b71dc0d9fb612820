"""A state of a site device counts when it has lasted; one that flaps is unknown."""

from array import array

import pytest

from controller.core.site_devices.debounce import FLAPS_MS_MAX, WORDS, Debounce
from controller.core.site_devices.roles import ROLES
from tests.tables import cases

SETTLE_MS, STALE_MS, TICK_MS = 2000, 3000, 20
BITS = [
    (role.name, each)
    for role in ROLES.values()
    for each in role.signals
    if (each.low, each.high) == (0, 1)
]


def told(reports, period_ms=TICK_MS):
    """(debounce, times) after so many reports of each value; None: it is missing."""
    one = Debounce(array("q", [0] * WORDS), 0, SETTLE_MS, STALE_MS)
    now_ms, heard_ms = 0, -STALE_MS
    for value, count in reports:
        for _ in range(count):
            now_ms += period_ms
            if value is not None:
                one.take(value, now_ms, now_ms - heard_ms)
                heard_ms = now_ms
    return one


@cases("""zeros  counts
    1  1 | 99  1 | 100  1 | 101  0 | 102  0""")
def test_a_new_state_counts_after_its_time_and_not_one_report_sooner(zeros, counts):
    assert told([(1, 10), (0, zeros)]).value(0) == counts


@cases("""missing  after  counts
    1  98  1 | 1  99  0 | 50  49  1 | 50  50  0 | 98  1  1 | 99  1  0 | 148  1  0""")
def test_reports_that_are_missing_take_nothing_from_its_time(missing, after, counts):
    assert told([(1, 10), (0, 1), (None, missing), (0, after)]).value(0) == counts


@cases("""missing  counts
    148  1 | 149  0 | 200  0""")
def test_the_first_report_after_a_silence_counts_at_once(missing, counts):
    """Nothing has confirmed the old state meanwhile."""
    assert told([(1, 10), (None, missing), (0, 1)]).value(0) == counts


def test_an_old_state_that_comes_back_in_between_begins_the_time_again():
    assert told([(1, 10), (0, 100), (1, 1), (0, 100)]).value(0) == 1
    assert told([(1, 10), (0, 100), (1, 1), (0, 101)]).value(0) == 0


@cases("""gap  flaps  counts
    1  2  1 | 1  3  None | 250  9  1 | 100  4  None""")
def test_a_state_that_flaps_again_and_again_is_unknown(gap, flaps, counts):
    """A bounce in 5 s is none; one each second or two is no contact any more."""
    one = told([(1, 10), *[(0, 1), (1, gap)] * flaps])
    assert one.value(1) == counts and FLAPS_MS_MAX == 10_000


@pytest.mark.parametrize(("role", "signal"), BITS, ids=lambda each: getattr(each, "name", each))
def test_each_bit_of_a_role_settles(role, signal):
    """A role that is new cannot leave its bits out."""
    assert signal.settle_ms >= 2000


def test_two_flaps_without_time_in_between_are_one_too_many():
    one = told([(1, 10)])
    for value in (0, 1, 0, 1):
        assert one.value(1) == 1
        one.take(value, 200, 0)
    assert one.value(1) is None
