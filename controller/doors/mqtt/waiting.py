"""The commands of one topic that wait to be served.

The thread of the connection calls `take`, so that a message that is no command takes no place in
the queue. Everything else runs in asyncio.
"""

import asyncio
import collections
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from controller.mqtt.link import Message
from controller.system import caught, clock

WAITING_MAX = 20
LATE_US = 5_000_000  # a command that waited longer is not taken
LINES_MAX = 5
Reply = Callable[[str, str, str | bytes, bytes | None], None]  # source, topic, answer, correlation


class Command(NamedTuple):
    """A message in the queue of its topic."""

    message: Message
    came_us: int

    def is_late(self) -> bool:
        """True if it waited longer than its sender or LATE_US allows."""
        expires_s = self.message.expires_s
        late_us = LATE_US if expires_s is None else min(LATE_US, expires_s * 1_000_000)
        return clock.now_us() - self.came_us >= late_us


class Waiting:
    """A queue of at most WAITING_MAX commands. If it is full, it drops the new command. With
    keeps_newest it drops its oldest one instead.
    """

    def __init__(
        self,
        counts: collections.Counter[str],
        fault_of: Callable[[bytes], str],
        *,
        keeps_newest: bool = False,
    ):
        """counts: {kind of event: how often it occurred}. fault_of: returns the kind of a payload
        that is no command, else ''; it must not raise.
        """
        self._counts, self._fault_of, self._keeps_newest = counts, fault_of, keeps_newest
        self._commands: collections.deque[Command] = collections.deque(maxlen=WAITING_MAX)
        self._woken, self._loop = asyncio.Event(), asyncio.get_running_loop()

    def take(self, message: Message) -> None:
        """Put a message into the queue, or count its fault."""
        fault = "retained" if message.is_retained else self._fault_of(message.payload)
        is_full = len(self._commands) >= WAITING_MAX
        if fault or is_full:
            self._counts[fault or "crowded"] += 1
        if fault or is_full and not self._keeps_newest:
            return
        self._commands.append(Command(message, clock.now_us()))  # a full deque drops its oldest
        if not self._woken.is_set():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def serve(self, title: str, use: Callable[[Command], Awaitable[None]]) -> None:
        """Serve the commands one after the other. title: the line after an exception."""
        fault = caught.Last(title, LINES_MAX)
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._commands:
                command = self._commands.popleft()
                with fault:
                    await use(command)
