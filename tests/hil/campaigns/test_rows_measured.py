"""python -m hil rows: a sample of its courses is met, each can fail, and no stage of the matrix is
without a course.
"""

import dataclasses
import json
import re

import pytest

from controller.site import config as configs
from controller.site import time_chain
from hil import forks
from hil.__main__ import main
from hil.campaigns.rows import (
    campaign,
    command,
    course,
    effects,
    page,
    start,
    stopped,
    verdict,
    watch,
)
from hil.campaigns.rows.command import EXAMPLE
from hil.campaigns.rows.courses import COURSES, STAGES, do
from hil.campaigns.rows.inside import INSIDE
from hil.campaigns.rows.limits import Limits
from hil.scenarios import faults, scenario
from safety import matrix as m
from safety import parameters as p
from safety.kernel import Kernel

CONFIG = configs.load(str(EXAMPLE))
LIMITS = Limits(CONFIG)
# Of each kind of source and of each kind of effect some; the first few wait for little.
QUICK = ["1a", "12b", "29", "41a", "46c start", *stopped.STOPPED]
SAMPLE = ["2", "4", "10b", "21a", "36", "40c", "44b", "44d", "47", "49", "51"] + [
    "10b rate",
    "23b rate",
    "49 io_1",
    "51 contact",
    "51 silent",
]
DISARMED = ["46c start"]
slow = pytest.mark.slow


RUNNING = {}


def running(each):
    """A cabinet that runs as the course wants it; whoever changes it forks first."""
    key = start.start_key(each)
    if key not in RUNNING:
        RUNNING[key] = start.started(CONFIG, each)
    return RUNNING[key]


def forked(work):
    """What work() returns in a process of its own."""
    (value,) = forks.values([None], lambda _: work(), 1)
    return value


def result_of(each):
    """(the Result of a course on a cabinet that runs, what must come)."""

    rig = running(each)
    must_come = course.wanted(each, rig.cabinet.devices)
    return forked(lambda: course.measured(rig, each, LIMITS)), must_come


def found(label, *before):
    """Complaints about a course with something done to the cabinet before it."""
    each = COURSES[label]._replace(before=COURSES[label].before + before)
    result, names = result_of(each)
    return verdict.complaints(each, result, LIMITS, names)


def test_no_stage_is_without_a_course():
    assert {each.stage for each in COURSES.values()} == set(STAGES)
    assert {label.partition(" ")[0] for label in stopped.STOPPED} == {"1", "12", "30", "44"}


@pytest.mark.parametrize("label", campaign.EVERY)
def test_every_action_is_one_that_there_is(label):
    each = campaign.EVERY[label]
    for action in each.at_start + each.before + each.cause + each.repair:
        if action.do not in INSIDE:
            scenario.checked(action.arguments, faults.ACTIONS[action.do][0], label)
    assert each.cause and list(each.cause) == sorted(each.cause, key=lambda action: action.at_s)


def test_a_row_about_a_rate_has_a_course_at_its_own():
    """A jump passes none of its window: 23b stood 2.5 s after one and 5.4 s after a rise, with 4.6
    s allowed.
    """
    about_rates = {
        stage
        for stage in STAGES
        if "once a second"
        in {part.what for part in time_chain.decision(CONFIG, LIMITS.schedule, STAGES[stage])}
    }
    assert {each.stage for label, each in COURSES.items() if label.endswith(" rate")} == about_rates


def test_what_is_inside_says_so():
    assert {label for label, each in COURSES.items() if each.is_inside} == {"44a", "44e", "44f"}


@pytest.mark.parametrize("labels", [QUICK, pytest.param(SAMPLE, marks=slow)])
def test_the_sample_is_met_with_the_controller_and_without(labels):
    rows = list(campaign.run(CONFIG, labels, forks.cores()))
    assert sorted(row.course.label for row in rows) == sorted(labels)
    assert [(row.course.label, row.complaints) for row in rows if not row.is_met] == []
    rows.sort(key=lambda row: row.course.label)
    table = [line.split(" | ") for line in page.page(rows, LIMITS).splitlines() if "yes |" in line]
    named = [row.course.label for row in rows if row.course.label in COURSES]
    named.sort(key=lambda label: (STAGES[COURSES[label].stage][m.S_ROW], label))
    assert [cells[1] for cells in table][: len(named)] == named and len(table) == len(labels)


