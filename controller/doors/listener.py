"""A listening address: connections within limits of number and time, TLS, each in a task.

A client that breaks a rule, or sends or reads too slowly, is counted by its cause and dropped.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from controller.doors import addresses
from controller.doors.process import DoorError, House
from controller.system import caught, clock
from controller.system.paths import why

HANDSHAKE_S, WRITE_S, FULL_S, LINES_MAX = 5.0, 5.0, 0.1, 20
SEND_BYTES = 1 << 16  # buffered for a client; the kernel doubles its part
FULL, MADE_ROOM, HANDSHAKE, SLOW_READER = "connections", "made_room", "handshake", "slow_reader"
AT_ONCE = struct.pack("ii", 1, 0)  # what is not sent is dropped, and the client hears of it
Found = TypeVar("Found")


class Dropped(Exception):
    """The end of a connection. The text is the cause that is counted."""


class Connection:
    """One client: its address, or who it proves to be. is_waiting: no whole request has come, so it
    may make room.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(self, address: str) -> None:
        self.client, self.is_waiting, self.asked_us = address, True, clock.now_us()

    async def write(self, data: bytes) -> None:
        """Send it. Raises Dropped."""
        self.writer.write(data)
        await within(WRITE_S, self.writer.drain(), SLOW_READER)


class Listener:
    """`run` until cancelled. `port`: once it listens."""

    def __init__(
        self,
        values: dict[str, Any],
        tls: ssl.SSLContext | None,
        bytes_max: int,
        talk: Callable[[Connection], Awaitable[None]],
        count: Callable[[str, Connection], None],
        victim: Callable[[Connection], Connection | None],
    ) -> None:
        """values: of the table; talk: serves a connection; victim: which one makes room for one."""
        self._values, self._tls, self._bytes_max = values, tls, bytes_max
        self._talk, self._count, self._victim = talk, count, victim
        self.connections: dict[Connection, asyncio.Task[None]] = {}
        self._last = caught.Last("a connection is closed", LINES_MAX)
        self.port = 0

    async def run(self) -> None:
        """Accept connections. Raises OSError."""
        place = self._values["listen"], self._values["port"]
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        with socket.create_server(place, family=family, backlog=64) as listening:
            listening.setblocking(False)
            self.port = listening.getsockname()[1]
            try:
                while True:
                    await self._accept(listening)
            finally:
                for task in self.connections.values():
                    task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        try:
            own, peer = await asyncio.get_running_loop().sock_accept(listening)
        except OSError:  # no descriptor is left, or the client has gone
            await asyncio.sleep(FULL_S)
            return
        made = Connection(addresses.plain(peer[0]))
        if len(self.connections) >= self._values["connections_max"]:
            victim = self._victim(made)
            self._count(MADE_ROOM if victim else FULL, victim or made)
            if victim is None:
                own.close()
                return
            self.connections.pop(victim).cancel()
        task = asyncio.create_task(self._serve(own, made))
        self.connections[made] = task
        task.add_done_callback(lambda _: self.connections.pop(made, None))

    async def _serve(self, own: socket.socket, made: Connection) -> None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        made.reader, loop = asyncio.StreamReader(self._bytes_max), asyncio.get_running_loop()
        protocol, limit_s = asyncio.StreamReaderProtocol(made.reader), HANDSHAKE_S
        try:
            transport, _ = await loop.connect_accepted_socket(
                *(lambda: protocol, own),
                ssl=self._tls,
                ssl_handshake_timeout=limit_s if self._tls else None,
            )
        except OSError:
            self._count(HANDSHAKE, made)
            return
        made.writer, is_done = asyncio.StreamWriter(transport, protocol, made.reader, loop), False
        try:
            with self._last:
                is_done = await self._talked(made)
        finally:
            if not is_done:
                # else the kernel waits for a reader that never reads
                if transport.get_write_buffer_size() and not transport.is_closing():
                    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                transport.abort()
            made.writer.close()

    async def _talked(self, made: Connection) -> bool:
        """Serve it and close it. False if nothing can be sent any more."""
        try:
            await self._talk(made)
            made.writer.close()  # sends what is buffered, for ever to a client that does not read
            await within(WRITE_S, made.writer.wait_closed(), SLOW_READER)
        except Dropped as error:
            self._count(str(error), made)
            return False
        except (OSError, EOFError):  # the client has gone
            return False
        return True


async def within(time_s: float, work: Awaitable[Found], cause: str) -> Found:
    """What work returns. Raises Dropped for this cause if it takes longer."""
    try:
        async with asyncio.timeout(time_s):
            return await work
    except TimeoutError:
        raise Dropped(cause) from None


def tls(
    house: House, values: dict[str, Any], certificate: str, key: str, authority: str
) -> ssl.SSLContext | None:
    """TLS with the files that these keys of a table name, beside doors.toml; None without a
    certificate. authority: signs the clients, if it is given. Raises DoorError.
    """
    if not values[certificate]:
        return None
    paths = {name: house.settings.beside(values[name]) for name in (certificate, key, authority)}
    made, name = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), certificate
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(paths[certificate], paths[key])
        if values[authority]:
            name = authority
            made.load_verify_locations(paths[authority])
            made.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # also of ssl
        raise DoorError(f"{name}: {paths[name]} cannot be used: {why(error)}") from None
    return made
