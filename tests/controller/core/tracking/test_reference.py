"""The reference comes from the stored energy: closed form, take-over, hold."""

import pytest

from controller.core.tracking.reference import R_MISSING, Reference

TICK_MS, ENERGY_WH, RATED_W = 1000, 645_000, 250_000
TIME_S = 2322  # 645 kWh / (4 * 250 kW)


def begun(grid_W=300_000, share_permille=250):
    reference = Reference(TICK_MS, ENERGY_WH, share_permille, RATED_W)
    reference.begin(grid_W, -(10**9), 10**9)
    return reference


def run(load_W, seconds, soc=0.55, target=0.55):
    """(reference, SOC) of a battery without losses that gives load - reference."""
    reference = begun(round(load_W(0)))
    for second in range(seconds):
        battery_W = max(-RATED_W, min(RATED_W, load_W(second) - reference.wanted_W))
        soc -= battery_W / 3600 / ENERGY_WH
        reference.step(round(1000 * target) - round(1000 * soc), round(battery_W), 1)
        low_W, high_W = (round(load_W(second)) + end_W for end_W in (-RATED_W, RATED_W))
        reference.hold(low_W, high_W, 1 << 24, 1)
    return reference, soc


def test_the_largest_step_costs_less_than_its_share_and_comes_back():
    reference, soc = run(lambda second: 100_000 if not second else 350_000, TIME_S)
    assert 0.55 - 0.25 < soc < 0.40
    later, soc_later = run(lambda second: 100_000 if not second else 350_000, 12 * TIME_S)
    assert abs(later.wanted_W - 350_000) < 5000 and soc_later > soc + 0.08


def test_plateaus_of_minutes_hardly_move_the_grid():
    """Plateaus of 150 s, 250 kW apart: less than a tenth of the step is left on the grid."""
    found_W = [
        run(lambda second: 100_000 if second % 300 < 150 else 350_000, seconds)[0].wanted_W
        for seconds in range(3600, 3900, 15)
    ]
    assert max(found_W) - min(found_W) < 25_000


def test_after_a_rest_it_begins_where_the_grid_is_then():
    """While no power is available the reference is the load, which has changed meanwhile."""
    reference = begun(100_000)
    for _ in range(60):
        reference.step(50, 0, 1)
        reference.hold(300_000, 300_000, 1 << 24, 1)
    for _ in range(60):
        reference.step(50, 0, 1)
        reference.hold(50_000, 550_000, 1 << 24, 1)
    assert abs(reference.wanted_W - 300_000) <= 100


@pytest.mark.parametrize("error_permille", (-300, 0, 70, None))
def test_it_begins_where_the_grid_is(error_permille):
    reference = begun()
    for _ in range(60):
        reference.step(error_permille, 0, 1)
    # within 4 T the mean takes the difference over: 83 kW of 300 permille
    assert abs(reference.wanted_W - 300_000) <= 100


def test_a_state_of_charge_that_is_unknown_for_a_while_moves_nothing():
    reference = begun()
    for error_permille in [*[-250] * 30, *[None] * 30, *[-250] * 30]:
        before_W = reference.wanted_W
        reference.step(error_permille, 0, 1)
        assert abs(reference.wanted_W - before_W) <= 5


def test_what_tracking_gave_before_its_begin_is_no_load():
    """A set-point from before the start, of 4.8 kW, stood on each request for half an hour."""
    reference = begun()
    reference.step(0, -4800, 1)
    for _ in range(2):
        reference.step(None, 0, 1, is_requested=True)
    assert reference.free_W == pytest.approx(300_000, abs=100)


def test_an_unknown_charge_moves_nothing_beside_the_power_that_brings_the_charge_back():
    """83 kW of 300 permille: taken for a request, they would fall to 0 at once."""
    reference = begun(217_000)
    for error_permille in (-300, -300, None, None, None):
        reference.step(error_permille, 83_000, 1)
        reference.hold(0, 10**6, 1 << 24, 1)
    assert reference.wanted_W == pytest.approx(217_000, abs=100)


