"""The last check of a value for a site device. Code that the encoder does not use decodes the frame
again before it is sent.

Address, order and scale come from the profile, the range from the actuator's record and its chain.
One form of frame passes for each actuator (functions 5, 6, 15, 16 and 23). For Modbus TCP, the port
puts another header in front of the same frame after this check.
"""

from fractions import Fraction
from struct import Struct
from typing import NamedTuple

from controller.core.base import reasons
from controller.core.base.gate import big_endian, first_wrong

COIL, REGISTER, COILS, REGISTERS, WRITE_AND_READ = 5, 6, 15, 16, 23
HEAD = Struct(">BBHH")  # unit id, function, address, value or count
READ_BYTES = 4  # of function 23: address and count of the read, before those of the write
HEAD_BYTES, CRC_BYTES = HEAD.size, 2
COIL_VALUES = {0x0000: 0, 0xFF00: 1}


class WriteForm(NamedTuple):
    """The one write that an actuator may cause. words: registers of the value, or number of coils.

    states: {raw: value}, empty where value = raw * scale + offset. has_complement: the register
    behind the value is 65535 minus the last register of the value; tail: registers behind it.
    """

    unit_id: int
    function: int
    address: int
    words: int
    is_signed: bool
    is_word_little: bool
    is_byte_little: bool
    scale: Fraction
    offset: Fraction
    states: dict[int, int]
    has_complement: bool = False
    tail: tuple[int, ...] = ()

    @property
    def places(self) -> int:
        """Registers or coils of the whole write."""
        return self.words + self.has_complement + len(self.tail)


class WriteGate:
    """Checks the frames of one actuator."""

    def __init__(self, form: WriteForm):
        self._form = self._profile = form
        self._moved = form.address, 0

    def move(self, address: int, exponent: int) -> None:
        """Set the register's present address, and its scale to the profile's x 10^exponent."""
        if (address, exponent) != self._moved:
            self._moved = address, exponent
            scale = self._profile.scale * Fraction(10) ** exponent
            self._form = self._profile._replace(address=address, scale=scale)

    def check(self, frame: bytes, low: int, high: int) -> int:
        """reasons.NONE if a whole RTU frame asks for a value within low .. high, else
        the reason.
        """
        code = self._code_of_form(frame)
        if code:
            return code
        value = self.value(frame)
        if value is None or not low <= value <= high:
            return reasons.GATE_RANGE
        return reasons.NONE

    def value(self, frame: bytes) -> int | None:
        """The value that a frame of the right form asks for; None if the raw value has
        no meaning.
        """
        form, content = self._form, frame[self._head_bytes() + 1 : -CRC_BYTES]
        if form.function == COIL:
            return COIL_VALUES.get(int.from_bytes(frame[4:6], "big"))
        if form.function == COILS:
            return int.from_bytes(content, "little").bit_count()
        data = frame[4:6] if form.function == REGISTER else content[: 2 * form.words]
        data = big_endian(data, form.is_word_little, form.is_byte_little)
        raw = int.from_bytes(data, "big", signed=form.is_signed)
        if form.states:
            return form.states.get(raw)
        return round(raw * form.scale + form.offset)

    def _code_of_form(self, frame: bytes) -> int:
        form = self._form
        if len(frame) != self._length():
            return reasons.GATE_LENGTH
        _, function, address, count = HEAD.unpack_from(frame)
        is_same_place = form.function != WRITE_AND_READ or frame[2:6] == frame[6:10]
        is_count_right = form.function in (COIL, REGISTER) or count == form.places
        return first_wrong(
            frame,
            form.unit_id,
            (function == form.function, reasons.GATE_FUNCTION),
            (address == form.address and is_same_place, reasons.GATE_ADDRESS),
            (is_count_right, reasons.GATE_COUNT),
            (self._is_tail_right(frame), reasons.GATE_RANGE),
        )

    def _is_tail_right(self, frame: bytes) -> bool:
        form = self._form
        if form.function not in (REGISTERS, WRITE_AND_READ):
            return True
        registers = Struct(f">{form.places}H").unpack_from(frame, self._head_bytes() + 1)
        last_register, after_content = registers[form.words - 1], registers[form.words :]
        complement = (0xFFFF - last_register,) if form.has_complement else ()
        return after_content == complement + form.tail

    def _length(self) -> int:
        form = self._form
        # the byte count, and the coils or registers behind it
        content = {COIL: 0, REGISTER: 0, COILS: 1 + (form.words + 7) // 8}
        size = content.get(form.function, 1 + 2 * form.places)
        return self._head_bytes() + size + CRC_BYTES

    def _head_bytes(self) -> int:
        return HEAD_BYTES + (READ_BYTES if self._form.function == WRITE_AND_READ else 0)
