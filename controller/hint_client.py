"""The sender's end of the hint socket: a hello, a signed hint, a checked reply."""

import os
import socket

from controller import command
from controller import hint_wire as w

ANSWER_S = 2.0
_DATAGRAM_BYTES = 256


class HintClient:
    """One sender with a socket of its own; each call waits for its answer, None when none comes. For `with`."""

    def __init__(self, run_directory):
        self._path = os.path.join(run_directory, "hints.sock")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind("")  # the kernel gives an abstract name, the only kind the loop answers to
        self._socket.settimeout(ANSWER_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, data):
        """One datagram as it is. Raises OSError when there is no controller, TimeoutError when its queue stays full."""
        with command.short(self._path) as name:
            self._socket.sendto(data, name)

    def receive(self):
        """The next datagram, None when none comes in time."""
        try:
            return self._socket.recv(_DATAGRAM_BYTES)
        except TimeoutError:
            return None

    def hello(self, source):
        """Welcome, or None."""
        self.send(w.hello(source))
        data = self.receive()
        return data and w.welcome_of(data)

    def hint(self, hint, key):
        """Reply to a Hint, its MAC checked, or None. What answers an earlier hint is passed over."""
        self.send(w.signed(hint, key))
        while (data := self.receive()) is not None:
            reply = w.reply_of(data, key)
            if reply is not None and reply.sequence == hint.sequence:
                return reply
        return None

    def say(self, source, key, kind, quantity, value_W, valid_ms, purpose=0):
        """A hello and a hint after it; (Hint, Reply), or None when either gets no answer."""
        welcome = self.hello(source)
        if welcome is None:
            return None
        hint = w.Hint(source, welcome.nonce, welcome.sequence + 1, welcome.uptime_ms, kind, quantity, purpose, value_W,
                      valid_ms)
        reply = self.hint(hint, key)
        return reply and (hint, reply)
