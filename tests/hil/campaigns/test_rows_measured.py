"""python -m hil rows: a sample of its courses is met, each can fail, and every stage has one."""

import dataclasses
import json
import re

import pytest
from cabinet_bench import believed

from controller.config import configuration, time_chain
from controller.documents import hazard_log
from controller.forms import reading
from controller.rows.records import BY_ID as STAGES
from hil.__main__ import main
from hil.campaigns.rows import command, effects, measured, page, play, start, verdict, watch
from hil.campaigns.rows.command import EXAMPLE
from hil.campaigns.rows.course import do
from hil.campaigns.rows.courses import COURSES, EVERY, STOPPED
from hil.campaigns.rows.inside import INSIDE
from hil.campaigns.rows.limits import Limits
from hil.engine import forks
from hil.scenarios import faults
from safety import matrix as m, parameters as p
from safety.kernel import Kernel
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE)
LIMITS = Limits(CONFIG)
# Some of each kind of source and of effect; the first few wait for little.
QUICK = ["1a", "12b", "29", "41a", *STOPPED]
SAMPLE = """
2, 4, 10b, 21a, 36, 40c, 44b, 44d, 47a, 49, 51, 10b rate, 23b rate, 49 io_1, 51 contact, 51 silent
""".strip().split(", ")
slow = pytest.mark.slow
RUNNING = {}
DEMANDED = effects.demanded("29")
GOOD = watch.Result("29", 0.0, 2020.0, 2021.0, dict.fromkeys(DEMANDED, 2040.0), [], {}, {}, [], [])


@pytest.fixture(autouse=True)
def shared_starts(monkeypatch):
    """Each start is made once: fork before a change of its cabinet."""
    plain = start.started

    def started(config, each, less=(), seed=1):
        key = (id(config), start.start_key(each), less, seed)
        # the config is kept, or another one could get its id
        RUNNING[key] = RUNNING.get(key) or (plain(config, each, less, seed), config)
        return RUNNING[key][0]

    monkeypatch.setattr(start, "started", started)


def result_of(each, settings=CONFIG):
    rig = start.started(settings, each)
    (result,) = forks.values([None], lambda _: play.measured(rig, each, LIMITS), 1)
    return result, play.wanted(each, rig.cabinet.devices)


def found(label, *before):
    each = COURSES[label]._replace(before=COURSES[label].before + before)
    result, wanted = result_of(each)
    return verdict.complaints(each, result, LIMITS, wanted)


def test_every_stage_has_a_course():
    assert {each.stage for each in COURSES.values()} == set(STAGES) <= COURSES.keys()
    assert list(STOPPED) == [f"{row} stopped" for row in (1, 2, 3, 12, 30, 44)]
    assert {label for label, each in COURSES.items() if each.is_inside} == {
        *"44a 44e 44f 50c 50d".split()
    }
    about_rates = set()
    for stage, row in STAGES.items():
        parts = time_chain.decision(CONFIG, LIMITS.schedule, row)
        about_rates |= {stage for part in parts if part.what == "once a second"}
    assert {each.stage for label, each in COURSES.items() if label.endswith(" rate")} == about_rates


def test_every_action_exists_and_comes_in_order():
    for label, each in EVERY.items():
        for action in each.at_start + each.before + each.cause + each.repair:
            if action.do not in INSIDE:
                reading.read(label, (), action.arguments, faults.ACTIONS[action.do][0])
        times_s = [action.at_s for action in each.cause]
        assert times_s and times_s == sorted(times_s)
        assert not each.is_inside or times_s == [0.0]


def played(labels, work):
    found = forks.values(labels, work, forks.cores())
    return [verdict.Outcome.of(each, EVERY) for each in found]


