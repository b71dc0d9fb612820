"""STAGES against a transcription made from the table and not from the code; and the transcription
against the table.
"""

import re

import pytest
from section_7 import CLEARS, KEY, NMC_AT, REMOTE, ROWS, SELF, effects, row_number

from controller.rows import readings
from controller.rows.readings import READ_AS
from controller.site import schema
from safety import matrix as m
from safety import signals as s
from tests.safety.bench import Bench

STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}
PCS = {"S": m.PCS_STOP, "R": m.PCS_RAMP}
DC = {"N": m.DC_INHIBIT, "Z": m.DC_OPEN_AT_ZERO, "I": m.DC_OPEN, "I0": m.DC_OPEN_ONLY_AT_ZERO}
FLAGS = (
    ("fan", m.D_FAN),
    ("H", m.D_HORN),
    ("red", m.D_RED_LAMP),
    ("M", m.D_MAINTENANCE),
    ("O", m.D_OPERATOR),
    ("F", m.D_FACU),
    ("P", m.D_PRE_ALARM),
    ("T", m.D_SHUNT_TRIP),
    ("A", m.D_AUX_SHED),
)


def demanded(name):
    """{demand index: level} the transcription asks for; the lamp goes with every alarm, whatever
    its kind.
    """
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
        wanted[index] = max(
            [int(letter[1:]) for letter in letters if re.fullmatch(sign + r"\d+", letter)] + [0]
        )
    return wanted


def test_the_same_stages():
    assert set(STAGES) == set(ROWS) == set(CLEARS)


@pytest.mark.parametrize("name", ROWS)
def test_stage_is_what_the_table_says(name):
    stage, row = STAGES[name], ROWS[name]
    features = m.FEATURES[stage[m.S_SCOPE]]
    assert features[stage[m.S_FEATURE]] == row.watches
    assert stage[m.S_SENSE] == (1 if row.above else -1)
    assert (stage[m.S_SET], stage[m.S_SET_MS], stage[m.S_LATCH]) == (
        row.at,
        row.debounce_ms,
        row.reset,
    )
    assert (stage[m.S_CLEAR], stage[m.S_CLEAR_MS]) == CLEARS[name]
    assert stage[m.S_GATE] < len(features), "a gate is a feature of the stage's own scope"
    assert row.gate == ("" if stage[m.S_GATE] == m.NO_GATE else features[stage[m.S_GATE]])
    assert stage[m.S_ROW] == row_number(name)
    assert dict(enumerate(stage[m.S_DEMAND])) == demanded(name)


def test_the_values_of_nmc_cells():
    assert {name: at for name, at, _ in m.NMC_THRESHOLDS} == NMC_AT
    for name, at, clear in m.NMC_THRESHOLDS:
        assert clear < at if ROWS[name].above else clear > at


def test_the_reset_kinds_are_the_same_numbers():
    assert (SELF, REMOTE, KEY) == (m.SELF, m.REMOTE, m.KEY)


# -- the transcription against the document, where it lies beside the repository

