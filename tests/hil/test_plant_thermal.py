"""Module temperatures: balance, hot spot, and when its cells have temperatures of their own."""

import pytest

from hil.plant import config, thermal


def _node(start_degC=25.0):
    return thermal.ModuleThermal(config.checked(), start_degC, 1.0)


def test_modules_warm_balance_and_keep_a_hot_spot():
    node = _node()
    for _ in range(4000):
        node.step(100.0, 100.0, (), 25.0)
    assert node.reading_degC == pytest.approx(25.0 + 100.0 * thermal.COOLING_K_PER_W, abs=0.01)
    node = _node()
    node.step(1.0, 1000.0, (), 25.0)
    assert node.body_degC - 25.0 == pytest.approx(1000.0 / (16 * 5600.0))
    node = _node()
    node.step(1.0, 0.0, (_node(25.0 + thermal.NEIGHBOUR_K_PER_W * 560.0),), 25.0)
    assert node.body_degC - 25.0 == pytest.approx(560.0 / (16 * 5600.0))
    node = _node(65.0)
    for _ in range(100):
        node.step(1.0, 50.0, (), 25.0)
    assert node.air_J == pytest.approx(100 * 50.0 + (65.0 - node.body_degC) * 16 * 5600.0)
    node = _node()
    node.heat(66.0, 0.0)
    assert node.reading_degC == 66.0
    node.step(1.0, 0.0, (), 25.0)
    assert (node.reading_degC, node.body_degC) == (pytest.approx(66.0), pytest.approx(25.0))
    node.heat(None, 0.0)
    node.step(thermal.HOT_SPOT_TAU_S, 0.0, (), 25.0)
    assert node.reading_degC == pytest.approx(25.0 + 41.0 / 2.71828, abs=0.01)
    for _ in range(20):
        node.step(60.0, 0.0, (), 25.0)
    assert node.reading_degC == node.body_degC == pytest.approx(25.0)
    node = _node()
    node.heat(27.0, 0.5)
    assert node.reading_degC == 25.0
    readings = [round(node.step(1.0, 0.0, (), 25.0), 6) for _ in range(6)]
    assert readings == [25.5, 26.0, 26.5, 27.0, 27.0, 27.0]
    for degC, reading_degC in ((400.0, 250.0), (-5.0, -5.0)):
        node = _node()
        node.heat(degC, 0.0)
        assert node.reading_degC == reading_degC
        assert node.step(1.0, 0.0, (), 25.0) == pytest.approx(reading_degC)


def test_a_node_per_cell_and_its_runaway():
    node = _node(40.0)
    chain = node.cells_apart()
    assert chain.degC == [40.0] * 16 and node.cells_apart() is chain
    chain.place(3, 90.0)
    assert node.step(1e-6, 0.0, (), 25.0) == pytest.approx(90.0)
    assert node.body_degC == pytest.approx((15 * 40.0 + 90.0) / 16)
    node.heat(120.0, 0.0)
    node.step(1e-6, 0.0, (), 25.0)
    assert node.reading_degC == pytest.approx(120.0)
    # Two modules, one of them with a chain: the other and the air get its loss.
    one, other = _node(90.0), _node(25.0)
    one.cells_apart()
    for _ in range(200):
        one.step(1.0, 0.0, (other,), 25.0)
        other.step(1.0, 0.0, (one,), 25.0)
    assert other.chain is None and other.body_degC > 25.05
    stored_J = 16 * 5600.0 * (one.body_degC + other.body_degC - 115.0)
    assert stored_J == pytest.approx(-one.air_J - other.air_J, rel=1e-3)
    for degC, woken in ((199.0, False), (201.0, True)):
        hot, beside = _node(), _node()
        hot.cells_apart().degC[7] = degC
        beside.step(0.001, 0.0, (hot,), 25.0)
        assert (beside.chain is not None) == woken
    for degC, runs in ((159.9, False), (160.0, True), (160.1, True)):
        node = _node()
        node.heat(degC, 0.0)
        for _ in range(600):
            node.step(1.0, 0.0, (), 25.0)
        assert (node.chain is not None) == runs
        assert not runs or node.chain.gas_m3 > 0.05
    node = _node(80.0)
    node.heat(165.0, 0.0)
    node.step(1.0, 0.0, (), 25.0)
    node.heat(None, 0.0)
    for _ in range(3600):
        node.step(1.0, 0.0, (), 25.0)
    assert node.chain.gas_m3 > 1.5 * 0.168
