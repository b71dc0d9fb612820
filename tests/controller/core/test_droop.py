"""Frequency response: the droop, its dead band and limit, the band it keeps, and bad readings."""

import pytest
from hypothesis import given, strategies as st
from views import RATED_W, WIDE, Tick, both, setup

from controller.core.base.answers import Limit, Obligation
from controller.core.control import Control
from controller.core.policies import droop
from controller.core.policies.droop import Droop, response_W
from controller.core.policies.known import Known
from tests.tables import cases

LIMIT_W, TICK_MS = 50_000, 20
STEP_TICKS = 16  # a jump has lasted for 300 ms
ON = {"droop_W_max": LIMIT_W, "droop_permille": 40, "droop_dead_band_mHz": 20}
HALF = {"soc_permille": (500, 500), "limit": WIDE}
CURVE = 20, 2000, RATED_W, LIMIT_W  # 125 W for each mHz behind the dead band
OFF_MHZ = st.integers(-5000, 5000)


@cases("""
    off_mHz  found_W
    0  0 | 19  0 | 20  0 | 21  125 | 419  49_875 | 420  LIMIT_W | 421  LIMIT_W | 5000  LIMIT_W
    -20  0 | -21  -125 | -420  -LIMIT_W | -421  -LIMIT_W
""")
def test_the_droop_begins_behind_the_dead_band_and_ends_at_the_limit(off_mHz, found_W):
    assert response_W(off_mHz, *CURVE) == found_W


@given(OFF_MHZ, OFF_MHZ)
def test_the_droop_is_symmetric_and_never_falls(one_mHz, other_mHz):
    assert response_W(-one_mHz, *CURVE) == -response_W(one_mHz, *CURVE)
    low_mHz, high_mHz = sorted((one_mHz, other_mHz))
    assert response_W(low_mHz, *CURVE) <= response_W(high_mHz, *CURVE)


def step(unit, mHz, ticks=1, is_new=True, elapsed_ticks=1, **more):
    """The answers of the last of so many steps, each with this reading."""
    fields = HALF | more
    for _ in range(ticks):
        now = both(grid_frequency_mHz=mHz, is_grid_meter_new=is_new, **fields)
        answers = unit.step(*now, elapsed_ticks)
    return answers


def moving(unit, mHz, ticks, **more):
    """The same with a frequency that moves by 1 mHz, as that of a real grid."""
    for at in range(ticks):
        answers = step(unit, mHz + at % 2, **more)
    return answers


def started(**more):
    unit = Droop(setup(**ON | more))
    moving(unit, 50_000, 3100)  # 62 s: the band is open
    return unit


def test_it_is_off_by_default():
    unit = Droop(setup())
    assert step(unit, 49_000, 10) == ()


@cases("""
    mHz  found_W
    49_980  0 | 49_900  9_875 | 49_000  LIMIT_W | 50_100  -10_000 | 51_000  -LIMIT_W
""")
def test_it_adds_the_response_to_a_band_that_keeps_its_power(mHz, found_W):
    unit = started()
    cap, answer = moving(unit, mHz, STEP_TICKS)
    left_W = RATED_W - LIMIT_W
    assert (cap.charge_W_max, cap.discharge_W_max) == (left_W, left_W)
    code = droop.FREQUENCY_RESPONSE
    assert abs(answer.adds_W - found_W) <= 125
    ends = answer.adds_W - left_W, code, answer.adds_W + left_W, code
    assert answer == Obligation(droop.RANK, *ends, answer.adds_W)


def added_W(answers):
    return answers[1].adds_W


@pytest.mark.parametrize("mHz", [49_000, 49_720, 50_280])
def test_a_jump_counts_when_it_has_lasted(mHz):
    """280 mHz: a phase jump of 20 degrees in a mean of 200 ms."""
    unit = started()
    assert added_W(moving(unit, mHz, STEP_TICKS - 2)) == 0
    assert added_W(moving(unit, 50_000, 3)) == 0
    assert added_W(moving(unit, mHz, STEP_TICKS - 1)) == 0
    assert added_W(step(unit, mHz + 1)) != 0


