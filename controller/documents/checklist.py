"""The commissioning checklist of a site: how to make each armed stage trip, what must follow, and
by when.

Every row has an injected-signal test with measured times (A75 of the fact table); rows in hard
wiring are proven once more with the controller switched off. What to inject is said per feature:
the same contact or gas trips all its stages.
"""

from controller.documents import document, effect_words, matrix_tables
from controller.rows import matrix_words, proof_intervals, records
from controller.site import bus_times, stage_states, tapers, time_chain, wired
from controller.site.equipment import EQUIPMENT
from safety import matrix as m
from safety import runaway

# Signs of runaway that row 53 adds up, in the order of what is at hand, and where each comes from:
# equipment, or a word of the rack's BMS.
SIGNS = {
    "offgas_ppm_max": "offgas",
    "toxic_ppm": "toxic",
    "cell_spread_mV": "cells_reported",
    "temperature_over_median_ddegC": "temperatures_reported",
}
WHOLE_SIGNS = {
    m.FEATURES[m.RACK if of_rack else m.CABINET][feature]: value
    for feature, of_rack, value, _ in runaway.SIGNS
}
SUSPICION = "53"
# of a sign's own threshold: what a detector may read less than the gas it is given
SIGN_MARGIN_PCT = 5
# Of each row that has passed or failed; --site FILE where no controller runs yet.
RECORD = (
    'firebreak proof-test record ROW --tester "NAME, CREDENTIALS" --reaction-ms N --result passed'
)
FIELDS = ("measured, s", "tester", "date", "pass")
BLANKS = ("",) * len(FIELDS)
BY_WIRE_FIELDS = ("both on before", "enable off, s", "supply off, s", *FIELDS[1:])
BY_WIRE_BLANKS = ("",) * len(BY_WIRE_FIELDS)


def facts(found):
    """The checklist of a Config as plain data."""
    schedule = bus_times.schedule(found)
    rows = records.by_row()
    named = matrix_tables.site(found)
    return {
        "site": named,
        "record": RECORD,
        "hard_wired_steps": wired.steps(found),
        "hard_wired": [_by_wire(row, found) for row in named["hard_wired_rows"]],
        "tests": [
            _test(stage, found, schedule)
            for stages in rows.values()
            for stage in stages
            if _is_armed(stage, found)
        ],
        "without": [
            _without(stage, found)
            for stages in rows.values()
            for stage in stages
            if not _is_armed(stage, found)
        ],
        "tapers": tapers.facts(found),
    }


def _by_wire(row, found):
    return {
        "row": row,
        "key": f"{row}{proof_intervals.WIRED}",
        "inject": records.WIRED[row].inject,
        "enable_latest_ms": wired.enable_ms(found, row),
        "supply_latest_ms": wired.supply_ms(found, row),
    }


def _is_armed(stage, found):
    return any(
        stage_states.stage_state(stage, found.topology, index)[0] in stage_states.ARMED_STATES
        for each, index in stage_states.instances(found.topology)
        if each is stage
    )


def _test(stage, found, schedule):
    level, _, set_ticks, _ = found.stage_words[stage[m.S_ID]]
    parts, held = (
        time_chain.chain(found, schedule, stage),
        time_chain.held_chain(found, schedule, stage),
    )
    return {
        "row": stage[m.S_ROW],
        "stage": stage[m.S_ID],
        "key": proof_intervals.key_of(stage),
        "cause": matrix_words.cause(stage),
        "inject": inject(stage, found),
        "trips_at": matrix_words.trips_at(stage, level, matrix_tables.tables(stage, found)),
        "demands": effect_words.effects(stage, found),
        "demands_not_fitted": effect_words.absent(stage, found),
        "reset": matrix_words.RESETS[stage[m.S_LATCH]],
        **matrix_tables.times(stage, found, schedule),
        "open_latest_ms": time_chain.opened_ms(found, schedule, stage),
        "parts": [part._asdict() for part in parts],
        "held_parts": [part._asdict() for part in held],
    }


def inject(stage, found):
    """How to make a stage of the matrix trip on this site."""
    words = records.feature(stage).inject.format(stage=stage[m.S_ID])
    if stage[m.S_ID] == SUSPICION:
        words += f": {_suspicious_words(found)}"
    return (
        words
        if stage[m.S_GATE] == m.NO_GATE
        else (f"{words}; {records.feature(stage, m.S_GATE).inject}")
    )


