"""The implemented rows once more, written from the cause-and-effect table (section 7 of the fact table), not from code.

One line a stage: what it watches, which way it trips, where, after how long, how it resets, which gate, what it does.
Effects, in the order of the table: S stop, R ramp of the PCS; I open at once, Z open at zero current or after 2 s,
I0 open only at zero current, N no closing; fan; L lamp, H horn and strobe, red lamp; ich, idc inhibit charging and
discharging; c50 d50 derate (how much is taken away); M O F notify maintenance, operator, fire panel; P pre-alarm.
"""

from typing import NamedTuple

KEY, REMOTE, SELF = 2, 1, 0


class Row(NamedTuple):
    """One stage. at: the value that trips; above: True if larger values trip too; debounce_ms; reset; gate or ""."""

    watches: str
    above: bool
    at: int
    debounce_ms: int
    reset: int
    gate: str
    effects: str


_GAS = "S I fan H red ich idc O F P"
_TRIP = "S Z H ich idc O"
ROWS = {
    # Section 7, rows 1 to 3: hard-wired causes, repeated by the program.
    "1a": Row("estop_1_ok", False, 0, 20, KEY, "", "S I H red ich idc O F"),
    "1b": Row("estop_2_ok", False, 0, 20, KEY, "", "S I H red ich idc O F"),
    "1c": Row("estop_discrepancy", True, 1, 500, KEY, "", "S I H red ich idc O F"),
    "2": Row("fire_alarm_ok", False, 0, 200, KEY, "", _GAS),
    "3": Row("suppression_ok", False, 0, 100, KEY, "", "S I fan H red ich idc O F"),
    # Rows 11 to 15: gas; 1 % of the lower flammable limit is 10 permille.
    "11": Row("gas_lfl_permille_max", True, 100, 2000, KEY, "", _GAS),
    "12a": Row("gas_lfl_permille_max", True, 250, 0, KEY, "", "S I0 fan H red ich idc O F P"),
    "12b": Row("gas_relay_ok", False, 0, 0, KEY, "", "S I0 fan H red ich idc O F P"),
    "13a": Row("gas_detectors_faulty", True, 1, 10_000, REMOTE, "", "N L c50 d50 M O"),
    "13b": Row("gas_detectors_silent", True, 1, 10_000, SELF, "", "N L c50 d50 M O"),
    "13c": Row("gas_calibration_d_min", False, -1, 10_000, SELF, "", "N L c50 d50 M O"),
    "14": Row("gas_detectors_lost", True, 1, 10_000, REMOTE, "", "R Z fan H ich idc O F"),
    "15a": Row("airflow_missing", True, 1, 10_000, REMOTE, "", "H ich c50 d50 O"),
    "15b": Row("airflow_missing", True, 1, 10_000, REMOTE, "gas_or_smoke_alert", _TRIP),
    # Rows 19 to 21: cell temperatures, 0.1 degC; "more than 15 K" is 15.1 K and above.
    "19a": Row("temperature_ddegC_max", True, 450, 5000, SELF, "", "L ich O"),
    "19b": Row("temperature_ddegC_max", True, 500, 5000, SELF, "", "L ich d75 O"),
    "20a": Row("temperature_ddegC_max", True, 500, 2000, REMOTE, "charging", _TRIP),
    "20b": Row("temperature_ddegC_max", True, 550, 2000, REMOTE, "", _TRIP),
    "21a": Row("temperature_ddegC_max", True, 650, 1000, KEY, "", _GAS),
    "21b": Row("temperature_over_median_ddegC", True, 151, 1000, KEY, "temperature_rising", _GAS),
    # Rows 28 to 32: cell voltages of LFP.
    "28": Row("cell_voltage_mV_max", True, 3600, 5000, SELF, "", "L ich O"),
    "29": Row("cell_voltage_mV_max", True, 3650, 2000, REMOTE, "", "S Z H ich O"),
    "31a": Row("cell_voltage_mV_min", False, 2900, 10_000, SELF, "", "L M"),
    "31b": Row("cell_voltage_mV_min", False, 2800, 5000, SELF, "", "L idc O"),
    "32": Row("cell_voltage_mV_min", False, 2500, 5000, REMOTE, "", "S Z H idc O"),
    # Row 35, with the larger of 2 A and 1 % of rated on top (the watched value is what exceeds that).
    "35a": Row("current_over_105_mA", True, 1, 10_000, SELF, "", "R L ich idc O"),
    "35b": Row("current_over_110_mA", True, 1, 10_000, REMOTE, "", _TRIP),
    # Row 40: 0.5 s, 1 s, 3 s; bad frames; and the BMS's own fault contact.
    "40a": Row("bms_silence_level", True, 1, 0, SELF, "", "L O"),
    "40b": Row("bms_silence_level", True, 2, 0, REMOTE, "", "R L ich idc O"),
    "40c": Row("bms_silence_level", True, 3, 0, REMOTE, "", _TRIP),
    "40d": Row("bms_bad_frames_recent", True, 20, 0, SELF, "", "L O"),
    "40e": Row("bms_fault_ok", False, 0, 100, REMOTE, "", _TRIP),
    # Row 41: 2 s, 3 s, 5 s; power above the limit and 2 % of rated, at least 2 kW, for 5 s.
    "41a": Row("pcs_silence_level", True, 1, 0, REMOTE, "", "R L ich idc O"),
    "41b": Row("pcs_silence_level", True, 2, 0, REMOTE, "", "S H ich idc O"),
    "41c": Row("pcs_silence_level", True, 3, 0, REMOTE, "", _TRIP),
    "41d": Row("pcs_excess_W", True, 1, 5000, REMOTE, "", _TRIP),
    # Row 44: image CRC, the permit expiry of 0.5 s; then the two ways to start after a run that did not end well.
    "44a": Row("image_changed", True, 1, 0, KEY, "", "S Z fan H ich idc O"),
    "44b": Row("step_late_ms", True, 500, 0, REMOTE, "", "S Z fan H ich idc O"),
    "44c": Row("boot_not_clean", True, 1, 0, REMOTE, "", "S Z L ich idc O"),
    "44d": Row("boot_store_unreadable", True, 1, 0, KEY, "", "S Z L ich idc O"),
    # The silence ladder of the design: I/O module 0.5 s; meter silent 0.5 s, frozen 5 s.
    "49": Row("io_silence_ms", True, 500, 0, REMOTE, "", _TRIP),
    "50a": Row("meter_silence_ms", True, 500, 0, SELF, "", "L ich O"),
    "50b": Row("meter_frozen_ms", True, 5000, 0, SELF, "", "L ich O"),
}

