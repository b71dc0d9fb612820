"""Holds the rows of the cause-and-effect matrix as data (STAGES).

A row has one or more stages; each stage demands levels of the outputs.

Source of the numbers: section 7 of the project's NFPA 855 fact table. STAGES has the values for LFP
cells, NMC_THRESHOLDS those for NMC cells that differ. Rows 49 to 59 are not in that table: the
project added them. controller/rows has the record of each row.

A demand is a level per output; 0 is no demand. The highest level of all stages counts, so a further
fault never lowers a demand.
"""

from safety.signals import CABINET, RACK, UNIT

# The features that stages compare with thresholds, per scope. features.py and the modules that it
# uses compute them.
# Names, many to a line.
# fmt: off
CABINET_FEATURES = (
    "estop_1_ok", "estop_2_ok", "estop_discrepancy", "fire_alarm_ok", "suppression_ok",
    "fire_detectors", "fire_trouble_ok", "offgas_ppm_max", "offgas_ppm_second", "toxic_ppm",
    "toxic_rise_ppm", "gas_lfl_permille_max", "gas_relay_ok", "gas_detectors_faulty",
    "gas_detectors_silent", "gas_calibration_d_min", "gas_detectors_lost", "airflow_missing",
    "damper_missing", "hvac_ok", "air_temperature_ddegC", "cell_voltage_ok", "closing_failures",
    "bms_fault_ok", "leak_ok", "coolant_ok", "humidity_permille", "mains_ok", "ups_reserve_min",
    "image_changed", "step_late_ms", "late_steps", "boot_not_clean", "boot_store_unreadable",
    "self_test_bits", "cpu_temperature_ddegC", "noc_lost_s", "noc_unverified", "key_run_ok",
    "key_discrepancy",
    "door_ok", "io_silence_ms", "meter_silence_ms", "meter_frozen_ms", "peer_code",
    "image_approved_ok", "meter_sign", "monitor_silence_ms", "grid_over_permille",
    "grid_over_by_charging_permille", "grid_export_by_battery_permille", "on_ups", "energised",
    "gas_or_smoke_alert", "gas_alert", "heating_alert", "any_sign",
)
(F_ESTOP_1_OK, F_ESTOP_2_OK, F_ESTOP_DISCREPANCY, F_FIRE_ALARM_OK, F_SUPPRESSION_OK,
 F_FIRE_DETECTORS, F_FIRE_TROUBLE_OK, F_OFFGAS_PPM_MAX, F_OFFGAS_PPM_SECOND, F_TOXIC_PPM,
 F_TOXIC_RISE_PPM, F_GAS_LFL_PERMILLE_MAX, F_GAS_RELAY_OK, F_GAS_DETECTORS_FAULTY,
 F_GAS_DETECTORS_SILENT, F_GAS_CALIBRATION_D_MIN, F_GAS_DETECTORS_LOST, F_AIRFLOW_MISSING,
 F_DAMPER_MISSING, F_HVAC_OK, F_AIR_TEMPERATURE_DDEGC, F_CELL_VOLTAGE_OK, F_CLOSING_FAILURES,
 F_BMS_FAULT_OK, F_LEAK_OK, F_COOLANT_OK, F_HUMIDITY_PERMILLE, F_MAINS_OK, F_UPS_RESERVE_MIN,
 F_IMAGE_CHANGED, F_STEP_LATE_MS, F_LATE_STEPS, F_BOOT_NOT_CLEAN, F_BOOT_STORE_UNREADABLE,
 F_SELF_TEST_BITS, F_CPU_TEMPERATURE_DDEGC, F_NOC_LOST_S, F_NOC_UNVERIFIED, F_KEY_RUN_OK,
 F_KEY_DISCREPANCY,
 F_DOOR_OK, F_IO_SILENCE_MS, F_METER_SILENCE_MS, F_METER_FROZEN_MS, F_PEER_CODE,
 F_IMAGE_APPROVED_OK, F_METER_SIGN, F_MONITOR_SILENCE_MS, F_GRID_OVER_PERMILLE,
 F_GRID_OVER_BY_CHARGING_PERMILLE, F_GRID_EXPORT_BY_BATTERY_PERMILLE, F_ON_UPS, F_ENERGISED,
 F_GAS_OR_SMOKE_ALERT, F_GAS_ALERT, F_HEATING_ALERT, F_ANY_SIGN) = range(57)
UNIT_FEATURES = (
    "pcs_silence_level", "pcs_excess_W", "bus_mismatch_mV", "currents_apart_dA",
    "pcs_beyond_permille", "pcs_short_permille", "pcs_fault_level", "pcs_in_fault",
)
(F_PCS_SILENCE_LEVEL, F_PCS_EXCESS_W, F_BUS_MISMATCH_MV, F_CURRENTS_APART_DA, F_PCS_BEYOND_PERMILLE,
 F_PCS_SHORT_PERMILLE, F_PCS_FAULT_LEVEL, F_PCS_IN_FAULT) = range(8)
