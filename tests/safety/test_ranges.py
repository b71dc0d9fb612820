"""Ranges of parameters and inputs, a second time: unit, lowest, highest, default, tighter side."""

import importlib
import itertools
import re

import pytest

from safety import matrix as m, parameters as p, permit, signals as s
from safety.mcu import loop

INT = s.INT_MAX

CABINET_PARAMETERS = """
ms 100 500 500 down: io_silent_ms | ms 100 5000 500 down: meter_silent_ms
ms 1000 5000 5000 down: meter_frozen_ms | ms 100 10000 3000 down: gas_silent_ms
bool 0 1 1 up: gas_required | count 0 2 2 fixed: gas_detectors
ms 40 500 500 down: permit_expiry_ms | ms 100 2000 2000 down: ramp_to_zero_ms
permille/s 1 1000 50 down: limit_recovery_permille_per_s | count 0 3 3 down: resets_per_hour_max
ms 5000 600000 5000 up: reset_clear_ms | ms 100 2000 2000 down: open_at_zero_ms_max
ms 0 200 200 down: open_after_stop_ms | ms 500 10000 5000 down: contactor_close_ms_max
mV 100 10000 3000 down: rack_voltage_spread_mV_max | bool 0 1 1 up: bms_fault_contact_fitted
bool 0 1 1 fixed: door_fitted meter_load_fitted | count 0 2 2 fixed: offgas_detectors
bool 0 1 1 fixed: toxic_fitted | count 0 2 2 fixed: smoke_zones
bool 0 1 1 fixed: heat_fitted io_3_fitted climate_fitted ups_fitted supervised_fitted
  key_service_fitted close_command_fitted
ms 1000 10000 10000 down: monitor_silent_ms | ms 0 600000 0 down: agent_hold_off_ms
ms 0 30000 30000 up: fuse_wait_ms | ms 100 2000 600 down: contactor_report_ms
ms 5000 120000 10000 down: bms_still_ms | W 0 100000000 500000 down: grid_import_W_max
W 0 100000000 0 down: grid_export_W_max
"""
UNIT_PARAMETERS = """
W 1000 100000000 250000 down: rated_W
W 0 100000000 250000 down: installer_charge_W_max installer_discharge_W_max
permille 500 1000 970 down: efficiency_permille_min rack_sharing_permille
ms 100 60000 2000 down: pcs_ramp_ms | ms 100 60000 3000 down: pcs_stop_ms
ms 100 60000 5000 down: pcs_open_ms | ms 100 2000 1000 down: pcs_follow_ms
bits 0 INT 53347 fixed: pcs_trip_bits | bits 0 INT 28 fixed: pcs_info_bits
permille 0 100 10 down: pcs_current_error_permille
"""
RACK_PARAMETERS = """
index 0 15 0 fixed: unit | mA 1000 1600000 140000 down: rated_current_mA
count 0 64 15 fixed: modules | count 1 4095 240 fixed: cells
bool 0 1 1 fixed: cells_reported temperatures_reported | ms 100 60000 500 down: bms_warn_ms
ms 100 60000 1000 down: bms_ramp_ms | ms 100 60000 3000 down: bms_stop_ms
mV 2000 4300 3500 down: charge_taper_mV | mV 2000 4300 3600 down: charge_end_mV
mV 2000 4300 3000 up: discharge_taper_mV | mV 2000 4300 2800 up: discharge_end_mV
mA 1000 3000000 300000 down: break_current_mA | nK/A2s 0 900 90 down: heating_nK_per_A2s
bool 0 1 1 fixed: insulation_reported sensors_reported
bits 0 INT 255 fixed: bms_trip_bits | bits 0 INT 0 fixed: bms_info_bits
permille 0 100 10 down: current_error_permille
"""
CABINET_INPUTS = """
bool 0 1: estop_1_ok fire_alarm_ok suppression_ok gas_relay_ok airflow_ok key_run_ok permit_1_closed
  door_ok estop_2_ok bms_fault_ok permit_2_closed cell_voltage_ok smoke_1_ok smoke_2_ok heat_ok
  fire_trouble_ok damper_ok hvac_ok leak_ok coolant_ok supervised_ok key_service_closed
code 0 1: source_code | W -INT INT: grid_power_W
hash 0 INT: grid_raw_hash | W -INT INT: load_power_W | hash 0 INT: load_raw_hash
permille 0 1000: gas_1_lfl_permille | bool 0 1: gas_1_ok | d -36500 36500: gas_1_calibration_d
permille 0 1000: gas_2_lfl_permille | bool 0 1: gas_2_ok | d -36500 36500: gas_2_calibration_d
ppm 0 10000: offgas_1_ppm | bool 0 1: offgas_1_ok | d -36500 36500: offgas_1_calibration_d
ppm 0 10000: offgas_2_ppm | bool 0 1: offgas_2_ok | d -36500 36500: offgas_2_calibration_d
ppm 0 10000: toxic_ppm | bool 0 1: toxic_ok | d -36500 36500: toxic_calibration_d
ddegC -600 3000: air_temperature_ddegC | permille 0 1000: humidity_permille | bool 0 1: mains_ok
min 0 10000: ups_reserve_min | bool 0 1: run_request armed_stored | code 0 2: reset_kind
stage -1 4095: reset_first_out | hash 0 INT: reset_mask
bool 0 1: lock_out_ok test_request noc_link_ok noc_verified | bits 0 31: self_test_bits
ddegC -600 3000: cpu_temperature_ddegC | code 0 16777215: peer_code
bool 0 1: image_approved_ok store_is_old | code 0 3: meter_sign
"""
UNIT_INPUTS = """
W -INT INT: pcs_power_W | mV 0 2000000: pcs_dc_voltage_mV | mA -INT INT: pcs_dc_current_mA
code 0 255: pcs_state | bits 0 INT: pcs_alarm_bits | bool 0 1: pcs_forming
W -INT INT: pcs_setpoint_W | count 0 INT: pcs_heartbeat | W -INT INT: pcs_sent_W
"""
RACK_INPUTS = """
code 0 3: contactor_state | bits 0 INT: bms_fault_bits | count 0 INT: bms_bad_frames
count 0 4095: cells_online | mV 0 10000: cell_voltage_mV_min cell_voltage_mV_max
position 0 4095: cell_position_min cell_position_max | mV 0 2000000: rack_voltage_mV
mA -3300000 3300000: rack_current_mA | mA 0 3000000: charge_current_mA_max discharge_current_mA_max
permille 0 1000: soc_permille soh_permille | kohm 0 65535: insulation_kohm
count 0 15: sensors_invalid_max
"""


