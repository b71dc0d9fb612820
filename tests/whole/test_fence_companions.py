"""A companion ends one client with one line in its log, and answers the others."""

import json
import random
from argparse import Namespace

import msgpack
import pytest
from fenced_box import Fenced, settings
from wire_ends import ODD

from controller.console import record
from controller.doors import asking
from controller.doors.local import client, messages
from controller.sites import EXAMPLE
from controller.system import realtime
from tests.controller.doors.local_site import Stepped

pytestmark = pytest.mark.wire
SIGNED = {"source": "boss", "nonce": "00" * 8, "sequence": 1, "sent_ms": 1, "mac": "00" * 32}
HINT = SIGNED | {"kind": "request", "quantity": "power_W", "value_W": 1, "valid_ms": 60_000}
HINT |= {"purpose": 0, "start_ms": 0}
SCHEDULE = SIGNED | {"start_min": 1, "slot_min": 15, "slots": [[1, 2, 3, 4]], "purpose": 0}
JOB = {"power_W": 1, "at_s": 0, "for_s": 1}
BYTES = (b"x", {b"x": 1}, msgpack.ExtType(1, b"x"), msgpack.Timestamp(2**33), [b"x"] * 9)


class Served(Stepped):
    """A door beside a loop, in one thread. `other` is a client that says hello each time."""

    def __init__(self, folder):
        self.fenced = Fenced(folder, settings(EXAMPLE))
        super().__init__(str(folder))
        self.other, self.wrong = self.client(), self.client()
        self.now_us = 0

    def hear(self, data):
        """The bytes that come back for `data`, None when the client is ended. The other client
        gets its answer each time.
        """
        self.wrong.sendall(data)
        self.other.sendall(b'{"hello": "boss"}\n')
        answer = b""
        while not answer:
            self.turn(self.now_us)
            self.fenced.turn()
            self.turn(self.now_us)
            answer = self.received(self.other)
        assert json.loads(answer)["source"] == "boss"
        asking._WORKER.submit(int).result()  # a question is answered by a worker
        self.now_us += round(client.ANSWER_S * 1e6)  # the loop has had its turn
        self.turn(self.now_us)
        found = self.received(self.wrong)
        if found is None or not data.endswith(b"\n"):
            self.wrong.close()
            self.wrong = self.client()
        return found

    def close(self):
        super().close()
        self.fenced.close()


@pytest.fixture
def served(tmp_path, capfd):
    made = Served(tmp_path)
    capfd.readouterr()
    yield made
    made.close()


def objects(odd):
    """Messages of every kind: each field in turn missing and with a value of another type."""
    for kind in ("hello", "status", "schedule", "head", "ask"):
        yield from [{kind: each} for each in odd]
    for whole in (HINT, SCHEDULE):
        for name in whole:
            yield {key: value for key, value in whole.items() if key != name}
            yield from [{**whole, name: each} for each in odd]
    for place in range(4):
        for each in odd:
            yield {**SCHEDULE, "slots": [[*range(place), each, *range(3 - place)]]}
    for name in JOB:
        yield from [{"ask": {**JOB, name: each}} for each in odd]
    yield from [{str(each): each} for each in odd]


def lines():
    """JSON lines: fields at their ends, deep nesting, long numbers, noise."""
    yield from [json.dumps(each).encode() for each in objects(ODD)]
    yield from (b"[" * 3000, b'{"a":' * 1500, b'{"ask":' + b"[" * 900 + b"]" * 900 + b"}")
    yield b'{"ask": {"power_W": ' + b"9" * 5000 + b"}}"
    yield b'{"hello": "\\ud800"}'
    noise = random.Random(54)
    yield from [b"{" + noise.randbytes(noise.randrange(99)).replace(b"\n", b"") for _ in range(99)]


def packed():
    """Maps of msgpack: also bytes, types of its own, and noise behind a map."""
    few = [each for each in ODD if not isinstance(each, int) or -(2**63) <= each < 2**64]
    yield from [msgpack.packb(each) for each in objects((*few, *BYTES))]
    deep = msgpack.packb({})
    for _ in range(400):
        deep = b"\x81\xa3ask" + deep
    yield deep
    noise = random.Random(54)
    yield from [b"\x81" + noise.randbytes(noise.randrange(99)) for _ in range(99)]


def test_every_field_of_every_line_of_json(served, capfd):
    for line in lines():
        answers = served.hear(line + b"\n").splitlines()
        assert len(answers) == 1 and isinstance(json.loads(answers[0]), dict), line
    assert capfd.readouterr().err == "", "refused, not caught behind it"


@pytest.mark.whole
def test_every_field_of_every_map_of_msgpack(served, capfd):
    for data in packed():
        served.hear(data)
    assert capfd.readouterr().err == "", "refused, not caught behind it"


def test_a_fault_in_the_door_ends_one_client_with_one_line(served, monkeypatch, capfd):
    real = messages.datagram

    def fails(message):
        return 1 // (message != {"status": "boss"}) and real(message)

    monkeypatch.setattr(messages, "datagram", fails)
    assert served.hear(b'{"status": "boss"}\n') is None
    assert served.hear(b'{"hello": "boss"}\n')
    (line,) = capfd.readouterr().err.splitlines()
    where = "ZeroDivisionError at client.py:"
    assert line.startswith(f"firebreak: a connection is closed: {where}")


def test_a_recorder_whose_step_fails_goes_on_and_feeds_no_watchdog(tmp_path, monkeypatch, capfd):
    log, steps = [], iter((KeyError("a"), False, True, KeyError("a"), False))

    class Recorder:
        def __init__(self, *_):
            self.close = lambda: log.append("closed")

        def step(self):
            found = next(steps)
            log.append("step")
            if isinstance(found, KeyError):
                raise found
            return found

    class Stop:
        def __init__(self, *_):
            self.wait = log.append

        @property
        def asked(self):
            return log.count("step") == 5

    class Notifier:
        ready = stopping = staticmethod(lambda *_: None)
        alive = staticmethod(lambda: log.append("alive"))

    monkeypatch.setattr(record, "Recorder", Recorder)
    monkeypatch.setattr(realtime, "Notifier", Notifier)
    monkeypatch.setattr(record, "Stop", Stop)
    monkeypatch.setattr(record.os, "nice", lambda _: None)
    places = Namespace(run_dir=str(tmp_path), state_dir=str(tmp_path))
    assert record._serve(places, None) == 0
    failed, quiet, more = ["step", 1.0], ["step", 0.02, "alive"], ["step", "alive"]
    assert log == [*failed, *quiet, *more, *failed, *quiet, "closed"]
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("firebreak: record: tried again: KeyError at record.py:")