@pytest.mark.parametrize(
    "labels", [pytest.param(QUICK, marks=pytest.mark.whole), pytest.param(SAMPLE, marks=slow)]
)
def test_a_sample_is_met(labels):
    rows = played(play.ordered(labels), play.work(LIMITS, labels))
    assert sorted(row.course.label for row in rows) == sorted(labels)
    assert [(row.course.label, row.complaints) for row in rows if not row.is_met] == []
    kept = json.loads(hazard_log.MEASURED.read_text(encoding="ascii"))
    assert [measured.figures(row) for row in rows] == [kept[row.course.label] for row in rows]
    table = [line.split(" | ") for line in page.page(rows, LIMITS).splitlines() if "yes |" in line]
    named = [label for label in COURSES if label in labels]
    assert [cells[1] for cells in table][: len(named)] == named and len(table) == len(labels)


@pytest.mark.parametrize("labels", [["46c start"], pytest.param(SAMPLE[::2], marks=slow)])
def test_no_course_is_met_with_its_stage_not_armed(labels):
    rows = played(labels, play.work(LIMITS, (), disarmed=True))
    first = {row.course.label: row.complaints[0] for row in rows}
    assert first == {label: f"stage {COURSES[label].stage} did not trip" for label in labels}


@slow
@cases("""label changed comes
    "1c"  {}  False | "1c"  {"alone": ()}  True | "44c"  {}  False""")
def test_a_course_shows_its_own_stage(label, changed, comes):
    """Its stage alone not armed. 1b would do 1c's work; after a restart it would start."""
    each = COURSES[label]._replace(**changed)
    rig = start.started(CONFIG, each, (each.stage,))
    result, wanted = play.measured(rig, each, LIMITS), play.wanted(each, rig.cabinet.devices)
    assert result.stands_ms is None
    assert verdict.comes_anyway(each, result, LIMITS, wanted) == comes


def holding(held_ms):
    image = CONFIG.safety_image[:]
    image[CONFIG.image_map().cabinet + p.P_AGENT_HOLD_OFF_MS] = held_ms
    cabinet = CONFIG.cabinet | {"agent_hold_off_ms": held_ms}
    return Limits(dataclasses.replace(CONFIG, safety_image=image, cabinet=cabinet))


@pytest.mark.whole
def test_the_fan_waits_for_the_agent():
    result, wanted = result_of(COURSES["3"])
    at_once = verdict.judged(COURSES["3"], result, LIMITS, wanted)
    (waits,) = played(["3"], play.work(holding(4000), ["3"]))
    for row, held_ms in ((at_once, 0), (waits, 4000)):
        waited_ms = row.result.since_ms[effects.FAN] - row.result.stands_ms
        assert row.is_met and held_ms <= waited_ms <= held_ms + 200
    early = r"fan \d+ ms after its stage, too early: it waits 2000 ms"
    late = r"fan after 4.*, later than .*"
    for row, limits, words in ((at_once, holding(2000), early), (waits, LIMITS, late)):
        (line,) = verdict.complaints(row.course, row.result, limits, row.wanted)
        assert re.fullmatch(words, line)


@pytest.mark.parametrize("coil, words", [("2", "horn"), ("0", "PCS enable off")])
def test_an_effect_that_does_not_come_is_found(coil, words):
    stuck = do("device_fault", device="io_1", fault="coils_stuck", value={coil: int(coil == "0")})
    complaints = found("1a", stuck)
    assert f"{words} did not come" in complaints and (len(complaints) == 1 or coil == "0")


def test_an_effect_that_nothing_asks_for_is_found(monkeypatch):
    """The fan's coil falls off with the stop: an emergency stop does not ask for the fan."""

    class Stuck(effects.Witness):
        def see(self, now_us, allowed):
            if not self._plant.relays.pcs_enable:
                self._plant.set_coil("fan_off", False)
            super().see(now_us, allowed)

    monkeypatch.setattr(effects, "Witness", Stuck)
    assert found("1a") == ["fan after 40 ms, which no active row demands"]


def test_a_stop_that_nothing_asks_for_is_found(monkeypatch):
    """Row 43d is a lamp alone: a kernel that takes power to zero as well does too much."""
    plain = Kernel._combine_anew

    def ramps_too(kernel, evaluator):
        plain(kernel, evaluator)
        if any(kernel.standing):
            kernel.unit_demand[m.D_PCS] = max(kernel.unit_demand[m.D_PCS], m.PCS_RAMP)

    monkeypatch.setattr(Kernel, "_combine_anew", ramps_too)
    (complaint,) = found("43d")
    assert re.fullmatch(r"power zero after [\d.]+ ms, which no active row demands", complaint)


