"""Which unit gives more: energy that is left, temperature, hysteresis, unknown values."""

import pytest
from hypothesis import given, strategies as st

from controller.core.split import Split
from controller.core.weights import Weights
from tests.tables import cases


@cases("""
    soc             discharge         charge
    None            [250, 500]        [250, 500]
    [500, 500, 500]  [125, 250]        [125, 250]
    [200, 400, 900]  [75, 450]         [175, 50]
    [0, 0, 1000]    [0, 500]          [250, 0]
""")
def test_a_fuller_unit_discharges_more_and_an_emptier_one_charges_more(soc, discharge, charge):
    """Unit 1 has 250 kW and racks 1 and 2, unit 2 has 500 kW and rack 3."""
    weights = Weights([250_000, 500_000], (0, 0, 1))
    shift = (500 * 1000).bit_length() - 20
    assert shift <= 0, "no weight of this size is shortened"
    weights.update([1, 2, 3])
    weights.update(soc)
    assert weights.discharge == [1000 * each for each in discharge]
    assert weights.charge == [1000 * each for each in charge]


@given(st.lists(st.integers(1000, 100_000_000), min_size=1, max_size=16), st.data())
def test_weights_fit_the_split(rated_W, data):
    weights = Weights(rated_W, tuple(range(len(rated_W))))
    socs = st.lists(st.integers(0, 1000), min_size=len(rated_W), max_size=len(rated_W))
    weights.update(data.draw(st.none() | socs))
    for each in (*weights.charge, *weights.discharge):
        assert 0 <= each < 1 << 20


def test_units_that_differ_meet_and_stay_together():
    """A cabinet of two units at 300 and 700 permille, one hour each way at 300 kW."""
    weights, unit = Weights([250_000, 250_000], (0, 1)), Split(2)
    soc, room_W, gaps = [300.0, 700.0], [250_000, 250_000], []
    for minute in range(240):
        total_W = 300_000 if minute // 60 % 2 == 0 else -300_000
        weights.update([round(each) for each in soc])
        unit.step(total_W, room_W, room_W, weights.discharge if total_W > 0 else weights.charge)
        soc = [each - power_W / 60 / 645 for each, power_W in zip(soc, unit.out)]
        gaps.append(soc[1] - soc[0])
    assert gaps == sorted(gaps, reverse=True) and 0 <= gaps[-1] < 60


TWO = [250_000, 250_000], (0, 1)


@cases("""
    hottest  discharge
    None        [125_000, 125_000] | [300, 300]  [125_000, 125_000]
    [300, 305]  [125_000, 100_000] | [310, 300]  [75_000, 125_000]
    [300, 399]  [125_000, 25_000]  | [-99, -104]  [100_000, 125_000]
""")
def test_a_warmer_unit_gets_less_both_ways_and_never_nothing(hottest, discharge):
    """`held` follows 0.2 K behind from 0 degC on."""
    weights = Weights(*TWO)
    warmer = hottest and [each + (2 if each > 0 else -2) for each in hottest]
    weights.update([500, 500], warmer)
    assert weights.discharge == weights.charge == discharge


def test_the_hottest_rack_of_a_unit_counts_and_a_small_move_of_it_changes_nothing():
    weights, found = Weights([250_000, 250_000], (0, 0, 1)), []
    for hottest in (302, 304, 300, 305, 303, 301, 300):
        weights.update([500] * 3, [200, hottest, 302])
        found.append(weights.discharge[0])
    assert found == [125_000, 115_000, 115_000, 110_000, 110_000, 110_000, 115_000]


@pytest.mark.parametrize("hottest", (None, [300, 300]))
def test_without_a_state_of_charge_the_rating_counts(hottest):
    weights = Weights([250_000, 500_000], (0, 1))
    weights.update(None, hottest)
    assert weights.discharge == weights.charge == [250_000, 500_000]


def test_units_empty_at_the_same_time_at_the_hard_reserve():
    weights, unit = Weights(*TWO, kept_permille=100), Split(2)
    weights.update([300, 200])
    assert weights.discharge == [50_000, 25_000] and weights.charge == [175_000, 200_000]
    unit.step(90_000, [250_000] * 2, [250_000] * 2, weights.discharge)
    assert list(unit.out) == [60_000, 30_000]
    weights.update([100, 90])
    assert weights.discharge == [0, 0], "the split then shares equally"


def test_weights_follow_what_was_restored():
    weights = Weights(*TWO)
    weights.update([500, 500], [300, 300])
    weights.held[1] = 302
    weights.forget()
    weights.update([500, 500], [300, 300])
    assert weights.discharge == [125_000, 125_000 * (1000 - 40 * 4) // 1000]


@cases("""
    soh         discharge           charge
    ()          [125_000, 125_000]  [125_000, 125_000]
    [990, 990]  [123_750, 123_750]  [123_750, 123_750]
    [1000, 800]  [125_000, 100_000]  [125_000, 100_000]
    [1000, 0]  [125_000, 87_500]  [125_000, 87_500]
""")
def test_a_worn_unit_gets_less_by_its_energy(soh, discharge, charge):
    """An unknown state of health counts as 700 permille."""
    weights = Weights(*TWO)
    weights.update([500, 500], None, soh)
    assert (weights.discharge, weights.charge) == (discharge, charge)
