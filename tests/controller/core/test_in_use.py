"""Part load: how many units carry the power, which ones, and how rarely that changes."""

from hypothesis import given, strategies as st

from controller.core.in_use import InUse
from controller.core.units import Units
from tests.tables import cases

RATED_W = [250_000] * 3
EQUAL = [125_000] * 3
MINUTE = 60_000


def used(unit, total_W, weights=EQUAL, room_W=RATED_W, elapsed_ms=MINUTE):
    return "".join("1" if each else "0" for each in unit.step(total_W, weights, room_W, elapsed_ms))


@cases("""
    total_W  units
    0  "100" | 99_000  "100" | 101_000  "110" | 149_000  "110" | 151_000  "111" | -99_000  "100"
""")
def test_below_a_fifth_of_the_rating_each_fewer_units_carry_the_power(total_W, units):
    assert used(InUse(RATED_W, 200), total_W) == units


def test_a_unit_comes_back_at_once_and_above_the_threshold_at_which_it_left():
    unit, seen = InUse(RATED_W, 200), []
    for total_W in (90_000, 149_000, 151_000, 224_000, 226_000, 110_000):
        seen.append(used(unit, total_W, elapsed_ms=20))
        seen.append(used(unit, total_W))
    assert seen == "111 100 100 100 110 110 110 110 111 111 111 110".split()


def test_a_load_that_swings_moves_no_unit():
    unit = InUse(RATED_W, 200)
    seen = {used(unit, (200_000, 0)[n // 50 % 2], elapsed_ms=20) for n in range(9000)}
    assert seen == {"111"}


@cases("""
    weights  units
    [100, 125, 100]  "100" | [100, 126, 100]  "010" | [0, 0, 1]  "001"
""")
def test_a_unit_stays_until_another_one_has_clearly_more_weight(weights, units):
    unit = InUse(RATED_W, 200)
    used(unit, 50_000)
    heavier = [each * 1000 for each in weights]
    assert "".join(str(int(not unit.rests(each))) for each in range(3)) == "100"
    unit.step(50_000, heavier, RATED_W, MINUTE)
    assert "".join(str(int(not unit.rests(each))) for each in range(3)) == units


def test_units_that_can_give_nothing_do_not_carry_alone():
    assert used(InUse(RATED_W, 200), 90_000, room_W=[0, 250_000, 250_000]) == "010"
    assert used(InUse(RATED_W, 200), 90_000, room_W=[60_000] * 3) == "110"


@cases("""
    total_W  room_W  units
    90_000  [250_000] * 3  "010" | -90_000  [250_000] * 3  "010"
    110_000  [250_000] * 3  "011" | 151_000  [250_000] * 3  "111"
    90_000  [250_000, 0, 250_000]  "001" | 90_000  [250_000, 60_000, 250_000]  "011"
""")
def test_a_stated_order_comes_before_the_weights(total_W, room_W, units):
    stated = InUse(RATED_W, 200, [3, 1, 2])
    assert used(stated, total_W, [150_000, 1000, 125_000], room_W) == units
    assert used(stated, total_W, [150_000, 1000, 125_000], room_W) == units


def test_an_empty_unit_is_passed_over_and_comes_back_first():
    stated = InUse(RATED_W, 200, [3, 1, 2])
    seen = [used(stated, 50_000, weights) for weights in ([5, 0, 9], [5, 1, 9])]
    assert seen == ["001", "010"]


def test_off_by_default_and_with_one_unit():
    assert InUse(RATED_W, 0).step(10, EQUAL, RATED_W, MINUTE) is EQUAL
    assert InUse([250_000], 200).step(10, [7], [250_000], MINUTE) == [7]


OF_THREE = st.lists(st.integers(0, 250_000), min_size=3, max_size=3)


@given(
    st.lists(st.tuples(st.integers(-900_000, 900_000), OF_THREE), max_size=20),
    st.just([0, 0, 0]) | st.permutations([1, 2, 3]),
)
def test_the_sum_and_the_limits_hold_while_units_rest(ticks, turns):
    settings = {"soc_reserve_backup_permille": 100, "unit_part_load_permille": 200}
    settings |= {f"unit_{unit}_turn_count": turn for unit, turn in enumerate(turns, 1)}
    units = Units(RATED_W, (0, 1, 2), settings)
    units.weights.update([300, 500, 700], [300, 310, 300])
    for total_W, room_W in ticks:
        units.step(total_W, room_W, room_W, MINUTE)
        assert sum(units.out) == max(-sum(room_W), min(sum(room_W), total_W))
        for power_W, limit_W in zip(units.out, room_W):
            assert abs(power_W) <= limit_W and power_W * total_W >= 0
        if any(turns) and abs(total_W) >= 1000 and room_W[turns.index(1)]:
            assert units.out[turns.index(1)], "the first one works"
