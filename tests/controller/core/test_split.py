"""One power into several: the sum is exact, no unit passes its limits, none charges another."""

from hypothesis import given, strategies as st

from controller.core.split import Split
from tests.tables import cases

UNIT = st.tuples(st.integers(0, 300_000), st.integers(0, 300_000), st.integers(0, 1000))


def split(total_W, charge_W, discharge_W, weights):
    unit = Split(len(weights))
    placed_W = unit.step(total_W, charge_W, discharge_W, weights)
    return placed_W, list(unit.out)


@given(st.integers(-6_000_000, 6_000_000), st.lists(UNIT, min_size=1, max_size=16))
def test_the_sum_is_exact_and_every_unit_within_its_limits(total_W, units):
    charge_W, discharge_W, weights = map(list, zip(*units))
    placed_W, out = split(total_W, charge_W, discharge_W, weights)
    assert placed_W == sum(out) == max(-sum(charge_W), min(sum(discharge_W), total_W))
    for power_W, low_W, high_W in zip(out, charge_W, discharge_W):
        assert -low_W <= power_W <= high_W
        assert power_W * total_W >= 0


@given(st.integers(-1_000_000, 1_000_000), st.lists(st.integers(1, 1000), min_size=2, max_size=8))
def test_with_room_the_shares_follow_the_weights_to_a_watt(total_W, weights):
    room_W = [10_000_000] * len(weights)
    _, out = split(total_W, room_W, room_W, weights)
    for power_W, weight in zip(out, weights):
        assert abs(power_W * sum(weights) - total_W * weight) < sum(weights)


ABLE = UNIT.filter(lambda unit: unit[2] > 0)


@given(st.integers(0, 3_000_000), st.lists(ABLE, min_size=2, max_size=8))
def test_water_fills_evenly(total_W, units):
    """A unit below its limit has no less per weight than any other unit (to a watt)."""
    charge_W, discharge_W, weights = map(list, zip(*units))
    _, out = split(total_W, charge_W, discharge_W, weights)
    for power_W, high_W, weight in zip(out, discharge_W, weights):
        if power_W < high_W:
            for share_W, other in zip(out, weights):
                assert (power_W + 1) * other >= (share_W - 1) * weight


@cases("""
    total_W  out
    0  [0, 0, 0] | 90  [15, 30, 45] | -90  [-15, -30, -45] | 91  [15, 30, 46]
    1000  [183, 367, 450]  # the third is full: 550 left by 1 to 2
    1200  [300, 450, 450] | 5000  [400, 450, 450] | -5000  [-100, -100, -100]
""")
def test_three_units(total_W, out):
    assert split(total_W, [100] * 3, [400, 450, 450], [1, 2, 3]) == (sum(out), out)


def test_units_of_weight_zero_come_last_and_one_without_permission_gets_nothing():
    assert split(100, [0] * 3, [500] * 3, [0, 1, 0])[1] == [0, 100, 0]
    assert split(700, [0] * 3, [500] * 3, [0, 1, 0])[1] == [100, 500, 100]
    assert split(90, [0] * 3, [500] * 3, [0, 0, 0])[1] == [30, 30, 30]
    assert split(300, [0, 250], [0, 250], [1, 1]) == (250, [0, 250])
    assert split(-300, [250, 0], [250, 0], [1, 1]) == (-250, [-250, 0])


def test_nothing_is_left_from_the_step_before():
    unit = Split(2)
    unit.step(100, [100, 100], [100, 100], [1, 1])
    unit.step(-60, [100, 100], [100, 100], [1, 2])
    assert list(unit.out) == [-20, -40]
