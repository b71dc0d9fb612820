"""The receiver finds the reply to a request: it takes bytes and returns a PDU.

It recognises a reply by its head (unit id and function; for a read the byte count, for a write
address and value), its length and its CRC. The length is needed, because a good frame followed by
0x00 has a good CRC too.
"""

from drivers.buses.crc import FRAME_BYTES_MAX, crc16
from drivers.buses.rtu import Request

EXCEPTION_BYTES = 5


class Receiver:
    """Finds the reply to one request among noise, echo and other frames, in pieces of any size.

    The first place that looks like a reply is checked first, so that no frame inside a payload is
    taken for a reply. The echo is removed only once, because the reply may equal the request
    (function 6).
    """

    __slots__ = ("echo", "received", "_request", "_echo", "_buffer", "_unmatched")
    _request: Request  # set by expect()

    def __init__(self, echo: bool = False):
        self.echo, self._echo = echo, b""
        self.received = 0  # bytes since expect(), without the echo
        self._buffer = bytearray()
        self._unmatched = b""  # the first bytes since expect(), as long as no reply was found

    def expect(self, request: Request) -> None:
        """Forget all earlier bytes and wait for the reply to `request`."""
        self._request = request
        self.received, self._unmatched = 0, b""
        if self._buffer:
            self._buffer.clear()
        if self.echo:
            self._echo = request.frame

    def feed(self, data: bytes) -> bytes | None:
        """The verified PDU of the reply (or exception: function | 0x80, code); None until then."""
        request = self._request
        self.received += len(data)
        # the usual case first: one complete reply
        if len(data) == request.reply_bytes and not self._buffer and not self._echo:
            if data == request.last_reply:
                return request.last_pdu
            if data.startswith(request.head) and crc16(data) == 0:
                return _remember(request, data)
        self._buffer += data
        self._unmatched = (self._unmatched + data)[:FRAME_BYTES_MAX]
        if self._echo and not self._echo_removed(request):
            return None
        return self._search(request)

    def other_id(self) -> int | None:
        """The unit id of a complete reply or exception from another unit, or None."""
        request, seen = self._request, self._unmatched
        function = request.function
        for code, size in (function, request.reply_bytes), (function | 0x80, EXCEPTION_BYTES):
            for start in range(len(seen) - size + 1):
                is_code = seen[start + 1] == code and seen[start] != request.reply_id
                if is_code and crc16(seen[start : start + size]) == 0:
                    return seen[start]
        return None

    def _echo_removed(self, request: Request) -> bool:
        """True if a search is possible: the echo was removed, or it cannot look like a reply."""
        start = self._buffer.find(self._echo)
        if start < 0:
            return not request.frame.startswith(request.head)
        del self._buffer[: start + len(self._echo)]
        self.received -= len(self._echo)
        self._echo = b""
        return True

    def _search(self, request: Request) -> bytes | None:
        buffer = self._buffer
        exception_head = bytes((request.reply_id, request.function | 0x80))
        while True:
            start, size = _candidate(buffer, request, exception_head)
            if start < 0:
                del buffer[: -len(request.head)]  # the start of a reply may be among the last bytes
                return None
            if len(buffer) < start + size:
                return None
            frame = bytes(buffer[start : start + size])
            if crc16(frame) == 0:
                del buffer[: start + size]
                return _remember(request, frame) if size == request.reply_bytes else frame[1:-2]
            del buffer[: start + 1]


def _candidate(buffer: bytearray, request: Request, exception_head: bytes) -> tuple[int, int]:
    """(position, length) of the first place that may be a reply or exception, or position -1."""
    reply_at, exception_at = buffer.find(request.head), buffer.find(exception_head)
    if exception_at < 0 or 0 <= reply_at < exception_at:
        return reply_at, request.reply_bytes
    return exception_at, EXCEPTION_BYTES


def _remember(request: Request, frame: bytes) -> bytes:
    request.last_reply, request.last_pdu = frame, frame[1:-2]
    return frame[1:-2]
