"""The stages that differ from their row of the fact table (section 7), and the reading used.

The matrix prints this table for the assessor. `tests/safety/test_transcription.py` compares the
table with the document: every difference has a reading, and every reading has a difference. The
document has no cell for a stage that the project added to a row: such a stage is compared with the
last, strongest step of its row.
"""

from controller.rows.records import ROWS, STAGES
from safety import matrix as m

ADDED_FROM = 49  # the project added the rows from this number on
# Column of section 7: its name in the matrix.
COLUMNS = {
    "cause": "trips at",
    "debounce": "after",
    "latch": "reset",
    "PCS": "PCS",
    "DC": "contactors",
    "FAN": "fan",
    "ALM": "horn and lamps",
    "ICH": "no charging",
    "IDC": "no discharging",
    "DRT": "derate",
    "NTF": "notified",
    "priority": "acts without the program",
}
# (stage, column): the reading. "priority" is the line above the table of section 7 that lists the
# rows which "are hard-wired and act without the program".
READ_AS = {
    (stage.id, column): words
    for row in ROWS.values()
    for stage in row.stages
    for column, words in stage.read_as.items()
}


def facts() -> list[dict[str, str]]:
    """[{stage, column, column_of_section_7, read_as}] in the order of the table."""
    return [
        {"stage": stage, "column": COLUMNS[column], "column_of_section_7": column, "read_as": words}
        for (stage, column), words in READ_AS.items()
    ]


def is_added(stage: tuple) -> bool:
    """True for a stage that the document does not ask for."""
    return stage[m.S_ROW] >= ADDED_FROM or STAGES[stage[m.S_ID]].is_added


def basis(stage: tuple) -> tuple[str, str]:
    """(basis, confidence) of a stage: the row's, or the project's for an added stage."""
    row = ROWS[stage[m.S_ROW]]
    if STAGES[stage[m.S_ID]].is_added:
        return f"project; its row has {row.basis}", "D"
    return row.basis, row.confidence
