"""The set-point that was sent to a converter, decoded from the bytes that were handed to the wire.

The value is written into the process image, and so into the journal. The sent value differs from
the requested one while a bus is busy, while the converter is being set up again, and after a
refusal of the gate. Like the gate, this decoder shares nothing with the encoder.
"""

from array import array
from struct import Struct
from typing import Protocol

from safety.signals import INT_MAX

WRITE_MULTIPLE = 16
ADDRESS_AND_COUNT = Struct(">HHB")
VALUE = Struct(">i")
VALUES_AT = 7  # bytes of a function 16 request before its first register
# codes beside pcs_sent_W; from 600 on: the gate refused the newest set-point, see reasons.py
NOTHING, SENT = 0, 1


class HasSetpoint(Protocol):
    """The driver of a converter: where its set-point register lies, None until known."""

    @property
    def setpoint_address(self) -> int | None:
        """Address of the first register."""

    @property
    def setpoint_exponent(self) -> int | None:
        """Exponent of ten, in W."""


class Sent:
    """Follows the frames to one converter; `inp[sent_at]` is the last set-point sent, W,
    `inp[code_at]` its code.

    A frame may wait for its bus while the converter is lost and its address is forgotten. The frame
    is then decoded with the last known address and exponent.
    """

    def __init__(self, pcs: HasSetpoint, inp: array, sent_at: int, code_at: int):
        """inp: of the process image."""
        self._pcs, self._inp, self._sent_at, self._code_at = pcs, inp, sent_at, code_at
        self._address: int | None = None
        self._exponent = 0

    def see(self, frame: bytes) -> None:
        """A whole frame to this converter is on its way."""
        if self._pcs.setpoint_address is not None:
            self._address = self._pcs.setpoint_address
            self._exponent = self._pcs.setpoint_exponent or 0
        if frame[1] != WRITE_MULTIPLE or self._address is None:
            return
        address, registers, _ = ADDRESS_AND_COUNT.unpack_from(frame, 2)
        place = self._address - address
        if not 0 <= place <= registers - 2:
            return
        (raw,) = VALUE.unpack_from(frame, VALUES_AT + 2 * place)
        self._inp[self._sent_at], self._inp[self._code_at] = self._watts(raw), SENT

    def refuse(self, code: int) -> None:
        """The stop frame goes out instead, and `inp[sent_at]` keeps the set-point sent before."""
        self._inp[self._code_at] = code

    def _watts(self, raw: int) -> int:
        """raw x 10^exponent, toward zero, as far as an input goes."""
        exponent = self._exponent
        size = abs(raw) * 10**exponent if exponent >= 0 else abs(raw) // 10**-exponent
        size = min(size, INT_MAX)
        return size if raw >= 0 else -size
