"""Air temperature, humidity, cooling, coolant and water; the UPS."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from hil.plant import climate, config, ups

DT_S = 0.1
LEAK_M3_PER_S = 0.002


def _climate(**changes):
    return climate.Climate(config.checked(changes))


def _run(one, seconds, heat_W=0.0, exchange_m3_per_s=LEAK_M3_PER_S, dt_s=DT_S):
    for _ in range(round(seconds / dt_s)):
        one.step(dt_s, heat_W, exchange_m3_per_s)
    return one


def test_the_cooling_holds_the_air_heats_it_or_fails():
    for heat_W in (0.0, 2000.0, 6000.0):
        one = _run(_climate(), 120, heat_W)
        # 12 kW in a band of 1 K, less the loss through the walls
        assert one.air_degC == pytest.approx(25.0 + (heat_W + 300.0) / 12_032.4, abs=1e-3)
        assert one.hvac_power_W == pytest.approx(heat_W + 300.0, abs=0.005 * heat_W + 5.0)
    for hvac_W in (0.0, 3000.0):
        one = _run(_climate(hvac_W=hvac_W), 20_000, 5000.0, dt_s=10.0)
        assert one.air_degC - 25.0 == pytest.approx((5300.0 - hvac_W) / 32.4, rel=0.01)
        assert one.hvac_power_W == pytest.approx(hvac_W)
    one = _run(_climate(ambient_degC=40.0, hvac_W=0.0), 600, exchange_m3_per_s=0.192)
    assert one.air_degC == pytest.approx(40.0 + 300.0 / (30.0 + 230.4), abs=0.1)
    one = _run(_climate(), 60, 5000.0)
    assert one.hvac_ok
    one.hvac_failed = True
    before = one.air_degC
    _run(one, 1.0, 5000.0)
    assert not one.hvac_ok and one.hvac_power_W == 0.0
    assert one.air_degC - before == pytest.approx(5300.0 / (1200.0 * 5.0 * 3.0), rel=0.02)
    one = _run(_climate(ambient_degC=-20.0), 600)
    assert 24.0 < one.air_degC < 25.0 and one.hvac_power_W < 0.0
    one = _run(_climate(ambient_degC=-20.0, hvac_W=900.0), 20_000, dt_s=1.0)
    found = one.hvac_power_W, one.air_degC
    assert found == (-300.0, pytest.approx(-20.0 + 600.0 / 32.4, abs=0.1))


@settings(max_examples=20)
@given(
    st.floats(-20.0, 40.0),
    st.floats(0.0, 20_000.0),
    st.floats(0.0, 20_000.0),
    st.floats(0.1, 10.0),
    st.sampled_from([0.02, 0.1, 1.0]),
)
def test_energy_of_the_air_is_balanced_at_every_step(outside_degC, heat_W, hvac_W, volume_m3, dt_s):
    one = _climate(ambient_degC=outside_degC, hvac_W=hvac_W, free_volume_m3=volume_m3)
    for _ in range(50):
        before = one.air_degC
        one.step(dt_s, heat_W, 0.05)
        stored_W = 1200.0 * 5.0 * volume_m3 * (one.air_degC - before) / dt_s
        lost_W = (30.0 + 0.05 * 1200.0) * (one.air_degC - outside_degC)
        assert stored_W == pytest.approx(heat_W + 300.0 - one.hvac_power_W - lost_W, abs=0.5)


def test_held_air_a_leak_and_a_stopped_pump():
    one = _climate()
    one.hold(47.0, 2.0)
    _run(one, 5.0)
    assert one.air_degC == pytest.approx(35.0)
    _run(one, 20.0)
    assert one.air_degC == 47.0
    one.hold(-10.0, 0.0)
    _run(one, DT_S)
    assert one.air_degC == -10.0
    one.hold(None, 0.0)
    _run(one, 600)
    assert one.air_degC == pytest.approx(25.0, abs=0.2)
    one = _climate()
    one.leak(True)
    _run(one, 1.9)
    assert one.leak_ok and one.coolant_ok
    _run(one, 0.3)
    assert not one.leak_ok and one.coolant_ok and one.hvac_power_W > 0.0
    _run(one, 100.0)
    assert not one.coolant_ok and one.hvac_power_W == 0.0
    one.leak(False)
    assert one.leak_ok and one.coolant_ok
    one = _climate()
    one.low_flow = True
    _run(one, 1.0, 3000.0)
    assert one.leak_ok and not one.coolant_ok and one.hvac_ok and one.hvac_power_W == 0.0
    one.powered = False
    assert not one.hvac_ok


@pytest.mark.parametrize("hvac_W, permille", [(2000.0, 490.1), (0.0, 862.8)])
def test_air_that_begins_cooler_than_outside_was_dried_by_the_coil(hvac_W, permille):
    """A hot day once began humid: row 42c, and then the limits of an island were 0."""
    one = _climate(hvac_W=hvac_W, ambient_degC=34.0, start_degC=24.0)
    assert one.humidity_permille == pytest.approx(permille, abs=0.1)


def test_humidity_is_that_of_the_closed_form_and_the_coil():
    found = [climate.saturation_g_per_m3(degC) for degC in (0.0, 20.0, 25.0, 40.0)]
    assert found == pytest.approx([4.85, 17.3, 23.0, 51.2], rel=0.01)
    one = _climate(hvac_W=0.0, ambient_humidity_permille=800.0)
    assert one.humidity_permille == pytest.approx(800.0)
    water = one.humidity_permille * climate.saturation_g_per_m3(one.air_degC)
    _run(one, 60.0, 3000.0, exchange_m3_per_s=0.0)
    assert one.air_degC > 30.0
    assert one.humidity_permille * climate.saturation_g_per_m3(one.air_degC) == pytest.approx(water)
    humid = _climate(ambient_humidity_permille=900.0)
    one = _run(humid, 4 * 3600, 6000.0, exchange_m3_per_s=0.0, dt_s=1.0)
    share = climate.saturation_g_per_m3(12.0) / climate.saturation_g_per_m3(one.air_degC)
    assert one.humidity_permille == pytest.approx(1000.0 * share, rel=0.01)
    # w = w0 + m/Q (1 - exp(-Qt/V)): the same balance as of a gas.
    one = _climate(hvac_W=0.0)
    start = one.humidity_permille / 1000.0 * climate.saturation_g_per_m3(25.0)
    one.hold(25.0, 0.0)
    one.ingress_g_per_s = 0.5
    _run(one, 30.0)
    more = 0.5 / LEAK_M3_PER_S * -math.expm1(-LEAK_M3_PER_S * 30.0 / 3.0)
    share = (start + more) / climate.saturation_g_per_m3(25.0)
    assert one.humidity_permille == pytest.approx(1000.0 * share, rel=1e-4)
    _run(one, 600.0)
    assert one.humidity_permille == 1000.0
    one.ingress_g_per_s = 0.0
    _run(one, 60.0, exchange_m3_per_s=0.192)
    assert one.humidity_permille < 530.0


def _ups(minutes, load_W=1500.0, mains=False, one=None):
    one = one or ups.Ups(config.checked())
    one.mains = mains
    for _ in range(minutes):
        one.step(60.0, load_W)
    return one


def test_the_reserve_is_energy_over_load_and_is_charged_in_eight_hours():
    one = _ups(0)
    assert one.reserve_min == pytest.approx(6000.0 / 1500.0 * 60.0)
    assert _ups(1, 3000.0, True, one).reserve_min == pytest.approx(120.0) and one.charge_W == 0.0
    one = _ups(6 * 60)
    assert one.reserve_min == 0.0
    _ups(4 * 60, mains=True, one=one)
    assert one.reserve_min == pytest.approx(120.0) and one.charge_W == 750.0
    _ups(5 * 60, mains=True, one=one)
    assert one.reserve_min == 240.0 and one.charge_W == 0.0
    one = _ups(0)
    one.set_reserve(100.0)
    assert _ups(2, mains=True, one=one).reserve_min == pytest.approx(100.0) and one.charge_W == 0.0


@settings(max_examples=20)
@given(st.floats(100.0, 5000.0), st.integers(1, 200))
def test_minutes_on_battery_are_minutes_less(load_W, minutes):
    first = _ups(1, load_W).reserve_min
    assert _ups(1 + minutes, load_W).reserve_min == pytest.approx(max(0.0, first - minutes))
