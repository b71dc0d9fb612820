"""Runs the MQTT door, and keeps its connections to the broker open.

After a loss it connects again, with pauses that grow.
"""

import asyncio
import collections
import contextlib
from collections.abc import Awaitable, Callable

from controller.doors.mqtt import signed
from controller.doors.mqtt.commands import VERBS, CommandServer
from controller.doors.mqtt.outlet import Outlet
from controller.doors.process import House, Values
from controller.mqtt import login
from controller.mqtt.link import REFUSED, Broker, Link, Lost, Message, reconnecting
from controller.system.told import Told

PAUSE_S_MAX = 60.0
FAREWELL_S = 2.0
CHECK_S = 1.0


class Door:
    """One table [mqtt.NAME]."""

    def __init__(self, house: House, name: str, values: Values):
        self._house, self._values = house, values
        self._reporter, self.counts = Told(f"door mqtt.{name}"), collections.Counter[str]()
        self._base = f"firebreak/{values['cabinet']}"
        self._servers: dict[str, CommandServer | signed.Signed] = {}
        for source in values["sources"]:
            first, last = (house.run_directory, house.senders[source]), (self._base, self.counts)
            prefix = self._commands_of(source)
            self._servers |= {prefix + verb: CommandServer(*first, verb, *last) for verb in VERBS}
            self._servers[prefix + signed.VERB] = signed.Signed(*first, *last)
        self._outlet = Outlet(house.feed, self._base, values, self.counts)
        self._name = name
        self._links: dict[str, Link] = {}

    async def run(self) -> None:
        """Serve until cancelled.

        Each source has its own connection. If it sends too much, the broker drops only messages of
        this source.
        """
        sources = self._values["sources"]
        calls = [
            self._keep(self._outlet.run),
            *[self._keep(self._listen, name) for name in sources],
        ]
        calls += [server.run(self._reply) for server in self._servers.values()]
        tasks = [asyncio.create_task(call) for call in calls]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                if not task.cancelling():  # a second time would cut its farewell short
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, use: Callable[[Link], Awaitable[None]], source: str = "") -> None:
        """Keep one connection open: that of a source, or with source "" the publishing one."""

        async def connect() -> None:
            self._reporter.say(await self._connected(use, source))
            self.counts["lost"] += 1

        await reconnecting(connect, PAUSE_S_MAX)

    async def _connected(self, use: Callable[[Link], Awaitable[None]], source: str) -> str:
        """Run one connection from start to end. Returns the reason why it ended."""
        link = Link(self._broker(source), self._heard)
        try:
            await link.open()
            self.counts["connected"] += 1
            self._reporter.say(f"connected to {link.place}")
            if link.refused_topics:
                self._reporter.say(
                    f"the broker refuses the commands of {source}; see its access list"
                )
            self._links[source] = link
            await use(link)
        except Lost as lost:
            return str(lost)
        finally:
            if self._links.pop(source, None) and not source:
                await self._farewell(link)
            await link.close()
        return "ended"

    async def _listen(self, link: Link) -> None:
        while True:
            link.check()
            await asyncio.wait((link.lost,), timeout=CHECK_S)

    async def _farewell(self, link: Link) -> None:
        with contextlib.suppress(Lost, TimeoutError):
            answer = link.publish(f"{self._base}/online", "offline", retain=True)
            await asyncio.wait_for(answer, FAREWELL_S)

    def _heard(self, message: Message) -> None:
        """Take a message. The thread of the connection calls this."""
        if message.topic in self._servers:
            self._servers[message.topic].take(message)
        else:
            self.counts["foreign"] += 1

    def _commands_of(self, source: str) -> str:
        """Begin of the topics of a source's commands."""
        return f"{self._base}/command/{source}/"

    def _reply(
        self, source: str, topic: str, answer: str | bytes, correlation: bytes | None
    ) -> None:
        """Send an answer. If it cannot be sent, only count it, because a repeated command brings it
        again.
        """
        try:
            done = self._links[source].publish(topic, answer, correlation=correlation)
        except (KeyError, Lost):
            self.counts["unanswered"] += 1
            return
        done.add_done_callback(self._replied)

    def _replied(self, done: asyncio.Future[int]) -> None:
        if done.cancelled() or done.result() >= REFUSED:
            self.counts["unanswered"] += 1

    def _broker(self, source: str) -> Broker:
        """Address and login of the broker. Raises DoorError, OSError."""
        values, name = self._values, f"firebreak-{self._values['cabinet']}-{self._name}"
        return login.broker(
            values,
            self._house.settings.beside,
            f"{name}-{source}" if source else name,
            [topic for topic in self._servers if topic.startswith(self._commands_of(source))],
            "" if source else f"{self._base}/online",
        )
