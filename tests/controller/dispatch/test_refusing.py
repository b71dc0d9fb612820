"""Cabinets that refuse, answer twice, or keep others' values down."""

import pytest
from fleet_world import World

from controller.core.base import hint_codes as h
from controller.dispatch.member import NO_LIMIT
from controller.hints import wire as w
from hil.fleet.broker import Faults
from hil.fleet.standin import StandIn

LOADS_W = [500, 300, 100]
TWICE = "two boxes answer with its name and key"


def problems(world):
    return dict(world.dispatcher.problems())


class Twin:
    """A second box with the name and key of the first one, whose answer comes later."""

    def __init__(self, world, at, later_ms):
        self.world, self.first, self.later_ms = world, world.boxes[at], later_ms
        key = world.fleet.cabinets[at].key
        self.own = StandIn(self.first.name, key, self.first.fallback_W, world.draw)
        self.receive, self.first.receive = self.first.receive, self.both

    def both(self, data, now_ms):
        answer = self.own.receive(data, now_ms)
        self.world.dispatcher_later.append((now_ms + self.later_ms, self.first.name, answer))
        return self.receive(data, now_ms)


@pytest.mark.parametrize("later_ms", [0, 100, 800])
def test_a_second_box_that_always_answers_later_is_found(later_ms):
    world = World()
    world.dispatcher_later = []
    Twin(world, 1, later_ms)
    for _ in range(900):
        world.step()
        for due in [each for each in world.dispatcher_later if each[0] <= world.now_ms]:
            world.dispatcher_later.remove(due)
            world.dispatcher.hear_answer(due[1], due[2], world.now_us)
    assert problems(world) == {"c1": TWICE}
    ledger = world.dispatcher.ledger
    assert ledger.hold_W(1, world.now_us) == ledger.most_W(1), "nothing is left to lend"


@pytest.mark.parametrize("seed", range(5))
def test_restarts_of_a_cabinet_are_no_second_box(seed):
    world = World(faults=Faults(0.1, 0.3, 900), seed=seed).run(90, LOADS_W)
    for _ in range(6):
        world.boxes[1].boot(world.now_ms)
        world.run(world.draw.uniform(0.5, 30))
        assert TWICE not in problems(world).values()


def refusing(world, at, code, kinds=(h.HEARTBEAT, h.GRID_CAP), drops=False):
    """The cabinet answers these kinds with a refusal, or not at all."""
    box, key = world.boxes[at], world.fleet.cabinets[at].key
    real = box.receive

    def receive(data, now_ms):
        answer = real(data, now_ms)
        reply = w.reply_of(answer, key) if answer else None
        if reply is None or reply.kind not in kinds:
            return answer
        return b"" if drops else w.reply_bytes(reply._replace(code=code), key)

    box.receive = receive
    return real


@pytest.mark.parametrize("code", [h.VALID_LONG, h.EPOCH_UNSTORED, h.RATE, h.BUSY])
def test_a_cabinet_that_refuses_every_hint_is_named_after_a_minute(code):
    world = World()
    real = refusing(world, 0, code)
    world.run(58, LOADS_W)
    assert problems(world) == {}
    world.run(10)
    assert problems(world) == {"c0": f"refuses every hint for 60 s: {h.text(code)[0]}"}
    world.boxes[0].receive = real
    world.run(30)
    assert problems(world) == {} and world.run(60).limits_W[0] >= 500


def test_a_cabinet_that_answers_heartbeats_and_no_limit_is_named_and_holds_little():
    """Its door drops what it may not pass on."""
    world = World().run(90, LOADS_W)
    real = refusing(world, 0, h.ROLE, [h.GRID_CAP], drops=True)
    world.run(58)
    assert problems(world) == {}
    world.run(30)
    assert problems(world) == {"c0": NO_LIMIT}
    world.run(70)
    assert world.dispatcher.ledger.hold_W(0, world.now_us) == 200, "others can use the rest"
    world.boxes[0].receive = real
    world.run(60)
    assert problems(world) == {} and world.limits_W[0] >= 500


def test_a_cabinet_with_another_problem_beside_it_gets_no_limit():
    """Two boxes of one name, of which neither answers limits."""
    member = World().run(90, LOADS_W).dispatcher.members[0]
    member.trouble = NO_LIMIT
    assert not member.is_withheld
    member.exchange.problem = TWICE
    assert member.is_withheld and member.problem == TWICE


def test_a_refusing_cabinet_is_asked_again_each_one_and_a_half_seconds():
    world = World()
    sent = []
    refusing(world, 0, h.BUSY)
    real = world.boxes[0].receive
    world.boxes[0].receive = lambda data, now_ms: sent.append(now_ms) or real(data, now_ms)
    world.run(60, LOADS_W)
    assert 30 <= len(sent) <= 42
    assert min(late - early for early, late in zip(sent[1:], sent[2:])) >= 1400


def test_a_value_falls_at_once_also_while_the_others_hold_too_much():
    """Batteries of the others fail: what is in force there is above what they were lent."""
    loads_W = [900, 300, 300, 300]
    world = World(4, 2000).run(100, loads_W)
    for at in (1, 2, 3):
        key, real = world.fleet.cabinets[at].key, world.boxes[at].receive

        def short(data, now_ms, key=key, real=real):
            answer = real(data, now_ms)
            reply = w.reply_of(answer, key)
            if reply.code != h.GRANTED or reply.kind != h.GRID_CAP:
                return answer
            more = reply._replace(code=h.LIMITED, granted_W=reply.granted_W + 700)
            return w.reply_bytes(more, key)

        world.boxes[at].receive = short
    world.run(25, loads_W)
    before_W = world.limits_W[0]
    world.run(3, [100, *loads_W[1:]])
    assert world.limits_W[0] <= 300 < before_W


def test_an_answer_that_was_overtaken_says_nothing_of_the_fallback():
    world = World().run(90, LOADS_W)
    member, dispatcher = world.dispatcher.members[0], world.dispatcher
    key = world.fleet.cabinets[0].key
    answers = []
    for fallback_W in (200, 500):
        sequence = dispatcher.ledger.next_sequence()
        data = member.exchange.heartbeat(sequence, world.now_us)
        reply = w.reply_of(world.boxes[0].receive(data, world.now_ms), key)
        answers.append(w.reply_bytes(reply._replace(fallback_W=fallback_W), key))
    for data in answers[::-1]:
        dispatcher.hear_answer("c0", data, world.now_us)
    assert "is 500 W" in member.problem and dispatcher.ledger.shares[0].stated_W == 500
