"""Runs the Modbus door: answers reads and writes, within the limits of doors.toml.

A frame is: transaction (repeated in the answer), protocol 0, length, unit, PDU. The requests of a
client are answered one after the other, so they keep their order even if a write waits for the
loop. Further requests of the client then wait in the kernel.
"""

import asyncio
import struct
from collections import Counter
from typing import Any

from controller.doors import listener
from controller.doors.listener import Connection, Dropped, Listener
from controller.doors.modbus import in_force
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
)
from controller.doors.modbus.form import TLS
from controller.doors.modbus.image import TEMPLATE, covered, part, put
from controller.doors.modbus.values import of_state
from controller.doors.process import House, Values
from controller.hints import hint_statistics, no_answer
from controller.system import caught, clock
from controller.system.paths import say

HEAD = struct.Struct(">HHHB")
# unit numbers that address the server itself (Modbus Messaging on TCP/IP, Implementation Guide
# 1.0b)
DIRECT = 0, 255
LENGTH_MAX = 254  # unit id, and a PDU of 253 bytes
FRAME_S = 5.0  # longest time for a frame after its first byte
START_S = 1.0  # longest time for which a write waits for a state
OLD_S = 1.0  # if the state is older, the client waits for a new reading
READ, WRITE_ONE, WRITE = 3, 6, 16
READ_MAX, WRITE_MAX = 125, 123
ADDRESS, NO_UNIT = 2, 0x0B
CAUSES = {
    FUNCTION: "writes what `may` of its source, or of the door, does not allow in doors.toml",
    VALUE: "writes a value that is refused",
    FAILURE: f"writes, and {no_answer.NONE_ANSWERS}",
    BUSY: "writes more often than its source may",
}
DROP_TEXTS = {
    listener.FULL: "finds all connections taken",
    listener.MADE_ROOM: "gives its place to a listed client",
    listener.HANDSHAKE: "fails the handshake of TLS",
    listener.SLOW_READER: "does not read its answers",
}
LINES_MAX = 20


