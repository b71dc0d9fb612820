"""STAGES: the cause-and-effect rows as data, one or more stages each, with what each one demands of the outputs.

Source of the numbers: section 7 of the project's NFPA 855 fact table (LFP values); rows 49 and 50 are ours: the silence
ladder for the I/O modules and the meter, for which the table has no row. Clause and confidence stand in CLAUSES.
A demand is a level per output, 0 = none; levels of several stages combine by `max`, so adding a fault never lowers one.
"""

from safety.signals import CABINET, RACK, UNIT

# Derived signals a stage may look at (features.py computes them), per scope.
CABINET_FEATURES = (
    "estop_1_ok", "estop_2_ok", "estop_discrepancy", "fire_alarm_ok", "suppression_ok", "gas_relay_ok",
    "gas_lfl_permille_max", "gas_detectors_faulty", "gas_detectors_silent", "gas_calibration_d_min",
    "gas_detectors_lost", "airflow_missing", "gas_or_smoke_alert", "io_silence_ms", "meter_silence_ms",
    "meter_frozen_ms", "image_changed", "step_late_ms", "boot_not_clean", "boot_store_unreadable", "bms_fault_ok",
)
(F_ESTOP_1_OK, F_ESTOP_2_OK, F_ESTOP_DISCREPANCY, F_FIRE_ALARM_OK, F_SUPPRESSION_OK, F_GAS_RELAY_OK,
 F_GAS_LFL_PERMILLE_MAX, F_GAS_DETECTORS_FAULTY, F_GAS_DETECTORS_SILENT, F_GAS_CALIBRATION_D_MIN,
 F_GAS_DETECTORS_LOST, F_AIRFLOW_MISSING, F_GAS_OR_SMOKE_ALERT, F_IO_SILENCE_MS, F_METER_SILENCE_MS,
 F_METER_FROZEN_MS, F_IMAGE_CHANGED, F_STEP_LATE_MS, F_BOOT_NOT_CLEAN, F_BOOT_STORE_UNREADABLE,
 F_BMS_FAULT_OK) = range(21)
UNIT_FEATURES = ("pcs_silence_level", "pcs_excess_W")
F_PCS_SILENCE_LEVEL, F_PCS_EXCESS_W = range(2)
RACK_FEATURES = (
    "cell_voltage_mV_max", "cell_voltage_mV_min", "temperature_ddegC_max", "temperature_over_median_ddegC",
    "temperature_rising", "charging", "current_over_105_mA", "current_over_110_mA", "bms_silence_level",
    "bms_bad_frames_recent",
)
(F_CELL_VOLTAGE_MV_MAX, F_CELL_VOLTAGE_MV_MIN, F_TEMPERATURE_DDEGC_MAX, F_TEMPERATURE_OVER_MEDIAN_DDEGC,
 F_TEMPERATURE_RISING, F_CHARGING, F_CURRENT_OVER_105_MA, F_CURRENT_OVER_110_MA, F_BMS_SILENCE_LEVEL,
 F_BMS_BAD_FRAMES_RECENT) = range(10)
FEATURES = (CABINET_FEATURES, UNIT_FEATURES, RACK_FEATURES)
UNIT_FEATURE_COUNT, RACK_FEATURE_COUNT = len(UNIT_FEATURES), len(RACK_FEATURES)
NO_GATE = -1
# What `known` of a feature says (0: not known). A value made of several inputs of which some are missing may trip a
# stage (what is missing could only add to it), but shows no stage to be clear.
KNOWN, IN_PART = 1, 2

# Demands: what a stage asks of the outputs, each an ordered level.
DEMANDS = ("pcs", "dc", "fan", "horn", "lamp", "red_lamp", "charge_inhibit", "discharge_inhibit",
           "charge_derate_pct", "discharge_derate_pct", "maintenance", "operator", "facu", "pre_alarm")
(D_PCS, D_DC, D_FAN, D_HORN, D_LAMP, D_RED_LAMP, D_CHARGE_INHIBIT, D_DISCHARGE_INHIBIT, D_CHARGE_DERATE_PCT,
 D_DISCHARGE_DERATE_PCT, D_MAINTENANCE, D_OPERATOR, D_FACU, D_PRE_ALARM) = range(14)