@pytest.mark.parametrize("labels", [DISARMED, pytest.param(SAMPLE[::2], marks=slow)])
def test_with_its_stage_not_armed_no_course_is_met(labels):
    rows = list(campaign.run(CONFIG, labels, forks.cores(), disarmed=True))
    assert len(rows) == len(labels)
    for row in rows:
        assert row.complaints[0] == f"stage {row.course.stage} did not trip"


@pytest.mark.slow
@pytest.mark.parametrize(
    "label, changed, comes", [("1c", {}, False), ("1c", {"alone": ()}, True), ("44c", {}, False)]
)
def test_what_a_course_shows_is_its_own_stages_doing(label, changed, comes):
    """Its stage alone not armed: 1b would do 1c's work, 23a that of 23b; after a restart it would
    start by itself.
    """
    each = COURSES[label]._replace(**changed)
    cabinet = start.started(CONFIG, each, (each.stage,))
    result = course.measured(cabinet, each, LIMITS)
    must_come = course.wanted(each, cabinet.cabinet.devices)
    assert (
        result.stands_ms is None and verdict.comes_anyway(each, result, LIMITS, must_come) == comes
    )


def holding(held_ms):
    """The example site with a fan that waits for the agent."""
    image = CONFIG.safety_image[:]
    image[CONFIG.image_map().cabinet + p.P_AGENT_HOLD_OFF_MS] = held_ms
    return dataclasses.replace(
        CONFIG, safety_image=image, cabinet=CONFIG.cabinet | {"agent_hold_off_ms": held_ms}
    )


def test_a_fan_waits_for_the_agent_as_its_site_says():
    """And is found when the program was told of no hold-off, its limits of one; and vice versa."""
    result, names = result_of(COURSES["3"])
    complaints = verdict.complaints(COURSES["3"], result, LIMITS, names)
    at_once = campaign.Row(COURSES["3"], result, names, complaints)
    (waits,) = campaign.run(holding(4000), ["3"], 1)
    for row, held_ms in ((at_once, 0), (waits, 4000)):
        assert row.complaints == []
        waited_ms = row.result.since_ms[effects.FAN] - row.result.stands_ms
        assert held_ms <= waited_ms <= held_ms + 200
    for row, limits, words in (
        (
            at_once,
            Limits(holding(2000)),
            r"fan \d+ ms after its stage, too early: it waits 2000 ms",
        ),
        (waits, LIMITS, r"fan after 4.*, later than .*"),
    ):
        (line,) = verdict.complaints(row.course, row.result, limits, row.wanted)
        assert re.fullmatch(words, line)


def test_an_effect_that_does_not_come_is_found():
    assert found("1a", do("device_fault", device="io_1", fault="coils_stuck", value={"2": 0})) == [
        "horn did not come"
    ]


def test_an_effect_that_nothing_asks_for_is_found():
    """The fan's coil falls off with the stop: the fan runs, which an emergency stop does not ask
    for.
    """

    class Stuck(effects.Witness):
        def see(self, now_us, allowed):
            if not self._plant.relays.pcs_enable:
                self._plant.set_coil("fan_off", False)
            super().see(now_us, allowed)

    plain, effects.Witness = effects.Witness, Stuck
    try:
        complaints = found("1a")
    finally:
        effects.Witness = plain
    assert complaints == ["fan after 40 ms, which nothing asks for"]


def test_a_stop_that_nothing_asks_for_is_found(monkeypatch):
    """Row 18 is a lamp alone: a kernel that takes power to zero as well does too much."""
    plain = Kernel._combine_anew

    def ramps_too(kernel, evaluator):
        plain(kernel, evaluator)
        if kernel.standing[0]:
            kernel.unit_demand[m.D_PCS] = max(kernel.unit_demand[m.D_PCS], m.PCS_RAMP)

    monkeypatch.setattr(Kernel, "_combine_anew", ramps_too)
    (complaint,) = found("18a")
    assert complaint.startswith("power zero after ") and complaint.endswith(
        " ms, which nothing asks for"
    )