# From the design, not from section 7; 38b and 40d have the row's words, but no number there.
OURS = ("38b", "40d", "40e", "43d", "44b", "44c", "44d", "49", "50a", "50b", "51", "52", "53")
# a number of ours is weaker than one that was read, one from memory the weakest
WEAKER = ("C", "C2", "D", "G")
RESETS = {"L0": SELF, "L1": REMOTE, "L2": KEY}
# What the cause cell must show of each threshold, in its own units, and what the debounce cell must
# show; the stage's debounce is a time in one of the two.
NUMBERS = {
    "1a": ("", "20 ms"),
    "1b": ("", "20 ms"),
    "1c": ("0.5 s", ""),
    "2": ("", "0.2 s"),
    "3": ("", "0.1 s"),
    "4": ("one detector", "2 s"),
    "5": ("two smoke zones", "0.5 s"),
    "6a": ("trouble", "5 s"),
    "6b": ("trouble", "5 s"),
    "7": ("off-gas alert", "5 s"),
    "8a": ("2 sensors", "2 s"),
    "8b": ("1 for 30 s", "2 s"),
    "8c": ("or + dT/dt", "2 s"),
    "9": (">= 50 ppm", "10 s"),
    "10a": (">= 200 ppm", "5 s"),
    "10b": ("> 5 ppm/s for 10 s", "5 s"),
    "11": ("10 % LFL", "2 s"),
    "12a": ("25 % LFL", "0 (HW)"),
    "12b": ("hard relay", "0 (HW)"),
    "13a": ("fault", "10 s"),
    "13b": ("stale", "10 s"),
    "13c": ("calibration", "10 s"),
    "14": ("lost", "10 s"),
    "15a": ("airflow", "10 s"),
    "15b": ("airflow", "10 s"),
    "16a": ("not open", "t_louvre + 2 s"),
    "16b": ("not open", "t_louvre + 2 s"),
    "17a": ("HVAC/chiller fail", "60 s"),
    "17b": ("air > 45", "60 s"),
    "17c": ("air > 45", "60 s"),
    "18a": ("charge >= 40", "5 s"),
    "18b": ("discharge >= 45", "5 s"),
    "19a": ("charge >= 45", "5 s"),
    "19b": ("discharge >= 50", "5 s"),
    "20a": ("charge >= 50", "2 s"),
    "20b": ("discharge >= 55", "2 s"),
    "21a": (">= 65", "1 s"),
    "21b": ("> 15 K", "1 s"),
    "22": (">= 1 K/min for 30 s", "30 s"),
    "23a": (">= 0.2 K/s for 10 s", "3-10 s"),
    "23b": (">= 1 K/s for 3 s", "3-10 s"),
    "24": (">= 0.25 V in 2 s", "0.5 s"),
    "25a": ("< 0 C (charge)", "10 s"),
    "25b": ("< -20 C (any)", "10 s"),
    "26a": (">= 10 K", "10 s"),
    "26b": (">= 15 K", "10 s"),
    "27": ("3.55", "10 s"),
    "28": ("3.60", "5 s"),
    "29": ("3.65", "2 s"),
    "30": ("3.80", "0.2-1 s"),
    "31a": ("2.90", "10 s"),
    "31b": ("2.80", "5 s"),
    "32": ("2.50", "5 s"),
    "33": ("<= 2.00", "1 s"),
    "34a": ("100 /", "30 s /"),
    "34b": ("/ 200 /", "/ 30 s /"),
    "34c": ("400 mV", "5 s"),
    "35a": ("> 1.05", "10 s"),
    "35b": ("> 1.10", "10 s"),
    "36": ("> 2x", "0.1-0.3 s"),
    "37a": ("< 500 ohm/V", "30 s"),
    "37b": ("< 100 ohm/V", "5 s"),
    "38a": ("3 tries", "5 s"),
    "39": ("mismatch", "0.3 s"),
    "40a": ("0.5", "as given"),
    "40b": ("/ 1 /", "as given"),
    "40c": ("3 s", "as given"),
    "41a": ("2 /", "as given"),
    "41b": ("/ 3 /", "as given"),
    "41c": ("5 s", "as given"),
    "41d": ("2 % (min 2 kW) for 5 s", ""),
    "42a": ("leak", "2 s (leak)"),
    "42b": ("low flow/pressure", "2 s (leak)"),
    "42c": ("RH > 90 %", "60 s (RH)"),
    "43a": ("on UPS", "5 s"),
    "43b": ("< 2 h", "5 s"),
    "43c": ("< 30 min", "5 s"),
    "44a": ("CRC", "0.5 s"),
    "44e": ("RAM/clock self-test", "0.5 s"),
    "44f": ("> 110 C", "0.5 s"),
    "45a": ("Two or more", "10 s"),
    "45b": ("Two or more", "10 s"),
    "45c": ("exactly 0", "10 s"),
    "45d": ("exactly 0", "10 s"),
    "46a": ("> 15 min", "900 s"),
    "46b": ("> 15 min", "900 s"),
    "46c": ("not verified", "900 s"),
    "47": ("key", "0"),
    "48a": ("energised", "1 s"),
    "48b": ("gas > 0", "1 s"),
}
# The few stages of which the table says where they clear: what the latch cell must show, and the
# value that is.
CLEARED_AT = {
    "18a": ("L0 (2 K)", 380),
    "18b": ("L0 (2 K)", 430),
    "25a": ("L0 (+3 K)", 30),
    "25b": ("L0 (+3 K)", -170),
    "27": ("L0 (0.10 V)", 3450),
}
COLUMNS = (
    "#",
    "cause",
    "debounce",
    "latch",
    "PCS",
    "DC",
    "FAN",
    "ALM",
    "ICH",
    "IDC",
    "DRT",
    "NTF",
    "SUP",
    "basis",
)
LETTERS = {
    "PCS": {"S", "R"},
    "DC": {"I", "Z", "N", "T"},
    "FAN": {"fan"},
    "ALM": {"L", "H", "red"},
    "ICH": {"ich"},
    "IDC": {"idc"},
    "NTF": {"M", "O", "F"},
    "SUP": {"P"},
}


