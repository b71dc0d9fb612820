"""The fields of CAN messages, from the messages and signals of a DBC file, as shifts and masks."""

import functools
import math
from fractions import Fraction
from typing import Any, NamedTuple

from drivers.profile import Message, Profile, Signal, wrong


class Field(NamedTuple):
    """value = raw * multiply // divide + add; raw = ((frame >> shift & mask) ^ sign) - sign."""

    shift: int
    mask: int
    sign: int
    low: int
    high: int
    multiply: int
    divide: int
    add: int


class Dbc:
    """The DBC file of a profile. Each method raises ProfileError in one line for a missing name."""

    def __init__(self, profile: Profile) -> None:
        self._wrong = functools.partial(wrong, profile.path)
        self._messages = profile.dbc

    def message(self, name: str) -> Message:
        """The message `name`."""
        if name not in self._messages:
            allowed = ", ".join(self._messages)
            raise self._wrong(f"frames.{name}: no such message; allowed {allowed}")
        return self._messages[name]

    def signal(self, message: str, name: str) -> Signal:
        """The signal `name` of `message`."""
        signals = self.message(message).signals
        if name not in signals:
            allowed = ", ".join(signals)
            raise self._wrong(f"frames.{message}: no signal {name}; allowed {allowed}")
        return signals[name]

    def field(self, message: str, row: dict[str, Any]) -> Field:
        """The Field of a frame signal of the profile (row: `signal`, `scale`, `range`)."""
        return _field(self.signal(message, row["signal"]), row["scale"], *row["range"])


@functools.lru_cache(maxsize=128)  # shared by the racks
def _field(signal: Signal, scale: float, low: float, high: float) -> Field:
    multiplier = Fraction(str(scale))
    factor, add = signal.factor * multiplier, signal.add * multiplier
    form = signal.start, (1 << signal.bits) - 1, 1 << signal.bits - 1 if signal.is_signed else 0
    lowest, highest = [(Fraction(str(end)) - add) / factor for end in (low, high)]
    ends = math.ceil(lowest), math.floor(highest)
    return Field(*form, *ends, *factor.as_integer_ratio(), int(add))
