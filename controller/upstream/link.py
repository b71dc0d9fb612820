"""One client of the gateway. The gateway sends the answer to a message before it reads the next. So
every buffer is bounded to one message, and a client that sends too much delays only itself.
"""

import os
import socket
import struct
from typing import Generic, TypeVar

from controller.core.base import hint_codes as h
from controller.forms.refusal import ConfigError
from controller.hints import wire as w
from controller.hints.client import sender
from controller.system import sockets
from controller.upstream import framing, messages
from controller.upstream.framing import Framing, Message
from controller.upstream.question import Question
from controller.upstream.subscription import Publisher, Subscription
from drivers.buses.serial_port import SerialPort

ANSWER_US = 2_000_000
# the longest wait for room in the queue of the loop; the gateway serves no client meanwhile
SEND_S = 0.1
READ_BYTES = 4096
_CREDENTIALS = struct.Struct("iII")


class Stream:
    """A connected stream socket. `user`, `process`: ids of the peer, for comparison only."""

    def __init__(self, connection: socket.socket) -> None:
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

    def send(self, data: bytes) -> int | None:
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
    """A serial line. It never ends: the gateway opens a lost adapter again."""

    def send(self, data: bytes) -> int:
        """Number of bytes taken. While the adapter is gone, all bytes are taken and lost."""
        self.write(data)
        return len(data) - self.pending


S = TypeVar("S", Stream, SerialLine)


class Link(Generic[S]):
    """`out`: bytes of an answer to be written; `message`: waits for the loop's answer until
    `due_us`, never both; `ended`: to be closed; `heard_us`: when the client's last bytes came.
    """

    def __init__(
        self,
        stream: S,
        hints_path: str,
        now_us: int,
        form: Framing | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        """form: the framing, or None to recognise it by the first byte. publisher: of states for a
        client that subscribes; None on a line too slow for them.
        """
        self.stream: S = stream
        self._path, self._framing = hints_path, form
        self.out, self.due_us = b"", 0
        self.message: Message | None = None
        self._publisher = publisher
        self._question: Question | None = None
        self._subscription: Subscription | None = None
        self.ended = self._last = False
        self.heard_us = now_us
        self._answers = sender(SEND_S)

    def waits_for(self) -> tuple:
        """(descriptors to read, descriptors to write) that `service` waits for."""
        if self.out:
            return (), (self.stream,)
        if self._question is not None:
            return (self._question,), ()
        return ((self._answers,) if self.message is not None else (self.stream,)), ()

    @property
    def next_us(self) -> int | None:
        """When `service` has work without an event; None: at an event only."""
        if self.message is not None:
            return self.due_us
        return self._subscription.due_us if self._subscription and self._is_idle else None

    def service(self, now_us: int) -> None:
        """Do all work that is possible without waiting."""
        if self._question is not None:
            self._answer(self._question.answer())
        elif self.message is not None:
            self._hear(now_us)
        elif self._is_idle:
            self._read(now_us)
        while not self.ended and self._advance(now_us):
            pass
        news = self._news(now_us) if self._is_idle else None
        if news is not None:
            self._answer(news)
            self._advance(now_us)
            self.heard_us = now_us

    def _news(self, now_us: int) -> Message | None:
        """What a subscriber has to get now, None for nothing."""
        if self._subscription is None or now_us < self._subscription.due_us:
            return None
        return self._subscription.next(now_us)

    @property
    def _is_idle(self) -> bool:
        return not (self.ended or self.out) and self.message is None and self._question is None

    def _read(self, now_us: int) -> None:
        data = self.stream.read()
        self.ended = data is None
        if data:
            self.heard_us = now_us
            self._framing = self._framing or framing.framing_of(data[0])
            self._framing.feed(data)

    def _advance(self, now_us: int) -> bool:
        """Write the answer, then begin the next message. False if the link has to wait."""
        if self.out:
            count = self.stream.send(self.out)
            self.ended = count is None
            self.out = self.out[count or 0 :]
        if not self._is_idle or self._framing is None:
            return False
        self.ended = self._last
        return not self.ended and self._next(self._framing, now_us)

    def _next(self, form: Framing, now_us: int) -> bool:
        """Begin the next message. False if no message is whole."""
        try:
            message = form.take()
        except framing.StreamError:
            self._last, message = True, None
        if message is framing.NOT_YET:
            return False
        answer = self._begin(message, now_us)
        if answer is not None:
            self._answer(answer)
        return True

    def _begin(self, message: Message | None, now_us: int) -> Message | None:
        """Send a message to the loop. Returns None, or an answer of the gateway itself."""
        try:
            if message == messages.HEAD:
                # the recorder writes it into the folder of the socket
                return messages.record_head(os.path.dirname(self._path))
            if message is not None and message.keys() == {"ask"}:
                self._question = Question(os.path.dirname(self._path), message["ask"], now_us)
                return None
            if message is not None and "subscribe" in message:
                return self._subscribe(message, now_us)
            data = messages.datagram(message)
            with sockets.short(self._path) as name:
                self._answers.sendto(data, name)
        except messages.MessageError as error:
            return messages.problem(h.NOT_UNDERSTOOD, str(error))
        except BlockingIOError:
            words = "The queue of hints is full: a sender sends too many."
            return messages.problem(h.BUSY, words)
        except OSError:
            return messages.problem(h.NO_CONTROLLER)
        self.message, self.due_us = message, now_us + ANSWER_US
        return None

    def _subscribe(self, message: Message, now_us: int) -> Message:
        """Begin, or with null end, a subscription. Returns the answer."""
        if self._publisher is None:
            raise messages.MessageError("subscribe: not on a serial line; allowed on the socket")
        if message == {"subscribe": None}:
            self._subscription = None
            return {"subscribed": None}
        try:
            self._subscription = Subscription(self._publisher, message, now_us)
        except ConfigError as error:
            raise messages.MessageError(str(error)) from None
        return {"subscribed": message["subscribe"]}

    def _hear(self, now_us: int) -> None:
        """Take the loop's answer, or end the wait for it."""
        while self.message is not None:
            try:
                data = self._answers.recv(w.DATAGRAM_BYTES_MAX, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            answer = messages.answer(data, self.message)
            if answer is not None:
                self._answer(answer)
        if self.message is not None and now_us >= self.due_us:
            self._answer(messages.problem(h.NO_ANSWER))
            # a late answer must not count as the answer to the next message
            self._answers.close()
            self._answers = sender(SEND_S)

    def _answer(self, answer: Message) -> None:
        self.message = self._question = None
        self.out = (self._framing or framing.JsonLines()).packed(answer)

    def drop(self) -> None:
        """Close the own sockets; the stream goes on with another Link."""
        self._answers.close()
        if self._question is not None:
            self._question.close()

    def close(self) -> None:
        """Close all sockets."""
        self.drop()
        self.stream.close()
