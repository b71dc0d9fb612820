"""What the dispatcher says about a cabinet: one that only reports or only answers, and its controls
with the four statuses of IEEE 2030.5.
"""

import random

from fleet_world import World

from controller.core.base import hint_codes as h
from controller.dispatch.exchange import Heard
from controller.dispatch.fleet import Cabinet
from controller.dispatch.ledger import Ledger
from controller.dispatch.member import ENDS_US, MUTE, UNREPORTED, Member
from controller.dispatch.report import report_of
from hil.fleet.broker import Faults

LOADS_W = 2000, 300, 300


def problems(world):
    return dict(world.dispatcher.problems())


def test_a_cabinet_with_another_key_reports_and_gives_no_signed_answer():
    world = World()
    world.boxes[1]._key = b"k" * 32
    world.run(60, LOADS_W)
    assert problems(world) == {}
    world.run(1)
    assert problems(world) == {"c1": MUTE}
    world.boxes[1]._key = world.fleet.cabinets[1].key
    world.run(25)
    assert problems(world) == {} and world.limits_W[1] >= 300


def test_the_minute_begins_with_the_dispatcher():
    world = World()
    world.now_ms = 1_000_000
    world.start()
    world.dispatcher.hear_report("c0", report_of(world.boxes[0].report(0)), world.now_us)
    world.dispatcher.step(world.now_us)
    assert problems(world) == {}


def test_a_cabinet_whose_answers_end_is_named_when_a_minute_has_passed():
    world = World().run(90, LOADS_W)
    world.boxes[0].receive = lambda *_: None
    world.run(60)
    assert problems(world) == {}
    world.run(31)
    assert problems(world) == {"c0": MUTE}


def test_a_cabinet_that_answers_and_does_not_report():
    world = World()
    world.boxes[2].report = lambda _: b"{}"
    world.run(60, LOADS_W)
    assert problems(world) == {}
    world.run(3)
    assert problems(world) == {"c2": UNREPORTED}
    del world.boxes[2].report
    world.run(5)
    assert problems(world) == {}


def test_a_silent_cabinet_and_a_broker_that_is_away_are_no_such_problem():
    world = World().run(90, LOADS_W)
    world.silent.add("c0")
    for _ in range(120):
        assert problems(world.run(1)) == {}
    world.silent.clear()
    world.broker.until_ms = world.now_ms + 200_000
    for _ in range(260):
        assert problems(world.run(1)) == {}


def test_lost_messages_are_no_such_problem():
    world = World(faults=Faults(0.2, 0, 20)).run(90, LOADS_W)
    for _ in range(300):
        assert problems(world.run(1)) == {}


class Played:
    """A member and its share, with a value that is sent and answers that come."""

    def __init__(self):
        self.member = Member(Cabinet("c0", b"", 200, 0), "fleet", 0, 0, random.Random(1))
        self.ledger, self.now_us = Ledger(1000, [200], 1, 0, False), 100_000_000
        self.share = self.ledger.shares[0]

    def sent(self, value_W):
        sequence = self.ledger.next_sequence()
        self.ledger.sent(0, sequence, value_W, self.now_us)
        return sequence

    def heard(self, sequence, value_W, left_s=60, code=h.GRANTED):
        found = Heard(sequence, code, True, value_W, left_s * 1000, 200, True, True)
        before = self.ledger.answered(0, sequence, value_W, left_s * 1000, self.now_us)
        if before is not None:
            self.member.note(found, before, self.now_us)

    def beat(self, value_W, left_s):
        self.heard(self.ledger.next_sequence(), value_W, left_s)

    @property
    def controls(self):
        rows = self.member.controls(self.share, self.now_us)
        return [(each["opModImpLimW"], each["duration"], each["status"]) for each in rows]

    @property
    def in_force(self):
        return self.member.share(self.share, self.now_us)


def test_a_control_is_sent_then_started_then_superseded():
    played = Played()
    assert (played.controls, played.in_force) == ([], (200, 0))
    first = played.sent(500)
    assert (played.controls, played.in_force) == ([(500, 60, None)], (200, 0))
    played.heard(first, 500)
    assert (played.controls, played.in_force) == ([(500, 60, "started")], (500, 60))
    second = played.sent(400)
    assert played.controls == [(400, 60, None), (500, 60, "started")]
    played.heard(second, 400)
    assert played.controls == [(400, 60, "started"), (500, 0, "superseded")]
    played.heard(played.sent(400), 400)  # renewed
    assert played.controls == [(400, 60, "started"), (500, 0, "superseded")]


def test_an_overtaken_answer_changes_no_control():
    played = Played()
    first, second = played.sent(500), played.sent(400)
    played.heard(second, 400)
    played.heard(first, 500)
    assert played.controls == [(400, 60, "started")]


def test_an_answer_that_the_ledger_does_not_count_changes_no_control():
    """One of another epoch, and one that was never asked for."""
    played = Played()
    first = played.sent(500)
    played.heard(first, 500)
    for sequence in (2 << 32 | 1, first + 1):
        played.heard(sequence, 700)
        assert played.controls == [(500, 60, "started")]
        assert played.in_force == (500, 60)


def test_a_control_that_waits_for_a_heartbeat_is_received_and_the_fallback_is_in_force():
    played = Played()
    played.heard(played.sent(500), 500, code=h.FALLBACK_RULES)
    assert (played.controls, played.in_force) == ([(500, 60, "received")], (200, 0))
    played.beat(500, 58)
    assert (played.controls, played.in_force) == ([(500, 58, "started")], (500, 58))


def test_a_control_that_has_run_out_is_completed_and_supersedes_nothing():
    played = Played()
    played.heard(played.sent(500), 500)
    played.now_us = played.share.in_force.until_us
    assert (played.controls, played.in_force) == ([(500, 0, "completed")], (200, 0))
    played.beat(200, 0)
    assert played.controls == [(500, 0, "completed")]
    played.heard(played.sent(400), 400)
    assert played.controls == [(400, 60, "started")]


def test_a_control_that_a_restart_has_lost_is_none_of_the_four():
    for early_us, controls in ((ENDS_US, [(500, 0, "completed")]), (ENDS_US + 1, [])):
        played = Played()
        played.heard(played.sent(500), 500)
        played.now_us = played.share.in_force.until_us - early_us
        played.beat(200, 0)
        assert played.controls == controls


def test_a_limited_answer_says_what_the_battery_cannot_prevent():
    played = Played()
    played.heard(played.sent(500), 590, code=h.LIMITED)
    assert (played.member.short_W, played.in_force) == (90, (500, 60))
    played.beat(500, 40)
    assert played.member.short_W == 90
    played.heard(played.sent(500), 500)
    assert played.member.short_W == 0


def test_the_state_has_what_stand_ins_have_in_force():
    world = World().run(90, LOADS_W)
    shown = world.dispatcher.facts(world.now_us, range(3))["cabinets"]
    assert [each["share_W"] for each in shown.values()] == world.limits_W
    assert {each["DERControl"][0]["status"] for each in shown.values()} <= {"started", None}
