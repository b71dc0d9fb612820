"""Fan, airflow contact, gas and detectors."""

import math

import pytest

from hil.plant import air, config

DT_S = 0.1


def _air(**changes):
    return air.Air(config.checked(changes))


def _steps(one, count, fan=False, vented_m3=0.0):
    return [(one.step(DT_S, fan, vented_m3), one.airflow)[1] for _ in range(count)]


def test_airflow_contact_closes_after_spin_up_and_opens_after_coasting():
    one = _air()
    assert _steps(one, 21, fan=True) == [False] * 19 + [True] * 2
    assert _steps(one, 11) == [True] * 9 + [False] * 2


def test_a_fan_without_airflow_runs_and_proves_nothing():
    one = _air()
    one.airflow_failed = True
    assert not any(_steps(one, 50, fan=True))
    assert one.fan_running
    one.airflow_failed = False
    assert _steps(one, 20, fan=True)[-1]


def test_one_cell_fills_a_small_cabinet_as_the_note_says():
    one = _air(free_volume_m3=1.0)
    one.step(DT_S, False, 0.17)
    assert one.mixture_lfl_pct == pytest.approx(17.0 / 6.0 * 100.0, rel=0.001)


@pytest.mark.parametrize("fan, flow_m3_per_s", [(False, 0.002), (True, 0.192)])
def test_mixture_is_diluted_by_the_flow(fan, flow_m3_per_s):
    one = _air()
    _steps(one, 20, fan=fan)
    one.step(DT_S, fan, 0.05)
    start = one.mixture_lfl_pct
    _steps(one, 50, fan=fan)
    assert one.mixture_lfl_pct == pytest.approx(start * math.exp(-flow_m3_per_s * 5.0 / 3.0))


def test_a_steady_leak_settles_where_the_fan_carries_it_away():
    one = _air()
    one.source_m3_per_s = 0.001
    _steps(one, 3000, fan=True)
    assert one.mixture_lfl_pct == pytest.approx(0.001 / 0.192 / 0.06 * 100.0, rel=0.02)
    assert one.gas_lfl_pct == pytest.approx([one.mixture_lfl_pct] * 2, rel=0.01)


def test_detectors_lag_and_saturate():
    one = _air()
    one.step(DT_S, False, 3.0)
    assert 0.0 < one.gas_lfl_pct[0] < 100.0
    _steps(one, 100)
    assert one.gas_lfl_pct == [100.0, 100.0]


def test_test_gas_is_read_with_the_lag_and_no_fan_dilutes_it():
    one = _air()
    one.test_gas_pct[1] = 30.0
    _steps(one, 20, fan=True)
    assert one.gas_lfl_pct == [0.0, pytest.approx(30.0 * (1.0 - math.exp(-1.0)))]
    _steps(one, 300, fan=True)
    assert one.gas_lfl_pct == [0.0, pytest.approx(30.0)]
    one.test_gas_pct[1] = 0.0
    _steps(one, 20)
    assert one.gas_lfl_pct == [0.0, pytest.approx(30.0 * math.exp(-1.0))]
    assert one.mixture_lfl_pct == 0.0


def test_clean_air_costs_nothing_and_stays_clean():
    one = _air()
    _steps(one, 100)
    assert one.gas_lfl_pct == [0.0, 0.0] and one.mixture_lfl_pct == 0.0


def test_gas_is_forgotten_when_it_is_gone():
    one = _air()
    one.step(DT_S, True, 0.001)
    _steps(one, 3000, fan=True)
    assert one.gas_lfl_pct == [0.0, 0.0] and one.mixture_lfl_pct == 0.0
