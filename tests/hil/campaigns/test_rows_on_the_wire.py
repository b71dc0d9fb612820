"""Each row of the matrix that looks at a device: an action gives its signal through real frames."""

import pytest
from dev_standin import read
from full_site import RACKS, Site

from controller.rows import records
from hil.scenarios import faults, scenario
from safety import signals as s
from tests.tables import cases

HEAD = {"name": "x", "title": "x", "duration_s": 1000, "expect": []}
# rows that look at no device: the controller itself, remote link, channel B, silences; at two
EXTERNAL = {40, 41, 44, 46, 49, 50, 51, 52, 54, 55, 56, 57, 58, 59}

# row | actions | seconds | condition that is true after them, not before
ROWS = """
1 | estop_press | 1 | not estop_1_ok and not estop_2_ok
1 | estop_channel channel=2 | 1 | estop_1_ok and not estop_2_ok
2 | fire_alarm | 1 | not fire_alarm_ok
3 | suppression | 1 | not suppression_ok
4 | smoke detector=1 | 10 | not smoke_1_ok and smoke_2_ok
5 | smoke detector=2; heat_detector | 15 | not smoke_2_ok and not heat_ok
5 | smoke | 15 | not smoke_1_ok and not smoke_2_ok
6 | fire_trouble | 1 | not fire_trouble_ok
7 | offgas ppm=30 detector=1 | 20 | offgas_1_ppm >= 20 and offgas_2_ppm == 0
8 | offgas ppm=30 | 20 | min(offgas_1_ppm, offgas_2_ppm) >= 20
9 | toxic ppm=60 gas='carbon_monoxide' | 40 | 50 <= toxic_ppm < 100
10 | toxic ppm=300 | 40 | toxic_ppm >= 200
10 | toxic ppm=71.5; toxic ppm=190 ppm_per_s=5.5 | 20 | 90 <= toxic_ppm < 120
11 | gas lfl_pct=12 | 15 | 100 <= gas_1_lfl_permille < 250
12 | gas lfl_pct=30 | 15 | gas_2_lfl_permille >= 250 and not gas_relay_ok
13 | detector_fault detector='offgas_1' | 1 | not offgas_1_ok and offgas_2_ok and gas_1_ok
13 | calibration detector='toxic' days=-2 | 1
   | toxic_calibration_d == -2 and gas_1_calibration_d == offgas_2_calibration_d == 180
14 | detector_fault detector='gas_1'; detector_fault detector='gas_2' | 1 | gas_1_ok + gas_2_ok == 0
15 | airflow_fail | 15 | not airflow_ok and damper_ok
16 | damper_fail | 15 | airflow_ok and not damper_ok
17 | hvac_fail | 1 | not hvac_ok
17 | air_heat degC=51 | 1 | air_temperature_ddegC == 510
18 | heat rack=1 module=3 degC=46 | 2 | module_3 == 460
19 | heat rack=1 degC=50.5 | 2 | module_15 == 505
20 | heat rack=1 module=3 degC=56 | 2 | module_3 == 560
21 | runaway rack=1 module=5 from_degC=70 | 2 | module_5 >= 650
22 | runaway rack=1 module=5 | 130 | module_5 >= 340
23 | runaway rack=1 module=5 from_degC=160 heater_K_per_min=0 | 12 | module_5 >= 1750
24 | cell_drop rack=1 module=2 drop_mV=300 | 4 | low_mV <= 3040 and cell_position_min == 32
25 | cool rack=1 | 2 | module_1 == -250
26 | spread rack=1 module=4 kelvin=16 | 3 | spread_ddegC >= 150
27 | cell_offset rack=1 offset_mV=270 | 2 | high_mV >= 3550
28 | cell_offset rack=1 offset_mV=320 | 2 | high_mV >= 3600
29 | cell_offset rack=1 offset_mV=370 | 2 | high_mV >= 3650
30 | cell_offset rack=1 offset_mV=520 | 2 | high_mV >= 3800 and not cell_voltage_ok
31 | cell_offset rack=1 offset_mV=-520 | 2 | low_mV <= 2800
32 | cell_offset rack=1 offset_mV=-820 | 2 | low_mV <= 2500
33 | cell_offset rack=1 offset_mV=-1320 | 2 | low_mV <= 2000
33 | cell_offset rack=1 offset_mV=-1350 | 3 | low_mV <= 2000 and bms_fault_ok
33 | cell_offset rack=1 offset_mV=-3300 | 2 | low_mV < 50
34 | cell_offset rack=1 module=9 cell=4 offset_mV=-420 | 2
   | high_mV - low_mV >= 400 and cell_position_min == 8 * 32 + 3
35 | current_excess current_A=480 | 1 | rack_current_mA > 1.1 * 140_000
35 | current_excess current_A=-480 | 1 | rack_current_mA < -1.1 * 140_000
36 | short_circuit fuse_A2s=1e7 | 1 | rack_current_mA > 2 * 140_000
36 | current_excess current_A=862 | 3 | rack_current_mA > 280_000 and bms_fault_ok
37 | insulation rack=1 kohm=300 | 1 | insulation_kohm == 300
37 | insulation rack=1 kohm=300 kohm_per_s=-20 | 15 | insulation_kohm <= 60
37 | insulation rack=1 kohm=5 kohm_per_s=-10 | 5 | insulation_kohm == 0 and not bms_fault_ok
37 | insulation rack=1 kohm=70 | 3 | insulation_kohm < 0.1 * rack_voltage_mV / 1000 and bms_fault_ok
38 | bus_mismatch offset_V=-30 | 2 | rack_voltage_mV - pcs_dc_voltage_mV >= 25_000
39 | feedback rack=1 reads='open' | 1 | contactor_state == 0 and rack_voltage_mV > 700_000
40 | bms_fault rack=1 | 1 | not bms_fault_ok and bms_fault_bits == 128 and contactor_state == 0
42 | leak | 5 | not leak_ok and coolant_ok
42 | coolant | 1 | leak_ok and not coolant_ok
42 | humidity | 90 | humidity_permille > 900
43 | mains_loss | 1 | not mains_ok and ups_reserve_min > 120
43 | mains_loss; ups_reserve minutes=25 | 1 | not mains_ok and ups_reserve_min < 30
45 | sensor_invalid rack=1 module=4 | 1 | sensors_invalid_max == 2
45 | sensor_zero rack=1 module=4 | 1 | module_4 == 0 < module_5
45 | sensor_stuck rack=1 module=4 degC=31.5 | 1 | module_4 == 315
47 | key run=False | 1 | not key_run_ok
48 | door | 1 | not door_ok
53 | offgas ppm=15 detector=1; toxic ppm=40 | 40
   | 5 * offgas_1_ppm + 2 * toxic_ppm >= 100 and toxic_ppm >= 13
"""
# action | its undo | the condition that goes and comes back
UNDO = """
estop_press | estop_release | estop_1_ok and estop_2_ok
fire_alarm | fire_alarm on=False | fire_alarm_ok
suppression | suppression on=False | suppression_ok
contact name='door' closed=False | contact_repair name='door' | door_ok
key run=False | key run=True | key_run_ok
run_fan | run_fan on=False | not airflow_ok
smoke | smoke on=False | smoke_1_ok
fire_trouble | fire_trouble on=False | fire_trouble_ok
supervision_lost | supervision_lost on=False | supervised_ok
detector_fault detector='toxic' | detector_fault detector='toxic' on=False | toxic_ok
hvac_fail | hvac_fail on=False | hvac_ok
coolant | coolant on=False | coolant_ok
leak | leak on=False | leak_ok
mains_loss | mains_loss on=False | mains_ok
mains_loss | mains_loss on=False | hvac_ok
door | door open=False | door_ok
cell_offset rack=1 offset_mV=600 | cell_offset rack=1 offset_mV=0 | cell_voltage_ok
heat_detector | heat_detector on=False | heat_ok
bms_fault rack=1 | bms_fault rack=1 bits=0 | bms_fault_ok
feedback rack=1 reads='open' | feedback rack=1 reads='true' | contactor_state
short_circuit ohm=1.0 fuse_A2s=1e12 | current_excess current_A=0 | abs(rack_current_mA) < 5000
"""
# need the fan to run
FAN_ROWS = (15, 16)
STEP_S = 0.25


