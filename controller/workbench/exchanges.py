"""Joins each request on a Modbus RTU line with its reply, to show the values that were read or
written. The frames come from a capture file or from the live line.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from controller.workbench.rtu_stream import FRAME_BYTES_MIN, READS, REPLY, REQUEST
from drivers.buses import rtu
from drivers.buses.crc import FRAME_BYTES_MAX, crc16
from drivers.buses.receiver import Receiver

WRITES = (rtu.WRITE_COIL, rtu.WRITE_REGISTER, rtu.WRITE_COILS, rtu.WRITE_REGISTERS)
ON_CAN = -2
SHOWN_BYTES = 20


class Words(NamedTuple):
    """Registers or bits of a device. function: the Modbus function that reads or writes them, or 0
    if it is unknown. unit_id: -1 if the capture has none.
    """

    time_us: int
    unit_id: int
    function: int
    address: int
    words: tuple[int, ...]


class Failure(NamedTuple):
    """A frame without a usable value, and the reason. unit_id: ON_CAN for a CAN frame. place: the
    id of the CAN frame, or function and address of the Modbus request.
    """

    time_us: int
    unit_id: int
    reason: str
    place: str = ""


ModbusEvent = Words | Failure


class Exchanges:
    """Joins each request of a line with its reply."""

    _exchange: "Exchange | None" = None

    def take(self, at_us: int, direction: str, data: bytes) -> Iterable[ModbusEvent]:
        """The values or failures that a frame completes. A request without a good reply becomes a
        failure when the next request comes.
        """
        if direction == REQUEST:
            failures = self.end()
            self._exchange = Exchange(at_us, data)
            return failures
        if direction == REPLY and self._exchange and not self._exchange.is_answered:
            return self._exchange.take(at_us, data)
        problem = "a reply without its request" if direction == REPLY else "a frame of no function"
        return [Failure(at_us, -1, f"{hexed(data)}: {problem}")]

    def end(self) -> Iterable[ModbusEvent]:
        """Return the failures of the open request. Call this when no more of its reply can come."""
        exchange, self._exchange = self._exchange, None
        return exchange.end() if exchange else ()


class Exchange:
    """A request and the values in its reply. The receiver of the drivers checks the reply."""

    def __init__(self, at_us: int, request: bytes):
        self.unit_id, self.function, self.address, self.count = -1, 0, 0, 0
        self._at_us, self._receiver, self._written = at_us, Receiver(), tuple[int, ...]()
        self._problem = self._begin(request)
        self._place = "" if self._problem else f"{self.function}:{self.address}"
        self._is_open = not self._problem
        self.is_answered = False

    def _begin(self, data: bytes) -> str:
        """Expect the reply, or return why the request cannot be decoded."""
        if not has_crc(data):
            return f"the request {hexed(data)} has a wrong CRC"
        self.unit_id, self.function = data[:2]
        if self.function not in READS + WRITES:
            return f"a request of function {self.function}, which is not decoded"
        self.address, self.count = rtu.place_of(data)
        try:
            request = self._request(data)
        except ValueError as error:
            return str(error)
        if request.frame != data:
            return f"the request {hexed(data)} has a wrong form"
        self._receiver.expect(request)
        return ""

    def _request(self, data: bytes) -> rtu.Request:
        unit_id, function, address = self.unit_id, self.function, self.address
        if function in READS:
            return rtu.read_request("capture", unit_id, function, address, self.count)
        if function in (rtu.WRITE_COIL, rtu.WRITE_REGISTER):
            level = data[4] // 0xFF if function == rtu.WRITE_COIL else self.count
            self._written = (level,)
        else:
            self._written = words_of(function, self.count, data[7:-2])
        return rtu.write_request(function, "capture", unit_id, address, self._written)

    def take(self, at_us: int, data: bytes) -> Iterator[ModbusEvent]:
        """Take the next piece of the reply. Yield its values or a failure when it is whole."""
        reply_pdu = self._receiver.feed(data) if self._is_open else None
        if reply_pdu is None:
            return
        self._is_open, self.is_answered = False, True
        if reply_pdu[0] & 0x80:
            reason = f"the request is answered by exception {reply_pdu[1]}"
            yield Failure(at_us, self.unit_id, reason, self._place)
        else:
            registers = self._written or words_of(self.function, self.count, reply_pdu[2:])
            yield Words(at_us, self.unit_id, self.function, self.address, registers)

    def end(self) -> Iterator[ModbusEvent]:
        """Call this when no more of the reply can come. Yields a failure if it is not whole."""
        reason = self._problem
        if self._is_open:
            other_id = self._receiver.other_id()
            by = f"is answered by unit {other_id}" if other_id is not None else "has no good reply"
            reason = f"the request {by}"
        if reason:
            yield Failure(self._at_us, self.unit_id, reason, self._place)


def has_crc(data: bytes) -> bool:
    """True if the data is a whole frame with a good CRC."""
    return FRAME_BYTES_MIN <= len(data) <= FRAME_BYTES_MAX and crc16(data) == 0


def hexed(data: bytes) -> str:
    """Bytes as text for a person. For a long frame, only its beginning."""
    more = f" ... ({len(data)} bytes)" if len(data) > SHOWN_BYTES else ""
    return data[:SHOWN_BYTES].hex(" ").upper() + more


def words_of(function: int, count: int, data: bytes) -> tuple[int, ...]:
    """The registers, or `count` bits, in the data of a reply or of a write."""
    if function in (rtu.READ_COILS, rtu.READ_DISCRETE_INPUTS, rtu.WRITE_COILS):
        return tuple(
            data[index // 8] >> index % 8 & 1 for index in range(min(count, 8 * len(data)))
        )
    return tuple(
        int.from_bytes(data[offset : offset + 2], "big") for offset in range(0, len(data), 2)
    )
