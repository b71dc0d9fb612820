"""A Modbus RTU slave without any I/O: bytes and their time in, reply frames and their due time out.

Framing follows "MODBUS over Serial Line" V1.02 section 2.5.1 in what it accepts (CRC, own unit id,
length) but finds a frame by its length and CRC at any offset, because a pty neither keeps nor shows
the 3.5 character gap; a gap longer than that still ends an unfinished frame.
"""

import struct

from fastcrc.crc16 import modbus as crc16

from hil.devices import registers
from hil.devices.registers import ModbusException

FRAME_BYTES_MAX = 256  # MODBUS over Serial Line V1.02, 2.5.1
CACHED_REQUESTS = 512
READS = (1, 2, 3, 4)
READ_COUNT_MAX = {1: 2000, 2: 2000, 3: 125, 4: 125}  # Application Protocol V1.1b3, 6.1 to 6.4
WRITE_COUNT_MAX = {15: 1968, 16: 123}  # 6.11, 6.12
_REGISTERS_OF = [struct.Struct(f">{count}H").unpack for count in range(WRITE_COUNT_MAX[16] + 1)]


def with_crc(body):
    """body plus its CRC: a complete frame."""
    return body + crc16(body).to_bytes(2, "little")


def request_bytes(data, offset):
    """Length of the request frame that starts at offset, None if its length byte is not there yet,
    0 if no request.
    """
    function = data[offset + 1]
    if 1 <= function <= 6:
        return 8
    if function not in WRITE_COUNT_MAX:
        return 0
    return None if offset + 7 > len(data) else 9 + data[offset + 6]


def _is_request(data):
    """True if data is exactly one good request frame."""
    return (
        8 <= len(data) <= FRAME_BYTES_MAX
        and request_bytes(data, 0) == len(data)
        and crc16(data) == 0
    )


class _Request:
    """One understood request frame, kept so that the same bytes need not be understood again."""

    __slots__ = (
        "unit_id",
        "function",
        "address",
        "count",
        "values",
        "refused",
        "head",
        "payload",
        "reply",
    )

    def __init__(self, frame):
        self.unit_id, self.function, self.address, self.count = struct.unpack_from(">BBHH", frame)
        self.values = self.payload = self.reply = None
        self.refused = 0
        self.head = bytes((self.unit_id, self.function))
        if self.function in READS:
            self._read()
        elif self.function in WRITE_COUNT_MAX:
            self._write_many(frame)
        else:
            self._write_one(frame)

    def _read(self):
        if not 1 <= self.count <= READ_COUNT_MAX[self.function]:
            self.refused = registers.ILLEGAL_VALUE
            return
        length = (
            self.count * 2 if self.function >= registers.READ_HOLDING else (self.count + 7) >> 3
        )
        self.head += bytes((length & 255,))

    def _write_one(self, frame):
        value, self.count = self.count, 1
        if self.function == registers.WRITE_COIL and value not in (0, 0xFF00):
            self.refused = registers.ILLEGAL_VALUE
        self.values = [value >> 15] if self.function == registers.WRITE_COIL else [value]
        self.reply = frame

    def _write_many(self, frame):
        is_coils = self.function == registers.WRITE_COILS
        length = (self.count + 7) >> 3 if is_coils else self.count * 2
        if not 1 <= self.count <= WRITE_COUNT_MAX[self.function] or frame[6] != length:
            self.refused = registers.ILLEGAL_VALUE
            return
        data = frame[7 : 7 + length]
        if is_coils:
            self.values = [data[bit >> 3] >> (bit & 7) & 1 for bit in range(self.count)]
        else:
            self.values = list(_REGISTERS_OF[self.count](data))
        self.reply = with_crc(frame[:6])


