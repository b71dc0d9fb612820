"""The matrix in words: what a stage looks at, at what value, what it demands, who resets it
(safety/matrix.py).
"""

from safety import matrix as m
from safety import parameters as p

RESETS = ("by itself", "remote", "key on site")  # by m.SELF, REMOTE, KEY
SCOPES = ("cabinet", "unit", "rack")
# Where the numbers of section 7 come from: how sure that is.
CONFIDENCE = {
    "C": "read in a primary text",
    "C2": "read in a secondary text",
    "G": "unconfirmed (?)",
    "D": "derived, or a default of ours",
}
CAUSES = {
    "estop_1_ok": "emergency stop, contact 1 open",
    "estop_2_ok": "emergency stop, contact 2 open",
    "estop_discrepancy": "contacts of the emergency stop disagree",
    "fire_alarm_ok": "fire alarm relay open",
    "suppression_ok": "agent release switch open",
    "fire_detectors": "smoke zones and heat detectors that report",
    "fire_trouble_ok": "trouble relay of the fire panel open",
    "offgas_ppm_max": "vapour above its reference, highest",
    "offgas_ppm_second": "vapour above its reference, second highest",
    "toxic_ppm": "hydrogen and carbon monoxide",
    "toxic_rise_ppm": "hydrogen and carbon monoxide, rise in 10 s",
    "gas_lfl_permille_max": "combustible gas, highest",
    "gas_relay_ok": "25 % LFL relay of the detectors open",
    "gas_detectors_faulty": "gas detectors with a fault",
    "gas_detectors_silent": "gas detectors silent",
    "gas_calibration_d_min": "days to the next calibration",
    "gas_detectors_lost": "no good detector of combustible gas, or without those of any gas",
    "airflow_missing": "fan on, no airflow",
    "damper_missing": "fan on, damper not open",
    "hvac_ok": "fault contact of the cooling open",
    "air_temperature_ddegC": "air in the cabinet",
    "cell_voltage_ok": "independent cell over-voltage relay open",
    "closing_failures": "closings that failed in a row",
    "bms_fault_ok": "fault contact of the BMS open",
    "leak_ok": "leak contact open",
    "coolant_ok": "coolant flow or pressure contact open",
    "humidity_permille": "relative humidity in the cabinet",
    "mains_ok": "auxiliary supply lost",
    "ups_reserve_min": "reserve of the UPS",
    "image_changed": "limit image changed",
    "step_late_ms": "step late",
    "boot_not_clean": "last run not ended in order",
    "boot_store_unreadable": "store unreadable",
    "self_test_bits": "self-test of memory, clock, program, relays",
    "cpu_temperature_ddegC": "processor temperature",
    "noc_lost_s": "no path to the operations centre",
    "noc_unverified": "operations centre never verified",
    "key_run_ok": "key not in RUN",
    "door_ok": "door open",
    "io_silence_ms": "I/O module silent",
    "meter_silence_ms": "meter silent",
    "meter_frozen_ms": "words of a meter frozen",
    "peer_code": "second channel disagrees or is silent",
    "monitor_silence_ms": "climate or UPS monitor silent",
    "pcs_silence_level": "PCS silent",
    "pcs_excess_W": "power beyond the limit and 2 % of rated, at least 2 kW",
    "bus_mismatch_mV": "rack and DC bus voltage differ",
    "cell_voltage_mV_max": "highest cell",
    "cell_voltage_mV_min": "lowest cell",
    "cell_spread_mV": "highest less lowest cell",
    "cell_voltage_drop_mV": "cell voltage lost in 2 s without a load step",
    "temperature_ddegC_max": "hottest module",
    "temperature_ddegC_min": "coldest module",
    "temperature_spread_ddegC": "hottest less coldest module",
    "temperature_over_median_ddegC": "hottest module over the median",
    "temperature_rise_10s_ddegC": "rise in 10 s",
    "temperature_rise_3s_ddegC": "rise in 3 s",
    "temperature_unexplained_ddegC": "rise in 30 s beyond own heating",
    "temperature_zeros": "a module reads exactly 0, its neighbours differ",
    "sensors_invalid_max": "invalid sensors of one module",
    "current_over_105_mA": "current beyond 1.05 x limit and the larger of 2 A and 1 % of rated",
    "current_over_110_mA": "current beyond 1.10 x limit and the larger of 2 A and 1 % of rated",
    "current_over_200_mA": "current beyond 2 x rated",
    "insulation_ohm_per_V": "insulation to earth",
    "contactor_mismatch": "contactor not as told, welded, or current on an open string",
    "runaway_suspicion_pct": "the two largest signs of runaway, each in percent of its own "
    "threshold, added",
    "bms_silence_level": "BMS silent or its counter frozen",
    "bms_bad_frames_recent": "bad frames, one a second forgotten",
}
GATES = {
    "charging": "while charging",
    "temperature_rising": "while it rises",
    "gas_or_smoke_alert": "while gas or smoke is reported",
    "heating_alert": "while row 22 or 23 stands",
    "on_ups": "while on UPS",
    "energised": "while energised",
    "gas_alert": "while a gas alarm stands",
    "any_sign": "while any of rows 7 to 23 stands",
    "runaway_hint": "while any of rows 7 to 23 stands",
}
# ending of a feature's name: divisor, unit. The first that fits counts.
UNITS = (
    ("air_temperature_ddegC", 10, "degC"),
    ("cpu_temperature_ddegC", 10, "degC"),
    ("temperature_ddegC_max", 10, "degC"),
    ("temperature_ddegC_min", 10, "degC"),
    ("_ddegC", 10, "K"),
    ("lfl_permille_max", 10, "% LFL"),
    ("_permille", 10, "%"),
    ("cell_voltage_mV_max", 1000, "V"),
    ("cell_voltage_mV_min", 1000, "V"),
    ("_mV", 1, "mV"),
    ("ppm_max", 1, "ppm"),
    ("ppm_second", 1, "ppm"),
    ("_ppm", 1, "ppm"),
    ("_d_min", 1, "d"),
    ("reserve_min", 1, "min"),
    ("_ms", 1000, "s"),
    ("lost_s", 1, "s"),
    ("_ohm_per_V", 1, "ohm/V"),
    ("_pct", 1, "%"),
)
PERHAPS = (
    "estop_discrepancy",
    "airflow_missing",
    "damper_missing",
    "image_changed",
    "gas_detectors_lost",
    "boot_not_clean",
    "boot_store_unreadable",
    "noc_unverified",
    "temperature_zeros",
    "contactor_mismatch",
    "peer_code",
    "self_test_bits",
)  # yes or no
ABOVE_ZERO = ("pcs_excess_W", "current_over_105_mA", "current_over_110_mA", "current_over_200_mA")
EFFECTS = (
    (m.D_PCS, ("", "power to zero in 2 s", "PCS stop")),
    (
        m.D_DC,
        (
            "",
            "no closing",
            "contactors open at zero current or after 2 s",
            "contactors open at once",
            "contactors open at zero current only",
        ),
    ),
    (m.D_SHUNT_TRIP, ("", "shunt trip upstream")),
    (m.D_AUX_SHED, ("", "loads not rated for gas off")),
    (m.D_FAN, ("", "fan on")),
    (m.D_HORN, ("", "horn")),
    (m.D_RED_LAMP, ("", "red lamp")),
    (m.D_LAMP, ("", "lamp")),
    (m.D_CHARGE_INHIBIT, ("", "no charging", "no charging")),
    (m.D_DISCHARGE_INHIBIT, ("", "no discharging", "no discharging")),
    (m.D_PRE_ALARM, ("", "pre-alarm to fire panel")),
    (m.D_FACU, ("", "fire panel told")),
    (m.D_OPERATOR, ("", "operator told")),
    (m.D_MAINTENANCE, ("", "maintenance told")),
)
HOLD_OFF = "agent hold-off"
SILENCES = {
    "bms_silence_level": ("bms_warn_ms", "bms_ramp_ms", "bms_stop_ms"),
    "pcs_silence_level": ("pcs_ramp_ms", "pcs_stop_ms", "pcs_open_ms"),
}
_DEFAULTS = {row[0]: row[4] for row in p.UNIT_PARAMETERS + p.RACK_PARAMETERS}


