"""Where a stage is not letter for letter what its row of the fact table (section 7) says, and how
it was read instead.

The matrix prints this table for the assessor. `tests/safety/test_transcription.py` holds it against
the document: there is a reading for every difference, and none where there is no difference. A
stage that the project adds to a row of the document has no cell there: it is compared with the
last, strongest step of its row.
"""

from controller.rows.records import ROWS, STAGES
from safety import matrix as m

OURS_FROM = 49  # rows from here on are the project's own
# Columns of section 7, and what they are in the words of the matrix.
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
    "NTF": "told",
    "priority": "acts without the program",
}
# (stage, column): how it was read. The priority is the line above the table of section 7: which
# rows "are hard-wired and act without the program".
READ_AS = {
    (stage.id, column): words
    for row in ROWS.values()
    for stage in row.stages
    for column, words in stage.read_as.items()
}


def facts() -> list:
    """[{stage, column, column_of_section_7, read_as}] in the order of the table."""
    return [
        {"stage": stage, "column": COLUMNS[column], "column_of_section_7": column, "read_as": words}
        for (stage, column), words in READ_AS.items()
    ]


def is_ours(stage: tuple) -> bool:
    """True for a stage that the document does not ask for, or has no number of."""
    return stage[m.S_ROW] >= OURS_FROM or STAGES[stage[m.S_ID]].is_ours


def basis(stage: tuple) -> tuple:
    """(basis, confidence) of a stage: those of its row, or the project's."""
    row = ROWS[stage[m.S_ROW]]
    if STAGES[stage[m.S_ID]].is_ours:
        return f"project; its row has {row.basis}", "D"
    return row.basis, row.confidence
