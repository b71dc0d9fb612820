"""Every range of a parameter and of an input, written a second time.

Columns: name, unit, lowest, highest; of a parameter its default and the tighter direction.
"""

import pytest

from safety import matrix as m, parameters as p, signals as s

INT = s.INT_MAX

CABINET_PARAMETERS = """
io_silent_ms ms 100 500 500 down
meter_silent_ms ms 100 5000 500 down
meter_frozen_ms ms 1000 5000 5000 down
gas_silent_ms ms 100 10000 3000 down
gas_required bool 0 1 1 up
gas_detectors count 0 2 2 fixed
permit_expiry_ms ms 40 500 500 down
ramp_to_zero_ms ms 100 2000 2000 down
limit_recovery_permille_per_s permille/s 1 1000 50 down
resets_per_hour_max count 0 3 3 down
reset_clear_ms ms 5000 600000 5000 up
open_at_zero_ms_max ms 100 2000 2000 down
open_after_stop_ms ms 0 200 200 down
contactor_close_ms_max ms 500 10000 5000 down
rack_voltage_spread_mV_max mV 100 10000 3000 down
bms_fault_contact_fitted bool 0 1 1 up
door_fitted bool 0 1 1 fixed
meter_load_fitted bool 0 1 1 fixed
offgas_detectors count 0 2 2 fixed
toxic_fitted bool 0 1 1 fixed
smoke_zones count 0 2 2 fixed
heat_fitted bool 0 1 1 fixed
io_3_fitted bool 0 1 1 fixed
climate_fitted bool 0 1 1 fixed
ups_fitted bool 0 1 1 fixed
supervised_fitted bool 0 1 1 fixed
monitor_silent_ms ms 1000 10000 10000 down
agent_hold_off_ms ms 0 600000 0 down
fuse_wait_ms ms 0 30000 30000 up
contactor_report_ms ms 100 2000 600 down
"""
UNIT_PARAMETERS = """
rated_W W 1000 100000000 250000 down
installer_charge_W_max W 0 100000000 250000 down
installer_discharge_W_max W 0 100000000 250000 down
efficiency_permille_min permille 500 1000 970 down
rack_sharing_permille permille 500 1000 970 down
pcs_ramp_ms ms 100 60000 2000 down
pcs_stop_ms ms 100 60000 3000 down
pcs_open_ms ms 100 60000 5000 down
"""
RACK_PARAMETERS = """
unit index 0 15 0 fixed
rated_current_mA mA 1000 1600000 140000 down
modules count 0 64 15 fixed
cells count 1 4095 240 fixed
cells_reported bool 0 1 1 fixed
temperatures_reported bool 0 1 1 fixed
bms_warn_ms ms 100 60000 500 down
bms_ramp_ms ms 100 60000 1000 down
bms_stop_ms ms 100 60000 3000 down
charge_taper_mV mV 2000 4300 3500 down
charge_end_mV mV 2000 4300 3600 down
discharge_taper_mV mV 2000 4300 3000 up
discharge_end_mV mV 2000 4300 2800 up
break_current_mA mA 1000 3000000 300000 down
heating_nK_per_A2s nK/A2s 0 900 90 down
insulation_reported bool 0 1 1 fixed
sensors_reported bool 0 1 1 fixed
"""
CABINET_INPUTS = """
estop_1_ok bool 0 1
fire_alarm_ok bool 0 1
suppression_ok bool 0 1
gas_relay_ok bool 0 1
airflow_ok bool 0 1
key_run_ok bool 0 1
permit_1_closed bool 0 1
door_ok bool 0 1
estop_2_ok bool 0 1
bms_fault_ok bool 0 1
permit_2_closed bool 0 1
cell_voltage_ok bool 0 1
smoke_1_ok bool 0 1
smoke_2_ok bool 0 1
heat_ok bool 0 1
fire_trouble_ok bool 0 1
damper_ok bool 0 1
hvac_ok bool 0 1
leak_ok bool 0 1
coolant_ok bool 0 1
supervised_ok bool 0 1
grid_power_W W -INT INT
grid_raw_hash hash 0 INT
load_power_W W -INT INT
load_raw_hash hash 0 INT
gas_1_lfl_permille permille 0 1000
gas_1_ok bool 0 1
gas_1_calibration_d d -36500 36500
gas_2_lfl_permille permille 0 1000
gas_2_ok bool 0 1
gas_2_calibration_d d -36500 36500
offgas_1_ppm ppm 0 10000
offgas_1_ok bool 0 1
offgas_1_calibration_d d -36500 36500
offgas_2_ppm ppm 0 10000
offgas_2_ok bool 0 1
offgas_2_calibration_d d -36500 36500
toxic_ppm ppm 0 10000
toxic_ok bool 0 1
toxic_calibration_d d -36500 36500
air_temperature_ddegC ddegC -600 3000
humidity_permille permille 0 1000
mains_ok bool 0 1
ups_reserve_min min 0 10000
run_request bool 0 1
armed_stored bool 0 1
reset_kind code 0 2
reset_first_out stage -1 4095
reset_mask hash 0 INT
lock_out_ok bool 0 1
test_request bool 0 1
noc_link_ok bool 0 1
noc_verified bool 0 1
self_test_bits bits 0 31
cpu_temperature_ddegC ddegC -600 3000
peer_code code 0 16777215
"""
UNIT_INPUTS = """
pcs_power_W W -INT INT
pcs_dc_voltage_mV mV 0 2000000
pcs_dc_current_mA mA -INT INT
pcs_state code 0 255
pcs_alarm_bits bits 0 INT
pcs_setpoint_W W -INT INT
pcs_heartbeat count 0 INT
"""
RACK_INPUTS = """
contactor_state code 0 3
bms_fault_bits bits 0 INT
bms_bad_frames count 0 INT
cells_online count 0 4095
cell_voltage_mV_min mV 0 10000
cell_voltage_mV_max mV 0 10000
cell_position_min position 0 4095
cell_position_max position 0 4095
rack_voltage_mV mV 0 2000000
rack_current_mA mA -3300000 3300000
charge_current_mA_max mA 0 3000000
discharge_current_mA_max mA 0 3000000
soc_permille permille 0 1000
soh_permille permille 0 1000
insulation_kohm kohm 0 65535
sensors_invalid_max count 0 15
"""