RACK_FEATURES = (
    "cell_voltage_mV_max", "cell_voltage_mV_min", "cell_spread_mV", "cell_voltage_drop_mV",
    "temperature_ddegC_max", "temperature_ddegC_min", "temperature_spread_ddegC",
    "temperature_over_median_ddegC", "temperature_rising", "temperature_rise_3s_ddegC",
    "temperature_rise_10s_ddegC", "temperature_unexplained_ddegC", "temperature_zeros",
    "sensors_invalid_max", "charging", "current_over_105_mA", "current_over_110_mA",
    "current_over_200_mA", "insulation_ohm_per_V", "contactor_mismatch", "bms_silence_level",
    "bms_bad_frames_recent", "runaway_hint", "runaway_suspicion_pct",
    "bms_still_ms", "bms_fault_level",
)
(F_CELL_VOLTAGE_MV_MAX, F_CELL_VOLTAGE_MV_MIN, F_CELL_SPREAD_MV, F_CELL_VOLTAGE_DROP_MV,
 F_TEMPERATURE_DDEGC_MAX, F_TEMPERATURE_DDEGC_MIN, F_TEMPERATURE_SPREAD_DDEGC,
 F_TEMPERATURE_OVER_MEDIAN_DDEGC, F_TEMPERATURE_RISING, F_TEMPERATURE_RISE_3S_DDEGC,
 F_TEMPERATURE_RISE_10S_DDEGC, F_TEMPERATURE_UNEXPLAINED_DDEGC, F_TEMPERATURE_ZEROS,
 F_SENSORS_INVALID_MAX, F_CHARGING, F_CURRENT_OVER_105_MA, F_CURRENT_OVER_110_MA,
 F_CURRENT_OVER_200_MA, F_INSULATION_OHM_PER_V, F_CONTACTOR_MISMATCH, F_BMS_SILENCE_LEVEL,
 F_BMS_BAD_FRAMES_RECENT, F_RUNAWAY_HINT, F_RUNAWAY_SUSPICION_PCT, F_BMS_STILL_MS,
 F_BMS_FAULT_LEVEL) = range(26)
# fmt: on
FEATURES = (CABINET_FEATURES, UNIT_FEATURES, RACK_FEATURES)
UNIT_FEATURE_COUNT, RACK_FEATURE_COUNT = len(UNIT_FEATURES), len(RACK_FEATURES)
NO_GATE = -1
# Values of `known` of a feature; 0: not known.
# IN_PART: some of its inputs are missing. The feature may trip a stage, because the missing inputs
# could only raise it. It clears no stage.
# DOUBTED: one of its inputs may come from a dead sensor. The feature may trip a stage and clears
# none. Below the threshold the set count of the stage restarts.
KNOWN, IN_PART, DOUBTED = 1, 2, 3
# Gates: a feature and its rows. The feature is 1 if one of the rows was active or latched in the
# step before.
ALERTS = (
    # rows 15 and 16: "any gas or smoke alert"
    (F_GAS_OR_SMOKE_ALERT, (2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 21)),
    (F_GAS_ALERT, (7, 8, 9, 10, 11, 12)),  # row 48: "gas > 0 alarm"
    (F_HEATING_ALERT, (22, 23)),  # row 8: "or + dT/dt"
    # row 24: "any of rows 7-23"
    (F_ANY_SIGN, (7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)),
)

# After these rows, and after each latch that the key resets, the cabinet is in standby: it closes
# again only when a person starts it after the reset. Stages 47a, 48a and 48b have no latch. After
# them a person starts the cabinet once the key is in RUN and the door is shut. A reset is no start:
# IEC 60204-1 (?), ISO 13850 (?).
REST_ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22, 23, 47, 48, 53)

# Demands of a stage on the outputs, each an ordered level.
# Names, many to a line.
# fmt: off
DEMANDS = (
    "pcs", "dc", "fan", "horn", "lamp", "red_lamp", "charge_inhibit", "discharge_inhibit",
    "charge_derate_pct", "discharge_derate_pct", "maintenance", "operator", "facu", "pre_alarm",
    "shunt_trip", "aux_shed", "removal",
)
(D_PCS, D_DC, D_FAN, D_HORN, D_LAMP, D_RED_LAMP, D_CHARGE_INHIBIT, D_DISCHARGE_INHIBIT,
 D_CHARGE_DERATE_PCT, D_DISCHARGE_DERATE_PCT, D_MAINTENANCE, D_OPERATOR, D_FACU, D_PRE_ALARM,
 D_SHUNT_TRIP, D_AUX_SHED, D_REMOVAL) = range(17)
