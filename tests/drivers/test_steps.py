"""The engine of start-up sequences: answers, refusals, time-outs, lost requests."""

import pytest

from drivers import steps
from drivers.buses import rtu


class Owner:
    def __init__(self):
        self.ends, self.answers = [], []
        self.steps = steps.Steps(1, lambda error, now_us: self.ends.append((error, now_us)))

    def two_reads(self):
        self.answers.append((yield "read", 3, 10, 2))
        self.answers.append((yield "write", 20, (5, 6)))


def begun():
    owner = Owner()
    owner.steps.begin(owner.two_reads())
    return owner, owner.steps.next_request(0)


def test_nothing_before_begin():
    owner = Owner()
    assert owner.steps.next_request(10**15) is None and not owner.ends


def test_a_sequence_to_its_end():
    owner, request = begun()
    assert request.frame[1:6] == bytes((3, 0, 10, 0, 2))
    assert owner.steps.next_request(1) is None, "one outstanding"
    request.on_reply(b"\x03\x04abcd", 2)
    request = owner.steps.next_request(3)
    assert request.frame[1:11] == bytes((16, 0, 20, 0, 2, 4, 0, 5, 0, 6))
    request.on_reply(request.frame[1:6], 4)
    assert owner.steps.next_request(5) is None
    assert owner.answers == [b"abcd", b""] and owner.ends == [("", 5)]
    assert owner.steps.due_us == steps.NEVER_US


def test_an_exception_is_an_answer():
    owner, request = begun()
    request.on_failure(rtu.EXCEPTION, 2, 1)
    owner.steps.next_request(2)
    assert owner.answers == [None] and not owner.ends


@pytest.mark.parametrize("kind", [rtu.TIMEOUT, rtu.BAD_REPLY])
def test_a_missing_reply_ends_the_sequence(kind):
    owner, request = begun()
    request.on_failure(kind, 0, 7)
    assert owner.ends == [(rtu.FAILURES[kind], 7)] and owner.steps.next_request(8) is None


def test_a_lost_request_ends_the_sequence():
    owner, request = begun()
    assert owner.steps.next_request(2_999_999) is None and not owner.ends
    assert owner.steps.next_request(3_000_000) is None
    assert owner.ends == [("no answer", 3_000_000)]
    request.on_reply(b"\x03\x04late", 3_000_001)
    request.on_failure(rtu.EXCEPTION, 2, 3_000_001)
    request.on_failure(rtu.TIMEOUT, 0, 3_000_001)
    assert owner.steps.next_request(3_000_002) is None and len(owner.ends) == 1


def test_waiting_and_giving_up():
    owner = Owner()

    def sequence():
        assert (yield "read", 3, 10, 1) == b"ab"
        assert (yield None) is None
        yield None
        raise steps.StepError("not what is needed")

    owner.steps.begin(sequence(), 100)
    assert owner.steps.next_request(99) is None and owner.steps.due_us == 100
    owner.steps.next_request(100).on_reply(b"\x03\x02ab", 100)
    for now_us in (100, 101, 102):
        assert owner.steps.next_request(now_us) is None
    assert owner.ends == [("not what is needed", 102)]


def test_answers_to_an_abandoned_sequence_are_dropped():
    owner, request = begun()
    owner.steps.begin(owner.two_reads())
    request.on_reply(b"\x03\x04late", 1)
    request.on_failure(rtu.TIMEOUT, 0, 1)
    again = owner.steps.next_request(2)
    request.on_failure(rtu.EXCEPTION, 2, 2)
    assert owner.steps.next_request(3) is None, "the answer to the second is still to come"
    assert owner.answers == [] and owner.ends == [] and again.key == request.key
