"""Lists every input and output of the kernel: name, unit, range, freshness group, scope.

One flat array holds all inputs: first of the cabinet, then of each unit, then of each rack. A rack
has its fixed signals, then one temperature per module.

A freshness group holds the signals that arrive together, in one frame or reply. A driver decodes
and checks all of them, stores the values and sets the `fresh` byte of the group. The kernel counts
the age of the group. Only this makes a signal known.

Booleans have one polarity: `_ok` and `_closed` are 1 when permitted or closed, so a broken wire
stops the cabinet.

Units: `mV mA W ms` as written, `ddegC` = 0.1 degree Celsius, `permille` = 0.1 %, `pct` = 1 %, `d` =
days, `min` = minutes, `kohm` = kilohm. Current and power are positive when the battery discharges;
`grid_power_W` is positive when the site imports.
"""

CABINET, UNIT, RACK = 0, 1, 2
INT_MAX = (1 << 30) - 1  # a small int on a 32-bit MicroPython holds 31 bits with its sign
# Ages and counters stop here, so that with a late step added they stay below 2^30.
TICKS_MAX = 1_000_000_000

# Names, many to a line.
# fmt: off
CABINET_GROUPS = (
    "io_1", "io_2", "io_3", "meter_grid", "meter_load", "gas_1", "gas_2", "offgas_1", "offgas_2",
    "toxic", "climate", "ups", "local",
)
(G_IO_1, G_IO_2, G_IO_3, G_METER_GRID, G_METER_LOAD, G_GAS_1, G_GAS_2, G_OFFGAS_1, G_OFFGAS_2,
 G_TOXIC, G_CLIMATE, G_UPS, G_LOCAL) = range(13)
# fmt: on
UNIT_GROUPS = ("pcs_measure", "pcs_control")
G_PCS_MEASURE, G_PCS_CONTROL = range(2)
RACK_GROUPS = ("bms_state", "bms_cells", "bms_pack", "bms_limits", "bms_charge", "bms_temperatures")
G_BMS_STATE, G_BMS_CELLS, G_BMS_PACK, G_BMS_LIMITS, G_BMS_CHARGE, G_BMS_TEMPERATURES = range(6)

