"""Reads the messages of a broker about a fleet, and sends nothing. A lost connection is opened
again. Each reader has its own client id, so that it never takes the place of another client.
"""

import asyncio
import collections
import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable

from controller.dispatch.fleet import Fleet
from controller.dispatch.overview import Overview
from controller.mqtt import login
from controller.mqtt.link import Link, Lost, Message
from controller.system import clock

COLLECT_US = 5_000_000  # the state of the dispatcher comes each 2 s
TURN_MS = 50
DRAW_MS = 1000
AGAIN_S = 2  # pause after a connection was lost
WAITING_MAX = 20_000  # messages that wait; the oldest ones are dropped
Draw = Callable[[Overview, int, str], None]  # view, time in us, reason of a lost connection


class Reader:
    """One fleet. Call `once` or `watch`."""

    def __init__(self, fleet: Fleet):
        self.overview = Overview(fleet)
        self._waiting: collections.deque[Message] = collections.deque(maxlen=WAITING_MAX)
        self._client_id = f"firebreak-fleet-{fleet.source}-{secrets.token_hex(4)}"

    @property
    def now_us(self) -> int:
        """Time of the clock that the overview counts with."""
        return clock.now_us()

    async def once(self) -> None:
        """Collect messages until the overview is complete, at most COLLECT_US. Raises Lost,
        DoorError, OSError.
        """
        until_us = self.now_us + COLLECT_US
        async with contextlib.aclosing(self._turns(TURN_MS)) as turns:
            async for _ in turns:
                if self.now_us >= until_us or self.overview.is_complete():
                    return

    async def watch(self, draw: Draw) -> None:
        """Call `draw` each second until cancelled. Raises DoorError, OSError."""
        while True:
            try:
                async with contextlib.aclosing(self._turns(DRAW_MS)) as turns:
                    async for _ in turns:
                        draw(self.overview, self.now_us, "")
            except Lost as lost:
                draw(self.overview, self.now_us, str(lost))
            await asyncio.sleep(AGAIN_S)

    async def _turns(self, turn_ms: int) -> AsyncGenerator[None, None]:
        """Open a connection. Take its messages, then yield, every turn_ms. Raises Lost, DoorError,
        OSError.
        """
        fleet, topics = self.overview.fleet, self.overview.topics
        broker = login.broker(fleet.broker, fleet.beside, self._client_id, topics, marks_live=True)
        link = Link(broker, self._waiting.append)
        try:
            await link.open()
            if link.refused_topics:
                raise Lost(f"the broker refuses to read {', '.join(topics)}; see its access list")
            while True:
                link.check()
                while self._waiting:
                    message = self._waiting.popleft()
                    self.overview.hear(
                        message.topic, message.payload, message.is_retained, self.now_us
                    )
                yield
                await asyncio.sleep(turn_ms / 1000)
        finally:
            await link.close()