@pytest.fixture(scope="session")
def table(shared):
    """{row number: {column: cell}} of section 7."""
    path = shared / "facts" / "nfpa855.md"
    if not path.is_file():
        pytest.skip("needs the fact table beside the repository")
    text = path.read_text(encoding="utf-8").split("## 7.")[1].split("## 8.")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {int(row[0]): dict(zip(COLUMNS, row)) for row in rows if row[0].isdigit()}


def durations_ms(text):
    """The times a text states, both ends of a range; "0" and "as given" (by the watched value) are
    none to wait.
    """
    found = {
        round(float(number) * (1 if unit == "ms" else 1000))
        for first, last, unit in re.findall(r"([\d.]+)(?:-([\d.]+))? (m?s)\b", text)
        for number in (first, last)
        if number
    }
    return found | ({0} if re.search(r"\b0(?![.\d])|as given", text) else set())


def parts(name, cell):
    """The parts of a cell a stage may go by: its own if there is one for each stage, else any of
    them or the whole.
    """
    found = re.split(r" / |(?<=-)/|/(?=-)|(?<=L\d)/|, else ", cell)
    siblings = [
        other for other in ROWS if row_number(other) == row_number(name) and other not in OURS
    ]
    if len(found) == len(siblings) and ", else " not in cell:
        return [found[siblings.index(name)]]
    return [*found, cell]


def letters_of(part, column):
    """The letters of the transcription that a part of a cell stands for."""
    if column in ("ICH", "IDC", "FAN"):
        yes = "x" in part or "as row 2" in part or "default" in part
        return set(LETTERS[column]) if yes else set()
    if column == "ALM":
        return {
            {"L": "L", "H": "H", "R": "red"}[letter] for letter in re.findall(r"\b[LHR]\b", part)
        }
    shunt_trip = {"T"} if "shunt trip" in part else set()
    # of every row's opening, and so of no stage's demand
    fuse = {"fuse"} if "wait fuse" in part else set()
    return set(re.findall(r"\b[A-Z]\b", part)) & LETTERS[column] | shunt_trip | fuse


def of_column(name, column):
    """The letters of the transcription that belong to a column; opening only at zero is a kind of
    I.
    """
    return {"I" if letter == "I0" else letter for letter in effects(name)} & LETTERS[column]


def latch_codes(name, cell):
    """[codes] a stage may go by; one with a cause in brackets is for a stage with that cause and
    for no other.
    """
    named = dict(reversed(pair) for pair in re.findall(r"(L[012]) \(([A-Z]{2,})\)", cell))
    if any(cause in NUMBERS[name][0] for cause in named):
        return [[code for cause, code in named.items() if cause in NUMBERS[name][0]]]
    return [re.findall(r"L[012](?! \([A-Z]{2,}\))", part) for part in parts(name, cell)]


