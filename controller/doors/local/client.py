"""Serves one client of the local door. It answers each message before it reads the next one.

So every buffer holds at most one message, and a client that sends too much delays only itself. The
door has no keys and no rights: it can only pass on messages that a source has signed.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

from controller.core.base import hint_codes as h
from controller.doors import asking
from controller.doors.feed import Feed
from controller.doors.local import framing, messages
from controller.doors.local.framing import Framing, Message
from controller.doors.local.subscription import Subscription
from controller.forms.refusal import ConfigError
from controller.hints import wire as w
from controller.hints.client import ANSWER_S, sender
from controller.hints.no_answer import code_of, problem
from controller.system import sockets

# longest wait for room in the loop's queue; meanwhile the door serves no client
SEND_S = 0.1
FULL = "The queue of hints is full: a sender sends too many."


async def ready(descriptor: int, is_write: bool = False) -> None:
    """Wait until a file descriptor can be read, or written if `is_write`."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if is_write else (loop.add_reader, loop.remove_reader)
    )
    add(descriptor, event.set)
    try:
        await event.wait()
    finally:
        remove(descriptor)


class Client:
    """Answers the messages of one stream."""

    def __init__(
        self,
        run_directory: str,
        read: Callable[[], Awaitable[bytes]],
        write: Callable[[bytes], Awaitable[None]],
        form: Framing | None = None,
        feed: Feed | None = None,
        alive: Callable[[], None] = lambda: None,
    ):
        """read: returns the bytes that have arrived, b"" at the end. form: the framing.

        form None: the first byte shows the framing. feed: states for a client that subscribes; None
        on a line that is too slow. alive: called when the client has sent bytes or received a
        message.
        """
        self._directory, self._read, self._write = run_directory, read, write
        self._framing, self._feed, self._alive = form, feed, alive
        self._subscription: Subscription | None = None
        self._socket = sender(SEND_S)

    async def serve(self) -> None:
        """Answer messages until the stream ends. Raises Dropped, OSError."""
        try:
            while data := await self._next_bytes():
                self._alive()
                self._framing = self._framing or framing.framing_of(data[0])
                self._framing.feed(data)
                if not await self._served(self._framing):
                    return
        finally:
            self._socket.close()

    async def _served(self, form: Framing) -> bool:
        """Answer the complete messages that have arrived.

        False if the start of the next message cannot be found.
        """
        try:
            while (message := form.take()) is not framing.NOT_YET:
                await self._write(form.packed(await self._answer(message)))
        except framing.StreamError:
            await self._write(form.packed(await self._answer(None)))
            return False
        return True

    async def _next_bytes(self) -> bytes:
        """Wait for bytes; b"" at the end. Meanwhile a subscriber gets its messages."""
        if self._subscription is None or self._framing is None:
            return await self._read()
        reading = asyncio.ensure_future(self._read())
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            while not (await asyncio.wait((reading,), timeout=self._subscription.due_in_s()))[0]:
                if (news := await self._subscription.next()) is not None:
                    await self._write(self._framing.packed(news))
                    self._alive()
            return reading.result()
        finally:
            reading.cancel()

    async def _answer(self, message: Message | None) -> Message:
        try:
            if message == messages.HEAD:
                # the recorder writes the head into the run directory
                return messages.record_head(self._directory)
            if message is not None and message.keys() == {"ask"}:
                return await asking.asked(self._directory, message["ask"])
            if message is not None and "subscribe" in message:
                return self._subscribed(message)
            return await self._exchanged(messages.datagram(message), message or {})
        except ConfigError as error:
            return problem(h.NOT_UNDERSTOOD, str(error))

    def _subscribed(self, message: Message) -> Message:
        """Begin a subscription, or end it if the value is null."""
        if self._feed is None:
            raise ConfigError("subscribe: not on a serial line; allowed on the socket")
        is_end = message == {"subscribe": None}
        self._subscription = None if is_end else Subscription(self._feed, message)
        return {"subscribed": message["subscribe"]}

    async def _exchanged(self, data: bytes, message: Message) -> Message:
        """The answer of the loop to a datagram, or the reason why there is none."""
        try:
            with sockets.short(os.path.join(self._directory, "hints.sock")) as name:
                self._socket.sendto(data, name)
        except OSError as error:
            return problem(code_of(error), FULL if isinstance(error, BlockingIOError) else "")
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._heard(message)
        except TimeoutError:
            # a late answer must not count as the answer to the next message
            self._socket.close()
            self._socket = sender(SEND_S)
            return problem(code_of(None))

    async def _heard(self, message: Message) -> Message:
        while True:
            await ready(self._socket.fileno())
            with contextlib.suppress(BlockingIOError):
                data = self._socket.recv(w.DATAGRAM_BYTES_MAX, socket.MSG_DONTWAIT)
                if (answer := messages.answer(data, message)) is not None:
                    return answer
