"""The oracle judges a course, so seeded errors of the table are detected."""

import dataclasses
import os
import subprocess
import sys

import pytest
from seeded_table import ERRORS
from slow import slow, whole

from controller.config import configuration, time_chain
from hil.campaigns.rows import effects, latch, limits, verdict, watch
from hil.campaigns.rows.command import EXAMPLE
from hil.campaigns.rows.course import do
from hil.campaigns.rows.courses import COURSES
from hil.oracle import design
from tests.exemptions import Exempt, same
from tests.repository import ROOT
from tests.tables import cases

# an effect, a time, a latch: of courses that share a start
QUICK = ["40e", "48a", "1a"]
# Other demands hide these errors: the racks' limits and tapers; zero current.
HIDDEN = same(
    Exempt(
        "a wrong demand of the row stays unseen, because another demand is stricter then",
        "tests/safety/test_transcription.py::test_stage_is_what_the_table_says",
    ),
    "28",
    "31b",
    "12b",
)
CONFIG = configuration.load(EXAMPLE)
CURRENT = "26.140 s: rack 1 opened at 87.4 A"
WORDS = CONFIG.stage_words
FREED = {"by itself": False, "remote": True, "key": True, "closes": False}


def verdicts(labels):
    """{label: words of its verdict} of courses on the seeded table, in a process of its own."""
    program = [sys.executable, "-m", "tests.hil.campaigns.seeded_table", *labels]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(program, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return {label: words for label, _, words in lines}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("labels", [*whole(QUICK), *slow([*ERRORS])])
def test_errors_of_the_shipped_table_are_detected(labels):
    found = verdicts(labels)
    assert set(found) == set(labels)
    assert {label for label, words in found.items() if not words} == set(HIDDEN) & set(labels)


@cases("""stage freed words
    "29"  {}  "" | "29"  FREED  "" | "1a"  FREED  "a remote reset clears stage 1a; only the key may"
    "1a"  {**FREED, "remote": False}  "" | "40a"  {**FREED, "by itself": True}  ""
    "29"  {**FREED, "by itself": True}  "stage 29 resets by itself; a person has to reset it"
    "1a"  {**FREED, "by itself": True}  "stage 1a resets by itself; a person has to reset it"
    "29"  {**FREED, "closes": True}  "a rack gets a close command while stage 29 waits for a reset"
    "6a"  {**FREED, "closes": True}  "a rack gets a close command while stage 6a waits for a reset"
    "41a"  {**FREED, "closes": True}  "" | "40a"  {**FREED, "closes": True}  "" """)
def test_a_latch_waits_for_its_reset(stage, freed, words):
    assert "; ".join(verdict._freed(COURSES[stage], freed)) == words


def test_a_longer_chain_gives_no_more_time(monkeypatch):
    """29: 2 s and 150 ms for its reading, a tick to sample, 0.2 s to act, 2.5 s to open."""
    late = [time_chain.Part("bus", 60_000, False)]
    monkeypatch.setattr(limits.Limits, "_decision", lambda *_: late)
    given = limits.Limits(CONFIG)
    assert given.decision_ms("29") == 2150
    assert given.effect_ms(COURSES["29"], effects.ENABLE) < 2150 + 20 + 200
    assert given.effect_ms(COURSES["29"], effects.HORN) < 2150 + 20 + 300
    monkeypatch.setattr(limits.Limits, "_chain_ms", lambda *_: 60_000)
    expected_ms = {effects.ENABLE: 2370, effects.POWER: 2370, effects.OPENED: 4670}
    assert {name: given.effect_ms(COURSES["29"], name) for name in expected_ms} == expected_ms
    assert given.effect_ms(COURSES["29"], effects.HORN) == 2470
    monkeypatch.setattr(design, "process_safety_ms", lambda _: 4000)
    assert given.effect_ms(COURSES["29"], effects.OPENED) == 4000
    assert given.effect_ms(COURSES["29"], effects.HORN) == 2470


def test_a_shorter_debounce_may_trip_no_sooner():
    words = {stage: each._replace(set_ticks=1) for stage, each in WORDS.items()}
    given = limits.Limits(dataclasses.replace(CONFIG, stage_words=words))
    assert given.earliest_ms("29", ()) == limits.Limits(CONFIG).earliest_ms("29", ()) == 1980


@cases("""stood lines
    ["12b"]  [] | ["12b", "49"]  [CURRENT] | ["29 rack 1"]  [CURRENT] | ["12a", "1a"]  [CURRENT]
    ["37a rack 1"]  []""")
def test_row_12_alone_lets_nothing_open_under_current(stood, lines):
    tripped = [(each, 1) for each in stood]
    result = watch.Result("12b", 0.0, 0.0, 0.0, {}, [], {}, {}, tripped, [CURRENT])
    assert verdict.asked_for(result) == lines


@cases("""label stood words
    "1a"  ["1a"]  "" | "1a"  []  "" | "1a"  ["1b rack 2"]  ""
    "1a"  ["1a rack 1"]  "stage 1a trips for the rack 1, not a cabinet"
    "29"  ["29 rack 1", "29 rack 2"]  ""
    "29"  ["29"]  "stage 29 trips for the cabinet, not a rack"
    "29"  ["29 rack 2"]  "stage 29 trips for rack 2, not for rack 1"
    "40c"  ["40c rack 3"]  "stage 40c trips for rack 3, not for rack 1"
    "35b"  ["35b rack 3"]  "" | "41a"  ["41a unit 1"]  "" """)
def test_a_stage_trips_where_its_cause_is(label, stood, words):
    result = watch.Result(label, 0.0, 0.0, 0.0, {}, [], {}, {}, [(each, 1) for each in stood], [])
    assert "; ".join(verdict._elsewhere(COURSES[label], result)) == words


SILENT = {"device": "io_1", "fault": "silent"}
TOLD_WRONG = {"device": "bms_1", "fault": "overrides"}


@pytest.mark.parametrize(
    "each, undone",
    [
        (do("estop_channel", channel=1), do("estop_release")),
        (do("contact", name="heat", closed=False), do("contact_repair", name="heat")),
        (do("cool", rack=1, degC=-5), do("heat", rack=1, degC=25.0, rate_K_per_s=0)),
        (do("device_fault", **SILENT), do("device_fault", **SILENT, value=False)),
        (
            do("device_fault", **TOLD_WRONG, value={"a": 1}),
            do("device_fault", **TOLD_WRONG, value={}),
        ),
        (do("smoke", detector=1), do("smoke", detector=1, on=False)),
        (do("door"), do("door", open=False)),
        (do("controller_kill"), None),
        (do("reset", 15.0), None),
    ],
)
def test_actions_that_remove_a_cause(each, undone):
    assert latch.undone(each) == undone


def test_a_cause_inside_the_controller_is_not_taken_away():
    assert latch.freed(None, COURSES["44a"]) == {}
