"""Racks: a capacitor against its closed form, smoothing against hand-made courses, the meter."""

import math

import pytest
from hypothesis import given, strategies as st
from plant_bench import run
from site_bench import site

from hil.devices.power_meter import FastMeter
from hil.site.racks import Capacitor, Racks, Smoothing

RATED = {"rated_W": 100_000.0}
CAPACITOR = {**RATED, "J_per_kW": 50.0, "capacitor_permille": 1000.0}


def feed_W(loads_W, **keys):
    one = Capacitor({**CAPACITOR, **keys})
    return one, [one.step(0.01, load_W) for load_W in loads_W]


def test_a_step_reaches_the_feed_behind_a_lag_of_j_per_kw():
    one, found_W = feed_W([0.0, *[100_000.0] * 100])
    for at in (1, 5, 20):
        mean = 1 - 5 * (math.exp(-(at - 1) / 5) - math.exp(-at / 5))
        assert found_W[at] == pytest.approx(100_000 * mean, rel=1e-6)
    assert one.energy_J == pytest.approx(0.0, abs=1e-3)  # rated power empties it
    assert sum(100_000 - each_W for each_W in found_W[1:]) * 0.01 == pytest.approx(5000)


def test_it_gives_no_more_than_its_power():
    _, found_W = feed_W([20_000.0, 90_000.0, 90_000.0, 20_000.0], capacitor_permille=300.0)
    assert found_W[1] == 60_000


@given(st.lists(st.floats(0, 150_000), min_size=1, max_size=80), st.floats(0.001, 1.0))
def test_no_energy_is_made_or_lost_and_none_is_beyond_its_size(loads_W, dt_s):
    one = Capacitor(CAPACITOR)
    one.step(dt_s, 50_000.0)
    before_J, work_J = one.energy_J, 0.0
    for load_W in loads_W:
        work_J += (load_W - one.step(dt_s, load_W)) * dt_s
        assert -1e-6 <= one.energy_J <= 5000 + 1e-6
    assert before_J - one.energy_J == pytest.approx(work_J, abs=1e-3)


def smoothed(asked_W, **keys):
    given = {"floor_permille": 500.0, "up_W_per_s": 100_000.0, "down_W_per_s": 50_000.0}
    one = Smoothing({**RATED, **given, "hysteresis_s": 0.25, **keys})
    return one, [one.step(0.1, each_W) for each_W in asked_W]


def test_the_floor_holds_for_the_hysteresis_and_falls_at_its_rate():
    one, found_W = smoothed([80_000.0, *[42_000.0] * 4])
    assert found_W == [80e3, 50e3, 50e3, 45e3, 42e3]
    assert one.burnt_J == pytest.approx(1900) and one.withheld_J == 0


def test_the_rise_has_a_rate_up_to_the_floor_and_none_above():
    one, found_W = smoothed([35_000.0, 90_000.0, 90_000.0, 60_000.0, 90_000.0])
    assert found_W == [35e3, 45e3, 90e3, 60e3, 90e3] and one.withheld_J == pytest.approx(4500)
    _, found_W = smoothed([0.0, 90_000.0, 0.0], floor_permille=0.0, up_W_per_s=0.0)
    assert found_W == [0.0, 90e3, 0.0]


@pytest.mark.parametrize("is_inside, shown_W", [(True, 100_000), (False, 36_788)])
def test_a_meter_at_the_racks_shows_the_gpus(is_inside, shown_W):
    one = run(site(Racks(lambda t_s: 100_000.0 * (t_s > 1.0), CAPACITOR, is_inside)), 1.0, 0.02)
    one.step(0.05)  # a mean of one lag of the capacitor
    assert one.load_power_W == one.grid_power_W == pytest.approx(36_788, abs=1)
    assert FastMeter(one, "load")._power_W() == pytest.approx(shown_W, abs=1)
    assert FastMeter(one, "grid")._power_W() == one.grid_power_W


def test_the_account_of_the_site_has_what_the_floor_burns_and_the_rate_withholds():
    """40 kW at the floor for 0.9 s; on the way up 40, 30 and 20 kW too little for 0.1 s each."""
    keys = {"floor_permille": 400.0, "hysteresis_s": 60.0, "up_W_per_s": 100_000.0}
    one = run(site(Racks(lambda t_s: 40_000.0 * (t_s < 0.15), RATED | keys)), 1.0)
    assert one.account.energy_J["burnt"] == pytest.approx(36_000)
    rising = Racks(lambda t_s: 50_000.0 * (t_s > 0.15), RATED | keys)
    account = run(site(rising), 1.0).account
    assert account.energy_J["withheld"] == pytest.approx(0.1 * (40 + 30 + 20) * 1000)