# name, unit, low, high, group
CABINET_INPUTS = (
    ("estop_1_ok", "bool", 0, 1, G_IO_1),
    ("fire_alarm_ok", "bool", 0, 1, G_IO_1),
    ("suppression_ok", "bool", 0, 1, G_IO_1),
    ("gas_relay_ok", "bool", 0, 1, G_IO_1),
    ("airflow_ok", "bool", 0, 1, G_IO_1),
    ("key_run_ok", "bool", 0, 1, G_IO_1),
    ("permit_1_closed", "bool", 0, 1, G_IO_1),
    ("door_ok", "bool", 0, 1, G_IO_1),
    ("estop_2_ok", "bool", 0, 1, G_IO_2),
    ("bms_fault_ok", "bool", 0, 1, G_IO_2),
    ("permit_2_closed", "bool", 0, 1, G_IO_2),
    ("cell_voltage_ok", "bool", 0, 1, G_IO_2),
    ("smoke_1_ok", "bool", 0, 1, G_IO_2),
    ("smoke_2_ok", "bool", 0, 1, G_IO_2),
    ("heat_ok", "bool", 0, 1, G_IO_2),
    ("fire_trouble_ok", "bool", 0, 1, G_IO_2),
    ("damper_ok", "bool", 0, 1, G_IO_3),
    ("hvac_ok", "bool", 0, 1, G_IO_3),
    ("leak_ok", "bool", 0, 1, G_IO_3),
    ("coolant_ok", "bool", 0, 1, G_IO_3),
    ("supervised_ok", "bool", 0, 1, G_IO_3),
    # the second contact of the key switch: open in RUN, closed in every other position
    ("key_service_closed", "bool", 0, 1, G_IO_3),
    # contact of the transfer switch: SOURCE_GRID while open, other values off the grid
    ("source_code", "code", 0, 1, G_IO_3),
    ("grid_power_W", "W", -INT_MAX, INT_MAX, G_METER_GRID),
    ("grid_raw_hash", "hash", 0, INT_MAX, G_METER_GRID),
    ("load_power_W", "W", -INT_MAX, INT_MAX, G_METER_LOAD),
    ("load_raw_hash", "hash", 0, INT_MAX, G_METER_LOAD),
    ("gas_1_lfl_permille", "permille", 0, 1000, G_GAS_1),
    ("gas_1_ok", "bool", 0, 1, G_GAS_1),
    ("gas_1_calibration_d", "d", -36500, 36500, G_GAS_1),
    ("gas_2_lfl_permille", "permille", 0, 1000, G_GAS_2),
    ("gas_2_ok", "bool", 0, 1, G_GAS_2),
    ("gas_2_calibration_d", "d", -36500, 36500, G_GAS_2),
    ("offgas_1_ppm", "ppm", 0, 10_000, G_OFFGAS_1),
    ("offgas_1_ok", "bool", 0, 1, G_OFFGAS_1),
    ("offgas_1_calibration_d", "d", -36500, 36500, G_OFFGAS_1),
    ("offgas_2_ppm", "ppm", 0, 10_000, G_OFFGAS_2),
    ("offgas_2_ok", "bool", 0, 1, G_OFFGAS_2),
    ("offgas_2_calibration_d", "d", -36500, 36500, G_OFFGAS_2),
    ("toxic_ppm", "ppm", 0, 10_000, G_TOXIC),
    ("toxic_ok", "bool", 0, 1, G_TOXIC),
    ("toxic_calibration_d", "d", -36500, 36500, G_TOXIC),
    ("air_temperature_ddegC", "ddegC", -600, 3000, G_CLIMATE),
    ("humidity_permille", "permille", 0, 1000, G_CLIMATE),
    ("mains_ok", "bool", 0, 1, G_UPS),
    ("ups_reserve_min", "min", 0, 10_000, G_UPS),
    ("run_request", "bool", 0, 1, G_LOCAL),
    ("armed_stored", "bool", 0, 1, G_LOCAL),
    ("reset_kind", "code", 0, 2, G_LOCAL),
    ("reset_first_out", "stage", -1, 4095, G_LOCAL),
    ("reset_mask", "hash", 0, INT_MAX, G_LOCAL),
    ("lock_out_ok", "bool", 0, 1, G_LOCAL),
    ("test_request", "bool", 0, 1, G_LOCAL),
    ("noc_link_ok", "bool", 0, 1, G_LOCAL),
    ("noc_verified", "bool", 0, 1, G_LOCAL),
    ("self_test_bits", "bits", 0, 31, G_LOCAL),
    ("cpu_temperature_ddegC", "ddegC", -600, 3000, G_LOCAL),
    ("peer_code", "code", 0, (1 << 24) - 1, G_LOCAL),
    ("image_approved_ok", "bool", 0, 1, G_LOCAL),
    # 1 for one step: channel B keeps a newer revision than the store has (row 44d of the matrix)
    ("store_is_old", "bool", 0, 1, G_LOCAL),
    # sign of the grid meter. 0: proven, or not tested yet; 1: under test; 2: undecided; 3: reversed
    ("meter_sign", "code", 0, 3, G_LOCAL),
)
# Names, many to a line.
# fmt: off
(ESTOP_1_OK, FIRE_ALARM_OK, SUPPRESSION_OK, GAS_RELAY_OK, AIRFLOW_OK, KEY_RUN_OK, PERMIT_1_CLOSED,
 DOOR_OK, ESTOP_2_OK, BMS_FAULT_OK, PERMIT_2_CLOSED, CELL_VOLTAGE_OK, SMOKE_1_OK, SMOKE_2_OK,
 HEAT_OK, FIRE_TROUBLE_OK, DAMPER_OK, HVAC_OK, LEAK_OK, COOLANT_OK, SUPERVISED_OK,
 KEY_SERVICE_CLOSED, SOURCE_CODE, GRID_POWER_W, GRID_RAW_HASH, LOAD_POWER_W, LOAD_RAW_HASH,
 GAS_1_LFL_PERMILLE, GAS_1_OK, GAS_1_CALIBRATION_D, GAS_2_LFL_PERMILLE, GAS_2_OK,
 GAS_2_CALIBRATION_D, OFFGAS_1_PPM, OFFGAS_1_OK, OFFGAS_1_CALIBRATION_D, OFFGAS_2_PPM, OFFGAS_2_OK,
 OFFGAS_2_CALIBRATION_D, TOXIC_PPM, TOXIC_OK, TOXIC_CALIBRATION_D, AIR_TEMPERATURE_DDEGC,
 HUMIDITY_PERMILLE, MAINS_OK, UPS_RESERVE_MIN, RUN_REQUEST, ARMED_STORED, RESET_KIND,
 RESET_FIRST_OUT, RESET_MASK, LOCK_OUT_OK, TEST_REQUEST, NOC_LINK_OK, NOC_VERIFIED, SELF_TEST_BITS,
 CPU_TEMPERATURE_DDEGC, PEER_CODE, IMAGE_APPROVED_OK, STORE_IS_OLD, METER_SIGN) = range(61)
