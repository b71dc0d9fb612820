"""The whole plant: start, stop, drop order, meters, faults, configuration."""

import pytest

from hil.plant import bms, cabinet, pcs

DT_S = 0.02


def _cabinet(load_W=300_000.0, seed=1, **changes):
    return cabinet.Cabinet(changes, lambda t_s: load_W, seed)


def _steps(one, count, dt_s=DT_S):
    for _ in range(count):
        one.step(dt_s)
    return one


def _running(power_W=100_000.0, **changes):
    one = _cabinet(**changes)
    one.set_coil("pcs_enable", True)
    one.set_coil("contactor_supply", True)
    one.set_coil("aux_load", True)
    for rack in one.racks:
        rack.command_close(True)
    _steps(one, 40)
    assert [rack.contactor_state for rack in one.racks] == [2] * len(one.racks)
    for unit in one.pcs:
        unit.command_run(True)
        unit.command_setpoint(power_W)
    _steps(one, 100)
    assert [unit.ac_power_W for unit in one.pcs] == [power_W] * len(one.pcs)
    return one


def test_cold_it_is_the_expired_module_state():
    one = _steps(_cabinet(), 120)
    assert one.contacts == {
        "estop_1": True,
        "estop_2": True,
        "fire_alarm": True,
        "suppression": True,
        "gas_relay": True,
        "airflow": True,
        "key_run": True,
        "permit_1": False,
        "permit_2": False,
        "door": True,
        "bms_fault": True,
        "cell_voltage": True,
        "smoke_1": True,
        "smoke_2": True,
        "heat": True,
        "fire_trouble": True,
        "damper": False,
        "hvac": True,
        "leak": True,
        "coolant": True,
        "supervised": True,
    }
    _steps(one, 300)
    assert one.contacts["damper"]  # the louvre takes 8 s
    assert one.air.fan_running
    assert (one.pcs[0].state, one.pcs[0].ac_power_W, one.pcs[0].dc_voltage_V) == (pcs.OFF, 0.0, 0.0)


def test_the_fan_stops_when_its_inverse_coil_says_so():
    one = _steps(_cabinet(), 120)
    one.set_coil("fan_off", True)
    _steps(one, 60)
    assert not one.contacts["airflow"] and not one.air.fan_running


def test_grid_is_load_less_battery_plus_auxiliaries():
    one = _running(100_000.0)
    assert one.load_power_W == 300_000.0
    assert one.grid_power_W == pytest.approx(300_000.0 - 100_000.0 + 1500.0 + 350.0)
    one.pcs[0].command_setpoint(-50_000.0)
    _steps(one, 20)
    assert one.grid_power_W == pytest.approx(300_000.0 + 50_000.0 + 1850.0)
    one.set_coil("fan_off", True)
    _steps(one, 10)
    assert one.grid_power_W == pytest.approx(351_500.0)


def test_voltage_and_frequency_wander_a_little():
    one = _cabinet()
    seen = []
    for _ in range(200):
        _steps(one, 5)
        seen.append((one.grid_voltage_V, one.grid_frequency_Hz))
    volts, hertz = zip(*seen)
    assert len(set(volts)) > 150 and len(set(hertz)) > 150
    assert min(volts) > 220.0 and max(volts) < 235.0
    assert min(hertz) > 49.8 and max(hertz) < 50.2


def test_three_racks_share_nearly_evenly():
    one = _running(200_000.0)
    currents = [rack.current_A for rack in one.racks]
    assert sum(currents) == pytest.approx(one.pcs[0].dc_current_A)
    assert max(currents) - min(currents) < 0.05 * max(currents)
    assert max(currents) - min(currents) > 0.1
    assert len({rack.soh for rack in one.racks}) == 3


def test_estop_drops_power_now_supply_after_200_ms_contactors_then():
    one = _running()
    one.press_estop()
    seen = []
    for _ in range(14):
        one.step(DT_S)
        seen.append(
            (
                one.pcs[0].ac_power_W == 0.0,
                one.contacts["permit_1"],
                one.contacts["permit_2"],
                one.racks[0].contactor_state,
            )
        )
    assert (
        seen
        == [(True, False, True, 2)] * 10 + [(True, False, False, 2)] + [(True, False, False, 0)] * 3
    )
    assert one.pcs[0].state == pcs.OFF and one.pcs[0].alarm_bits == 0
    one.release_estop()
    _steps(one, 40)
    assert (
        one.contacts["estop_1"] and one.contacts["permit_1"] and one.racks[0].contactor_state == 2
    )


@pytest.mark.parametrize("channel", [0, 1])
def test_one_channel_of_the_estop_is_enough_for_the_hardware(channel):
    one = _running()
    one.press_estop(channel)
    assert [one.contacts["estop_1"], one.contacts["estop_2"]] == [channel != 0, channel != 1]
    _steps(one, 1)
    assert one.pcs[0].ac_power_W == 0.0


