"""Results of benchmarks: their form, budgets, refusals."""

import json
from ast import literal_eval

import pytest
from hypothesis import given, strategies as st

from hil.campaigns.benchmarks import document
from hil.campaigns.benchmarks.document import BUDGETS, Budget, Measured, ResultError, figure
from tests.tables import cases, table

STEP = figure("kernel step, 1 rack", 32.5, "us", budget="step_1")
READ = figure("RTU transaction", 60.0, "us", "libmodbus", 48.0, "rtu_transaction")


def made(figures=(STEP, READ)):
    given = [dict(each) for each in figures], ["a note"], {"rounds": [1, 2]}, "fifo"
    return document.document("step", "python -m hil bench step", Measured(*given))


VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


@given(VALUES, st.sampled_from([1, 500, 990, 999, 1000]))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(values, permille):
    found = document.percentile(values, permille)
    not_above = sum(value <= found for value in values)
    below = sum(value < found for value in values)
    assert found in values and 1000 * not_above >= permille * len(values) > 1000 * below


def test_a_spread_has_its_budget_at_the_99th_percentile():
    figures = document.spread("x", [1.0] * 98 + [74.0, 80.0], "ms", budget="estop_modbus")
    found = [(each["what"], each["value"], each["met"]) for each in figures]
    assert found[:2] == [("x, p50 of 100", 1.0, None), ("x, p99 of 100", 74.0, True)]
    assert found[2:] == [("x, maximum of 100", 80.0, None)]
    assert document.spread("x", [], "ms") == []


# budget | value, value of the rival: limit, met; ...
AGAINST = """
step_1 | 100.0, None: 100.0, True; 100.1, None: 100.0, False; None, None: 100.0, None
lateness_idle | 999, 100: 1000.0, True; 1500, 1000: 1500.0, True; 1501, 1000: 1500.0, False
lateness_idle | 1001, None: 1000.0, False
lateness_stress | 4000, 1000: 4000.0, True; 4001, 1000: 4000.0, False; 1, None: None, None
rtu_transaction | 45, 40: 44.0, False; 44, 40: 44.0, True
virtual_speed | 50, None: 50.0, True; 49.9, None: 50.0, False
None | 5, 4: None, None
"""


@pytest.mark.parametrize("budget, given", table(AGAINST.replace("; ", ";")))
def test_a_figure_against_its_budget(budget, given):
    for (value, rival), expected in [map(literal_eval, one.split(":")) for one in given.split(";")]:
        found = figure("x", value, "us", rival and "rival", rival, budget)
        assert (found["limit"], found["met"]) == expected


def test_the_ratio_needs_both():
    for value, rival, ratio in ((60, 48, 1.25), (60, None, None), (60, 0, None), (None, 48, None)):
        assert figure("x", value, "us", "libmodbus", rival)["ratio"] == ratio


def test_every_budget_can_be_judged_or_says_why_not():
    for key, budget in BUDGETS.items():
        judged = document.limit(budget, 10.0) is not None
        assert judged or budget.without != Budget("", "").without, key


def test_a_document_survives_its_file(tmp_path):
    path = tmp_path / "step.json"
    document.write(path, made())
    assert document.read(path) == made() | {"measured": document.read(path)["measured"]}
    assert json.loads(path.read_text())["machine"]["cores"] >= 1
    lines = 2 + len(document.FIELDS) + 2 + 1  # one for each field, figure and note
    assert len(path.read_text().splitlines()) == lines


@cases("""number change words
    0  {"more": 1}  "must have" | 0  {"schema": 2}  "schema 2, this program reads 1"
    0  {"notes": "one"}  "notes is 'one'" | 0  {"figures": [1]}  "figure 1: has int"
    0  {"machine": {"cpu": "x"}}  "says nothing about cores"
    1  {"more": 1}  "figure 1: has" | 1  {"value": "32"}  "figure 1: value is '32'"
    1  {"budget": "step_2"}  "no budget 'step_2'; there are"
    1  {"met": False}  "met is False, its own numbers give True"
    2  {"value": 40.0}  "ratio is 1.25, its own numbers give 0.83"
    2  {"limit": 100.0}  "limit is 100.0, its own numbers give 52.8" """)
def test_a_result_edited_by_hand_is_refused_in_one_line(number, change, words):
    doc = made()
    (doc["figures"][number - 1] if number else doc).update(change)
    with pytest.raises(ResultError) as refusal:
        document.check(doc, "step.json")
    assert words in str(refusal.value) and str(refusal.value).startswith("step.json: ")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("content", [None, "", "[1]", "{", "\xff", '{"schema": 1}'])
def test_a_file_without_results_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ResultError, match="a.json"):
        document.read(str(path))


def test_numbers_have_the_digits_that_mean_something():
    values = (None, 0, 12, 32.456, 0.123456, 99.97, 999.7, 1234567, 29601.4)
    texts = "- 0 12 32.5 0.123 100 1_000 1_234_567 29_601".split()
    assert [document.number(value).replace(" ", "_") for value in values] == texts


def test_the_lines_say_the_budget_and_the_rival():
    lines = document.lines(made())
    assert "kernel step, 1 rack: 32.5 us; budget <= 0.1 ms: met" in lines[1]
    assert "RTU transaction: 60 us; libmodbus 48, ratio 1.25; budget" in lines[2]
    assert lines[3].strip() == "a note"