def read(word):
    """A number, or the word."""
    if word.lstrip("-").isdigit():
        return int(word)
    return {"INT": INT, "-INT": -INT}.get(word, word)


def test_the_widest_number_and_the_longest_time():
    assert (s.INT_MAX, s.TICKS_MAX) == (2**30 - 1, 10**9)
    assert s.MODULE_TEMPERATURE_RANGE_DDEGC == (-600, 3000)


# Outputs in their order, name and unit.
CABINET_OUTPUTS = """
pcs_enable_ok bool
contactor_supply_ok bool
fan_on bool
horn_on bool
lamp_on bool
red_lamp_on bool
supervisory_ok bool
pre_alarm_on bool
shunt_trip_on bool
aux_load_ok bool
notify_maintenance bool
notify_operator bool
state code
inhibit_reason code
first_out stage
first_out_instance index
cause_mask hash
active_count count
latched_count count
resets_left count
obligations_ok bool
arm_request bool
reset_result code
image_crc hash
evidence_count count
evidence_total count
"""
UNIT_OUTPUTS = """
charge_W_max W
discharge_W_max W
charge_reason limit
discharge_reason limit
pcs_run_ok bool
"""
RACK_OUTPUTS = """
contactor_close_ok bool
contactor_step code
"""


TABLES = {
    "cabinet parameters": (p.CABINET_PARAMETERS, CABINET_PARAMETERS, 6),
    "unit parameters": (p.UNIT_PARAMETERS, UNIT_PARAMETERS, 6),
    "rack parameters": (p.RACK_PARAMETERS, RACK_PARAMETERS, 6),
    "cabinet inputs": (s.CABINET_INPUTS, CABINET_INPUTS, 4),
    "unit inputs": (s.UNIT_INPUTS, UNIT_INPUTS, 4),
    "rack inputs": (s.RACK_INPUTS, RACK_INPUTS, 4),
    "cabinet outputs": (s.CABINET_OUTPUTS, CABINET_OUTPUTS, 2),
    "unit outputs": (s.UNIT_OUTPUTS, UNIT_OUTPUTS, 2),
    "rack outputs": (s.RACK_OUTPUTS, RACK_OUTPUTS, 2),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_as_written_here(name):
    table, text, columns = TABLES[name]
    rows = [tuple(map(read, line.split())) for line in text.split("\n") if line]
    assert [row[:columns] for row in table] == rows


def test_the_numbers_that_journals_and_the_other_channel_know():
    """A level or a state is stored as its number: another one would be read as something else."""
    assert (m.NO_GATE, m.KNOWN, m.IN_PART, m.DOUBTED, p.IMAGE_SCHEMA) == (-1, 1, 2, 3, 2)
    assert (m.PCS_RAMP, m.PCS_STOP) == (m.INHIBIT_BY_RAMP, m.INHIBIT_AT_ONCE) == (1, 2)
    assert (m.DC_INHIBIT, m.DC_OPEN_AT_ZERO, m.DC_OPEN, m.DC_OPEN_ONLY_AT_ZERO) == (1, 2, 3, 4)
    assert (m.SELF, m.REMOTE, m.KEY) == (s.CABINET, s.UNIT, s.RACK) == (0, 1, 2)
    assert s.STATES == ("inhibited", "ready", "closing", "running", "stopping", "tripped")
    assert (s.UNIT_INPUT_COUNT, s.UNIT_GROUP_COUNT, s.UNIT_OUTPUT_COUNT) == (7, 2, 5)
    assert (s.RACK_GROUP_COUNT, s.RACK_OUTPUT_COUNT) == (6, 2)


def test_stages_have_names_of_their_own_the_order_of_their_scopes_and_a_hysteresis():
    assert len({stage[m.S_ID] for stage in m.STAGES}) == len(m.STAGES)
    scopes = [stage[m.S_SCOPE] for stage in m.STAGES]
    assert scopes == sorted(scopes) and set(scopes) == {s.CABINET, s.UNIT, s.RACK}
    for stage in m.STAGES:
        assert stage[m.S_CLEAR] * stage[m.S_SENSE] < stage[m.S_SET] * stage[m.S_SENSE], stage


def test_where_cells_of_the_other_chemistry_clear():
    assert m.NMC_THRESHOLDS == (
        ("27", 4150, 4050),
        ("28", 4200, 4150),
        ("29", 4250, 4150),
        ("31a", 3200, 3300),
        ("31b", 3000, 3200),
        ("32", 2800, 3100),
        ("33", 2200, 3000),
    )


# What comes in one frame or one reply: a signal in another's group would count as known when that
# one is.
ARRIVES_WITH = {
    "io_1": "estop_1_ok fire_alarm_ok suppression_ok gas_relay_ok airflow_ok key_run_ok "
    "permit_1_closed door_ok",
    "io_2": "estop_2_ok bms_fault_ok permit_2_closed cell_voltage_ok smoke_1_ok smoke_2_ok "
    "heat_ok fire_trouble_ok",
    "io_3": "damper_ok hvac_ok leak_ok coolant_ok supervised_ok",
    "meter_grid": "grid_power_W grid_raw_hash",
    "meter_load": "load_power_W load_raw_hash",
    **{name: f"{name}_lfl_permille {name}_ok {name}_calibration_d" for name in ("gas_1", "gas_2")},
    **{
        name: f"{name}_ppm {name}_ok {name}_calibration_d"
        for name in ("offgas_1", "offgas_2", "toxic")
    },
    "climate": "air_temperature_ddegC humidity_permille",
    "ups": "mains_ok ups_reserve_min",
    "local": "run_request armed_stored reset_kind reset_first_out reset_mask lock_out_ok "
    "test_request noc_link_ok "
    "noc_verified self_test_bits cpu_temperature_ddegC peer_code",
    "pcs_measure": "pcs_power_W pcs_dc_voltage_mV pcs_dc_current_mA pcs_state pcs_alarm_bits",
    "pcs_control": "pcs_setpoint_W pcs_heartbeat",
    "bms_state": "contactor_state bms_fault_bits bms_bad_frames cells_online sensors_invalid_max",
    "bms_cells": "cell_voltage_mV_min cell_voltage_mV_max cell_position_min cell_position_max",
    "bms_pack": "rack_voltage_mV rack_current_mA insulation_kohm",
    "bms_limits": "charge_current_mA_max discharge_current_mA_max",
    "bms_charge": "soc_permille soh_permille",
}


def test_each_input_is_known_with_what_arrives_with_it():
    found = {}
    for inputs, groups in (
        (s.CABINET_INPUTS, s.CABINET_GROUPS),
        (s.UNIT_INPUTS, s.UNIT_GROUPS),
        (s.RACK_INPUTS, s.RACK_GROUPS),
    ):
        for name, *_, group in inputs:
            found.setdefault(groups[group], []).append(name)
    assert {group: " ".join(names) for group, names in found.items()} == ARRIVES_WITH