# fmt: on
SOURCE_GRID = 0  # source_code: also if the contact is open or not fitted

UNIT_INPUTS = (
    ("pcs_power_W", "W", -INT_MAX, INT_MAX, G_PCS_MEASURE),
    ("pcs_dc_voltage_mV", "mV", 0, 2_000_000, G_PCS_MEASURE),
    ("pcs_dc_current_mA", "mA", -INT_MAX, INT_MAX, G_PCS_MEASURE),
    ("pcs_state", "code", 0, 255, G_PCS_MEASURE),
    ("pcs_alarm_bits", "bits", 0, INT_MAX, G_PCS_MEASURE),
    # 1: the converter forms a grid, and its power follows the load. 0: it follows its set-point, or
    # does not report which of the two it does
    ("pcs_forming", "bool", 0, 1, G_PCS_MEASURE),
    ("pcs_setpoint_W", "W", -INT_MAX, INT_MAX, G_PCS_CONTROL),
    ("pcs_heartbeat", "count", 0, INT_MAX, G_PCS_CONTROL),
    # the last set-point that was sent, decoded from the bytes on the wire
    ("pcs_sent_W", "W", -INT_MAX, INT_MAX, G_PCS_CONTROL),
)
# Names, many to a line.
# fmt: off
(PCS_POWER_W, PCS_DC_VOLTAGE_MV, PCS_DC_CURRENT_MA, PCS_STATE, PCS_ALARM_BITS, PCS_FORMING,
 PCS_SETPOINT_W, PCS_HEARTBEAT, PCS_SENT_W) = range(9)
# fmt: on

# Values of pcs_state: SunSpec model 701, point InvSt. Drivers of other device families translate to
# them. PCS_UNNAMED: a state that the profile of the converter does not name. It counts as not
# running.
(
    PCS_OFF,
    PCS_SLEEPING,
    PCS_STARTING,
    PCS_RUNNING,
    PCS_THROTTLED,
    PCS_STOPPING,
    PCS_FAULT,
    PCS_STANDBY,
    PCS_UNNAMED,
) = range(9)

