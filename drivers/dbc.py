"""The fields of CAN messages, from the messages and signals (BO_, SG_) of a DBC file, as shifts and
masks. Big-endian, multiplexed and floating-point signals are refused.
"""

import functools
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from drivers.profile import Profile, ProfileError, wrong

FRAME_BITS = 64
_STRING = re.compile(r'"[^"]*"')
_MESSAGE = re.compile(r"BO_ +(\d+) +(\w+) *: *\d+ +\w+")
_SIGNAL = re.compile(
    r"SG_ +(\w+) *: *(\d+) *\| *(\d+) *@ *1 *([+-]) *"
    r"\( *([\d.eE+-]+) *, *([\d.eE+-]+) *\) *\[[^\]]*\] *\"\" .*"
)
_ENTRY = re.compile(r"(?:BO_|SG_|SG_MUL_VAL_|SIG_VALTYPE_) ")
READABLE = "a message, or a little-endian integer that is not multiplexed"


class Signal(NamedTuple):
    """value = raw * factor + add; raw: `bits` bits of the frame from bit `start` on."""

    start: int
    bits: int
    is_signed: bool
    factor: Fraction
    add: Fraction


class Message(NamedTuple):
    """One message and its signals by name."""

    can_id: int
    signals: dict[str, Signal]


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


def messages(text: str) -> dict[str, Message]:
    """{name: Message} of a DBC. Raises ValueError in one line."""
    found: dict[str, Message] = {}
    message, used = None, 0
    for line in map(str.strip, _STRING.sub('""', text).splitlines()):
        if not _ENTRY.match(line):
            continue
        if head := _MESSAGE.fullmatch(line):
            message, used = Message(int(head[1]), {}), 0
            found[head[2]] = message
            continue
        parts = _SIGNAL.fullmatch(line)
        if not parts or message is None:
            raise ValueError(f"{line}: allowed {READABLE}")
        signal = Signal(
            int(parts[2]), int(parts[3]), parts[4] == "-", *map(Fraction, parts.group(5, 6))
        )
        mask = (1 << signal.bits) - 1 << signal.start
        if signal.factor <= 0 or not 0 < mask < 1 << FRAME_BITS or mask & used:
            raise ValueError(
                f"{line}: allowed a factor above 0, and bits of its own within {FRAME_BITS}"
            )
        used |= mask
        message.signals[parts[1]] = signal
    return found


@functools.lru_cache(maxsize=16)  # up to 16 racks share a file
def _read(path: Path) -> dict[str, Message]:
    return messages(path.read_text(encoding="cp1252", errors="replace"))


class Dbc:
    """The DBC file of a profile. Each method raises ProfileError in one line for a missing name."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile.path
        path = profile.path.parent / profile.settings["dbc"]
        if not path.is_file():
            raise self._wrong(f"settings.dbc: no such file {path.name} beside the profile")
        try:
            self._messages = _read(path)
        except ValueError as error:
            raise self._wrong(f"settings.dbc: {path.name}: {error}") from None

    def _wrong(self, words: str) -> ProfileError:
        return wrong(self._profile, words)

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
    return Field(
        signal.start,
        (1 << signal.bits) - 1,
        1 << signal.bits - 1 if signal.is_signed else 0,
        math.ceil((Fraction(str(low)) - add) / factor),
        math.floor((Fraction(str(high)) - add) / factor),
        factor.numerator,
        factor.denominator,
        int(add),
    )
