"""Decodes values in a CAN frame: bits in either order, scale, offset, invalid raw values."""

import functools
from fractions import Fraction
from typing import NamedTuple

from drivers.profile import Table
from drivers.states import States

EXTENDED = 0x8000_0000  # added to a 29-bit id, as the CAN port does
FRAME_BITS = 64


class Word(NamedTuple):
    """A frame as two 64-bit numbers, with its length. Missing bytes are 0 and are never used."""

    little: int
    big: int
    length: int


def word(data: bytes) -> Word:
    """A frame as a Word."""
    whole = bytes(data[:8]).ljust(8, b"\0")
    return Word(int.from_bytes(whole, "little"), int.from_bytes(whole, "big"), len(data))


def place(start: int, length: int, order: str) -> tuple[int, int]:
    """(shift, number of bytes that the frame needs) of a field.

    start: counted as in a DBC file. It is the lowest bit of the field, or the highest bit if the
    order is big.
    """
    if order == "little":
        return start, (start + length + 7) // 8
    first = start // 8 * 8 + 7 - start % 8  # number of bits in the frame before the field
    return FRAME_BITS - first - length, (first + length + 7) // 8


class Raw:
    """An integer in a frame. states: set if the value has named states."""

    states: States | None = None

    def __init__(self, row: Table):
        """row: start, length, order and signed from a profile."""
        length: int = row["length"]
        self.is_big = row["order"] == "big"
        self.shift, self.bytes = place(row["start"], length, row["order"])
        self.mask = (1 << length) - 1
        self._sign = 1 << length - 1 if row.get("signed") else 0

    def of(self, frame: Word) -> int:
        """The raw value."""
        unsigned = (frame.big if self.is_big else frame.little) >> self.shift & self.mask
        return (unsigned ^ self._sign) - self._sign


class Value(Raw):
    """value = raw x scale + offset, rounded down. Raw values in `values` are named states."""

    def __init__(self, row: Table, name: str = ""):
        super().__init__(row)
        scale, offset = Fraction(str(row["scale"])), Fraction(str(row["offset"]))
        self._divide = scale.denominator * offset.denominator
        self._multiply, self._add = int(scale * self._divide), int(offset * self._divide)
        self._low, self._high = row["range"]
        self._invalid = frozenset(row["invalid"])
        self.states = States(name, row["values"], row["otherwise"]) if row["values"] else None
        self._is_magnitude = row["magnitude"]

    def value(self, frame: Word) -> int | None:
        """The value; None if it is invalid, out of range, or a state without a value."""
        return self.of_raw(self.of(frame))

    def of_raw(self, raw: int) -> int | None:
        """The value for a raw value, or None as in `value`."""
        if raw in self._invalid:
            return None
        if self.states:
            return self.states.value(raw)
        scaled = (raw * self._multiply + self._add) // self._divide
        scaled = abs(scaled) if self._is_magnitude else scaled
        return scaled if self._low <= scaled <= self._high else None


class Fault(Raw):
    """Bits of a frame that become the fault bits from number `bit` on."""

    def __init__(self, row: Table):
        super().__init__(row)
        self._bit: int = row["bit"]
        self._form: str = row["form"]
        self._pairs = range(0, row["length"], 2)

    def bits(self, frame: Word) -> int:
        """The fault bits that are set. Of bit pairs, only 01 is active."""
        return self.of_raw(self.of(frame))

    def of_raw(self, raw: int) -> int:
        """The fault bits for a raw value."""
        if self._form == "any":
            raw = int(raw != 0)
        elif self._form == "zeros":
            raw ^= self.mask
        elif self._form in ("pairs", "any pair"):
            active = raw & ~(raw >> 1)
            raw = sum([(active >> bit & 1) << bit // 2 for bit in self._pairs])
            raw = int(raw != 0) if self._form == "any pair" else raw
        return raw << self._bit


def _crc8_step(value: int) -> int:
    for _ in range(8):
        value = (value << 1 ^ 0x1D if value & 0x80 else value << 1) & 0xFF
    return value


_CRC8 = bytes(map(_crc8_step, range(256)))


@functools.cache
def crc8_begun(can_id: int) -> int:
    """CRC-8 SAE J1850 register after the two low bytes of an id, low byte first."""
    return _CRC8[_CRC8[0xFF ^ can_id & 0xFF] ^ can_id >> 8 & 0xFF]


def crc8(begun: int, data: bytes) -> int:
    """CRC-8 SAE J1850 over an id and the data. begun: the register after the id."""
    for byte in data:
        begun = _CRC8[begun ^ byte]
    return begun ^ 0xFF


def _sum8(can_id: int, data: bytes) -> int:
    """Sum of id, length and all bytes before the check byte."""
    return ((can_id & ~EXTENDED) + len(data) + sum(data[:-1])) & 0xFF


# {name: function that computes the last byte of a frame}
CHECKS = {"crc8_j1850": lambda can_id, data: crc8(crc8_begun(can_id), data[:-1]), "sum8": _sum8}


def sealed(row: Table, can_id: int, data: str, count: int) -> bytes:
    """A frame to the BMS from its row in the profile, with its counter and check byte."""
    frame, counter = bytes.fromhex(data), row["counter"]
    if counter["start"] is not None:
        number = (count & (1 << counter["length"]) - 1) << counter["start"]
        frame = (int.from_bytes(frame, "little") | number).to_bytes(len(frame), "little")
    check = CHECKS.get(row["check"])
    return frame[:-1] + bytes((check(can_id, frame),)) if check else frame
