"""Where a stage is not letter for letter what its row of the fact table (section 7) says, and how
it was read instead.

The matrix prints this table for the assessor. `tests/safety/test_transcription.py` holds it against
the document: there is a reading for every difference, and none where there is no difference. Stages
of ours that stand under a row of the document have no cell of their own there: they are held
against the last, strongest step of their row.
"""

from safety import matrix as m

OURS_FROM = 49  # rows from here on are ours: the document has none for them
# Stages of ours under a row of the document, whose clauses do not ask for them. 38b and 40d have
# its words, no number.
OURS = ("38b", "40d", "40e", "43d", "44b", "44c", "44d")
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
_STOPPED = "a stopped PCS does neither"
_TWO_SAMPLES = (
    "1.5 s are two samples of the watched rise, so that one wrong reading latches nothing"
)
_RED = "the responder light is red on loss of data (A51)"
_UPS = "a cabinet on its UPS must still feed the load"
_MARGIN = (
    "and by the larger of 2 A and 1 % of rated, which counts as no current, more: where "
    "the limit is small this "
    "is looser than the row"
)
_RATE = (
    "a bad frame is not used: where too few good ones come the values grow old, and 40a to "
    "40c do this; while "
    "enough come nothing is stopped for the rate alone"
)
_ON_MAINS = (
    "a reserve that is low while the supply is there: the row acts once it is lost, 43a to 43c"
)
_AT_START = "seen once, at the start, before anything runs"
_FAN_RAN = (
    "a start: the fan, which fails on, has run until then, and goes by the other rows from here on"
)
_NO_HORN = "a start: what went wrong is over and nothing runs; the lamp, and the operator is told"
_BY_WIRE = (
    "unless the site names the row in hma.hard_wired_rows: what must act by wire are rows 1, 12, "
    "30 and 44"
)
# (stage, column): how it was read. Rows of ours have none. The priority is the line above the
# table: which rows "are hard-wired and act without the program".
READ_AS = {
    ("2", "priority"): f"asked of the program, and of the second channel where one is fitted, "
    f"{_BY_WIRE}",
    ("3", "priority"): f"asked of the program, and of the second channel where one is fitted, "
    f"{_BY_WIRE}",
    ("6a", "ICH"): "after 15 min, which is 6b",
    ("6b", "debounce"): "the 15 min at which the row inhibits charging, from the beginning of the "
    "trouble",
    ("10b", "debounce"): "the 10 s of the cause lie in the watched rise, which counts for 5 s "
    "after a step that is no "
    "rise any more; the 5 s and one sample are beyond those",
    ("14", "cause"): "combustible gas detection alone counts where it is fitted, whatever else "
    "still works; without it "
    "that of vapour, hydrogen and carbon monoxide, all of it, whether the "
    "analysis asks or not",
    ("14", "ALM"): _RED,
    ("15a", "FAN"): "on while the row is latched: of a fan that is off nothing shows that it "
    "would run again",
    ("15a", "DC"): "with a gas or smoke alert only, which is 15b",
    ("15b", "IDC"): _STOPPED,
    ("15b", "DRT"): "left to 15a, which always stands beside it",
    ("16a", "debounce"): "t_louvre is taken as 10 s",
    ("16a", "DC"): "with a gas or smoke alert only, which is 16b",
    ("16b", "debounce"): "t_louvre is taken as 10 s",
    ("16b", "IDC"): _STOPPED,
    ("16b", "DRT"): "left to 16a, which always stands beside it",
    ("17a", "PCS"): "above 50 C only, which is 17c",
    ("17a", "ICH"): "above 45 C only, which is 17b",
    ("17b", "PCS"): "above 50 C only, which is 17c",
    ("18a", "DRT"): "the taper is a limit that always acts, not a demand of the stage: see the "
    "tapers",
    ("18b", "DRT"): "the taper is a limit that always acts, not a demand of the stage: see the "
    "tapers",
    ("19a", "DRT"): "the discharge half of the row is 19b",
    ("19b", "DRT"): "of the two readings of the table's 25 the tighter one: 25 % are left when "
    "discharging",
    ("22", "debounce"): f"the 30 s are the window of the watched rise; {_TWO_SAMPLES}",
    ("23a", "debounce"): f"the 10 s are the window of the watched rise; {_TWO_SAMPLES}",
    ("23b", "debounce"): f"the 3 s are the window of the watched rise; {_TWO_SAMPLES}",
    ("25a", "IDC"): "below -20 C only, which is 25b",
    ("31a", "IDC"): "the table inhibits at the second voltage, which is 31b",
    ("35a", "cause"): f"over 1.05x, {_MARGIN}",
    ("35b", "cause"): f"over 1.10x, {_MARGIN}",
    ("36", "DC"): "the fuse is waited for whatever row opens, so it is no effect of this stage: "
    "see the effects that "
    "yield",
    ("36", "priority"): f"asked of the program, {_BY_WIRE}",
    ("38a", "debounce"): "three tries have taken their time; the 5 s are those of the two "
    "voltages, 38b",
    ("40c", "ALM"): _RED,
    ("40d", "latch"): "nothing is stopped, so nothing is latched",
    ("40d", "PCS"): _RATE,
    ("40d", "DC"): _RATE,
    ("40d", "ALM"): "lamp alone, as the row's first stage",
    ("40d", "ICH"): _RATE,
    ("40d", "IDC"): _RATE,
    ("40e", "debounce"): "the row has times of silence only; 0.1 s against a contact that bounces",
    ("41a", "DC"): "the table opens at the last of the three times, which is 41c (silence ladder "
    "of the design)",
    ("41b", "DC"): "the table opens at the last of the three times, which is 41c (silence ladder "
    "of the design)",
    ("43a", "PCS"): f"{_UPS}: R comes with the second stage, 43b, S with the third, 43c",
    ("43a", "DC"): f"{_UPS}: opening comes with the third stage, 43c",
    ("43a", "IDC"): f"{_UPS}: with the second stage, 43b",
    ("43b", "DC"): "opening comes with the third stage, 43c",
    ("43d", "latch"): _ON_MAINS,
    ("43d", "PCS"): _ON_MAINS,
    ("43d", "DC"): _ON_MAINS,
    ("43d", "ALM"): _ON_MAINS,
    ("43d", "ICH"): _ON_MAINS,
    ("43d", "IDC"): _ON_MAINS,
    ("43d", "NTF"): f"maintenance alone; {_ON_MAINS}",
    ("44a", "debounce"): "0.5 s is the expiry of the hard-wired permit; what has changed has "
    "changed",
    ("44b", "debounce"): "the 0.5 s are what is watched: a step that comes so late",
    ("44c", "debounce"): _AT_START,
    ("44c", "FAN"): _FAN_RAN,
    ("44c", "ALM"): _NO_HORN,
    ("44d", "debounce"): _AT_START,
    ("44d", "latch"): "key on site: without its store nobody knows which latches stood",
    ("44d", "FAN"): _FAN_RAN,
    ("44d", "ALM"): _NO_HORN,
    ("44e", "debounce"): "0.5 s is the expiry of the hard-wired permit; what has failed has failed",
    ("44e", "latch"): "key on site for memory and clock too: what has failed may be what checks a "
    "reset",
    ("45a", "DC"): "after 75 s, which is 45b",
    ("45b", "debounce"): "75 s on top of the 10 s",
    ("45c", "DC"): "after 75 s, which is 45d",
    ("45d", "debounce"): "75 s on top of the 10 s",
    ("46a", "debounce"): "the 900 s are counted by the watched value",
    ("46a", "DC"): "at the first start only, which is 46c",
    ("46a", "ICH"): "at the first start only, which is 46c",
    ("46a", "DRT"): "where the hazard analysis asks for it, which is 46b",
    ("46b", "debounce"): "the 900 s are counted by the watched value",
    ("46b", "DC"): "at the first start only, which is 46c",
    ("46b", "ICH"): "at the first start only, which is 46c",
    ("46c", "debounce"): "the first start needs a link that has been verified, not one that was "
    "not lost for 900 s",
    ("46c", "DRT"): "what may not be closed has nothing to derate",
    ("48a", "FAN"): "if there is gas, which is 48b",
    ("48a", "ALM"): "if there is gas, which is 48b",
}


def facts():
    """[{stage, column, column_of_section_7, read_as}] in the order of the table."""
    return [
        {"stage": stage, "column": COLUMNS[column], "column_of_section_7": column, "read_as": words}
        for (stage, column), words in READ_AS.items()
    ]


def is_ours(stage):
    """True for a stage that the document does not ask for, or has no number of."""
    return stage[m.S_ROW] >= OURS_FROM or stage[m.S_ID] in OURS


def basis(stage):
    """(basis, confidence) of a stage: of its row, whose clauses do not stand behind a stage of
    ours.
    """
    _, of_row, confidence = m.CLAUSES[stage[m.S_ROW]]
    return (f"ours; its row has {of_row}", "D") if stage[m.S_ID] in OURS else (of_row, confidence)
