"""Splits the bytes that a listener hears on a Modbus RTU line into requests and replies.

A listener sees both directions. Bytes are a frame if they have a length that their function allows,
and a good CRC. Some replies look like a read request. So if bytes after a request have its unit id
and function, they are first tried as its reply.
"""

from collections.abc import Iterator
from typing import NamedTuple

from drivers.buses.crc import FRAME_BYTES_MAX, crc16

REQUEST, REPLY = ">", "<"
READS, WRITES_ONE, WRITES = (1, 2, 3, 4), (5, 6), (15, 16)
FIXED_BYTES, EXCEPTION_BYTES = 8, 5
FRAME_BYTES_MIN = 4


class Piece(NamedTuple):
    """One frame, or bytes that are no frame (direction "?")."""

    direction: str
    data: bytes


class Stream:
    """Splits the bytes of a line. `feed` yields each whole frame. Call `flush` after a silence."""

    def __init__(self) -> None:
        self._buffer, self._request_head = bytearray(), b""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take bytes of the line. Yield each frame that is now whole."""
        self._buffer += data
        while piece := self._take_frame():
            yield piece

    def flush(self) -> Iterator[Piece]:
        """Yield the frames and other bytes that are left. After a silence they are complete."""
        noise = bytearray()
        while self._buffer:
            piece = self._take_frame()
            if piece:
                if noise:
                    yield Piece("?", bytes(noise))
                    noise.clear()
                yield piece
            else:
                noise.append(self._buffer.pop(0))
        if noise:
            yield Piece("?", bytes(noise))

    def _take_frame(self) -> Piece | None:
        """The frame at the beginning of the buffer, taken from it."""
        head = bytes(self._buffer[:FRAME_BYTES_MAX])
        if len(head) < FRAME_BYTES_MIN:
            return None
        order = (REPLY, REQUEST) if head[:2] == self._request_head else (REQUEST, REPLY)
        for direction in order:
            size = (_reply_bytes if direction == REPLY else _request_bytes)(head)
            if size and len(head) >= size and crc16(head[:size]) == 0:
                del self._buffer[:size]
                self._request_head = head[:2] if direction == REQUEST else b""
                return Piece(direction, head[:size])
        return None


def _request_bytes(head: bytes) -> int:
    """Length of a request that begins with these bytes. 0 if they begin no request."""
    if head[1] in (*READS, *WRITES_ONE):
        return FIXED_BYTES
    if head[1] in WRITES:
        return 9 + head[6] if len(head) > 6 else 0
    return 0


def _reply_bytes(head: bytes) -> int:
    """Length of a reply that begins with these bytes. 0 if they begin no reply."""
    if head[1] & 0x80:
        return EXCEPTION_BYTES
    if head[1] in READS:
        return 5 + head[2]
    return FIXED_BYTES if head[1] in (*WRITES_ONE, *WRITES) else 0
