"""Makes the commissioning checklist of a site. For each armed stage of the cause-and-effect matrix,
it says how to trip the stage, what must follow, and within which time.

Each row is tested with an injected signal and measured times (A75 of the fact table). A hard-wired
row has a second test, with the controller switched off. Each feature (a measured quantity) has one
text about how to inject it, because one signal trips all its stages.
"""

from controller.config import bus_times, stage_states, tapers, time_chain, wired
from controller.config.bus_times import Schedule
from controller.config.cabinet_config import Config
from controller.config.equipment import EQUIPMENT
from controller.documents import effect_words, matrix_tables
from controller.documents.document import Facts
from controller.rows import matrix_words, proof_intervals, records
from safety import matrix as m, runaway
from safety.signals import CABINET, RACK

# Row 53 adds up several signs of thermal runaway. {feature: its source}, with the sign first that
# is easiest to inject. A source is equipment, or a value that the rack's BMS reports.
SIGNS = {
    "offgas_ppm_max": "offgas",
    "toxic_ppm": "toxic",
    "cell_spread_mV": "cells_reported",
    "temperature_over_median_ddegC": "temperatures_reported",
}
WHOLE_SIGNS = {
    m.FEATURES[RACK if of_rack else CABINET][feature]: value
    for feature, of_rack, value, _ in runaway.SIGNS
}
SUSPICION = "53"
# The injected signal is larger than needed by this percentage of a whole sign, because a detector
# may read less than the gas in the bottle.
SIGN_MARGIN_PCT = 5
# The command that records a test. It needs --site FILE if no controller runs yet.
RECORD = (
    'firebreak test proof record ROW --tester "NAME, CREDENTIALS" --reaction-ms N --result passed'
)


def facts(config: Config) -> Facts:
    """The checklist of a site as plain data."""
    schedule = bus_times.schedule(config)
    stages = [stage for group in records.by_row().values() for stage in group]
    armed = stage_states.stages_in(config.topology, stage_states.ARMED_STATES)
    site = matrix_tables.site_facts(config)
    return {
        "site": site,
        "record": RECORD,
        "hard_wired_steps": wired.steps(config),
        "hard_wired": [
            {
                "row": row,
                "key": f"{row}{proof_intervals.WIRED}",
                "inject": records.WIRED[row].inject,
                "enable_latest_ms": wired.enable_ms(config, row),
                "supply_latest_ms": wired.supply_ms(config, row),
            }
            for row in site["hard_wired_rows"]
        ],
        "tests": [_test(stage, config, schedule) for stage in stages if stage in armed],
        "without": [
            {
                "row": stage[m.S_ROW],
                "stage": stage[m.S_ID],
                "cause": matrix_words.cause(stage),
                "states": matrix_tables.states(stage, config),
            }
            for stage in stages
            if stage not in armed
        ],
        "tapers": tapers.facts(config),
    }


def _test(stage: tuple, config: Config, schedule: Schedule) -> Facts:
    level, _, _, _ = config.stage_words[stage[m.S_ID]]
    parts = time_chain.chain(config, schedule, stage)
    held = time_chain.held_chain(config, schedule, stage)
    return {
        "row": stage[m.S_ROW],
        "stage": stage[m.S_ID],
        "key": proof_intervals.key_of(stage),
        "cause": matrix_words.cause(stage),
        "inject": inject(stage, config),
        "trips_at": matrix_words.trips_at(stage, level, matrix_tables.tables(stage, config)),
        "demands": effect_words.effects(stage, config),
        "demands_not_fitted": effect_words.absent(stage, config),
        "reset": matrix_words.RESETS[stage[m.S_LATCH]],
        **matrix_tables.times(stage, config, schedule),
        "open_latest_ms": time_chain.opened_ms(config, schedule, stage),
        "parts": [part._asdict() for part in parts],
        "held_parts": [part._asdict() for part in held],
    }


def inject(stage: tuple, config: Config) -> str:
    """How to make a stage of the matrix trip on this site."""
    instruction = records.feature(stage).inject.format(stage=stage[m.S_ID])
    if stage[m.S_ID] == SUSPICION:
        instruction += f": {_suspicious_words(config)}"
    if stage[m.S_GATE] != m.NO_GATE:
        instruction += f"; {records.feature(stage, m.S_GATE).inject}"
    return instruction


def suspicious(config: Config) -> tuple[list[tuple[str, int]], int]:
    """([(feature, reading)], percent) of two signs that together trip row 53 of this site. percent:
    each reading as a percentage of a whole sign.

    A whole sign is a number of the safety kernel. The site's own thresholds do not change it.
    """
    level, _, _, _ = config.stage_words[SUSPICION]
    share_pct = max(-(-level // 2), runaway.SECOND_PCT_MIN) + SIGN_MARGIN_PCT
    reported = {
        name
        for facts in stage_states.rack_facts(config.topology)
        for name, is_reported in facts.items()
        if is_reported
    }
    present = reported | set(EQUIPMENT) - set(config.topology.not_fitted)
    names = [name for name, source in SIGNS.items() if source in present]
    return [(name, -(-WHOLE_SIGNS[name] * share_pct // 100)) for name in names[:2]], share_pct


def _suspicious_words(config: Config) -> str:
    readings, share_pct = suspicious(config)
    signs = [
        f"{records.FEATURES[name].words}: at least {matrix_words.quantity(name, value)} (a whole "
        f"sign is {matrix_words.quantity(name, WHOLE_SIGNS[name])})"
        for name, value in readings
    ]
    return (
        f"{' and '.join(signs)}, {share_pct} % of each; inject gas from the bottle through the "
        "sensor's cup, BMS values with the maker's test tool"
    )
