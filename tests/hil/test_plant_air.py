"""Fan, louvre, airflow contact, dilution, and the readings of the detectors."""

import math
import statistics

import pytest
from hypothesis import given, settings, strategies as st

from hil.plant import air, config

DT_S = 0.1
FULL_M3_PER_S = 0.192  # fan and leaks


def _air(seed=0, **changes):
    return air.Air(config.checked(changes), seed)


def _steps(one, count, fan=False, dt_s=DT_S, **emitted):
    return [(one.step(dt_s, fan, **emitted), one.airflow)[1] for _ in range(count)]


def test_the_airflow_contact_and_the_louvre_show_the_true_state():
    one = _air()
    assert _steps(one, 21, fan=True) == [False] * 19 + [True] * 2
    assert _steps(one, 11) == [True] * 9 + [False] * 2
    one = _air()
    one.airflow_failed = True
    assert not any(_steps(one, 50, fan=True)) and one.fan_running
    one.airflow_failed = False
    assert _steps(one, 20, fan=True)[-1]
    for louvre_s in (0.0, 3.0, 8.0):
        one = _air(louvre_s=louvre_s)
        _steps(one, 5)
        assert not one.louvre_open
        opened = [(one.step(DT_S, True), one.louvre_open)[1] for _ in range(100)]
        assert opened.index(True) == max(0, round(louvre_s / DT_S) - 1) and opened[-1]
        one.step(DT_S, False)
        assert not one.louvre_open
    one = _air()
    one.louvre_failed = True
    _steps(one, 200, fan=True)
    assert not one.louvre_open and one.airflow
    assert one.exchange_m3_per_s == pytest.approx(0.002 + 0.3 * 0.19)
    one.louvre_failed = False
    _steps(one, 60, fan=True)
    assert one.louvre_open


def test_the_gas_of_a_cell_and_of_a_leak():
    for kind, gas_m3, share in (("lfp", 0.17, 17.0 / 6.0), ("nmc", 0.08, 1.0)):
        one = _air(free_volume_m3=1.0, chemistry=kind)
        one.step(DT_S, False, gas_m3)
        assert one.mixture_lfl_pct == pytest.approx(100.0 * share, rel=0.001)
    one = _air()
    _steps(one, 3000, fan=True, gas_m3=0.001 * DT_S)
    assert one.exchange_m3_per_s == pytest.approx(FULL_M3_PER_S)
    assert one.mixture_lfl_pct == pytest.approx(0.001 / FULL_M3_PER_S / 0.06 * 100.0, rel=0.001)
    assert [head.level for head in one.gas] == pytest.approx([one.mixture_lfl_pct] * 2, rel=0.001)
    # Facts C44: 38 and 21 vol % for LFP.
    one = _air()
    one.step(DT_S, False, 0.003)
    _steps(one, 2000)
    shares = pytest.approx([one.mixture * 0.38e6, one.mixture * 0.21e6], rel=0.02)
    assert [head.level for head in one.toxic] == shares
    assert 50.0 < one.toxic[1].reading < one.toxic[0].reading
    one = _air()
    one.step(DT_S, False, 3.0)
    assert 0.0 < one.gas_lfl_pct[0] < 100.0
    _steps(one, 100)
    assert one.gas_lfl_pct == [100.0, 100.0]


STEPS_S = st.sampled_from([0.02, 0.1, 0.5, 1.0])


@settings(max_examples=20)
@given(st.floats(0.2, 50.0), st.floats(1e-6, 0.01), st.booleans(), STEPS_S)
def test_dilution_is_the_closed_form(volume_m3, source_m3_per_s, fan, dt_s):
    """c = G/Q (1 - exp(-Qt/V)) while gas comes, then c = c0 exp(-Qt/V) (facts Table E)."""
    one = _air(free_volume_m3=volume_m3, louvre_s=0.0, fan_spin_up_s=0.0)
    _steps(one, 2, fan, dt_s)
    flow = FULL_M3_PER_S if fan else 0.002
    gas_m3 = source_m3_per_s * dt_s
    _steps(one, 100, fan, dt_s, gas_m3=gas_m3, vapour_m3=1e-3 * gas_m3)
    filled = source_m3_per_s / flow * -math.expm1(-flow * 100 * dt_s / volume_m3)
    if filled < 1.0:
        assert one.mixture == pytest.approx(filled, rel=1e-9)
        assert one.vapour_share == pytest.approx(1e-3 * filled, rel=1e-9)
    start = one.mixture
    _steps(one, 20, fan, dt_s)
    left = start * math.exp(-flow * 20 * dt_s / volume_m3)
    assert one.mixture == pytest.approx(left, rel=1e-9, abs=1e-6)


