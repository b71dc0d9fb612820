"""Makes the cause-and-effect matrix as plain data. Without a site it has the matrix's own numbers,
with a site it has the site's numbers and the state of each stage there.
"""

from collections.abc import Sequence

from controller.config import bus_times, stage_states, tapers, thresholds
from controller.config.bus_times import Schedule
from controller.config.cabinet_config import Config
from controller.documents import effect_words, matrix_tables
from controller.documents.document import Facts
from controller.rows import (
    facts as fact_table,
    matrix_words,
    number_sources,
    readings,
    reason_words,
)
from controller.rows.records import ROWS, STAGES, by_row
from safety import matrix as m

# If no BMS of the site reports the signal of a stage, this program does nothing for the stage. Then
# these values replace the numbers of the stage.
NO_STAGE: Facts = {
    **dict.fromkeys(("set", "clear", "debounce_ms", "clear_for_ms", "latest_ms", "held_latest_ms")),
    **dict.fromkeys(("trips_at", "clears_at", "reset"), ""),
    "demands": [],
    "demands_not_fitted": [],
}


def facts(config: Config | None = None, missing: Sequence[str] = ()) -> Facts:
    """The matrix as plain data. config: a site, or None. missing: lines of configuration.survey."""
    schedule = bus_times.schedule(config) if config else {}
    rows = [_row(row, stages, config, schedule) for row, stages in by_row().items()]
    return {
        "site": matrix_tables.site_facts(config, missing) if config else None,
        "rows": rows,
        "conflicts": effect_words.conflicts(config),
        "breaker": effect_words.breaker(config),
        "fuse": effect_words.fuse(config),
        "tapers": tapers.facts(config),
        "readings": readings.facts(),
        "reasons": number_sources.reasons(),
    }


def _row(row: int, stages: list[tuple], config: Config | None, schedule: Schedule) -> Facts:
    code, meaning = matrix_words.confidence(row)
    return {
        "row": row,
        "what": ROWS[row].what,
        "basis": ROWS[row].basis,
        "sources": [fact_table.words(key) for key in fact_table.keys(ROWS[row].basis)],
        "confidence": code,
        "confidence_means": meaning,
        "is_unconfirmed": code == "G" or "(?)" in ROWS[row].basis,
        "is_ours": row >= readings.ADDED_FROM,
        "stages": [_stage(stage, config, schedule) for stage in stages],
    }


def _stage(stage: tuple, config: Config | None, schedule: Schedule) -> Facts:
    name, sentence, remedy = reason_words.stage_text(stage)
    basis, confidence = readings.basis(stage)
    facts = {
        "stage": stage[m.S_ID],
        "is_ours": readings.is_added(stage),
        "basis": basis,
        "confidence": confidence,
        "numbers": {
            key: number._asdict() for key, number in number_sources.of(stage[m.S_ID]).items()
        },
        "numbers_from": number_sources.short(stage[m.S_ID]),
        "scope": matrix_words.SCOPES[stage[m.S_SCOPE]],
        "cause": matrix_words.cause(stage),
        **_numbers(stage, config),
        "reset": matrix_words.RESETS[stage[m.S_LATCH]],
        "demands": effect_words.effects(stage, config),
        "demands_not_fitted": effect_words.absent(stage, config),
        "name": name,
        "sentence": sentence,
        "remedy": remedy,
    }
    return _of_site(facts, stage, config, schedule) if config else facts


def _of_site(facts: Facts, stage: tuple, config: Config, schedule: Schedule) -> Facts:
    """The facts of a stage on a site. They have no numbers if no BMS reports the stage's signal."""
    matrix_level, _ = thresholds.levels(stage, config.hma["chemistry"])
    if facts["set"] != matrix_level:
        facts["numbers_from"] += (
            f"; the site tightened {matrix_words.trips_at(stage, matrix_level)}"
        )
    if facts["debounce_ms"] < stage[m.S_SET_MS]:
        after = matrix_words.after(stage[m.S_SET_MS])
        facts["numbers_from"] += f"; the site shortened {after}"
    facts |= {
        "states": matrix_tables.states(stage, config),
        **matrix_tables.times(stage, config, schedule),
        "instead": "",
    }
    states, record = matrix_tables.own_states(stage, config), STAGES[stage[m.S_ID]]
    if states == {stage_states.BY_BMS}:
        return facts | NO_STAGE | {"trips_at": "by the BMS's own limits", "instead": record.by_bms}
    if states == {stage_states.NOT_REPORTED}:
        return facts | NO_STAGE | {"instead": f"no device does this: {record.not_by_bms}"}
    return facts


def _numbers(stage: tuple, config: Config | None) -> Facts:
    """Threshold and debounce time of the site. Without a site, the numbers of the matrix, and also
    those for NMC cells if they differ.
    """
    if config:
        level, clear, set_ticks, clear_ticks = config.stage_words[stage[m.S_ID]]
        set_ms, clear_ms = set_ticks * config.tick_ms, clear_ticks * config.tick_ms
    else:
        level, clear = stage[m.S_SET], stage[m.S_CLEAR]
        set_ms, clear_ms = stage[m.S_SET_MS], stage[m.S_CLEAR_MS]
    facts: Facts = {
        "trips_at": matrix_words.trips_at(stage, level, matrix_tables.tables(stage, config)),
        "set": level,
        "debounce_ms": set_ms,
        "clears_at": matrix_words.clears_at(stage, clear),
        "clear": clear,
        "clear_for_ms": clear_ms,
    }
    nmc_levels = thresholds.levels(stage, thresholds.NMC)
    if not config and nmc_levels != (level, clear):
        facts["nmc"] = {
            "trips_at": matrix_words.trips_at(stage, nmc_levels[0]),
            "clears_at": matrix_words.clears_at(stage, nmc_levels[1]),
        }
    return facts
