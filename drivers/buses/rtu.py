"""Modbus RTU frames: CRC, requests as whole frames, and a receiver that finds the one reply it
waits for.

No I/O and no clock here: bytes in, PDU out. pymodbus checks the requests in the tests. It is not
used here, because importing it takes 90 ms, and its framer drops a good frame behind noise and
accepts a reply of another function or size.

A reply is recognised by what can be predicted from its request: unit id, function and byte count of
a read (3 bytes), unit id, function, address and count (or value) of a write (6 bytes), then the
exact length, then the CRC. The length must decide: the CRC of a good frame followed by 0x00 is good
as well.
"""

from array import array
from functools import lru_cache
from struct import Struct

STOP, WRITE, READ = range(3)  # priority on the bus, lower goes first
# kinds of failure; the code is the Modbus exception code, else 0
TIMEOUT, EXCEPTION, BAD_REPLY = range(3)
FAILURES = ("timeout", "exception", "bad reply")

READ_COILS, READ_DISCRETE_INPUTS, READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 6, 15, 16

FRAME_BYTES_MAX = 256  # Modbus over serial line V1.02, 4.1
EXCEPTION_BYTES = 5
UNIT_ID_MAX = 255  # 248..255 are reserved, yet meters and converters ship with them
FRAMES_CACHED = 1024  # identical writes (coils of each tick, a held set-point) are encoded once

# function: most bits or registers that one request reads
_READS = {
    READ_COILS: 2000,
    READ_DISCRETE_INPUTS: 2000,
    READ_HOLDING_REGISTERS: 125,
    READ_INPUT_REGISTERS: 125,
}
# unit id, function, address, then count or value; of a write of several the byte count as well
_HEAD, _WRITE_HEAD = Struct(">BBHH"), Struct(">BBHHB")


def _word_table():
    """CRC register after each possible 16-bit word; the CRC is linear, so each bit doubles the
    table.
    """
    table = [0]
    for bit in range(16):
        value = 1 << bit
        for _ in range(16):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
        table += [entry ^ value for entry in table]
    return array("H", table)


_TABLE = _word_table()
_WORDS = tuple(Struct("<%dH" % count).unpack_from for count in range(FRAME_BYTES_MAX + 1))


def crc16(data: bytes, table=_TABLE) -> int:
    """CRC-16/MODBUS of up to 513 bytes; 0 over a whole frame whose two CRC bytes (low first) are
    right.
    """
    crc = 0xFFFF
    size = len(data)
    for word in _WORDS[size >> 1](data):
        crc = table[crc ^ word]
    if size & 1:  # an odd byte is the high byte of a word whose low byte changed nothing
        crc = (crc >> 8) ^ table[((crc ^ data[-1]) & 255) << 8]
    return crc


def seal(body: bytes) -> bytes:
    """Complete frame of `body` (unit id and PDU): the CRC appended, low byte first."""
    return body + crc16(body).to_bytes(2, "little")


def _ignore(*_):
    """Default of a request whose sender does not care."""


class Request:
    """One complete request frame, what its reply must look like, and whom to tell.

    `on_reply(pdu, now_us)` gets the verified PDU (function first, no unit id, no CRC); the same
    reply bytes as last time give the same object. `on_failure(kind, code, now_us)` gets TIMEOUT,
    EXCEPTION or BAD_REPLY.
    """

    __slots__ = (
        "key",
        "unit_id",
        "function",
        "frame",
        "reply_bytes",
        "priority",
        "on_reply",
        "on_failure",
        "head",
        "last_reply",
        "last_pdu",
    )

    def __init__(
        self, key, unit_id, function, frame, reply_bytes, head, priority, on_reply, on_failure
    ):
        self.key = key
        self.unit_id = unit_id
        self.function = function
        self.frame = frame
        self.reply_bytes = reply_bytes
        self.head = head
        self.priority = priority
        self.on_reply = on_reply or _ignore
        self.on_failure = on_failure or _ignore
        self.last_reply = self.last_pdu = None


def read_request(
    key, unit_id, function, address, count, on_reply=None, on_failure=None, priority=READ
):
    """Request for `count` bits (function 1, 2) or registers (3, 4) from `address`. ValueError when
    out of range.
    """
    if function not in _READS:
        raise ValueError(f"request {key}: function {function} is not a read; allowed 1 to 4")
    _check(key, unit_id, address, count, _READS[function])
    frame = seal(_HEAD.pack(unit_id, function, address, count))
    data_bytes = count * 2 if function >= READ_HOLDING_REGISTERS else (count + 7) // 8
    head = bytes((unit_id, function, data_bytes))
    return Request(
        key, unit_id, function, frame, 5 + data_bytes, head, priority, on_reply, on_failure
    )


def write_registers_request(
    key, unit_id, address, values, on_reply=None, on_failure=None, priority=WRITE
):
    """Request to write 1 to 123 registers (each 0..65535) from `address` in one frame (function
    16).
    """
    frame = _write_registers_frame(unit_id, address, tuple(values))
    return Request(
        key, unit_id, WRITE_REGISTERS, frame, 8, frame[:6], priority, on_reply, on_failure
    )