class Door:
    """One door with all its connections. `counts`: {cause: how often it occurred}."""

    def __init__(self, house: House, name: str, values: Values):
        self._house, self._title, self._values = house, f"modbus.{name}", values
        self._tls = listener.tls(house, values, *TLS)
        self._last = caught.Last(f"door {self._title}: a request has failed", LINES_MAX)
        sources = {
            name: Shared(name, house.senders[name]) for name in set(values["clients"].values())
        }
        self._controls = {
            client: Controls(client, sources[source], values)
            for client, source in values["clients"].items()
        }
        self._base: tuple[Any, bytes] = (None, TEMPLATE)
        self.counts: Counter[str] = Counter()
        self.listener = Listener(
            values, self._tls, LENGTH_MAX, self.talk, self._dropped, self._victim
        )

    async def run(self) -> None:
        """Serve until cancelled. Then log the totals in one line."""
        follow_task = asyncio.create_task(self._follow())
        try:
            await self.listener.run()
        finally:
            follow_task.cancel()
            if self.counts:
                totals = ", ".join(f"{cause}: {count}" for cause, count in self.counts.items())
                say(f"door {self._title}: closed; since it opened {totals}")

    async def _follow(self) -> None:
        """Keep the state fresh while a client is connected."""
        while True:
            is_used = bool(self.listener.connections)
            with self._last:
                await (self._house.feed.changed() if is_used else asyncio.sleep(OLD_S))

    def _victim(self, newcomer: Connection) -> Connection | None:
        """The connection that makes room for a new one, or None.

        A listed client replaces the unlisted connection that was silent for longest. If there is
        none, it replaces its own connection that was silent for longest. With TLS the newcomer is
        not known yet, so it replaces one too: otherwise clients that only begin handshakes could
        block the door.
        """
        if not self._tls and newcomer.client not in self._controls:
            return None
        held = self.listener.connections
        strangers = [connection for connection in held if connection.client not in self._controls]
        of_client = [connection for connection in held if connection.client == newcomer.client]
        return min(
            strangers or of_client, key=lambda connection: connection.last_request_us, default=None
        )

    async def talk(self, connection: Connection) -> None:
        """Serve one client. With TLS, its name is the common name in its certificate."""
        if self._tls is not None:
            connection.client = _common_name(connection.writer.get_extra_info("peercert"))
        if connection.client not in self._controls and self._values["others"] == "none":
            raise Dropped("is not listed")
        while True:
            transaction, unit, pdu = await self._frame(connection.reader)
            connection.last_request_us = clock.now_us()
            await self._house.feed.fresh(OLD_S)
            answer = await self._answer(connection.client, unit, pdu)
            await connection.write(HEAD.pack(transaction, 0, len(answer) + 1, unit) + answer)

    async def _frame(self, reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
        """(transaction, unit, PDU) of the next request. Raises Dropped, EOFError."""
        cause, loop = "is idle", asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._values["idle_s"]) as limit:
                first = await reader.readexactly(1)
                cause = "does not end a frame"
                limit.reschedule(loop.time() + FRAME_S)
                head = first + await reader.readexactly(HEAD.size - 1)
                transaction, protocol, length, unit = HEAD.unpack(head)
                if protocol or not 2 <= length <= LENGTH_MAX:
                    raise Dropped("sends what is no Modbus frame")
                return transaction, unit, await reader.readexactly(length - 1)
        except TimeoutError:
            raise Dropped(cause) from None

    def _dropped(self, cause: str, connection: Connection) -> None:
        self._count(DROP_TEXTS.get(cause, cause), connection.client)

    def _count(self, cause: str, client: str) -> None:
        """Count a cause, and log a line the first time."""
        self.counts[cause] += 1
        if self.counts[cause] == 1:
            say(f"door {self._title}: client {client!r} {cause}; more of this are only counted")

    async def _answer(self, client: str, unit: int, pdu: bytes) -> bytes:
        function = pdu[0]
        if unit not in (self._values["unit"], *DIRECT):
            return self._refused(client, function, NO_UNIT, "asks for an unknown unit")
        if function not in (READ, WRITE_ONE, WRITE):
            return self._refused(client, function, FUNCTION, "asks for an unknown function")
        return self._read(client, pdu) if function == READ else await self._written(client, pdu)

    def _refused(self, client: str, function: int, code: int, cause: str) -> bytes:
        self._count(cause, client)
        return bytes((function | 0x80, code))

    def _read(self, client: str, pdu: bytes) -> bytes:
        if len(pdu) != 5:
            return self._refused(client, READ, VALUE, "sends a wrong read")
        first, count = struct.unpack_from(">HH", pdu, 1)
        if not 1 <= count <= READ_MAX:
            return self._refused(client, READ, VALUE, "reads too many registers")
        registers = b""
        with self._last:
            registers = part(self._registers(client), first, count) or b""
        if self._last.is_caught:
            return bytes((READ | 0x80, FAILURE))
        if not registers:
            return self._refused(client, READ, ADDRESS, "reads registers that are not there")
        return bytes((READ, len(registers))) + registers

    async def _written(self, client: str, pdu: bytes) -> bytes:
        code, cause = FAILURE, CAUSES[FAILURE]
        with self._last:
            code, cause = await self._write(client, pdu)
        if code != OK:
            return self._refused(client, pdu[0], code, cause)
        return pdu[:5]

    async def _write(self, client: str, pdu: bytes) -> tuple[int, str]:
        """(exception code, cause) of a write."""
        written = _registers_of(pdu)
        if written is None:
            return VALUE, "sends a wrong write"
        controls = self._controls.get(client)
        if controls is None:
            return FUNCTION, "writes, but only reads are allowed to it"
        points = covered(*written)
        if points is None:
            return ADDRESS, "writes half a point, or no register"
        if (state := await self._house.feed.awaited(START_S)) is None:
            return FAILURE, CAUSES[FAILURE]
        present, changes = self._registers(client), {}
        for name, point, data in points:
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
        """The bytes of all registers, as this client sees them."""
        state = self._house.feed.live
        if state is None:
            return TEMPLATE
        if self._base[0] is not state:
            data = put(bytearray(TEMPLATE), of_state(state, self._values["unit"]))
            self._base = state, bytes(data)
        began_s, valid_s = self._house.feed.began_s, self._values["valid_s"]
        points = in_force.points(state, began_s, self._controls.get(client), valid_s)
        return put(bytearray(self._base[1]), points)

    def _valid_s_max(self, source: str) -> int:
        known = hint_statistics.of_source(self._house.run_directory, source)
        return int(known["valid_s_max"]) if known else VALID_S_MAX


def _registers_of(pdu: bytes) -> tuple[int, bytes] | None:
    """(first register, bytes) of a write; None if the write is wrong."""
    if pdu[0] == WRITE_ONE:
        return (int.from_bytes(pdu[1:3], "big"), pdu[3:5]) if len(pdu) == 5 else None
    if len(pdu) < 6:
        return None
    first, count, size = struct.unpack_from(">HHB", pdu, 1)
    is_whole = 1 <= count <= WRITE_MAX and size == 2 * count and len(pdu) == 6 + size
    return (first, pdu[6:]) if is_whole else None


def _common_name(certificate: dict[str, Any] | None) -> str:
    """The common name of a certificate; "" if it has none or several."""
    parts = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    names = [value for key, value in parts if key == "commonName"]
    return names[0] if len(names) == 1 else ""