def test_a_jump_is_not_confirmed_by_silence():
    unit = started()
    step(unit, 49_000)
    assert added_W(step(unit, 49_000, 60, is_new=False)) == 0
    assert added_W(moving(unit, 50_000, 50)) == 0


def test_a_step_to_a_frequency_that_stands_counts():
    """A grid may stand at 49.80 Hz, and a coarse meter then repeats it."""
    unit = started()
    assert added_W(step(unit, 49_800, STEP_TICKS)) == 22_500


def test_a_frequency_that_chatters_is_unknown_and_moves_nothing():
    unit = started()
    found = [added_W(step(unit, 49_700 + 600 * (at % 2), 10)) for at in range(50)]
    assert set(found) == {0} and unit.contradicted()


def test_a_meter_that_is_wrong_by_a_constant_moves_its_reserve_of_energy_and_no_more():
    unit = started()
    response_W = added_W(moving(unit, 49_650, STEP_TICKS))
    spent_s = LIMIT_W * 900 // (response_W + 125)
    assert added_W(moving(unit, 49_650, spent_s - 1, elapsed_ticks=50)) >= response_W
    assert not unit.contradicted()
    assert added_W(moving(unit, 49_650, 20, elapsed_ticks=50)) == 0
    assert unit.contradicted() == [("meter_grid.frequency_mHz", droop.FREQUENCY_UNKNOWN)]
    moving(unit, 50_000, STEP_TICKS)
    assert added_W(moving(unit, 49_650, STEP_TICKS)) > 0


@cases("""
    nominal_mHz  mHz  unknown
    50_000  60_000  1 | 50_000  54_900  1 | 50_000  53_001  1 | 50_000  52_999  0
    60_000  60_000  0 | 50_000  0  1
""")
def test_a_frequency_of_another_grid_is_named(nominal_mHz, mHz, unknown):
    unit = Droop(setup(**ON, nominal_frequency_mHz=nominal_mHz))
    moving(unit, mHz, 200)
    assert bool(unit.contradicted()) == unit.out[0] == unknown


@pytest.mark.parametrize("bad", [{"is_new": False}, {"mHz": 0}, {"mHz": 46_999}, {"mHz": 53_001}])
def test_without_readings_the_response_stays_2_s_and_falls_to_0_in_10_s(bad):
    unit = started()
    moving(unit, 49_600, STEP_TICKS)
    mHz, is_new = bad.get("mHz", 49_600), bad.get("is_new", True)
    assert added_W(step(unit, mHz, 99, is_new)) == 47_375
    answers = step(unit, mHz, 1, is_new)
    assert answers[1].low_reason == droop.FREQUENCY_UNKNOWN
    assert added_W(answers) == 47_375 - LIMIT_W // 500
    assert added_W(step(unit, mHz, 472, is_new)) > 0
    assert added_W(step(unit, mHz, 1, is_new)) == 0
    moving(unit, 49_900, STEP_TICKS)
    assert added_W(moving(unit, 49_900, STEP_TICKS)) == 9_875


def test_a_frequency_that_does_not_move_counts_as_unknown():
    unit = started()
    moving(unit, 49_600, STEP_TICKS)
    assert added_W(step(unit, 49_600, 1500)) == 47_500
    assert step(unit, 49_600)[1].low_reason == droop.FREQUENCY_UNKNOWN
    assert added_W(step(unit, 49_600, 500)) == 0
    assert added_W(step(unit, 49_601)) > 0


def test_the_set_point_ramp_bounds_the_response():
    unit = started(setpoint_ramp_W_per_s=50_000)
    assert added_W(moving(unit, 49_600, STEP_TICKS)) == 1000
    assert added_W(moving(unit, 49_600, 60)) == 47_375


