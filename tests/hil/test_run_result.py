"""The end of a run: exit codes, closing lines, files, the picture and its page."""

import json
import re
import tomllib

import numpy as np
import pytest

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.results import marks, plot, run_result, words
from hil.results.recorder import Recorder, Run
from hil.scenarios import scenario
from tests.tables import cases

SCENARIO = """
name = "x"
title = "x"
duration_s = 5
action = [{ at_s = 1, do = "estop_press" }]
expect = [
    { what = "event", event = "pcs_enable_off", after = "estop_press", ms_max = 50 },
    { what = "no_trip", except = ["1a"] },
]
"""
SCENARIO = scenario.parse(tomllib.loads(SCENARIO), "x.toml")
LOAD = {"file": "a.csv", "column": "run01_kW", "scale": 1.0, "rows_refused": 3}
TRIP = {"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 1.02}


def run(ticks=250, off_us=1_020_000, trips=(), violations=(), load=LOAD, timeline=(), pauses=()):
    recorder = Recorder()
    for tick in range(ticks):
        recorder.append(
            tick * 20_000, 300e3 + tick % 100, 290e3, 10e3, 10e3, 550, 25, 213, 3, 1, 50, 0
        )
    timeline = [*timeline, (1_000_000, "estop_press", "")]
    timeline += [(off_us, "pcs_enable_off", "")] if off_us else []
    loop = {"ticks": ticks, "missed": 2}
    return Run(recorder.rows(), timeline, list(violations), list(trips), loop, load, (), pauses)


def outcome(chosen=SCENARIO, interrupted=False, **changes):
    return run_result.Outcome(run(**changes), {"seed": 4}, chosen, None, interrupted)


OTHER = {"row": 29, "stage": "29", "scope": "rack 1", "t_s": 2.0}


@cases("""changes  exit_code  not_met
    {"off_us": 1_050_000}  0  ""
    {"off_us": 1_050_001}  1  "pcs_enable_off 0 .. 50 ms after estop_press: 50.0 ms"
    {"off_us": None}  1  "pcs_enable_off 0 .. 50 ms after estop_press: never came"
    {"trips": [OTHER]}  1  "no trip but 1a: row 29 rack 1 at 2.00 s"
    {"violations": ["3.0 s: something"]}  1  "invariant broken: 3.0 s: something"
    {"chosen": None, "off_us": None}  0  ""
    {"chosen": None, "violations": ["3 s: x"]}  1  "invariant broken: 3 s: x"
    {"interrupted": True, "off_us": None}  130  ""
    {"interrupted": True, "violations": ["1 s: x"]}  130  "invariant broken: 1 s: x"
""")
def test_the_exit_code_says_whether_all_was_as_expected(changes, exit_code, not_met):
    found, expected = outcome(**changes), [not_met] * bool(not_met)
    assert (found.exit_code, found.doc["interrupted"]) == (exit_code, exit_code == 130)
    assert [line[11:] for line in found.lines() if line.startswith("NOT MET")] == expected
    assert [one["text"] for one in found.doc["expectations"] if not one["ok"]] == expected


def test_the_document_has_machine_messages_and_actions():
    doc = outcome().doc
    assert all(doc[key] for key in "python system machine kernel timeline".split())
    assert (doc["missed"], doc["seed"], doc["load"]) == (2, 4, LOAD)
    found = outcome()
    found.doc["controller_messages"] = ["no real-time priority (Operation not permitted)"]
    assert "controller no real-time priority (Operation not permitted)" in found.lines()
    assert found.marks == [(1.0, "estop_press")]
    assert outcome(chosen=None).marks == found.marks, "what a person did on the screen"


CLOSED = ((500_000, "contactors_closed", ""),)


@cases("""timeline  from_us  measured_s
    ()  None  26.98 | CLOSED  None  20.5 | CLOSED  22e6  22.0""")
def test_figures_begin_when_the_contactors_are_closed_and_the_limits_have_recovered(
    timeline, from_us, measured_s
):
    found = run_result.measured(
        run(1350, timeline=timeline), configuration.load(EXAMPLE), {}, None, from_us, False
    )
    assert found.doc["measured_from_s"] == pytest.approx(measured_s, abs=1e-3)
    assert (found.doc["swing_2s_pct"]["load"] is None) == (timeline == ())
    assert found.doc["limited_s"].get("R213", 0) == pytest.approx(26.98 - measured_s, abs=0.02)


WORST = {
    "t_s": 31.26,
    "within_s": 0.2,
    "change_W": -92e3,
    "load_change_W": 101e3,
    "battery_change_W": 143e3,
    "back_after_s": 0.36,
    "limit_reason": 0,
    "delay_ms": 182,
}
BEYOND = {
    "window_ms": 420,
    "import": {"limit_W": 450e3, "s": 2.0, "W_max": 12e3},
    "export": {"limit_W": 0, "s": 0.0, "W_max": 0.0},
}
FULL = {
    "swing_W": {"load": 244e3, "grid": 21.4e3, "within_s": 96},
    "worst_moment": WORST,
    "swing_2s_pct": {"load": 20.5, "grid": 2.5, "reduction": 87.8},
    "delay_ms": 182.0,
    "measured_from_s": 22.5,
    "simulated_s": 60.0,
    "limited_s": {"R213": 1.5, "R501": 3.0, "R229": 0.09},
    "overload": {"s": 2.0, "W_max": 52e3},
    "beyond": BEYOND,
    "load": {"file": "a.csv", "scale": 2.0, "rows_refused": 10},
    "soc_pct": {"start": 55.0, "end": 54.5},
    "ticks": 3000,
    "missed": 1,
    "lateness_us": {"p50": 70, "p99": 500, "p99_9": 900, "max": 1000},
    "trips": [TRIP] * 6,
    "reaction_ms": {"estop": 43.4, "bms_ramp": None},
}
TRIP_LINES = [
    "           1.02 s, row 1a (cabinet), emergency stop: An emergency stop is",
    "             pressed, or its two contacts disagree. Find out why it was pressed.",
    "             Release it, inspect, reset with the key.",
]


def test_closing_lines_say_what_each_figure_means():
    lines = words.closing_lines(FULL)
    assert lines == [
        "summary    The load swung by 244 kW; the grid saw 21 kW.",
        "           Worst moment, 31.3 s: the grid fell by 92 kW within 0.2 s and was",
        "           back 0.4 s later. The load rose by 101 kW; 182 ms later the battery",
        "           followed with 143 kW, more than the load.",
        "measured   22.5 s .. 60.0 s, after the limits have recovered",
        "swing      load 20.5 %, grid 2.5 % of the highest load: 87.8 % less",
        "           (99 % of the changes from one 2 s mean to the next are smaller)",
        "delay      182 ms from a change of the load to that of the battery",
        "limits     3.0 s set-point ramp (R501)",
        "limits     1.5 s PCS discharge rating (R213)",
        "overload   load above grid connection plus battery for 2.0 s by up to 52 kW",
        "exceeded   limit of import, 450 kW, for 2.0 s by up to 12.0 kW (means of 0.42 s)",
        "refused    10 rows of the load file: errors of its meter",
        "charge     55.00 % at the start, 54.50 % at the end",
        "ticks      3000, missed 1; late us p50 70, p99 500, p99.9 900, max 1000",
        "trips      6",
        *TRIP_LINES * 4,
        "           and 2 more",
        "reaction   43 ms: E-stop pressed to the command that drops the PCS enable",
    ]
    assert max(map(len, lines)) <= 80
    late = dict.fromkeys(FULL["lateness_us"])
    plain = {"swing_2s_pct": NOTHING, "limited_s": {}, "overload": {"s": 0.0}, "lateness_us": late}
    plain["beyond"] = BEYOND | {"import": {"limit_W": 450e3, "s": 0.0}}
    plain |= {"trips": [], "load": LOAD | {"rows_refused": 0}, "reaction_ms": {}}
    plain |= {"swing_W": dict.fromkeys(("load", "grid")), "worst_moment": None}
    lines = words.closing_lines(FULL | plain)
    assert lines.pop(0).startswith("summary    Nothing was measured:")
    assert lines[0].startswith("measured   nothing: the run ended before the limits")
    assert lines[2:] == [
        "limits     none held the battery back",
        "kept       limits of import 450 kW and export 0 kW (means of 0.42 s)",
        "charge     55.00 % at the start, 54.50 % at the end",
        "ticks      3000, missed 1; virtual time is never late",
        "trips      none",
    ]


NOTHING = {"load": None, "grid": None, "reduction": None}


@cases("""changes  chosen  command
    {"swing_2s_pct": NOTHING}  None  "the same with --scale 1"
    {"swing_2s_pct": NOTHING, "load": {"file": None}}  None  "./flash.sh rig --for 120"
    {}  None  "the same with --scale 1"
    {"load": {"file": None}}  None  "./flash.sh rig --virtual --scenario bms_silent"
    {"load": {"file": None}}  SCENARIO  "./flash.sh rig --load FILE.csv --column NAME"
""")
def test_one_command_is_proposed(changes, chosen, command):
    assert words.next_command(FULL | changes, chosen)[0] == command


def test_files_are_written_where_they_were_asked_for(tmp_path):
    assert outcome().write(None, "", "A run") == []
    short = outcome(ticks=1, chosen=None)
    assert short.write("", str(tmp_path / "a.html"), "too short to draw") == []
    assert list(tmp_path.iterdir()) == [] and outcome(ticks=0, chosen=None).lines()
    found = outcome(trips=[TRIP], violations=["a < b"])
    json_path = str(tmp_path / "run.json")
    for ending, begin in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("html", b"<!DOCTYPE html>")):
        path = tmp_path / f"run.{ending}"
        assert found.write(json_path, str(path), "one < two") == [str(path), json_path]
        assert path.read_bytes().startswith(begin)
    written = json.loads((tmp_path / "run.json").read_text())
    assert written == json.loads(json.dumps(found.doc))
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    for part in (
        "<svg",
        "one &lt; two",
        "a &lt; b",
        "NOT MET",
        "Expectations of the scenario",
        "Release it, inspect, reset with the key.",
        "<th>time</th><th>row</th><th>where</th><th>cause</th><th>remedy</th>",
        "<td class=short>1a</td><td class=short>cabinet</td><td>An emergency stop is",
        "<h1>The load hardly moved (0.1 kW): this run shows nothing of load tracking.</h1>",
        "<p>First trip, 1.0 s: emergency stop (row 1a, cabinet).</p>",
        "<td class=short>charge</td><td>55.0 % to 55.0 %",
        "<td class=short>trips</td><td class=short>1<",
    ):
        assert part in text, part
    assert not any(tag in text for tag in ("<script", "<img", "<link", "@import"))
    assert text.count("url(") == text.count("url(#")
    # the addresses in a picture are names of its XML, and nothing fetches them
    allowed = ("http://www.w3.org/", "http://purl.org/", "http://creativecommons.org/", "https://m")
    assert all(address.startswith(allowed) for address in re.findall(r"https?://[^\"'<> ]+", text))
    assert text.count("<tr>") <= 12 and "lateness" not in text and "energy_kWh" not in text


def test_thinning_keeps_every_spike_and_states_become_runs():
    for count in (10, 2 * plot.COLUMNS_MAX, 2 * plot.COLUMNS_MAX + 1, 170_000):
        values = np.zeros(count)
        values[count // 3], values[count // 2] = 7.0, -9.0
        time_s, thin = plot.envelope(np.arange(count) * 0.02, values)
        assert (thin.max(), thin.min()) == (7.0, -9.0)
        assert len(thin) == len(time_s) <= 2 * plot.COLUMNS_MAX + 2
        assert (np.diff(time_s) >= 0).all()
    assert marks.runs(np.array([0, 0, 3, 5, 5])) == [(0, 2, 0), (2, 3, 3), (3, 5, 5)]
    assert marks.runs(np.array([2])) == [(0, 1, 2)]
