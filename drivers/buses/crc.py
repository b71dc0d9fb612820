"""Computes CRC-16/MODBUS, two bytes at a time."""

from array import array
from struct import Struct

FRAME_BYTES_MAX = 256  # Modbus over serial line V1.02, 4.1


def _word_table() -> "array[int]":
    """CRC register after each 16-bit word. As the CRC is linear, each bit doubles the table."""
    table = [0]
    for bit in range(16):
        value = 1 << bit
        for _ in range(16):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
        table += [entry ^ value for entry in table]
    return array("H", table)


_TABLE = _word_table()
_WORDS = tuple(Struct("<%dH" % count).unpack_from for count in range(FRAME_BYTES_MAX + 1))


def crc16(data: bytes, table: "array[int]" = _TABLE) -> int:
    """CRC-16/MODBUS of up to 513 bytes. It is 0 over a frame that includes its correct CRC."""
    crc = 0xFFFF
    size = len(data)
    for word in _WORDS[size >> 1](data):
        crc = table[crc ^ word]
    if size & 1:  # the last byte is used as the high byte of a word whose low byte is neutral
        crc = (crc >> 8) ^ table[((crc ^ data[-1]) & 255) << 8]
    return crc


def seal(body: bytes) -> bytes:
    """A complete frame: `body` (unit id and PDU) and its CRC, low byte first."""
    return body + crc16(body).to_bytes(2, "little")
