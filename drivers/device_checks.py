"""Lists the registers whose content is checked before a value of the device counts."""

from collections.abc import Callable, Iterator
from functools import partial

from drivers.buses import rtu
from drivers.profile import SLOT, Profile, Register, Settings
from drivers.register_codec import Codec, ScaleFactor

# a register, and a function that says whether its bytes are right
Check = tuple[Register, Callable[[bytes], bool]]


def identity_checks(profile: Profile, settings: Settings) -> Iterator[Check]:
    """The checks that distinguish the device from other devices.

    They are `[identity]` and the id of each SunSpec model. The last check fails if the chain of
    models could not be read to its end.
    """
    for register in profile.identity.values():
        yield register, partial(_is_one_of, Codec(register, settings), register.equals)
    for slot, wanted in enumerate(profile.needed, 1):
        yield _header(slot), partial(_has_id, wanted.ids)
    if profile.models:
        yield _header(1), bool


def factor_checks(profile: Profile, codecs: list[Codec]) -> Iterator[Check]:
    """The checks of scale factors for these codecs."""
    for name in profile.factors:
        factor = ScaleFactor([codec for codec in codecs if codec.factor == name])
        yield profile.registers[name], factor.holds


def _is_one_of(codec: Codec, values: list[int], part: bytes) -> bool:
    return codec.value(part) in values


def _has_id(ids: tuple[int, ...], part: bytes) -> bool:
    return int.from_bytes(part, "big") in ids


def _header(slot: int) -> Register:
    return Register(function=rtu.READ_HOLDING_REGISTERS, address=slot * SLOT, words=1)
