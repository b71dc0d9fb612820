"""Thermal runaway of a chain of cells: energy, calibration against a real unit test, gas."""

import functools

import pytest
from hypothesis import given, settings, strategies as st

from hil.plant import chemistry, config, runaway, thermal

C_J_PER_K = 5600.0
LFP, NMC = chemistry.CHEMISTRIES["lfp"], chemistry.CHEMISTRIES["nmc"]


def _chain(count=8, kind=LFP, barrier_mm=0.0, capacity_J_per_K=C_J_PER_K):
    one = runaway.Chain(count, capacity_J_per_K, kind, 280.0, barrier_mm)
    one.degC[:] = [25.0] * count
    return one


def _failures_min(one, heater_K_per_min, dt_s=1.0):
    """When each cell ran away within 4 h, in minutes, in the order of time: [(minute, cell)]."""
    one.heat(0, heater_K_per_min / 60.0)
    seen, now_s = [], 0.0
    while now_s < 4 * 3600 and len(seen) < len(one.degC):
        one.step(dt_s, 0.0, (), 25.0)
        now_s += dt_s
        seen += [(now_s / 60.0, cell) for cell in one.failed]
        one.failed.clear()
    return seen


@functools.cache
def _unit_test(dt_s=1.0, capacity_J_per_K=C_J_PER_K):
    """(first gap, mean gap) in min of eight cells; facts E11: the heated one fails after 46 min."""
    ramp_K_per_min = (LFP.trigger_degC - 25.0) / 46.0
    seen = _failures_min(_chain(capacity_J_per_K=capacity_J_per_K), ramp_K_per_min, dt_s)
    assert [cell for _, cell in seen] == list(range(8)), "one after another"
    minutes = [minute for minute, _ in seen]
    assert minutes[0] == pytest.approx(46.0, abs=0.1 + dt_s / 60.0)
    return minutes[1] - minutes[0], (minutes[-1] - minutes[0]) / 7


def test_a_chain_burns_at_the_pace_of_its_kind():
    """Facts E11: 2nd cell after 6 min, 8th after 59 min, which is 8.4 min per cell."""
    first_min, mean_min = _unit_test()
    assert (first_min, mean_min) == (pytest.approx(6.0, abs=0.7), pytest.approx(8.4, abs=0.4))
    small = _unit_test(capacity_J_per_K=chemistry.REFERENCE_J_PER_K)
    assert small == pytest.approx(_unit_test(), abs=0.1)
    # As facts section 5 found; longer steps are cut into pieces.
    for dt_s in (0.5, 5.0, 10.0, 40.0):
        assert _unit_test(dt_s) == pytest.approx(_unit_test(), abs=0.5)
    minutes = [minute for minute, _ in _failures_min(_chain(kind=NMC), 5.0)]
    gaps_s = [60.0 * (b - a) for a, b in zip(minutes, minutes[1:])]
    assert len(gaps_s) == 7 and all(10.0 <= gap <= 60.0 for gap in gaps_s)
    for kind, barrier_mm, burnt in ((LFP, 0.0, 8), (LFP, 1.0, 1), (NMC, 0.0, 8)):
        seen = _failures_min(_chain(kind=kind, barrier_mm=barrier_mm), 5.0)
        assert len(seen) == burnt
    # Facts section 5: 1 mm of 0.05 W/mK on 0.036 m2 adds 0.56 K/W.
    resistance, size = chemistry.cell_resistance_K_per_W, chemistry.REFERENCE_J_PER_K
    plain, thick = (resistance(LFP, size, mm) for mm in (0.0, 1.0))
    assert plain == 0.5 and thick - plain == pytest.approx(0.56, abs=0.005)
    # Facts E11: the neighbour modules were not lost.
    failed, hottest = _burnt("lfp", 5)
    assert failed == [0, 16, 0] and hottest[0] < LFP.vent_degC and hottest[2] < LFP.vent_degC
    assert _burnt("nmc", 2)[0] == [16, 16, 16]
    assert runaway.radiation_W(500.0, 100.0) == -runaway.radiation_W(100.0, 500.0) < -10.0
    assert runaway.radiation_W(300.0, 300.0) == 0.0


