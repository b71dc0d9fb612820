"""Lists the numbers that the kernel gets from the configuration, in the limit image.

The image is one flat array of integers. First come the header and the parameters of the cabinet, of
each unit and of each rack. Then come the words of each stage (set, clear, set ticks, clear ticks),
and one word per stage instance: 1 if it is armed.

Both channels hold the same image. They compare its CRC-30, and each computes it again while it runs
(row 44 of the cause-and-effect matrix).
"""

from array import array

from safety import crc, means, signals

IMAGE_SCHEMA = 4
HEADER = ("schema", "units", "racks", "modules", "tick_ms")
H_SCHEMA, H_UNITS, H_RACKS, H_MODULES, H_TICK_MS = range(5)

# name, unit, low, high, default, direction that is tighter ("up", "down", "fixed")
CABINET_PARAMETERS = (
    ("io_silent_ms", "ms", 100, 500, 500, "down"),
    ("meter_silent_ms", "ms", 100, 5000, 500, "down"),
    ("meter_frozen_ms", "ms", 1000, 5000, 5000, "down"),
    ("gas_silent_ms", "ms", 100, 10_000, 3000, "down"),
    ("gas_required", "bool", 0, 1, 1, "up"),
    ("gas_detectors", "count", 0, 2, 2, "fixed"),
    ("permit_expiry_ms", "ms", 40, 500, 500, "down"),
    ("ramp_to_zero_ms", "ms", 100, 2000, 2000, "down"),
    ("limit_recovery_permille_per_s", "permille/s", 1, 1000, 50, "down"),
    ("resets_per_hour_max", "count", 0, 3, 3, "down"),
    ("reset_clear_ms", "ms", 5000, 600_000, 5000, "up"),
    ("open_at_zero_ms_max", "ms", 100, 2000, 2000, "down"),
    ("open_after_stop_ms", "ms", 0, 200, 200, "down"),
    ("contactor_close_ms_max", "ms", 500, 10_000, 5000, "down"),
    ("rack_voltage_spread_mV_max", "mV", 100, 10_000, 3000, "down"),
    ("bms_fault_contact_fitted", "bool", 0, 1, 1, "up"),
    ("door_fitted", "bool", 0, 1, 1, "fixed"),
    ("meter_load_fitted", "bool", 0, 1, 1, "fixed"),
    ("offgas_detectors", "count", 0, 2, 2, "fixed"),
    ("toxic_fitted", "bool", 0, 1, 1, "fixed"),
    ("smoke_zones", "count", 0, 2, 2, "fixed"),
    ("heat_fitted", "bool", 0, 1, 1, "fixed"),
    ("io_3_fitted", "bool", 0, 1, 1, "fixed"),
    ("climate_fitted", "bool", 0, 1, 1, "fixed"),
    ("ups_fitted", "bool", 0, 1, 1, "fixed"),
    ("supervised_fitted", "bool", 0, 1, 1, "fixed"),
    ("key_service_fitted", "bool", 0, 1, 1, "fixed"),
    # 0: a rack closes by itself once its supply is on, so the expiry of the supply cannot be tested
    ("close_command_fitted", "bool", 0, 1, 1, "fixed"),
    ("monitor_silent_ms", "ms", 1000, 10_000, 10_000, "down"),
    ("agent_hold_off_ms", "ms", 0, 600_000, 0, "down"),
    ("fuse_wait_ms", "ms", 0, 30_000, 30_000, "up"),
    ("contactor_report_ms", "ms", 100, 2000, 600, "down"),
    # row 54: chosen after the noise of the BMS values; at least several periods of the BMS
    ("bms_still_ms", "ms", 5000, 120_000, 10_000, "down"),
    # row 57: limits of the grid connection
    ("grid_import_W_max", "W", 0, 100_000_000, 500_000, "down"),
    ("grid_export_W_max", "W", 0, 100_000_000, 0, "down"),
)
# Names, many to a line.
# fmt: off
(P_IO_SILENT_MS, P_METER_SILENT_MS, P_METER_FROZEN_MS, P_GAS_SILENT_MS, P_GAS_REQUIRED,
 P_GAS_DETECTORS, P_PERMIT_EXPIRY_MS, P_RAMP_TO_ZERO_MS, P_LIMIT_RECOVERY_PERMILLE_PER_S,
 P_RESETS_PER_HOUR_MAX, P_RESET_CLEAR_MS, P_OPEN_AT_ZERO_MS_MAX, P_OPEN_AFTER_STOP_MS,
 P_CONTACTOR_CLOSE_MS_MAX, P_RACK_VOLTAGE_SPREAD_MV_MAX, P_BMS_FAULT_CONTACT_FITTED, P_DOOR_FITTED,
 P_METER_LOAD_FITTED, P_OFFGAS_DETECTORS, P_TOXIC_FITTED, P_SMOKE_ZONES, P_HEAT_FITTED,
 P_IO_3_FITTED, P_CLIMATE_FITTED, P_UPS_FITTED, P_SUPERVISED_FITTED, P_KEY_SERVICE_FITTED,
 P_CLOSE_COMMAND_FITTED, P_MONITOR_SILENT_MS, P_AGENT_HOLD_OFF_MS, P_FUSE_WAIT_MS,
 P_CONTACTOR_REPORT_MS, P_BMS_STILL_MS, P_GRID_IMPORT_W_MAX, P_GRID_EXPORT_W_MAX) = range(35)
