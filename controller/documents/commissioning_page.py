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
    section,
)
from controller.store import proof_state, sign_tests

NOTHING = "Nothing is open. Sign below."
MARKS = {proof_state.OK: "armed", proof_state.DUE: "doubt"}


def blocks(made: Facts) -> Blocks:
    """The report as a document. made: result of commissioning.facts."""
    named = made["site"]
    open_points = [(str(at), Mark("missing", line)) for at, line in enumerate(made["open"], 1)]
    banner = [Banner("NOT READY TO SIGN: points are open.")] if open_points else []
    return [
        matrix_tables.title("Commissioning report", named),
        *banner,
        Text(matrix_tables.identity(named)),
        Text(f"Printed {made['utc']} (clock: {made['clock']}) by firebreak {made['program']}."),
        *(
            section(f"Open points ({len(open_points)})", Table(("no.", "what"), open_points))
            if open_points
            else [Heading(2, "Open points (0)"), Text(NOTHING)]
        ),
        *_approval(made),
        *_plan(made["plan"]),
        *_tests(made),
        *_signs(made["signs"]),
        *_not_armed(made),
        *_hashes(made),
        *matrix_grid.signatures(named),
    ]


def _approval(made: Facts) -> Blocks:
    given = made["approval"]
    by = f" by {given['by']}" if given["by"] else ""
    words = f"Limit image: {given['state']}{by}."
    return [Heading(2, "Approval at the cabinet"), Text(words)]


def _plan(plan: Facts | None) -> Blocks:
    title = "Audit of the site's plan"
    if plan is None:
        words = "The configuration names no plan ([plan]): distances were not checked here."
        return [Heading(2, title), Text(words)]
    around = ", ".join(f"rack {at} in {name}" for at, name in enumerate(plan["racks"], 1))
    result = f" Open: {plan['open']}." if plan["open"] else ""
    words = f"{plan['name']}: {plan['audit']}.{result} {around.capitalize()}."
    return [Heading(2, title), Text(words)]


def _tests(made: Facts) -> Blocks:
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
    ledger = made["ledger"]
    words = (
        f"The tests of `firebreak document checklist`, as the ledger has them: {ledger['tests']} "
        f"tests in {ledger['records']} records, newest hash {ledger['head']}."
    )
    title = f"Checklist and proof tests ({len(made['tests'])})"
    return section(title, document.table(made["tests"], columns), words)


def _signs(signs: list[Facts]) -> Blocks:
    words = "A small charge and discharge in TEST mode: converter, racks and grid meter agree."
    columns: Columns = {
        "unit": "unit",
        "devices": "code",
        "date": lambda each: each["date"] or "-",
        "tester": lambda each: each["tester"] or "-",
        "result": lambda each: Mark(
            "armed" if each["state"] == sign_tests.DONE else "missing", each["state"]
        ),
    }
    return section("Sign of the powers", document.table(signs, columns), words)


def _last(test: Facts, key: str) -> str:
    return str(test["last"][key]) if test["last"] else "-"


def _result(test: Facts) -> Mark:
    words = "passed" if test["state"] == proof_state.OK else proof_state.words(test)
    if test["is_slow"]:
        return Mark("missing", f"{words}; slower than allowed")
    return Mark(MARKS.get(test["state"], "missing"), words)


def _not_armed(made: Facts) -> Blocks:
    hazards = [Text(f"Hazard that stays open: {line}.") for line in made["open_hazards"]]
    table = document.table(made["not_armed"], matrix_tables.NOT_ARMED)
    title = f"Stages that are not armed ({len(made['not_armed'])})"
    return [
        *matrix_tables.not_fitted("Not fitted, and who accepted it", made["site"]),
        *(section(title, table) if table.rows else [Heading(2, title)]),
        *hazards,
    ]


def _hashes(made: Facts) -> Blocks:
    files = [(each["file"], each["sha256"]) for each in made["files"]]
    devices = ", ".join(f"{name} {crc}" for name, crc in made["devices"].items())
    words = f"CRC of each device's place, contacts and profile: {devices}."
    return [*section("Files", Table(("file", "SHA-256"), files)), Text(words)]