RACK_INPUTS = (
    ("contactor_state", "code", 0, 3, G_BMS_STATE),
    ("bms_fault_bits", "bits", 0, INT_MAX, G_BMS_STATE),
    ("bms_bad_frames", "count", 0, INT_MAX, G_BMS_STATE),
    ("cells_online", "count", 0, 4095, G_BMS_STATE),
    ("cell_voltage_mV_min", "mV", 0, 10_000, G_BMS_CELLS),
    ("cell_voltage_mV_max", "mV", 0, 10_000, G_BMS_CELLS),
    ("cell_position_min", "position", 0, 4095, G_BMS_CELLS),
    ("cell_position_max", "position", 0, 4095, G_BMS_CELLS),
    ("rack_voltage_mV", "mV", 0, 2_000_000, G_BMS_PACK),
    # a short circuit reaches the end of a 16-bit range of 0.1 A
    ("rack_current_mA", "mA", -3_300_000, 3_300_000, G_BMS_PACK),
    ("charge_current_mA_max", "mA", 0, 3_000_000, G_BMS_LIMITS),
    ("discharge_current_mA_max", "mA", 0, 3_000_000, G_BMS_LIMITS),
    ("soc_permille", "permille", 0, 1000, G_BMS_CHARGE),
    ("soh_permille", "permille", 0, 1000, G_BMS_CHARGE),
    ("insulation_kohm", "kohm", 0, 65_535, G_BMS_PACK),
    ("sensors_invalid_max", "count", 0, 15, G_BMS_STATE),
)
# Names, many to a line.
# fmt: off
(CONTACTOR_STATE, BMS_FAULT_BITS, BMS_BAD_FRAMES, CELLS_ONLINE, CELL_VOLTAGE_MV_MIN,
 CELL_VOLTAGE_MV_MAX, CELL_POSITION_MIN, CELL_POSITION_MAX, RACK_VOLTAGE_MV, RACK_CURRENT_MA,
 CHARGE_CURRENT_MA_MAX, DISCHARGE_CURRENT_MA_MAX, SOC_PERMILLE, SOH_PERMILLE, INSULATION_KOHM,
 SENSORS_INVALID_MAX) = range(16)
# fmt: on
# place of the first module temperature of a rack, 0.1 degC each
MODULE_TEMPERATURE_DDEGC = len(RACK_INPUTS)
MODULE_TEMPERATURE_RANGE_DDEGC = (-600, 3000)

CONTACTOR_OPEN, CONTACTOR_PRECHARGE, CONTACTOR_CLOSED, CONTACTOR_FAULT = range(4)

# Outputs: name, unit. An output that permits something ends in `_ok` and expires unless renewed.
CABINET_OUTPUTS = (
    ("pcs_enable_ok", "bool"),
    ("contactor_supply_ok", "bool"),
    ("fan_on", "bool"),
    ("horn_on", "bool"),
    ("lamp_on", "bool"),
    ("red_lamp_on", "bool"),
    ("supervisory_ok", "bool"),
    ("pre_alarm_on", "bool"),
    ("shunt_trip_on", "bool"),
    ("aux_load_ok", "bool"),
    ("notify_maintenance", "bool"),
    ("notify_operator", "bool"),
    ("state", "code"),
    ("inhibit_reason", "code"),
    ("first_out", "stage"),
    ("first_out_instance", "index"),
    ("cause_mask", "hash"),
    ("active_count", "count"),
    ("latched_count", "count"),
    ("resets_left", "count"),
    ("obligations_ok", "bool"),
    ("arm_request", "bool"),
    ("reset_result", "code"),
    ("image_crc", "hash"),
    ("evidence_count", "count"),
    ("evidence_total", "count"),
    ("start_needed", "bool"),
    ("withhold_on", "bool"),
)
# Names, many to a line.
# fmt: off
(PCS_ENABLE_OK, CONTACTOR_SUPPLY_OK, FAN_ON, HORN_ON, LAMP_ON, RED_LAMP_ON, SUPERVISORY_OK,
 PRE_ALARM_ON, SHUNT_TRIP_ON, AUX_LOAD_OK, NOTIFY_MAINTENANCE, NOTIFY_OPERATOR, STATE,
 INHIBIT_REASON, FIRST_OUT, FIRST_OUT_INSTANCE, CAUSE_MASK, ACTIVE_COUNT, LATCHED_COUNT,
 RESETS_LEFT, OBLIGATIONS_OK, ARM_REQUEST, RESET_RESULT, IMAGE_CRC, EVIDENCE_COUNT,
 EVIDENCE_TOTAL, START_NEEDED, WITHHOLD_ON) = range(28)
