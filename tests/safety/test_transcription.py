"""STAGES against a transcription made from the table and not from the code; and the transcription against the table."""

import re

import pytest
from section_7 import CLEARS, KEY, READ_AS, REMOTE, ROWS, SELF, effects, row_number

from safety import matrix as m

STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}
PCS = {"S": m.PCS_STOP, "R": m.PCS_RAMP}
DC = {"N": m.DC_INHIBIT, "Z": m.DC_OPEN_AT_ZERO, "I": m.DC_OPEN, "I0": m.DC_OPEN_ONLY_AT_ZERO}
FLAGS = (("fan", m.D_FAN), ("H", m.D_HORN), ("red", m.D_RED_LAMP), ("M", m.D_MAINTENANCE), ("O", m.D_OPERATOR),
         ("F", m.D_FACU), ("P", m.D_PRE_ALARM))


def demanded(name):
    """{demand index: level} the transcription asks for; the lamp goes with every alarm, whatever its kind."""
    letters = effects(name)
    wanted = {index: 1 if letter in letters else 0 for letter, index in FLAGS}
    wanted[m.D_PCS] = max([PCS.get(letter, 0) for letter in letters])
    wanted[m.D_DC] = max([DC.get(letter, 0) for letter in letters])
    wanted[m.D_LAMP] = 1 if letters & {"L", "H", "red"} else 0
    # An inhibit of a ramping row acts through the ramp: a step to zero would be a stop.
    inhibit = m.INHIBIT_BY_RAMP if "R" in letters else m.INHIBIT_AT_ONCE
    wanted[m.D_CHARGE_INHIBIT] = inhibit if "ich" in letters else 0
    wanted[m.D_DISCHARGE_INHIBIT] = inhibit if "idc" in letters else 0
    for sign, index in (("c", m.D_CHARGE_DERATE_PCT), ("d", m.D_DISCHARGE_DERATE_PCT)):
        wanted[index] = max([int(letter[1:]) for letter in letters if re.fullmatch(sign + r"\d+", letter)] + [0])
    return wanted


def test_the_same_stages():
    assert set(STAGES) == set(ROWS) == set(CLEARS)


@pytest.mark.parametrize("name", ROWS)
def test_stage_is_what_the_table_says(name):
    stage, row = STAGES[name], ROWS[name]
    features = m.FEATURES[stage[m.S_SCOPE]]
    assert features[stage[m.S_FEATURE]] == row.watches
    assert stage[m.S_SENSE] == (1 if row.above else -1)
    assert (stage[m.S_SET], stage[m.S_SET_MS], stage[m.S_LATCH]) == (row.at, row.debounce_ms, row.reset)
    assert (stage[m.S_CLEAR], stage[m.S_CLEAR_MS]) == CLEARS[name]
    assert row.gate == ("" if stage[m.S_GATE] == m.NO_GATE else features[stage[m.S_GATE]])
    assert stage[m.S_ROW] == row_number(name)
    assert dict(enumerate(stage[m.S_DEMAND])) == demanded(name)


def test_the_reset_kinds_are_the_same_numbers():
    assert (SELF, REMOTE, KEY) == (m.SELF, m.REMOTE, m.KEY)


# -- the transcription against the document, where it lies beside the repository

OURS = ("40d", "40e", "44b", "44c", "44d", "49", "50a", "50b")  # from the design, not from section 7
RESETS = {"L0": SELF, "L1": REMOTE, "L2": KEY}
# What the cause cell must show of each threshold, in its own units, and what the debounce cell must show.
NUMBERS = {
    "1a": ("", "20 ms"), "1b": ("", "20 ms"), "1c": ("0.5 s", ""), "2": ("", "0.2 s"), "3": ("", "0.1 s"),
    "11": ("10 % LFL", "2 s"), "12a": ("25 % LFL", "0 "), "12b": ("hard relay", "0 "), "13a": ("fault", "10 s"),
    "13b": ("stale", "10 s"), "13c": ("calibration", "10 s"), "14": ("lost", "10 s"), "15a": ("airflow", "10 s"),
    "15b": ("airflow", "10 s"), "19a": ("charge >= 45", "5 s"), "19b": ("discharge >= 50", "5 s"),
    "20a": ("charge >= 50", "2 s"), "20b": ("discharge >= 55", "2 s"), "21a": (">= 65", "1 s"),
    "21b": ("> 15 K", "1 s"), "28": ("3.60", "5 s"), "29": ("3.65", "2 s"), "31a": ("2.90", "10 s"),
    "31b": ("2.80", "5 s"), "32": ("2.50", "5 s"), "35a": ("> 1.05", "10 s"), "35b": ("> 1.10", "10 s"),
    "40a": ("0.5", "as given"), "40b": ("/ 1 /", "as given"), "40c": ("3 s", "as given"),
    "41a": ("2 /", "as given"), "41b": ("/ 3 /", "as given"), "41c": ("5 s", "as given"), "41d": ("2 %", "as given"),
    "44a": ("CRC", ""),
}
COLUMNS = ("#", "cause", "debounce", "latch", "PCS", "DC", "FAN", "ALM", "ICH", "IDC", "DRT", "NTF", "SUP", "basis")
LETTERS = {"PCS": {"S", "R"}, "DC": {"I", "Z", "N"}, "FAN": {"fan"}, "ALM": {"L", "H", "red"}, "ICH": {"ich"},
           "IDC": {"idc"}, "NTF": {"M", "O", "F"}, "SUP": {"P"}}


