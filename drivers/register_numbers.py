"""Decodes fast the values of a reply that comes in every tick: raw x scale + offset, not rounded.

All registers are unpacked at once. A register needs an additional step if it is no plain big-endian
number: another order, an invalid raw value, a scale. `register_codec.py` is exact, but slower.
"""

import math
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from drivers.profile import Register
from drivers.register_blocks import Block
from drivers.register_codec import EXPONENTS, ordered

HEAD_BYTES = 2  # bytes of a PDU before its registers


class Numbers:
    """Values of the registers of some reads, from their PDUs joined together."""

    def __init__(
        self, registers: Sequence[Register], reads: Sequence[Block], alone: Sequence[str] = ()
    ):
        """reads: their places are indexes of `registers`.

        alone: names of values that are NaN if they are missing; the other values still count.
        """
        layout, self._registers = ">", list[Register]()
        for block in reads:
            layout += f"{HEAD_BYTES}x"
            end = 0
            for index, start, size in block.places:
                register = registers[index]
                layout += f"{start - end}x{register.code if _is_plain(register) else f'{size}s'}"
                end = start + size
                self._registers.append(register)
            layout += f"{2 * block.length - end}x"
        self._unpack = struct.Struct(layout).unpack_from
        self.names = [register.name for register in self._registers]
        self._alone = frozenset([index for index, name in enumerate(self.names) if name in alone])
        self._factor_indexes = [
            self.names.index(register.scale_from) if register.scale_from else -1
            for register in self._registers
        ]
        self._factor_places = sorted({index for index in self._factor_indexes if index >= 0})
        self._exponents: tuple[float, ...] = ()
        self._has_factors = False
        self._conversions = [] if self._factor_places else self._conversions_by({})

    def read(self, pdus: bytes) -> Sequence[float] | None:
        """The values in the order of `names`. None if a value that is not in `alone` is missing.

        Also None if a scale factor is invalid or new. It counts from its second reply on, because
        factor and values may be of different times.
        """
        raws = self._unpack(pdus)
        if self._factor_places and not self._is_settled(
            tuple([raws[place] for place in self._factor_places])
        ):
            return None
        if not self._conversions:
            return raws
        values = list(raws)
        for index, decode, invalid, factor, divisor, offset in self._conversions:
            raw = values[index]
            if decode is not None:
                raw = decode(raw)
            if raw in invalid:
                if index not in self._alone:
                    return None
                raw = math.nan
            values[index] = raw * factor / divisor + offset
        return values

    def _is_settled(self, exponents: tuple[float, ...]) -> bool:
        if exponents == self._exponents:
            return self._has_factors
        self._exponents = exponents
        self._has_factors = all([exponent in EXPONENTS for exponent in exponents])
        if self._has_factors:
            self._conversions = self._conversions_by(
                dict(zip(self._factor_places, map(int, exponents)))
            )
        return False

    def _conversions_by(self, exponents: dict[int, int]) -> list[tuple[Any, ...]]:
        steps = []
        for index, register in enumerate(self._registers):
            scale = Fraction(str(register.scale)) * Fraction(10) ** exponents.get(
                self._factor_indexes[index], 0
            )
            decode = None if _is_plain(register) else _decoder(register)
            invalid, offset = frozenset(register.invalid), register.offset
            if index in exponents or decode is None and not invalid and scale == 1 and not offset:
                continue
            steps.append((index, decode, invalid, *scale.as_integer_ratio(), offset))
        return steps


def values_of(
    registers: Sequence[Register], reads: Sequence[Block], read: Callable[[Block], bytes]
) -> dict[str, float] | None:
    """{name: value} of registers, from the answers of `read`; None if a value is missing."""
    numbers = Numbers(registers, reads)
    pdus = b"".join([bytes(HEAD_BYTES) + read(block) for block in reads])
    numbers.read(pdus)  # read twice, because a scale factor counts from its second reading on
    values = numbers.read(pdus)
    return None if values is None else dict(zip(numbers.names, values))


def _is_plain(register: Register) -> bool:
    is_long = register.words > 1 and register.word_order == "little"
    return not is_long and register.byte_order == "big"


def _decoder(register: Register) -> Callable[[bytes], float]:
    unpack = struct.Struct(f">{register.code}").unpack

    def decode(data: bytes) -> float:
        value: float = unpack(ordered(register, data))[0]
        return value

    return decode
