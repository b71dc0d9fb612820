"""Runs the local door: a UNIX stream socket and, if doors.toml names one, a serial line."""

import asyncio
import collections
import contextlib
import functools
from collections.abc import Callable, Hashable

from controller.core.base import hint_codes as h
from controller.doors.listener import LINES_MAX, Connection, Listener
from controller.doors.local import framing
from controller.doors.local.client import Client, ready
from controller.doors.process import House, Values
from controller.hints.no_answer import problem
from controller.system import caught, clock
from controller.system.paths import say
from controller.system.told import DoorError
from drivers.buses.serial_port import SerialPort, SerialPortError

IDLE_US = 300_000_000  # a connection that is silent for longer makes room for a new one
PERIOD_S = 0.1  # shortest period of the state for subscribers
READ_BYTES = 4096
SERIAL_RETRY_S = 0.2


class Door:
    """One table [local.NAME]."""

    def __init__(self, house: House, name: str, values: Values):
        self._house, self._values = house, values
        self._house.feed.period_s = PERIOD_S
        self.line: SerialLine | None = None
        self._last = caught.Last("the message of a serial line is dropped", LINES_MAX)
        self.counts: collections.Counter[str] = collections.Counter()
        self.listener = Listener(values, None, READ_BYTES, self._talk, self._count, self._victim)
        self.listener.full = framing.JsonLines().packed(problem(h.CROWDED))

    async def run(self) -> None:
        """Serve until cancelled."""
        tty, baud_Bd = self._values["serial"], self._values["baud_Bd"]
        self.line = line = SerialLine(tty, baud_Bd) if tty else None
        more = f" and {tty} at {baud_Bd} Bd" if tty else ""
        text = f"upstream: listening on {self._values['listen']}{more}"
        serial_task = asyncio.create_task(self._follow(line)) if line else None
        try:
            await self.listener.run(lambda: say(text))
        finally:
            if serial_task is not None:
                serial_task.cancel()

    async def _talk(self, connection: Connection) -> None:
        connection.write_s = IDLE_US / 1e6
        connection.writer.transport.set_write_buffer_limits(0)

        def alive() -> None:
            connection.last_request_us = clock.now_us()

        read = functools.partial(connection.reader.read, READ_BYTES)
        arguments = self._house.run_directory, read, connection.write
        await Client(*arguments, feed=self._house.feed, alive=alive).serve()

    async def _follow(self, line: "SerialLine") -> None:
        """Serve the serial line. After a fault, go on with the next message."""
        with contextlib.closing(line.port):
            while True:
                with self._last:
                    form = framing.JsonLines()
                    await Client(self._house.run_directory, line.read, line.send, form).serve()
                await asyncio.sleep(SERIAL_RETRY_S)

    def _count(self, cause: str, connection: Connection) -> None:
        self.counts[cause] += 1

    def _victim(self, newcomer: Connection) -> Connection | None:
        """The connection that makes room for a new one, or None.

        First come connections that were silent for IDLE_US. Otherwise it is a connection of a user
        (or process) that holds at least two more than the user (or process) of the new one. If
        several connections qualify, the one that was silent for longest makes room.
        """
        held, now_us = list(self.listener.connections), clock.now_us()
        candidates = [
            connection for connection in held if now_us - connection.last_request_us >= IDLE_US
        ]
        candidates = candidates or greediest(held, newcomer, user_of)
        candidates = candidates or greediest(held, newcomer, lambda connection: connection.client)
        return min(candidates, key=lambda connection: connection.last_request_us, default=None)


def user_of(connection: Connection) -> str:
    """The user of a client."""
    return connection.client.partition("/")[0]


def greediest(
    held: list[Connection], newcomer: Connection, owner: Callable[[Connection], Hashable]
) -> list[Connection]:
    """Connections of the owner that has most connections.

    [] if it has fewer than two more than the owner of the new connection.
    """
    counts = collections.Counter(map(owner, held))
    most, count = counts.most_common(1)[0]
    if count <= counts[owner(newcomer)] + 1:
        return []
    return [connection for connection in held if owner(connection) == most]


class SerialLine:
    """A serial line. It never ends, because a lost adapter is opened again."""

    def __init__(self, tty: str, baud_Bd: int):
        """Open the serial line. Raises DoorError."""
        self.port = SerialPort(tty, baud_Bd)
        try:
            self.port.open()
        except SerialPortError as error:
            raise DoorError(str(error)) from None

    async def read(self) -> bytes:
        """Wait for bytes and return them."""
        while True:
            while not self.port.service(clock.now_us()):
                await asyncio.sleep(SERIAL_RETRY_S)
            await ready(self.port.fileno())
            if data := self.port.read():
                return data

    async def send(self, data: bytes) -> None:
        """Send an answer. It is lost while the adapter is missing."""
        self.port.write(data)
        while self.port.pending:
            await ready(self.port.fileno(), is_write=True)
            self.port.write(b"")
