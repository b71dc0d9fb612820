"""Makes Modbus RTU requests, complete frames with the form of their replies. No I/O, no clock.

Tests check them against pymodbus. The product does not import pymodbus, because the import takes 90
ms. Its framer also drops a good frame after noise, and accepts a reply of another function or size.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from drivers.buses.crc import seal

# Priority on the bus; lower numbers go first. A SPARE read waits until the bus has room for it.
STOP, WRITE, READ, SPARE = range(4)
# Kinds of failure. The code beside a kind is the Modbus exception code, or 0.
TIMEOUT, EXCEPTION, BAD_REPLY, NO_ROOM = range(4)
FAILURES = ("timeout", "exception", "bad reply", "no room on the bus")

READ_COILS, READ_DISCRETE_INPUTS, READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
WRITE_AND_READ = 23
COIL_ON = 0xFF00

# On a serial line, unit id 0 means all devices. On TCP, 0 and 255 mean the device that is reached
# directly. Ids 248 to 255 are reserved, but some meters and converters are sold with them.
UNIT_IDS = range(256)
FRAMES_CACHED = 1024  # repeated writes (coils of each tick, equal set-points) are encoded once

# {function: most bits or registers in one read}
_READS = {READ_COILS: 2000, READ_DISCRETE_INPUTS: 2000}
_READS |= {READ_HOLDING_REGISTERS: 125, READ_INPUT_REGISTERS: 125}
# {function: most bits or registers in one write}
_WRITES = {WRITE_COIL: 1, WRITE_REGISTER: 1, WRITE_COILS: 1968, WRITE_REGISTERS: 123}
_WRITES |= {WRITE_AND_READ: 121}
# unit id, function, address, count or value; a write of several values also has the byte count
_HEAD, _WRITE_HEAD = Struct(">BBHH"), Struct(">BBHHB")
_BOTH_HEAD = Struct(">BBHHHHB")  # read address and count, write address, count and byte count


def ignore(*_: object) -> None:
    """Default callback of a request."""


OnReply = Callable[[bytes, int], object]  # (pdu, now_us)
OnFailure = Callable[[int, int, int], object]  # (kind, code, now_us)


@dataclass(slots=True, eq=False)
class Request:
    """A request frame, the form of its reply, and its callbacks.

    `on_reply` gets the verified PDU (no unit id, no CRC). While the bytes are the same, it is the
    same object. `on_failure` gets the kind of failure. `reply_id`: unit id in the reply. `place`:
    address in a SunSpec profile, 0 for other profiles.
    """

    key: Hashable
    unit_id: int
    function: int
    frame: bytes
    reply_bytes: int
    head: bytes
    priority: int
    on_reply: OnReply = ignore
    on_failure: OnFailure = ignore
    last_reply: bytes | None = None
    last_pdu: bytes | None = None
    reply_id: int = -1
    place: int = 0

    def __post_init__(self) -> None:
        """Take the unit id of the reply from `head`."""
        self.reply_id = self.head[0]


Periodic = list[tuple[Request, int]]  # requests, each with its period in us
Requests = list[Request]


def place_of(frame: bytes) -> tuple[int, int]:
    """(address, count or value) of a request; 0 for a part that the frame does not have."""
    return int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")


def read_request(
    key: Hashable,
    unit_id: int,
    function: int,
    address: int,
    count: int,
    on_reply: OnReply = ignore,
    on_failure: OnFailure = ignore,
    priority: int = READ,
    reply_id: int | None = None,
) -> Request:
    """Read `count` bits (function 1, 2) or registers (3, 4). ValueError if out of range.

    reply_id: for a device that answers with another unit id.
    """
    if function not in _READS:
        raise ValueError(f"request {key}: function {function} is not a read; allowed 1 to 4")
    _check(key, unit_id, address, count, _READS[function])
    frame = seal(_HEAD.pack(unit_id, function, address, count))
    data_bytes = count * 2 if function >= READ_HOLDING_REGISTERS else (count + 7) // 8
    return Request(
        key,
        unit_id,
        function,
        frame=frame,
        reply_bytes=5 + data_bytes,
        head=bytes((unit_id if reply_id is None else reply_id, function, data_bytes)),
        priority=priority,
        on_reply=on_reply,
        on_failure=on_failure,
    )


def write_request(
    function: int,
    key: Hashable,
    unit_id: int,
    address: int,
    values: Sequence[int],
    on_reply: OnReply = ignore,
    on_failure: OnFailure = ignore,
    priority: int = WRITE,
) -> Request:
    """Write registers (0..65535) or coils (0 or 1). ValueError if out of range.

    Functions 5 and 6 write one value, and their reply equals the request. Function 23 also reads
    the registers back.
    """
    frame = _write_frame(function, unit_id, address, tuple(values))
    reply_bytes, head = 8, frame[:6]
    if function == WRITE_AND_READ:
        size = 2 * len(values)
        reply_bytes, head = 5 + size, bytes((unit_id, function, size))
    return Request(
        key,
        unit_id,
        function,
        frame=frame,
        reply_bytes=reply_bytes,
        head=head,
        priority=priority,
        on_reply=on_reply,
        on_failure=on_failure,
    )


@lru_cache(maxsize=FRAMES_CACHED)
def _write_frame(function: int, unit_id: int, address: int, values: tuple[int, ...]) -> bytes:
    count = len(values)
    _check("write", unit_id, address, count, _WRITES[function])
    if function == WRITE_COIL:
        return seal(_HEAD.pack(unit_id, function, address, COIL_ON if values[0] else 0))
    if function == WRITE_COILS:
        size = (count + 7) // 8
        bits = sum(1 << index for index, level in enumerate(values) if level)
        head = _WRITE_HEAD.pack(unit_id, function, address, count, size)
        return seal(head + bits.to_bytes(size, "little"))
    for value in values:
        if not 0 <= value <= 0xFFFF:
            negative = "(negative numbers as two's complement)"
            raise ValueError(f"register value {value}; allowed 0 to 65535 {negative}")
    if function == WRITE_REGISTER:
        return seal(_HEAD.pack(unit_id, function, address, values[0]))
    if function == WRITE_REGISTERS:
        head = _WRITE_HEAD.pack(unit_id, function, address, count, 2 * count)
    else:
        head = _BOTH_HEAD.pack(unit_id, function, address, count, address, count, 2 * count)
    return seal(head + Struct(f">{count}H").pack(*values))


def _check(key: Hashable, unit_id: int, address: int, count: int, count_max: int) -> None:
    place = f"request {key}: unit {unit_id} address {address} count {count}"
    if unit_id not in UNIT_IDS:
        raise ValueError(f"{place}; allowed unit 0 to {UNIT_IDS[-1]}")
    if not 1 <= count <= count_max:
        raise ValueError(f"{place}; allowed 1 to {count_max}")
    if not 0 <= address <= 0x10000 - count:
        raise ValueError(f"{place}; allowed within 0 to 65535")