def table(text):
    return [line.split(" | ") for line in text.strip().replace("\n   |", " |").splitlines()]


def do(site, words):
    world = faults.World(site.plant, site.cabinet.devices, {}, None)
    entries = []
    for action in words.split("; "):
        name, *pairs = action.split()
        entries.append({"at_s": 0, "do": name, **eval(f"dict({', '.join(pairs)})")})
    for action in scenario.parse(HEAD | {"action": entries}, "x.toml").actions:
        faults.ACTIONS[action.do][1](world, action.arguments)


SHORT = {"low_mV": "cell_voltage_mV_min", "high_mV": "cell_voltage_mV_max"}


class Signals(dict):
    def __init__(self, site):
        super().__init__()
        self._site = site

    def __missing__(self, name):
        if name == "spread_ddegC":
            modules = [self._site.value(f"module_{number}") for number in range(1, 16)]
            return max(modules) - min(modules)
        return self._site.value(SHORT.get(name, name))


@pytest.mark.parametrize("row, actions, seconds, seen", table(ROWS))
def test_the_signal_of_the_row_arrives(row, actions, seconds, seen):
    site, seen = Site().close(), compile(seen, seen, "eval")
    for_fan = int(row) in FAN_ROWS
    if for_fan:
        site.plant.set_coil("fan_off", False)
    else:
        assert not eval(seen, {}, Signals(site)), "seen before anything was done"
    do(site, actions)
    for _ in range(int(seconds)):
        site.advance(1, dt_s=STEP_S if int(seconds) < 60 else 1.0)
        if eval(seen, {}, Signals(site)) and not for_fan:
            return
    assert eval(seen, {}, Signals(site))