def test_bridged_chain_shows_the_contact_and_does_nothing():
    one = _running()
    one.bridge_chain(True)
    one.press_estop()
    _steps(one, 50)
    assert not one.contacts["estop_1"] and one.contacts["permit_1"]
    assert one.pcs[0].ac_power_W == 100_000.0


@pytest.mark.parametrize(
    "act, contact",
    [
        (lambda one, on: one.set_fire(on), "fire_alarm"),
        (lambda one, on: one.set_suppression(on), "suppression"),
    ],
)
def test_fire_and_suppression_cut_in_hardware_and_come_back(act, contact):
    one = _running()
    act(one, True)
    assert not one.contacts[contact]
    _steps(one, 1)
    assert one.pcs[0].ac_power_W == 0.0 and not one.contacts["permit_1"]
    act(one, False)
    assert one.contacts[contact]
    _steps(one, 1)
    assert one.contacts["permit_1"]


def test_gas_on_one_detector_opens_the_relay_in_hardware_and_goes():
    one = _running()
    one.set_gas(40.0, detector=1)
    steps = 0
    while one.contacts["gas_relay"]:
        one.step(DT_S)
        steps += 1
    assert 1.9 < steps * DT_S < 2.2  # 40 % behind a lag of 2 s passes 25 % after 1.96 s
    _steps(one, 1)
    assert (
        one.gas_lfl_pct[0] == 0.0 and one.pcs[0].ac_power_W == 0.0 and not one.contacts["permit_1"]
    )
    one.set_gas(0.0)
    _steps(one, 300)
    assert one.contacts["gas_relay"] and one.contacts["permit_1"]
    with pytest.raises(ValueError, match="allowed 0 to 100"):
        one.set_gas(101.0)


def test_supply_lost_under_power_trips_the_pcs():
    one = _running()
    one.set_coil("contactor_supply", False)
    _steps(one, 13)
    assert one.pcs[0].state == pcs.FAULT and one.racks[0].contactor_state == 0
    assert one.pcs[0].ac_power_W == 0.0


def test_bms_fault_opens_its_rack_and_the_contact():
    one = _running()
    one.inject_bms_fault(1, bms.FAULT_INJECTED)
    _steps(one, 8)
    assert one.racks[1].fault_bits == bms.FAULT_INJECTED
    assert [rack.contactor_state for rack in one.racks] == [2, 0, 2] and not one.contacts[
        "bms_fault"
    ]
    one.inject_bms_fault(1, 0)
    _steps(one, 40)
    assert one.racks[1].contactor_state == 2 and one.contacts["bms_fault"]


def test_weld_shows_state_bit_and_contact():
    one = _running(0.0)
    one.weld_contactor(0, True)
    for rack in one.racks:
        rack.command_close(False)
    _steps(one, 5)
    assert [rack.contactor_state for rack in one.racks] == [3, 0, 0]
    assert one.racks[0].fault_bits == bms.FAULT_WELD and not one.contacts["bms_fault"]
    one.weld_contactor(0, False)
    _steps(one, 2)
    assert one.racks[0].contactor_state == 0 and one.contacts["bms_fault"]


def test_broken_precharge_never_closes_onto_a_dead_link():
    one = _cabinet(racks=1)
    one.break_precharge(0, True)
    one.set_coil("contactor_supply", True)
    one.racks[0].command_close(True)
    _steps(one, 200)
    assert one.racks[0].contactor_state == 3 and one.pcs[0].dc_voltage_V == 0.0


def test_heat_reaches_limits_and_protection():
    one = _running()
    one.heat(0, 2, 48.0)
    _steps(one, 10)
    assert one.racks[0].charge_limit_A == 0.0 and one.racks[1].charge_limit_A == 140.0
    one.heat(0, 2, 76.0)
    _steps(one, 30)
    assert (
        one.racks[0].fault_bits == bms.FAULT_OVER_TEMPERATURE and one.racks[0].contactor_state == 0
    )
    one.heat(0, 2, None)
    _steps(one, 250, dt_s=1.0)
    assert one.racks[0].fault_bits == 0 and one.racks[0].charge_limit_A == 140.0


def test_a_runaway_fills_the_cabinet_and_opens_the_gas_relay():
    one = _running()
    one.heat(1, 5, 160.0)
    _steps(one, 60, dt_s=1.0)
    assert 5.0 < one.gas_lfl_pct[0] < 25.0  # the fan keeps up with one cell in 3 m3 of air
    one.set_airflow_fail(True)
    _steps(one, 506, dt_s=1.0)
    assert one.gas_lfl_pct[0] > 25.0 and not one.contacts["gas_relay"]


