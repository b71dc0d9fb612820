"""The last check of a SunSpec converter's set-point before the frame is sent.

Only one form of frame passes: function 16 of Modbus RTU to this converter, two registers at WSet.
They hold a signed 32-bit power within the limits that the kernel published in this tick. Any other
frame is recorded as an event, and the stop frame is sent instead.
"""

from fractions import Fraction
from struct import Struct
from typing import Protocol

from controller.core.base import reasons
from controller.core.base.form_gate import WRITE_REGISTERS, FormGate, FrameForm, ValueForm
from safety.signals import INT_MAX

WORDS = 2  # of WSet
PLACE, VALUE = Struct(">HH"), Struct(">i")
VALUES_AT = 7  # bytes before the first register
EXPONENTS = range(-3, 4)  # powers of 10 that a scale may have (assumed)


class HasSetpoint(Protocol):
    """The driver of a converter: address and scale of its set-point register, None until known."""

    @property
    def setpoint_address(self) -> int | None:
        """Address of the first register."""

    @property
    def setpoint_exponent(self) -> int | None:
        """Exponent n of the scale: the register counts in 10^n W."""


class ScaledGate:
    """The gate of a set-point at its present address and scale. Both may change at run time.

    A frame may wait for its bus while the converter is lost and its address is forgotten. `sent`
    then decodes the frame with the last known address and exponent.
    """

    def __init__(self, unit_id: int, pcs: HasSetpoint):
        self._unit_id, self._pcs = unit_id, pcs
        self._last = -1, 0  # (address, exponent) as last known
        self._gates: dict[tuple[int, int], FormGate] = {}  # the gate at the present place alone

    def check(self, frame: bytes, charge_W_max: int, discharge_W_max: int) -> int:
        """reasons.NONE if a whole RTU frame may be sent, else the reason; limits >= 0, W."""
        address, exponent = self._pcs.setpoint_address, self._pcs.setpoint_exponent
        if address is None or exponent is None or exponent not in EXPONENTS:
            return reasons.GATE_ADDRESS
        gate = self._gates.get((address, exponent))
        if gate is None:
            power_form = ValueForm(
                role="power",
                words=WORDS,
                encoding="signed",
                is_word_little=False,
                is_byte_little=False,
                scale=Fraction(10) ** exponent,
                offset=Fraction(0),
                raws={},
            )
            gate = FormGate([FrameForm(self._unit_id, WRITE_REGISTERS, address, (power_form,))])
            self._gates = {(address, exponent): gate}
        return gate.check(frame, charge_W_max, discharge_W_max)

    def sent(self, frame: bytes) -> int | None:
        """Set-point in a frame that is being sent, W, rounded toward zero; None without one."""
        if self._pcs.setpoint_address is not None:
            self._last = self._pcs.setpoint_address, self._pcs.setpoint_exponent or 0
        address, exponent = self._last
        first, registers = PLACE.unpack_from(frame, 2)
        offset = address - first
        if frame[1] != WRITE_REGISTERS or not 0 <= offset <= registers - WORDS:
            return None
        (raw,) = VALUE.unpack_from(frame, VALUES_AT + 2 * offset)
        return max(-INT_MAX, min(INT_MAX, int(raw * Fraction(10) ** exponent)))

    def forget(self) -> None:
        """Do nothing: one frame holds the whole set-point, so there is nothing to remember."""

    def acknowledged(self, frame: bytes) -> None:
        """Do nothing, as in `forget`."""
