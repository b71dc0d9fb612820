"""Describes a stage of the matrix (safety/matrix.py) in words: cause, values, demands, reset."""

from typing import Any

from controller.core.base.texts import table
from controller.rows.records import ROWS, feature, feature_name
from controller.rows.shapes import ABOVE_ZERO, YES_NO, MatrixStage
from safety import matrix as m, parameters as p

RESETS = ("by itself", "remote", "key on site")  # in the order of m.SELF, REMOTE, KEY
SCOPES = ("cabinet", "unit", "rack")
# {code of a confidence (facts.py): how sure the basis of a row is}
CONFIDENCE = {
    "C": "read in a primary text",
    "C2": "read in a secondary text",
    "G": "unconfirmed (?)",
    "D": "derived, or a default of the project",
}
# (ending of a feature's name, divisor, unit). The first ending that fits counts.
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
# demand | its levels from 1 on
_EFFECTS = """
PCS | power to zero in 2 s | PCS stop
DC | no closing | contactors open at zero current or after 2 s | contactors open at once |
  contactors open at zero current only
REMOVAL | all energy removed within 5 s
SHUNT_TRIP | shunt trip upstream
AUX_SHED | loads not rated for gas off
FAN | fan on
HORN | horn
RED_LAMP | red lamp
LAMP | lamp
CHARGE_INHIBIT | no charging | no charging
DISCHARGE_INHIBIT | no discharging | no discharging
PRE_ALARM | pre-alarm to fire panel
FACU | fire panel notified
OPERATOR | operator notified
MAINTENANCE | maintenance notified
"""
EFFECTS = [(getattr(m, f"D_{name}"), ("", *levels)) for name, *levels in table(_EFFECTS)]
HOLD_OFF = "agent hold-off"
_DEFAULTS = {row[0]: row[4] for row in p.UNIT_PARAMETERS + p.RACK_PARAMETERS}


def cause(stage: MatrixStage) -> str:
    """Cause of a stage in words, such as "hottest module, while charging"."""
    text = feature(stage).words
    return text if stage[m.S_GATE] == m.NO_GATE else f"{text}, {feature(stage, m.S_GATE).words}"


def level(stage: MatrixStage, value: int, tables: tuple[dict[str, int], ...] = ()) -> str:
    """A threshold with its unit; "" for a contact or a feature shown as yes or no. tables:
    parameters of the units or racks; (): their defaults.
    """
    name, ladder = feature_name(stage), feature(stage).ladder
    if ladder:
        times_ms = {table[ladder[value - 1]] for table in tables or (_DEFAULTS,)}
        return " or ".join(plain(time_ms / 1000) for time_ms in sorted(times_ms)) + " s"
    is_yes_no = name.endswith("_ok") or feature(stage).shown == YES_NO
    return "" if is_yes_no else quantity(name, value)


def quantity(name: str, value: int) -> str:
    """A value of the feature `name` with its unit: "25 % LFL"."""
    for ending, divisor, unit in UNITS:
        if name.endswith(ending):
            return f"{plain(value / divisor)} {unit}"
    return plain(value)


def trips_at(stage: MatrixStage, value: int, tables: tuple[dict[str, int], ...] = ()) -> str:
    """The condition that trips a stage, such as ">= 45 degC"; "" if the feature is yes or no."""
    if feature(stage).shown == ABOVE_ZERO:
        return "> 0"
    threshold = level(stage, value, tables)
    return f"{'>=' if stage[m.S_SENSE] > 0 else '<='} {threshold}" if threshold else ""


def clears_at(stage: MatrixStage, value: int) -> str:
    """The value at which a stage with hysteresis begins to clear, such as "<= 43 degC"."""
    if feature(stage).ladder or feature(stage).shown == ABOVE_ZERO:
        return ""
    threshold = level(stage, value)
    return f"{'<=' if stage[m.S_SENSE] > 0 else '>='} {threshold}" if threshold else ""


def after(duration_ms: int) -> str:
    """A debounce time in words, such as "2 s" or "at once"."""
    return f"{plain(duration_ms / 1000)} s" if duration_ms else "at once"


def longer_by_tick(stages: list[dict[str, Any]]) -> str:
    """Sentence about debounce times that whole ticks make longer (limit_images.longer_by_tick)."""
    times = [
        f"{stage['stage']} {after(stage['matrix_ms'])} -> {after(stage['here_ms'])}"
        for stage in stages
    ]
    longer = "Whole ticks make these debounce times longer than in the matrix"
    return f"{longer}, and the rows act that much later: {', '.join(times)}."


def demands(stage: MatrixStage) -> list[str]:
    """The demands of the stage in words."""
    demand = stage[m.S_DEMAND]
    effects = [names[demand[index]] for index, names in EFFECTS if demand[index]]
    derates = ((m.D_CHARGE_DERATE_PCT, "charging"), (m.D_DISCHARGE_DERATE_PCT, "discharging"))
    for index, direction in derates:
        if demand[index]:
            effects.append(f"{direction} at most {100 - demand[index]} %")
    return effects


def confidence(row: int) -> tuple[str, str]:
    """(code, its meaning) of a row's basis; the meaning names an unconfirmed clause."""
    record = ROWS[row]
    meaning = CONFIDENCE[record.confidence]
    if record.confidence != "G" and "(?)" in record.basis:
        meaning += ", its clause unconfirmed (?)"
    return record.confidence, meaning


def plain(number: float) -> str:
    """A number without trailing zeros."""
    return f"{number:g}"
