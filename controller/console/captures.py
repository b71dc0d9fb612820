"""Saved captures of a bus as text: candump -L of CAN, frames of Modbus with times, registers.

(1700000000.100000) can0 356#1314FFF6012C      a frame of CAN, as candump -L writes it
0.120 > 01 04 00 00 00 02 71 CB                a request of Modbus RTU, and
0.135 < 01 04 04 43 6B D7 3D 01 FD             its reply; a bus may be named before > or <
35121 0x0959                                   an address and the words from it on, or
3:35121 2393                                   with the function that reads them
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from controller.forms.refusal import ConfigError, shown
from controller.system.regular_file import link_opener
from drivers.buses import rtu
from drivers.buses.crc import crc16
from drivers.buses.receiver import Receiver
from drivers.can_codec import EXTENDED

ALLOWED = (
    "(TIME) BUS ID#DATA of candump -L; TIME > HEX and TIME < HEX of Modbus RTU; ADDRESS WORD ...; "
    "FUNCTION:ADDRESS WORD ... with a function that reads, 1 to 4"
)
BYTES_MAX = 64 << 20
_CAN = re.compile(r"\((\d+\.\d+)\) +\S+ +([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#((?:[0-9A-Fa-f]{2})*)")
_MODBUS = re.compile(r"\(?(\d+(?:\.\d+)?)\)? +(?:\S+ +)?([<>]) +((?:[0-9A-Fa-f]{2} *)+)")
_REGISTERS = re.compile(r"(?:([1-4]):)?(\w+)[ ,;]+(\w+(?:[ ,;]+\w+)*)")
READS, WRITES = (1, 2, 3, 4), (rtu.WRITE_REGISTER, rtu.WRITE_REGISTERS)


class Frame(NamedTuple):
    """A frame of CAN; ids of 29 bits are marked as the CAN port does."""

    time_us: int
    can_id: int
    data: bytes


class Words(NamedTuple):
    """Registers, or bits, that a device holds. function: that reads them, 0 for each; unit_id: -1
    where the capture has none.
    """

    time_us: int
    unit_id: int
    function: int
    address: int
    words: tuple[int, ...]


class Failure(NamedTuple):
    """A reply that is none, and why."""

    time_us: int
    unit_id: int
    reason: str


Event = Frame | Words | Failure


def text_of(path: str) -> str:
    """The text of a file. Raises ConfigError."""
    try:
        with open(path, encoding="ascii", errors="replace", opener=link_opener) as file:
            return file.read(BYTES_MAX)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def read(name: str, text: str) -> list[Event]:
    """The events of a capture, in the order of the file. Raises ConfigError."""
    found: list[Event] = []
    exchange: _Exchange | None = None
    start_us: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition(";;")[0].strip()
        if not line or line[0] == "#" or line.lower().startswith("address"):
            continue
        if match := _CAN.fullmatch(line.split(" R")[0].split(" T")[0]):
            at_us, start_us = _since(match[1], start_us)
            long = EXTENDED if len(match[2]) > 3 else 0
            found.append(Frame(at_us, int(match[2], 16) | long, bytes.fromhex(match[3])))
        elif match := _MODBUS.fullmatch(line):
            at_us, start_us = _since(match[1], start_us)
            data = bytes.fromhex(match[3])
            if match[2] == ">":
                found += exchange.end() if exchange else ()
                exchange = _Exchange(at_us, data)
            elif exchange:
                found += exchange.take(at_us, data)
        elif match := _REGISTERS.fullmatch(line):
            found.append(_registers(f"{name}: line {number}", match))
        else:
            problem = f"{shown(line)} is not a capture"
            raise ConfigError(f"{name}: line {number}: {problem}; allowed {ALLOWED}")
    return [*found, *(exchange.end() if exchange else ())]


def _since(time: str, start_us: int | None) -> tuple[int, int]:
    """(us since the first line, that of the first line)."""
    at_us = round(float(time) * 1e6)
    return (0, at_us) if start_us is None else (at_us - start_us, start_us)


def _registers(place: str, match: re.Match[str]) -> Words:
    try:
        address, *words = [int(each, 0) for each in re.split("[ ,;]+", f"{match[2]} {match[3]}")]
    except ValueError:
        raise ConfigError(
            f"{place}: {shown(match[0])} is not a capture; allowed {ALLOWED}"
        ) from None
    wrong = [each for each in (address, *words) if not 0 <= each <= 0xFFFF]
    if wrong:
        raise ConfigError(f"{place}: {wrong[0]} is not allowed; allowed 0..65535")
    return Words(0, -1, int(match[1] or 0), address, tuple(words))


class _Exchange:
    """A request, and what its reply says the device holds, judged by the receiver of the box."""

    def __init__(self, at_us: int, request: bytes) -> None:
        self._at_us, self._data = at_us, request
        is_whole = len(request) >= 8 and crc16(request) == 0
        self._unit_id, self._function = request[0], request[1] if is_whole else 0
        self._address, self._count = [int.from_bytes(request[at : at + 2], "big") for at in (2, 4)]
        self._receiver, self._written = Receiver(), tuple[int, ...]()
        self._is_open = self._function in READS + WRITES and self._expects()

    def _expects(self) -> bool:
        """Whether a master may send this request; the receiver then knows its reply."""
        if self._function in WRITES:
            data = self._data[7:-2] if self._function == rtu.WRITE_REGISTERS else self._data[4:6]
            self._written = _words(self._function, 0, data)
        try:
            self._receiver.expect(self._request())
        except ValueError:
            return False
        return True

    def _request(self) -> rtu.Request:
        unit_id, function, address = self._unit_id, self._function, self._address
        if function in WRITES:
            return rtu.write_request(function, "capture", unit_id, address, self._written)
        return rtu.read_request("capture", unit_id, function, address, self._count)

    def take(self, at_us: int, data: bytes) -> Iterator[Event]:
        """The next piece of the reply."""
        pdu = self._receiver.feed(data) if self._is_open else None
        if pdu is None:
            return
        self._is_open = False
        if pdu[0] & 0x80:
            reason = f"the request of {self._address} is answered by exception {pdu[1]}"
            yield Failure(at_us, self._unit_id, reason)
        elif self._function in WRITES:
            holding = rtu.READ_HOLDING_REGISTERS
            yield Words(at_us, self._unit_id, holding, self._address, self._written)
        else:
            words = _words(self._function, self._count, pdu[2:])
            yield Words(at_us, self._unit_id, self._function, self._address, words)

    def end(self) -> Iterator[Event]:
        """No more pieces come."""
        if self._is_open:
            other_id = self._receiver.other_id()
            by = f"is answered by unit {other_id}" if other_id is not None else "has no good reply"
            yield Failure(self._at_us, self._unit_id, f"the request of {self._address} {by}")


def _words(function: int, count: int, data: bytes) -> tuple[int, ...]:
    if function <= rtu.READ_DISCRETE_INPUTS:
        return tuple([data[at // 8] >> at % 8 & 1 for at in range(count)])
    return tuple([int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)])