# fmt: on
DEMAND_COUNT = len(DEMANDS)
PCS_RAMP, PCS_STOP = 1, 2
# DC_INHIBIT: do not close. DC_OPEN_AT_ZERO: open at zero current or after 2 s. DC_OPEN: open once
# the PCS has stopped, or after 200 ms. DC_OPEN_ONLY_AT_ZERO: open only at zero current; this
# outranks DC_OPEN, because an arc in gas above 25 % LFL is worse than the current (row 12). A
# breaker outside the gas ends the current then. With the demand `removal` (rows 1 to 3) the wait
# ends after 4 s (opening.py).
DC_INHIBIT, DC_OPEN_AT_ZERO, DC_OPEN, DC_OPEN_ONLY_AT_ZERO = 1, 2, 3, 4
# Inhibits: a row that ramps the power to zero inhibits after its ramp, because a step to zero would
# be a stop. Every other row inhibits at once.
INHIBIT_BY_RAMP, INHIBIT_AT_ONCE = 1, 2
SELF, REMOTE, KEY = 0, 1, 2  # reset: by itself, remote, with the key on site

# Conflicts between demands: demand that yields, row that wins, parameter with the hold-off, clause.
# A fan would blow the extinguishing agent out. But unburnt gas without ventilation has killed
# (McMicken), so the default hold-off is 0.
CONFLICTS = ((D_FAN, 3, "agent_hold_off_ms", "A32, D1, D2"),)


# Tables from here on: a demand, a stage, a row to a line.
# fmt: off
def _demand(*, pcs: int = 0, dc: int = 0, fan: int = 0, horn: int = 0, lamp: int = 0, red: int = 0,
            charge: int = 0, discharge: int = 0, charge_derate: int = 0, discharge_derate: int = 0,
            maintenance: int = 0, operator: int = 0, facu: int = 0, pre_alarm: int = 0,
            shunt_trip: int = 0, aux_shed: int = 0, removal: int = 0,
            ramp: int = 0) -> tuple[int, ...]:
    """Levels in the order of DEMANDS.

    charge, discharge: 1 inhibits. A derate of 75 leaves a quarter of the power. ramp: 1 inhibits
    after a ramp; the other direction stays free.
    """
    inhibit = INHIBIT_BY_RAMP if pcs == PCS_RAMP or ramp else INHIBIT_AT_ONCE
    return (pcs, dc, fan, horn, lamp, red, charge * inhibit, discharge * inhibit, charge_derate,
            discharge_derate, maintenance, operator, facu, pre_alarm, shunt_trip, aux_shed,
            removal)


def _pcs_stop(**more: int) -> tuple[int, ...]:
    """PCS stop, both directions inhibited, lamp, operator; `more` adds levels."""
    return _demand(pcs=PCS_STOP, lamp=1, charge=1, discharge=1, operator=1, **more)


def _pcs_ramp(**more: int) -> tuple[int, ...]:
    """PCS ramp, both directions inhibited after it, lamp, operator; `more` adds levels."""
    return _demand(pcs=PCS_RAMP, lamp=1, charge=1, discharge=1, operator=1, **more)


_EMERGENCY = _pcs_stop(dc=DC_OPEN, horn=1, red=1, facu=1, removal=1)
_FIRE_PANEL = _pcs_stop(dc=DC_OPEN, fan=1, horn=1, red=1, facu=1, pre_alarm=1, removal=1)
_FIRE = _pcs_stop(dc=DC_OPEN, fan=1, horn=1, red=1, facu=1, pre_alarm=1)
# Rows 8 and 10 to 12 also shed the auxiliary loads that are not rated for gas (section 7,
# priority).
_GAS = _pcs_stop(dc=DC_OPEN, fan=1, horn=1, red=1, facu=1, pre_alarm=1, aux_shed=1)
_GAS_HIGH = _pcs_stop(dc=DC_OPEN_ONLY_AT_ZERO, fan=1, horn=1, red=1, facu=1, pre_alarm=1,
                      aux_shed=1)
_SMOKE = _pcs_ramp(dc=DC_OPEN_AT_ZERO, horn=1, facu=1, pre_alarm=1)
_OFFGAS = _pcs_ramp(dc=DC_OPEN_AT_ZERO, fan=1, horn=1, facu=1, pre_alarm=1)
_STOP = _pcs_stop(dc=DC_OPEN_AT_ZERO, horn=1)
# A51 of the fact table: the lamp is red on loss of data
_BLIND = _pcs_stop(dc=DC_OPEN_AT_ZERO, horn=1, red=1)
_RAMP = _pcs_ramp()
_RAMP_OPEN = _pcs_ramp(dc=DC_OPEN_AT_ZERO)
_GAS_DOUBT = _demand(dc=DC_INHIBIT, lamp=1, charge_derate=50, discharge_derate=50, maintenance=1,
                     operator=1)
_AIRFLOW = _demand(fan=1, horn=1, lamp=1, charge=1, charge_derate=50, discharge_derate=50,
                   operator=1)
_DAMPER = _demand(fan=1, lamp=1, charge=1, charge_derate=50, discharge_derate=50, operator=1)
_SELF_TEST = _pcs_stop(dc=DC_OPEN_AT_ZERO, fan=1, horn=1)
_WARN = _demand(lamp=1, maintenance=1)
_NO_CHARGE = _demand(lamp=1, charge=1, operator=1)