def read(word):
    if word.lstrip("-").isdigit():
        return int(word)
    return {"INT": INT, "-INT": -INT}.get(word, word)


def test_the_widest_number_and_the_longest_time():
    assert (s.INT_MAX, s.TICKS_MAX) == (2**30 - 1, 10**9)
    assert s.MODULE_TEMPERATURE_RANGE_DDEGC == (-600, 3000)


CABINET_OUTPUTS = """
bool: pcs_enable_ok contactor_supply_ok fan_on horn_on lamp_on red_lamp_on supervisory_ok
  pre_alarm_on shunt_trip_on aux_load_ok notify_maintenance notify_operator
code: state inhibit_reason | stage: first_out | index: first_out_instance | hash: cause_mask
count: active_count latched_count resets_left | bool: obligations_ok arm_request
code: reset_result | hash: image_crc | count: evidence_count evidence_total
bool: start_needed withhold_on
"""
UNIT_OUTPUTS = """
W: charge_W_max discharge_W_max | limit: charge_reason discharge_reason | bool: pcs_run_ok"""
RACK_OUTPUTS = "bool: contactor_close_ok | code: contactor_step"
PAIRS = [("CABINET", "UNIT", "RACK"), ("PARAMETERS", "INPUTS", "OUTPUTS")]


@pytest.mark.parametrize("name", ["_".join(pair) for pair in itertools.product(*PAIRS)])
def test_a_table_is_as_written_here(name):
    groups = parts(globals()[name])
    rows = [(each, *map(read, row.split())) for row, names in groups for each in names]
    table = getattr(p if name.endswith("PARAMETERS") else s, name)
    assert [row[: len(rows[0])] for row in table] == rows


