"""A new value counts at once, after a time, or not at all."""

from array import array

import pytest
from hypothesis import given, strategies as st

from controller.core.base import integrity
from controller.core.base.integrity import (
    ALONE,
    CONFIRMED,
    CONTRADICTED,
    CONTRADICTED_MS,
    WORDS,
    Integrity,
)
from tests.tables import cases

STEP, STALE_MS, ALONE_MS, TICK_MS = 100, 5000, 3000, 20


def reported(*reports, one=None):
    """An integrity after (value, ms, verdict) of each report; it is reported in every tick."""
    one = one or Integrity(array("q", [0] * WORDS), 0, STEP, STALE_MS, ALONE_MS)
    for value, ms, verdict in reports:
        for _ in range(ms // TICK_MS):
            one.take(value, 0, TICK_MS)
            one.advance(TICK_MS, verdict)
    return one


FIRST = (1000, 40, CONTRADICTED)


@cases("""
    value  ms  verdict  counts
    1100  20  CONTRADICTED  1100 | 900  20  CONTRADICTED  900
    1101  20  CONTRADICTED  1000 | 899  20  CONTRADICTED  1000
    1101  20  CONFIRMED  1101    | 899  20  ALONE  1000
    1101  ALONE_MS - TICK_MS  ALONE  1000 | 1101  ALONE_MS  ALONE  1101
""")
def test_a_small_change_counts_at_once_and_a_jump_needs_a_reason(value, ms, verdict, counts):
    one = reported(FIRST, (value, ms, verdict))
    assert one.value == counts and not one.is_doubted


@cases("""ms  doubted
    CONTRADICTED_MS - TICK_MS  False | CONTRADICTED_MS  True""")
def test_a_contradicted_jump_makes_the_reading_unknown_and_keeps_the_value(ms, doubted):
    one = reported(FIRST, (0, ms, CONTRADICTED))
    assert (one.value, one.is_doubted) == (1000, doubted)


@cases("""ms  doubted  counts
    integrity.DOUBT_MS - TICK_MS  True  1000 | integrity.DOUBT_MS  False  0""")
def test_it_begins_anew_from_its_new_value(ms, doubted, counts):
    one = reported(FIRST, (0, CONTRADICTED_MS, CONTRADICTED))
    moved = [one.advance(TICK_MS, CONTRADICTED) for _ in range(ms // TICK_MS)]
    assert (one.value, one.is_doubted) == (counts, doubted)
    assert sum(moved) == counts - 1000, "the caller learns of a change that nothing confirmed"


def test_a_confirmation_that_comes_late_counts_while_it_waits():
    one = reported(FIRST, (0, CONTRADICTED_MS // 2, CONTRADICTED), (0, 20, CONFIRMED))
    assert one.value == 0 and not one.is_open


@cases("""flaps  apart_ms  doubted
    2  0  False | 3  0  True | 2  integrity.FLAP_MS  False | 9  integrity.FLAP_MS  False""")
def test_a_value_that_flaps_is_unknown(flaps, apart_ms, doubted):
    one = reported(FIRST)
    for _ in range(flaps):
        reported((0, 40, ALONE), (1000, 40, ALONE), one=one)
        for _ in range(apart_ms // TICK_MS):
            one.advance(TICK_MS)
    assert one.is_doubted == doubted and one.value == 1000


def test_a_value_on_both_sides_of_the_one_that_counts_never_counts():
    one = reported(FIRST)
    for at in range(200):
        reported((1200 if at % 2 else 800, 40, ALONE), one=one)
        assert one.value == 1000


@cases("""silence_ms  counts
    STALE_MS - 1  1000 | STALE_MS  0""")
def test_the_first_report_after_a_silence_counts_at_once(silence_ms, counts):
    one = reported(FIRST)
    one.take(0, 0, silence_ms)
    assert one.value == counts


@given(
    st.lists(
        st.tuples(
            st.integers(-2000, 2000), st.sampled_from((20, 500, 4000)), st.just(CONTRADICTED)
        ),
        max_size=9,
    )
)
def test_contradicted_reports_move_nothing_but_by_small_steps(reports):
    """A change that is neither small nor announced by `advance` never reaches the value."""
    one = reported(FIRST)
    for value, ms, verdict in reports:
        for _ in range(ms // TICK_MS):
            before = one.value
            one.take(value, 0, TICK_MS)
            assert abs(one.value - before) <= STEP
            before, moved = one.value, one.advance(TICK_MS, verdict)
            assert one.value - before == moved


@pytest.mark.parametrize("passed_ms", [1 << 31, 365 * 86_400_000, integrity.DOUBT_MS])
def test_no_time_overflows(passed_ms):
    one = reported(FIRST, (0, 20, ALONE))
    for verdict in (ALONE, CONTRADICTED, CONFIRMED) * 2:
        one.advance(passed_ms, verdict)
        one.take(5000, 0, 0)