def suspicious(found):
    """([(feature's name, reading)], percent of a whole sign each is) of two signs that trip row 53
    of this site.

    A whole sign is the kernel's own number, whatever rows 7 and 9 of the site have been tightened
    to.
    """
    share_pct = (
        max(-(-found.stage_words[SUSPICION][0] // 2), runaway.SECOND_PCT_MIN) + SIGN_MARGIN_PCT
    )
    told = {
        name
        for facts in stage_states.rack_facts(found.topology)
        for name, is_told in facts.items()
        if is_told
    }
    there = told | set(EQUIPMENT) - set(found.topology.not_fitted)
    names = [name for name, source in SIGNS.items() if source in there]
    return [(name, -(-WHOLE_SIGNS[name] * share_pct // 100)) for name in names[:2]], share_pct


def _suspicious_words(found):
    readings, share_pct = suspicious(found)
    signs = [
        f"{records.FEATURES[name].words}: at least {matrix_words.quantity(name, value)} (a "
        f"whole sign is "
        f"{matrix_words.quantity(name, WHOLE_SIGNS[name])})"
        for name, value in readings
    ]
    return (
        f"{' and '.join(signs)}, {share_pct} % of each; gas from the bottle through the "
        f"sensor's cup, what the BMS "
        "tells by the maker's test tool"
    )


def _without(stage, found):
    return {
        "row": stage[m.S_ROW],
        "stage": stage[m.S_ID],
        "cause": matrix_words.cause(stage),
        "states": matrix_tables.states(stage, found),
    }


def blocks(made, day=None):
    """The checklist as a document to print and fill in; day: as in matrix_report.site_blocks."""
    named = made["site"]
    return [
        document.Heading(1, f"Commissioning checklist: {list(named['names'].values())[-1]}"),
        *matrix_tables.site_blocks(named, day),
        document.Heading(2, "Times"),
        document.Text(
            "Latest: from the cause to power at zero (or to the outputs, where a "
            "row takes no power); "
            "open: to open contactors; fan: to a fan that waits for the agent. All "
            "are the worst case of "
            "this configuration, with assumed times for sensors, relays and the "
            "converter: measured times "
            "replace them. Every rack and unit is tested. What was bridged, "
            "unplugged, blocked or set "
            "for a test is put back before the next one, and seen to be back."
        ),
        document.Text(
            f"Each row then goes into the proof-test ledger, of which commissioning "
            f"is the first entry: "
            f"{made['record']} (or failed). Recorded apart, under a name of its own, "
            f"is "
            f"{', '.join(_apart(made))}: beside the slower stages of its row its own "
            f"lateness would not "
            "show. firebreak proof-test list shows what is missing."
        ),
        *_hard_wired(made),
        document.Heading(2, f"Stages that are armed ({len(made['tests'])})"),
        document.Table(
            (
                "stage",
                "cause",
                "trips at",
                "how to inject",
                "what must follow",
                "reset",
                "latest, s",
                "open, s",
                *FIELDS,
            ),
            [_cells(test) for test in made["tests"]],
            len(FIELDS),
        ),
        *_not_fitted(made["tests"]),
        document.Heading(
            2, f"Stages that are not armed ({len(made['without'])}): nothing to test here"
        ),
        document.Table(
            ("stage", "cause", "state"),
            [
                (each["stage"], each["cause"], matrix_tables.state_cell(each["states"]))
                for each in made["without"]
            ],
        ),
        *matrix_tables.taper_blocks(made["tapers"]),
        *_times(made["tests"]),
    ]


def _apart(made):
    """What is not recorded under the number of its row."""
    keys = dict.fromkeys([each["key"] for each in (*made["tests"], *made["hard_wired"])])
    return [key for key in keys if not key.isdigit()]


def _hard_wired(made):
    if not made["hard_wired"]:
        return []
    rows = [
        (
            each["key"],
            each["inject"],
            _seconds(each["enable_latest_ms"]),
            _seconds(each["supply_latest_ms"]),
            *BY_WIRE_BLANKS,
        )
        for each in made["hard_wired"]
    ]
    return [
        document.Heading(2, "In hard wiring: with the controller switched off"),
        document.Text(
            "In this order. What is recorded is the time to the PCS enable that is "
            "gone; the contactor "
            "supply follows behind its off-delay relay."
        ),
        document.Table(
            ("step", "what to do"),
            [(str(number), words) for number, words in enumerate(made["hard_wired_steps"], 1)],
        ),
        document.Table(
            (
                "row",
                "how to prove it",
                "enable off latest, s",
                "supply off latest, s",
                *BY_WIRE_FIELDS,
            ),
            rows,
            len(BY_WIRE_FIELDS),
        ),
    ]


def _not_fitted(tests):
    """The effects that armed stages demand and no output carries: named once, so that nobody waits
    for them.
    """
    stages = {}
    for test in tests:
        for each in test["demands_not_fitted"]:
            stages.setdefault((each["effect"], each["accepted_by"]), []).append(test["stage"])
    if not stages:
        return []
    rows = [(effect, " ".join(names), who) for (effect, who), names in stages.items()]
    return [
        document.Heading(2, f"Effects that are not fitted ({len(rows)}): nothing to see here"),
        document.Table(("effect", "of stages", "accepted by"), rows),
    ]


def _cells(test):
    opened = test["open_latest_ms"]
    return (
        test["stage"],
        test["cause"],
        test["trips_at"],
        test["inject"],
        ", ".join(test["demands"]),
        test["reset"],
        _latest(test),
        "-" if opened is None else _seconds(opened),
        *BLANKS,
    )


def _latest(test):
    held_ms = test["held_latest_ms"]
    return _seconds(test["latest_ms"]) + ("" if held_ms is None else f"; fan {_seconds(held_ms)}")


def _times(tests):
    """What each latest time is made of; (a) assumed."""
    rows = [
        row
        for test in tests
        for row in (
            (test["stage"], _sum(test["parts"]), _seconds(test["latest_ms"])),
            *[
                (
                    f"{test['stage']}, fan",
                    _sum(test["held_parts"]),
                    _seconds(test["held_latest_ms"]),
                )
                for _ in test["held_parts"][:1]
            ],
        )
    ]
    return [
        document.Heading(2, "What the latest times are made of, in seconds; (a) is assumed"),
        document.Table(("stage", "parts", "sum"), rows),
    ]


def _sum(parts):
    return " + ".join(
        [
            f"{part['what']} {_seconds(part['time_ms'])}" + " (a)" * part["is_assumed"]
            for part in parts
            if part["time_ms"]
        ]
    )


def _seconds(duration_ms):
    return f"{duration_ms / 1000:.3f}"
