"""Time to neighbour, against the real unit test and the plant's own chain."""

import functools

import pytest
from hypothesis import given, settings, strategies as st

from controller.state import propagation_map as pr
from hil.plant import chemistry, runaway

LFP = pr.CELLS["LFP"]
LIT = pr.Seen(8, 160.0, 0.0, 25.0, 25.0, 2700.0, 0.0)  # heated for 45 min, burning now
HOURS_S = 7200.0
HEATED_S = 46 * 60.0


@functools.cache
def unit_test(cell_K_per_W):
    """Facts E11: a cell is heated for 46 min; (first gap, mean gap) of eight cells in min."""
    seen = pr.Seen(8, 25.0, (LFP.trigger_degC - 25.0) / HEATED_S, 25.0, 25.0)
    times_s = pr.triggers(LFP, seen, cell_K_per_W, 0, ahead_s=HEATED_S + HOURS_S)
    assert times_s == sorted(times_s)
    return (times_s[1] - times_s[0]) / 60.0, (times_s[-1] - times_s[0]) / 60.0 / 7


def test_the_estimate_agrees_with_a_real_unit_and_the_plant():
    """E11: 2nd cell after 6 min, 8.4 min per cell; the range of resistances includes both."""
    soon, late = unit_test(0.44), unit_test(0.62)
    assert soon[0] <= 6.0 <= late[0] and soon[1] <= 8.4 <= late[1], (soon, late)
    assert unit_test(0.50) == pytest.approx((6.0, 8.4), rel=0.10)
    # two independent programs, the same unit test: within 10 %
    kind = chemistry.CHEMISTRIES["lfp"]
    one = runaway.Chain(8, chemistry.REFERENCE_J_PER_K, kind, 100.0)
    one.degC[:] = [25.0] * 8
    one.heat(0, (kind.trigger_degC - 25.0) / HEATED_S)
    seen_s = []
    for second in range(1, round(HEATED_S + HOURS_S)):
        one.step(1.0, 0.0, (), 25.0)
        seen_s += [second] * len(one.failed)
        one.failed.clear()
    plant = (seen_s[1] - seen_s[0]) / 60.0, (seen_s[-1] - seen_s[0]) / 60.0 / 7
    print("plant", plant, "estimate", unit_test(kind.cell_K_per_W))
    assert len(seen_s) == 8 and unit_test(kind.cell_K_per_W) == pytest.approx(plant, rel=0.10)


def _or_never(time_s):
    return float("inf") if time_s is None else time_s


@settings(max_examples=12, deadline=None)
@given(st.floats(0.44, 1.5), st.floats(1.0, 2.0), st.floats(20.0, 60.0), st.integers(2, 10))
def test_more_resistance_is_never_sooner(cell_K_per_W, factor, others_degC, cells):
    seen, higher = LIT._replace(cells=cells, others_degC=others_degC), cell_K_per_W * factor
    soon, late = (pr.triggers(LFP, seen, value, 0)[1] for value in (cell_K_per_W, higher))
    assert _or_never(soon) <= _or_never(late)


@settings(max_examples=12, deadline=None)
@given(st.floats(20.0, 140.0), st.floats(0.0, 10.0))
def test_warmer_is_never_later(others_degC, more_K):
    seen = [LIT._replace(others_degC=degC) for degC in (others_degC + more_K, others_degC)]
    soon, late = (pr.triggers(LFP, each, 0.5, 0)[1] for each in seen)
    assert _or_never(soon) <= _or_never(late)


def test_time_since_ignition_and_rise_bring_the_next_cell_nearer():
    now = pr.estimate("LFP", LIT)
    later = pr.estimate("LFP", LIT._replace(warming_s=2940.0, burning_s=240.0))
    assert now.next_cell_s[0] - later.next_cell_s[0] == pytest.approx(240.0, abs=6.0)
    assert now.next_cell_s[1] is None, "from the middle of a module its heat goes both ways"
    assert now.cells_at_risk == (0, later.cells_at_risk[1]) and 1 <= now.cells_at_risk[1] <= 7
    # 5 K/min from 100 degC: the trigger in 12 min, the next cell minutes later
    seen = pr.Seen(16, 100.0, 5.0 / 60.0, 26.0, 25.0, 900.0)
    assert pr.triggers(LFP, seen, 0.5, 0)[0] == pytest.approx(720.0, abs=5.0)
    assert 900.0 < pr.estimate("LFP", seen).next_cell_s[0] < 1400.0
    still = pr.estimate("LFP", seen._replace(rise_K_per_s=-0.1))
    assert still == ((None, None), (None, None), (None, None), (0, 0))


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 16),
    st.floats(-60.0, 300.0),
    st.floats(-2.0, 30.0),
    st.floats(-60.0, 300.0),
    st.floats(0.0, 1000.0),
    st.none() | st.floats(0.0, 1000.0),
)
def test_every_reading_of_a_sensor_has_an_estimate(
    cells, hot_degC, rise_K_per_s, others_degC, warming_s, burning_s
):
    seen = pr.Seen(cells, hot_degC, rise_K_per_s, others_degC, others_degC, warming_s, burning_s)
    found = pr.estimate("LFP", seen, pr.Neighbours(rack_K_per_W=0.5))
    for soonest_s, latest_s in found[:3]:
        assert _or_never(soonest_s) <= _or_never(latest_s)
    assert 0 <= found.cells_at_risk[0] <= found.cells_at_risk[1] < cells or cells == 1


def test_fire_reaches_the_next_module_only_over_a_low_resistance():
    """E11: the next modules did not burn; with NMC or almost no resistance they do."""
    sixteen = LIT._replace(cells=16)
    assert pr.estimate("LFP", sixteen).next_module_s == (None, None)
    hall = sixteen._replace(others_degC=90.0, air_degC=90.0)
    near = pr.estimate("LFP", hall, pr.Neighbours(module_K_per_W=0.01, rack_K_per_W=0.02))
    assert near.next_module_s[0] is not None
    assert near.next_module_s[0] < _or_never(near.next_rack_s[0])
    nmc = pr.estimate("NMC", sixteen)
    assert nmc.next_cell_s[1] < 60.0 and nmc.next_module_s[0] is not None
    assert nmc.next_rack_s == (None, None)


def test_all_parameters_of_cells_and_neighbours_count():
    """Air, radiation, size of a cell and both paths; 5 s are one step."""
    seen = pr.Seen(6, 170.0, 0.5, 30.0, 25.0, 120.0, 60.0)
    found = pr.estimate("NMC", seen, pr.Neighbours(3000.0, 0.1, 0.3))
    expected = (-15.0, 15.0), (140.0, 150.0), (290.0, 300.0), (5, 5)
    assert list(found) == [pytest.approx(each, abs=5.0) for each in expected]
    seen = pr.Seen(4, 165.0, 0.0, 60.0, 40.0, 100.0, 400.0)
    found = pr.estimate("LFP", seen, pr.Neighbours(9000.0, 0.05, 0.1))
    assert found.next_cell_s == pytest.approx((10.0, 165.0), abs=5.0)
    assert found.next_rack_s == (pytest.approx(1770.0, abs=5.0), None)
    assert found.cells_at_risk == (3, 3) and found.next_module_s == (None, None)
