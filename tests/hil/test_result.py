"""The end of a run: the document has every agreed key, exit codes say what happened, files are as
announced.
"""

import json
from types import SimpleNamespace

import pytest

from hil.results import figures, run_result
from hil.scenarios import scenario

LATENESS = {"p50", "p99", "p99_9", "max"}
SCENARIO = scenario.parse(
    {
        "name": "x",
        "title": "x",
        "duration_s": 5,
        "action": [{"at_s": 1, "do": "estop_press"}],
        "expect": [
            {"what": "event", "event": "pcs_enable_off", "after": "estop_press", "ms_max": 50},
            {"what": "no_trip", "except": ["1a"]},
        ],
    },
    "x.toml",
)
REACTIONS = {"estop", "pcs_silent", "bms_ramp", "bms_open", "kill_pcs_enable", "kill_contactor"}
LOAD = {"file": "a.csv", "column": "run01_kW", "scale": 1.0, "rows_refused": 3}


def outcome(ticks=250, off_us=1_020_000, chosen=SCENARIO, trips=(), violations=(), **more):
    """Outcome of a made-up run: E-stop at 1 s, the enable off at off_us (None: never)."""
    recorder = figures.Recorder(10)
    for tick in range(ticks):
        recorder.append(tick * 20_000, 300e3, 290e3, 10e3, 10e3, 550, 25, 0, 3)
    timeline = [(1_000_000, "estop_press", "")] + (
        [(off_us, "pcs_enable_off", "")] if off_us else []
    )
    observer = SimpleNamespace(result=lambda: timeline, violations=list(violations))
    loop = {"ticks": ticks, "missed": 2, "lateness_us": dict.fromkeys(LATENESS, 5)}
    return run_result.Outcome(
        recorder, observer, list(trips), loop, LOAD, {"seed": 4}, chosen, **more
    )


def test_the_document_has_every_key_that_was_agreed_on():
    doc = outcome(trips=[{"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 1.02}]).doc
    assert set(doc["lateness_us"]) == LATENESS
    assert set(doc["reaction_ms"]) >= REACTIONS
    assert set(doc["swing_2s_pct"]) == {"load", "grid", "reduction"}
    assert [set(trip) for trip in doc["trips"]] == [{"row", "stage", "scope", "t_s"}]
    assert set(doc["hints"]) == {"accepted", "limited", "refused", "bad_mac"}
    assert set(doc["soc_pct"]) == {"start", "end"}
    assert set(doc["load"]) == {"file", "column", "scale", "rows_refused"}
    assert (doc["ticks"], doc["missed"], doc["seed"], doc["load"]) == (250, 2, 4, LOAD)
    assert doc["reaction_ms"]["estop"] is None  # nothing was seen on a wire in this run
    for key in ("python", "system", "machine", "kernel"):
        assert doc[key]
    json.dumps(doc, allow_nan=False)


@pytest.mark.parametrize(
    "changes, exit_code, not_met",
    [
        ({}, 0, []),
        ({"off_us": 1_050_000}, 0, []),
        ({"off_us": 1_050_001}, 1, ["pcs_enable_off 0 .. 50 ms after estop_press: 50.0 ms"]),
        ({"off_us": None}, 1, ["pcs_enable_off 0 .. 50 ms after estop_press: never came"]),
        (
            {"trips": [{"row": 29, "stage": "29", "scope": "rack 1", "t_s": 2.0}]},
            1,
            ["no trip but 1a: row 29 rack 1 at 2.00 s"],
        ),
        ({"violations": ["3.0 s: something"]}, 1, ["invariant broken: 3.0 s: something"]),
        ({"chosen": None, "off_us": None}, 0, []),
        (
            {"chosen": None, "violations": ["3.0 s: something"]},
            1,
            ["invariant broken: 3.0 s: something"],
        ),
    ],
)
def test_the_exit_code_says_whether_all_was_as_expected(changes, exit_code, not_met):
    found = outcome(**changes)
    assert found.exit_code == exit_code
    assert [line[11:] for line in found.lines() if line.startswith("NOT MET")] == not_met
    assert [one["text"] for one in found.doc["expectations"] if not one["ok"]] == not_met


def test_an_interrupted_run_is_not_judged_by_what_was_to_come():
    found = outcome(ticks=30, off_us=None, interrupted=True)
    assert (found.exit_code, found.doc["interrupted"]) == (130, True)
    assert not any("NOT MET" in line for line in found.lines())
    assert outcome().doc["interrupted"] is False


def test_a_broken_invariant_of_an_interrupted_run_is_still_said():
    found = outcome(interrupted=True, violations=["1.0 s: it burnt"])
    assert found.exit_code == 130 and any("it burnt" in line for line in found.lines())


def test_what_the_controller_said_is_repeated():
    found = outcome()
    found.doc["controller_messages"] = ["no real-time priority (Operation not permitted)"]
    assert "controller no real-time priority (Operation not permitted)" in found.lines()


@pytest.mark.parametrize("ending", ["html", "png", "svg"])
def test_files_are_written_where_they_were_asked_for(tmp_path, ending):
    found = outcome()
    paths = [str(tmp_path / f"run.{ending}"), str(tmp_path / "run.json")]
    assert found.write(paths[1], paths[0], "A run") == paths
    assert json.loads((tmp_path / "run.json").read_text()) == json.loads(json.dumps(found.doc))
    assert (tmp_path / f"run.{ending}").stat().st_size > 1000


def test_no_path_no_file(tmp_path):
    assert outcome().write(None, "", "A run") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ticks", [0, 1])
def test_a_run_too_short_for_a_picture_still_gives_its_figures(tmp_path, ticks):
    found = outcome(ticks=ticks, chosen=None)
    assert found.write(str(tmp_path / "a.json"), str(tmp_path / "a.html"), "A run") == [
        str(tmp_path / "a.json")
    ]
    assert found.lines()


def test_actions_of_the_scenario_are_marked_in_the_picture():
    assert outcome().marks == [(1.0, "estop_press")]
    assert outcome(chosen=None).marks == []