@pytest.fixture(scope="session")
def table(shared):
    """{row number: {column: cell}} of section 7."""
    path = shared / "facts" / "nfpa855.md"
    if not path.is_file():
        pytest.skip("needs the fact table beside the repository")
    text = path.read_text(encoding="utf-8").split("## 7.")[1].split("## 8.")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {int(row[0]): dict(zip(COLUMNS, row)) for row in rows if row[0].isdigit()}


def alternatives(cell, column):
    """The sets of letters a cell allows: one per part between slashes, and all of them together."""
    found = []
    for part in [*cell.split("/"), cell]:
        part = part.split(",")[0] if column in ("PCS", "DC") else part
        if column in ("ICH", "IDC", "FAN"):
            yes = "x" in part or "as row 2" in part or "default" in part
            found.append({"ICH": {"ich"}, "IDC": {"idc"}, "FAN": {"fan"}}[column] if yes else set())
        elif column == "ALM":
            found.append({{"L": "L", "H": "H", "R": "red"}[letter] for letter in re.findall(r"\b[LHR]\b", part)})
        else:
            found.append(set(re.findall(r"\b[A-Z]\b", part)))
    return found


def of_column(name, column):
    """The letters of the transcription that belong to a column; opening only at zero is a kind of I."""
    return {"I" if letter == "I0" else letter for letter in effects(name)} & LETTERS[column]


@pytest.mark.parametrize("name", [name for name in ROWS if name not in OURS])
def test_transcription_is_what_the_document_says(table, name):
    cells = table[row_number(name)]
    cause, debounce = NUMBERS[name]
    assert cause in cells["cause"] and debounce in cells["debounce"]
    assert ROWS[name].reset in [RESETS[code] for code in re.findall("L[012]", cells["latch"])]
    for column in LETTERS:
        wanted = of_column(name, column)
        agrees = wanted in alternatives(cells[column], column)
        assert agrees != ((name, column) in READ_AS), f"{column} is {wanted}, the table has {cells[column]!r}"
    taken = {int(letter[1:]) for letter in effects(name) if re.fullmatch(r"[cd]\d+", letter)}
    agrees = taken == {int(pct) for pct in re.findall(r"\d+", cells["DRT"])}
    assert agrees != ((name, "DRT") in READ_AS)


KEY_RANGE = re.compile(r"\b([ACDE])(\d+)(?:-[ACDE]?(\d+))?")


def keys(text):
    """The fact table's keys in a text: "A40-43, A32" -> A32, A40 ... A43."""
    return {f"{letter}{number}" for letter, first, last in KEY_RANGE.findall(text)
            for number in range(int(first), int(last or first) + 1)}


@pytest.mark.parametrize("row", [row for row in m.CLAUSES if row < 49])
def test_basis_and_confidence_are_those_of_the_document(shared, table, row):
    _, basis, confidence = m.CLAUSES[row]
    assert keys(basis) == keys(table[row]["basis"])
    facts = (shared / "facts" / "nfpa855.md").read_text(encoding="utf-8").split("## 6.")[0].splitlines()
    cited = [line for line in facts for key in keys(basis) if line.startswith(f"| {key} |")]
    assert len(cited) == len(keys(basis))
    codes = {code for line in cited for cell in line.split("|")[3:] for code in re.findall(r"^ (C2|C|G|D)\b", cell)}
    assert confidence in codes


def test_every_row_of_the_table_that_is_due_is_there(table):
    due = {1, 2, 3, 11, 12, 13, 14, 15, 19, 20, 21, 28, 29, 31, 32, 35, 40, 41, 44}
    assert due == {row_number(name) for name in ROWS if row_number(name) in table}
