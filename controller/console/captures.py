"""Saved captures of a bus as text: frames of CAN, frames of Modbus RTU, registers.

(1700000000.100000) can0 356#1314FFF6012C      a frame of CAN, as candump -L writes it
 (1700000000.100000)  can0  356   [6]  13 14   ... as candump -t a, or without -t, writes it
0.120 > 01 04 00 00 00 02 71 CB                a request of Modbus RTU, and
0.135 < 01 04 04 43 6B D7 3D 01 FD             its reply; a bus may be named before > or <
[01][04][00][00][00][02][71][CB]               a frame alone, its bytes in hexadecimal
35121 0x0959                                   an address and the words from it on, or
3:35121 2393                                   with the function that reads or writes them
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from controller.config.rtu_stream import READS, REPLY, REQUEST, Stream
from controller.forms.refusal import ConfigError, shown
from controller.system.regular_file import link_opener
from drivers.buses import rtu
from drivers.buses.crc import crc16
from drivers.buses.receiver import Receiver
from drivers.can_codec import EXTENDED

WRITES = (rtu.WRITE_COIL, rtu.WRITE_REGISTER, rtu.WRITE_COILS, rtu.WRITE_REGISTERS)
ALLOWED = (
    "frames as candump writes them; TIME > HEX and TIME < HEX, or HEX alone, of Modbus RTU; "
    "ADDRESS WORD ...; FUNCTION:ADDRESS WORD ... with a function of 1 to 6, 15, 16"
)
LINE_MAX = 4096
_CAN = re.compile(
    r"(?:\(([\d.: -]+)\) +)?\S+ +(?:[RT]X +\S+ +\S+ +)?([\dA-Fa-f]{8}|[\dA-Fa-f]{3})"
    r"(?:#| +\[\d+\] *)((?:[\dA-Fa-f]{2} ?)*|#?R\d?|#.*|remote request)(?: *'.*'| +[RT])?"
)
_MODBUS = re.compile(r"(?:\(?(\d+(?:\.\d+)?)\)? +)?(?:\S+ +)?([<>]) +((?:[\dA-Fa-f]{2} *)+)")
_BYTES = re.compile(r"(?:[\[<]?(?:0x)?[\dA-Fa-f]{2}[\]>]?[ :,]*){4,}")
_REGISTERS = re.compile(r"(?:(\d{1,3}):)?(\w+)[ ,;]+(\w+(?:[ ,;]+\w+)*)")


class Frame(NamedTuple):
    """A frame of CAN; ids of 29 bits are marked as the CAN port does."""

    time_us: int
    can_id: int
    data: bytes


class Words(NamedTuple):
    """Registers, or bits, that a device holds. function: that reads or writes them, 0 for each;
    unit_id: -1 where the capture has none.
    """

    time_us: int
    unit_id: int
    function: int
    address: int
    words: tuple[int, ...]


class Failure(NamedTuple):
    """A frame that holds nothing, and why."""

    time_us: int
    unit_id: int
    reason: str


Event = Frame | Words | Failure


def read(path: str) -> Iterator[Event]:
    """The events of a capture, in the order of the file. Raises ConfigError."""
    reader, number = _Reader(), 0
    try:
        with open(path, encoding="utf-8-sig", errors="replace", opener=link_opener) as file:
            for whole in iter(partial(file.readline, LINE_MAX), ""):
                number += 1
                line = whole.partition(";;")[0].strip()
                if line and line[0] != "#" and not line.lower().startswith("address"):
                    yield from reader.take(line)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{path}: line {number}: {error}") from None
    yield from reader.end()


class _Reader:
    """Makes events of lines."""

    def __init__(self) -> None:
        self._start_us: int | None = None
        self._exchange: Exchange | None = None
        self._stream = Stream()

    def take(self, line: str) -> Iterable[Event]:
        """The events that a line completes. ValueError: it is none of a capture."""
        if match := _CAN.fullmatch(line):
            return [self._can(*match.groups())]
        if match := _MODBUS.fullmatch(line):
            at_us, data = self._since(match[1]), bytes.fromhex(match[3])
            return self._framed(at_us, match[2], data)
        data = _bytes(line)
        if data and crc16(data) == 0:
            pieces = [*self._stream.feed(data), *self._stream.flush()]
            return [found for each in pieces for found in self._framed(0, *each)]
        if (match := _REGISTERS.fullmatch(line)) and (words := _registers(match)):
            return [words]
        if data:
            return [Failure(0, -1, f"{data.hex(' ').upper()} has a wrong CRC")]
        raise ValueError(f"{shown(line)} is not a capture; allowed {ALLOWED}")

    def _can(self, time: str | None, can_id: str, data: str) -> Frame | Failure:
        at_us = self._since(time)
        if not re.fullmatch(r"[\dA-Fa-f ]*", data):
            return Failure(at_us, -1, f"{can_id}: a remote frame, or one of CAN FD, has no value")
        long = EXTENDED if len(can_id) > 3 else 0
        return Frame(at_us, int(can_id, 16) | long, bytes.fromhex(data))

    def _since(self, time: str | None) -> int:
        """Time since the first one, us; 0 without."""
        if time is None:
            return 0
        try:
            at_us = round(float(time) * 1e6)
        except ValueError:  # candump -t A
            at = datetime.fromisoformat(time.strip()).replace(tzinfo=UTC)
            at_us = round(at.timestamp() * 1e6)
        if self._start_us is None:
            self._start_us = at_us
        return at_us - self._start_us

    def _framed(self, at_us: int, direction: str, data: bytes) -> Iterable[Event]:
        if direction == REQUEST:
            found = self.end()
            self._exchange = Exchange(at_us, data)
            return found
        if direction == REPLY and self._exchange:
            return self._exchange.take(at_us, data)
        words = "a reply without its request" if direction == REPLY else "a frame of no function"
        return [Failure(at_us, -1, f"{data.hex(' ').upper()}: {words}")]

    def end(self) -> Iterable[Event]:
        """No more of the reply comes."""
        return self._exchange.end() if self._exchange else ()


def _bytes(line: str) -> bytes:
    """The bytes of a line of nothing else, b"" of another."""
    hexadecimal = re.sub(r"0x|[^\dA-Fa-f]", "", line)
    return bytes.fromhex(hexadecimal) if _BYTES.fullmatch(line) else b""


def _registers(match: re.Match[str]) -> Words | None:
    """The registers of a line, None if it has no numbers. ValueError: one is not allowed."""
    try:
        address, *words = [int(each, 0) for each in re.split("[ ,;]+", f"{match[2]} {match[3]}")]
    except ValueError:
        return None
    function = int(match[1] or 0)
    if match[1] and function not in READS + WRITES:
        raise ValueError(f"function {function} is not allowed; allowed 1..6, 15, 16")
    wrong = [each for each in (address, *words) if not 0 <= each <= 0xFFFF]
    if wrong:
        raise ValueError(f"{wrong[0]} is not allowed; allowed 0..65535")
    return Words(0, -1, function, address, tuple(words))


class Exchange:
    """A request, and what its reply says the device holds, judged by the receiver of the box."""

    def __init__(self, at_us: int, request: bytes) -> None:
        self.unit_id, self.function, self.address, self.count = -1, 0, 0, 0
        self._at_us, self._receiver, self._written = at_us, Receiver(), tuple[int, ...]()
        self._problem = self._begin(request)
        self._is_open = not self._problem

    def _begin(self, data: bytes) -> str:
        """Wait for the reply, or say why nothing can be told of it."""
        if len(data) < 4 or crc16(data):
            return f"the request {data.hex(' ').upper()} has a wrong CRC"
        self.unit_id, self.function = data[:2]
        if self.function not in READS + WRITES:
            return f"a request of function {self.function}, which is not decoded"
        self.address, self.count = [int.from_bytes(data[at : at + 2], "big") for at in (2, 4)]
        try:
            request = self._request(data)
        except ValueError as error:
            return str(error)
        if request.frame != data:
            return f"the request {data.hex(' ').upper()} has a wrong form"
        self._receiver.expect(request)
        return ""

    def _request(self, data: bytes) -> rtu.Request:
        place = self.unit_id, self.address
        if self.function in READS:
            return rtu.read_request("capture", place[0], self.function, place[1], self.count)
        if self.function in (rtu.WRITE_COIL, rtu.WRITE_REGISTER):
            level = data[4] // 0xFF if self.function == rtu.WRITE_COIL else self.count
            self._written = (level,)
        else:
            self._written = words_of(self.function, self.count, data[7:-2])
        return rtu.write_request(self.function, "capture", *place, self._written)

    def take(self, at_us: int, data: bytes) -> Iterator[Event]:
        """The next piece of the reply."""
        pdu = self._receiver.feed(data) if self._is_open else None
        if pdu is None:
            return
        self._is_open = False
        if pdu[0] & 0x80:
            reason = f"the request of {self.address} is answered by exception {pdu[1]}"
            yield Failure(at_us, self.unit_id, reason)
        else:
            words = self._written or words_of(self.function, self.count, pdu[2:])
            yield Words(at_us, self.unit_id, self.function, self.address, words)

    def end(self) -> Iterator[Event]:
        """No more pieces come."""
        reason = self._problem
        if self._is_open:
            other_id = self._receiver.other_id()
            by = f"is answered by unit {other_id}" if other_id is not None else "has no good reply"
            reason = f"the request of {self.address} {by}"
        if reason:
            yield Failure(self._at_us, self.unit_id, reason)


def words_of(function: int, count: int, data: bytes) -> tuple[int, ...]:
    """The registers, or `count` bits, of the data of a reply or a write."""
    if function in (rtu.READ_COILS, rtu.READ_DISCRETE_INPUTS, rtu.WRITE_COILS):
        return tuple([data[at // 8] >> at % 8 & 1 for at in range(min(count, 8 * len(data)))])
    return tuple([int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)])
