"""Where a stage is not letter for letter what its row of the fact table (section 7) says, and how it was read instead.

The matrix prints this table for the assessor. `tests/safety/test_transcription.py` holds it against the document: there
is a reading for every difference, and none where there is no difference.
"""

# Columns of section 7, and what they are in the words of the matrix.
COLUMNS = {"debounce": "after", "PCS": "PCS", "DC": "contactors", "FAN": "fan", "ALM": "horn and lamps",
           "ICH": "no charging", "IDC": "no discharging", "DRT": "derate"}
_STOPPED = "a stopped PCS does neither"
_TWO_SAMPLES = "1.5 s are two samples of the watched rise, so that one wrong reading latches nothing"
_RED = "the responder light is red on loss of data (A51)"
_UPS = "a cabinet on its UPS must still feed the load"
# (stage, column): how it was read. Rows without numbers of their own in section 7 (ours) have none.
READ_AS = {
    ("6a", "ICH"): "after 15 min, which is 6b",
    ("6b", "debounce"): "the 15 min at which the row inhibits charging, from the beginning of the trouble",
    ("10b", "debounce"): "the 10 s of the cause lie in the watched rise, which counts for 5 s after a step that is no "
                         "rise any more; the 5 s and one sample are beyond those",
    ("14", "ALM"): _RED,
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
    ("18a", "DRT"): "the taper is a limit that always acts, not a demand of the stage: see the tapers",
    ("18b", "DRT"): "the taper is a limit that always acts, not a demand of the stage: see the tapers",
    ("19a", "DRT"): "the discharge half of the row is 19b",
    ("19b", "DRT"): "of the two readings of the table's 25 the tighter one: 25 % are left when discharging",
    ("22", "debounce"): f"the 30 s are the window of the watched rise; {_TWO_SAMPLES}",
    ("23a", "debounce"): f"the 10 s are the window of the watched rise; {_TWO_SAMPLES}",
    ("23b", "debounce"): f"the 3 s are the window of the watched rise; {_TWO_SAMPLES}",
    ("25a", "IDC"): "below -20 C only, which is 25b",
    ("31a", "IDC"): "the table inhibits at the second voltage, which is 31b",
    ("38a", "debounce"): "three tries have taken their time; the 5 s are those of the two voltages, 38b",
    ("40c", "ALM"): _RED,
    ("41a", "DC"): "the table opens at the last of the three times, which is 41c (silence ladder of the design)",
    ("41b", "DC"): "the table opens at the last of the three times, which is 41c (silence ladder of the design)",
    ("43a", "PCS"): f"{_UPS}: R comes with the second stage, 43b, S with the third, 43c",
    ("43a", "DC"): f"{_UPS}: opening comes with the third stage, 43c",
    ("43a", "IDC"): f"{_UPS}: with the second stage, 43b",
    ("43b", "DC"): "opening comes with the third stage, 43c",
    ("44a", "debounce"): "0.5 s is the expiry of the hard-wired permit; what has changed has changed",
    ("44e", "debounce"): "0.5 s is the expiry of the hard-wired permit; what has failed has failed",
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
    ("46c", "debounce"): "the first start needs a link that has been verified, not one that was not lost for 900 s",
    ("46c", "DRT"): "what may not be closed has nothing to derate",
    ("48a", "FAN"): "if there is gas, which is 48b",
    ("48a", "ALM"): "if there is gas, which is 48b",
}


def facts():
    """[{stage, column, column_of_section_7, read_as}] in the order of the table."""
    return [{"stage": stage, "column": COLUMNS[column], "column_of_section_7": column, "read_as": words}
            for (stage, column), words in READ_AS.items()]