def test_no_row_is_forgotten():
    assert {int(row) for row, *_ in table(ROWS)} | EXTERNAL == set(records.ROWS)


def test_everything_is_fresh_and_well_at_first():
    site = Site()
    site.advance(4)
    site.taken()
    site.advance(3)
    layout = site.layout
    expected = set(range(len(s.CABINET_GROUPS))) - {s.G_METER_GRID, s.G_METER_LOAD, s.G_LOCAL}
    expected |= {layout.unit_group(0, s.G_PCS_MEASURE)}
    for rack in range(RACKS):
        expected |= {layout.rack_group(rack, group) for group in range(len(s.RACK_GROUPS))}
    assert expected <= site.taken()
    polled = [row[0] for row in s.CABINET_INPUTS if row[0][-3:] == "_ok" and row[4] != s.G_LOCAL]
    bad = [name for name in polled if not site.value(name)]
    assert bad == ["damper_ok"], "the louvre takes 8 s"
    assert site.value("insulation_kohm") == 2000 and site.value("sensors_invalid_max") == 0


def test_the_gas_arrives_in_permille_of_the_vent_gas():
    """The plant's gas burns from 6 vol %; the detector is calibrated with methane's 5 vol %."""
    site = Site().close()
    do(site, "gas lfl_pct=15")
    site.advance(30, dt_s=1.0)
    assert site.value("gas_1_lfl_permille") == pytest.approx(150, abs=4)
    assert read(site.cabinet.devices["gas_1"], 4, 0, 1) == [pytest.approx(180, abs=4)]


@pytest.mark.parametrize("gas, ppm", [("hydrogen", [60, 0]), ("carbon_monoxide", [0, 60])])
def test_each_toxic_gas_has_its_register(gas, ppm):
    site = Site()
    do(site, f"toxic ppm=60 gas='{gas}'")
    site.advance(100, dt_s=1.0)
    assert read(site.cabinet.devices["toxic"], 4, 0, 2) == pytest.approx(ppm, abs=2)


