"""The door: keeps one connection to its broker, and connects again after growing pauses."""

import asyncio
import collections
import contextlib
import random
import ssl
from typing import Any

from controller.doors.mqtt.commands import VERBS, Answer, Desk
from controller.doors.mqtt.link import REFUSED, Broker, Link, Lost, Message
from controller.doors.mqtt.outlet import Outlet, text
from controller.doors.process import DoorError, House
from controller.system import clock
from controller.system.paths import plain, say

PAUSE_S, PAUSE_S_MAX = 1.0, 60.0
STEADY_US = 60_000_000  # a connection that lasted so long begins with the shortest pause again
AGAIN_US = 3_600_000_000  # one cause has one line an hour
CAUSES_MAX = 20
FAREWELL_S = 2.0
PASSWORD_BYTES_MAX = 1024


async def serve(house: House, name: str, values: dict[str, Any]) -> None:
    """Serve until cancelled. Raises DoorError, OSError."""
    await Door(house, name, values).run()


class Told:
    """A line for each cause, at most once an hour."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._said: dict[str, int] = {}

    def say(self, cause: str) -> None:
        """Say it if it is new."""
        now_us = clock.now_us()
        if now_us - self._said.get(cause, -AGAIN_US) < AGAIN_US:
            return
        if len(self._said) >= CAUSES_MAX:
            self._said.pop(next(iter(self._said)))
        self._said[cause] = now_us
        say(f"door {self._title}: {cause}")


class Door:
    """One table [mqtt.NAME]."""

    def __init__(self, house: House, name: str, values: dict[str, Any]) -> None:
        self._house, self._values = house, values
        self._told, self.counts = Told(f"mqtt.{name}"), collections.Counter[str]()
        self._base = f"firebreak/{values['cabinet']}"
        self._desks = {
            f"{self._base}/command/{source}/{verb}": Desk(
                house.run_directory, house.senders[source], verb, self._base, self.counts
            )
            for source in values["sources"]
            for verb in VERBS
        }
        self._outlet = Outlet(house.feed, self._base, values, self.counts)
        self._name = name
        self._link: Link | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        desks = [asyncio.create_task(desk.run(self._reply)) for desk in self._desks.values()]
        pause_s = PAUSE_S
        try:
            while True:
                began_us = clock.now_us()
                self._told.say(await self._connected())
                self.counts["lost"] += 1
                if clock.now_us() - began_us >= STEADY_US:
                    pause_s = PAUSE_S
                await asyncio.sleep(pause_s * random.uniform(0.5, 1))
                pause_s = min(PAUSE_S_MAX, 2 * pause_s)
        finally:
            for desk in desks:
                desk.cancel()

    async def _connected(self) -> str:
        """One connection from begin to end. Returns why it ended."""
        link = Link(self._broker(), self._heard)
        try:
            await link.open()
            self.counts["connected"] += 1
            self._told.say(f"connected to {link.place}")
            if link.refused_topics:
                self._told.say("the broker refuses topics of commands; see its access list")
            self._link = link
            await self._outlet.run(link)
        except Lost as lost:
            return str(lost)
        finally:
            if self._link is not None:
                await self._farewell(link)
            self._link = None
            await link.close()
        return "ended"

    async def _farewell(self, link: Link) -> None:
        with contextlib.suppress(Lost, TimeoutError):
            answer = link.publish(f"{self._base}/online", "offline", retain=True)
            await asyncio.wait_for(answer, FAREWELL_S)

    def _heard(self, message: Message) -> None:
        """Called in the thread of the connection."""
        if message.topic in self._desks:
            self._desks[message.topic].take(message)
        else:
            self.counts["foreign"] += 1

    def _reply(self, topic: str, answer: Answer, correlation: bytes | None) -> None:
        """An answer that cannot leave is counted: the same command again brings it."""
        try:
            if self._link is None:
                raise Lost
            done = self._link.publish(topic, text(answer), correlation=correlation)
        except Lost:
            self.counts["unanswered"] += 1
            return
        done.add_done_callback(self._replied)

    def _replied(self, done: asyncio.Future[int]) -> None:
        if done.cancelled() or done.result() >= REFUSED:
            self.counts["unanswered"] += 1

    def _broker(self) -> Broker:
        """Read the files anew, since certificates are renewed. Raises DoorError."""
        values = self._values
        login = (values["user"], self._password()) if values["user"] else None
        return Broker(
            *(values["host"], values["port"], values["protocol"] == "5", values["keepalive_s"]),
            f"firebreak-{values['cabinet']}-{self._name}",
            self._context() if values["tls"] else None,
            login,
            list(self._desks),
            f"{self._base}/online",
        )

    def _password(self) -> str:
        path = self._house.settings.beside(self._values["password_file"])
        with open(path, "rb") as file:
            line = file.read(PASSWORD_BYTES_MAX)
        try:
            return line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise DoorError(f"{path}: is not a text") from None

    def _context(self) -> ssl.SSLContext:
        beside, values = self._house.settings.beside, self._values
        ca, certificate, key = [
            values[name] and beside(values[name])
            for name in ("ca", "certificate", "certificate_key")
        ]
        try:
            place = ca
            context = ssl.create_default_context(cafile=ca)
            if certificate:
                place = certificate
                context.load_cert_chain(certificate, key)
        except OSError as error:  # an SSLError is one
            words = "is no certificate" if isinstance(error, ssl.SSLError) else plain(error, place)
            raise DoorError(f"{place}: {words}" if words[0] != "/" else words) from None
        return context
