"""The whole plant: start, stop, drop order, meters, faults, configuration."""

import pytest
from plant_bench import DT_S, act, plant, run, running, states, until

from hil.plant import cabinet, pcs
from hil.site.air_devices import Fan, Heater
from hil.site.cooling import Chiller
from tests.tables import table

TICK_S = 0.02


def test_contacts_of_a_cold_cabinet_can_be_forced():
    one = run(plant(), 2.4)
    opened = [name for name, is_closed in one.contacts.items() if not is_closed]
    assert (
        opened == ["key_service", "permit_1", "permit_2", "damper", "source"]
        and tuple(one.contacts) == cabinet.CONTACTS
    )
    run(one, 6)
    assert one.contacts["damper"]  # the louvre takes 8 s
    assert one.air.fan_running
    assert (one.pcs[0].state, one.pcs[0].ac_power_W, one.pcs[0].dc_voltage_V) == (pcs.OFF, 0.0, 0.0)
    one = plant()
    seen = [(run(one, DT_S).grid_voltage_V, one.grid_frequency_Hz) for _ in range(200)]
    volts, hertz = zip(*seen)
    assert len(set(volts)) > 150 and 220.0 < min(volts) < max(volts) < 235.0
    assert len(set(hertz)) > 150 and 49.8 < min(hertz) < max(hertz) < 50.2
    one = run(plant(), 12)
    one.key_run = False
    assert run(one, 1).contacts["key_run"] is False
    before = dict(one.contacts)
    for name in cabinet.CONTACTS:
        one.force_contact(name, not before[name])
    forced = dict(one.contacts)
    assert forced == {name: not level for name, level in before.items()}
    assert run(one, 1).contacts == forced
    for name in cabinet.CONTACTS:
        one.force_contact(name, None)
    assert one.contacts == before


def test_an_island_is_supplied_by_the_converter_that_forms_it():
    one = act(running(50_000.0, units=2), "island", 1)
    assert one.contacts["source"] and one.grid_power_W == 0.0
    assert one.pcs[0].ac_power_W == 0.0, "300 kW are more than it can: the site is dark"
    one = act(running(50_000.0, units=2), "other_load", 1, kW=-100)
    one = act(one, "island", 1, unit=2)
    for _ in range(2):
        powers_W = [unit.ac_power_W for unit in run(one, DT_S).pcs]
        assert powers_W == [50_000.0, pytest.approx(300_000.0 - 100_000.0 - 50_000.0 + 1850.0)]
    act(one, "island", 1, unit=2, on=False)
    assert not one.contacts["source"] and one.pcs[1].ac_power_W == 50_000.0
    assert one.grid_power_W == pytest.approx(300_000.0 - 100_000.0 - 100_000.0 + 1850.0)


def test_the_load_and_its_grid_are_shared():
    one = running()
    assert one.load_power_W == 300_000.0
    assert one.grid_power_W == pytest.approx(300_000.0 - 100_000.0 + 1500.0 + 350.0)
    one.pcs[0].command_setpoint(-50_000.0)
    run(one, 0.4)
    assert one.grid_power_W == pytest.approx(300_000.0 + 50_000.0 + 1850.0)
    one.set_coil("fan_off", True)
    run(one, 0.2)
    assert one.grid_power_W == pytest.approx(351_500.0)
    one = running(200_000.0)
    currents = [rack.current_A for rack in one.racks]
    assert sum(currents) == pytest.approx(one.pcs[0].dc_current_A)
    assert 0.1 < max(currents) - min(currents) < 0.05 * max(currents)
    assert len({rack.soh for rack in one.racks}) == 3
    rows = ((1.0, 230.0, 0.1, 0.9),) * 3
    one = run(cabinet.CabinetPlant(None, lambda t_s: (1000.0 * t_s, rows), 0), 1)
    assert one.load_power_W == 1000.0 and one.load_channels == rows
    one.load = lambda t_s: 5000.0  # a campaign's own
    assert run(one, DT_S).load_power_W == 5000.0
    one.load = None
    assert run(one, DT_S).load_power_W == 5000.0
    assert plant().load_channels is None
    assert run(cabinet.CabinetPlant(), DT_S).load_power_W == 0.0


def test_estop_drops_power_now_supply_after_200_ms_contactors_then():
    one = running()
    act(one, "estop_press")
    seen = []
    for _ in range(14):
        one.step(TICK_S)
        permits = one.contacts["permit_1"], one.contacts["permit_2"]
        seen.append((one.pcs[0].ac_power_W, *permits, states(one)[0]))
    dropped = [(0.0, False, False, 2)] + [(0.0, False, False, 0)] * 3
    assert seen == [(0.0, False, True, 2)] * 10 + dropped
    assert one.pcs[0].state == pcs.OFF and one.pcs[0].alarm_bits == 0
    act(one, "estop_release", 0.8)
    assert one.contacts["estop_1"] and one.contacts["permit_1"] and states(one)[0] == 2


