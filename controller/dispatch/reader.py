"""Reads what a broker has about a fleet, and sends nothing: one connection, opened again if it is
lost. Each reader has a client id of its own, so that it never takes the place of another client.
"""

import asyncio
import collections
import secrets
from collections.abc import Callable

from controller.dispatch.fleet import Fleet
from controller.dispatch.overview import Overview
from controller.doors.mqtt import login
from controller.doors.mqtt.link import Broker, Link, Lost, Message
from controller.system import clock

COLLECT_S = 5.0  # the state of the dispatcher comes each 2 s
TURN_S = 0.05
DRAW_S = 1.0
AGAIN_S = 2.0  # pause after a connection was lost
WAITING_MAX = 20_000  # messages that wait; the oldest ones are dropped
Draw = Callable[[Overview, float, str], None]  # view, time in ms, why there is no connection


class Reader:
    """One fleet. Call `once` or `watch`."""

    def __init__(self, fleet: Fleet) -> None:
        self.overview = Overview(fleet)
        self._waiting: collections.deque[Message] = collections.deque(maxlen=WAITING_MAX)
        self._id = f"firebreak-fleet-{fleet.source}-{secrets.token_hex(4)}"

    @property
    def now_ms(self) -> float:
        """Milliseconds of the clock that the overview counts with."""
        return clock.now_us() / 1000

    async def once(self) -> None:
        """Collect until all cabinets have reported, or the time is over. Raises Lost, DoorError,
        OSError.
        """
        link = Link(self._broker(), self._waiting.append)
        try:
            await self._open(link)
            until_ms = self.now_ms + COLLECT_S * 1000
            while self.now_ms < until_ms and not self.overview.is_complete():
                link.check()
                await asyncio.sleep(TURN_S)
                self._take()
        finally:
            await link.close()

    async def watch(self, draw: Draw) -> None:
        """Call `draw` each second until cancelled. Raises DoorError, OSError."""
        trouble = ""
        while True:
            link = Link(self._broker(), self._waiting.append)
            try:
                await self._open(link)
                while True:
                    link.check()
                    self._take()
                    draw(self.overview, self.now_ms, "")
                    await asyncio.sleep(DRAW_S)
            except Lost as lost:
                trouble = str(lost)
            finally:
                await link.close()
            draw(self.overview, self.now_ms, trouble)
            await asyncio.sleep(AGAIN_S)

    async def _open(self, link: Link) -> None:
        await link.open()
        if link.refused_topics:
            topics = ", ".join(self.overview.topics)
            raise Lost(f"the broker refuses to read {topics}; see its access list")

    def _take(self) -> None:
        while self._waiting:
            each = self._waiting.popleft()
            self.overview.hear(each.topic, each.payload, each.is_retained, self.now_ms)

    def _broker(self) -> Broker:
        fleet = self.overview.fleet
        found = login.broker(fleet.broker, fleet.beside, self._id, self.overview.topics)
        return found._replace(marks_live=True)
