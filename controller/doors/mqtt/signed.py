"""The signed datagrams of one source, from the broker to the controller, and the answers back.

Sender and controller share a key. So neither the broker nor the door can forge a datagram or an
answer, and the door needs no key: it only passes bytes. It keeps out what the controller would
refuse anyway, and what the source may not send through doors.

A full queue drops its oldest datagram, because a lowering is useless once a newer one waits. Each
source has its own thread, so that no other source waits for an exchange without an answer, which
lasts client.ANSWER_S.
"""

import asyncio
import collections
import contextlib
from concurrent.futures import ThreadPoolExecutor

from controller.doors.mqtt.waiting import Command, Reply, Waiting
from controller.doors.sending import Sender, may
from controller.hints import client, wire as w

VERB = "signed"
QUOTA_FACTOR = 5  # a dispatcher moves shares within seconds
BYTES = {w.HINT_MAGIC: w.HINT.size, w.HELLO_MAGIC: w.HELLO.size}


class Signed:
    """Takes the datagrams of one source by `take`. Call `run` once."""

    def __init__(
        self, run_directory: str, sender: Sender, base: str, counts: collections.Counter[str]
    ):
        """base: first part of all topics. counts: {kind of event: how often it occurred}."""
        self._run_directory, self._sender, self._counts = run_directory, sender, counts
        name = sender.source.name
        self._topic, self._name = f"{base}/reply/{name}/{VERB}", name.encode()
        self._waiting = Waiting(counts, self._fault_of, keeps_newest=True)
        self.take = self._waiting.take
        self._pool = ThreadPoolExecutor(1, VERB)

    async def run(self, reply: Reply) -> None:
        """Pass datagrams on, one after the other."""
        title = f"a signed datagram of {self._sender.source.name} is not passed on"
        try:
            await self._waiting.serve(title, lambda command: self._serve(command, reply))
        finally:
            self._pool.shutdown(wait=False)

    def _fault_of(self, data: bytes) -> str:
        """The reason why a datagram is not passed on, or ''. It gets no answer, because only the
        controller can sign one.
        """
        if BYTES.get(data[: w.MAGIC_BYTES]) != len(data):
            return "not_understood"
        if data[w.MAGIC_BYTES :][: w.NAME_BYTES].rstrip(b"\0") != self._name:
            return "foreign_name"
        is_allowed = is_hello(data) or may(self._sender.source.may, w.hint_of(data).kind)
        return "" if is_allowed else "refused"

    async def _serve(self, command: Command, reply: Reply) -> None:
        if command.is_late():
            self._counts["late"] += 1
            return
        if not self._sender.count_one(QUOTA_FACTOR):
            self._counts["over_quota"] += 1
            return
        data, answer = command.message.payload, None
        with contextlib.suppress(OSError):  # no controller, or its queue is full
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._pool, self._exchanged, data)
        if answer is None:
            self._counts["no_answer"] += 1
            return
        self._counts["answered"] += 1
        reply(self._sender.source.name, self._topic, answer, command.message.correlation)

    def _exchanged(self, data: bytes) -> bytes | None:
        """The answer of the controller, unchanged; None: none came in time."""
        with client.HintClient(self._run_directory) as link:
            return link.passed(data, lambda answer: is_answer(data, answer))


def is_hello(data: bytes) -> bool:
    """True for a hello, False for a hint."""
    return data.startswith(w.HELLO_MAGIC)


def is_answer(data: bytes, answer: bytes) -> bool:
    """True if `answer` answers this hello or hint. Its MAC is not checked."""
    if is_hello(data):
        return w.welcome_of(answer) is not None
    reply = w.reply_of(answer)
    return reply is not None and reply.sequence == w.hint_of(data).sequence
