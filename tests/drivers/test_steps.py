"""The engine of start-up sequences: lost requests and late answers; test_io, test_pcs the rest."""

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
