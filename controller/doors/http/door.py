"""The door: accepts connections, keeps their number within its limit, serves each in a task."""

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from controller.doors.http.connection import HEAD_MAX, Client
from controller.doors.http.counts import Counts
from controller.doors.http.guard import Guard
from controller.doors.http.pages import Pages
from controller.doors.http.stream import Stream
from controller.doors.process import DoorError, House
from controller.system import caught
from controller.system.paths import why

HANDSHAKE_S, FULL_S, LINES_MAX = 5.0, 0.1, 20
SEND_BYTES = 1 << 16  # buffered for a client; the kernel doubles its part


async def serve(house: House, name: str, values: dict[str, Any]) -> None:
    """Serve until cancelled. Raises DoorError, OSError."""
    await Door(house, values).run()


class Door:
    """One listening address."""

    def __init__(self, house: House, values: dict[str, Any]) -> None:
        self._values, self._tls = values, _tls(house, values)
        self.counts, stream = Counts(values["connections_max"] // 2), Stream(house.feed)
        self._pages, self._rules = Pages(house, stream, self.counts), Guard(values)
        self._clients: dict[asyncio.Task[None], Client | None] = {}
        self._last = caught.Last("http door: connection closed", LINES_MAX)
        self.counts.gauges = lambda: (len(self._clients), stream.clients)
        self.port = 0  # once it listens

    async def run(self) -> None:
        """Accept connections until cancelled."""
        address = self._values["listen"], self._values["port"]
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.create_server(address, family=family, backlog=64) as listening:
            listening.setblocking(False)
            self.port = listening.getsockname()[1]
            try:
                while True:
                    await self._accept(listening)
            finally:
                for task in self._clients:
                    task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        except OSError:  # no descriptor is left, or the client has gone
            await asyncio.sleep(FULL_S)
            return
        if len(self._clients) >= self._values["connections_max"] and not self._made_room():
            self.counts.refused["connections"] += 1
            connection.close()
            return
        task = asyncio.create_task(self._serve(connection))
        self._clients[task] = None
        task.add_done_callback(lambda done: self._clients.pop(done, None))

    def _made_room(self) -> bool:
        """End the oldest connection that has sent no whole request."""
        for task, client in self._clients.items():
            if client is None or client.is_waiting:
                self.counts.refused["made_room"] += 1
                self._clients.pop(task)
                task.cancel()
                return True
        return False

    async def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        reader = asyncio.StreamReader(HEAD_MAX)
        protocol, loop = asyncio.StreamReaderProtocol(reader), asyncio.get_running_loop()
        limit_s = HANDSHAKE_S if self._tls else None
        with contextlib.suppress(OSError):
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._tls, ssl_handshake_timeout=limit_s
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            await self._talk(reader, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        client = Client((reader, writer), self._rules, self._pages.answer, self.counts)
        if task in self._clients:
            self._clients[task] = client
        try:
            with self._last:
                await client.serve()
        finally:
            if client.is_broken or self._last.is_caught:
                writer.transport.abort()
            writer.close()


def _tls(house: House, values: dict[str, Any]) -> ssl.SSLContext | None:
    """Certificate and key lie beside doors.toml. Raises DoorError."""
    if not values["certificate"]:
        return None
    beside = house.settings.beside
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    name = "certificate"
    try:
        context.load_cert_chain(beside(values["certificate"]), beside(values["key"]))
        if values["client_ca"]:
            name = "client_ca"
            context.load_verify_locations(beside(values["client_ca"]))
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # also of ssl
        raise DoorError(f"{name}: {beside(values[name])} cannot be used: {why(error)}") from None
    return context