# Debounce of features that are computed once a second. 1.5 s are two samples in a row, so one wrong
# reading latches nothing (rows 22, 23). A single puff of gas that stays shows a rise for 5 s, so
# row 10b waits 6 s. A cell that sags once shows a fall for 3 s (row 24). It also raises the spread,
# and one event must not count as two signs, so row 53 waits 4 s.
#
# Columns: id, row, scope, feature, sense (+1: trips at or above `set`, -1: at or below), set,
# clear, set_ms, clear_ms, latch, gate, demand. The clear time starts when the feature has reached
# `clear`, on the safe side of `set`. Booleans: _ok trips at 0.
STAGES: tuple[tuple, ...] = (
    ("1a", 1, CABINET, F_ESTOP_1_OK, -1, 0, 1, 20, 0, KEY, NO_GATE, _EMERGENCY),
    ("1b", 1, CABINET, F_ESTOP_2_OK, -1, 0, 1, 20, 0, KEY, NO_GATE, _EMERGENCY),
    ("1c", 1, CABINET, F_ESTOP_DISCREPANCY, 1, 1, 0, 500, 0, KEY, NO_GATE, _EMERGENCY),
    ("2", 2, CABINET, F_FIRE_ALARM_OK, -1, 0, 1, 200, 0, KEY, NO_GATE, _FIRE_PANEL),
    ("3", 3, CABINET, F_SUPPRESSION_OK, -1, 0, 1, 100, 0, KEY, NO_GATE,
     _pcs_stop(dc=DC_OPEN, fan=1, horn=1, red=1, facu=1, removal=1)),
    ("4", 4, CABINET, F_FIRE_DETECTORS, 1, 1, 0, 2000, 0, REMOTE, NO_GATE, _SMOKE),
    ("5", 5, CABINET, F_FIRE_DETECTORS, 1, 2, 0, 500, 0, KEY, NO_GATE, _FIRE),
    ("6a", 6, CABINET, F_FIRE_TROUBLE_OK, -1, 0, 1, 5000, 0, REMOTE, NO_GATE,
     _demand(dc=DC_INHIBIT, lamp=1, charge_derate=50, discharge_derate=50, maintenance=1,
             operator=1)),
    ("6b", 6, CABINET, F_FIRE_TROUBLE_OK, -1, 0, 1, 900_000, 0, REMOTE, NO_GATE,
     _demand(dc=DC_INHIBIT, lamp=1, charge=1, charge_derate=50, discharge_derate=50,
             maintenance=1, operator=1)),
    ("7", 7, CABINET, F_OFFGAS_PPM_MAX, 1, 20, 10, 5000, 0, REMOTE, NO_GATE, _OFFGAS),
    ("8a", 8, CABINET, F_OFFGAS_PPM_SECOND, 1, 20, 10, 2000, 0, KEY, NO_GATE, _GAS),
    ("8b", 8, CABINET, F_OFFGAS_PPM_MAX, 1, 20, 10, 30_000, 0, KEY, NO_GATE, _GAS),
    ("8c", 8, CABINET, F_OFFGAS_PPM_MAX, 1, 20, 10, 2000, 0, KEY, F_HEATING_ALERT, _GAS),
    ("9", 9, CABINET, F_TOXIC_PPM, 1, 50, 30, 10_000, 0, REMOTE, NO_GATE,
     _pcs_ramp(dc=DC_OPEN_AT_ZERO, fan=1, horn=1)),
    ("10a", 10, CABINET, F_TOXIC_PPM, 1, 200, 100, 5000, 0, KEY, NO_GATE, _GAS),
    ("10b", 10, CABINET, F_TOXIC_RISE_PPM, 1, 51, 10, 6000, 0, KEY, NO_GATE, _GAS),
    ("11", 11, CABINET, F_GAS_LFL_PERMILLE_MAX, 1, 100, 80, 2000, 0, KEY, NO_GATE, _GAS),
    ("12a", 12, CABINET, F_GAS_LFL_PERMILLE_MAX, 1, 250, 200, 0, 0, KEY, NO_GATE, _GAS_HIGH),
    ("12b", 12, CABINET, F_GAS_RELAY_OK, -1, 0, 1, 0, 0, KEY, NO_GATE, _GAS_HIGH),
    ("13a", 13, CABINET, F_GAS_DETECTORS_FAULTY, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE, _GAS_DOUBT),
    ("13b", 13, CABINET, F_GAS_DETECTORS_SILENT, 1, 1, 0, 10_000, 1000, SELF, NO_GATE, _GAS_DOUBT),
    ("13c", 13, CABINET, F_GAS_CALIBRATION_D_MIN, -1, -1, 0, 10_000, 1000, SELF, NO_GATE,
     _GAS_DOUBT),
    ("14", 14, CABINET, F_GAS_DETECTORS_LOST, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE,
     _pcs_ramp(dc=DC_OPEN_AT_ZERO, fan=1, horn=1, red=1, facu=1)),
    ("15a", 15, CABINET, F_AIRFLOW_MISSING, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE, _AIRFLOW),
    ("15b", 15, CABINET, F_AIRFLOW_MISSING, 1, 1, 0, 10_000, 0, REMOTE, F_GAS_OR_SMOKE_ALERT,
     _STOP),
    ("16a", 16, CABINET, F_DAMPER_MISSING, 1, 1, 0, 12_000, 0, REMOTE, NO_GATE, _DAMPER),
    ("16b", 16, CABINET, F_DAMPER_MISSING, 1, 1, 0, 12_000, 0, REMOTE, F_GAS_OR_SMOKE_ALERT,
     _pcs_stop(dc=DC_OPEN_AT_ZERO, fan=1)),
    ("17a", 17, CABINET, F_HVAC_OK, -1, 0, 1, 60_000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge_derate=50, discharge_derate=50, maintenance=1, operator=1)),
    ("17b", 17, CABINET, F_AIR_TEMPERATURE_DDEGC, 1, 451, 430, 60_000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, charge_derate=50, discharge_derate=50, maintenance=1, operator=1)),
    ("17c", 17, CABINET, F_AIR_TEMPERATURE_DDEGC, 1, 501, 480, 60_000, 1000, SELF, NO_GATE,
     _demand(pcs=PCS_RAMP, lamp=1, charge=1, charge_derate=50, discharge_derate=50, maintenance=1,
             operator=1)),
    ("30", 30, CABINET, F_CELL_VOLTAGE_OK, -1, 0, 1, 200, 0, KEY, NO_GATE,
     _pcs_stop(dc=DC_OPEN, horn=1)),
    ("38a", 38, CABINET, F_CLOSING_FAILURES, 1, 3, 2, 0, 0, REMOTE, NO_GATE,
     _pcs_stop(dc=DC_INHIBIT)),
    ("40e", 40, CABINET, F_BMS_FAULT_OK, -1, 0, 1, 100, 0, REMOTE, NO_GATE, _STOP),
    ("42a", 42, CABINET, F_LEAK_OK, -1, 0, 1, 2000, 0, REMOTE, NO_GATE, _STOP),
    ("42b", 42, CABINET, F_COOLANT_OK, -1, 0, 1, 2000, 0, REMOTE, NO_GATE, _STOP),
    ("42c", 42, CABINET, F_HUMIDITY_PERMILLE, 1, 901, 850, 60_000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, discharge=1, operator=1)),
    ("43a", 43, CABINET, F_MAINS_OK, -1, 0, 1, 5000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, operator=1, facu=1)),
    ("43b", 43, CABINET, F_UPS_RESERVE_MIN, -1, 119, 121, 5000, 1000, SELF, F_ON_UPS,
     _pcs_ramp(facu=1)),
    ("43c", 43, CABINET, F_UPS_RESERVE_MIN, -1, 29, 40, 5000, 0, REMOTE, F_ON_UPS,
     _pcs_stop(dc=DC_OPEN_AT_ZERO, horn=1, facu=1)),
    ("43d", 43, CABINET, F_UPS_RESERVE_MIN, -1, 119, 121, 5000, 1000, SELF, NO_GATE, _WARN),
    ("44a", 44, CABINET, F_IMAGE_CHANGED, 1, 1, 0, 0, 0, KEY, NO_GATE, _SELF_TEST),
    ("44b", 44, CABINET, F_STEP_LATE_MS, 1, 500, 100, 0, 0, REMOTE, NO_GATE, _SELF_TEST),
    ("44c", 44, CABINET, F_BOOT_NOT_CLEAN, 1, 1, 0, 0, 0, REMOTE, NO_GATE,
     _pcs_stop(dc=DC_OPEN_AT_ZERO)),
    ("44d", 44, CABINET, F_BOOT_STORE_UNREADABLE, 1, 1, 0, 0, 0, KEY, NO_GATE,
     _pcs_stop(dc=DC_OPEN_AT_ZERO)),
    ("44e", 44, CABINET, F_SELF_TEST_BITS, 1, 1, 0, 0, 0, KEY, NO_GATE, _SELF_TEST),
    ("44f", 44, CABINET, F_CPU_TEMPERATURE_DDEGC, 1, 1101, 1049, 500, 0, REMOTE, NO_GATE,
     _SELF_TEST),
    ("44g", 44, CABINET, F_LATE_STEPS, 1, 3, 2, 0, 0, REMOTE, NO_GATE, _SELF_TEST),
    ("46a", 46, CABINET, F_NOC_LOST_S, 1, 901, 1, 0, 0, SELF, NO_GATE, _WARN),
    ("46b", 46, CABINET, F_NOC_LOST_S, 1, 901, 1, 0, 0, SELF, NO_GATE,
     _demand(lamp=1, charge_derate=50, discharge_derate=50, maintenance=1)),
    ("46c", 46, CABINET, F_NOC_UNVERIFIED, 1, 1, 0, 0, 0, SELF, NO_GATE,
     _demand(dc=DC_INHIBIT, lamp=1, charge=1, maintenance=1)),
    ("47a", 47, CABINET, F_KEY_RUN_OK, -1, 0, 1, 0, 0, SELF, NO_GATE, _RAMP_OPEN),
    ("47b", 47, CABINET, F_KEY_DISCREPANCY, 1, 1, 0, 500, 0, REMOTE, NO_GATE, _RAMP_OPEN),
    ("48a", 48, CABINET, F_DOOR_OK, -1, 0, 1, 1000, 0, SELF, F_ENERGISED,
     _demand(pcs=PCS_RAMP, charge=1, discharge=1, operator=1)),
    ("48b", 48, CABINET, F_DOOR_OK, -1, 0, 1, 1000, 0, SELF, F_GAS_ALERT, _pcs_ramp(fan=1, horn=1)),
    ("49", 49, CABINET, F_IO_SILENCE_MS, 1, 500, 200, 0, 0, REMOTE, NO_GATE, _BLIND),
    ("50a", 50, CABINET, F_METER_SILENCE_MS, 1, 500, 300, 0, 1000, SELF, NO_GATE, _NO_CHARGE),
    ("50b", 50, CABINET, F_METER_FROZEN_MS, 1, 5000, 1000, 0, 1000, SELF, NO_GATE, _NO_CHARGE),
    ("50c", 50, CABINET, F_METER_SIGN, 1, 2, 1, 0, 1000, SELF, NO_GATE, _NO_CHARGE),
    ("50d", 50, CABINET, F_METER_SIGN, 1, 3, 1, 0, 0, REMOTE, NO_GATE, _NO_CHARGE),
    ("51", 51, CABINET, F_PEER_CODE, 1, 1, 0, 0, 0, REMOTE, F_ENERGISED,
     _pcs_stop(dc=DC_OPEN, horn=1)),
    ("52", 52, CABINET, F_MONITOR_SILENCE_MS, 1, 10_000, 5000, 0, 1000, SELF, NO_GATE,
     _demand(dc=DC_INHIBIT, lamp=1, charge_derate=50, discharge_derate=50, maintenance=1,
             operator=1)),
    ("57a", 57, CABINET, F_GRID_OVER_PERMILLE, 1, 20, 10, 2000, 1000, SELF, NO_GATE,
     _demand(lamp=1, operator=1)),
    ("57b", 57, CABINET, F_GRID_OVER_BY_CHARGING_PERMILLE, 1, 20, 10, 27_000, 0, REMOTE, NO_GATE,
     _demand(lamp=1, charge=1, operator=1, ramp=1)),
    ("57c", 57, CABINET, F_GRID_EXPORT_BY_BATTERY_PERMILLE, 1, 20, 10, 27_000, 0, REMOTE, NO_GATE,
     _demand(lamp=1, discharge=1, operator=1, ramp=1)),
    ("58", 58, CABINET, F_IMAGE_APPROVED_OK, -1, 0, 1, 0, 0, SELF, NO_GATE,
     _pcs_stop(dc=DC_OPEN_AT_ZERO)),
    ("38b", 38, UNIT, F_BUS_MISMATCH_MV, 1, 10_000, 5000, 5000, 0, REMOTE, NO_GATE,
     _pcs_stop(dc=DC_INHIBIT)),
    ("41a", 41, UNIT, F_PCS_SILENCE_LEVEL, 1, 1, 0, 0, 0, REMOTE, NO_GATE, _RAMP),
    ("41b", 41, UNIT, F_PCS_SILENCE_LEVEL, 1, 2, 0, 0, 0, REMOTE, NO_GATE, _pcs_stop(horn=1)),
    ("41c", 41, UNIT, F_PCS_SILENCE_LEVEL, 1, 3, 0, 0, 0, REMOTE, NO_GATE, _STOP),
    ("41d", 41, UNIT, F_PCS_EXCESS_W, 1, 1, 0, 5000, 0, REMOTE, NO_GATE, _STOP),
    ("55", 55, UNIT, F_CURRENTS_APART_DA, 1, 1, 0, 500, 0, REMOTE, NO_GATE, _STOP),
    ("56a", 56, UNIT, F_PCS_BEYOND_PERMILLE, 1, 100, 80, 1000, 0, REMOTE, NO_GATE, _STOP),
    ("56b", 56, UNIT, F_PCS_SHORT_PERMILLE, 1, 100, 80, 3000, 1000, SELF, NO_GATE,
     _demand(lamp=1, operator=1)),
    ("59c", 59, UNIT, F_PCS_FAULT_LEVEL, 1, 2, 1, 200, 0, REMOTE, NO_GATE, _STOP),
    ("59d", 59, UNIT, F_PCS_FAULT_LEVEL, 1, 1, 0, 200, 1000, SELF, NO_GATE,
     _demand(lamp=1, operator=1)),
    ("59e", 59, UNIT, F_PCS_IN_FAULT, 1, 1, 0, 5000, 0, REMOTE, NO_GATE, _STOP),
    ("18a", 18, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 350, 330, 5000, 1000, SELF, F_CHARGING, _WARN),
    ("18b", 18, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 450, 430, 5000, 1000, SELF, NO_GATE, _WARN),
    ("19a", 19, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 400, 380, 5000, 1000, SELF, NO_GATE, _NO_CHARGE),
    ("19b", 19, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 500, 480, 5000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, discharge_derate=75, operator=1)),
    ("20a", 20, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 450, 400, 2000, 0, REMOTE, F_CHARGING, _STOP),
    ("20b", 20, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 550, 500, 2000, 0, REMOTE, NO_GATE, _STOP),
    ("21a", 21, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 650, 550, 1000, 0, KEY, NO_GATE, _FIRE),
    ("21b", 21, RACK, F_TEMPERATURE_OVER_MEDIAN_DDEGC, 1, 151, 100, 1000, 0, KEY,
     F_TEMPERATURE_RISING, _FIRE),
    ("22", 22, RACK, F_TEMPERATURE_UNEXPLAINED_DDEGC, 1, 5, 2, 1500, 0, REMOTE, NO_GATE,
     _pcs_ramp(dc=DC_OPEN_AT_ZERO, horn=1, pre_alarm=1)),
    ("23a", 23, RACK, F_TEMPERATURE_RISE_10S_DDEGC, 1, 20, 10, 1500, 0, KEY, NO_GATE, _FIRE),
    ("23b", 23, RACK, F_TEMPERATURE_RISE_3S_DDEGC, 1, 30, 10, 1500, 0, KEY, NO_GATE, _FIRE),
    ("24", 24, RACK, F_CELL_VOLTAGE_DROP_MV, 1, 250, 100, 500, 0, KEY, F_RUNAWAY_HINT, _FIRE),
    ("25a", 25, RACK, F_TEMPERATURE_DDEGC_MIN, -1, -1, 30, 10_000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, maintenance=1)),
    ("25b", 25, RACK, F_TEMPERATURE_DDEGC_MIN, -1, -201, -170, 10_000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, discharge=1, maintenance=1)),
    ("26a", 26, RACK, F_TEMPERATURE_SPREAD_DDEGC, 1, 100, 80, 10_000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge_derate=50, discharge_derate=50, maintenance=1)),
    ("26b", 26, RACK, F_TEMPERATURE_SPREAD_DDEGC, 1, 150, 100, 10_000, 0, REMOTE, NO_GATE,
     _pcs_ramp(dc=DC_OPEN_AT_ZERO, horn=1, charge_derate=50, discharge_derate=50)),
    ("27", 27, RACK, F_CELL_VOLTAGE_MV_MAX, 1, 3550, 3450, 10_000, 1000, SELF, NO_GATE,
     _demand(maintenance=1)),
    ("28", 28, RACK, F_CELL_VOLTAGE_MV_MAX, 1, 3600, 3550, 5000, 1000, SELF, NO_GATE, _NO_CHARGE),
    ("29", 29, RACK, F_CELL_VOLTAGE_MV_MAX, 1, 3650, 3550, 2000, 0, REMOTE, NO_GATE,
     _demand(pcs=PCS_STOP, dc=DC_OPEN_AT_ZERO, horn=1, lamp=1, charge=1, operator=1)),
    ("31a", 31, RACK, F_CELL_VOLTAGE_MV_MIN, -1, 2900, 3000, 10_000, 1000, SELF, NO_GATE, _WARN),
    ("31b", 31, RACK, F_CELL_VOLTAGE_MV_MIN, -1, 2800, 3000, 5000, 1000, SELF, NO_GATE,
     _demand(lamp=1, discharge=1, operator=1)),
    ("32", 32, RACK, F_CELL_VOLTAGE_MV_MIN, -1, 2500, 2900, 5000, 0, REMOTE, NO_GATE,
     _demand(pcs=PCS_STOP, dc=DC_OPEN_AT_ZERO, horn=1, lamp=1, discharge=1, operator=1)),
    ("33", 33, RACK, F_CELL_VOLTAGE_MV_MIN, -1, 2000, 2800, 1000, 0, KEY, NO_GATE,
     _pcs_stop(dc=DC_OPEN, horn=1)),
    ("34a", 34, RACK, F_CELL_SPREAD_MV, 1, 100, 80, 30_000, 1000, SELF, NO_GATE, _WARN),
    ("34b", 34, RACK, F_CELL_SPREAD_MV, 1, 200, 150, 30_000, 1000, SELF, NO_GATE,
     _demand(pcs=PCS_RAMP, lamp=1, charge=1, charge_derate=50, discharge_derate=50, operator=1)),
    ("34c", 34, RACK, F_CELL_SPREAD_MV, 1, 400, 200, 5000, 0, REMOTE, NO_GATE, _STOP),
    ("35a", 35, RACK, F_CURRENT_OVER_105_MA, 1, 1, 0, 10_000, 1000, SELF, NO_GATE, _RAMP),
    ("35b", 35, RACK, F_CURRENT_OVER_110_MA, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE, _STOP),
    ("36", 36, RACK, F_CURRENT_OVER_200_MA, 1, 1, 0, 100, 0, KEY, NO_GATE,
     _pcs_stop(dc=DC_OPEN, horn=1)),
    ("37a", 37, RACK, F_INSULATION_OHM_PER_V, -1, 499, 600, 30_000, 1000, SELF, NO_GATE,
     _demand(dc=DC_INHIBIT, lamp=1, maintenance=1, operator=1)),
    ("37b", 37, RACK, F_INSULATION_OHM_PER_V, -1, 99, 500, 5000, 0, KEY, NO_GATE,
     _pcs_stop(dc=DC_OPEN_AT_ZERO, horn=1, maintenance=1)),
    ("39", 39, RACK, F_CONTACTOR_MISMATCH, 1, 1, 0, 300, 0, KEY, NO_GATE,
     _pcs_stop(dc=DC_OPEN, horn=1, facu=1, shunt_trip=1)),
    ("40a", 40, RACK, F_BMS_SILENCE_LEVEL, 1, 1, 0, 0, 0, SELF, NO_GATE,
     _demand(lamp=1, operator=1)),
    ("40b", 40, RACK, F_BMS_SILENCE_LEVEL, 1, 2, 0, 0, 0, REMOTE, NO_GATE, _RAMP),
    ("40c", 40, RACK, F_BMS_SILENCE_LEVEL, 1, 3, 0, 0, 0, REMOTE, NO_GATE, _BLIND),
    ("40d", 40, RACK, F_BMS_BAD_FRAMES_RECENT, 1, 20, 5, 0, 1000, SELF, NO_GATE,
     _demand(lamp=1, operator=1)),
    ("45a", 45, RACK, F_SENSORS_INVALID_MAX, 1, 2, 1, 10_000, 0, REMOTE, NO_GATE, _RAMP),
    ("45b", 45, RACK, F_SENSORS_INVALID_MAX, 1, 2, 1, 85_000, 0, REMOTE, NO_GATE, _RAMP_OPEN),
    ("45c", 45, RACK, F_TEMPERATURE_ZEROS, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE, _RAMP),
    ("45d", 45, RACK, F_TEMPERATURE_ZEROS, 1, 1, 0, 85_000, 0, REMOTE, NO_GATE, _RAMP_OPEN),
    ("53", 53, RACK, F_RUNAWAY_SUSPICION_PCT, 1, 140, 70, 4000, 0, REMOTE, NO_GATE, _OFFGAS),
    ("54", 54, RACK, F_BMS_STILL_MS, 1, 10_000, 1000, 0, 0, REMOTE, NO_GATE, _RAMP_OPEN),
    ("59b", 59, RACK, F_BMS_FAULT_LEVEL, 1, 1, 0, 200, 1000, SELF, NO_GATE,
     _demand(lamp=1, operator=1)),
    ("59a", 59, RACK, F_BMS_FAULT_LEVEL, 1, 2, 1, 200, 0, REMOTE, NO_GATE, _STOP),
)
(S_ID, S_ROW, S_SCOPE, S_FEATURE, S_SENSE, S_SET, S_CLEAR, S_SET_MS, S_CLEAR_MS, S_LATCH, S_GATE,
 S_DEMAND) = range(12)