DEMAND_COUNT = len(DEMANDS)
PCS_RAMP, PCS_STOP = 1, 2
# DC: inhibit closing; open at zero current or after 2 s; open at once after the PCS has stopped or 200 ms; open only at
# zero current, however long that takes. The last outranks opening under load: an arc in gas above 25 % LFL (row 12).
DC_INHIBIT, DC_OPEN_AT_ZERO, DC_OPEN, DC_OPEN_ONLY_AT_ZERO = 1, 2, 3, 4
# Inhibits: of a row that ramps, through its ramp (a step to zero would be a stop); of every other row at once.
INHIBIT_BY_RAMP, INHIBIT_AT_ONCE = 1, 2
SELF, REMOTE, KEY = 0, 1, 2  # how a stage resets: by itself, by a remote reset, by the key on site


def _demand(pcs=0, dc=0, fan=0, horn=0, lamp=0, red=0, charge=0, discharge=0, charge_derate=0, discharge_derate=0,
            maintenance=0, operator=0, facu=0, pre_alarm=0):
    """Levels in the order of DEMANDS. charge, discharge: 1 inhibits. A derate of 75 means that a quarter is left."""
    inhibit = INHIBIT_BY_RAMP if pcs == PCS_RAMP else INHIBIT_AT_ONCE
    return (pcs, dc, fan, horn, lamp, red, charge * inhibit, discharge * inhibit, charge_derate, discharge_derate,
            maintenance, operator, facu, pre_alarm)


_EMERGENCY = _demand(PCS_STOP, DC_OPEN, 0, 1, 1, 1, 1, 1, operator=1, facu=1)
_GAS = _demand(PCS_STOP, DC_OPEN, 1, 1, 1, 1, 1, 1, operator=1, facu=1, pre_alarm=1)
_GAS_HIGH = _demand(PCS_STOP, DC_OPEN_ONLY_AT_ZERO, 1, 1, 1, 1, 1, 1, operator=1, facu=1, pre_alarm=1)
_STOP = _demand(PCS_STOP, DC_OPEN_AT_ZERO, 0, 1, 1, 0, 1, 1, operator=1)
_RAMP = _demand(PCS_RAMP, 0, 0, 0, 1, 0, 1, 1, operator=1)
_GAS_DOUBT = _demand(0, DC_INHIBIT, lamp=1, charge_derate=50, discharge_derate=50, maintenance=1, operator=1)
_AIRFLOW = _demand(horn=1, lamp=1, charge=1, charge_derate=50, discharge_derate=50, operator=1)
_SELF_TEST = _demand(PCS_STOP, DC_OPEN_AT_ZERO, 1, 1, 1, 0, 1, 1, operator=1)

