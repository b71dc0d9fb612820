"""`firebreak document hazards`: the log has no gap, and every kind of gap is found."""

import copy

import pytest

from controller.documents import document, hazard_log, hazard_page
from controller.rows import records
from safety import matrix as m
from tests.tables import table

LOG, MEASURED = hazard_log.read()
NAMES = sorted([each["id"] for each in LOG["hazard"]], key=lambda name: int(name[1:]))
FACTS = hazard_log.facts(LOG, MEASURED)


def gaps_of(change):
    """New gaps after change(first hazard of row 2, measured times)."""
    log, measured = copy.deepcopy(LOG), copy.deepcopy(MEASURED)
    hazard, *others = [each for each in log["hazard"] if "2" in each["rows"]]
    for other in others:  # a gap of row 2 is then one gap
        other["rows"].remove("2")
    change(hazard, measured)
    found = hazard_log.facts(log, measured)["gaps"]
    return [gap for gap in found if gap not in FACTS["gaps"]]


def test_the_log_has_no_gap():
    """A changed stage voids its measured times. The gap has the command that measures again."""
    assert FACTS["gaps"] == []
    assert FACTS["is_source_tree"]
    assert {each["row"] for each in FACTS["rows"]} == set(records.ROWS)
    stages = [stage for row in FACTS["rows"] for stage in row["stages"]]
    assert {stage["stage"] for stage in stages} == {stage[m.S_ID] for stage in m.STAGES}


ABSENT, VOID = (
    "tests/safety/test_rows.py::test_nothing",
    "was not measured with its present numbers",
)
# what changes, the new gap
GAPS = f"""
hazard.update(rows=['4', '5'], scenarios=[]) | row 2: no hazard names it
hazard['rows'].append('999') | H12: row 999 is not a row of the matrix
hazard.update(id='H11') | H11: is listed twice
hazard.update(cause=' ') | H12: cause is empty
hazard.update(tests=[]) | H12: no test
hazard.update(tests=['{ABSENT}']) | H12: there is no test {ABSENT}
hazard['scenarios'].append('x') | H12: there is no scenario x
hazard['scenarios'].append('estop') | H12: scenario estop expects no trip of its rows
hazard.update(process_safety_time_s=4.357) | H12: stage 4 may take 4358 ms, allowed 4357 ms
hazard.update(measured_s=10.1) | H12: its scenarios took 10.1 s, allowed 10 s
hazard.update(latest_s=10.1) | H12: it may take 10.1 s, allowed 10 s
measured['2'].update(met=False) | H12: case 2 failed
measured['2'].update(off_ms=10_001) | H12: case 2 took 10001 ms, allowed 10000 ms
measured.pop('2') | H12: stage 2 {VOID}: python -m hil rows --measured --only '2'
measured['2'].update(numbers='0') | H12: stage 2 {VOID}: python -m hil rows --measured --only '2'
"""


@pytest.mark.parametrize("change, gap", table(GAPS))
def test_each_gap_is_found(change, gap):
    assert gaps_of(lambda hazard, measured: eval(change, locals())) == [gap]


def test_each_test_case_of_a_stage_needs_the_present_numbers():
    found = gaps_of(lambda _, measured: measured["4 heat"].update(numbers="0"))
    of_row_4 = {each["id"] for each in LOG["hazard"] if "4" in each["rows"]}
    assert {gap.partition(": ")[0] for gap in found} == of_row_4
    assert found[0].endswith("--only '4 heat'")


def test_a_time_equal_to_the_allowed_time_is_no_gap():
    assert gaps_of(lambda hazard, _: hazard.update(process_safety_time_s=4.358)) == []
    assert gaps_of(lambda _, measured: measured["2"].update(off_ms=10_000)) == []


def test_a_hazard_without_a_row_is_a_gap():
    found = gaps_of(lambda hazard, _: hazard.update(rows=[]))
    assert "H12: no row" in found and "row 2: no hazard names it" in found


@pytest.mark.parametrize("place", range(m.S_DEMAND + 1))
def test_any_other_number_of_a_stage_voids_its_measured_times(place):
    stage = records.BY_ID["1a"]
    others = {m.S_ID: "1b", m.S_DEMAND: (m.PCS_RAMP, *stage[m.S_DEMAND][1:])}
    changed = list(stage)
    changed[place] = others[place] if place in others else stage[place] + 1
    assert hazard_log.numbers(tuple(changed)) != hazard_log.numbers(stage)


def test_the_page_says_that_a_cabinet_has_no_tests_to_check(monkeypatch, tmp_path):
    monkeypatch.setattr(hazard_log, "ROOT", tmp_path)
    facts = hazard_log.facts(LOG, MEASURED)
    assert not facts["is_source_tree"] and facts["gaps"] == []
    assert hazard_page.PARTLY in [getattr(each, "text", "") for each in hazard_page.blocks(facts)]


def test_the_page_shows_missing_links():
    """A row without a hazard, a hazard without a scenario, a stage without a test case."""
    log = {
        **LOG,
        "hazard": [{**each, "scenarios": []} for each in LOG["hazard"] if "2" not in each["rows"]],
    }
    less = {key: each for key, each in MEASURED.items() if key != "1b"}
    text = document.markdown(hazard_page.blocks(hazard_log.facts(log, less)))
    assert "| 1 | 1b | yes | 0.58 s | NONE |" in text
    assert f"| 2: {records.ROWS[2].what} | NONE |" in text
    assert "| scenarios | only the test cases of its rows |" in text


def test_the_page_has_all_fields_of_a_hazard():
    text = document.markdown(hazard_page.blocks(FACTS))
    part = text.partition("## H12: ")[2].partition("## H13: ")[0]
    hazard = next(each for each in FACTS["hazards"] if each["id"] == "H12")
    for words in (*[hazard[key] for key in hazard_log.TEXT_KEYS], *hazard["tests"], "10 s"):
        assert words in part
    assert "| 4 | 4 | yes | 4.36 s | 4: 4.04 s contactors open; 4 heat: 4.12 s" in part
