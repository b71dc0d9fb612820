"""A Modbus RTU slave without I/O: it takes bytes and returns replies, each with its time.

Source: "MODBUS over Serial Line" V1.02, section 2.5.1. The slave finds a frame by length and CRC at
any offset, because a pty does not keep the gap of 3.5 characters. A longer gap ends a partial
frame.
"""

import contextlib
import functools
import struct
from collections.abc import Mapping

from fastcrc.crc16 import modbus as crc16

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice

FRAME_BYTES_MAX = 256  # MODBUS over Serial Line V1.02, 2.5.1
CACHED_REQUESTS = 512
READ_COUNT_MAX = {1: 2000, 2: 2000, 3: 125, 4: 125}  # Application Protocol V1.1b3, 6.1 to 6.4
WRITE_COUNT_MAX = {15: 1968, 16: 123}  # 6.11, 6.12


def with_crc(body: bytes) -> bytes:
    """A complete frame: body and its CRC."""
    return body + crc16(body).to_bytes(2, "little")


def request_bytes(data: bytes, offset: int) -> int | None:
    """Length of the request at offset. None: more bytes are needed. 0: not a request."""
    function = data[offset + 1]
    if 1 <= function <= 6:
        return 8
    if function not in WRITE_COUNT_MAX:
        return 0
    return None if offset + 7 > len(data) else 9 + data[offset + 6]


class _Request:
    """One request. `exception_code`: 0 if it is right; `values`: of a write, None for a read;
    `head`: bytes before the payload of a read; `reply`: acknowledges a write.
    """

    def __init__(self, frame: bytes) -> None:
        self.unit_id, self.function, self.address, self.count = struct.unpack_from(">BBHH", frame)
        self.values: list[int] | None = None
        self.reply = b""
        self.exception_code = 0
        self.head = frame[:2]
        if self.function in READ_COUNT_MAX:
            self._read()
        elif self.function in WRITE_COUNT_MAX:
            self._write_many(frame)
        else:
            self._write_one(frame)

    def _read(self) -> None:
        if not 1 <= self.count <= READ_COUNT_MAX[self.function]:
            self.exception_code = registers.ILLEGAL_VALUE
            return
        is_words = self.function >= registers.READ_HOLDING
        length = self.count * 2 if is_words else (self.count + 7) >> 3
        self.head += bytes((length & 255,))

    def _write_one(self, frame: bytes) -> None:
        value, self.count = self.count, 1
        is_coil = self.function == registers.WRITE_COIL
        if is_coil and value not in (0, 0xFF00):
            self.exception_code = registers.ILLEGAL_VALUE
        self.values = [value >> 15 if is_coil else value]
        self.reply = frame

    def _write_many(self, frame: bytes) -> None:
        is_coils = self.function == registers.WRITE_COILS
        length = (self.count + 7) >> 3 if is_coils else self.count * 2
        if not 1 <= self.count <= WRITE_COUNT_MAX[self.function] or frame[6] != length:
            self.exception_code = registers.ILLEGAL_VALUE
            return
        data = frame[7 : 7 + length]
        if is_coils:
            self.values = [data[bit >> 3] >> (bit & 7) & 1 for bit in range(self.count)]
        else:
            self.values = list(struct.unpack(f">{self.count}H", data))
        self.reply = with_crc(frame[:6])


@functools.lru_cache(CACHED_REQUESTS)
def _parsed(frame: bytes) -> _Request:
    if request_bytes(frame, 0):
        return _Request(frame)
    request = _Request(frame[:2] + b"\0\0\0\1")
    request.exception_code = registers.ILLEGAL_FUNCTION
    return request


class RtuSlave:
    """All slaves of one bus. turnaround_us: from request to reply, at least 3.5 characters."""

    def __init__(
        self,
        units: Mapping[int, RegisterDevice],
        baud_Bd: int,
        turnaround_us: int,
        char_bits: int = 10,
    ) -> None:
        self.units = units
        self.char_us = char_bits * 1e6 / baud_Bd
        # 3.5 characters, but 1750 us above 19200 Bd (MODBUS over Serial Line V1.02, 2.5.1.1)
        self.gap_us = 1750 if baud_Bd > 19200 else int(3.5 * self.char_us)
        self.turnaround_us = max(turnaround_us, self.gap_us)
        self.dropped_bytes = 0
        self._buffer = b""
        self._last_us = 0

    def receive(self, data: bytes, now_us: int) -> list[tuple[int, bytes]]:
        """Take bytes; the last one arrived at now_us. Returns [(time_us at which the reply begins,
        frame)].
        """
        if self._buffer and now_us - self._last_us - len(data) * self.char_us > self.gap_us:
            self.dropped_bytes += len(self._buffer)
            self._buffer = b""
        self._last_us = now_us
        self._buffer += data
        replies = []
        for frame in iter(self._next_frame, None):
            replies += self._serve(_parsed(frame), now_us)
        return replies

    def _next_frame(self) -> bytes | None:
        """Remove the first good request from the buffer, with all bytes before it; return it."""
        buffer = self._buffer
        for offset in range(len(buffer) - 3):
            length = request_bytes(buffer, offset)
            if length == 0 and offset == 0 and buffer[1] < 0x80:
                length = len(buffer)  # unknown function: the whole chunk counts if its CRC is right
            if not length:
                continue
            frame = buffer[offset : offset + length]
            if 4 <= len(frame) == length <= FRAME_BYTES_MAX and crc16(frame) == 0:
                self.dropped_bytes += offset
                self._buffer = buffer[offset + length :]
                return frame
        surplus = max(0, len(buffer) - FRAME_BYTES_MAX)
        self.dropped_bytes += surplus
        self._buffer = buffer[surplus:]
        return None

    def _serve(self, request: _Request, now_us: int) -> list[tuple[int, bytes]]:
        is_broadcast = request.unit_id == 0 and 0 not in self.units  # TCP may have a device 0
        if is_broadcast and request.values is not None and not request.exception_code:
            self._broadcast(request, request.values, now_us)
        device = self.units.get(request.unit_id)
        if device is None or device.silent:
            return []
        device.tick(now_us)
        try:
            frame = self._answer(device, request, now_us)
        except ModbusException as refusal:
            frame = with_crc(bytes((request.unit_id, request.function | 0x80, refusal.code)))
        return [(now_us + self.turnaround_us + device.late_us, _spoiled(device, frame))]

    def _answer(self, device: RegisterDevice, request: _Request, now_us: int) -> bytes:
        code = device.exception_code or request.exception_code
        if code:
            raise ModbusException(code)
        if request.values is not None:
            if not device.ignore_writes:
                device.write(request.function, request.address, request.values, now_us)
            return request.reply
        payload = device.payload(request.function, request.address, request.count)
        return with_crc(request.head + payload)

    def _broadcast(self, request: _Request, values: list[int], now_us: int) -> None:
        for device in self.units.values():
            if not (device.silent or device.ignore_writes):
                device.tick(now_us)
                with contextlib.suppress(ModbusException):  # a broadcast has no reply
                    device.write(request.function, request.address, values, now_us)


def _spoiled(device: RegisterDevice, frame: bytes) -> bytes:
    """The frame with the device's reply faults: another unit id, a bad CRC, a cut."""
    if device.reply_id is not None:
        frame = with_crc(bytes((device.reply_id,)) + frame[1:-2])
    if device.bad_crc:
        frame = frame[:-1] + bytes((frame[-1] ^ 0xFF,))
    if device.cut_reply_bytes is not None:
        frame = frame[: device.cut_reply_bytes]
    return frame
