"""The records of the rows against the facts, the readings against the table of section 7."""

import pytest

from controller.rows import readings, records
from controller.rows.facts import FACTS, keys
from hil.oracle.design import ROWS, effects, row_number
from safety import matrix as m
from tests.repository import ROOT
from tests.safety.section_7 import DIFFERS

STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}
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
