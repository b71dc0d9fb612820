"""The sender's end of the hint socket: a hello, a signed hint, a checked reply."""

import os
import socket
import struct

from controller.hints import wire as w
from controller.system import sockets

ANSWER_S = 2.0
_DATAGRAM_BYTES = 256


def sender(send_s: float):
    """A datagram socket with an abstract address, the only kind the loop answers to. Sending waits
    for at most send_s.

    It waits in the kernel, whose queue serves senders in the order of their coming. One that does
    not block and polls instead burns a core (unconnected, it always polls as writable) and never
    gets a turn beside one that blocks.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.bind("")
    limit(made, socket.SO_SNDTIMEO, send_s)
    return made


def limit(blocking, option: int, seconds: float) -> None:
    """Set how long a blocking socket waits (SO_SNDTIMEO, SO_RCVTIMEO); after that it raises
    BlockingIOError.
    """
    whole_s = int(seconds)
    blocking.setsockopt(
        socket.SOL_SOCKET,
        option,
        struct.pack("@ll", whole_s, round((seconds - whole_s) * 1_000_000)),
    )


class SequenceError(Exception):
    """Nothing above the highest sequence seen of a source fits a hint any more; one line."""


class HintClient:
    """A sender with its own socket, for `with`; each call waits for its answer or returns None."""

    def __init__(self, run_directory: str):
        self._path = os.path.join(run_directory, "hints.sock")
        self._socket = sender(ANSWER_S)
        limit(self._socket, socket.SO_RCVTIMEO, ANSWER_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, data: bytes) -> None:
        """One datagram as it is. OSError when there is no controller, BlockingIOError when its
        queue stays full.
        """
        with sockets.short(self._path) as name:
            self._socket.sendto(data, name)

    def receive(self) -> bytes | None:
        """The next datagram, None when none comes in time."""
        try:
            return self._socket.recv(_DATAGRAM_BYTES)
        except BlockingIOError:
            return None

    def hello(self, source: str):
        """Welcome, or None."""
        self.send(w.hello(source))
        data = self.receive()
        return data and w.welcome_of(data)

    def status(self, source: str, key: bytes):
        """State, its MAC checked, or None."""
        self.send(w.status(source))
        data = self.receive()
        return data and w.state_of(data, key)

    def hint(self, hint, key: bytes):
        """Reply to a Hint, its MAC checked, or None; replies to earlier hints are passed over."""
        self.send(w.signed(hint, key))
        while (data := self.receive()) is not None:
            reply = w.reply_of(data, key)
            if reply is not None and reply.sequence == hint.sequence:
                return reply
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
    ) -> tuple | None:
        """A hello and a hint after it; (Hint, Reply), or None when either gets no answer.
        SequenceError.
        """
        welcome = self.hello(source)
        if welcome is None:
            return None
        if welcome.sequence >= w.SEQUENCE_MAX:
            raise SequenceError(
                f"the sequences of {source} are used up: a sender has used the "
                f"highest there is under "
                f"its key; a new key begins anew: firebreak key rotate {source}"
            )
        sequence, sent_ms = welcome.sequence + 1, welcome.uptime_ms
        meaning = (kind, quantity, purpose, value_W, valid_ms)
        hint = w.Hint(source, welcome.nonce, sequence, sent_ms, *meaning)
        reply = self.hint(hint, key)
        return reply and (hint, reply)
