"""The plant with something wrong in it: every contact and reading that a matrix row looks at."""

import pytest
from plant_bench import DT_S, act, closed, plant, run, running, states, until

from hil.plant import bms, pcs
from tests.tables import cases


@cases("""action  given  contact  seconds_max
    "smoke"  {"detector": 1}  "smoke_1"  10 | "smoke"  {"detector": 2}  "smoke_2"  20
    "heat_detector"  {}  "heat"  1 | "fire_trouble"  {}  "fire_trouble"  1
    "supervision_lost"  {}  "supervised"  1 | "hvac_fail"  {}  "hvac"  1
    "mains_loss"  {}  "hvac"  1 | "leak"  {}  "leak"  5 | "leak"  {}  "coolant"  120
    "coolant"  {}  "coolant"  1 | "door"  {}  "door"  1
    "cell_offset"  {"rack": 2, "offset_mV": 600}  "cell_voltage"  1
    "air_heat"  {"degC": 70.0}  "heat"  60""")
def test_each_fault_opens_its_contact_and_its_repair_closes_it(action, given, contact, seconds_max):
    one = run(plant(), 1)
    assert one.contacts[contact]
    act(one, action, **given)
    until(one, seconds_max, lambda: not one.contacts[contact])
    repair = {"door": {"open": False}, "cell_offset": given | {"offset_mV": 0}}
    act(one, action, **repair.get(action, given | {"on": False}))
    until(one, 120, lambda: one.contacts[contact])


def test_damper_and_airflow_follow_the_fan_and_their_faults():
    one = run(plant(), 10)
    assert one.contacts["damper"] and one.contacts["airflow"]
    one.set_coil("fan_off", True)
    run(one, 1.5)
    assert not one.contacts["damper"] and not one.contacts["airflow"] and not one.air.fan_running
    act(one, "damper_fail")
    one.set_coil("fan_off", False)
    run(one, 30)
    assert one.contacts["airflow"] and not one.contacts["damper"]
    act(one, "damper_fail", on=False)
    assert until(one, 10, lambda: one.contacts["damper"]) == pytest.approx(5.6, abs=0.2)
    one.set_coil("fan_off", True)
    act(one, "run_fan")
    assert run(one, 5).contacts["airflow"]


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


def test_health_dates_and_test_gas_are_those_of_the_detector_named():
    one = plant()
    act(one, "detector_fault", detector="offgas_2")
    act(one, "calibration", detector="toxic", days=-3)
    assert [name for name, faulty in one.detector_fault.items() if faulty] == ["offgas_2"]
    assert list(one.calibration_d.values()) == [180, 180, 180, 180, -3]
    monoxide = {"gas": "carbon_monoxide"}
    second = {"detector": 2}
    for action, which, kind in (("offgas", second, "vapour"), ("toxic", monoxide, "toxic")):
        one = plant()
        act(one, action, ppm=60.0, **which)
        run(one, 90)
        readings = [head.reading for head in getattr(one.air, kind)]
        assert readings == [0.0, pytest.approx(60.0, rel=0.02)]
        act(one, action, ppm=0.0)
        run(one, 200)
        assert [head.reading for head in getattr(one.air, kind)] == [0.0, 0.0]


