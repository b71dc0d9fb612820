"""Checks of a frame that all gates share: unit id, form and CRC.

A gate is the last check before a frame is sent. It shares no code with the encoder of the frame.
"""

from controller.core.base import reasons


def _crc_table() -> tuple[int, ...]:
    """Table of CRC-16/MODBUS (polynomial 0x8005, reflected): the remainder of each byte."""
    table = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            carry, remainder = remainder & 1, remainder >> 1
            remainder ^= carry * 0xA001
        table.append(remainder)
    return tuple(table)


CRC_TABLE = _crc_table()


def frame_crc(data: bytes) -> int:
    """CRC-16/MODBUS of bytes."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ CRC_TABLE[(value ^ byte) & 0xFF]
    return value


def first_wrong(frame: bytes, unit_id: int, *checks: tuple[bool, int]) -> int:
    """Code of the first check that a whole RTU frame fails, or reasons.NONE. The checks are the
    unit id, then `checks` with (is right, code), then the CRC.
    """
    if not frame:
        return reasons.GATE_LENGTH
    is_whole = frame_crc(frame[:-2]) == int.from_bytes(frame[-2:], "little")
    of_unit = frame[0] == unit_id, reasons.GATE_UNIT_ID
    for is_right, code in (of_unit, *checks, (is_whole, reasons.GATE_CRC)):
        if not is_right:
            return code
    return reasons.NONE


def big_endian(data: bytes, is_word_little: bool, is_byte_little: bool) -> bytes:
    """The registers of a value with the highest byte first, whatever their order on the wire."""
    pairs = [data[start : start + 2] for start in range(0, len(data), 2)]
    if is_byte_little:
        pairs = [pair[::-1] for pair in pairs]
    if is_word_little:
        pairs.reverse()
    return b"".join(pairs)
