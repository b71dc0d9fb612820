"""Makes the cause-and-effect matrix as a grid with a line for each cause and a column for each
output. The HTML form is for people, who can sign it. The CSV form is for other programs.
"""

import csv
import functools
import io

from controller.documents import document, matrix_tables
from controller.documents.document import Blocks, Columns, Facts, Table, Text, section
from controller.rows import matrix_words
from controller.rows.facts import sources
from controller.rows.records import BY_ID
from safety import matrix as m

_X = ("", "X")
# {demand: (head of its column, letter of each level)}. Example: for the converter (PCS), S means
# stop. matrix_words.EFFECTS explains each level in words.
COLUMNS: dict[int, tuple[str, tuple[str, ...]]] = {
    m.D_PCS: ("PCS", ("", "R", "S")),
    m.D_DC: ("DC", ("", "N", "Z", "I", "I0")),
    m.D_REMOVAL: ("5 s", _X),
    m.D_SHUNT_TRIP: ("shunt", _X),
    m.D_AUX_SHED: ("aux", _X),
    m.D_FAN: ("fan", _X),
    m.D_HORN: ("horn", _X),
    m.D_RED_LAMP: ("red", _X),
    m.D_LAMP: ("lamp", _X),
    m.D_CHARGE_INHIBIT: ("no ch", ("", "X", "X")),
    m.D_DISCHARGE_INHIBIT: ("no dis", ("", "X", "X")),
    m.D_CHARGE_DERATE_PCT: ("ch %", ()),
    m.D_DISCHARGE_DERATE_PCT: ("dis %", ()),
    m.D_PRE_ALARM: ("pre", _X),
    m.D_FACU: ("panel", _X),
    m.D_OPERATOR: ("oper", _X),
    m.D_MAINTENANCE: ("maint", _X),
}
CAUSES: Columns = {
    "row": "row",
    "stage": "stage",
    "state": matrix_tables.state_cell,
    "cause": "cause",
    "trips at": "trips_at",
    "after": lambda stage: matrix_tables.after(stage["debounce_ms"]),
    "reset": "reset",
}
SIGNERS = (
    "responsible for the hazard mitigation analysis",
    "set up by",
    "checked by",
    "commissioned by",
    "authority having jurisdiction",
)
_WORDS = dict(matrix_words.EFFECTS)


def grid(facts: Facts) -> Table:
    """A line for each stage. facts: result of matrix_facts.facts."""
    outputs: Columns = {
        head: functools.partial(_letter, index) for index, (head, _) in COLUMNS.items()
    }
    return document.table(matrix_tables.stages_of(facts["rows"]), CAUSES | outputs)


def _letter(index: int, stage: Facts) -> str:
    """The letter for the demand of a stage on one output, in brackets if this site has no such
    output.
    """
    if not stage["demands"] and stage.get("instead"):
        return ""
    level = BY_ID[stage["stage"]][m.S_DEMAND][index]
    if index not in _WORDS:  # a reduced power has no letter: the cell shows what remains, %
        return str(100 - level) if level else ""
    absent = {effect["effect"] for effect in stage["demands_not_fitted"]}
    letter = COLUMNS[index][1][level]
    return f"({letter})" if _WORDS[index][level] in absent else letter


def blocks(facts: Facts) -> Blocks:
    """The grid as a document with banner and signatures."""
    site = facts["site"]
    return [
        matrix_tables.title("Causes and outputs", site),
        *matrix_tables.banner(site),
        *([Text(matrix_tables.identity(site))] if site else []),
        grid(facts),
        *section("Letters", Table(("output", "letters"), _legend())),
        *matrix_tables.row_blocks(facts["rows"]),
        *(signatures(site) if site else []),
    ]


def _legend() -> list[tuple[str, str]]:
    legend = []
    for index, (head, letters) in COLUMNS.items():
        if index not in _WORDS:
            legend.append((head, "power that is left, in percent"))
            continue
        meanings = dict(zip(letters[1:], _WORDS[index][1:]))
        legend.append((head, "; ".join(f"{letter}: {text}" for letter, text in meanings.items())))
    return [*legend, ("(X)", "demanded, and no output on this site carries it")]


def signatures(site: Facts) -> Blocks:
    """A section in which people sign for a limit image. site: as for matrix_tables.title."""
    crc = site["limits_crc"]
    subject = f"limit image CRC {crc}" if crc else "no limit image: this file is refused"
    paragraph = f"Signed for {subject}. Another image needs new signatures."
    signers = [{"who": who} for who in SIGNERS]
    table = document.table(signers, {"who": "who"}, ("name and company", "date", "signature"))
    return section("Signatures", table, paragraph)


def comma_separated(facts: Facts) -> str:
    """The grid as CSV. Banners are separate lines before the line of headers."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerows([(banner.text,) for banner in matrix_tables.banner(facts["site"])])
    table = grid(facts)
    lines.writerow((*table.headers, "asked for by"))
    bases = [row["basis"] for row in facts["rows"] for _ in row["stages"]]
    for cells, basis in zip(table.rows, bases):
        lines.writerow((*map(document.text, cells), sources(basis)))
    return text.getvalue().rstrip("\n")