# fmt: on

UNIT_OUTPUTS = (
    ("charge_W_max", "W"),
    ("discharge_W_max", "W"),
    ("charge_reason", "limit"),
    ("discharge_reason", "limit"),
    ("pcs_run_ok", "bool"),
)
(CHARGE_W_MAX, DISCHARGE_W_MAX, CHARGE_REASON, DISCHARGE_REASON, PCS_RUN_OK) = range(5)

RACK_OUTPUTS = (("contactor_close_ok", "bool"), ("contactor_step", "code"))
CONTACTOR_CLOSE_OK, CONTACTOR_STEP = range(2)

UNIT_INPUT_COUNT, UNIT_GROUP_COUNT, UNIT_OUTPUT_COUNT = (
    len(UNIT_INPUTS),
    len(UNIT_GROUPS),
    len(UNIT_OUTPUTS),
)
RACK_GROUP_COUNT, RACK_OUTPUT_COUNT = len(RACK_GROUPS), len(RACK_OUTPUTS)

# Run states of the cabinet (output `state`).
STATES = ("inhibited", "ready", "closing", "running", "stopping", "tripped")
INHIBITED, READY, CLOSING, RUNNING, STOPPING, TRIPPED = range(6)


class Layout:
    """Places of the signals of each unit and rack in the flat arrays, for one topology."""

    def __init__(self, units: int, racks: int, modules: int) -> None:
        """units, racks, modules: counts. modules: of the largest rack."""
        self.units = units
        self.racks = racks
        self.modules = modules
        self.rack_width = MODULE_TEMPERATURE_DDEGC + modules
        self.unit_base = len(CABINET_INPUTS)
        self.rack_base = self.unit_base + units * UNIT_INPUT_COUNT
        self.inputs = self.rack_base + racks * self.rack_width
        self.unit_group_base = len(CABINET_GROUPS)
        self.rack_group_base = self.unit_group_base + units * UNIT_GROUP_COUNT
        self.groups = self.rack_group_base + racks * RACK_GROUP_COUNT
        self.unit_out_base = len(CABINET_OUTPUTS)
        self.rack_out_base = self.unit_out_base + units * UNIT_OUTPUT_COUNT
        self.outputs = self.rack_out_base + racks * RACK_OUTPUT_COUNT

    def unit_input(self, unit: int, index: int) -> int:
        """Index into the inputs of signal `index` of UNIT_INPUTS for unit `unit`."""
        return self.unit_base + unit * UNIT_INPUT_COUNT + index

    def rack_input(self, rack: int, index: int) -> int:
        """Index into the inputs of a signal of RACK_INPUTS, or of a module temperature."""
        return self.rack_base + rack * self.rack_width + index

    def unit_group(self, unit: int, group: int) -> int:
        """Index into the freshness bytes of group `group` of UNIT_GROUPS."""
        return self.unit_group_base + unit * UNIT_GROUP_COUNT + group

    def rack_group(self, rack: int, group: int) -> int:
        """Index into the freshness bytes of group `group` of RACK_GROUPS."""
        return self.rack_group_base + rack * RACK_GROUP_COUNT + group

    def unit_output(self, unit: int, index: int) -> int:
        """Index into the outputs of signal `index` of UNIT_OUTPUTS."""
        return self.unit_out_base + unit * UNIT_OUTPUT_COUNT + index

    def rack_output(self, rack: int, index: int) -> int:
        """Index into the outputs of signal `index` of RACK_OUTPUTS."""
        return self.rack_out_base + rack * RACK_OUTPUT_COUNT + index