def test_the_numbers_that_journals_and_the_other_channel_know():
    """A level or a state is stored as its number: another one would be read as something else."""
    assert (m.NO_GATE, m.KNOWN, m.IN_PART, m.DOUBTED, p.IMAGE_SCHEMA) == (-1, 1, 2, 3, 4)
    assert (m.PCS_RAMP, m.PCS_STOP) == (m.INHIBIT_BY_RAMP, m.INHIBIT_AT_ONCE) == (1, 2)
    assert (m.DC_INHIBIT, m.DC_OPEN_AT_ZERO, m.DC_OPEN, m.DC_OPEN_ONLY_AT_ZERO) == (1, 2, 3, 4)
    assert (m.SELF, m.REMOTE, m.KEY) == (s.CABINET, s.UNIT, s.RACK) == (0, 1, 2)
    assert s.STATES == ("inhibited", "ready", "closing", "running", "stopping", "tripped")
    assert (s.UNIT_INPUT_COUNT, s.UNIT_GROUP_COUNT, s.UNIT_OUTPUT_COUNT) == (9, 2, 5)
    assert (s.RACK_GROUP_COUNT, s.RACK_OUTPUT_COUNT) == (6, 2)


def test_stages_have_names_of_their_own_the_order_of_their_scopes_and_a_hysteresis():
    assert len({stage[m.S_ID] for stage in m.STAGES}) == len(m.STAGES)
    scopes = [stage[m.S_SCOPE] for stage in m.STAGES]
    assert scopes == sorted(scopes) and set(scopes) == {s.CABINET, s.UNIT, s.RACK}
    for stage in m.STAGES:
        assert stage[m.S_CLEAR] * stage[m.S_SENSE] < stage[m.S_SET] * stage[m.S_SENSE], stage


def test_where_cells_of_the_other_chemistry_clear():
    high = ("27", 4150, 4050), ("28", 4200, 4150), ("29", 4250, 4150)
    low = ("31a", 3200, 3300), ("31b", 3000, 3200), ("32", 2800, 3100), ("33", 2200, 3000)
    assert high + low == m.NMC_THRESHOLDS


# signals of one frame or one reply: a signal is known when its group is
ARRIVES_WITH = """
io_1: estop_1_ok fire_alarm_ok suppression_ok gas_relay_ok airflow_ok key_run_ok permit_1_closed
  door_ok
io_2: estop_2_ok bms_fault_ok permit_2_closed cell_voltage_ok smoke_1_ok smoke_2_ok heat_ok
  fire_trouble_ok
io_3: damper_ok hvac_ok leak_ok coolant_ok supervised_ok key_service_closed source_code
meter_grid: grid_power_W grid_raw_hash | meter_load: load_power_W load_raw_hash
gas_1: gas_1_lfl_permille gas_1_ok gas_1_calibration_d
gas_2: gas_2_lfl_permille gas_2_ok gas_2_calibration_d
offgas_1: offgas_1_ppm offgas_1_ok offgas_1_calibration_d
offgas_2: offgas_2_ppm offgas_2_ok offgas_2_calibration_d
toxic: toxic_ppm toxic_ok toxic_calibration_d
climate: air_temperature_ddegC humidity_permille | ups: mains_ok ups_reserve_min
local: run_request armed_stored reset_kind reset_first_out reset_mask lock_out_ok test_request
  noc_link_ok noc_verified self_test_bits cpu_temperature_ddegC peer_code
  image_approved_ok store_is_old meter_sign
pcs_measure: pcs_power_W pcs_dc_voltage_mV pcs_dc_current_mA pcs_state pcs_alarm_bits pcs_forming
pcs_control: pcs_setpoint_W pcs_heartbeat pcs_sent_W
bms_state: contactor_state bms_fault_bits bms_bad_frames cells_online sensors_invalid_max
bms_cells: cell_voltage_mV_min cell_voltage_mV_max cell_position_min cell_position_max
bms_pack: rack_voltage_mV rack_current_mA insulation_kohm
bms_limits: charge_current_mA_max discharge_current_mA_max | bms_charge: soc_permille soh_permille
"""


def parts(text):
    """[(text before the colon, [names])]"""
    found = [part.split(":") for part in re.split(r"[|\n](?!  )", text.strip())]
    return [(head.strip(), names.split()) for head, names in found]