def test_a_converter_that_hears_nothing_may_stop_before_its_row():
    """Its set-point expires on a second of its own clock, here after 1 to 2 s without a write."""
    quick = believed(configuration.load(EXAMPLE))
    quick.topology.device("pcs", 0).profile.settings["reversion_s"] = 2
    each = COURSES["41a"]._replace(before=(do("bridge_chain"),))
    result, _ = result_of(each, quick)
    assert result.since_ms[effects.POWER] < result.stands_ms and result.unwanted == {}


@pytest.mark.parametrize("offset_V, power_kW", [(-0.6, 200.0), (0.4, -200.0)])
def test_the_end_of_the_cells_is_known_before_their_bms_looks(offset_V, power_kW):
    """It looks ten times a second; a controller that knows the cell before may stop."""
    plant = start.started(CONFIG, COURSES["46c start"]).plant
    plant.racks[1].offset_cell(offset_V)
    assert min(plant.racks[1].charge_limit_A, plant.racks[1].discharge_limit_A) > 0
    assert effects.racks_allow_none(plant, power_kW)
    assert not effects.racks_allow_none(plant, -power_kW)
    plant.racks[1].offset_cell(0.0, 0, 0)
    assert not effects.racks_allow_none(plant, power_kW)


CURRENT = "26.140 s: rack 1 opened at 87.4 A"
FLOWS = "3.000 s: 9 kW flow although the PCS enable is off"
STOOD = [("29 rack 1", 2020.0)]


MUTE = GOOD.since_ms | {effects.HORN: None}
TARDY = GOOD.since_ms | {effects.HORN: 2171.0, effects.LAMP: None}


@cases("""changed words
    {}  "" | {"stands_ms": 1980.0}  "" | {"lag_ms": 500.0, "stands_ms": 2480.0}  ""
    {"stands_ms": 1960.0}  "tripped after 1960 ms, too early: not before 1980 ms"
    {"stands_ms": 2200.0}  "trip after 2200 ms, later than 2122 ms"
    {"lag_ms": None}  "stage 29 did not trip" | {"permit_ms": None}  "permit byte did not come"
    {"permit_ms": 2200.0}  "permit byte after 2200 ms, later than 2130 ms"
    {"permit_ms": None, "at_first": [effects.ENABLE]}  ""
    {"permit_ms": None, "since_ms": dict.fromkeys(DEMANDED, -40.0)}  ""
    {"unwanted": {"fan": 40.0}}  "fan after 40 ms, which no active row demands"
    {"after": {"no closing": False}}  "no closing does not hold"
    {"violations": [CURRENT]}  CURRENT | {"violations": [CURRENT], "stood": STOOD}  ""
    {"violations": [FLOWS], "stood": STOOD}  FLOWS
    {"since_ms": TARDY}  "horn after 2171 ms, later than 2170 ms; lamp did not come"
    {"stands_ms": None, "since_ms": MUTE}  "stage 29 did not trip; horn did not come" """)
def test_each_fault_is_a_line(changed, words):
    complaints = verdict.complaints(COURSES["29"], GOOD._replace(**changed), LIMITS, DEMANDED)
    assert "; ".join(complaints) == words


@cases("""changed comes
    {}  True | {"since_ms": MUTE}  False | {"after": {"no closing": False}}  False
    {"lag_ms": None}  True""")
def test_an_effect_without_its_stage_is_found(monkeypatch, capsys, changed, comes):
    each, result = COURSES["29"], GOOD._replace(stands_ms=None, **changed)
    row = verdict.judged(each, result, LIMITS, DEMANDED)
    monkeypatch.setattr(command.play, "work", lambda *order: lambda label: row.plain())
    monkeypatch.setattr(command.realtime, "freeze_collector", lambda: None)
    assert main(["rows", "--disarmed", "--only", "29"]) == int(comes)
    assert f"{int(not comes)} of 1 found not met" in capsys.readouterr().out
    assert not verdict.comes_anyway(each._replace(behind=True), result, LIMITS, DEMANDED)
    assert changed or not verdict.comes_anyway(COURSES["27"], result, LIMITS, ())