# fmt: on

UNIT_PARAMETERS = (
    ("rated_W", "W", 1000, 100_000_000, 250_000, "down"),
    ("installer_charge_W_max", "W", 0, 100_000_000, 250_000, "down"),
    ("installer_discharge_W_max", "W", 0, 100_000_000, 250_000, "down"),
    ("efficiency_permille_min", "permille", 500, 1000, 970, "down"),
    ("rack_sharing_permille", "permille", 500, 1000, 970, "down"),
    ("pcs_ramp_ms", "ms", 100, 60_000, 2000, "down"),
    ("pcs_stop_ms", "ms", 100, 60_000, 3000, "down"),
    ("pcs_open_ms", "ms", 100, 60_000, 5000, "down"),
    # row 56: time from a set-point to the measured power (dead time, ramp, refresh of the
    # measurement)
    ("pcs_follow_ms", "ms", 100, 2000, 1000, "down"),
    # row 59: bits of pcs_alarm_bits; a bit in neither mask is a warning (defaults: SunSpec 701)
    ("pcs_trip_bits", "bits", 0, signals.INT_MAX, 0xD063, "fixed"),
    ("pcs_info_bits", "bits", 0, signals.INT_MAX, 0x1C, "fixed"),
    # row 55: error of the DC current sensor of the PCS, in permille of the sum of the rated
    # currents of its racks. Default: 1 % of full scale for DC (manual of WAGO 750-493).
    ("pcs_current_error_permille", "permille", 0, 100, 10, "down"),
)
# Names, many to a line.
# fmt: off
(U_RATED_W, U_INSTALLER_CHARGE_W_MAX, U_INSTALLER_DISCHARGE_W_MAX, U_EFFICIENCY_PERMILLE_MIN,
 U_RACK_SHARING_PERMILLE, U_PCS_RAMP_MS, U_PCS_STOP_MS, U_PCS_OPEN_MS, U_PCS_FOLLOW_MS,
 U_PCS_TRIP_BITS, U_PCS_INFO_BITS, U_PCS_CURRENT_ERROR_PERMILLE) = range(12)
# fmt: on