def test_each_input_is_known_with_what_arrives_with_it():
    found = {}
    for scope in ("CABINET", "UNIT", "RACK"):
        for name, *_, group in getattr(s, scope + "_INPUTS"):
            found.setdefault(getattr(s, scope + "_GROUPS")[group], []).append(name)
    assert found == dict(parts(ARRIVES_WITH))


# numbers that are in no table, with their origin; no other test could see
# a millisecond within a tick, a bound against overflow, both ends of the link changed together
CONTACTS = tuple(
    "estop_1_ok estop_2_ok fire_alarm_ok suppression_ok gas_relay_ok airflow_ok "
    "bms_fault_ok cell_voltage_ok".split()
)
MOST = 1_600_000, 1_600_000, 1000, 2000, 1000, 1000, 1000, 1000, 1, 1000, 1000
COMBUSTIBLE = (s.G_GAS_1, s.GAS_1_LFL_PERMILLE), (s.G_GAS_2, s.GAS_2_LFL_PERMILLE)
VAPOUR = (s.G_OFFGAS_1, s.OFFGAS_1_PPM), (s.G_OFFGAS_2, s.OFFGAS_2_PPM)
BOOT = ("image_changed", "step_late_ms", "boot_not_clean", "boot_store_unreadable")
OWN_FEATURES = (*CONTACTS[:2], "estop_discrepancy", *CONTACTS[2:5], *CONTACTS[6:], *BOOT)
# module, name, value, origin
NUMBERS = (
    ("tapers", "TAPER_DDEGC", ((350, 450), (450, 550)), "rows 18 to 20: charging, discharging"),
    ("tapers", "COLD_NONE_DDEGC", (0, -200), "row 25: 0 and -20 degC"),
    ("tapers", "COLD_SPAN_DDEGC", 100, "project: from 10 K above row 25"),
    ("tapers", "TAPER_STAGES", (("18a", "20a", "25a"), ("18b", "20b", "25b")), "the same rows"),
    ("tapers", "SOC_TAPER_PERMILLE", ((970, 1000), (30, 0)), "project: the last 3 %"),
    ("tapers", "FULL_PERMILLE", 1000, "all of it"),
    ("rack_limits", "MOST", MOST, "most of a rating, of a voltage, all of a share, closed"),
    ("bounds", "TEST_PERMILLE", 50, "design, TEST mode: 5 % of rated"),
    ("frame", "FRAME_EVERY_TICKS", 2, "design: 40 ms"),
    ("channel", "SEQUENCE_AHEAD_MAX", 25, "0.5 s of frames, one each 20 ms"),
    ("frame", "SHARED_NAMES", CONTACTS, "design"),
    ("frame", "KEEP", 3, "a kind beside those of a reset"),
    ("connection", "LIMIT_PARTS", 60_000, "a quarter of means.VALUE_MAX"),
    ("matrix", "REST_ROWS", (*range(1, 13), 22, 23, 47, 48, 53), "IEC 60204-1 (?), ISO 13850 (?)"),
    ("contactors", "STILL_CLOSED", 1, "a code that the first step tells from none"),
    ("contactors", "LOST", 2, "a code of its own"),
    ("start_checklist", "VOLTAGE_MV_MIN", 1000, "row 37: ohm per volt, of whole volts"),
    ("features", "TICKS_FOR_MS_MAX", 1_000_000, "times 1000 ms a tick is below 2^30"),
    ("features", "NOC_TICKS_MAX", 10_000_000, "two days of 20 ms"),
    ("gas", "COMBUSTIBLE", COMBUSTIBLE, "rows 11, 12"),
    ("gas", "HALF_S", 5, "project: half of row 10's 10 s"),
    ("gas", "RISE_S", 10, "row 10: 5 ppm/s for 10 s"),
    ("gas", "TOXIC", ((s.G_TOXIC, s.TOXIC_PPM),), "rows 9, 10"),
    ("gas", "VAPOUR", VAPOUR, "rows 7, 8"),
    ("heating", "HISTORY_S", 30, "row 22: for 30 s"),
    ("heating", "FAST_S", 10, "row 23: 0.2 K/s for 10 s"),
    ("heating", "FASTEST_S", 3, "row 23: 1 K/s for 3 s"),
    ("heating", "RISING_DDEGC", 2, "project: above the noise of 0.1 K"),
    ("heating", "ZERO_MARGIN_DDEGC", 100, "row 45, project: the spread that row 26 warns of"),
    ("heating", "UK_PER_DDEGC", 100_000, "0.1 K in millionths"),
    ("image_check", "CRC_STEPS", 100, "2 s of 20 ms for the whole image"),
    ("kernel", "ELAPSED_MAX", 1_000_000, "times 1000 ms a tick is below 2^30"),
    ("latches", "HOUR_MS", 3_600_000, "an hour"),
    ("latches", "TOKENS", 3, "design: three remote resets an hour"),
    ("matrix", "CONFLICTS", ((2, 3, "agent_hold_off_ms", "A32, D1, D2"),), "row 3: the fan"),
    ("peer", "DISAGREE_MS", 500, "row 1: contacts that disagree for 0.5 s"),
    ("peer", "CLOCK_WINDOW_MS", 5000, "project: two windows of 5 s"),
    ("peer", "CLOCK_PERMILLE_MAX", 20, "project: 2 %, far above a crystal's error"),
    ("peer", "OWN_TICKS_MAX", 1_000_000, "as the kernel's late step"),
    ("opening", "W_FUSE", 0, "a place"),
    ("permit", "RETRY_MS", 10_000, "foxBMS bms_cfg.h: 10 s before the next attempt"),
    ("opening", "UNKNOWN_CURRENT_MS", 200, "silence ladder: 3 s and 3.2 s"),
    ("opening", "STOPPING_MS_MAX", 5000, "project: a controlled stop ends"),
    ("opening", "BREAKER_MS", 1000, "project: a converter that obeys has stopped"),
    ("opening", "CLEARED_MS", 2000, "project: the breaker has opened"),
    ("opening", "REMOVAL_MS", 4000, "issue: rows 1 to 3 remove all energy within 5 s"),
    ("opening", "PCS_ZERO_MA", 5000, "project: a converter at rest"),
    ("permit", "RELAY_MS", 1000, "project: relay and off-delay"),
    ("permit", "TEST_MS", 60_000, "design, TEST mode: 60 s"),
    ("permit", "FAILURES_MAX", 3, "row 38: three tries"),
    ("racks", "BAD_FRAMES_MAX", 1000, "project: the bucket is full"),
    ("racks", "ZERO_CURRENT_MA", 2000, "row 35: the larger of 2 A and 1 %"),
    ("racks", "DROP_S", 3, "row 24: within 2 s, and the second that passes between two looks"),
    ("racks", "NOMINAL_MV", 3700, "row 37, C60: nominal voltage; of NMC cells, the higher one"),
    ("racks", "LOAD_SAG_MV", 150, "project: at rated current"),
    ("runaway", "SIGN_PCT_MAX", 100, "a sign counts once"),
    ("runaway", "SECOND_PCT_MIN", 25, "project: below it there is no second sign"),
    ("second_image", "OWN_FEATURES", OWN_FEATURES, "the rows that B holds alone; its own row 44"),
    ("second", "RELAY_MS", 200, "project: a relay takes 20 ms"),
    ("second_image", "IMAGE_FILE_MAGIC", 0x31424D49, "IMB1, little end first"),
)


@pytest.mark.parametrize(
    "module, name, value, origin", NUMBERS, ids=[f"{row[0]}.{row[1]}" for row in NUMBERS]
)
def test_a_number_is_what_its_origin_says(module, name, value, origin):
    assert getattr(importlib.import_module("safety." + module), name) == value, origin


def test_the_states_that_go_together():
    """Safety README, "Safe states"."""
    assert permit.AT_REST == (s.INHIBITED, s.READY)
    assert permit.STARTING == (s.INHIBITED, s.READY, s.CLOSING)
    assert permit.ENERGISED == (s.CLOSING, s.RUNNING, s.STOPPING)
    assert permit.LIVE == (s.CLOSING, s.RUNNING, s.STOPPING, s.TRIPPED)
    assert permit.ENDING == (s.STOPPING, s.TRIPPED)
    assert importlib.import_module("safety.kernel").POWERED == (s.RUNNING, s.STOPPING, s.TRIPPED)
    assert len(loop.LINE) == 64, "more than a frame at a time"