class RtuSlave:
    """All slaves of one bus. `units`: unit id -> RegisterDevice.

    turnaround_us: silence between the last byte of a request and the first of the reply; never less
    than the 3.5 characters by which a slave knows that the request has ended.
    """

    def __init__(self, units, baud_Bd, turnaround_us, char_bits=10):
        self.units = units
        self.char_us = char_bits * 1e6 / baud_Bd
        # 3.5 characters, and 1750 us above 19200 Bd (MODBUS over Serial Line V1.02, 2.5.1.1)
        self.gap_us = 1750 if baud_Bd > 19200 else int(3.5 * self.char_us)
        self.turnaround_us = max(turnaround_us, self.gap_us)
        self.served = 0
        self.dropped_bytes = 0
        self._buffer = b""
        self._last_us = 0
        self._requests = {}

    def receive(self, data, now_us):
        """Bytes whose last one has arrived at now_us -> [(time_us of the reply's first byte,
        frame)].
        """
        if not self._buffer:
            request = self._requests.get(data)
            if request is not None:
                self._last_us = now_us
                return self._serve(request, now_us)
        return self._receive_bytes(data, now_us)

    def _receive_bytes(self, data, now_us):
        if self._buffer and now_us - self._last_us - len(data) * self.char_us > self.gap_us:
            self.dropped_bytes += len(self._buffer)
            self._buffer = b""
        self._last_us = now_us
        if not self._buffer and _is_request(data):
            return self._serve(self._understood(data), now_us)
        self._buffer += data
        replies = []
        while True:
            frame = self._next_frame()
            if frame is None:
                break
            replies += self._serve(self._understood(frame), now_us)
        return replies

    def _next_frame(self):
        """Cut the first good request frame out of the buffer, whatever stands before it."""
        buffer = self._buffer
        for offset in range(len(buffer) - 3):
            length = request_bytes(buffer, offset)
            if length == 0 and offset == 0 and buffer[1] < 0x80:
                length = len(buffer)  # a function nobody knows: the whole chunk, if its CRC says so
            frame = buffer[offset : offset + length] if length else b""
            if 4 <= len(frame) == length <= FRAME_BYTES_MAX and crc16(frame) == 0:
                self.dropped_bytes += offset
                self._buffer = buffer[offset + length :]
                return frame
        surplus = max(0, len(buffer) - FRAME_BYTES_MAX)
        self.dropped_bytes += surplus
        self._buffer = buffer[surplus:]
        return None

    def _understood(self, frame):
        request = self._requests.get(frame)
        if request is None:
            request = _Request(frame) if request_bytes(frame, 0) else _unknown(frame)
            if len(self._requests) >= CACHED_REQUESTS:
                self._requests.clear()
            self._requests[frame] = request
        return request

    def _serve(self, request, now_us):
        device = self.units.get(request.unit_id)
        if device is None:
            if request.unit_id == 0 and request.values is not None and not request.refused:
                self._broadcast(request, now_us)
            return []
        if device.silent:
            return []
        self.served += 1
        device.tick(now_us)
        try:
            frame = self._answer(device, request, now_us)
        except ModbusException as refusal:
            frame = with_crc(bytes((request.unit_id, request.function | 0x80, refusal.code)))
        return [(now_us + self.turnaround_us + device.late_us, _spoiled(device, frame))]

    def _answer(self, device, request, now_us):
        refused = device.exception_code or request.refused
        if refused:
            raise ModbusException(refused)
        if request.values is not None:
            if not device.ignore_writes:
                device.write(request.function, request.address, request.values, now_us)
            return request.reply
        payload = device.payload(request.function, request.address, request.count)
        if payload != request.payload:
            request.payload = payload
            request.reply = with_crc(request.head + payload)
        return request.reply

    def _broadcast(self, request, now_us):
        for device in self.units.values():
            if device.silent or device.ignore_writes:
                continue
            device.tick(now_us)
            try:
                device.write(request.function, request.address, request.values, now_us)
            except ModbusException:
                continue  # nobody answers a broadcast, not even to refuse it


def _unknown(frame):
    request = _Request(frame[:2] + b"\0\0\0\1")
    request.refused = registers.ILLEGAL_FUNCTION
    return request


def _spoiled(device, frame):
    """frame with the device's reply faults applied."""
    if device.reply_id is not None:
        frame = with_crc(bytes((device.reply_id,)) + frame[1:-2])
    if device.bad_crc:
        frame = frame[:-1] + bytes((frame[-1] ^ 0xFF,))
    if device.cut_reply_bytes is not None:
        frame = frame[: device.cut_reply_bytes]
    return frame
