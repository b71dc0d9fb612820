"""Accepts connections at an address or path, with TLS if wanted, limited in number and time.

Each connection has its own task. A client that breaks a rule, or sends or reads too slowly, is
dropped and counted by cause.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from controller.doors.process import House, Values
from controller.forms import addresses
from controller.system import caught, clock, sockets
from controller.system.paths import why
from controller.system.told import DoorError

HANDSHAKE_S, WRITE_S, FULL_S, LINES_MAX = 5.0, 5.0, 0.1, 20
BACKLOG = 64
SEND_BYTES = 1 << 16  # send buffer of a client; the kernel doubles it
FULL, MADE_ROOM, HANDSHAKE, SLOW_READER = "connections", "made_room", "handshake", "slow_reader"
RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # for SO_LINGER: drop unsent data and reset the connection
Outcome = TypeVar("Outcome")


class Dropped(Exception):
    """A connection must end. The text is the cause, which is counted."""


class Connection:
    """One client. client: its address, or its proven name.

    is_waiting: no complete request has come yet, so this connection may make room for another one.
    write_s: longest time of a write.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(self, address: str):
        self.client, self.is_waiting, self.last_request_us = address, True, clock.now_us()
        self.write_s = WRITE_S

    async def write(self, data: bytes) -> None:
        """Send data to the client. Raises Dropped."""
        self.writer.write(data)
        await within(self.write_s, self.writer.drain(), SLOW_READER)


class Listener:
    """Accepts connections until it is cancelled.

    port: known once it listens. full: line that a client gets if no connection is free.
    """

    full = b""

    def __init__(
        self,
        values: Values,
        tls: ssl.SSLContext | None,
        bytes_max: int,
        talk: Callable[[Connection], Awaitable[None]],
        count: Callable[[str, Connection], None],
        victim: Callable[[Connection], Connection | None],
    ):
        """values: the table of the door. talk: serves a connection. count: counts a cause.

        victim: chooses the connection that makes room for a new one.
        """
        self._values, self._tls, self._bytes_max = values, tls, bytes_max
        self._talk, self._count, self._victim = talk, count, victim
        self.connections: dict[Connection, asyncio.Task[None]] = {}
        self._last = caught.Last("a connection is closed", LINES_MAX)
        self.port = 0

    async def run(self, began: Callable[[], None] = lambda: None) -> None:
        """Accept connections. began: is called once it listens. Raises DoorError, OSError."""
        with opened(self._values["listen"], self._values.get("port")) as listening:
            listening.setblocking(False)
            if listening.family != socket.AF_UNIX:
                self.port = listening.getsockname()[1]
            began()
            try:
                while True:
                    await self._accept(listening)
            finally:
                for task in self.connections.values():
                    task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        try:
            client_socket, peer = await asyncio.get_running_loop().sock_accept(listening)
        except OSError:  # no file descriptor is left, or the client has gone
            await asyncio.sleep(FULL_S)
            return
        connection = Connection(_client(client_socket, peer))
        if len(self.connections) >= self._values["connections_max"]:
            victim = self._victim(connection)
            self._count(MADE_ROOM if victim else FULL, victim or connection)
            if victim is None:
                with contextlib.suppress(OSError), client_socket:
                    client_socket.send(self.full, socket.MSG_DONTWAIT)
                return
            self.connections.pop(victim).cancel()
        task = asyncio.create_task(self._serve(client_socket, connection))
        self.connections[connection] = task
        task.add_done_callback(lambda _: self.connections.pop(connection, None))

    async def _serve(self, client_socket: socket.socket, connection: Connection) -> None:
        client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        connection.reader, loop = asyncio.StreamReader(self._bytes_max), asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(connection.reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                client_socket,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_S if self._tls else None,
            )
        except OSError:
            self._count(HANDSHAKE, connection)
            return
        connection.writer = asyncio.StreamWriter(transport, protocol, connection.reader, loop)
        is_done = False
        try:
            with self._last:
                is_done = await self._talked(connection)
        finally:
            if not is_done:
                # Otherwise the kernel would wait for a client that never reads.
                if transport.get_write_buffer_size() and not transport.is_closing():
                    client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
                transport.abort()
            connection.writer.close()

    async def _talked(self, connection: Connection) -> bool:
        """Serve a connection and close it. False if nothing more can be sent."""
        try:
            await self._talk(connection)
            connection.writer.close()  # sends the buffer; the next line bounds the time
            await within(connection.write_s, connection.writer.wait_closed(), SLOW_READER)
        except Dropped as error:
            self._count(str(error), connection)
            return False
        except (OSError, EOFError):  # the client has gone
            return False
        return True


@contextlib.contextmanager
def opened(place: str, port: int | None) -> Iterator[socket.socket]:
    """A listening socket at an address, or at a path if port is None. Raises DoorError, OSError."""
    if port is not None:
        family = socket.AF_INET6 if ":" in place else socket.AF_INET
        with socket.create_server((place, port), family=family, backlog=BACKLOG) as server:
            yield server
        return
    with at_path(place) as server:
        try:
            yield server
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place)


def at_path(path: str) -> socket.socket:
    """A listening stream socket at `path`. It replaces a socket that an ended process has left.

    DoorError: another process listens there, or the file is no socket.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with sockets.short(path) as name:
        _remove_left_over(path, name)
    with sockets.ready(server, path) as name:
        os.chmod(name, 0o660)
        server.listen(BACKLOG)
    return server


def _remove_left_over(path: str, name: str) -> None:
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise DoorError(f"{path}: exists and is not a socket; choose another --listen")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(name)
        except OSError:
            os.unlink(path)
            return
    raise DoorError(f"{path}: another gateway listens there")


def _client(client_socket: socket.socket, peer: Any) -> str:
    """The address of a client. At a path, it is the user and the process of the client."""
    if client_socket.family != socket.AF_UNIX:
        return addresses.plain(peer[0])
    credentials = client_socket.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, sockets.CREDENTIALS.size
    )
    process, user, _ = sockets.CREDENTIALS.unpack(credentials)
    return f"{user}/{process}"


async def within(time_s: float, work: Awaitable[Outcome], cause: str) -> Outcome:
    """The result of work. Raises Dropped with this cause if it takes longer than time_s."""
    try:
        async with asyncio.timeout(time_s):
            return await work
    except TimeoutError:
        raise Dropped(cause) from None


def tls(
    house: House, values: Values, certificate: str, key: str, authority: str
) -> ssl.SSLContext | None:
    """TLS with the files that these keys of a table name; None without a certificate.

    The files are in the folder of doors.toml. authority: CA of the clients, optional. Raises
    DoorError.
    """
    if not values[certificate]:
        return None
    paths = {name: house.settings.beside(values[name]) for name in (certificate, key, authority)}
    context, name = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), certificate
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(paths[certificate], paths[key])
        if values[authority]:
            name = authority
            context.load_verify_locations(paths[authority])
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is an OSError
        raise DoorError(f"{name}: {paths[name]} cannot be used: {why(error)}") from None
    return context
