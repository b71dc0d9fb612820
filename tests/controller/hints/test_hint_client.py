"""The hint client believes only the controller and takes no reply to another hint."""

import os
import socket

import pytest

from controller.core.base import hint_codes as h
from controller.hints import wire as w
from controller.hints.client import HintClient, SequenceError
from controller.system import sockets
from tests.tables import cases

pytestmark = pytest.mark.wire
KEY, OTHER = bytes([1]) * 32, bytes([2]) * 32
HINT = w.Hint("grid", bytes(8), 5, 1000, h.GRID_CAP, h.IMPORT_W_MAX, 0, 400_000, 60_000)
REPLY = w.Reply(
    *("grid", bytes(8), 5, 1000, h.GRANTED, 3, 4, 400_000, 400_000, 60_000, w.NOTHING_W),
    *(0, 0, 0, 0, 0, 0),
)
STATE = w.State("grid", bytes(8), 1000, 0, -1, 1, 2, 150, 100, 0, 0, 0, "")


class Controller:
    """Puts the answers into the queue of `client` before it sends."""

    def __init__(self, folder, monkeypatch):
        # no wait for an answer that never comes
        monkeypatch.setattr("controller.hints.client.ANSWER_S", 0.05)
        self._socket = sockets.bound(os.path.join(folder, "hints.sock"), "")
        self.client = HintClient(folder)

    def answers(self, *datagrams):
        for data in datagrams:
            self._socket.sendto(data, self.client._socket.getsockname())


@pytest.fixture
def controller(tmp_path, monkeypatch):
    made = Controller(str(tmp_path), monkeypatch)
    with made.client:
        yield made
    made._socket.close()


FORGED = w.reply_bytes(REPLY._replace(granted_W=10**9), OTHER)


@cases("""
    before
    ()
    (FORGED,) * 3
    (w.reply_bytes(REPLY._replace(sequence=4, code=h.ROLE), KEY),)
    (b"", b"x" * 116)
""")
def test_a_forged_reply_and_a_reply_to_another_hint_are_skipped(controller, before):
    controller.answers(*before, w.reply_bytes(REPLY, KEY))
    assert controller.client.hint(HINT, KEY) == REPLY


def test_without_an_answer_the_result_is_none(controller):
    controller.answers(FORGED, w.reply_bytes(REPLY._replace(sequence=6), KEY))
    assert controller.client.hint(HINT, KEY) is None
    controller.answers(w.state_bytes(STATE, OTHER), w.state_bytes(STATE, KEY))
    assert [controller.client.status("grid", KEY) for _ in range(2)] == [None, STATE]


def welcome(sequence):
    return w.WELCOME.pack(w.WELCOME_MAGIC, bytes(8), 1000, sequence)


def test_the_sequence_follows_the_highest_used_one(controller):
    order = ("grid", KEY, h.GRID_CAP, h.IMPORT_W_MAX, 400_000, 60_000)
    controller.answers(welcome(2**64 - 2), w.reply_bytes(REPLY._replace(sequence=2**64 - 1), KEY))
    hint, reply = controller.client.say(*order)
    assert hint.sequence == reply.sequence == 2**64 - 1
    received = [controller._socket.recv(256) for _ in range(2)]
    assert received == [w.hello("grid"), w.signed(hint, KEY)]
    controller.answers(welcome(2**64 - 1))
    with pytest.raises(SequenceError, match="firebreak key rotate grid"):
        controller.client.say(*order)


def test_a_missing_socket_is_an_error(tmp_path):
    with HintClient(str(tmp_path)) as client, pytest.raises(FileNotFoundError):
        client.hello("grid")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gone:
        gone.bind(str(tmp_path / "hints.sock"))
    with HintClient(str(tmp_path)) as client, pytest.raises(ConnectionRefusedError):
        client.hello("grid")