def test_a_converter_that_hears_nothing_may_stop_before_its_row():
    """Its set-point expires on a second of its own clock: at another phase that is sooner than row
    41 stands.
    """
    each = COURSES["41a"]._replace(settle_s=0.4, before=(do("bridge_chain"),))
    result, _ = result_of(each)
    assert result.since_ms[effects.POWER] < result.stands_ms and result.unwanted == {}


def test_a_permit_that_stays_is_found():
    complaints = found("1a", do("device_fault", device="io_1", fault="coils_stuck", value={"0": 1}))
    assert "PCS enable off did not come" in complaints


def made(label="29", **changed):
    """Complaints about a made-up result that is all right but for what is changed."""
    each = COURSES[label]
    names = effects.demanded(STAGES[each.stage])
    good = watch.Result(
        label, 0.0, 2020.0, 2021.0, dict.fromkeys(names, 2040.0), set(), {}, {}, [], []
    )
    return verdict.complaints(each, good._replace(**changed), LIMITS, names)


@pytest.mark.parametrize(
    "offset_V, power_kW, is_none",
    [
        (-0.6, 200.0, True),
        (-0.6, -200.0, False),
        (0.4, -200.0, True),
        (0.4, 200.0, False),
        (0.0, 200.0, False),
        (0.0, -200.0, False),
    ],
)
def test_what_follows_from_the_cells_is_known_before_their_bms_has_looked(
    offset_V, power_kW, is_none
):
    """The BMS looks ten times a second; a controller that heard of the cell in between was said to
    stop unasked.
    """
    plant = start.started(CONFIG, COURSES["46c start"]).plant
    plant.set_cell_offset(1, offset_V)
    assert min(plant.racks[1].charge_limit_A, plant.racks[1].discharge_limit_A) > 0
    assert effects.racks_allow_none(plant, power_kW) == is_none


@pytest.mark.parametrize(
    "changed, words",
    [
        ({}, []),
        ({"stands_ms": 1960.0}, ["tripped after 1960 ms, too early: not before 1980 ms"]),
        ({"stands_ms": 2200.0}, ["trip after 2200 ms, later than 2122 ms"]),
        ({"lag_ms": 500.0, "stands_ms": 2480.0}, []),
        ({"lag_ms": None}, ["stage 29 did not trip"]),
        ({"permit_ms": 2200.0}, ["permit byte after 2200 ms, later than 2130 ms"]),
        ({"permit_ms": None}, ["permit byte did not come"]),
        ({"permit_ms": None, "at_first": {effects.ENABLE}}, []),
        ({"unwanted": {"fan": 40.0}}, ["fan after 40 ms, which nothing asks for"]),
        ({"after": {"no closing": False}}, ["no closing does not hold"]),
        ({"permit_ms": None, "since_ms": dict.fromkeys(effects.demanded(STAGES["29"]), -40.0)}, []),
        (
            {"violations": ["26.140 s: rack 1 opened at 87.4 A"]},
            ["26.140 s: rack 1 opened at 87.4 A"],
        ),
        (
            {"violations": ["26.140 s: rack 1 opened at 7.4 A"], "stood": [("29 rack 1", 2020.0)]},
            [],
        ),
        (
            {
                "violations": ["3.000 s: 9 kW flow although the PCS enable is off"],
                "stood": [("29 rack 1", 2020.0)],
            },
            ["3.000 s: 9 kW flow although the PCS enable is off"],
        ),
    ],
)
def test_each_thing_that_is_wrong_is_said(changed, words):
    assert made(**changed) == words