def feature_name(stage, index=m.S_FEATURE):
    """Name of the stage's feature, or of its gate."""
    return m.FEATURES[stage[m.S_SCOPE]][stage[index]]


def cause(stage):
    """ "hottest module, while charging"."""
    words = CAUSES[feature_name(stage)]
    return (
        words
        if stage[m.S_GATE] == m.NO_GATE
        else (f"{words}, {GATES[feature_name(stage, m.S_GATE)]}")
    )


def level(stage, value, tables=()):
    """A threshold in the unit a person thinks in, "" for contacts and what is yes or no.

    tables: parameters of every unit or rack, for silences, which may differ; none: the defaults.
    """
    name = feature_name(stage)
    if name in SILENCES:
        times_ms = {table[SILENCES[name][value - 1]] for table in tables or (_DEFAULTS,)}
        return " or ".join([plain(time_ms / 1000) for time_ms in sorted(times_ms)]) + " s"
    return "" if name.endswith("_ok") or name in PERHAPS else quantity(name, value)


def quantity(name, value):
    """A value of the feature `name` with its unit: "25 % LFL"."""
    for ending, divisor, unit in UNITS:
        if name.endswith(ending):
            return f"{plain(value / divisor)} {unit}"
    return plain(value)


def trips_at(stage, value, tables=()):
    """ ">= 45 degC"; "" for what is yes or no."""
    if feature_name(stage) in ABOVE_ZERO:
        return "> 0"
    words = level(stage, value, tables)
    return f"{'>=' if stage[m.S_SENSE] > 0 else '<='} {words}" if words else ""


