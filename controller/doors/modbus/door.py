"""The door: who connects, what each request reads or writes, and the file's limits on both."""

import asyncio
import os
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Awaitable
from typing import Any

from controller.doors.modbus import in_force
from controller.doors.modbus.clients import common_name, context, plain_address
from controller.doors.modbus.connection import UNSENT_BYTES_MAX, Connection
from controller.doors.modbus.controls import (
    BUSY,
    FAILURE,
    FUNCTION,
    OK,
    RANGES,
    VALID_S_MAX,
    VALUE,
    Controls,
    Shared,
    now,
)
from controller.doors.modbus.image import TEMPLATE, covered, part, put
from controller.doors.modbus.values import of_state
from controller.doors.process import House
from controller.hints import hint_statistics
from controller.system import caught
from controller.system.paths import say

READ, WRITE_ONE, WRITE = 3, 6, 16
READ_MAX, WRITE_MAX = 125, 123
ADDRESS, NO_UNIT = 2, 0x0B
CAUSES = {
    FUNCTION: "writes what `may` of its source, or of the door, does not allow in doors.toml",
    VALUE: "writes a value that is refused",
    FAILURE: "writes, and no controller answers",
    BUSY: "writes more often than its source may",
}
SWEEP_S = 1.0
OLD_S = 1.0  # the first client after a pause waits for a reading
HANDSHAKE_S = 5.0
LINES_MAX = 20


async def serve(house: House, name: str, values: dict[str, Any]) -> None:
    """Serve until cancelled. Raises DoorError, OSError."""
    door = Door(house, name, values)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(door), values["listen"], values["port"])
    followed = asyncio.create_task(door.follow())
    try:
        while True:
            await asyncio.sleep(SWEEP_S)
            door.sweep(door.now())
    finally:
        server.close()
        followed.cancel()
        door.close()