@pytest.mark.parametrize("name", [name for name in ROWS if name not in OURS])
def test_transcription_is_what_the_document_says(table, name):
    cells = table[row_number(name)]
    cause, debounce = NUMBERS[name]
    assert cause in cells["cause"] and debounce in cells["debounce"]
    agrees = ROWS[name].debounce_ms in durations_ms(cause) | durations_ms(debounce)
    assert agrees != ((name, "debounce") in READ_AS), (
        f"{ROWS[name].debounce_ms} ms, the table has {debounce!r}"
    )
    agrees = any(
        ROWS[name].reset in map(RESETS.get, codes) for codes in latch_codes(name, cells["latch"])
    )
    assert agrees != ((name, "latch") in READ_AS), (
        f"the reset is {ROWS[name].reset}, the table has {cells['latch']!r}"
    )
    for column in LETTERS:
        wanted = of_column(name, column)
        agrees = wanted in [letters_of(part, column) for part in parts(name, cells[column])]
        assert agrees != ((name, column) in READ_AS), (
            f"{column} is {wanted}, the table has {cells[column]!r}"
        )
    taken = {int(letter[1:]) for letter in effects(name) if re.fullmatch(r"[cd]\d+", letter)}
    agrees = taken in [
        set(map(int, re.findall(r"\d+", part))) for part in parts(name, cells["DRT"])
    ]
    assert agrees != ((name, "DRT") in READ_AS), f"DRT is {taken}, the table has {cells['DRT']!r}"


def strongest(cell):
    """The last step of a cell that has one for each time or value; a stage of ours is held against
    it.
    """
    return re.split(r" / |(?<=-)/|/(?=-)|(?<=L\d)/", cell)[-1]


@pytest.mark.parametrize("name", [name for name in OURS if row_number(name) < readings.OURS_FROM])
def test_a_stage_of_ours_does_what_the_row_it_stands_under_asks(table, name):
    """Or a reading says that it does not."""
    cells = table[row_number(name)]
    agrees = {
        column: of_column(name, column) == letters_of(strongest(cells[column]), column)
        for column in LETTERS
    }
    agrees["debounce"] = ROWS[name].debounce_ms in durations_ms(cells["debounce"])
    agrees["latch"] = ROWS[name].reset in map(
        RESETS.get, re.findall("L[012]", strongest(cells["latch"]))
    )
    assert (
        not [letter for letter in effects(name) if re.fullmatch(r"[cd]\d+", letter)]
        and cells["DRT"] == "-"
    )
    assert {column for column, same in agrees.items() if not same} == {
        column for stage, column in READ_AS if stage == name
    }