def clears_at(stage, value):
    """ "<= 43 degC", where a stage with hysteresis begins to be clear."""
    if feature_name(stage) in SILENCES or feature_name(stage) in ABOVE_ZERO:
        return ""
    words = level(stage, value)
    return f"{'<=' if stage[m.S_SENSE] > 0 else '>='} {words}" if words else ""


def after(duration_ms):
    """A debounce: "2 s", "at once"."""
    return f"{plain(duration_ms / 1000)} s" if duration_ms else "at once"


def longer_by_tick(found):
    """What images.longer_by_tick found, as a sentence."""
    times = ", ".join(
        [
            f"{each['stage']} {after(each['matrix_ms'])} -> {after(each['here_ms'])}"
            for each in found
        ]
    )
    return (
        f"Whole ticks make these debounces longer than the matrix has them, and the rows so much "
        f"later: {times}."
    )


def demands(stage):
    """What the stage demands, a list of words."""
    demand = stage[m.S_DEMAND]
    words = [names[demand[index]] for index, names in EFFECTS if demand[index]]
    for index, what in (
        (m.D_CHARGE_DERATE_PCT, "charging"),
        (m.D_DISCHARGE_DERATE_PCT, "discharging"),
    ):
        if demand[index]:
            words.append(f"{what} at most {100 - demand[index]} %")
    return words


def confidence(row):
    """(code, its meaning) of a row's basis; what is unconfirmed or cites a clause from memory says
    so.
    """
    _, basis, code = m.CLAUSES[row]
    words = CONFIDENCE[code]
    return code, words if code == "G" or "(?)" not in basis else words + (
        ", its clause unconfirmed (?)"
    )


def plain(number):
    """A number without a useless fraction."""
    return f"{number:g}"


def by_row():
    """{row: [stage]}, rows rising, stages by their letter."""
    found = {}
    for stage in sorted(m.STAGES, key=lambda each: (each[m.S_ROW], each[m.S_ID])):
        found.setdefault(stage[m.S_ROW], []).append(stage)
    return found
