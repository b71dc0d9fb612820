"""Courses of a fleet: a clock that drifts, wrong reports, the sum of the shares, the figures."""

import json
from types import SimpleNamespace

import pytest

from controller.core.base import hint_codes as h
from hil.campaigns.fleet import command, pods
from hil.fleet.broker import Faults
from hil.fleet.messages import SOURCE, Messages
from hil.fleet.own_clock import OwnClock
from tests.controller.run.cabinet_bench import CONFIG
from tests.tables import cases

TICK_MS, MINUTE_MS = 100, 60_000


@pytest.fixture
def pod():
    """Two pods before their start, whose messages are neither lost nor late."""
    with pods.built(pods.drawn(2, 1, 1, 600)) as found:
        found.messages = Messages(found.members, pods.LIMIT_W, 0, 1, Faults(0, 0, 1))
        yield found.run(1)


@pytest.mark.parametrize("gained_ms", [-1000, 1000])
def test_a_clock_drifts_evenly_and_then_runs_right(gained_ms):
    ticks = []
    cabinet = SimpleNamespace(tick=lambda now_us, elapsed_ticks: ticks.append(elapsed_ticks))
    rig = SimpleNamespace(
        now_us=0,
        controller=SimpleNamespace(cabinet=cabinet),
        config=SimpleNamespace(tick_ms=TICK_MS),
    )
    own, ahead_ms = OwnClock(rig), []
    own.drift(gained_ms, MINUTE_MS)
    for _ in range(2 * MINUTE_MS // TICK_MS):
        rig.now_us += TICK_MS * 1000
        before = len(ticks)
        cabinet.tick(rig.now_us, 1)
        assert own.has_ticked == (len(ticks) > before)
        assert own.now_ms == sum(ticks) * TICK_MS
        ahead_ms.append(own.now_ms - rig.now_us // 1000)
    assert 0 not in ticks
    assert ahead_ms[299] == gained_ms // 2
    assert ahead_ms[599] == ahead_ms[-1] == gained_ms


def test_the_shares_are_what_the_controllers_have_in_force(pod):
    """A dead one counts with its fallback, because it may start at any time."""
    fallback_W = pod.members[0].config.sources[1].fallback[h.IMPORT_W_MAX]
    assert pod.shares_W == 2 * fallback_W
    first = pod.members[0].controller
    for kind, value_W in ((h.GRID_CAP, 4_000_000), (h.HEARTBEAT, 0)):
        first.hint(SOURCE, kind, h.IMPORT_W_MAX, value_W, 60_000)
    pod.step()
    assert pod.shares_W == 4_000_000 + fallback_W
    first.kill()
    assert pod.shares_W == 2 * fallback_W


def test_a_tick_that_a_slow_controller_leaves_out_answers_no_hint(pod):
    box = pod.messages.boxes["cabinet1"]
    waiting = box._current().pending
    waiting.append("a hint that no tick has taken")
    box.clock.has_ticked = False
    assert box.answers() == [] and waiting


def test_a_liar_changes_its_reports_only(pod):
    box, other = pod.messages.boxes.values()
    pod.run(12)
    true = box._reported
    box.lie = {"load_W": 2, "battery_W": 0}
    lied = {}
    for _ in range(10_000 // TICK_MS):
        pod.step()
        lied = box._reported
        if lied is not true:
            break
    assert true["load_W"] > 5e6 and lied["battery_W"] == 0
    assert lied["load_W"] == pytest.approx(2 * true["load_W"], rel=0.01)
    assert other._reported["load_W"] == pytest.approx(true["load_W"], rel=0.01)
    core = box.rig.controller.cabinet.core
    assert core.control.known.load_meter_W == pytest.approx(true["load_W"], rel=0.01)


@pytest.mark.parametrize("length_s", [60, 1200, 3600])
def test_a_moved_pod_has_stopped_before_it_returns(length_s):
    for number in range(20):
        leaves_s, returns_s, _ = pods.drawn(4, number, 1, length_s).moved
        assert returns_s >= leaves_s + 2 * pods.STOP_S


def seen(grid_W, shares_W=6_000_000, rises_s=(), away_s=()):
    """The figures of one second of a pod whose controller does not run. grid_W: of each tick."""
    member = SimpleNamespace(
        controller=SimpleNamespace(cabinet=None), trips=SimpleNamespace(trips=[])
    )
    site = SimpleNamespace(grid_power_W=0, battery_W=1_000_000)
    one = SimpleNamespace(now_us=0, site=site, members=[member], shares_W=0)

    def step():
        at = one.now_us // 100_000
        one.now_us += 100_000
        one.site.grid_power_W, one.shares_W = grid_W[at], shares_W + at

    one.step = step
    watch = pods.Watch(one, 0, 1, rises_s, away_s)
    while watch.step():
        pass
    return watch.figures()


@cases("""
    grid_W  away_s                      over  beyond
    6e6     ()                          0     0
    6.1e6   ()                          1     0
    6.1e6   [(1.0, 2.0)]                0     1
    6.1e6   [(0.0, 0.15)]               0     1
    6.1e6   [(1.01, 2.0), (-1.0, 0.1)]  1     0
""")
def test_a_second_counts_unless_the_course_takes_a_pod_away_in_it(grid_W, away_s, over, beyond):
    """A pod that the product does not use is no excuse."""
    found = seen([grid_W] * 10, away_s=away_s)
    assert (found["seconds_over"], found["seconds_beyond"]) == (over, beyond)
    assert found["shares_over_W"] == 9


@cases("""rise_s  of_rises
    -0.6  0 | -0.5  1 | 0.0  1 | 0.9  1 | 1.0  0""")
def test_the_seconds_of_a_rise_are_counted_apart(rise_s, of_rises):
    found = seen([6.1e6] * 10, rises_s=(rise_s,))
    assert (found["seconds_of_rises"], found["seconds_over"]) == (of_rises, 1 - of_rises)


@pytest.mark.parametrize("count", [1, 3, 8, 16])
def test_the_parts_of_the_load_sum_to_the_whole(count):
    given = [
        pods._in_turn(CONFIG, number, count).control["share_permille"] for number in range(count)
    ]
    assert sum(given) == 1000 and max(given) - min(given) <= 1


def judged(**changes):
    own = {
        "seconds_over": 0,
        "seconds_beyond": 0,
        "most_over_W": 0,
        "shares_over_W": 0,
        "seconds_of_rises": 0,
        "most_of_rises_W": 0,
        "highest_W": 0,
        "given_kWh": 10,
        "over_kWh": 0.0,
        "trips": [],
    }
    jobs = {
        "name": "jobs",
        "is_of_jobs": True,
        "short_permille": 5,
        "fixed_permille": 340,
        "above_W": 0,
    }
    led, fixed, liar = [
        {"name": kind, "kind": kind, **own} for kind in (pods.LED, pods.FIXED, pods.LYING)
    ]
    fixed |= {"given_kWh": 4, "over_kWh": 2.5, "seconds_over": 7}
    kinds = {"jobs": jobs, "led": led, "fixed": fixed, "liar": liar}
    for name, change in changes.items():
        kinds[name] |= change
    return command.Fleet(SimpleNamespace()).judge(list(kinds.values()))


@cases("""
    changes                         is_met
    {}                              True
    {"led": {"seconds_over": 1}}    False
    {"liar": {"seconds_over": 9}}   True
    {"liar": {"shares_over_W": 1}}  False
    {"led": {"shares_over_W": 1}}   False
""")
def test_the_shares_are_judged_in_each_course(changes, is_met):
    assert judged(**changes).is_met == is_met


def test_the_saving_is_told_as_energy():
    line = judged().lines[-1]
    assert "0.5 % (34 %) of their load" in line
    assert "batteries give 10 (4) kWh, and 0.0 (2.5) kWh exceed" in line


def test_a_course_is_named_by_its_kind():
    one = pods.drawn(4, 2, 1, 600)
    kinds = pods.LED, pods.FIXED, pods.LYING
    names = [one._replace(kind=kind).name.removeprefix("4 pods, course 2") for kind in kinds]
    assert names == ["", ", fixed parts", ", a report of twice its load"]


def test_a_short_course_has_short_events_and_an_hour_the_same_ones():
    short, hour = [pods.drawn(4, 1, 1, each) for each in (360, 3600)]
    assert short.moved[1] == pytest.approx(hour.moved[1] / 10)
    assert len(short.jobs) == len(hour.jobs) and json.dumps(hour)
