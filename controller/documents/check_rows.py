"""The parts of `firebreak check` about the cause-and-effect matrix. They list the thresholds that
the site has tightened, and the state of each row: armed, not fitted, and so on.
"""

from collections.abc import Iterator

from controller.config import (
    equipment as equipment_tables,
    limit_images,
    stage_states,
    thresholds as site_thresholds,
)
from controller.config.cabinet_config import Config
from controller.documents import matrix_tables
from controller.documents.document import wrapped
from controller.rows import matrix_words
from controller.rows.records import ROWS
from safety import matrix, parameters

# If this equipment is missing, its rows of the matrix stay armed, so the table of rows does not
# show that it is missing.
UNSEEN_IN_ROWS = ("shunt_trip", "aux_load", "pre_alarm", "supervised")


def thresholds(config: Config) -> Iterator[str]:
    """Lines about the thresholds that the site has changed. They are in kW, degC and s, so that a
    person notices a number that was written in a wrong unit.
    """
    changed = {stage: _changed(config, stage) for stage in matrix.STAGES}
    lines = [
        line
        for stage, changes in changed.items()
        for line in wrapped(
            f"  {stage[matrix.S_ID]:4} {matrix_words.cause(stage)}: ", ", ".join(changes)
        )
        if changes
    ]
    yield from ("", "THRESHOLDS TIGHTENED (matrix -> here)" + ("" if lines else ": none"))
    yield from lines
    longer = limit_images.longer_by_tick(config)
    if longer:
        yield from wrapped("  ", matrix_words.longer_by_tick(longer))


def _changed(config: Config, stage: tuple) -> list[str]:
    """The changes of one stage, for example ["trips at 45.1 degC -> 43 degC"]."""
    level, clear, set_ticks, clear_ticks = config.stage_words[stage[matrix.S_ID]]
    old_level, old_clear = level, clear
    if stage[matrix.S_ID] not in site_thresholds.STAGE_SET_FROM:
        old_level, old_clear = site_thresholds.levels(stage, config.hma["chemistry"])
    changes = [
        f"{label} {matrix_words.level(stage, old)} -> {matrix_words.level(stage, new)}"
        for label, old, new in (("trips at", old_level, level), ("clears at", old_clear, clear))
        if old != new
    ]
    for label, index, ticks in (
        ("after", matrix.S_SET_MS, set_ticks),
        ("clear for", matrix.S_CLEAR_MS, clear_ticks),
    ):
        old_ticks = parameters.ticks(stage[index], config.tick_ms)
        if old_ticks != ticks:
            old, new = [matrix_words.after(count * config.tick_ms) for count in (old_ticks, ticks)]
            changes.append(f"{label} {old} -> {new}")
    return changes


def rows(config: Config) -> Iterator[str]:
    """Lines about each row, with the states of its stages (thresholds) and the equipment that is
    not fitted.
    """
    yield from ("", "ROWS OF THE CAUSE-AND-EFFECT MATRIX", "  row  stages              state")
    for row, groups in sorted(row_states(config).items()):
        text = ROWS[row].what
        for stages, state, equipment in groups:
            joint = "; " if ": " in state else ": "
            description = f"{state}{joint}{text}" if text else state
            yield from wrapped(f"  {row:3}  {' '.join(stages):18}  ", description)
            text = ""
            if equipment:
                who = stage_states.accepted(config.topology, equipment)
                yield from wrapped(f"{'':25}accepted by: ", who)
    for name, who in config.topology.not_fitted.items():
        if name in UNSEEN_IN_ROWS:
            yield f"{'':5}not fitted: {equipment_tables.EQUIPMENT[name].text}"
            yield from wrapped(f"{'':25}accepted by: ", who)


def row_states(config: Config) -> dict[int, list[tuple[list[str], str, str]]]:
    """{row: [([stage ids of one state], state in words, equipment that is not fitted)]}."""
    by_row: dict[int, dict[tuple[str, str], list[str]]] = {}
    for stage in matrix.STAGES:
        states = matrix_tables.states(stage, config)
        equipment = next((state["equipment"] for state in states if state["equipment"]), "")
        text = ", ".join(map(matrix_tables.placed, states))
        groups = by_row.setdefault(stage[matrix.S_ROW], {})
        groups.setdefault((text, equipment), []).append(stage[matrix.S_ID])
    return {
        row: [(names, text, equipment) for (text, equipment), names in groups.items()]
        for row, groups in by_row.items()
    }
