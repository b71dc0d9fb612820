"""Where the fields of CAN messages lie, read once from a DBC; frames are then decoded by plain
shifts and masks.
"""

import functools
import math
from fractions import Fraction

import cantools

from drivers.profile import ProfileError


@functools.lru_cache(maxsize=16)
def _load(path):
    return cantools.database.load_file(path)


class Dbc:
    """The DBC file a profile names. Every method raises ProfileError in one line when something is
    not there.
    """

    def __init__(self, profile):
        self._name = profile.path.name
        path = profile.path.parent / profile.settings["dbc"]
        if not path.is_file():
            raise ProfileError(
                f"{self._name}: settings.dbc: no such file {path.name} beside the profile"
            )
        self._database = _load(path)

    def message(self, name):
        """The message `name`."""
        try:
            return self._database.get_message_by_name(name)
        except KeyError:
            known = ", ".join(message.name for message in self._database.messages)
            raise ProfileError(
                f"{self._name}: frames.{name}: no such message; allowed {known}"
            ) from None

    def signal(self, message, name):
        """The signal `name` of `message`, little-endian."""
        try:
            signal = self.message(message).get_signal_by_name(name)
        except KeyError:
            known = ", ".join(signal.name for signal in self.message(message).signals)
            raise ProfileError(
                f"{self._name}: frames.{message}: no signal {name}; allowed {known}"
            ) from None
        if signal.byte_order != "little_endian":
            raise ProfileError(
                f"{self._name}: frames.{message}: {name}: allowed little-endian only"
            )
        return signal

    def field(self, message, row):
        """(shift, mask, sign, low, high, multiply, divide, add) of one field of a frame read as one
        integer:

        raw = ((frame >> shift & mask) ^ sign) - sign, within low to high; value = raw * multiply //
        divide + add. row: a frame signal of the profile (`signal`, `scale`, `range`).
        """
        signal = self.signal(message, row["signal"])
        scale = Fraction(str(row["scale"]))
        factor, add = Fraction(str(signal.scale)) * scale, Fraction(str(signal.offset)) * scale
        sign = 1 << signal.length - 1 if signal.is_signed else 0
        low, high = (Fraction(str(limit)) - add for limit in row["range"])
        return (
            signal.start,
            (1 << signal.length) - 1,
            sign,
            math.ceil(low / factor),
            math.floor(high / factor),
            factor.numerator,
            factor.denominator,
            int(add),
        )