def test_figures_for_the_hazard_log(monkeypatch, tmp_path):
    """Times count from the sensor on; energy first, else the slowest effect; others stay."""
    kept = tmp_path / "measured.json"
    kept.write_text('{"12b": 1, "29": 2}')
    monkeypatch.setattr(measured, "MEASURED", kept)
    row = verdict.judged(COURSES["29"], GOOD._replace(lag_ms=20.0), LIMITS, DEMANDED)
    measured.keep([row])
    found = json.loads(kept.read_text())
    numbers = hazard_log.numbers(STAGES["29"])
    assert list(found) == ["12b", "29"] and found["12b"] == 1
    times = {"active_ms": 2000, "off_ms": 2020, "off": "contactors open", "met": True}
    assert found["29"] == {"stage": "29", "numbers": numbers, **times}


@cases("""since off off_ms
    {"power zero": 60.0, "horn": 90.0}  "power zero"  60 | {"horn": 90.0, "lamp": 70.0}  "horn"  90
    {"horn": -90.0}  "active"  40 | {"power zero": -60.0}  "power zero"  0
    {"horn": None}  "active"  40 | {"power zero": None}  "power zero"  None""")
def test_which_effect_a_figure_is_of(since, off, off_ms):
    row = verdict.Outcome(COURSES["29"], GOOD._replace(stands_ms=40.0, since_ms=since), (), [])
    found = measured.figures(row)
    assert (found["off"], found["off_ms"]) == (off, off_ms)


@pytest.mark.parametrize("name", ["1 stopped", "44 stopped"])
def test_a_late_relay_with_the_controller_stopped_is_found(name):
    each, wanted = STOPPED[name], play.wanted(STOPPED[name], {})
    allowed = LIMITS.stopped_ms(wanted)
    good = GOOD._replace(stands_ms=None, since_ms={key: high for key, (_, high) in allowed.items()})

    def count(**changed):
        return len(verdict.complaints(each, good._replace(**changed), LIMITS, wanted))

    assert count() == 0 and count(stands_ms=40.0) == count(lag_ms=None) == 1
    for key, (low, high) in allowed.items():
        for wrong_ms in (high + 1, low - 1, None):
            assert count(since_ms=good.since_ms | {key: wrong_ms}) == 1


@pytest.mark.parametrize("name", ["1 stopped", pytest.param("30 stopped", marks=slow)])
def test_with_the_controller_stopped_nothing_acts_but_the_cause(name):
    """The modules' expiry is broken: the permit stays; converter and racks act far too late."""
    each = STOPPED[name]
    killed = tuple(action for action in each.cause if action.do == "controller_kill")
    calm = each._replace(cause=killed, seen=None)
    result, wanted = result_of(calm)
    assert len(verdict.complaints(calm, result, LIMITS, wanted)) == len(play.WIRED)
    assert result.since_ms[effects.ENABLE] is None
    for effect in (effects.POWER, effects.OPENED):
        assert result.since_ms[effect] > 2 * LIMITS.stopped_ms(wanted)[effect][1]


def test_every_effect_is_demanded_by_some_stage():
    every = {name for stage in STAGES for name in effects.demanded(stage)}
    assert every == {*effects.DISCRETE, *effects.LIMITED}
    assert effects.demanded("27") == [] and effects.demanded("48a") == [effects.POWER]


@pytest.mark.whole
def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command.realtime, "freeze_collector", lambda: None)
    out, table = tmp_path / "rows.json", tmp_path / "rows.md"
    assert main(["rows", "--only", "46c start", "--json", str(out), "--md", str(table)]) == 0
    assert "1 of 1 met" in capsys.readouterr().out
    (one,) = json.loads(out.read_text(encoding="ascii"))["courses"]
    assert one["met"] and one["stage"] == "46c" and one["after"] == {"no closing": True}
    words = "| 46 | 46c start | run_request (before: supervision_lost) | a start |"
    assert words in table.read_text(encoding="ascii")