@cases("""action group
    "device_fault device='climate' fault='status_bits' value=2"  s.G_CLIMATE
    "ups_invalid"  s.G_UPS""")
def test_a_value_unknown_to_its_monitor_ages(action, group):
    site = Site().close()
    site.taken()
    do(site, action)
    site.advance(2, dt_s=STEP_S)
    assert group not in site.taken()


def test_a_whole_runaway_arrives_in_the_order_of_the_facts():
    site = Site().close()
    do(site, "runaway rack=2 module=5 cell=8")
    seen, signs = {}, Signals(site)
    for second in range(5, 1750, 5):
        for _ in range(4):  # without a read of the devices
            site.plant.step(1.0)
        site.advance(1, dt_s=1.0)
        now = {
            "hot": site.value("module_5", 1) >= 650,
            "vapour": signs["offgas_1_ppm"] >= 20,
            "toxic": signs["toxic_ppm"] >= 50,
            "smoke": not signs["smoke_1_ok"],
            "gas": signs["gas_1_lfl_permille"] >= 100,
            "collapse": site.value("cell_voltage_mV_min", 1) < 1000,
        }
        seen |= {name: second for name, is_so in now.items() if is_so and name not in seen}
        if len(seen) == len(now):
            break
    assert list(seen)[:3] == ["hot", "vapour", "toxic"] and set(seen) == set(now)
    collapse_s = seen["collapse"]
    assert collapse_s == pytest.approx(60 * (160 - 25) / 5, abs=60), "heated by 5 K/min"
    assert 300 <= collapse_s - seen["vapour"] <= 480
    assert abs(seen["smoke"] - collapse_s) <= 60
    assert abs(seen["gas"] - collapse_s) <= 60
    assert site.value("cell_voltage_mV_min", 0) > 3000
    assert site.value("module_5", 0) < 400


@cases("""action words
    "heat rack=4 degC=50"  "rack 4: allowed 1 to 3"
    "short_circuit unit=2"  "unit 2: allowed 1 to 1"
    "cool rack=1 module=16"  "rack 1 module 16: allowed 1 to 15"
    "cell_drop rack=1 cell=17"  "cell 17: allowed 1 to 16" """)
def test_a_place_that_does_not_exist_is_one_line(action, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        do(Site(), action)


@pytest.mark.parametrize("actions, repair, signal", table(UNDO))
def test_an_action_can_be_undone(actions, repair, signal):
    site = Site().close()
    do(site, actions)
    site.advance(8, dt_s=STEP_S)
    assert not eval(signal, {}, Signals(site))
    do(site, repair)
    site.advance(12, dt_s=STEP_S)
    assert eval(signal, {}, Signals(site))


def test_the_shunt_trip_can_be_reset_by_hand():
    site = Site().close()
    site.plant.set_coil("shunt_trip", True)
    site.advance(1)
    assert site.plant.relays.breaker_open
    do(site, "shunt_reset")
    assert not site.plant.relays.breaker_open


def test_temperatures_can_be_let_go_again():
    site = Site().close()
    do(site, "heat rack=1 degC=44; air_heat degC=48")
    site.advance(5)
    do(site, "heat_end rack=1; air_heat on=False")
    site.advance(240, dt_s=1.0)
    assert site.value("module_3") < 300 and site.value("air_temperature_ddegC") < 270


@pytest.mark.parametrize("action, bits", [("weld rack=1", 32), ("precharge_break rack=1", 16)])
def test_contactors_that_weld_and_a_precharge_that_is_broken(action, bits):
    site = Site()
    rack = site.plant.racks[0]
    site.plant.set_coil("contactor_supply", True)
    do(site, action)
    rack.command_close(True)
    site.advance(4)
    rack.command_close(False)
    rack.command_close(bits == 16)
    site.advance(1 if bits == 32 else 0.2)
    assert site.value("contactor_state") == 3 and site.value("bms_fault_bits") == bits
    assert not site.value("bms_fault_ok")
