"""Reads a saved capture of a bus, for `firebreak bus decode`. A capture is a text file. Its lines
have one of these forms:

(1700000000.100000) can0 356#1314FFF6012C      a frame of CAN, as candump -L writes it
 (1700000000.100000)  can0  356   [6]  13 14   ... as candump -t a, or without -t, writes it
0.120 > 01 04 00 00 00 02 71 CB                a request of Modbus RTU, and
0.135 < 01 04 04 43 6B D7 3D 01 FD             its reply; the name of a bus may precede > or <
[01][04][00][00][00][02][71][CB]               a frame alone, its bytes in hexadecimal
35121 0x0959                                   an address and the words from it on, or
3:35121 2393                                   with the function that reads or writes them
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from controller.forms.refusal import ConfigError, shown
from controller.system.regular_file import link_opener
from controller.workbench.exchanges import (
    ON_CAN,
    WRITES,
    Exchanges,
    Failure,
    ModbusEvent,
    Words,
    has_crc,
    hexed,
)
from controller.workbench.rtu_stream import READS, Stream
from drivers.can_codec import EXTENDED

ALLOWED = (
    "frames as candump writes them; TIME > HEX and TIME < HEX, or HEX alone, of Modbus RTU; "
    "ADDRESS WORD ...; FUNCTION:ADDRESS WORD ... with a function of 1 to 6, 15, 16"
)
LINE_MAX = 4096
ERROR_FRAME = 0x2000_0000  # SocketCAN sets this bit of the id for an error frame
_CAN = re.compile(
    r"(?:\(([\d.: -]+)\) +)?\S+ +(?:[RT]X +\S+ +\S+ +)?([\dA-Fa-f]{8}|[\dA-Fa-f]{3})"
    r"(?:#| +\[\d+\] *)((?:[\dA-Fa-f]{2} ?)*|#?R\d?|#.*|remote request)(?: *'.*'| +[RT])?"
)
_BINARY = re.compile(r"[\0-\x08\x0E-\x1F]")
_FRAME = re.compile(r"\((\d{1,12}\.\d{6})\) \S+ ([\dA-F]{3}|[\dA-F]{8})#((?:[\dA-F]{2}){0,8})\n")
_MODBUS = re.compile(r"(?:\(?(\d+(?:\.\d+)?)\)? +)?(?:\S+ +)?([<>]) +((?:[\dA-Fa-f]{2} *)+)")
_BYTES = re.compile(r"(?:[\[<]?(?:0x)?[\dA-Fa-f]{2}[\]>]?[ :,]*){4,}")
_REGISTERS = re.compile(r"(?:(\d{1,3}):)?(\w+)[ ,;]+(\w+(?:[ ,;]+\w+)*)")


class Frame(NamedTuple):
    """A frame of CAN. An id of 29 bits has the bit EXTENDED."""

    time_us: int
    can_id: int
    data: bytes


Event = Frame | ModbusEvent


class Capture:
    """A saved capture. Each iteration reads the file again, because the file may be too large for
    memory.
    """

    def __init__(self, path: str):
        self.path = path
        self.cut_line = 0  # number of the last line, if it was left out because it is not whole

    def __iter__(self) -> Iterator[Event]:
        """The events in the order of the file. Raises ConfigError."""
        reader, line_number, raw_line = _Reader(), 0, ""
        try:
            with open(
                self.path, encoding="utf-8-sig", errors="replace", opener=link_opener
            ) as file:
                for raw_line in iter(partial(file.readline, LINE_MAX), ""):
                    line_number += 1
                    if frame := _FRAME.fullmatch(raw_line):
                        yield reader.frame(frame)
                        continue
                    line = raw_line.partition(";;")[0].strip()
                    if line and line[0] != "#" and not line.lower().startswith("address"):
                        yield from reader.take(line)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read: {error.strerror}") from error
        except (ValueError, OverflowError) as error:
            is_cut = line_number > 1 and raw_line[-1:] != "\n" and len(raw_line) < LINE_MAX
            if not is_cut:
                raise ConfigError(f"{self.path}: line {line_number}: {error}") from None
            self.cut_line = line_number
        yield from reader.end()


class CanFrames:
    """The CAN frames of a capture. Each iteration reads the file again."""

    def __init__(self, path: str):
        self._path = path

    def __iter__(self) -> Iterator[Frame]:
        return (event for event in Capture(self._path) if isinstance(event, Frame))


class _Reader:
    """Makes events of lines."""

    def __init__(self) -> None:
        self._start_us: int | None = None
        self._exchanges, self._stream = Exchanges(), Stream()

    def take(self, line: str) -> Iterable[Event]:
        """The events that a line completes. Raises ValueError if it is no line of a capture."""
        if match := _CAN.fullmatch(line):
            return [self._can(*match.groups())]
        if match := _MODBUS.fullmatch(line):
            at_us, data = self._since(match[1]), bytes.fromhex(match[3])
            return self._exchanges.take(at_us, match[2], data)
        data = _bytes(line)
        if data and has_crc(data):
            pieces = [*self._stream.feed(data), *self._stream.flush()]
            return [event for piece in pieces for event in self._exchanges.take(0, *piece)]
        if (match := _REGISTERS.fullmatch(line)) and (registers := _registers(match)):
            return [registers]
        if _BINARY.search(line):
            raise ValueError(f"is not text, but binary or compressed; allowed {ALLOWED}")
        if data:
            return [Failure(0, -1, f"{hexed(data)} has a wrong CRC")]
        raise ValueError(f"{shown(line)} is not a capture; allowed {ALLOWED}")

    def frame(self, match: re.Match[str]) -> Frame | Failure:
        """A frame of a line in the most common form. This method takes half the time of `take`."""
        at_us = int(match[1].replace(".", ""))
        if self._start_us is None:
            self._start_us = at_us
        return self._framed(at_us - self._start_us, match[2], match[3])

    def _can(self, time: str | None, can_id: str, data: str) -> Frame | Failure:
        at_us = self._since(time)
        if not re.fullmatch(r"[\dA-Fa-f ]*", data):
            kind = "of CAN FD" if data[:1] == "#" else "that asks for one"
            return Failure(at_us, ON_CAN, f"a frame {kind} has no value", can_id)
        return self._framed(at_us, can_id, data)

    def _framed(self, at_us: int, can_id: str, data: str) -> Frame | Failure:
        plain_id = int(can_id, 16)
        if plain_id & ERROR_FRAME:
            return Failure(at_us, ON_CAN, "an error frame: the bus is disturbed", can_id)
        extended_bit = EXTENDED if len(can_id) > 3 else 0
        return Frame(at_us, plain_id | extended_bit, bytes.fromhex(data))

    def _since(self, time: str | None) -> int:
        """Time since the first line with a time, us. 0 if the line has no time."""
        if time is None:
            return 0
        try:
            at_us = round(float(time) * 1e6)
        except ValueError:  # candump -t A
            moment = datetime.fromisoformat(time.strip()).replace(tzinfo=UTC)
            at_us = round(moment.timestamp() * 1e6)
        if self._start_us is None:
            self._start_us = at_us
        return at_us - self._start_us

    def end(self) -> Iterable[Event]:
        """The failures of a request that has no whole reply when the capture ends."""
        return self._exchanges.end()


def _bytes(line: str) -> bytes:
    """The bytes of a line that has only bytes. b"" for any other line."""
    hexadecimal = re.sub(r"0x|[^\dA-Fa-f]", "", line)
    return bytes.fromhex(hexadecimal) if _BYTES.fullmatch(line) else b""


def _registers(match: re.Match[str]) -> Words | None:
    """The registers of a line, or None if it has other words. Raises ValueError for a number that
    is not allowed.
    """
    try:
        address, *registers = [
            int(number, 0) for number in re.split("[ ,;]+", f"{match[2]} {match[3]}")
        ]
    except ValueError:
        return None
    function = int(match[1] or 0)
    if match[1] and function not in READS + WRITES:
        raise ValueError(f"function {function} is not allowed; allowed 1..6, 15, 16")
    wrong = [number for number in (address, *registers) if not 0 <= number <= 0xFFFF]
    if wrong:
        raise ValueError(f"{wrong[0]} is not allowed; allowed 0..65535")
    return Words(0, -1, function, address, tuple(registers))