class Door:
    """One door with all its connections. `counts`: how often each cause came."""

    def __init__(self, house: House, name: str, values: dict[str, Any]) -> None:
        self._house, self._title, self._values = house, f"modbus.{name}", values
        self._tls = context(house.settings, values) if values["certificate"] else None
        self._last = caught.Last(f"door {self._title}: a request has failed", LINES_MAX)
        sources = {source: Shared(source, house.senders[source]) for source in _sources(values)}
        self._controls = {
            client: Controls(client, sources[source], values)
            for client, source in values["clients"].items()
        }
        self._connections: set[Connection] = set()
        self._occupied = asyncio.Event()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._base: tuple[Any, bytes] = (None, TEMPLATE)
        self.counts: Counter[str] = Counter()

    @staticmethod
    def now() -> float:
        """Seconds."""
        return now()

    def opened(self, connection: Connection) -> None:
        """Take a connection, or abort it."""
        self._connections.add(connection)
        self._occupied.set()
        own = connection.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES_MAX)
        peer = connection.transport.get_extra_info("peername")
        connection.client = address = plain_address(peer[0])
        if not self._has_room(connection):
            connection.abort("finds all connections taken")
        elif self._tls is not None:
            connection.transport.pause_reading()
            task = asyncio.ensure_future(self._secured(connection, address))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)
        else:
            self._admit(connection)

    def _has_room(self, newcomer: Connection) -> bool:
        """A listed client takes the place of the stranger who is silent for longest. With TLS every
        newcomer may be listed, so strangers who begin handshakes keep no place either.
        """
        if len(self._connections) <= self._values["connections_max"]:
            return True
        strangers = [
            each
            for each in self._connections
            if each.client not in self._controls and each is not newcomer
        ]
        if not strangers or not self._tls and newcomer.client not in self._controls:
            return False
        min(strangers, key=lambda each: each.request_s).abort("gives its place to a listed client")
        return True

    async def _secured(self, connection: Connection, address: str) -> None:
        """The handshake of TLS: no certificate of the authority, no connection."""
        assert self._tls is not None
        loop = asyncio.get_running_loop()
        try:
            made = await loop.start_tls(
                connection.transport,
                connection,
                self._tls,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
        except (OSError, ssl.SSLError):
            made = None
        if made is None:
            self.count("fails the handshake of TLS", address)
            self.closed(connection)
            connection.transport.abort()
            return
        connection.transport = made
        connection.client = common_name(made.get_extra_info("peercert"))
        self._admit(connection)

    def _admit(self, connection: Connection) -> None:
        if connection.client not in self._controls and self._values["others"] == "none":
            connection.abort("is not listed")
        else:
            connection.ready()

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._occupied.clear()

    async def follow(self) -> None:
        """Keep the state new while somebody is connected."""
        while True:
            await self._occupied.wait()
            await self._house.feed.changed()

    def close(self) -> None:
        """Abort all connections; the totals are one line."""
        for each in [*self._connections]:
            each.transport.abort()
        if self.counts:
            totals = ", ".join([f"{cause}: {count}" for cause, count in self.counts.items()])
            say(f"door {self._title}: closed; since it opened {totals}")

    def sweep(self, now_s: float) -> None:
        """Close what is idle or hangs."""
        for each in [*self._connections]:
            each.sweep(now_s, self._values["idle_s"])

    def count(self, cause: str, client: str) -> None:
        """Count a cause; its first one is a line."""
        self.counts[cause] += 1
        if self.counts[cause] == 1:
            say(f"door {self._title}: client {client!r} {cause}; more of this are only counted")

    def answer(self, client: str, unit: int, pdu: bytes) -> bytes | Awaitable[bytes]:
        """The PDU of the answer to a PDU."""
        function = pdu[0]
        if unit != self._values["unit"]:
            return self._refused(client, function, NO_UNIT, "asks for an unknown unit")
        if function not in (READ, WRITE_ONE, WRITE):
            return self._refused(client, function, FUNCTION, "asks for an unknown function")
        if function != READ:
            return self._written(client, pdu)
        if self._house.feed.is_older(OLD_S):
            return self._read_anew(client, pdu)
        return self._read(client, pdu)

    def _refused(self, client: str, function: int, code: int, cause: str) -> bytes:
        self.count(cause, client)
        return bytes((function | 0x80, code))

    async def _read_anew(self, client: str, pdu: bytes) -> bytes:
        await self._house.feed.fresh(OLD_S)
        return self._read(client, pdu)

    def _read(self, client: str, pdu: bytes) -> bytes:
        if len(pdu) != 5:
            return self._refused(client, READ, VALUE, "sends a wrong read")
        first, count = struct.unpack_from(">HH", pdu, 1)
        if not 1 <= count <= READ_MAX:
            return self._refused(client, READ, VALUE, "reads too many registers")
        found = b""
        with self._last:
            found = part(self._registers(client), first, count) or b""
        if self._last.is_caught:
            return bytes((READ | 0x80, FAILURE))
        if not found:
            return self._refused(client, READ, ADDRESS, "reads registers that are not there")
        return bytes((READ, len(found))) + found

    async def _written(self, client: str, pdu: bytes) -> bytes:
        code, cause = FAILURE, CAUSES[FAILURE]
        with self._last:
            await self._house.feed.fresh(OLD_S)
            code, cause = await self._write(client, pdu)
        if code != OK:
            return self._refused(client, pdu[0], code, cause)
        return pdu[:5]

    async def _write(self, client: str, pdu: bytes) -> tuple[int, str]:
        """(exception code, cause)."""
        written = _registers_of(pdu)
        if written is None:
            return VALUE, "sends a wrong write"
        controls = self._controls.get(client)
        if controls is None:
            return FUNCTION, "writes, but only reads are allowed to it"
        state, found = self._house.feed.live, covered(*written)
        if found is None:
            return ADDRESS, "writes half a point, or no register"
        if state is None:
            return FAILURE, CAUSES[FAILURE]
        present, changes = self._registers(client), {}
        for name, point, data in found:
            is_same = data == part(present, point.at, point.registers)
            number = point.number(data)
            if name not in RANGES and not point.access:
                return ADDRESS, "writes a register that can only be read"
            if is_same and (number is None or name not in RANGES):
                continue
            if number is None or name not in RANGES:
                return VALUE, "writes a value that is not offered here"
            changes[name] = number
        controls.rated_W = state["rated_W"]
        controls.valid_s_max = self._valid_s_max(controls.shared.name)
        began_s = self._house.feed.began_s
        code = await controls.write(changes, lambda: in_force.enabled(state, began_s, controls))
        return code, CAUSES.get(code, "")

    def _registers(self, client: str) -> bytes | bytearray:
        """All registers as this client sees them."""
        state = self._house.feed.live
        if state is None:
            return TEMPLATE
        if self._base[0] is not state:
            data = put(bytearray(TEMPLATE), of_state(state, self._values["unit"]))
            self._base = state, bytes(data)
        began_s, valid_s = self._house.feed.began_s, self._values["valid_s"]
        own = in_force.points(state, began_s, self._controls.get(client), valid_s)
        return put(bytearray(self._base[1]), own)

    def _valid_s_max(self, source: str) -> int:
        """How long a hint of the source may be valid."""
        path = os.path.join(self._house.run_directory, "hints.stats")
        try:
            known = hint_statistics.read(path)
        except OSError:
            known = None
        for each in known["sources"] if known else ():
            if each["name"] == source:
                return int(each["valid_s_max"])
        return VALID_S_MAX


def _sources(values: dict[str, Any]) -> set[str]:
    return set(values["clients"].values())


def _registers_of(pdu: bytes) -> tuple[int, bytes] | None:
    """(first register, bytes) of a write; None for a wrong one."""
    if pdu[0] == WRITE_ONE:
        return (int.from_bytes(pdu[1:3], "big"), pdu[3:5]) if len(pdu) == 5 else None
    if len(pdu) < 6:
        return None
    first, count, size = struct.unpack_from(">HHB", pdu, 1)
    is_whole = 1 <= count <= WRITE_MAX and size == 2 * count and len(pdu) == 6 + size
    return (first, pdu[6:]) if is_whole else None
