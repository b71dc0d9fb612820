"""Set-points of the units that make the voltage of an island, and what is left of them."""

from array import array

import pytest
from hypothesis import given, strategies as st
from views import both, setup

from controller.core import parameters
from controller.core.policies.formed import FALL_S, SHOW_MS, Formed
from controller.core.units import SHOWN_MS, Units
from tests.tables import cases

SETTINGS = {row[0]: row[4] for row in parameters.CONTROL_PARAMETERS}
RATED_W, TICK_MS = 250_000, 100
FULL_W = array("i", [RATED_W] * 3)
ONE_W = st.integers(-300_000, 300_000)


def tick(units, forming_W, total_W=0, charge_W=FULL_W, discharge_W=FULL_W):
    """The set-points of the units after a tick."""
    shown_W = units.watch(forming_W, charge_W, discharge_W, TICK_MS)
    is_formed = shown_W is not None
    units.step(shown_W if is_formed else total_W, charge_W, discharge_W, TICK_MS, is_formed)
    return list(units.out)


def shown(forming_W):
    """Units after these have given power at a set-point of 0 for as long as it takes."""
    units = Units([RATED_W] * 3, (0, 1, 2), SETTINGS)
    for _ in range(SHOWN_MS // TICK_MS):
        assert tick(units, forming_W) == [0, 0, 0]
    return units


@cases("""
    forming_W  out
    {0: 100_000, 1: -50_000, 2: 5000}  [97_500, -47_500, 0]
    {0: 250_000, 2: 20_000}  [247_500, 0, 17_500]
    {0: 5000, 1: -5000, 2: 0}  [0, 0, 0]
    {}  [0, 0, 0]
""")
def test_a_unit_that_ignores_a_set_point_of_0_gets_its_power_less_1_percent(forming_W, out):
    assert tick(shown(forming_W), forming_W) == out


def test_a_unit_that_follows_is_not_believed_and_the_other_units_get_nothing():
    units = Units([RATED_W] * 3, (0, 1, 2), SETTINGS)
    for power_W in range(150_000, 0, -100):
        assert sum(tick(units, {1: power_W}, total_W=power_W)) == power_W


@pytest.mark.parametrize("first_W", [250_000, -250_000])
def test_a_unit_that_begins_to_follow_falls_to_0_within_11_s(first_W):
    units, power_W = shown({0: first_W}), first_W
    for _ in range(110):
        power_W = tick(units, {0: power_W})[0]
    assert power_W == 0


def test_a_unit_that_was_silent_has_to_show_it_again():
    units = shown({0: 100_000})
    assert tick(units, {0: 100_000})[0] == 97_500
    tick(units, {})
    assert tick(units, {0: 100_000})[0] == 0


@given(st.lists(ONE_W, min_size=3, max_size=3), *[st.integers(0, 250_000)] * 2)
def test_whatever_a_unit_reports_its_set_point_is_within_the_limits(given_W, charge_W, discharge_W):
    forming_W = dict(enumerate(given_W))
    ends_W = [array("i", [each] * 3) for each in (charge_W, discharge_W)]
    for set_W, each_W in zip(tick(shown(forming_W), forming_W, 0, *ends_W), given_W):
        assert -charge_W <= set_W <= discharge_W and abs(set_W) <= abs(each_W)


def test_a_replay_goes_on_from_its_words():
    units, again = shown({0: 100_000}), Units([RATED_W] * 3, (0, 1, 2), SETTINGS)
    for block, stored in zip(again.state_blocks(), units.state_blocks()):
        block[:] = stored
    assert tick(again, {0: 90_000}) == tick(units, {0: 90_000}) == [87_500, 0, 0]


def formed(shown_W, **settings):
    one = Formed(setup(TICK_MS, **settings))
    known = both(shown_W=shown_W, is_forming=True, is_off_grid=True)
    request, obligation = one.step(*known, 1)
    assert request.power_W == obligation.low_W == obligation.high_W == shown_W
    return one


def left(one, seconds, setpoint_W=None, **more):
    """Ends of the obligation in each tick; the set-point is at its end, or setpoint_W."""
    found, last_W = [], one.state.left_W
    for _ in range(round(seconds * 1000 / TICK_MS)):
        last_W = last_W if setpoint_W is None else setpoint_W
        answers = one.step(*both(setpoint_W=last_W, is_forming=False, **more), 1)
        found.append((answers[0].low_W, answers[0].high_W) if answers else None)
        last_W = one.state.left_W
    return found


def test_back_on_the_grid_a_discharge_falls_slowly_until_it_does_not_bind():
    one = formed(100_000)
    falls_W = [low_W for low_W, _ in left(one, FALL_S)]
    step_W = RATED_W * TICK_MS // (1000 * FALL_S)
    assert falls_W[0] == 100_000 - step_W
    assert {a - b for a, b in zip(falls_W, falls_W[1:])} == {step_W} and falls_W[-1] < -100_000
    assert left(one, 1, setpoint_W=0) == [None] * 10, "another one asks for more"


def test_no_fall_is_faster_than_the_ramp_of_the_set_point():
    falls_W = [low_W for low_W, _ in left(formed(100_000, setpoint_ramp_W_per_s=2000), 10)]
    assert falls_W[0] == 100_000 - 200 and falls_W[-1] == 100_000 - 10 * 2000


def test_back_on_the_grid_a_charge_shows_the_grid_before_it_falls():
    highs_W = [high_W for _, high_W in left(formed(-100_000), 30)]
    assert min(highs_W) == highs_W[SHOW_MS // TICK_MS - 1] < -100_000 - RATED_W // 20
    assert highs_W[-1] > 0


def test_a_set_point_above_what_is_left_stays_as_it_is_and_ends_it_at_0():
    found = left(formed(100_000), 20, setpoint_W=120_000)
    assert found[0] is not None and found[-1] is None


@cases("""
    known  left
    {"is_off_grid": True}  None
    {"is_off_grid": False}  1
""")
def test_in_an_island_whose_converter_stops_forming_nothing_is_left(known, left):
    one = formed(100_000)
    answers = one.step(*both(setpoint_W=100_000, is_forming=False, **known), 1)
    assert bool(answers) == bool(left)