# id, row, scope, feature, sense (+1: at or above `set`, -1: at or below), set, clear, set_ms, clear_ms, latch, gate,
# demand. `clear` is the value on the safe side at which the clear time starts to run. Booleans: _ok trips at 0.
STAGES = (
    ("1a", 1, CABINET, F_ESTOP_1_OK, -1, 0, 1, 20, 0, KEY, NO_GATE, _EMERGENCY),
    ("1b", 1, CABINET, F_ESTOP_2_OK, -1, 0, 1, 20, 0, KEY, NO_GATE, _EMERGENCY),
    ("1c", 1, CABINET, F_ESTOP_DISCREPANCY, 1, 1, 0, 500, 0, KEY, NO_GATE, _EMERGENCY),
    ("2", 2, CABINET, F_FIRE_ALARM_OK, -1, 0, 1, 200, 0, KEY, NO_GATE, _GAS),
    ("3", 3, CABINET, F_SUPPRESSION_OK, -1, 0, 1, 100, 0, KEY, NO_GATE,
     _demand(PCS_STOP, DC_OPEN, 1, 1, 1, 1, 1, 1, operator=1, facu=1)),
    ("11", 11, CABINET, F_GAS_LFL_PERMILLE_MAX, 1, 100, 80, 2000, 0, KEY, NO_GATE, _GAS),
    ("12a", 12, CABINET, F_GAS_LFL_PERMILLE_MAX, 1, 250, 200, 0, 0, KEY, NO_GATE, _GAS_HIGH),
    ("12b", 12, CABINET, F_GAS_RELAY_OK, -1, 0, 1, 0, 0, KEY, NO_GATE, _GAS_HIGH),
    ("13a", 13, CABINET, F_GAS_DETECTORS_FAULTY, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE, _GAS_DOUBT),
    ("13b", 13, CABINET, F_GAS_DETECTORS_SILENT, 1, 1, 0, 10_000, 1000, SELF, NO_GATE, _GAS_DOUBT),
    ("13c", 13, CABINET, F_GAS_CALIBRATION_D_MIN, -1, -1, 0, 10_000, 1000, SELF, NO_GATE, _GAS_DOUBT),
    ("14", 14, CABINET, F_GAS_DETECTORS_LOST, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE,
     _demand(PCS_RAMP, DC_OPEN_AT_ZERO, 1, 1, 1, 0, 1, 1, operator=1, facu=1)),
    ("15a", 15, CABINET, F_AIRFLOW_MISSING, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE, _AIRFLOW),
    ("15b", 15, CABINET, F_AIRFLOW_MISSING, 1, 1, 0, 10_000, 0, REMOTE, F_GAS_OR_SMOKE_ALERT, _STOP),
    ("40e", 40, CABINET, F_BMS_FAULT_OK, -1, 0, 1, 100, 0, REMOTE, NO_GATE, _STOP),
    ("44a", 44, CABINET, F_IMAGE_CHANGED, 1, 1, 0, 0, 0, KEY, NO_GATE, _SELF_TEST),
    ("44b", 44, CABINET, F_STEP_LATE_MS, 1, 500, 100, 0, 0, REMOTE, NO_GATE, _SELF_TEST),
    ("44c", 44, CABINET, F_BOOT_NOT_CLEAN, 1, 1, 0, 0, 0, REMOTE, NO_GATE,
     _demand(PCS_STOP, DC_OPEN_AT_ZERO, 0, 0, 1, 0, 1, 1, operator=1)),
    ("44d", 44, CABINET, F_BOOT_STORE_UNREADABLE, 1, 1, 0, 0, 0, KEY, NO_GATE,
     _demand(PCS_STOP, DC_OPEN_AT_ZERO, 0, 0, 1, 0, 1, 1, operator=1)),
    ("49", 49, CABINET, F_IO_SILENCE_MS, 1, 500, 200, 0, 0, REMOTE, NO_GATE, _STOP),
    ("50a", 50, CABINET, F_METER_SILENCE_MS, 1, 500, 300, 0, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, operator=1)),
    ("50b", 50, CABINET, F_METER_FROZEN_MS, 1, 5000, 1000, 0, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, operator=1)),
    ("41a", 41, UNIT, F_PCS_SILENCE_LEVEL, 1, 1, 0, 0, 0, REMOTE, NO_GATE, _RAMP),
    ("41b", 41, UNIT, F_PCS_SILENCE_LEVEL, 1, 2, 0, 0, 0, REMOTE, NO_GATE,
     _demand(PCS_STOP, 0, 0, 1, 1, 0, 1, 1, operator=1)),
    ("41c", 41, UNIT, F_PCS_SILENCE_LEVEL, 1, 3, 0, 0, 0, REMOTE, NO_GATE, _STOP),
    ("41d", 41, UNIT, F_PCS_EXCESS_W, 1, 1, 0, 5000, 0, REMOTE, NO_GATE, _STOP),
    ("19a", 19, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 450, 430, 5000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, operator=1)),
    ("19b", 19, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 500, 480, 5000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, discharge_derate=75, operator=1)),
    ("20a", 20, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 500, 450, 2000, 0, REMOTE, F_CHARGING, _STOP),
    ("20b", 20, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 550, 500, 2000, 0, REMOTE, NO_GATE, _STOP),
    ("21a", 21, RACK, F_TEMPERATURE_DDEGC_MAX, 1, 650, 550, 1000, 0, KEY, NO_GATE, _GAS),
    ("21b", 21, RACK, F_TEMPERATURE_OVER_MEDIAN_DDEGC, 1, 151, 100, 1000, 0, KEY, F_TEMPERATURE_RISING, _GAS),
    ("28", 28, RACK, F_CELL_VOLTAGE_MV_MAX, 1, 3600, 3550, 5000, 1000, SELF, NO_GATE,
     _demand(lamp=1, charge=1, operator=1)),
    ("29", 29, RACK, F_CELL_VOLTAGE_MV_MAX, 1, 3650, 3550, 2000, 0, REMOTE, NO_GATE,
     _demand(PCS_STOP, DC_OPEN_AT_ZERO, 0, 1, 1, 0, 1, 0, operator=1)),
    ("31a", 31, RACK, F_CELL_VOLTAGE_MV_MIN, -1, 2900, 3000, 10_000, 1000, SELF, NO_GATE,
     _demand(lamp=1, maintenance=1)),
    ("31b", 31, RACK, F_CELL_VOLTAGE_MV_MIN, -1, 2800, 3000, 5000, 1000, SELF, NO_GATE,
     _demand(lamp=1, discharge=1, operator=1)),
    ("32", 32, RACK, F_CELL_VOLTAGE_MV_MIN, -1, 2500, 2900, 5000, 0, REMOTE, NO_GATE,
     _demand(PCS_STOP, DC_OPEN_AT_ZERO, 0, 1, 1, 0, 0, 1, operator=1)),
    ("35a", 35, RACK, F_CURRENT_OVER_105_MA, 1, 1, 0, 10_000, 1000, SELF, NO_GATE, _RAMP),
    ("35b", 35, RACK, F_CURRENT_OVER_110_MA, 1, 1, 0, 10_000, 0, REMOTE, NO_GATE, _STOP),
    ("40a", 40, RACK, F_BMS_SILENCE_LEVEL, 1, 1, 0, 0, 0, SELF, NO_GATE, _demand(lamp=1, operator=1)),
    ("40b", 40, RACK, F_BMS_SILENCE_LEVEL, 1, 2, 0, 0, 0, REMOTE, NO_GATE, _RAMP),
    ("40c", 40, RACK, F_BMS_SILENCE_LEVEL, 1, 3, 0, 0, 0, REMOTE, NO_GATE, _STOP),
    ("40d", 40, RACK, F_BMS_BAD_FRAMES_RECENT, 1, 20, 5, 0, 1000, SELF, NO_GATE, _demand(lamp=1, operator=1)),
)
(S_ID, S_ROW, S_SCOPE, S_FEATURE, S_SENSE, S_SET, S_CLEAR, S_SET_MS, S_CLEAR_MS, S_LATCH, S_GATE,
 S_DEMAND) = range(12)

