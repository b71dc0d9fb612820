"""Module temperatures: balance, hot spot, runaway."""

import pytest

from hil.plant import thermal


def _node(start_degC=25.0, cells=16):
    return thermal.ModuleThermal(cells, start_degC, 1.0)


def test_settles_where_heat_balances_cooling():
    node = _node()
    for _ in range(40_000):
        node.step(10.0, 100.0, (), 25.0)
    assert node.reading_degC == pytest.approx(25.0 + 100.0 * thermal.COOLING_K_PER_W, abs=0.01)


def test_warms_at_first_as_its_heat_capacity_says():
    node = _node()
    node.step(1.0, 1000.0, (), 25.0)
    assert node.body_degC - 25.0 == pytest.approx(1000.0 / (16 * 5600.0))


def test_a_warmer_neighbour_heats():
    node = _node()
    node.step(1.0, 0.0, (25.0 + thermal.NEIGHBOUR_K_PER_W * 560.0,), 25.0)
    assert node.body_degC - 25.0 == pytest.approx(560.0 / (16 * 5600.0))


def test_hot_spot_shows_at_once_and_fades():
    node = _node()
    node.heat(66.0, 0.0)
    assert node.reading_degC == 66.0
    node.step(1.0, 0.0, (), 25.0)
    assert node.reading_degC == pytest.approx(66.0)
    assert node.body_degC == pytest.approx(25.0)
    node.heat(None, 0.0)
    node.step(thermal.HOT_SPOT_TAU_S, 0.0, (), 25.0)
    assert node.reading_degC == pytest.approx(25.0 + 41.0 / 2.71828, abs=0.01)
    for _ in range(20):
        node.step(60.0, 0.0, (), 25.0)
    assert node.reading_degC == node.body_degC == pytest.approx(25.0)


def test_a_cold_spot_is_allowed():
    node = _node()
    node.heat(-5.0, 0.0)
    assert node.step(1.0, 0.0, (), 25.0) == pytest.approx(-5.0)


def test_hot_spot_moves_at_its_rate_and_stops_at_its_aim():
    node = _node()
    node.heat(27.0, 0.5)
    assert node.reading_degC == 25.0
    readings = [round(node.step(1.0, 0.0, (), 25.0), 6) for _ in range(6)]
    assert readings == [25.5, 26.0, 26.5, 27.0, 27.0, 27.0]


@pytest.mark.parametrize("degC, runs", [(149.9, False), (150.0, True), (150.1, True)])
def test_runaway_begins_at_the_trigger(degC, runs):
    node = _node()
    node.heat(degC, 0.0)
    for _ in range(600):
        node.step(1.0, 0.0, (), 25.0)
    assert (node.gas_m3 > 0.05) == runs


def test_the_reading_saturates():
    node = _node()
    node.heat(400.0, 0.0)
    assert node.reading_degC == thermal.SENSOR_DEGC_MAX
    assert node.step(1.0, 0.0, (), 25.0) == thermal.SENSOR_DEGC_MAX


@pytest.mark.parametrize("age_s, cells", [(0.0, 0.0), (60.0, 0.632), (506.0, 1.0), (566.0, 1.632), (4048.0, 8.0),
                                          (20_000.0, 16.0)])
def test_cells_burn_one_after_another(age_s, cells):
    assert thermal.released_cells(age_s, 16) == pytest.approx(cells, abs=0.002)


def test_runaway_goes_on_without_the_heater_and_spares_the_neighbour():
    nodes = [_node(), _node(), _node()]
    nodes[0].heat(160.0, 0.0)
    for second in range(12_000):
        if second == 10:
            nodes[0].heat(None, 0.0)
        bodies = [node.body_degC for node in nodes]
        nodes[0].step(1.0, 0.0, bodies[1:2], 25.0)
        nodes[1].step(1.0, 0.0, (bodies[0], bodies[2]), 25.0)
        nodes[2].step(1.0, 0.0, bodies[1:2], 25.0)
    assert nodes[0].gas_m3 == pytest.approx(16 * thermal.CELL_GAS_M3, rel=0.01)
    assert nodes[0].body_degC > 100.0
    assert 27.0 < nodes[1].body_degC < 60.0 and nodes[1].gas_m3 == 0.0
