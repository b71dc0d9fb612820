"""The last check of a set-point: it decodes the frame again before the frame is sent. It shares no
code with the encoder.

Only one form of frame passes: Modbus RTU function 16 to this converter, two registers at WSet, one
signed 32-bit power within the limits the kernel published in this tick. Anything else is an event
and the stop frame goes out instead.
"""

from struct import Struct
from typing import Protocol

from controller.core.base import reasons
from safety.signals import INT_MAX

FRAME_BYTES = 13
WRITE_MULTIPLE = 16
REGISTERS = 2
VALUE_BYTES = 4
FRAME, PLACE, VALUE = Struct(">BBHHBi"), Struct(">HH"), Struct(">i")
VALUES_AT = 7  # bytes before the first register
EXPONENT_RANGE = (-3, 3)


def _crc_table() -> tuple[int, ...]:
    """CRC-16/MODBUS (0x8005 reflected), one value per byte, by long division of the byte alone."""
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
    """The code of the first check that a whole RTU frame fails: of its unit, of its form (is right,
    code), of its CRC; reasons.NONE: none.
    """
    is_whole = frame_crc(frame[:-2]) == int.from_bytes(frame[-2:], "little")
    of_unit = frame[0] == unit_id, reasons.GATE_UNIT_ID
    for is_right, code in (of_unit, *checks, (is_whole, reasons.GATE_CRC)):
        if not is_right:
            return code
    return reasons.NONE


class Gate:
    """Checks the frames of one converter."""

    def __init__(self, unit_id: int, address: int, exponent: int):
        """unit_id; address of the first register of WSet, which counts 10^exponent W (-3 .. 3, else
        ValueError).
        """
        if not EXPONENT_RANGE[0] <= exponent <= EXPONENT_RANGE[1]:
            raise ValueError(
                f"WSet exponent {exponent}: allowed {EXPONENT_RANGE[0]} .. {EXPONENT_RANGE[1]}"
            )
        self._unit_id, self._address = unit_id, address
        self._up, self._down = 10 ** max(0, exponent), 10 ** max(0, -exponent)

    def check(self, frame: bytes, charge_W_max: int, discharge_W_max: int) -> int:
        """reasons.NONE if a whole RTU frame may be sent, else the reason; limits >= 0, W."""
        code = self._form(frame)
        if code:
            return code
        value = FRAME.unpack_from(frame)[5] * self._up
        if value < -charge_W_max * self._down:
            return reasons.GATE_CHARGE
        if value > discharge_W_max * self._down:
            return reasons.GATE_DISCHARGE
        return reasons.NONE

    def _form(self, frame: bytes) -> int:
        if len(frame) != FRAME_BYTES:
            return reasons.GATE_LENGTH
        _, function, address, registers, value_bytes, _ = FRAME.unpack_from(frame)
        return first_wrong(
            frame,
            self._unit_id,
            (function == WRITE_MULTIPLE, reasons.GATE_FUNCTION),
            (address == self._address, reasons.GATE_ADDRESS),
            ((registers, value_bytes) == (REGISTERS, VALUE_BYTES), reasons.GATE_COUNT),
        )


class HasSetpoint(Protocol):
    """The driver of a converter: where its set-point register lies, None until known."""

    @property
    def setpoint_address(self) -> int | None:
        """Address of the first register."""

    @property
    def setpoint_exponent(self) -> int | None:
        """Exponent of ten, in W."""


class ScaledGate:
    """The Gate of a converter at the place and the scale that its set-point has now: both may
    change at run time.

    A frame may wait for its bus while the converter is lost and its address is forgotten. What was
    sent is then decoded with the last known address and exponent.
    """

    def __init__(self, unit_id: int, pcs: HasSetpoint):
        self._unit_id, self._pcs = unit_id, pcs
        self._last = -1, 0  # (address, exponent) as last known

    def check(self, frame: bytes, charge_W_max: int, discharge_W_max: int) -> int:
        """reasons.NONE if a whole RTU frame may be sent, else the reason; limits >= 0, W."""
        address, exponent = self._pcs.setpoint_address, self._pcs.setpoint_exponent
        if address is None or exponent is None:
            return reasons.GATE_ADDRESS
        gate = Gate(self._unit_id, address, exponent)
        return gate.check(frame, charge_W_max, discharge_W_max)

    def sent(self, frame: bytes) -> int | None:
        """A frame is on its way: the set-point in it, W, toward zero; None without one."""
        if self._pcs.setpoint_address is not None:
            self._last = self._pcs.setpoint_address, self._pcs.setpoint_exponent or 0
        address, exponent = self._last
        first, registers = PLACE.unpack_from(frame, 2)
        at = address - first
        if frame[1] != WRITE_MULTIPLE or not 0 <= at <= registers - REGISTERS:
            return None
        (raw,) = VALUE.unpack_from(frame, VALUES_AT + 2 * at)
        size = abs(raw) * 10**exponent if exponent >= 0 else abs(raw) // 10**-exponent
        size = min(size, INT_MAX)
        return size if raw >= 0 else -size

    def forget(self) -> None:
        """One frame holds the whole set-point: nothing is left to follow."""

    def acknowledged(self, frame: bytes) -> None:
        """See forget."""