# row: (what it is, basis in the fact table, confidence code there)
CLAUSES = {
    1: ("emergency stop, two contacts, or contacts that disagree for 0.5 s", "A47", "C2"),
    2: ("fire alarm relay of the fire panel", "A40-A43, A32", "C2"),
    3: ("suppression agent released", "A32, A34, D1", "C2"),
    11: ("combustible gas at 10 % of the lower flammable limit", "A27, NFPA 855-2023 9.6.5.6 (?)", "G"),
    12: ("combustible gas at 25 % of the lower flammable limit, or its hard relay", "A20, A21, A25", "C"),
    13: ("a gas detector faulty, silent, or its calibration overdue", "A26", "G"),
    14: ("all gas detection lost", "A26, A62", "G"),
    15: ("fan commanded but no proof of airflow", "A24", "C"),
    19: ("cell temperature alarm", "C20-C21", "C"),
    20: ("cell temperature trip", "C21", "C"),
    21: ("cell temperature runaway suspicion", "C23, C27", "D"),
    28: ("cell over-voltage, charging inhibited", "C1", "C"),
    29: ("cell over-voltage trip", "C1-C3, C6", "C"),
    31: ("cell under-voltage warning and discharge inhibit", "C1-C2", "C"),
    32: ("cell under-voltage trip", "C1", "C"),
    35: ("current above the limit", "C64", "C"),
    40: ("BMS silent, its counter frozen, many bad frames, or its fault contact open", "C74-C76, A61", "C"),
    41: ("PCS silent, or its power above the limit", "C66, C79", "D"),
    44: ("controller self-test: late step, changed limit image, unclean start", "A92, C82", "C2"),
    49: ("I/O module silent (ours: the silence ladder)", "design", "D"),
    50: ("meter silent or frozen (ours: the silence ladder)", "design", "D"),
}


def _in_scope(scope):
    return tuple([stage for stage in STAGES if stage[S_SCOPE] == scope])


STAGES_PER_SCOPE = (len(_in_scope(CABINET)), len(_in_scope(UNIT)), len(_in_scope(RACK)))