def test_after_a_request_the_charge_comes_back_slowly():
    """80 permille of 645 kWh in T are 80 kW: at first 80 kW / (T / 4) = 138 W/s."""
    reference = begun()
    for error_permille in [0, *[None] * 30]:
        reference.step(error_permille, 0, 1)
    assert reference.wanted_W == 300_000
    for _ in range(10):
        reference.step(80, 0, 1)
    assert 1300 < reference.wanted_W - 300_000 < 1400


@pytest.mark.parametrize("load_W", (150_000, 200_000))
def test_a_request_begins_at_the_mean_load_wherever_a_cap_held_the_grid(load_W):
    """Tracking kept the grid at 120 kW, against the request behind the cap."""
    reference = begun(load_W)
    reference.hold(0, 120_000, 1 << 32, 1)
    for second in range(900):
        reference.step(0, load_W - 120_000 + (20_000 if second % 2 else -20_000), 1)
        reference.hold(0, 120_000, 1 << 24, 1)
    assert reference.wanted_W == 120_000
    for _ in range(2):
        reference.step(None, load_W - 120_000, 1, is_requested=True)
        reference.hold(0, 500_000, 1 << 24, 1)
    assert reference.wanted_W == pytest.approx(load_W, abs=5000)


def test_while_the_charge_is_the_senders_the_energy_of_tracking_itself_comes_back():
    """100 kW for 232 s are a tenth of T: the reference rises towards 10 kW in T / 4."""
    reference = begun()
    reference.step(None, 100_000, 1)
    for _ in range(232):
        reference.step(None, 100_000, 1)
    rising_W = reference.wanted_W - 300_000
    assert 1000 < rising_W < 10_000
    for _ in range(2 * TIME_S):
        reference.step(None, 0, 1)
    assert 8000 < reference.wanted_W - 300_000 < 14_000


def test_a_held_reference_remembers_where_it_would_be():
    reference = begun()
    reference.hold(350_000, 800_000, 1 << 24, 1)
    assert (reference.wanted_W, reference.free_W) == (350_000, 300_000)
    reference.hold(0, 200_000, 1 << 24, 1)
    reference.hold(0, 800_000, 1 << 24, 1)
    assert (reference.wanted_W, reference.free_W) == (200_000, 300_000)
    for _ in range(TIME_S):
        reference.step(0, 0, 1)
    assert reference.wanted_W == pytest.approx(reference.free_W, abs=2000)


@pytest.mark.parametrize("elapsed_ticks", (1, 2, 5))
def test_missed_ticks_count(elapsed_ticks):
    one, many = begun(), begun()
    for reference in (one, many):
        reference.step(0, 0, 1)
    for _ in range(elapsed_ticks):
        one.step(200, 0, 1)
    many.step(200, 0, elapsed_ticks)
    moved_W = one.wanted_W - 300_000
    assert moved_W > 100 and abs(many.wanted_W - one.wanted_W) <= 0.01 * moved_W * elapsed_ticks


def test_a_surplus_of_the_sun_takes_no_power_from_the_grid_and_leaves_none():
    """700 kW of sun, twice 400 kW in a cloud: the store takes what there is. Then the sun is gone,
    and the grid gives what it gave before.
    """
    reference = begun(100_000)
    for second in range(2 * TIME_S):
        surplus_W = 400_000 if second % 1000 > 800 else 700_000
        reference.step(0, -surplus_W, 1, learns=False)
        high_W = 700_000 if second % 3 else 900_000  # now and then more than the store may take
        reference.hold(
            surplus_W, max(surplus_W, high_W), 1 << 30, 1, leaves_trace=False, is_sun=True
        )
        if second % 1000 > 830:
            assert reference.wanted_W <= 401_000
    for _ in range(30):
        reference.step(0, 0, 1)
        reference.hold(-150_000, 350_000, 1 << 30, 1)
    assert abs(reference.wanted_W - 100_000) < 1000


def test_energy_that_a_frequency_response_moves_comes_back_only_after_it():
    """The missing energy may fall during the response, but not rise."""
    reference = begun()
    for error, responds, kept in ((10, False, 10), (30, True, 10), (4, True, 4), (30, False, 30)):
        reference.step(error, 0, 1, responds=responds)
        assert reference.words[R_MISSING] == kept * ENERGY_WH * 3600