def test_what_comes_without_its_stage_is_said(monkeypatch, capsys):
    each, names = COURSES["29"], effects.demanded(STAGES["29"])
    all_come = watch.Result(
        "29", 0.0, None, 2021.0, dict.fromkeys(names, 2040.0), set(), {}, {}, [], []
    )
    one_less = all_come._replace(since_ms=all_come.since_ms | {effects.HORN: None})
    held = all_come._replace(after={"no closing": False})
    assert verdict.complaints(each, one_less, LIMITS, names) == [
        "stage 29 did not trip",
        "horn did not come",
    ]
    for result, comes in (
        (all_come, True),
        (one_less, False),
        (held, False),
        (all_come._replace(lag_ms=None), True),
    ):
        assert verdict.comes_anyway(each, result, LIMITS, names) == comes
        row = campaign.Row(each, result, names, verdict.complaints(each, result, LIMITS, names))
        monkeypatch.setattr(command, "run", lambda *order, row=row: (each for each in [row]))
        assert main(["rows", "--disarmed", "--only", "29"]) == int(comes)
        assert f"{int(not comes)} of 1 found not met" in capsys.readouterr().out
    assert not verdict.comes_anyway(each._replace(behind=True), all_come, LIMITS, names)
    assert not verdict.comes_anyway(COURSES["27"], all_come, LIMITS, ())


def test_a_late_effect_is_said():
    since_ms = dict.fromkeys(effects.demanded(STAGES["29"]), 2040.0) | {
        effects.HORN: 2171.0,
        effects.LAMP: None,
    }
    assert made(since_ms=since_ms) == [
        "horn after 2171 ms, later than 2170 ms",
        "lamp did not come",
    ]


@pytest.mark.parametrize("name", ["1 stopped", "44 stopped"])
def test_a_relay_that_is_too_late_with_the_controller_stopped_is_said(name):
    each = stopped.STOPPED[name]
    allowed = stopped.limits_ms(each, CONFIG)
    since_ms = {key: high for key, (_, high) in allowed.items()}
    good = watch.Result(name, 0.0, None, None, since_ms, set(), {}, {}, [], [])
    assert stopped.complaints(each, good, CONFIG) == []
    for key, (low, high) in allowed.items():
        for wrong in (high + 1, low - 1, None):
            assert (
                len(
                    stopped.complaints(
                        each, good._replace(since_ms=good.since_ms | {key: wrong}), CONFIG
                    )
                )
                == 1
            )
    assert stopped.complaints(each, good._replace(stands_ms=40.0), CONFIG) == [
        "the controller still decided"
    ]


@pytest.mark.parametrize("name", ["1 stopped", "12 stopped", "30 stopped"])
def test_with_the_controller_stopped_nothing_acts_but_the_cause(name):
    """Without it, the modules' expiry broken, the permit stays; converter and racks act by
    themselves, far too late.
    """
    each = stopped.STOPPED[name]
    calm = each._replace(
        cause=tuple([action for action in each.cause if action.do == "controller_kill"]), seen=None
    )
    rig = running(calm)
    result = forked(lambda: stopped.measured(rig, calm))
    assert len(stopped.complaints(calm, result, CONFIG)) == len(stopped.WIRED)
    assert result.since_ms[effects.ENABLE] is None
    for effect in (effects.POWER, effects.OPENED):
        assert result.since_ms[effect] > 2 * stopped.limits_ms(calm, CONFIG)[effect][1]


def test_what_is_demanded_and_can_be_seen():
    every = {name for stage in m.STAGES for name in effects.demanded(stage)}
    assert every == {
        *effects.COILS,
        effects.ENABLE,
        effects.POWER,
        effects.OPENED,
        effects.CHARGE,
        effects.DISCHARGE,
        effects.DERATED,
    }
    assert effects.demanded(STAGES["27"]) == [] and effects.demanded(STAGES["48a"]) == [
        effects.POWER
    ]


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command.realtime, "freeze_collector", lambda: None)
    out, table = tmp_path / "rows.json", tmp_path / "rows.md"
    assert main(["rows", "--only", "46c start", "--json", str(out), "--md", str(table)]) == 0
    assert "1 of 1 met" in capsys.readouterr().out
    (one,) = json.loads(out.read_text(encoding="ascii"))["courses"]
    assert one["met"] and one["stage"] == "46c" and one["after"] == {"no closing": True}
    assert (
        "| 46 | 46c start | run_request (before: supervision_lost) | a start |"
    ) in table.read_text(encoding="ascii")