def test_gas_opens_the_relay_in_hardware_and_a_bridge_hides_an_open_contact():
    one = running()
    act(one, "bridge_chain")
    act(one, "estop_press", 1)
    assert not one.contacts["estop_1"] and one.contacts["permit_1"]
    assert one.pcs[0].ac_power_W == 100_000.0
    one = running()
    act(one, "gas", lfl_pct=40.0, detector=2)
    # 40 % behind a lag of 2 s passes 25 % after 1.96 s
    assert 1.9 < until(one, 5, lambda: not one.contacts["gas_relay"]) < 2.2
    one.step(TICK_S)
    assert one.gas_lfl_pct[0] == one.pcs[0].ac_power_W == 0.0 and not one.contacts["permit_1"]
    act(one, "gas", 6, lfl_pct=0.0)
    assert one.contacts["gas_relay"] and one.contacts["permit_1"]


def test_heater_fan_and_chiller_act_on_the_air_and_the_site_carries_the_heater():
    one = running(weak_fan_unit=1, weak_fan_permille=500)
    heater, fan, chiller = Heater({"rated_W": 6000}), Fan({"fan_unit": 0}), Chiller({})
    one.air_devices += [heater, fan, chiller]
    before_W = one.drawn_W
    for part, name in ((heater, "heat"), (fan, "boost"), (chiller, "pre_cool")):
        part.ask(name, 1)
    for part, dt_s in ((heater, DT_S), (chiller, 3600.0)):
        part.step(0.0, dt_s, 0.0)
    run(one, 1)
    assert one.drawn_W - before_W == one.climate.heater_W == 6000.0
    assert one.climate.colder_K == pytest.approx(4.0, abs=0.01)
    assert {node.flow for each in one.racks for node in each._thermal} == {0.5 * 1.5}
    one.set_coil("aux_load", False)  # gas: the heater is behind the auxiliary load
    assert run(one, 1).climate.heater_W == 0.0


def _history(seed):
    one = running(seed=seed)
    act(one, "heat", rack=1, module=2, degC=50.0, rate_K_per_s=0.5)
    act(one, "gas", lfl_pct=40.0)
    act(one, "offgas", ppm=50.0)
    seen = []
    for _ in range(60):
        one.step(DT_S)
        grid = one.grid_power_W, one.grid_voltage_V, one.grid_frequency_Hz
        seen.append((*grid, *one.contacts.values(), *one.gas_lfl_pct, *one.offgas_ppm))
        for r in one.racks:
            cells = r.cell_voltage_V_min, r.position_min, r.temperatures_degC[1]
            seen.append((r.current_A, r.voltage_V, *cells))
    return seen


def test_units_steps_and_seed():
    one = running(units=2, racks=4)
    assert [len(link.racks) for link in one.buses] == [2, 2]
    assert one.grid_power_W == pytest.approx(300_000.0 - 200_000.0 + 1850.0)
    for rack in one.buses[0].racks:
        rack.command_close(False)
    run(one, 0.1, TICK_S)
    assert [unit.state for unit in one.pcs] == [pcs.FAULT, pcs.RUNNING]
    other = plant(units=2, racks=3, unit_of_rack=(1, 0, 0))
    assert other.buses[1].racks == [other.racks[0]]
    assert run(plant(racks=1, modules=1), 400, TICK_S).now_us == 400_000_000
    for dt_s in (0.02, 0.1, 0.25, 1.0):
        one, seen = plant(), []
        for i, rack in enumerate(one.racks):
            rack.refresh = lambda module, air_degC, i=i: seen.append((i, module)) or 0.0
        run(one, 2.0, dt_s)
        assert sorted(seen) == sorted(2 * [(i, m) for i in range(3) for m in range(15)])
    first = _history(5)
    assert first == _history(5)
    assert first != _history(6)
    fine, coarse = running(50_000.0), running(50_000.0)
    run(fine, 60, TICK_S)
    run(coarse, 60, 0.5)
    for a, b in zip(fine.racks, coarse.racks):
        assert a.soc == pytest.approx(b.soc, abs=1e-6)
        assert a.voltage_V == pytest.approx(b.voltage_V, abs=0.02)
        assert a.temperatures_degC == pytest.approx(b.temperatures_degC, abs=0.002)


def test_a_wrong_configuration_or_step_is_one_line():
    for changes, message in table("""
    {"rack": 3} | plant:rack: is not a known key; nearest key "racks"
    {"soc": 1.1} | plant:soc: 1.1 is not allowed; allowed a number 0..1
    {"soc": "half"} | plant:soc: "half" is not allowed; allowed a number 0..1
    {"racks": 0} | plant:racks: 0 is not allowed; allowed a number 1..64
    {"racks": 65} | plant:racks: 65 is not allowed; allowed a number 1..64
    {"unit_of_rack": (0, 0)} | allowed 3 entries that name every unit 0..0
    {"units": 4} | allowed 3 entries that name every unit 0..3
    {"chemistry": "lto"} | plant:chemistry: "lto" is not allowed; allowed lfp, nmc
    {"sensor_cells": (16,)} | plant:sensor_cells: [16] is not allowed; allowed 0..15
"""):
        with pytest.raises(ValueError) as error:
            plant(**changes)
        assert str(error.value).endswith(message) and "\n" not in str(error.value)
    for dt_s in (0.0, -0.02, 1.001):
        with pytest.raises(ValueError, match="allowed is more than 0, at most 1"):
            plant().step(dt_s)