# 50 kW for 900 s are 12.5 kWh, with the losses 22 permille of 645 kWh; the backup level is 100.
@cases("""
    soc_permille  charge_part  discharge_part
    500  10  10 | 132  10  10 | 131  10  9 | 123  10  1 | 122  10  0 | 0  10  0
    968  10  10 | 969  9  10 | 977  1  10 | 978  0  10 | None  0  0
""")
def test_the_energy_for_the_response_is_kept_from_requests(
    soc_permille, charge_part, discharge_part
):
    unit = started()
    soc = None if soc_permille is None else (soc_permille, soc_permille)
    cap, _ = moving(unit, 50_000, 3100, soc_permille=soc)
    left_W = (RATED_W - LIMIT_W) // 10
    assert cap.charge_W_max == pytest.approx(left_W * charge_part, abs=1)
    assert cap.discharge_W_max == pytest.approx(left_W * discharge_part, abs=1)
    assert added_W(moving(unit, 49_600, STEP_TICKS, soc_permille=soc)) == 47_375


def test_the_kept_power_leaves_nothing_of_a_small_limit():
    cap, answer = moving(started(), 50_000, 1, limit=Limit(LIMIT_W + 1, 212, 9, 213))
    assert (cap.charge_W_max, cap.discharge_W_max) == (1, 0)
    assert (answer.low_W, answer.high_W) == (-1, 0)


def test_it_begins_anew_off_the_grid():
    unit = started()
    moving(unit, 49_600, STEP_TICKS)
    unit.hold(Tick(), Tick(), 1)
    assert added_W(step(unit, 49_600)) == 0 and not unit.is_known


# -- with all functions: load tracking, peak shaving, the connection

GRID = {"is_grid_meter_new": True, "is_load_meter_new": True, "contact": 0}


def settled(load_W, mHz, control=None, limit=WIDE, soc=(550, 550), ticks=1500, **settings):
    """A cabinet after so many ticks in which the battery does what it is asked."""
    control = control or Control(setup(**ON | {"meter_code_permille": 0} | settings))
    power_W = control.chain.state[0]
    for at in range(ticks):
        grid_W = load_W - power_W
        known = Known(
            limit=limit,
            load_meter_W=load_W + at % 2,
            grid_W=grid_W,
            grid_meter_W=grid_W,
            battery_W=power_W,
            soc_permille=soc,
            grid_frequency_mHz=mHz + at % 2,
            is_running=True,
            **GRID,
        )
        power_W = control.step(known, 1)
    return control, power_W


def test_tracking_adds_no_answer_of_its_own_to_the_response():
    control, before_W = settled(200_000, 50_000, ticks=3100)
    _, power_W = settled(200_000, 49_900, control, ticks=200)
    assert power_W - before_W == pytest.approx(9_875, abs=300)
    _, power_W = settled(200_000, 50_000, control, ticks=200)
    assert power_W == pytest.approx(before_W, abs=300)


def test_the_limit_of_the_connection_wins():
    limits = {"grid_import_W_max": 200_000, "grid_export_W_max": 0}
    control, _ = settled(195_000, 50_000, ticks=3100, **limits)
    _, power_W = settled(195_000, 51_000, control, ticks=200)
    assert power_W >= -5_100


def test_peak_shaving_leaves_the_kept_power():
    control, power_W = settled(500_000, 50_000, ticks=3100, peak_import_W_max=100_000)
    assert power_W == RATED_W - LIMIT_W
    _, power_W = settled(500_000, 49_600, control, ticks=200)
    assert power_W == pytest.approx(RATED_W - LIMIT_W + 47_375, abs=200)


@given(st.lists(st.tuples(st.integers(45_000, 55_000), st.integers(0, RATED_W)), max_size=30))
def test_the_limits_always_hold(moments):
    control, _ = settled(100_000, 50_000, ticks=2)
    for mHz, limit_W in moments:
        _, power_W = settled(100_000, mHz, control, Limit(limit_W, 212, limit_W, 213), ticks=2)
        assert abs(power_W) <= limit_W
