"""The hazard log as a document: its gaps, all hazards at a glance, each with its evidence, and the
way back from rows and tests.
"""

from controller.documents.document import Heading, Mark, Table, Text

FIELDS = (
    ("cause", "cause"),
    ("hurt", "who could be hurt"),
    ("safety_function", "safety function"),
    ("process_safety_basis", "basis of this time"),
    ("open", "open"),
)
HEAD = (
    "Time there is: the process safety time, from the cause to no energy. Latest: the time chain "
    "of the example site, sensor included, worst case. Measured: on the rig in virtual time, from "
    "the moment in which the sensor shows the cause; of its own scenario where the log has that "
    "figure. Both else of the slowest stage that takes energy away, until the contactors are open, "
    "or until power is zero where they stay closed or wait for it (row 12); without a wait for the "
    "fuse. -: none of its rows takes energy away, or what opened has to stay open; before: rows of "
    "other hazards act sooner."
)
PARTLY = "Tests and scenarios were not looked for: no sources are installed here."


def blocks(facts: dict) -> list:
    """The document; facts: of hazard_log.facts."""
    return [
        Heading(1, f"Hazard log: {len(facts['hazards'])} hazards, {len(facts['rows'])} rows"),
        Text(HEAD),
        *([] if facts["is_source_tree"] else [Text(PARTLY)]),
        Heading(2, f"Gaps ({len(facts['gaps'])})"),
        *([Text(gap) for gap in facts["gaps"]] or [Text("None.")]),
        Heading(2, "All hazards"),
        summary(facts),
        *[block for each in facts["hazards"] for block in _hazard(each, facts)],
        Heading(2, "Outside this program"),
        outside(facts),
        Heading(2, "Back: from the rows"),
        _back("row", [(f"{each['row']}: {each['what']}", each) for each in facts["rows"]]),
        Heading(2, "Back: from tests and scenarios"),
        Text("Of every row: " + ", ".join(facts["tests_of_every_row"])),
        _named({**facts["tests"], **facts["scenarios"]}),
    ]


def summary(facts: dict) -> Table:
    """One line a hazard."""
    headers = ("id", "hazard", "rows", "time there is", "latest", "measured")
    return Table(
        headers,
        [
            (
                each["id"],
                each["hazard"],
                ", ".join(map(str, each["rows"])),
                _time_there_is(each),
                _time(_own_ms(each, "latest")) if _is_timed(each) else "-",
                _time(_own_ms(each, "measured")),
            )
            for each in facts["hazards"]
        ],
    )


def outside(facts: dict) -> Table:
    """What is not this program's to stop, and whose it is."""
    rows = [(each["hazard"], each["who"]) for each in facts["outside"]]
    return Table(("hazard", "whose it is"), rows)


def _is_timed(hazard):
    return not hazard["process_safety_basis"].startswith("none")


def _time_there_is(hazard):
    return f"{hazard['process_safety_time_s']:g} s" if _is_timed(hazard) else "-"


def _own_ms(hazard, name):
    """What the log says of the hazard itself; else of the slowest stage of its rows."""
    own_s = hazard.get(f"{name}_s")
    return hazard[f"{name}_ms"] if own_s is None else own_s * 1000


def _time(time_ms):
    """ "-": no stage takes energy away; "before": rows that act sooner had taken it already."""
    if not time_ms:
        return "-" if time_ms is None else "before"
    return f"{time_ms / 1000:.2f} s"


def _hazard(each, facts):
    rows = [(words, each[key]) for key, words in FIELDS]
    rows.insert(3, ("process safety time", _time_there_is(each)))
    if "measured_s" in each:
        rows.append(("longest of its scenarios", f"{each['measured_s']:g} s"))
    rows.append(
        ("scenarios", ", ".join(each["scenarios"]) or "none beside the courses of its rows")
    )
    rows.append(("tests", ", ".join(each["tests"])))
    stages = [
        (row["row"], stage)
        for row in facts["rows"]
        if row["row"] in each["rows"]
        for stage in row["stages"]
    ]
    return [
        Heading(2, f"{each['id']}: {each['hazard']}"),
        Table(("field", "value"), rows),
        Table(
            ("row", "stage", "takes energy", "latest", "measured"),
            [_stage(row, stage) for row, stage in stages],
        ),
    ]


def _stage(row, stage):
    return (
        str(row),
        stage["stage"],
        "yes" if stage["takes_energy"] else "no",
        _time(stage["latest_ms"]),
        "; ".join([_course(course) for course in stage["courses"]]) or Mark("missing", "NONE"),
    )


def _course(course):
    met = "" if course["met"] else ", NOT MET"
    return f"{course['course']}: {_time(course['off_ms'])} {course['off']}{met}"


def _back(what, named):
    rows = [(words, ", ".join(each["hazards"]) or Mark("missing", "NONE")) for words, each in named]
    return Table((what, "hazards"), rows)


def _named(found):
    return Table(("name", "hazards"), [(name, ", ".join(ids)) for name, ids in found.items()])