RACK_PARAMETERS = (
    ("unit", "index", 0, 15, 0, "fixed"),
    # row 36: twice this current must be in the range of the input
    ("rated_current_mA", "mA", 1000, 1_600_000, 140_000, "down"),
    ("modules", "count", 0, 64, 15, "fixed"),
    ("cells", "count", 1, 4095, 240, "fixed"),
    ("cells_reported", "bool", 0, 1, 1, "fixed"),
    ("temperatures_reported", "bool", 0, 1, 1, "fixed"),
    ("bms_warn_ms", "ms", 100, 60_000, 500, "down"),
    ("bms_ramp_ms", "ms", 100, 60_000, 1000, "down"),
    ("bms_stop_ms", "ms", 100, 60_000, 3000, "down"),
    ("charge_taper_mV", "mV", 2000, 4300, 3500, "down"),
    ("charge_end_mV", "mV", 2000, 4300, 3600, "down"),
    ("discharge_taper_mV", "mV", 2000, 4300, 3000, "up"),
    ("discharge_end_mV", "mV", 2000, 4300, 2800, "up"),
    ("break_current_mA", "mA", 1000, 3_000_000, 300_000, "down"),
    ("heating_nK_per_A2s", "nK/A2s", 0, 900, 90, "down"),
    ("insulation_reported", "bool", 0, 1, 1, "fixed"),
    ("sensors_reported", "bool", 0, 1, 1, "fixed"),
    # row 59: bits of bms_fault_bits (defaults: the native BMS)
    ("bms_trip_bits", "bits", 0, signals.INT_MAX, 0xFF, "fixed"),
    ("bms_info_bits", "bits", 0, signals.INT_MAX, 0, "fixed"),
    # row 55: error of the current sensor, in permille of the rated current of the rack
    ("current_error_permille", "permille", 0, 100, 10, "down"),
)
# Names, many to a line.
# fmt: off
(R_UNIT, R_RATED_CURRENT_MA, R_MODULES, R_CELLS, R_CELLS_REPORTED, R_TEMPERATURES_REPORTED,
 R_BMS_WARN_MS, R_BMS_RAMP_MS, R_BMS_STOP_MS, R_CHARGE_TAPER_MV, R_CHARGE_END_MV,
 R_DISCHARGE_TAPER_MV, R_DISCHARGE_END_MV, R_BREAK_CURRENT_MA, R_HEATING_NK_PER_A2S,
 R_INSULATION_REPORTED, R_SENSORS_REPORTED, R_BMS_TRIP_BITS, R_BMS_INFO_BITS,
 R_CURRENT_ERROR_PERMILLE) = range(20)
# fmt: on

UNIT_WORDS, RACK_WORDS = len(UNIT_PARAMETERS), len(RACK_PARAMETERS)
STAGE_WORDS = ("set", "clear", "set_ticks", "clear_ticks")


def cabinet_index(name: str) -> int:
    """Place of the parameter `name` in CABINET_PARAMETERS. IndexError if there is none."""
    return [place for place, row in enumerate(CABINET_PARAMETERS) if row[0] == name][0]


class ImageMap:
    """Places of the parameters in the image, for one topology and number of stages per scope."""

    def __init__(self, units: int, racks: int, stages_per_scope: tuple[int, ...]) -> None:
        """stages_per_scope: (cabinet, unit, rack) counts of stages."""
        self.cabinet = len(HEADER)
        self.unit = self.cabinet + len(CABINET_PARAMETERS)
        self.rack = self.unit + units * UNIT_WORDS
        self.stage = self.rack + racks * RACK_WORDS
        self.stages = stages_per_scope[0] + stages_per_scope[1] + stages_per_scope[2]
        self.armed = self.stage + self.stages * len(STAGE_WORDS)
        self.instances = (
            stages_per_scope[0] + units * stages_per_scope[1] + racks * stages_per_scope[2]
        )
        self.words = self.armed + self.instances


def spare_ticks(least: int, tick_ms: int) -> int:
    """Ticks to act before an expiry, so that a relay of 20 ms follows in time."""
    return max(least, 1 + ticks(20, tick_ms))


def ticks(duration_ms: int, tick_ms: int) -> int:
    """Ticks that last at least duration_ms. They are rounded up, so no debounce gets shorter."""
    return -(-duration_ms // tick_ms)


def image_crc(image: "array[int]") -> int:
    """CRC-30 over the whole image, with four bytes per word, low byte first."""
    return crc.add_words(crc.START, image, 0, len(image))


def in_range(value: int) -> bool:
    """True if value is a small int on a 32-bit MicroPython, where a small int needs no heap."""
    return -signals.INT_MAX <= value <= signals.INT_MAX


def fits(image: "array[int]", image_map: ImageMap) -> bool:
    """True if an image fits the kernel.

    No word is out of range. A second is a whole number of ticks, because features with a history
    count seconds. A tick is not longer than a block of means.py. The header has the unit of every
    rack, and no rack has more modules than the header.
    """
    if not 1 <= image[H_TICK_MS] <= means.BLOCK_MS or 1000 % image[H_TICK_MS]:
        return False
    for word in image:
        if not in_range(word):
            return False
    for rack in range(image[H_RACKS]):
        start = image_map.rack + rack * RACK_WORDS
        if (
            not 0 <= image[start + R_UNIT] < image[H_UNITS]
            or not 0 <= image[start + R_MODULES] <= image[H_MODULES]
        ):
            return False
    return True
