"""The sender's end of the hint socket: sends a hello and a signed hint, and checks the reply."""

import os
import socket
import struct
from collections.abc import Callable
from typing import Self, TypeVar

from controller.core.base.schedule_table import Slot
from controller.hints import schedule_wire as sw, wire as w
from controller.system import clock, sockets

ANSWER_S = 2.0  # longest wait for an answer
ReplyOrAnswer = TypeVar("ReplyOrAnswer", w.Reply, sw.Answer)


def sender(send_s: float) -> socket.socket:
    """A datagram socket with an abstract address, the only kind that the controller answers.

    It waits at most send_s in the operating system, which serves senders in the order in which they
    came. A sender that polls uses a whole core, because an unconnected socket always polls as
    writable. It also never gets a turn beside a blocking sender.
    """
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    endpoint.bind("")
    limit(endpoint, socket.SO_SNDTIMEO, send_s)
    return endpoint


def limit(blocking: socket.socket, option: int, seconds: float) -> None:
    """Set how long a blocking socket waits; after that it raises BlockingIOError."""
    whole_s = int(seconds)
    blocking.setsockopt(
        socket.SOL_SOCKET,
        option,
        struct.pack("@ll", whole_s, round((seconds - whole_s) * 1_000_000)),
    )


class SequenceError(Exception):
    """The highest sequence of a source is used, so no hint can follow. Its text is one line."""


class HintClient:
    """A sender with its own socket, used by `with`. A call without an answer returns None."""

    def __init__(self, run_directory: str):
        self._path = os.path.join(run_directory, "hints.sock")
        self._socket = sender(ANSWER_S)
        limit(self._socket, socket.SO_RCVTIMEO, ANSWER_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send one datagram. OSError without a controller, BlockingIOError if its queue is full."""
        with sockets.short(self._path) as name:
            self._socket.sendto(data, name)

    def receive(self) -> bytes | None:
        """The next datagram, None when the time is over."""
        try:
            return self._socket.recv(w.DATAGRAM_BYTES_MAX)
        except BlockingIOError:
            return None

    def passed(self, data: bytes, is_answer: Callable[[bytes], bool]) -> bytes | None:
        """Send a datagram of somebody else. Returns the first datagram that answers it, unchanged;
        None: none came within ANSWER_S. Raises as `send`.
        """
        end_ms = clock.now_us() // 1000 + int(1000 * ANSWER_S)
        self.send(data)
        while (left_ms := end_ms - clock.now_us() // 1000) > 0:
            limit(self._socket, socket.SO_RCVTIMEO, left_ms / 1000)
            answer = self.receive()
            if answer is not None and is_answer(answer):
                return answer
        return None

    def hello(self, source: str) -> w.Welcome | None:
        """Send a hello. Returns the answer, None without one."""
        self.send(w.hello(source))
        return w.welcome_of(self.receive() or b"")

    def status(self, source: str, key: bytes) -> w.State | None:
        """Ask for the state of the cabinet. The MAC of the answer is checked."""
        self.send(w.status(source))
        return w.state_of(self.receive() or b"", key)

    def hint(self, hint: w.Hint, key: bytes) -> w.Reply | None:
        """Send a Hint. Returns its reply, whose MAC is checked. Replies to earlier hints are
        skipped.
        """
        self.send(w.signed(hint, key))
        return self._answer(w.reply_of, key, hint.sequence)

    def _answer(
        self, decode: Callable[[bytes, bytes], ReplyOrAnswer | None], key: bytes, sequence: int
    ) -> ReplyOrAnswer | None:
        """The answer with this sequence. Other answers are skipped."""
        while (data := self.receive()) is not None:
            answer = decode(data, key)
            if answer is not None and answer.sequence == sequence:
                return answer
        return None

    def say(
        self,
        source: str,
        key: bytes,
        kind: int,
        quantity: int,
        value_W: int,
        valid_ms: int,
        purpose: int = 0,
        ahead_ms: int = 0,
    ) -> tuple[w.Hint, w.Reply] | None:
        """Send a hello, then a hint that begins ahead_ms from now. None without an answer."""
        welcome = self._welcome(source)
        if welcome is None:
            return None
        sequence, sent_ms = welcome.sequence + 1, welcome.uptime_ms
        start_ms = sent_ms + ahead_ms if ahead_ms else 0
        meaning = (kind, quantity, purpose, value_W, valid_ms, start_ms)
        hint = w.Hint(source, welcome.nonce, sequence, sent_ms, *meaning)
        reply = self.hint(hint, key)
        return (hint, reply) if reply else None

    def schedule(
        self,
        source: str,
        key: bytes,
        start_min: int,
        slot_min: int,
        slots: tuple[Slot, ...],
        purpose: int = 0,
    ) -> sw.Answer | None:
        """Send a hello, then a schedule. None without an answer."""
        welcome = self._welcome(source)
        if welcome is None:
            return None
        head = welcome.nonce, welcome.sequence + 1, welcome.uptime_ms
        self.send(sw.signed(sw.Schedule(source, *head, start_min, slot_min, purpose, slots), key))
        return self._answer(sw.answer_of, key, head[1])

    def held(self, source: str, key: bytes) -> sw.Held | None:
        """Ask for the schedule in force. The MAC of the answer is checked."""
        self.send(sw.read(source))
        return sw.held_of(self.receive() or b"", key)

    def _welcome(self, source: str) -> w.Welcome | None:
        welcome = self.hello(source)
        if welcome is not None and welcome.sequence >= w.SEQUENCE_MAX:
            raise SequenceError(
                f"the sequences of {source} are used up: a sender used the highest one under its "
                f"key; a new key starts at 0: firebreak key rotate {source}"
            )
        return welcome
