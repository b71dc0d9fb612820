"""Makes the commissioning report as a document that a person prints and signs."""

from controller.documents import document, matrix_grid, matrix_tables
from controller.documents.document import (
    Banner,
    Blocks,
    Columns,
    Facts,
    Heading,
    Mark,
    Table,
    Text,
    judged,
    section,
)
from controller.store import proof_state, sign_tests

NOTHING = "Nothing is open. Sign below."
MARKS = {proof_state.OK: "armed", proof_state.DUE: "doubt"}


def blocks(report: Facts) -> Blocks:
    """The report as a document. report: result of commissioning.facts."""
    site = report["site"]
    open_points = [
        (str(number), Mark("missing", line)) for number, line in enumerate(report["open"], 1)
    ]
    banner = [Banner("NOT READY TO SIGN: points are open.")] if open_points else []
    return [
        matrix_tables.title("Commissioning report", site),
        *banner,
        Text(matrix_tables.identity(site)),
        Text(
            f"Printed {report['utc']} (clock: {report['clock']}) by firebreak {report['program']}."
        ),
        *(
            section(f"Open points ({len(open_points)})", Table(("no.", "what"), open_points))
            if open_points
            else [Heading(2, "Open points (0)"), Text(NOTHING)]
        ),
        *_approval(report),
        *_plan(report["plan"]),
        *_tests(report),
        *_signs(report["signs"]),
        *_not_armed(report),
        *_hashes(report),
        *matrix_grid.signatures(site),
    ]


def _approval(report: Facts) -> Blocks:
    approval = report["approval"]
    by = f" by {approval['by']}" if approval["by"] else ""
    sentence = f"Limit image: {approval['state']}{by}."
    return [Heading(2, "Approval at the cabinet"), Text(sentence)]


def _plan(plan: Facts | None) -> Blocks:
    text = "The configuration names no plan ([plan]): distances were not checked here."
    if plan:
        racks = [f"rack {number} in {name}" for number, name in enumerate(plan["racks"], 1)]
        open_rules = f" Open: {plan['open']}." if plan["open"] else ""
        text = f"{plan['name']}: {plan['audit']}.{open_rules} {', '.join(racks).capitalize()}."
    return [Heading(2, "Audit of the site's plan"), Text(text)]


def _tests(report: Facts) -> Blocks:
    columns: Columns = {
        "test": "row",
        "what": "what",
        "stages": lambda test: " ".join(test["stages"]) or "by wire",
        "latest, ms": "allowed_ms",
        "measured, ms": lambda test: _last(test, "reaction_ms"),
        "date": lambda test: _last(test, "date"),
        "tester": lambda test: _last(test, "tester"),
        "result": _result,
    }
    ledger = report["ledger"]
    paragraph = (
        f"The tests of `firebreak document checklist`, as the ledger has them: {ledger['tests']} "
        f"tests in {ledger['records']} records, newest hash {ledger['head']}."
    )
    title = f"Checklist and proof tests ({len(report['tests'])})"
    return section(title, document.table(report["tests"], columns), paragraph)


def _signs(signs: list[Facts]) -> Blocks:
    paragraph = "A small charge and discharge in TEST mode: converter, racks and grid meter agree."
    columns: Columns = {
        "unit": "unit",
        "devices": "code",
        "date": lambda sign: sign["date"] or "-",
        "tester": lambda sign: sign["tester"] or "-",
        "result": lambda sign: judged(sign["state"] == sign_tests.DONE, sign["state"]),
    }
    return section("Sign of the powers", document.table(signs, columns), paragraph)


def _last(test: Facts, key: str) -> str:
    return str(test["last"][key]) if test["last"] else "-"


def _result(test: Facts) -> Mark:
    outcome = "passed" if test["state"] == proof_state.OK else proof_state.words(test)
    if test["is_slow"]:
        return Mark("missing", f"{outcome}; slower than allowed")
    return Mark(MARKS.get(test["state"], "missing"), outcome)


def _not_armed(report: Facts) -> Blocks:
    hazards = [Text(f"Hazard that stays open: {line}.") for line in report["open_hazards"]]
    table = document.table(report["not_armed"], matrix_tables.NOT_ARMED)
    title = f"Stages that are not armed ({len(report['not_armed'])})"
    return [
        *matrix_tables.not_fitted("Not fitted, and who accepted it", report["site"]),
        *(section(title, table) if table.rows else [Heading(2, title)]),
        *hazards,
    ]


def _hashes(report: Facts) -> Blocks:
    files = [(file["file"], file["sha256"]) for file in report["files"]]
    devices = ", ".join(f"{name} {crc}" for name, crc in report["devices"].items())
    sentence = f"CRC of each device's place, contacts and profile: {devices}."
    return [*section("Files", Table(("file", "SHA-256"), files)), Text(sentence)]
