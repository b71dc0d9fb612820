"""Questions (`ask`) to the gateway, answered in a child process, one after the other.

A question about a day takes a second of CPU. In the thread of the gateway it would hold up the
hints of all other clients, and a hint expires after 2 s. The child reads the journal once a second
at most, and keeps the core in memory, which the gateway itself does not need.

    link -> put -> waiting (at most WAITING_MAX) -> child -> take -> link
"""

import collections
import contextlib
import json
import os
import socket
from typing import Protocol

from controller.core.base import hint_codes as h
from controller.system import clock, json_text
from controller.upstream import messages
from controller.upstream.framing import Message

WAITING_MAX = 8
BYTES_MAX = 1 << 17  # an answer has 10 kB
NICENESS = 5


class Asker(Protocol):
    """A client with one question, which may leave before the answer."""

    ended: bool

    def answered(self, answer: Message) -> None:
        """Take the answer."""


class Questions:
    """One child, made at the first question, and again after it has ended."""

    def __init__(self, run_directory: str) -> None:
        self._run_directory = run_directory
        self._waiting: collections.deque[tuple[Asker, bytes]] = collections.deque()
        self._asking: Asker | None = None
        self._child: tuple[int, socket.socket] | None = None

    def descriptors(self) -> list[socket.socket]:
        """What to wait for before `take`."""
        return [self._child[1]] if self._child else []

    def put(self, asker: Asker, job: object) -> Message | None:
        """Answer later; at once, with BUSY, if too many questions wait. Raises MessageError."""
        if len(self._waiting) >= WAITING_MAX:
            return messages.problem(h.BUSY, "Too many questions wait already: ask again later.")
        try:
            data = json.dumps(job).encode()
        except (TypeError, ValueError):  # msgpack has more types than JSON
            raise messages.MessageError("ask: allowed are objects, texts and numbers") from None
        self._waiting.append((asker, data))
        self._next()
        return None

    def take(self) -> None:
        """Take what the child says, and ask the next question."""
        if self._child is None:
            return
        try:
            data = self._child[1].recv(BYTES_MAX, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        self._give(json_text.loads(data) if data else None)
        self._next()

    def _give(self, answer: Message | None) -> None:
        asker, self._asking = self._asking, None
        if asker is not None and not asker.ended:
            words = "The question could not be answered."
            asker.answered(answer or messages.problem(h.NO_ANSWER, words))

    def _next(self) -> None:
        while self._asking is None and self._waiting:
            self._asking, data = self._waiting.popleft()
            if self._asking.ended:
                self._asking = None
                continue
            try:
                self._child = self._child or _child(self._run_directory)
                self._child[1].send(data, socket.MSG_DONTWAIT)
            except OSError:
                self.close()
                self._give(None)

    def close(self) -> None:
        """End the child. What it was asked has no answer."""
        if self._child:
            number, link = self._child
            self._child = None
            link.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, 9)
            os.waitpid(number, 0)


def _child(run_directory: str) -> tuple[int, socket.socket]:
    """(process, its socket). The child ends when the socket does."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    number = os.fork()
    if not number:
        try:
            # A descriptor of a client would keep its connection open.
            os.closerange(3, other.fileno())
            os.closerange(other.fileno() + 1, 1 << 16)
            with contextlib.suppress(OSError):
                os.nice(NICENESS)
            _serve(run_directory, other)
        finally:
            os._exit(0)
    other.close()
    return number, own


def _serve(run_directory: str, link: socket.socket) -> None:
    while data := link.recv(BYTES_MAX):
        try:
            found = messages.asked(run_directory, json_text.loads(data), clock.now_us())
        except messages.MessageError as error:
            found = messages.problem(h.NOT_UNDERSTOOD, str(error))
        link.send(json.dumps(found).encode())
