"""The commissioning checklist as a document to print and fill in."""

from controller.documents import document, matrix_tables

FIELDS = ("measured, s", "tester", "date", "pass")
BY_WIRE_FIELDS = ("both on before", "enable off, s", "supply off, s", *FIELDS[1:])
TIMES = (
    "Latest: from the cause to power at zero (or to the outputs, where a row takes no power); "
    "open: to open contactors; fan: to a fan that waits for the agent. All are the worst case of "
    "this configuration, with assumed times for sensors, relays and the converter: measured times "
    "replace them. Every rack and unit is tested. What was bridged, unplugged, blocked or set for "
    "a test is put back before the next one, and seen to be back."
)


def blocks(made: dict, day: str | None = None) -> list:
    """The checklist as a document; made: of checklist.facts; day: as in site_blocks."""
    named, tests, without = made["site"], made["tests"], made["without"]
    return [
        document.Heading(1, f"Commissioning checklist: {list(named['names'].values())[-1]}"),
        *matrix_tables.site_blocks(named, day),
        document.Heading(2, "Times"),
        document.Text(TIMES),
        document.Text(
            f"Each row then goes into the proof-test ledger, of which commissioning is the first "
            f"entry: {made['record']} (or failed). Recorded apart, under a name of its own, is "
            f"{', '.join(_apart(made))}: beside the slower stages of its row its own lateness "
            "would not show. firebreak proof-test list shows what is missing."
        ),
        *_hard_wired(made),
        document.Heading(2, f"Stages that are armed ({len(tests)})"),
        _armed(tests),
        *_not_fitted(tests),
        document.Heading(2, f"Stages that are not armed ({len(without)}): nothing to test here"),
        document.Table(
            ("stage", "cause", "state"),
            [
                (each["stage"], each["cause"], matrix_tables.state_cell(each["states"]))
                for each in without
            ],
        ),
        *matrix_tables.taper_blocks(made["tapers"]),
        *_times(tests),
    ]


def _armed(tests):
    headers = (
        "stage",
        "cause",
        "trips at",
        "how to inject",
        "what must follow",
        "reset",
        "latest, s",
        "open, s",
        *FIELDS,
    )
    return document.Table(headers, [_cells(test) for test in tests], len(FIELDS))


def _apart(made):
    """Keys of tests that are not recorded under the number of their row."""
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
            *[""] * len(BY_WIRE_FIELDS),
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
    """The effects that armed stages demand and no output carries, each once."""
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
    opened_ms, held_ms = test["open_latest_ms"], test["held_latest_ms"]
    fan = "" if held_ms is None else f"; fan {_seconds(held_ms)}"
    return (
        test["stage"],
        test["cause"],
        test["trips_at"],
        test["inject"],
        ", ".join(test["demands"]),
        test["reset"],
        _seconds(test["latest_ms"]) + fan,
        "-" if opened_ms is None else _seconds(opened_ms),
        *[""] * len(FIELDS),
    )


def _times(tests):
    """What each latest time is made of; (a) assumed."""
    rows = []
    for test in tests:
        rows.append((test["stage"], _sum(test["parts"]), _seconds(test["latest_ms"])))
        if test["held_parts"]:
            held = _sum(test["held_parts"]), _seconds(test["held_latest_ms"])
            rows.append((f"{test['stage']}, fan", *held))
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
