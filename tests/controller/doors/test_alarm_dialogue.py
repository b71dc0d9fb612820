"""A receiver of alarms that breaks off, or drips, at each place of the dialogue: every recipient
gets each letter once, and no receiver takes more than its time.
"""

import contextlib
import socket
import threading

import pytest
from test_alarm_letters import HOOK, HOT, MAIL, Place

from controller.doors.alarms import post

pytestmark = pytest.mark.wire
GUARD_S = 20
PLACES = ("greeting", "EHLO", "MAIL", "RCPT 1", "RCPT 2", "DATA", "body", "QUIT")
PROPER = {"greeting": "220 relay", "EHLO": "250 relay", "DATA": "354 go on", "QUIT": "221 bye"}


class Relay:
    """A relay that serves one connection after the other. odd: {place: "421", "drip" or "gone"}
    holds for one use each; odd_of: {address: answers}. letters: recipients of each taken letter.
    """

    def __init__(self, odd=None, odd_of=None):
        self.odd, self.odd_of = odd or {}, odd_of or {}
        self.letters, self.seen, self.ended = [], [], threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ended.is_set():
            link, _ = self.listening.accept()
            with link, contextlib.suppress(OSError, EOFError), link.makefile("rb") as lines:
                self.dialogue(link, lines)

    def answer(self, link, place, text=None):
        """Answer; "drip" and "gone" end the connection without an answer."""
        self.seen.append(place)
        odd = self.odd.pop(place, None)
        if odd == "drip":
            link.sendall(b"250-")
            while not self.ended.wait(0.02):
                link.sendall(b"x")
        if odd in ("drip", "gone"):
            raise EOFError
        words = text or PROPER.get(place, "250 OK")
        link.sendall((words if odd is None else f"{odd} closing").encode() + b"\r\n")
        if (odd or words).startswith("421"):
            raise EOFError
        return odd is None and words.startswith("2")

    def dialogue(self, link, lines):
        self.answer(link, "greeting")
        takers, at = [], 0
        while line := lines.readline():
            word = line[:4].decode().upper()
            if word == "RCPT":
                at, address = at + 1, line.decode().partition("<")[2].partition(">")[0]
                answers = self.odd_of.get(address)
                if self.answer(link, f"RCPT {at}", answers.pop(0) if answers else None):
                    takers.append(address)
                continue
            self.answer(link, word)
            if word == "DATA":
                while lines.readline() not in (b".\r\n", b""):
                    pass
                if "body" not in self.odd:  # before its answer, which ends the wait of a test
                    self.letters.append(takers)
                self.answer(link, "body")

    def close(self):
        self.ended.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        self.thread.join(GUARD_S)
        self.listening.close()
        assert not self.thread.is_alive()


@contextlib.contextmanager
def served(folder, odd=None, odd_of=None):
    relay = Relay(odd, odd_of)
    try:
        yield relay, Place(folder, MAIL.format(relay.port))
    finally:
        relay.close()


@pytest.mark.parametrize("odd", ["421", "gone", "drip"])
@pytest.mark.parametrize("at", PLACES)
def test_each_recipient_gets_a_letter_once_wherever_the_relay_breaks_off(
    at, odd, tmp_path, monkeypatch
):
    with served(tmp_path, {at: odd}) as (relay, place), monkeypatch.context() as short:
        short.setattr(post, "EXCHANGE_S", 0.3 if odd == "drip" else post.EXCHANGE_S)
        place.turns(HOT, HOT)
        short.undo()
        place.now_us = 1 << 60
        place.turns(HOT, HOT)
        assert at == "QUIT" or at in relay.seen
        assert sorted(sum(relay.letters, [])) == ["d@e.f", "g@h.i"]
        assert not place.door._outbox.waiting and not place.door._deferred


@pytest.mark.parametrize("first", ["d@e.f", "g@h.i"])
def test_an_address_that_ends_every_connection_takes_the_letter_from_no_other(first, tmp_path):
    (other,) = {"d@e.f", "g@h.i"} - {first}
    with served(tmp_path, odd_of={first: ["421 not now"] * 9}) as (relay, place):
        place.turns(HOT, HOT)
        assert relay.letters == [[other]] and [to for _, _, to in place.door._deferred] == [[first]]


def test_a_relay_that_refuses_every_address_keeps_the_letter_waiting(tmp_path, capfd):
    refused = {"d@e.f": ["550 no", "450 later"], "g@h.i": ["550 no", "550 no"]}
    with served(tmp_path, odd_of=refused) as (relay, place):
        place.turns(HOT, HOT)
        assert not relay.letters and list(place.door._outbox.waiting) == ["12a"]
        assert not place.door._deferred and not place.door._sent_us
        assert "the relay refuses d@e.f, g@h.i; tried again" in capfd.readouterr().err
        place.turns(HOT)
        assert relay.letters == [["d@e.f", "g@h.i"]]


def test_an_address_that_was_put_off_and_is_then_refused_is_not_tried_for_ever(tmp_path, capfd):
    with served(tmp_path, odd_of={"g@h.i": ["450 later", "550 no"]}) as (relay, place):
        place.turns(HOT)
        place.now_us = place.door._deferred[0][0]
        place.turns(HOT)
        assert relay.letters == [["d@e.f"]] and not place.door._deferred
        assert "refuses g@h.i (answer 550), which gets no letter" in capfd.readouterr().err


@contextlib.contextmanager
def dripping_hook(folder, begin):
    """The alarms of a box whose webhook answers this, then a byte every 20 ms, for ever."""
    ended = threading.Event()

    def serve():
        link, _ = server.accept()
        with link, contextlib.suppress(OSError):
            link.recv(65536)
            link.sendall(begin)
            while not ended.wait(0.02):
                link.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Place(folder, HOOK.format(server.getsockname()[1]))
        ended.set()
        thread.join(GUARD_S)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 2"])
def test_a_webhook_that_drips_has_not_taken_the_letter(begin, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(post, "EXCHANGE_S", 0.3)
    with dripping_hook(tmp_path, begin) as place:
        place.turns(HOT)
    assert list(place.door._outbox.waiting) == ["12a"]
    assert "webhook 127.0.0.1" in capfd.readouterr().err


def test_the_status_of_a_webhook_decides_however_long_its_body_is(tmp_path):
    """An answer that counts as lost because of its body would be sent again for ever."""
    with dripping_hook(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n") as place:
        place.turns(HOT)
    assert not place.door._outbox.waiting


def test_two_equal_addresses_do_not_make_a_refused_letter_a_taken_one(tmp_path):
    with served(tmp_path, odd_of={"d@e.f": ["550 no"] * 9}) as (relay, place):
        place.door._values["to"] = ["d@e.f", "d@e.f"]
        place.turns(HOT)
        assert not relay.letters and list(place.door._outbox.waiting) == ["12a"]
