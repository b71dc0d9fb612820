"""Every promise can say no: which faults break it, and a short run that shows it."""

from types import SimpleNamespace
from unittest import mock

import pytest
from in_process import refusal
from test_systems import TABLE, seconds_of

from controller.forms.refusal import ConfigError
from hil.systems import figures, plays, run, schedule_alone, self_check, series, spec
from tests.slow import whole
from tests.tables import cases


@pytest.mark.parametrize("name", spec.NAMES)
def test_every_promise_names_a_fault_that_must_break_it(name):
    for variant in ("", *spec.variants(name)):
        for figure in spec.load(name, variant).figures:
            is_promise = figure["asked"] is not None and figure["status"] != "unreachable"
            assert figure["breaks"] or not is_promise, (variant, figure["name"])


PROMISE = {"name": "peak_kW", "text": "peak", "asked": 1, "status": "projected"}


@cases("""
    changes  line
    {"breaks": ["fire"]}  'breaks: "fire" is not allowed; allowed a list from battery, sender'
    {"breaks": ["sender", "sender"]}  'breaks: contains "sender" twice; allowed a list from battery'
    {"survives": ["pv"]}  'survives: "pv" is not allowed; allowed some of battery, sender'
    {"breaks": ["pv"], "asked": None}  'breaks: "pv" is not allowed; allowed none, because nothing'
    {"breaks": ["sender"], "survives": ["sender"]}  'survives: "sender" is not allowed; allowed '
""")
def test_a_fault_that_cannot_be_is_refused_in_one_line(changes, line):
    figure = {key: each for key, each in (PROMISE | changes).items() if each is not None}
    found = refusal(ConfigError, spec.of_table, TABLE | {"figure": [figure]}, "test")
    assert found.startswith(f"test:figure.1.{line}")


def test_battery_and_set_fail_together():
    both, _ = self_check.broken(spec.load("north_america"), {}, "supply")
    alone = [
        self_check.broken(spec.load("north_america"), {}, each)[0] for each in ("battery", "set")
    ]
    assert (both.size, both.site) == (alone[0].size, alone[1].site)


def test_a_promise_of_an_event_behind_the_end_is_left_out():
    names = [self_check._may_show("event_over_kW", plays.chosen("shanghai", "", {"days": days}), {})
             for days in (2, 3)]  # fmt: skip
    assert names == [False, True]


def test_a_fault_that_no_promise_names_is_not_played():
    jobs = [("berlin", ""), ("berlin", "short_store"), ("norway", ""), ("nordic", "")]
    cases = self_check.cases_of(jobs, {"days": 1})
    faults = [[case.fault for case in cases if case[:2] == job] for job in jobs]
    assert faults[:2] == [["battery", "sender", "pv"], ["notices"]]
    assert faults[2:] == [["battery", "sender"], ["battery", "sender", "pv", "load"]]


def judged(name, fault, first_s, for_s):
    """{promise: row of the self-check} of some seconds of a system; none: it is not judged."""
    chosen = plays.chosen(name, "", {"days": 1})
    faulty, inputs = self_check.broken(chosen, {}, fault)
    result = seconds_of(faulty, range(first_s, first_s + for_s), inputs)
    seconds_W = result.seconds_W[:, first_s : first_s + for_s]
    short = result.spec._replace(days=for_s / run.DAY_S)
    result = result._replace(spec=short, seconds_W=seconds_W)
    asked = {each["name"]: each for each in chosen.figures}
    with mock.patch.object(run.Result, "import_without_W", lambda each: each.load_W):  # no bill
        found = [each for each in figures.of(result) if asked[each.name]["asked"] is not None]
    return {each.name: self_check.judged(each._asdict(), asked[each.name], fault) for each in found}


@pytest.mark.parametrize("fault", ["battery", "sender"])
def test_load_tracking_breaks_without_its_battery_and_survives_its_sender(fault):
    rows = judged("munich", fault, 0, 1800)
    of_load = {"peak_kW", "swing_5min"}
    assert rows.pop("kernel_2s")["reached"] is None, "no minutes were played"
    assert {"swings", "calmer_2s", "calmer_60s", "calmer_300s", *of_load} == set(rows)
    assert [row for row in rows.values() if row["must"] and not row["is_right"]] == []
    must = "break" if fault == "battery" else "survive"
    assert {row["must"] for name, row in rows.items() if name not in of_load} == {must}


def test_a_small_store_is_above_its_cap_without_notices():
    one, found = plays.chosen("berlin", "short_store", {"days": 3}), []
    for chosen in (one, self_check.broken(one, {}, "notices")[0]):
        given = {"series": series.series_of(chosen, {}), "before": series.before_of(chosen, {})}
        found.append(schedule_alone.noticed_kWh(SimpleNamespace(spec=chosen, **given))[0])
    assert found == pytest.approx([0.0, 12.28], abs=0.01)


def test_a_figure_of_the_load_breaks_without_it():
    rows = judged("munich", "load", 0, 900)
    assert [rows[name]["is_right"] for name in ("peak_kW", "swing_5min")] == [True, True]


def test_a_heater_is_taken_away_and_files_of_a_load_with_it():
    cold = spec.load("norway", "cold")
    assert "heater" not in self_check.broken(cold, {}, "heater")[0].size.devices
    inputs = {"load": "a", "load_column": "b", "jobs": "c", "pv": "d"}
    assert self_check.broken(cold, inputs, "load")[1] == {"pv": "d"}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", whole(*spec.NAMES))
def test_a_day_of_each_system_breaks_as_it_must(name):
    inputs = {"days": 1, "kernel_minutes": 0, "outages": 0}
    for case in self_check.cases_of([(name, "")], inputs):
        wrong = [row for row in self_check._broken(case, inputs) if row["is_right"] is False]
        assert wrong == [], case