def test_cell_offset_is_one_racks():
    one = _running()
    one.set_cell_offset(2, -0.3)
    assert [rack.cell_voltage_V_min < 3.1 for rack in one.racks] == [False, False, True]


def test_contacts_can_be_forced_and_released():
    one = _steps(_cabinet(), 1)
    one.force_contact("door", False)
    one.force_contact("permit_1", True)
    _steps(one, 2)
    assert not one.contacts["door"] and one.contacts["permit_1"]
    one.force_contact("door", None)
    one.force_contact("permit_1", None)
    assert one.contacts["door"] and not one.contacts["permit_1"]
    one.key_run = one.door_closed = False
    _steps(one, 1)
    assert not one.contacts["key_run"] and not one.contacts["door"]
    with pytest.raises(ValueError, match="contact dor: known are estop_1"):
        one.force_contact("dor", False)


def test_load_is_asked_for_the_time_of_the_step_and_may_give_channels():
    rows = ((1.0, 230.0, 0.1, 0.9),) * 3
    one = cabinet.Cabinet(None, lambda t_s: (1000.0 * t_s, rows), 0)
    _steps(one, 50)
    assert one.load_power_W == 1000.0 and one.load_channels == rows
    assert _cabinet().load_channels is None
    assert _steps(cabinet.Cabinet(), 1).load_power_W == 0.0


def test_time_is_exact_over_many_steps():
    one = _steps(_cabinet(racks=1, modules=1), 20_000)
    assert one.now_us == 400_000_000


def test_every_module_is_looked_at_once_a_second():
    for dt_s in (0.02, 0.1, 0.25, 1.0):
        one = _cabinet()
        seen = []
        for i, rack in enumerate(one.racks):
            rack.refresh = lambda module, air_degC, i=i: seen.append((i, module)) or 0.0
        _steps(one, round(2.0 / dt_s), dt_s)
        assert sorted(seen) == sorted(2 * [(i, m) for i in range(3) for m in range(15)])


def _history(seed):
    one = _running(seed=seed)
    one.heat(0, 1, 50.0, 0.5)
    seen = []
    for _ in range(300):
        one.step(DT_S)
        seen.append(
            (
                one.grid_power_W,
                one.grid_voltage_V,
                one.grid_frequency_Hz,
                tuple(one.contacts.values()),
                [
                    (
                        r.current_A,
                        r.voltage_V,
                        r.cell_voltage_V_min,
                        r.position_min,
                        r.temperatures_degC[1],
                    )
                    for r in one.racks
                ],
            )
        )
    return seen


def test_the_seed_decides_everything():
    assert _history(5) == _history(5)
    assert _history(5) != _history(6)


def test_step_size_hardly_matters():
    """Three minutes at 50 kW in steps of 20 ms and of 0.5 s end in the same place."""
    fine, coarse = _running(50_000.0), _running(50_000.0)
    _steps(fine, 9000)
    _steps(coarse, 360, dt_s=0.5)
    for a, b in zip(fine.racks, coarse.racks):
        assert a.soc == pytest.approx(b.soc, abs=1e-6)
        assert a.voltage_V == pytest.approx(b.voltage_V, abs=0.02)
        assert a.temperatures_degC == pytest.approx(b.temperatures_degC, abs=0.002)


def test_two_units_have_two_links():
    one = _running(units=2, racks=4)
    assert [len(link.racks) for link in one.buses] == [2, 2]
    assert one.grid_power_W == pytest.approx(300_000.0 - 200_000.0 + 1850.0)
    for rack in one.buses[0].racks:
        rack.command_close(False)
    _steps(one, 5)
    assert [unit.state for unit in one.pcs] == [pcs.FAULT, pcs.RUNNING]
    other = _cabinet(units=2, racks=3, unit_of_rack=(1, 0, 0))
    assert other.buses[1].racks == [other.racks[0]]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rack": 3}, "plant: unknown key rack: nearest known is racks"),
        ({"soc": 1.1}, "plant: soc = 1.1: allowed 0 to 1"),
        ({"soc": "half"}, "plant: soc = half: allowed 0 to 1"),
        ({"racks": 0}, "plant: racks = 0: allowed 1 to 64"),
        ({"racks": 65}, "plant: racks = 65: allowed 1 to 64"),
        ({"units": 4}, "needs 3 entries that name every unit 0..3"),
        ({"unit_of_rack": (0, 0)}, "needs 3 entries"),
    ],
)
def test_a_wrong_configuration_is_one_clear_line(changes, message):
    with pytest.raises(ValueError) as error:
        _cabinet(**changes)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("dt_s", [0.0, -0.02, 1.001])
def test_a_wrong_step_is_refused(dt_s):
    with pytest.raises(ValueError, match="allowed is more than 0, at most 1"):
        _cabinet().step(dt_s)