def test_faults_of_racks_bus_and_breaker():
    one = plant()
    act(one, "insulation", rack=2, kohm=300.0)
    act(one, "insulation", 20, rack=3, kohm=400.0, kohm_per_s=-10.0)
    assert [rack.insulation_kohm for rack in one.racks] == [2000.0, 300.0, pytest.approx(200.0)]
    act(one, "insulation", rack=3, kohm=50.0)
    act(one, "insulation", 5, rack=2, kohm=5.0, kohm_per_s=-10.0)
    assert [rack.insulation_kohm for rack in one.racks[1:]] == [0.0, 50.0]
    assert one.racks[2].fault_bits == bms.FAULT_INSULATION
    one = closed()
    volts = one.pcs[0].dc_voltage_V
    act(one, "bus_mismatch", offset_V=30.0)
    act(one, "feedback", 1, rack=2, reads="open")
    assert one.pcs[0].dc_voltage_V == pytest.approx(volts + 30.0, abs=1.0)
    assert states(one) == [2, 0, 2]
    assert [rack.contactors.conducting for rack in one.racks] == [True] * 3
    act(one, "feedback", rack=2, reads="true")
    assert states(one) == [2, 2, 2]
    one = running(50_000.0)
    one.set_coil("shunt_trip", True)
    run(one, 0.5)
    assert [rack.current_A for rack in one.racks] == [0.0] * 3 and one.pcs[0].state == pcs.FAULT
    one.set_coil("shunt_trip", False)
    run(one, 5)
    assert one.relays.breaker_open and [rack.conductance_S for rack in one.racks] == [0.0] * 3
    act(one, "shunt_reset", 0.5)
    assert one.pcs[0].dc_voltage_V > 700.0 and not one.relays.breaker_open
    one = closed()
    act(one, "current_excess", current_A=1000.0, fuse_A2s=1000.0**2)
    one.step(DT_S)
    assert min(rack.current_A for rack in one.racks) > 280.0
    run(one, 1.2)
    assert max(rack.current_A for rack in one.racks) < 5.0
    assert [rack.fault_bits for rack in one.racks] == [bms.FAULT_OVER_CURRENT] * 3
    one = closed()
    act(one, "short_circuit", ohm=1.0, fuse_A2s=1e12)
    assert min(rack.current_A for rack in run(one, 0.2).racks) > 200.0
    act(one, "current_excess", current_A=0)
    assert max(rack.current_A for rack in run(one, 0.2).racks) < 5.0


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


def _course(one, seconds):
    """First time of every sign of a runaway, in s."""
    seen = {}
    for second in range(1, seconds + 1):
        one.step(1.0)
        signs = {
            "runaway": one.racks[1].chain(4).released_J > 0.0,
            "vapour": one.air.vapour[0].reading >= 20.0,
            "toxic": one.air.toxic[0].reading >= 50.0,
            "gas": one.air.gas[0].reading >= 10.0,
            "gas_relay": not one.contacts["gas_relay"],
            "smoke": not one.contacts["smoke_1"],
            "two_smokes": not one.contacts["smoke_2"],
            "hot": one.racks[1].temperatures_degC[4] >= 65.0,
            "collapsed": one.racks[1].cell_voltage_V_min < 1.0,
        }
        for name, is_so in signs.items():
            if is_so:
                seen.setdefault(name, second)
    return seen


def test_a_runaway_shows_in_order_and_its_gas_as_the_facts_say():
    one = closed()
    act(one, "runaway", rack=2, module=5, cell=8)
    seen = _course(one, 2400)
    runaway_s = seen["runaway"]
    assert runaway_s == pytest.approx(60 * (160 - 25) / 5, abs=10)
    assert seen["hot"] < seen["vapour"] < seen["toxic"] < runaway_s
    assert runaway_s - 420 <= seen["vapour"] <= runaway_s - 300
    for name in ("smoke", "two_smokes", "gas", "gas_relay", "collapsed"):
        assert runaway_s <= seen[name] <= runaway_s + 60, name
    assert one.racks[0].cell_voltage_V_min > 3.0 and max(one.racks[0].temperatures_degC) < 40.0
    # Facts section 5: 170 L in a minute need about 0.19 m3/s: a fan at speed is just enough.
    one = run(plant(), 10)
    act(one, "runaway", rack=2, module=5, cell=8, heater_K_per_min=0, from_degC=160.0)
    highest = max(run(one, 1, 1.0).air.mixture_lfl_pct for _ in range(300))
    assert 10.0 < highest < 25.0 and one.contacts["gas_relay"]
    one = run(plant(chemistry="nmc"), 10)
    act(one, "runaway", rack=2, module=5, cell=8, heater_K_per_min=0, from_degC=150.0)
    seen = _course(one, 300)
    assert seen["gas_relay"] < 30 and one.air.mixture_lfl_pct > 100.0
