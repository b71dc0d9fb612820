"""The fields of CAN messages, from the messages and signals (BO_, SG_) of a DBC file, as shifts and
masks. Floating-point signals are refused; of the native rack also big-endian and multiplexed ones.
"""

import functools
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from drivers.profile import Profile, wrong

FRAME_BITS = 64
_STRING = re.compile(r'"[^"]*"')
_MESSAGE = re.compile(r"BO_ +(\d+) +(\w+) *: *\d+ +\w+")
_SIGNAL = re.compile(
    r"SG_ +(\w+)(?: +(M|m\d+))? *: *(\d+) *\| *(\d+) *@ *([01]) *([+-]) *"
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
    is_big: bool = False
    mux: int | None = None


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


def messages(text: str, every: bool = False) -> dict[str, Message]:
    """{name: Message} of a DBC. every: also big-endian and multiplexed signals. Raises ValueError
    in one line.
    """
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
        if not parts or message is None or not every and (parts[2] or parts[5] == "0"):
            raise ValueError(f"{line}: allowed {READABLE}")
        signal = _signal(parts)
        mask = _bits(signal)
        if signal.factor <= 0 or not 0 < mask < 1 << FRAME_BITS or mask & used:
            raise ValueError(
                f"{line}: allowed a factor above 0, and bits of its own within {FRAME_BITS}"
            )
        used |= mask if signal.mux is None else 0
        message.signals[parts[1]] = signal
    return found


def _signal(parts: re.Match[str]) -> Signal:
    mux = int(parts[2][1:]) if parts[2] and parts[2] != "M" else None
    start, bits, factor, add = int(parts[3]), int(parts[4]), Fraction(parts[7]), Fraction(parts[8])
    return Signal(start, bits, parts[6] == "-", factor, add, parts[5] == "0", mux)


def _bits(signal: Signal) -> int:
    """The bits of the frame that a signal takes, as a mask; 0: none, or beyond its end."""
    if not signal.is_big:
        return (1 << signal.bits) - 1 << signal.start
    order = [byte * 8 + bit for byte in range(FRAME_BITS // 8) for bit in range(7, -1, -1)]
    first = order.index(signal.start) if signal.start < FRAME_BITS else FRAME_BITS
    found = order[first : first + signal.bits]
    return sum([1 << bit for bit in found]) if len(found) == signal.bits else 0


@functools.lru_cache(maxsize=16)  # up to 16 racks share a file
def _read(path: Path) -> dict[str, Message]:
    return messages(path.read_text(encoding="cp1252", errors="replace"))


class Dbc:
    """The DBC file of a profile. Each method raises ProfileError in one line for a missing name."""

    def __init__(self, profile: Profile) -> None:
        self._wrong = functools.partial(wrong, profile.path)
        path = profile.path.parent / profile.settings["dbc"]
        if not path.is_file():
            raise self._wrong(f"settings.dbc: no such file {path.name} beside the profile")
        try:
            self._messages = _read(path)
        except ValueError as error:
            raise self._wrong(f"settings.dbc: {path.name}: {error}") from None

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
