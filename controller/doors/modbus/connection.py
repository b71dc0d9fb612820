"""One connection of Modbus TCP: frames in, answers out in the same order.

A frame: transaction (kept in the answer), protocol 0, length, unit, PDU. A read is answered at
once. While a write waits for the loop, the connection reads nothing more: what the client sends
meanwhile waits in the kernel. So pipelined requests keep their order, and the memory of a
connection is bounded by its buffer. A client that does not read its answers is dropped.
"""

import asyncio
import struct
from collections.abc import Awaitable
from typing import Protocol

HEAD = struct.Struct(">HHHB")
LENGTH_MAX = 254  # unit and a PDU of 253 bytes
BUFFER_BYTES = 1024
UNSENT_BYTES_MAX = 32_768
HALF_S = 5.0  # for the rest of a frame


class Serves(Protocol):
    """The door, as its connections see it."""

    def opened(self, connection: "Connection") -> None:
        """Count a new connection, or abort it."""

    def closed(self, connection: "Connection") -> None:
        """Forget it."""

    def count(self, cause: str, client: str) -> None:
        """Count what was wrong."""

    def answer(self, client: str, unit: int, pdu: bytes) -> bytes | Awaitable[bytes]:
        """The PDU of the answer."""

    def now(self) -> float:
        """Seconds."""


class Connection(asyncio.BufferedProtocol):
    """client: its address, or the common name of its certificate; empty until that is known."""

    def __init__(self, door: Serves) -> None:
        self._door = door
        self.transport: asyncio.Transport
        self.client = ""
        self._buffer, self._used = bytearray(BUFFER_BYTES), 0
        self._task: asyncio.Task[None] | None = None
        self._is_ready = False
        self.request_s, self.half_s = door.now(), 0.0  # of the last request; of a begun frame

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the queue of answers, then ask the door."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._door.opened(self)

    def ready(self) -> None:
        """Serve from now on. With TLS the first requests may have come with its last handshake
        bytes: they wait in the buffer, or their answers would leave unencrypted.
        """
        self._is_ready = True
        self.transport.set_write_buffer_limits(UNSENT_BYTES_MAX)
        self._frames()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection. A write that waits for the loop goes on: the loop may have it."""
        self._door.closed(self)

    def pause_writing(self) -> None:
        """The answers pile up."""
        self.abort("does not read its answers")

    def abort(self, cause: str) -> None:
        """Close at once, and count why."""
        if not self.transport.is_closing():
            self._door.count(cause, self.client)
            self.transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Room for the next bytes."""
        return memoryview(self._buffer)[self._used :]

    def buffer_updated(self, count: int) -> None:
        """Bytes have come."""
        self._used += count
        if self._is_ready:
            self._frames()

    def sweep(self, now_s: float, idle_s: float) -> None:
        """Close a connection that is idle, or has begun a frame and does not end it."""
        if self._task is not None:
            return
        if self.half_s and now_s - self.half_s > HALF_S:
            self.abort("does not end a frame")
        elif now_s - self.request_s > idle_s:
            self.abort("is idle")

    def _frames(self) -> None:
        """Serve each whole frame in the buffer, until a write waits for the loop."""
        at = 0
        while self._task is None and self._used - at >= HEAD.size:
            transaction, protocol, length, unit = HEAD.unpack_from(self._buffer, at)
            if protocol or not 2 <= length <= LENGTH_MAX:
                self.abort("sends what is no Modbus frame")
            if self.transport.is_closing():
                return
            end = at + HEAD.size - 1 + length
            if end > self._used:
                break
            self._serve(transaction, unit, bytes(self._buffer[at + HEAD.size : end]))
            at = end
        self._buffer[: self._used - at] = self._buffer[at : self._used]
        self._used -= at
        if at or not self._used:
            self.half_s = self._door.now() if self._used else 0.0
        elif not self.half_s:
            self.half_s = self._door.now()

    def _serve(self, transaction: int, unit: int, pdu: bytes) -> None:
        self.request_s = self._door.now()
        answer = self._door.answer(self.client, unit, pdu)
        if isinstance(answer, bytes):
            self._send(transaction, unit, answer)
            return
        self.transport.pause_reading()
        self._task = asyncio.ensure_future(self._later(transaction, unit, answer))

    async def _later(self, transaction: int, unit: int, answer: Awaitable[bytes]) -> None:
        found = await answer
        self._task = None
        if not self.transport.is_closing():
            self._send(transaction, unit, found)
            self._frames()
        if self._task is None and not self.transport.is_closing():
            self.transport.resume_reading()

    def _send(self, transaction: int, unit: int, pdu: bytes) -> None:
        self.transport.write(HEAD.pack(transaction, 0, len(pdu) + 1, unit) + pdu)