# NMC cells (nickel manganese cobalt oxide): stage, set, clear (section 7, values in brackets; C6,
# C11).
NMC_THRESHOLDS = (
    ("27", 4150, 4050),
    ("28", 4200, 4150),
    ("29", 4250, 4150),
    ("31a", 3200, 3300),
    ("31b", 3000, 3200),
    ("32", 2800, 3100),
    ("33", 2200, 3000),
)

# fmt: on
STAGES_PER_SCOPE = tuple(
    [len([stage for stage in STAGES if stage[S_SCOPE] == scope]) for scope in (CABINET, UNIT, RACK)]
)


def ladders(stages: tuple) -> tuple:
    """List for each output the levels that stages ask for, lowest first, each with its own bit.

    An item is ((bit, level), ...) of one output.
    """
    outputs: list[tuple[tuple[int, int], ...]] = []
    count = 0
    for output in range(DEMAND_COUNT):
        levels = sorted({stage[S_DEMAND][output] for stage in stages} - {0})
        outputs.append(tuple([(1 << count + place, levels[place]) for place in range(len(levels))]))
        count += len(levels)
    return tuple(outputs)


def asks(stage: tuple, of_outputs: tuple) -> int:
    """The bits of the levels that a stage asks for, and of all lower levels.

    The bitwise or of several stages then contains the highest level of each output.
    """
    demand, bits = stage[S_DEMAND], 0
    for output in range(DEMAND_COUNT):
        for bit, level in of_outputs[output]:
            bits |= bit if level <= demand[output] else 0
    return bits


LADDERS = ladders(STAGES)
ASKS = tuple([asks(stage, LADDERS) for stage in STAGES])


def rests(stage: tuple[object, ...]) -> bool:
    """True if the cabinet is in standby after a latch of this stage."""
    return stage[S_LATCH] == KEY or stage[S_LATCH] == REMOTE and stage[S_ROW] in REST_ROWS
