"""Load cap: how much less load is asked for, when, and the way back. 50 ticks are a second."""

import pytest
from device_bench import Bench
from hypothesis import given, strategies as st
from views import device

from controller.core.base import reasons
from controller.core.policies import load_cap
from controller.core.policies.load_cap import LoadCap
from tests.tables import cases

ASK, RETURN, FOLLOW = 100, 3000, 1500  # ticks
LIMIT_W = 100_000


def bench(*more):
    found = Bench(LoadCap, device("load_cap", lower_W_max=80_000), *more)
    found.hear()
    return found


def asked(found, ticks, room_W, soc=500, **known):
    """{device: W}. room_W: of the import, less than 0 where obligations need discharge."""
    given_ = {"connection_W": 300_000, "import_room_W": room_W, "limit_W": LIMIT_W} | known
    given_ = {"soc_permille": soc and (soc, soc)} | given_
    return {place: each[0] for place, each in found.asked(ticks, **given_).items()}


@cases("""
    room_W     ticks  soc   lower_W
    -100_000   150    500   0
    -100_001   100    500   1000
    -100_001   99     500   0
    -130_000   150    500   30_000
    -900_000   150    500   80_000
    50_000     150    100   0
    # the battery is low: the load takes part before it is empty
    -40_000    150    200   40_000
    -40_000    150    201   0
    -40_000    150    None  0
    -130_000   150    200   80_000
""")
def test_the_load_is_asked_for_what_the_battery_cannot_hold(room_W, ticks, soc, lower_W):
    found = bench()
    assert asked(found, ticks, room_W, soc) == {0: lower_W}
    is_low = lower_W and soc == 200
    code = load_cap.LOAD_LOWERED_LOW if is_low else load_cap.LOAD_LOWERED
    if ticks == ASK - 1:
        return
    (answer,) = found.step(connection_W=0, import_room_W=room_W, limit_W=LIMIT_W)
    assert answer[1].reason == (code if lower_W else reasons.NO_REQUEST)


def test_more_is_asked_only_after_the_load_had_time_to_follow():
    found = bench()
    assert asked(found, ASK, -110_000) == {0: 10_000}
    assert asked(found, FOLLOW - 1, -110_000) == {0: 10_000}, "its meter is late, not its load"
    assert asked(found, 2, -110_000) == {0: 20_000}, "the scheduler did not do it"


@cases("""
    room_W  known                        lower_W
    11_000  {}                           0
    10_999  {}                           10_000
    99_000  {"connection_W": None}       10_000
    99_000  {"is_off_grid": True}        10_000
""")
def test_the_load_comes_back_when_there_has_been_room_for_it(room_W, known, lower_W):
    found = bench()
    asked(found, ASK, -110_000)
    assert asked(found, RETURN - 1, room_W, **known) == {0: 10_000}
    assert asked(found, 2, room_W, **known) == {0: lower_W}


def test_a_promise_counts_as_nothing_until_the_meter_shows_it():
    """The device reports that it has lowered the load; the need stays, and so does the request."""
    found = bench()
    asked(found, ASK, -110_000)
    found.hear(load_cap_1__lowered_W=10_000)
    assert asked(found, FOLLOW + 1, -110_000) == {0: 20_000}


def test_devices_are_asked_in_their_order_and_come_back_in_the_other():
    found = bench(device("load_cap", 2, lower_W_max=50_000))
    assert asked(found, ASK, -200_000) == {0: 80_000, 1: 20_000}
    assert asked(found, RETURN, 120_000) == {0: 80_000, 1: 0}
    assert asked(found, RETURN, 120_000) == {0: 0, 1: 0}
    found = bench(device("load_cap", 2, lower_W_max=50_000))
    found.hear(load_cap_1__is_ready_ok=0)
    assert asked(found, ASK, -130_000) == {0: 0, 1: 30_000}


def test_a_load_that_was_lowered_before_a_start_stays_lowered():
    found = bench()
    found.hear(load_cap_1__lowered_W=15_000)
    assert asked(found, RETURN - 1, 500_000) == {0: 15_000}
    assert asked(found, 2, 500_000) == {0: 0}


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(10**9), 10**9),
            st.integers(-(10**9), 10**9),
            st.integers(-(10**9), 10**9),
            st.none() | st.integers(0, 1000),
            st.integers(0, 100_000),
            st.integers(1, 4000),
        ),
        max_size=12,
    )
)
def test_no_input_asks_for_more_load_or_for_more_than_was_agreed(ticks):
    found = bench()
    for connection_W, room_W, limit_W, soc, lowered_W, count in ticks:
        found.hear(load_cap_1__lowered_W=lowered_W)
        known = {"connection_W": connection_W, "import_room_W": room_W, "limit_W": limit_W}
        answers = found.step(count, soc_permille=None if soc is None else (soc, soc), **known)
        assert all([0 <= each.power_W <= 80_000 for _, each in answers])


@pytest.mark.parametrize("known", [{"connection_W": None}, {"is_off_grid": True}])
def test_an_unknown_import_asks_for_nothing_new(known):
    assert asked(bench(), 10 * ASK, -500_000, **known) == {0: 0}