@settings(max_examples=20)
@given(
    st.lists(st.floats(20.0, 400.0), min_size=3, max_size=6),
    st.floats(0.0, 200.0),
    st.floats(0.1, 30.0),
    st.booleans(),
)
def test_energy_is_balanced(start_degC, heat_W, dt_s, heated):
    """Stored = released + current + heater - given to the air; hot gas adds a tenth to the air."""
    one = _chain(len(start_degC))
    one.degC[:] = start_degC
    one.heat(1, 0.1 if heated else None)
    for _ in range(60):
        one.step(dt_s, heat_W, (), 25.0)
    stored_J = C_J_PER_K * (sum(one.degC) - sum(start_degC))
    lost_J = one.air_J - LFP.jet_share * one.released_J
    given_J = one.released_J + heat_W * 60 * dt_s + one.heater_J
    assert stored_J == pytest.approx(given_J - lost_J, rel=1e-6, abs=1.0)


def test_emissions_and_their_times():
    """Q = (E - released) / tau: 63 % after tau."""
    one = _chain(1)
    one.place(0, 160.0)
    whole_J = LFP.release_J * C_J_PER_K / chemistry.REFERENCE_J_PER_K
    for seconds, share in ((60, 0.632), (1140, 1.0)):
        for _ in range(seconds):
            one.step(1.0, 0.0, (), 25.0)
        assert one.released_J == pytest.approx(share * whole_J, abs=1e-3 * whole_J)
    assert one.failed == [0]
    assert one.gas_m3 == pytest.approx(0.168, rel=0.001)  # 0.6 L/Ah x 280 Ah
    assert one.smoke_g == pytest.approx(56.0, rel=0.001)
    # C31: 4 to 7 K/min; E16: the vent opens minutes before runaway; C41: so does vapour.
    for rate in (4.0, 5.0, 7.0):
        one, seconds = _chain(), 0
        one.heat(0, rate / 60.0)
        while not one.vapour_m3:
            one.step(1.0, 0.0, (), 25.0)
        assert one.degC[0] == pytest.approx(LFP.vent_degC, abs=0.5) and one.gas_m3 < 1e-5
        while not one.failed:
            one.step(1.0, 0.0, (), 25.0)
            seconds += 1
        lead_min = (LFP.trigger_degC - LFP.vent_degC) / rate
        assert seconds / 60.0 == pytest.approx(lead_min, abs=0.1)
        assert 0.0005 < one.gas_m3 < 0.003 and one.smoke_g == 0.0


def test_the_heater_keeps_its_ramp_and_stops_with_the_runaway():
    one = _chain()
    one.heat(2, 0.1)
    for second in range(1, 1201):
        one.step(1.0, 0.0, (), 25.0)
        assert one.degC[2] == pytest.approx(25.0 + 0.1 * second)
    while not one.failed:
        one.step(1.0, 0.0, (), 25.0)
    spent_J = one.heater_J
    one.step(10.0, 0.0, (), 25.0)
    assert one.failed == [2] and one.heater_J == spent_J
    one = _chain()
    one.heat(0, 0.1)
    one.heat(0, None)
    one.step(10.0, 0.0, (), 25.0)
    assert one.degC == [25.0] * 8 and one.heater_J == 0.0


def _burnt(kind, hours):
    """Three modules, one cell of the middle one heated: (failed cells, hottest reading) of each."""
    sizes = config.checked({"chemistry": kind})
    nodes = [thermal.ModuleThermal(sizes, 25.0, 1.0) for _ in range(3)]
    nodes[1].cells_apart().heat(0, 5.0 / 60.0)
    failed, hottest = [0, 0, 0], [0.0, 0.0, 0.0]
    for _ in range(int(hours * 720)):
        for i, node in enumerate(nodes):
            beside = nodes[max(0, i - 1) : i] + nodes[i + 1 : i + 2]
            hottest[i] = max(hottest[i], node.step(5.0, 0.0, beside, 25.0))
            if node.chain is not None:
                failed[i] += len(node.chain.failed)
                node.chain.failed.clear()
    return failed, hottest
