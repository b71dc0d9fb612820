"""Tables of safety/README.md and ROWS.md, which this module writes as a program."""

from controller.documents import hazard_log, hazard_page
from controller.rows import records
from tests import generated_page
from tests.repository import ROOT

FOLDER = ROOT / "safety"


def table(head, *lines):
    head = [word.replace("_", " ") for word in head]
    ruler = "|" + "---|" * len(head)
    head, *lines = [f"| {' | '.join(map(str, cells))} |" for cells in (head, *lines)]
    return "\n".join([head, ruler, *lines])


def sure(confidence):
    return "G (?)" if confidence == "G" else confidence


def basis(row):
    return records.ROWS[row].basis, sure(records.ROWS[row].confidence)


def row_table():
    lines = [(row, records.ROWS[row].what, *basis(row)) for row in records.ROWS]
    return table(["row", "what_it_is", "basis", "confidence"], *lines)


def log():
    return hazard_log.facts(*hazard_log.read())


TIGHTEST = 7  # so many hazards with the least margin
ALWAYS = ("H5", "H16")


def tight_hazard_table():
    """The hazards with the least margin, and ALWAYS."""
    lines = hazard_page.summary(log()).rows
    timed = sorted([cells for cells in lines if used(cells)], key=used, reverse=True)
    kept = [cells for cells in timed if cells in timed[:TIGHTEST] or cells[0] in ALWAYS]
    head = "id", "hazard", "allowed time", "latest", "measured"
    return table(head, *[(cells[0], cells[1], *cells[3:]) for cells in kept])


def used(cells):
    """The part of the allowed time that the latest time takes; 0.0 where one of them is "-"."""
    there_is, latest = cells[3:5]
    if "-" in (there_is, latest):
        return 0.0
    return float(latest.removesuffix(" s")) / float(there_is.removesuffix(" s"))


PAGES = {"README.md": {"hazards": tight_hazard_table}, "chapters/ROWS.md": {"rows": row_table}}
PROGRAM = "tests/controller/documents/assessor.py"


if __name__ == "__main__":
    for page, tables in PAGES.items():
        generated_page.write(FOLDER / page, tables, PROGRAM)
