"""Makes the commissioning checklist as a document that a person prints and fills in."""

from controller.documents import matrix_tables
from controller.documents.document import (
    Blocks,
    Columns,
    Facts,
    Heading,
    Table,
    Text,
    section,
    table,
)

FIELDS = ("measured, s", "tester", "date", "pass")
BY_WIRE_FIELDS = ("both on before", "enable off, s", "supply off, s", *FIELDS[1:])
TIMES = (
    "Latest: from the cause to power at zero (or to the outputs, where a row takes no power); "
    "open: to open contactors; fan: to a fan that waits for the agent. All are the worst case of "
    "this configuration, with assumed times for sensors, relays and the converter: measured times "
    "replace them. Test every rack and unit. Before the next test remove bridges and covers, plug "
    "in again, restore settings, and check each of them."
)
SIGN = (
    "Before any other test with power, each unit: firebreak test power, then the key to RUN, then "
    'firebreak test sign --tester "NAME, CREDENTIALS". It charges and discharges with 5 % of the '
    "rating, and compares converter, racks and meters. Repeat it after a converter, BMS or meter "
    "was replaced, or its profile or firmware changed. The controller refuses a start without it. "
    "firebreak test step measures delay and ramp of the converter for its profile."
)


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:.3f}"


def _latest(test: Facts) -> str:
    held_ms = test["held_latest_ms"]
    return _seconds(test["latest_ms"]) + ("" if held_ms is None else f"; fan {_seconds(held_ms)}")


def _opened(test: Facts) -> str:
    return "-" if test["open_latest_ms"] is None else _seconds(test["open_latest_ms"])


ARMED: Columns = {
    "stage": "stage",
    "cause": "cause",
    "trips at": "trips_at",
    "how to inject": "inject",
    "what must follow": lambda test: ", ".join(test["demands"]),
    "reset": "reset",
    "latest, s": _latest,
    "open, s": _opened,
}
BY_WIRE: Columns = {
    "row": "key",
    "how to prove it": "inject",
    "enable off latest, s": lambda row: _seconds(row["enable_latest_ms"]),
    "supply off latest, s": lambda row: _seconds(row["supply_latest_ms"]),
}


def blocks(checklist: Facts) -> Blocks:
    """The checklist as a document. checklist: result of checklist.facts."""
    site, tests, without = checklist["site"], checklist["tests"], checklist["without"]
    return [
        matrix_tables.title("Commissioning checklist", site),
        *matrix_tables.site_blocks(site),
        Heading(2, "Times"),
        Text(TIMES),
        Text(
            f"Record each row in the proof-test ledger. Commissioning is its first entry: "
            f"{checklist['record']} (or failed). Record each of "
            f"{', '.join(_apart(checklist))} under this name, not under the row's number: the "
            "slower stages of the row would hide that it is late. firebreak test proof list shows "
            "what is missing."
        ),
        Heading(2, "Sign of the powers"),  # this test comes before every other test with power
        Text(SIGN),
        *_hard_wired(checklist),
        Heading(2, f"Stages that are armed ({len(tests)})"),
        table(tests, ARMED, FIELDS),
        *_not_fitted(tests),
        *section(
            f"Stages that are not armed ({len(without)}): nothing to test here",
            table(without, matrix_tables.NOT_ARMED),
        ),
        *matrix_tables.taper_blocks(checklist["tapers"]),
        *_times(tests),
    ]


def _apart(checklist: Facts) -> list[str]:
    """Keys of the tests that are recorded under another key than the number of their row."""
    keys = dict.fromkeys(test["key"] for test in (*checklist["tests"], *checklist["hard_wired"]))
    return [key for key in keys if not key.isdigit()]


def _hard_wired(checklist: Facts) -> Blocks:
    if not checklist["hard_wired"]:
        return []
    return [
        Heading(2, "In hard wiring: with the controller switched off"),
        Text(
            "In this order. Record the time until the PCS enable is off. The contactor supply "
            "follows after its off-delay relay."
        ),
        Table(
            ("step", "what to do"),
            [(str(number), step) for number, step in enumerate(checklist["hard_wired_steps"], 1)],
        ),
        table(checklist["hard_wired"], BY_WIRE, BY_WIRE_FIELDS),
    ]


def _not_fitted(tests: list[Facts]) -> Blocks:
    """A table of the effects that this site cannot produce, because the output is not fitted, with
    the armed stages that ask for each effect.
    """
    stages: dict[tuple[str, str], list[str]] = {}
    for test in tests:
        for absent in test["demands_not_fitted"]:
            stages.setdefault((absent["effect"], absent["accepted_by"]), []).append(test["stage"])
    if not stages:
        return []
    rows = [(effect, " ".join(names), who) for (effect, who), names in stages.items()]
    title = f"Effects that are not fitted ({len(rows)}): nothing to see here"
    return section(title, Table(("effect", "of stages", "accepted by"), rows))


def _times(tests: list[Facts]) -> Blocks:
    """A table with the parts of each stage's longest time. "(a)" marks an assumed part."""
    rows = []
    for test in tests:
        rows.append((test["stage"], _sum(test["parts"]), _seconds(test["latest_ms"])))
        if test["held_parts"]:
            held = _sum(test["held_parts"]), _seconds(test["held_latest_ms"])
            rows.append((f"{test['stage']}, fan", *held))
    title = "Parts of the latest times, in seconds; (a) is assumed"
    return section(title, Table(("stage", "parts", "sum"), rows))


def _sum(parts: list[Facts]) -> str:
    return " + ".join(
        f"{part['what']} {_seconds(part['time_ms'])}{' (a)' if part['is_assumed'] else ''}"
        for part in parts
        if part["time_ms"]
    )
