"""STAGES against a transcription that was not made from code, and the records against the facts."""

import re

import pytest
from section_7 import DIFFERS, NMC_AT

from controller.rows import readings, records
from controller.rows.facts import FACTS, keys
from hil.oracle.design import CLEARS, KEY, REMOTE, ROWS, SELF, effects, row_number
from safety import matrix as m, signals as s
from tests.repository import ROOT
from tests.safety.bench import Bench

STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}
PCS = {"S": m.PCS_STOP, "R": m.PCS_RAMP}
DC = {"N": m.DC_INHIBIT, "Z": m.DC_OPEN_AT_ZERO, "I": m.DC_OPEN, "I0": m.DC_OPEN_ONLY_AT_ZERO}
FLAGS = {"fan": m.D_FAN, "H": m.D_HORN, "red": m.D_RED_LAMP, "M": m.D_MAINTENANCE}
FLAGS |= {"O": m.D_OPERATOR, "F": m.D_FACU, "P": m.D_PRE_ALARM, "T": m.D_SHUNT_TRIP}
FLAGS |= {"A": m.D_AUX_SHED, "X": m.D_REMOVAL}


def demanded(name):
    """{demand index: level} of the transcription; the lamp goes with every alarm."""
    letters = effects(name)
    wanted = {index: 1 if letter in letters else 0 for letter, index in FLAGS.items()}
    wanted[m.D_PCS] = max([PCS.get(letter, 0) for letter in letters])
    wanted[m.D_DC] = max([DC.get(letter, 0) for letter in letters])
    wanted[m.D_LAMP] = 1 if letters & {"L", "H", "red"} else 0
    # An inhibit of a ramping row acts through the ramp: a step to zero would be a stop.
    inhibit = m.INHIBIT_BY_RAMP if letters & {"R", "r"} else m.INHIBIT_AT_ONCE
    wanted[m.D_CHARGE_INHIBIT] = inhibit if "ich" in letters else 0
    wanted[m.D_DISCHARGE_INHIBIT] = inhibit if "idc" in letters else 0
    for sign, index in (("c", m.D_CHARGE_DERATE_PCT), ("d", m.D_DISCHARGE_DERATE_PCT)):
        shares = [int(letter[1:]) for letter in letters if re.fullmatch(sign + r"\d+", letter)]
        wanted[index] = max(shares, default=0)
    return wanted


def test_the_same_stages():
    assert set(STAGES) == set(ROWS) == set(CLEARS)


@pytest.mark.parametrize("name", ROWS)
def test_stage_is_what_the_table_says(name):
    stage, row = STAGES[name], ROWS[name]
    features = m.FEATURES[stage[m.S_SCOPE]]
    assert (features[stage[m.S_FEATURE]], stage[m.S_SENSE]) == (row.watches, 1 if row.above else -1)
    assert (stage[m.S_SET], stage[m.S_SET_MS]) == (row.at, row.debounce_ms)
    assert (stage[m.S_LATCH], (stage[m.S_CLEAR], stage[m.S_CLEAR_MS])) == (row.reset, CLEARS[name])
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


# a number of the project is weaker than one that was read, one from memory the weakest
WEAKER = ("C", "C2", "D", "G")
DESIGN = "design"  # in place of a key, of a row of the project
COLUMNS = "PCS=S,R DC=I,Z,N,T FAN=fan ALM=L,H,red ICH=ich IDC=idc NTF=M,O,F".split()
COLUMNS = {name: set(letters.split(",")) for name, letters in (each.split("=") for each in COLUMNS)}


def done(name, column):
    row = ROWS[name]
    if column == "debounce":
        return f"{row.debounce_ms / 1000:g}"
    if column == "latch":
        return f"L{row.reset}"
    if column == "DRT":
        return "+".join(sorted({each[1:] for each in effects(name) if each[1:].isdigit()} - {"0"}))
    letters = {"I" if each == "I0" else each for each in effects(name)}
    return "+".join(sorted(letters & COLUMNS[column])) or "-"


def test_every_difference_from_the_table_has_a_reading():
    """And no reading repeats the table. cause and priority are no effect."""
    assert set(DIFFERS) == set(readings.READ_AS)
    for (name, column), what in DIFFERS.items():
        if column not in ("cause", "priority"):
            assert done(name, column) not in what.split("/"), (name, column)


@pytest.mark.parametrize("name, percent", [("35a", 105), ("35b", 110)])
def test_a_current_beyond_the_row_that_does_not_trip_has_a_reading(name, percent):
    assert DIFFERS[name, "cause"] == f"{percent / 100:.2f}"
    bench = Bench().run()
    limit_mA = bench.inp[bench.layout.rack_input(0, s.DISCHARGE_CURRENT_MA_MAX)]
    bench.set_rack(s.RACK_CURRENT_MA, limit_mA * percent // 100 + 1).step(600)
    assert name not in bench.standing()
    # far beyond the limit of zero current
    bench.set_rack(s.RACK_CURRENT_MA, limit_mA * percent // 100 + 10_001).step(600)
    assert name in bench.standing()


def test_rows_without_a_wire_need_the_program():
    wired = {row_number(name) for name, column in DIFFERS if column == "priority"}
    assert wired == {row for row, how in records.WIRED.items() if how.instead}
    assert set(records.WIRED) == {1, 2, 3, 12, 30, 36, 44}


@pytest.mark.parametrize("row", records.ROWS.values(), ids=lambda row: str(row.number))
def test_a_row_is_as_sure_as_the_weakest_fact_it_rests_on(row):
    cited = [FACTS[key] for key in keys(row.basis)]
    codes = [fact.confidence for fact in cited] + ["D"] * (DESIGN in row.basis)
    assert row.confidence == max(codes, key=WEAKER.index)
    assert ("low authority" in row.basis) == any(fact.is_weak for fact in cited)


def test_the_fact_table_has_what_is_cited_and_nothing_else():
    folder = ROOT / "safety"
    paths = [folder / "README.md", folder / "hazards/log.toml", *folder.glob("chapters/*.md")]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    for folder in ("safety", "controller/rows", "controller/documents", "controller/config"):
        found = [path for path in (ROOT / folder).glob("*.py") if path.name != "facts.py"]
        texts += [path.read_text(encoding="utf-8") for path in found]
    assert set().union(*[keys(text) for text in texts]) == set(FACTS)


def test_what_the_pages_call_a_stage_of_the_project():
    """38b and 40d have the words of their row, but no number is there."""
    under_a_row = set("38b 40d 40e 43d 47b 44b 44c 44d 44g".split())
    for name, stage in STAGES.items():
        assert readings.is_added(stage) == (row_number(name) > 48 or name in under_a_row), name


def test_the_rows_that_shed_auxiliary_loads():
    assert {row_number(name) for name in ROWS if "A" in effects(name)} == {8, 10, 11, 12}