def test_each_detector_has_its_own_lag_and_no_fan_dilutes_test_gas():
    for kind in air.HEADS:
        one, taus_s = _air(), air.HEADS[kind][0]
        heads = getattr(one, kind)
        one.cap(kind, 40.0)
        _steps(one, 30, fan=True)
        expected = [40.0 * -math.expm1(-3.0 / tau_s) for tau_s in taus_s]
        assert [head.level for head in heads] == pytest.approx(expected)
        _steps(one, 1000, fan=True)
        assert [head.reading for head in heads] == pytest.approx([40.0] * 2, rel=0.03)
        one.cap(kind, 0.0, (1,))
        _steps(one, 20)
        faded = pytest.approx(40.0 * math.exp(-2.0 / taus_s[1]), rel=1e-3)
        assert [head.level for head in heads] == [pytest.approx(40.0, rel=1e-3), faded]
        assert one.mixture_lfl_pct == 0.0
    # Row 10b is about a rate, which a head with a lag shows of a step for a moment only.
    one = _air()
    head = one.toxic[0]
    one.cap("toxic", 5.5 * air.TOXIC_TAU_S[0])
    one.cap("toxic", 190.0, (0,), 5.5)
    levels = [(_steps(one, 10), head.level)[1] for _ in range(20)]
    assert levels == pytest.approx([5.5 * (second + 1) for second in range(20)], abs=0.5)
    _steps(one, 1000)
    assert head.test == 190.0 and head.level == pytest.approx(190.0, abs=0.1)
    one.cap("toxic", 0.0)
    assert head.test == 0.0


def test_noise_follows_the_seed_and_gas_is_forgotten_when_it_is_gone(monkeypatch):
    def readings(seed):
        one = _air(seed)
        one.cap("gas", 50.0)
        _steps(one, 300)
        return [(one.step(DT_S, False), *one.gas_lfl_pct)[1:] for _ in range(400)]

    first = readings(1)
    assert first == readings(1) and first != readings(2)
    assert all(a != b for a, b in first)
    assert statistics.mean(a for a, _ in first) == pytest.approx(50.0, rel=0.002)
    assert statistics.pstdev(a for a, _ in first) == pytest.approx(50.0 * air.NOISE, rel=0.2)
    one = _air()
    one.step(DT_S, True, gas_m3=0.001, vapour_m3=1e-4, smoke_g=0.5)
    _steps(one, 4000, fan=True)
    assert one.mixture_lfl_pct == one.vapour_share == one.smoke_g_per_m3 == 0.0
    assert [head.reading for head in one.gas + one.vapour + one.toxic] == [0.0] * 6
    monkeypatch.setattr(air.Air, "_mix", None)  # clean air costs nothing
    _steps(one, 2, fan=True)


def test_smoke_and_heat_alarm_after_their_lag():
    one = _air()
    one.step(DT_S, False, smoke_g=3.0)  # 1 g/m3, ten times the alarm of a chamber
    alarmed_s = {}
    for tick in range(100):
        _steps(one, 1)
        for i in (0, 1):
            if one.smoke[i]:
                alarmed_s.setdefault(i, tick * DT_S)
    # 1 - exp(-t / tau) = 0.1
    expected_s = {i: -tau_s * math.log(0.9) for i, tau_s in enumerate(air.SMOKE_TAU_S)}
    assert alarmed_s == pytest.approx(expected_s, abs=0.2)
    _steps(one, 3000, fan=True)
    assert one.smoke == [False, False]
    one = _air()
    one.test_smoke[1] = True
    one.stir()
    _steps(one, 300, fan=True)
    assert one.smoke == [False, True] and one.smoke_g_per_m3 == 0.0
    one.test_smoke[0] = True
    _steps(one, 2000)
    one.test_smoke[:] = False, False  # 0.2 g/m3 in the chamber, twice its alarm
    alarms = [(_steps(one, 1), *one.smoke)[1:] for _ in range(1000)]
    left_s = [DT_S * sum(chamber) for chamber in zip(*alarms)]
    assert left_s == [pytest.approx(tau_s * math.log(4.0), abs=0.2) for tau_s in air.SMOKE_TAU_S]
    for degC, alarm in ((57.9, False), (58.1, True)):
        one = _air()
        for _ in range(20):
            one.warm(DT_S, degC)
        assert not one.heat
        for _ in range(3000):
            one.warm(DT_S, degC)
        assert one.heat == alarm
        one.test_heat = True
        one.warm(DT_S, 20.0)
        assert one.heat
