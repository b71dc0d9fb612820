"""Converts between registers or bits and a value: value = raw * scale + offset, rounded.

NaN, and a raw value that the profile calls invalid, mean that there is no value. A value out of
range is refused. states.py describes the value of a state without an entry in `values`.
"""

import math
import struct
from fractions import Fraction

from drivers.profile import Register, Settings
from drivers.states import States

INTEGERS = {"u16": (1, False), "s16": (1, True), "u32": (2, False), "s32": (2, True)}
INTEGERS |= {"u64": (4, False), "s64": (4, True)}
FLOATS = {"float32": ">f", "float64": ">d"}
BIT = "bit"
EXPONENTS = range(-10, 11)  # valid SunSpec scale factors


class Codec:
    """Encodes and decodes one register of a profile."""

    def __init__(
        self, register: Register, settings: Settings, bounds: tuple[int, int] | None = None
    ):
        """settings: for `scale_by` (KeyError if missing). bounds: narrow the range."""
        self._register, self.factor = register, getattr(register, "scale_from", "")
        self._low, self._high = register.low, register.high
        if bounds:
            self._low, self._high = max(bounds[0], self._low), min(bounds[1], self._high)
        self._plain_scale = Fraction(str(register.scale))
        self._offset = Fraction(str(register.offset))
        if register.scale_by:
            self._plain_scale *= settings[register.scale_by]
        self.rescale(0)
        self._shift = (register.mask & -register.mask).bit_length() - 1 if register.mask else 0
        named = {int(raw): value for raw, value in register.values.items()}
        self._raws = {value: raw for raw, value in reversed(named.items())}
        self.states = States(getattr(register, "name", ""), register.values) if named else None

    def rescale(self, exponent: int) -> None:
        """Set the scale to the profile's scale times 10^exponent."""
        self.exponent = exponent
        self._scale = self._plain_scale * Fraction(10) ** exponent
        half_up = self._offset + Fraction(1, 2)
        self._divide = self._scale.denominator * half_up.denominator
        self._multiply, self._add = int(self._scale * self._divide), int(half_up * self._divide)

    def read(self, data: bytes) -> tuple[int | None, bool]:
        """(value, True if it is good); (None, True) if there is no value. Bits: number of ones."""
        raw = sum(data) if self._register.type == BIT else self._raw(ordered(self._register, data))
        is_invalid = raw in self._register.invalid
        if raw is None or is_invalid and not (self.states and self.states.less_safe is not None):
            return None, True
        if self._register.mask:
            raw = (int(raw) & self._register.mask) >> self._shift
        if self.states:
            state = self.states.value(int(raw))
            return state, state is not None
        number = raw if isinstance(raw, int) else Fraction(raw)
        value = int((number * self._multiply + self._add) // self._divide)
        return value, self._low <= value <= self._high

    def value(self, data: bytes) -> int | None:
        """The value. None if the device has no value or the value is refused."""
        value, is_good = self.read(data)
        return value if is_good else None

    def words(self, value: int) -> list[int]:
        """The registers for `value`. Raises ValueError.

        The value is rounded towards 0, so that no device is asked for more.
        """
        raw: Fraction | int = (value - self._offset) / self._scale
        if self.states:
            if value not in self._raws:
                raise ValueError(f"{self._register.name}: no raw value for {value}")
            raw = self._raws[value]
        try:
            data = _towards_zero(raw, self._register.type)
        except OverflowError as error:
            form = f"{self._register.type} with scale {self._register.scale:g}"
            form += f" and offset {self._register.offset:g}" if self._offset else ""
            raise ValueError(f"{self._register.name}: {value} does not fit {form}") from error
        registers = list(struct.unpack(f">{len(data) // 2}H", ordered(self._register, data)))
        if self._register.complement:
            registers.append(0xFFFF - registers[-1])
        return registers + list(self._register.with_words)

    def _raw(self, data: bytes) -> int | float | None:
        if self._register.type in INTEGERS:
            return int.from_bytes(data, "big", signed=INTEGERS[self._register.type][1])
        (number,) = struct.unpack(FLOATS[self._register.type], data)
        return number if math.isfinite(number) else None


class ScaleFactor:
    """A register with a power of ten for some codecs.

    A factor counts once it has come twice, because the values beside a changed factor may still
    belong to the previous one.
    """

    def __init__(self, codecs: list[Codec]):
        self._codecs = codecs
        self.exponent: int | None = None

    def holds(self, data: bytes) -> bool:
        """Rescale the codecs. True if the exponent is valid and the same as the last time."""
        exponent = int.from_bytes(data, "big", signed=True)
        is_same, is_factor = exponent == self.exponent, exponent in EXPONENTS
        self.exponent = exponent
        for codec in self._codecs if is_factor else ():
            codec.rescale(exponent)
        return is_same and is_factor


def ordered(register: Register, data: bytes) -> bytes:
    """Swap between the byte and word order on the wire and big-endian, in either direction."""
    if register.byte_order == "little":
        data = b"".join([data[start : start + 2][::-1] for start in range(0, len(data), 2)])
    if register.word_order == "little":
        data = b"".join([data[start : start + 2] for start in range(len(data) - 2, -1, -2)])
    return data


def _towards_zero(raw: int | Fraction, kind: str) -> bytes:
    """`raw` rounded towards 0 to a number of this type. OverflowError if it is too large."""
    if kind in INTEGERS:
        count, is_signed = INTEGERS[kind]
        return math.trunc(raw).to_bytes(2 * count, "big", signed=is_signed)
    data = struct.pack(FLOATS[kind], raw)
    (number,) = struct.unpack(FLOATS[kind], data)
    if abs(Fraction(number)) > abs(Fraction(raw)):
        # The bits of a float, read as an integer, rise with its magnitude. So one less is the next
        # float towards 0.
        data = (int.from_bytes(data, "big") - 1).to_bytes(len(data), "big")
    return data