@pytest.mark.parametrize("name, percent", [("35a", 105), ("35b", 110)])
def test_a_current_beyond_the_row_that_does_not_trip_has_a_reading(table, name, percent):
    assert f"> {percent / 100:.2f}x" in table[35]["cause"]
    bench = Bench().run()
    limit_mA = bench.inp[bench.layout.rack_input(0, s.DISCHARGE_CURRENT_MA_MAX)]
    bench.set_rack(s.RACK_CURRENT_MA, limit_mA * percent // 100 + 1)
    bench.step(600)
    assert name not in bench.standing() and (name, "cause") in READ_AS
    # far beyond what counts as no current
    bench.set_rack(s.RACK_CURRENT_MA, limit_mA * percent // 100 + 10_001)
    bench.step(600)
    assert name in bench.standing()


def test_what_is_ours_is_what_the_pages_call_so():
    assert {name for name in OURS if row_number(name) < readings.OURS_FROM} == set(readings.OURS)
    assert {name for name in OURS if row_number(name) > 48} == {
        name for name in ROWS if row_number(name) > 48
    }


@pytest.mark.parametrize("name", CLEARED_AT)
def test_stage_clears_where_the_document_says(table, name):
    words, clear = CLEARED_AT[name]
    assert words in table[row_number(name)]["latch"] and CLEARS[name][0] == clear


def test_no_other_latch_cell_says_where_it_clears(table):
    stated = {row for row, cells in table.items() if re.search(r"\([^)]*\d", cells["latch"])}
    assert stated == {row_number(name) for name in CLEARED_AT}


@pytest.mark.parametrize("row", sorted({row_number(name) for name in NMC_AT}))
def test_nmc_transcription_is_what_the_document_says(table, row):
    brackets = re.findall(r"\[([^]]*)\]", table[row]["cause"])
    assert [f"{NMC_AT[name] / 1000:.2f}" for name in NMC_AT if row_number(name) == row] == brackets[
        0
    ].split(" / ")


def test_every_value_in_brackets_that_the_program_compares_is_transcribed(table):
    with_brackets = {row for row, cells in table.items() if re.search(r"\[\d", cells["cause"])}
    comparator = {30}  # of its own, in hardware; the program sees its contact
    assert with_brackets == {row_number(name) for name in NMC_AT} | comparator


KEY_RANGE = re.compile(r"\b([ACDE])(\d+)(?:-[ACDE]?(\d+))?")


def keys(text):
    """The fact table's keys in a text: "A40-43, A32" -> A32, A40 ... A43."""
    return {
        f"{letter}{number}"
        for letter, first, last in KEY_RANGE.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


@pytest.mark.parametrize("row", [row for row in m.CLAUSES if row < 49])
def test_basis_and_confidence_are_those_of_the_document(shared, table, row):
    _, basis, confidence = m.CLAUSES[row]
    assert keys(basis) == keys(table[row]["basis"])
    facts = (
        (shared / "facts" / "nfpa855.md").read_text(encoding="utf-8").split("## 6.")[0].splitlines()
    )
    cited = [line for line in facts for key in keys(basis) if line.startswith(f"| {key} |")]
    assert len(cited) == len(keys(basis))
    cells = [
        cell for line in cited for cell in line.split("|")[3:] if re.match(r" (C2|C|G|D)\b", cell)
    ]
    codes = {code for cell in cells for code in re.findall(r"(?:^|[;,]) (C2|C|G|D)\b", cell)}
    assert confidence == max(codes, key=WEAKER.index), (
        "of several sources the weakest says how sure the row is"
    )
    assert ("low authority" in basis) == any("low authority" in cell for cell in cells)


def test_every_reading_is_of_a_stage_and_column_of_the_table():
    assert {name for name, _ in READ_AS} <= {
        name for name in ROWS if row_number(name) < readings.OURS_FROM
    }
    every = {"cause", "debounce", "latch", "DRT", "priority", *LETTERS}
    assert {column for name, column in READ_AS if name not in OURS} <= every
    assert {column for name, column in READ_AS if name in OURS} <= {"debounce", "latch", *LETTERS}
    assert {name for name, column in READ_AS if column == "cause"} == {"14", "35a", "35b"}


def test_the_rows_that_the_document_has_hard_wired_are_wired_named_or_read_otherwise(shared):
    text = (shared / "facts" / "nfpa855.md").read_text(encoding="utf-8")
    (line,) = re.findall(
        r"^Priority: rows (.*?) are hard-wired and act without the "
        r"program\.",
        text,
        re.MULTILINE,
    )
    assert line == "1-3, 12, 30, 36 and 44" and schema.HARD_WIRED_ROWS == (1, 2, 3, 12, 30, 36, 44)
    otherwise = {row_number(name) for name, column in READ_AS if column == "priority"}
    assert otherwise == set(schema.HARD_WIRED_ROWS) - set(schema.WIRED_ALWAYS) == {2, 3, 36}


def test_every_row_of_the_table_is_there(table):
    assert (
        set(table)
        == set(range(1, 49))
        == {row_number(name) for name in ROWS if row_number(name) in table}
    )
    assert {row_number(name) for name in ROWS if name not in OURS} == set(table)


def test_the_rows_that_shed_auxiliary_loads_are_those_the_document_names(shared):
    text = (shared / "facts" / "nfpa855.md").read_text(encoding="utf-8")
    assert "Aux loads not rated for gas are shed on rows 8 and 10-12" in text
    assert {row_number(name) for name in ROWS if "A" in effects(name)} == {8, 10, 11, 12}