def write_register_request(
    key: str, unit_id: int, address: int, value: int, on_reply=None, on_failure=None, priority=WRITE
):
    """Request to write one register (function 6); its reply is the same frame, so an echo looks
    like success.
    """
    frame = _write_register_frame(unit_id, address, value)
    return Request(
        key, unit_id, WRITE_REGISTER, frame, 8, frame[:6], priority, on_reply, on_failure
    )


def write_coils_request(
    key, unit_id, address, levels, on_reply=None, on_failure=None, priority=WRITE
):
    """Request to write 1 to 1968 coils from `address`, `levels[0]` first (function 15)."""
    frame = _write_coils_frame(unit_id, address, tuple(levels))
    return Request(key, unit_id, WRITE_COILS, frame, 8, frame[:6], priority, on_reply, on_failure)


@lru_cache(maxsize=FRAMES_CACHED)
def _write_registers_frame(unit_id, address, values):
    _check("write", unit_id, address, len(values), 123)
    _check_values(values)
    count = len(values)
    head = _WRITE_HEAD.pack(unit_id, WRITE_REGISTERS, address, count, 2 * count)
    return seal(head + Struct(f">{count}H").pack(*values))


@lru_cache(maxsize=FRAMES_CACHED)
def _write_register_frame(unit_id, address, value):
    _check("write", unit_id, address, 1, 1)
    _check_values((value,))
    return seal(_HEAD.pack(unit_id, WRITE_REGISTER, address, value))


@lru_cache(maxsize=FRAMES_CACHED)
def _write_coils_frame(unit_id, address, levels):
    _check("write", unit_id, address, len(levels), 1968)
    count, size = len(levels), (len(levels) + 7) // 8
    bits = sum(1 << index for index, level in enumerate(levels) if level)
    head = _WRITE_HEAD.pack(unit_id, WRITE_COILS, address, count, size)
    return seal(head + bits.to_bytes(size, "little"))


def _check(key, unit_id, address, count, count_max):
    place = f"request {key}: unit {unit_id} address {address} count {count}"
    if not 1 <= unit_id <= UNIT_ID_MAX:
        raise ValueError(f"{place}; allowed unit 1 to {UNIT_ID_MAX} (0 is broadcast: no reply)")
    if not 1 <= count <= count_max:
        raise ValueError(f"{place}; allowed 1 to {count_max}")
    if not 0 <= address <= 0x10000 - count:
        raise ValueError(f"{place}; allowed within 0 to 65535")


def _check_values(values):
    for value in values:
        if not 0 <= value <= 0xFFFF:
            raise ValueError(
                f"register value {value}; allowed 0 to 65535 (negative numbers as two's complement)"
            )


class Receiver:
    """Finds the reply to one request in whatever arrives: garbage, echo, foreign frames, any split
    of the bytes.

    The first place that looks like the reply is decided (good or bad CRC) before a later one is
    looked at, so that a frame inside the payload of another is never taken. With `echo` the adapter
    repeats what is sent: the own request is taken out once, which matters where the reply equals
    the request (function 6).
    """

    __slots__ = ("echo", "received", "_request", "_echo", "_buffer")

    def __init__(self, echo=False):
        self.echo = echo
        self.received = 0  # bytes since expect(), own echo not counted
        self._request = None
        self._echo = b""
        self._buffer = bytearray()

    def expect(self, request) -> None:
        """Forget all earlier bytes and wait for the reply to `request`."""
        self._request = request
        self.received = 0
        if self._buffer:
            self._buffer.clear()
        if self.echo:
            self._echo = request.frame

    def feed(self, data: bytes):
        """Verified reply PDU (bytes, an exception is function | 0x80 and its code), or None: not
        yet.
        """
        request = self._request
        self.received += len(data)
        # the usual case: one whole reply
        if len(data) == request.reply_bytes and not self._buffer and not self._echo:
            if data == request.last_reply:
                return request.last_pdu
            if data.startswith(request.head) and crc16(data) == 0:
                return _remember(request, data)
        self._buffer += data
        if self._echo and not self._echo_removed(request):
            return None
        return self._search(request)

    def _echo_removed(self, request):
        """True when a search makes sense: the echo is gone, or could not be mistaken for the
        reply.
        """
        at = self._buffer.find(self._echo)
        if at < 0:
            return not request.frame.startswith(request.head)
        del self._buffer[: at + len(self._echo)]
        self.received -= len(self._echo)
        self._echo = b""
        return True

    def _search(self, request):
        buffer = self._buffer
        exception_head = bytes((request.unit_id, request.function | 0x80))
        while True:
            at, size = _candidate(buffer, request, exception_head)
            if at < 0:
                del buffer[: -len(request.head)]  # the start of a reply may be among the last bytes
                return None
            if len(buffer) < at + size:
                return None
            frame = bytes(buffer[at : at + size])
            if crc16(frame) == 0:
                del buffer[: at + size]
                return _remember(request, frame) if size == request.reply_bytes else frame[1:-2]
            del buffer[: at + 1]


def _candidate(buffer, request, exception_head):
    """(position, length) of the first place that may be the reply or an exception; position -1:
    none.
    """
    reply_at, exception_at = buffer.find(request.head), buffer.find(exception_head)
    if exception_at < 0 or 0 <= reply_at < exception_at:
        return reply_at, request.reply_bytes
    return exception_at, EXCEPTION_BYTES


def _remember(request, frame):
    request.last_reply = frame
    request.last_pdu = frame[1:-2]
    return request.last_pdu
