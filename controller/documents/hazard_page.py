"""Makes the hazard log as a document. It shows the gaps of the log, each hazard with its times and
tests, and the rows of the cause-and-effect matrix.
"""

from controller.documents import document
from controller.documents.document import Blocks, Columns, Facts, Heading, Mark, Table, Text, table
from controller.documents.matrix_tables import stages_of

HEAD = (
    "Allowed time: the process safety time, from the cause to no energy. Latest: the time chain of "
    "the example site, sensor included, worst case. Measured: on the rig in virtual time, from the "
    "moment when the sensor shows the cause. If the log has a figure of the hazard's own scenario, "
    "the table shows that figure. Otherwise both times are those of the slowest stage that takes "
    "energy away, until the contactors are open. If the contactors stay closed or wait for zero "
    "power (row 12), the times end when power is zero. A wait for the fuse is not included. -: no "
    "row of the hazard takes energy away, or an open contactor has to stay open. before: rows of "
    "other hazards act sooner."
)
PARTLY = "This list does not check that tests and scenarios exist: no sources are installed here."


def blocks(facts: Facts) -> Blocks:
    """The document. facts: result of hazard_log.facts."""
    ids_by_proof = {**facts["tests"], **facts["scenarios"]}
    return [
        Heading(1, f"Hazard log: {len(facts['hazards'])} hazards, {len(facts['rows'])} rows"),
        Text(HEAD),
        *([] if facts["is_source_tree"] else [Text(PARTLY)]),
        Heading(2, f"Gaps ({len(facts['gaps'])})"),
        *document.texts(facts["gaps"] or ["None."]),
        Heading(2, "All hazards"),
        summary(facts),
        *[block for hazard in facts["hazards"] for block in _hazard(hazard, facts)],
        Heading(2, "Outside this program"),
        table(facts["outside"], {"hazard": "hazard", "responsible": "who"}),
        Heading(2, "Rows and their hazards"),
        table(facts["rows"], ROWS),
        Heading(2, "Tests and scenarios, and their hazards"),
        Text("Tests of every row: " + ", ".join(facts["tests_of_every_row"])),
        Table(("name", "hazards"), [(name, ", ".join(ids)) for name, ids in ids_by_proof.items()]),
    ]


def summary(facts: Facts) -> Table:
    """One line for each hazard."""
    columns: Columns = {
        "id": "id",
        "hazard": "hazard",
        "rows": lambda hazard: ", ".join(map(str, hazard["rows"])),
        "allowed time": _allowed,
        "latest": lambda hazard: _time(_own_ms(hazard, "latest")) if _is_timed(hazard) else "-",
        "measured": lambda hazard: _time(_own_ms(hazard, "measured")),
    }
    return table(facts["hazards"], columns)


def _is_timed(hazard: Facts) -> bool:
    return not hazard["process_safety_basis"].startswith("none")


def _allowed(hazard: Facts) -> str:
    return f"{hazard['process_safety_time_s']:g} s" if _is_timed(hazard) else "-"


def _own_ms(hazard: Facts, name: str) -> float | None:
    """The time that the log states for this hazard. If it states none, the time of the slowest
    stage of the hazard's rows.
    """
    own_s = hazard.get(f"{name}_s")
    return hazard[f"{name}_ms"] if own_s is None else own_s * 1000


def _time(time_ms: float | None) -> str:
    """The time in words. "-" if no stage takes energy away. "before" if another row had already
    taken the energy away.
    """
    if not time_ms:
        return "-" if time_ms is None else "before"
    return f"{time_ms / 1000:.2f} s"


def _hazard(hazard: Facts, facts: Facts) -> Blocks:
    rows = [
        ("cause", hazard["cause"]),
        ("who could be hurt", hazard["hurt"]),
        ("safety function", hazard["safety_function"]),
        ("process safety time", _allowed(hazard)),
        ("basis of this time", hazard["process_safety_basis"]),
        ("open", hazard["open"]),
    ]
    if "measured_s" in hazard:
        rows.append(("longest of its scenarios", f"{hazard['measured_s']:g} s"))
    rows.append(("scenarios", ", ".join(hazard["scenarios"]) or "only the test cases of its rows"))
    rows.append(("tests", ", ".join(hazard["tests"])))
    stages = stages_of([row for row in facts["rows"] if row["row"] in hazard["rows"]])
    return [
        Heading(2, f"{hazard['id']}: {hazard['hazard']}"),
        Table(("field", "value"), rows),
        table(stages, STAGES),
    ]


def _case(case: Facts) -> str:
    failed = "" if case["met"] else ", FAILED"
    return f"{case['course']}: {_time(case['off_ms'])} {case['off']}{failed}"


STAGES: Columns = {
    "row": "row",
    "stage": "stage",
    "takes energy": lambda stage: "yes" if stage["takes_energy"] else "no",
    "latest": lambda stage: _time(stage["latest_ms"]),
    "measured": lambda stage: "; ".join(map(_case, stage["courses"])) or Mark("missing", "NONE"),
}
ROWS: Columns = {
    "row": lambda row: f"{row['row']}: {row['what']}",
    "hazards": lambda row: ", ".join(row["hazards"]) or Mark("missing", "NONE"),
}
