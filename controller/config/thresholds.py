"""The keys with which a file changes thresholds of the cause-and-effect matrix. A file may only
tighten a threshold, so that the stage acts earlier.
"""

from controller.forms.field import Field, derived
from controller.rows import matrix_words, records
from controller.rows.shapes import MatrixStage
from safety import matrix

Keys = dict[str, Field]
LFP, NMC = "LFP", "NMC"  # chemistry: iron phosphate, nickel manganese cobalt oxide
# Stages whose threshold is a parameter of [cabinet]. If the file changes it, `clear` changes in
# proportion.
STAGE_SET_FROM = {name: stage.set_from for name, stage in records.STAGES.items() if stage.set_from}
# (part of a feature's name, low, high): how far a file may tighten a stage on the feature. The
# first part that fits counts. A stage that trips at or above its threshold may go down to `low`,
# any other stage up to `high`.
_TIGHTEN_TO = (
    ("cell_voltage_mV", 2000, 4300),
    ("cell_voltage_drop_mV", 20, 250),
    ("cell_spread_mV", 10, 400),
    ("bus_mismatch_mV", 500, 10_000),
    ("temperature_ddegC_min", -400, 250),
    ("temperature_rise", 1, 30),
    ("temperature_unexplained", 1, 5),
    ("temperature_spread", 10, 150),
    ("temperature_over_median", 10, 151),
    ("_ddegC", 0, 1000),
    ("_lfl_permille", 10, 1000),
    ("calibration_d", -1, 365),
    ("_ppm", 1, 200),
    ("humidity_permille", 100, 901),
    ("ups_reserve_min", 29, 2880),
    ("noc_lost_s", 1, 901),
    ("insulation_ohm_per_V", 99, 10_000),
    ("suspicion_pct", 30, 100),
)
# A person may write 45 for 45 degC, but in units of a tenth this means 4.5 degC. So in such units,
# a value below a quarter of the matrix's value is refused. This finds the mistake unless the person
# means more than 2.5 times the matrix's value.
_PART_MIN = 4
_CLEAR_MS_MAX = 3_600_000
_NMC_THRESHOLDS = {name: (level, clear) for name, level, clear in matrix.NMC_THRESHOLDS}


def levels(stage: MatrixStage, chemistry: str) -> tuple[int, int]:
    """(set, clear) of a stage of the matrix for cells of this chemistry."""
    matrix_levels = stage[matrix.S_SET], stage[matrix.S_CLEAR]
    return (
        _NMC_THRESHOLDS.get(stage[matrix.S_ID], matrix_levels)
        if chemistry == NMC
        else matrix_levels
    )


def _threshold(stage: MatrixStage, value: int) -> Field:
    """Field of a stage's `set` or `clear`: the matrix's value or tighter."""
    feature = records.feature_name(stage)
    units = [row[1:] for row in matrix_words.UNITS if feature.endswith(row[0])]
    unit = units[0] if units else None
    for part_of_name, low, high in _TIGHTEN_TO:
        if part_of_name in feature and stage[matrix.S_SENSE] > 0:
            part = -(-value // _PART_MIN) if unit and unit[0] > 1 else low
            return Field("int", (min(max(low, part), value), value), value, "down", unit)
        if part_of_name in feature:
            return Field("int", (value, max(high, value)), value, "up", unit)
    return Field("int", (value, value), value, "fixed", unit)


def _stage(stage: MatrixStage, chemistry: str) -> Keys:
    set_from = STAGE_SET_FROM.get(stage[matrix.S_ID])
    level, clear = [
        derived(f"it is {set_from} of [cabinet]") if set_from else _threshold(stage, threshold)
        for threshold in levels(stage, chemistry)
    ]
    set_ms, clear_ms = stage[matrix.S_SET_MS], stage[matrix.S_CLEAR_MS]
    return {
        "set": level,
        "clear": clear,
        "set_ms": Field("int", (0, set_ms), set_ms, "down"),
        "clear_ms": Field("int", (clear_ms, _CLEAR_MS_MAX), clear_ms, "up"),
    }


STAGES: dict[str, dict[str, Keys]] = {
    chemistry: {str(stage[matrix.S_ID]): _stage(stage, chemistry) for stage in matrix.STAGES}
    for chemistry in (LFP, NMC)
}