# Where a stage clears, and how long it must have been there: ours, the table gives no numbers for these rows.
CLEARS = {
    "1a": (1, 0), "1b": (1, 0), "1c": (0, 0), "2": (1, 0), "3": (1, 0), "11": (80, 0), "12a": (200, 0), "12b": (1, 0),
    "13a": (0, 0), "13b": (0, 1000), "13c": (0, 1000), "14": (0, 0), "15a": (0, 0), "15b": (0, 0),
    "19a": (430, 1000), "19b": (480, 1000), "20a": (450, 0), "20b": (500, 0), "21a": (550, 0), "21b": (100, 0),
    "28": (3550, 1000), "29": (3550, 0), "31a": (3000, 1000), "31b": (3000, 1000), "32": (2900, 0),
    "35a": (0, 1000), "35b": (0, 0), "40a": (0, 0), "40b": (0, 0), "40c": (0, 0), "40d": (5, 1000), "40e": (1, 0),
    "41a": (0, 0), "41b": (0, 0), "41c": (0, 0), "41d": (0, 0), "44a": (0, 0), "44b": (100, 0), "44c": (0, 0),
    "44d": (0, 0), "49": (200, 0), "50a": (300, 1000), "50b": (1000, 1000),
}

# Where the transcription is not letter for letter the row's cell in that column, and why; nowhere else.
READ_AS = {
    ("15b", "IDC"): "a stopped PCS does neither",
    ("15b", "DRT"): "left to 15a, which always stands beside it",
    ("19a", "DRT"): "the discharge half of the row is 19b",
    ("19b", "DRT"): "of the two readings of the table's 25 the tighter one: 25 % are left when discharging",
    ("31a", "IDC"): "the table inhibits at the second voltage, which is 31b",
    ("41a", "DC"): "the table opens at the last of the three times, which is 41c (silence ladder of the design)",
    ("41b", "DC"): "as 41a",
}


def effects(name):
    """The set of effect letters of a stage."""
    return set(ROWS[name].effects.split())


def row_number(name):
    """The row of the table a stage belongs to."""
    return int(name.rstrip("abcde"))
