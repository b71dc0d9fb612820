"""The plant with something wrong in it. Each contact and reading that a matrix row looks at, with
its repair: tests/hil/campaigns/test_rows_on_the_wire.py.
"""

import pytest
from plant_bench import DT_S, act, closed, plant, run, running, until

from hil.plant import pcs


def test_independent_supervision_opens_the_chain_within_a_second():
    """Matrix row 30: hard-wired, 0.2 to 1 s; the cell rests near 3.30 V."""
    for offset_mV, opens in ((480, False), (520, True)):
        one = closed()
        act(one, "cell_offset", rack=1, offset_mV=offset_mV)
        assert (one.racks[0].cell_voltage_V_max >= 3.80) == opens
        if not opens:
            run(one, 5)
            assert one.contacts["cell_voltage"] and one.contacts["permit_1"]
            continue
        assert 0.2 <= until(one, 2, lambda: not one.contacts["cell_voltage"]) <= 1.0
        one.step(DT_S)
        assert not one.contacts["permit_1"]
        for offset_mV, is_closed in ((460, False), (400, True)):  # closes again only 0.05 V lower
            act(one, "cell_offset", rack=1, offset_mV=offset_mV)
            assert run(one, 1).contacts["cell_voltage"] == is_closed
    for offset_mV, is_closed in ((900, True), (1100, False)):
        one = plant(chemistry="nmc")
        act(one, "cell_offset", rack=1, offset_mV=offset_mV)
        assert run(one, 2).contacts["cell_voltage"] == is_closed


def test_the_shunt_trip_cuts_the_racks_until_a_person_closes_the_breaker():
    one = running(50_000.0)
    one.set_coil("shunt_trip", True)
    run(one, 0.5)
    assert [rack.current_A for rack in one.racks] == [0.0] * 3
    assert one.pcs[0].state == pcs.FAULT
    one.set_coil("shunt_trip", False)
    run(one, 5)
    assert one.relays.breaker_open
    assert [rack.conductance_S for rack in one.racks] == [0.0] * 3
    act(one, "shunt_reset", 0.5)
    assert not one.relays.breaker_open
    assert one.pcs[0].dc_voltage_V > 700.0


def test_auxiliaries_mains_and_cooling():
    one = plant()
    one.set_coil("aux_load", True)
    run(one, 1)
    assert one.grid_power_W == pytest.approx(301_850.0)
    assert one.ups.reserve_min == pytest.approx(194.6, abs=0.1)
    act(one, "mains_loss")
    run(one, 600, dt_s=1.0)
    assert one.grid_power_W == pytest.approx(300_000.0)
    assert one.ups.reserve_min == pytest.approx(194.6 - 10.0, abs=0.1)
    act(one, "ups_reserve", minutes=25)
    run(one, 60, dt_s=1.0)
    assert one.ups.reserve_min == pytest.approx(24.0, abs=0.1)
    # 32 W/K through walls and gaps, 560 W/K of 45 modules: without them it would be 10 degC.
    one = run(plant(ambient_degC=0.0, air_degC=40.0, hvac_W=0.0), 10)
    one.set_coil("fan_off", True)
    run(one, 900, dt_s=1.0)
    modules_degC = [degC for rack in one.racks for degC in rack.temperatures_degC]
    balance_degC = (560.0 * sum(modules_degC) / len(modules_degC) + 300.0) / (560.0 + 32.4)
    assert one.climate.air_degC == pytest.approx(balance_degC, abs=1.0)
    one = closed()
    run(one, 600, dt_s=1.0)
    assert one.climate.air_degC == pytest.approx(25.0, abs=0.1)
    one.pcs[0].command_run(True)
    one.pcs[0].command_setpoint(250_000.0)
    run(one, 600, dt_s=1.0)
    assert one.climate.air_degC == pytest.approx(25.2, abs=0.3)
    act(one, "hvac_fail")
    run(one, 600, dt_s=1.0)
    assert one.climate.air_degC > 27.0


def test_the_fan_is_just_enough_for_one_cell_of_lfp():
    """Facts section 5: 170 L in a minute need about 0.19 m3/s."""
    one = run(plant(), 10)
    act(one, "runaway", rack=2, module=5, cell=8, heater_K_per_min=0, from_degC=160.0)
    highest = max(run(one, 1, 1.0).air.mixture_lfl_pct for _ in range(300))
    assert 10.0 < highest < 25.0 and one.contacts["gas_relay"]
    one = run(plant(chemistry="nmc"), 10)
    act(one, "runaway", rack=2, module=5, cell=8, heater_K_per_min=0, from_degC=150.0)
    until(one, 30, lambda: not one.contacts["gas_relay"])
    until(one, 300, lambda: one.air.mixture_lfl_pct > 100.0)
