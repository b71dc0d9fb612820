"""One client of the gateway: a stream in, one message under way at a time, its answer out before
the next is looked at.

So every buffer is bounded by one message, a client that floods holds up itself only, and one that
stops reading is not read from either.
"""

import os
import socket
import struct

from controller.core import hint_codes as h
from controller.hints.client import sender
from controller.system import sockets
from controller.upstream import framing, messages
from drivers.buses.serial_port import SerialPort

ANSWER_US = 2_000_000
# how long the gateway, and all its clients with it, waits for room in the queue of the loop
SEND_S = 0.1
READ_BYTES = 4096
_DATAGRAM_BYTES = 256
_CREDENTIALS = struct.Struct("iII")


class Stream:
    """A connected stream socket, as a Link uses it. `user`, `process`: who connected it, to be
    compared only.
    """

    def __init__(self, connection):
        connection.setblocking(False)
        self._connection = connection
        pid, uid, _ = _CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        self.user, self.process = uid, (uid, pid)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._connection.fileno()

    def read(self) -> bytes | None:
        """Bytes that have arrived, None at the end of the stream."""
        try:
            return self._connection.recv(READ_BYTES) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: bytes) -> int | None:
        """Number of bytes taken, None when the peer has gone."""
        try:
            return self._connection.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class SerialLine(SerialPort):
    """A serial line as a Link uses it: it never ends, the gateway opens a lost adapter again."""

    def write(self, data: bytes):
        """Number of bytes taken; all of them, in vain, while the adapter is gone."""
        super().write(data)
        return len(data) - self.pending


class Link:
    """`out`: bytes of an answer still to be written; `message`: what waits for the loop's answer
    until `due_us`, never both at once; `ended`: to be closed.
    """

    def __init__(self, stream, hints_path: str, now_us: int, form=None):
        """form: framing, None to tell it from the first byte."""
        self.stream, self._path, self._framing = stream, hints_path, form
        self.out, self.message, self.due_us = b"", None, 0
        self.ended = self._last = False
        self.heard_us = now_us
        self._answers = sender(SEND_S)

    def waits_for(self) -> tuple:
        """(descriptors to read, descriptors to write) whose readiness means something to
        `service`.
        """
        if self.out:
            return (), (self.stream,)
        return ((self._answers,) if self.message is not None else (self.stream,)), ()

    def service(self, now_us: int) -> None:
        """Go on as far as it goes without waiting."""
        if self.message is not None:
            self._hear(now_us)
        elif not self.out:
            self._read(now_us)
        while not self.ended and self._advance(now_us):
            pass

    def _read(self, now_us):
        data = self.stream.read()
        self.ended = data is None
        if data:
            self.heard_us = now_us
            self._framing = self._framing or framing.framing_of(data[0])
            self._framing.feed(data)

    def _advance(self, now_us):
        """Write what is to be written, then begin the next message. False when there is nothing
        more to do.
        """
        if self.out:
            count = self.stream.write(self.out)
            self.ended = count is None
            self.out = self.out[count or 0 :]
        if self.out or self.message is not None or self._framing is None:
            return False
        self.ended = self.ended or self._last
        return not self.ended and self._next(now_us)

    def _next(self, now_us):
        """Begin the next message. False when none has come whole."""
        try:
            message = self._framing.take()
        except framing.StreamError:
            self._last, message = True, None
        if message is framing.NOT_YET:
            return False
        self._begin(message, now_us)
        return True

    def _begin(self, message, now_us):
        try:
            if message == messages.HEAD:
                # the recorder leaves it beside
                return self._answer(messages.record_head(os.path.dirname(self._path)))
            data = messages.datagram(message)
            with sockets.short(self._path) as name:
                self._answers.sendto(data, name)
        except messages.MessageError as error:
            return self._answer(messages.problem(h.NOT_UNDERSTOOD, str(error)))
        except BlockingIOError:
            words = "The queue of hints is full: somebody floods it."
            return self._answer(messages.problem(h.BUSY, words))
        except OSError:
            return self._answer(messages.problem(h.NO_CONTROLLER))
        self.message, self.due_us = message, now_us + ANSWER_US
        return None

    def _hear(self, now_us):
        """Take the loop's answer, or give up waiting for it."""
        while self.message is not None:
            try:
                data = self._answers.recv(_DATAGRAM_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            answer = messages.answer(data, self.message)
            if answer is not None:
                self._answer(answer)
        if self.message is not None and now_us >= self.due_us:
            self._answer(messages.problem(h.NO_ANSWER))
            # an answer that comes after all must not be taken for one to the next message
            self._answers.close()
            self._answers = sender(SEND_S)

    def _answer(self, answer):
        self.message = None
        self.out = self._framing.packed(answer)

    def close(self) -> None:
        """Give sockets back."""
        self._answers.close()
        self.stream.close()
