"""Benchmarks on the rig: presses of the E-stop, reactions from a timeline, growth of memory."""

from array import array
from contextlib import nullcontext
from unittest.mock import Mock

import pytest

from controller.config import bus_times, configuration
from hil.campaigns import order
from hil.campaigns.benchmarks import hint, rig, stop
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.engine import rig as engine_rig
from hil.engine.simulate import VirtualRig
from hil.observer.beats import SETPOINT
from hil.scenarios import scenario
from tests.tables import cases, table

CONFIG = configuration.load(order.EXAMPLE)


def presses(count, seed, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(stop.scenario_text(count, seed))
    return scenario.load(str(path))


@pytest.mark.parametrize("count", [1, 2, 200])
def test_every_press_has_its_release_and_its_reset(tmp_path, count):
    chosen = presses(count, 7, tmp_path)
    done = [action.do for action in chosen.actions]
    turns = "estop_press estop_release key reset key run_request".split()
    assert done == ["bridge_chain"] + count * turns
    assert chosen.duration_s * 1e6 > chosen.actions[-1].at_us


def test_presses_meet_every_phase_of_the_tick(tmp_path):
    chosen = presses(200, 1, tmp_path)
    at_us = [action.at_us for action in chosen.actions if action.do == "estop_press"]
    assert {time_us % 20_000 // 1000 for time_us in at_us} == set(range(20))
    assert presses(200, 1, tmp_path) == chosen != presses(200, 2, tmp_path)


@pytest.mark.whole
def test_two_presses_in_virtual_time_are_two_reactions(tmp_path):
    """The cabinet is back before each press; the program alone drops the permit."""
    chosen = presses(2, 3, tmp_path)
    virtual = VirtualRig(CONFIG, lambda t_s: 300_000.0, 3, chosen.actions, {"soc": 0.55})
    virtual.run(chosen.duration_s)
    timeline = [[time_us / 1e6, *rest] for time_us, *rest in virtual.observer.result()]
    stops = stop.reactions_ms(timeline)
    assert {name: len(stops[name]) for name in stops} == {"permit": 2, "relay": 2, "pcs_frame": 2}
    figures = stop._figures(stops, CONFIG, Cyclictest())
    worst_ms = next(each["value"] for each in figures if "worst case" in each["what"])
    assert all(0 < value <= worst_ms for value in stops["permit"])


SENT_NS = 5_990_000_000
REST = [(20_000 * number, -200) for number in range(50)]


@cases("""then at_ns sign delay_us
    [(1_000_000, 300)]  SENT_NS  1  10_000 | [(1_000_000, 100)]  SENT_NS  1  10_000
    [(1_000_000, 99), (1_020_000, 100)]  SENT_NS  1  30_000
    [(1_000_000, -500)]  SENT_NS  -1  10_000 | [(1_000_000, -500)]  SENT_NS  1  None
    [(1_000_000, -200), (1_020_000, 0)]  SENT_NS  1  None
    [(1_990_000, 300)]  SENT_NS  1  1_000_000 | [(1_990_001, 300)]  SENT_NS  1  None
    []  4_999_999_000  1  None  # before any set-point
    []  9_000_000_000  1  None  # after the last""")
def test_the_answer_to_a_hint_is_the_first_set_point_that_moved(then, at_ns, sign, delay_us):
    times_us, values_W = zip(*REST, *then)
    beats = {SETPOINT: array("q", times_us).tobytes()}
    content = {"beats": beats, "setpoints_W": array("q", values_W).tobytes()}
    assert hint.delays_us(content | {"start_ns": 5_000_000_000}, [(at_ns, sign)]) == [delay_us]


def test_a_hint_may_need_two_ticks_the_bus_and_the_frame():
    """115200 Bd: after the longest exchange, 21 characters less the 8 of the reply leave."""
    exchanges = bus_times.schedule(CONFIG)["pcs"]
    frame_us = 13 * 10 * 1e6 / 115_200
    allowed_us = 40_000 + max([exchange.time_us for exchange in exchanges]) + frame_us
    assert hint.allowed_us(CONFIG) == pytest.approx(allowed_us, abs=2)


EVENTS = {"press": "estop_press", "off": "pcs_enable_off_sent", "on": "pcs_enable_on_sent"}


@cases("""timeline permit_ms
    "1 on, 2 press, 2.025 off"  [25.0] | "1 on, 2 press, 2.025 off, 11 press"  [25.0]
    "1 on, 2 press, 2.025 off, 9 on, 11 press, 11.0305 off"  [25.0, 30.5]
    "2 press, 2.025 off"  []  # no permit was given: nothing to take away
    "1 on, 2 press, 11 press, 11.03 off"  [None, 30.0] | "1 on, 2 press"  [None]
    "1 on, 1.5 off, 1.7 on, 2 press, 2.02 off"  [20.0]
    "1 on, 2 press, 2.025 off, 2.5 on, 2.6 off"  [25.0]  # only the first is the answer""")
def test_a_reaction_is_from_a_press_to_the_first_effect_before_the_next(timeline, permit_ms):
    events = [word.split() for word in timeline.split(", ")]
    found = stop.reactions_ms([(float(at_s), EVENTS[name], "") for at_s, name in events])
    assert found["permit"] == permit_ms


def test_presses_without_an_effect_are_reported_without_a_figure():
    stops = {"permit": [25.0, None], "relay": [None, None], "pcs_frame": []}
    assert stop._not_answered(stops, 3) == [
        "1 presses came while no permit was given and do not count",
        "1 presses had no permit effect",
        "2 presses had no relay effect",
    ]
    assert stop._not_answered({"permit": [25.0]}, 1) == []
    figures = {each["what"]: each for each in stop._figures(stops, CONFIG, Cyclictest())}
    assert figures["E-stop, press to the last byte of the permit, p99 of 1"]["met"] is True
    assert figures["presses without the effect on the permit"]["value"] == 1
    assert not [what for what in figures if "stop frame" in what or "relay of" in what]


def test_another_trip_is_named_once_with_its_first_time():
    stood = """1 | 1a | cabinet | 8.0 ; 37 | 37b | cabinet | 90.4
        37 | 37b | cabinet | 120 ; 29 | 29 | rack2 | 95"""
    trips = [dict(zip(("row", "stage", "scope", "t_s"), row)) for row in table(stood)]
    assert stop._other_trips(trips) == ["also tripped: 37b (cabinet) at 90 s, 29 (rack2) at 95 s"]
    assert stop._other_trips(trips[:1]) == []


def samples(minutes, kB_per_s):
    times_s = [5.0 * number for number in range(minutes * 12 + 1)]
    return [[at_s, 100_000, 40_000 + at_s * kB_per_s] for at_s in times_s]


@pytest.mark.parametrize("kB_per_s", [0, 1, 10])
def test_growth_is_counted_per_hour_after_the_start(kB_per_s):
    figures = {each["what"]: each["value"] for each in rig.memory_figures(samples(20, kB_per_s))}
    assert figures["the same as kB an hour"] == 3600 * kB_per_s
    assert figures["memory of the controller, over 20 minutes, all resident, most"] == 97.7


def test_the_memory_of_the_start_does_not_count():
    jump = [[at_s, rss, 1_000 if at_s < 60 else own] for at_s, rss, own in samples(10, 0)]
    assert rig.memory_figures(jump)[-1]["value"] == 0
    assert [len(rig.memory_figures(samples(minutes, 1))) for minutes in (2, 3)] == [0, 4]


def test_a_speed_is_that_of_the_quickest_round_by_each_clock():
    clock, core = rig._speeds("x", 300.0, [(6.0, 2.9), (4.0, 3.0), (5.0, 2.5)])
    assert (clock["value"], clock["met"]) == (75.0, True)
    assert (core["value"], core["budget"]) == (120.0, None)
    assert rig._total([(1.0, 0.5), (2.0, 1.5)]) == (3.0, 2.0)


def test_the_priority_comes_from_the_controllers_message():
    for said, priority in (
        ((), "SCHED_FIFO 49, memory locked"),
        (("no real-time priority", "memory is not locked"), "ordinary priority, memory not locked"),
    ):
        assert order.priority({"controller_messages": said}) == priority


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_run_is_played_and_half_a_run_is_not_taken_for_a_whole_one(monkeypatch, interrupted):
    made, seen = Mock(), []
    made.return_value.run = lambda show: show("a view")
    made.return_value.outcome.return_value.doc = {"interrupted": interrupted}
    monkeypatch.setattr(engine_rig, "Rig", made)
    monkeypatch.setattr(order, "recorded", lambda folder: "content")
    text = hint.SCENARIO.format(duration_s=30)
    refused = pytest.raises(KeyboardInterrupt) if interrupted else nullcontext()
    with refused:
        found = order.played(CONFIG, 30, 7, lambda *given: seen.append(given), text, beats=True)
        assert found == ({"interrupted": False}, "content", None)
    ((given, chosen, _), _) = made.call_args
    assert given["scenario"].endswith("run.toml") and given["beats"] and chosen.duration_s == 30
    assert seen == [(made.return_value, "a view")]
    assert [each[0] for each in made.return_value.method_calls] == ["start", "stop", "outcome"]
