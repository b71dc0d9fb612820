"""Reads the messages and signals (BO_, SG_) of a DBC file, which describes the frames on a CAN bus.
A signal that cannot be read is left out, because a profile needs only a few messages of the file.
"""

import pathlib
import re
from fractions import Fraction
from typing import NamedTuple

from controller.forms.refusal import refuse
from controller.system import regular_file

FRAME_BITS, BYTES_MAX = 64, 4 << 20
_SIGNAL_START = "SG_ "
_STRING = re.compile(r'"[^"]*"')
# A number has few digits: from 1e99999999 Python would make an integer of 100 million digits.
_NUMBER = r"([+-]?[\d.]{1,24}(?:[eE][+-]?\d{1,2})?)"
_MESSAGE = re.compile(r"BO_ +(\d{1,10}) +(\w+) *: *\d+ +\w+")
_SIGNAL = re.compile(
    r"SG_ +(\w+)(?: +(M|m\d{1,9}))? *: *(\d{1,3}) *\| *(\d{1,3}) *@ *([01]) *([+-]) *"
    rf"\( *{_NUMBER} *, *{_NUMBER} *\) *\[[^\]]*\] *\"\" .*"
)
# A later line about a signal: extended multiplexing or a float, which this file cannot read.
_LATER = re.compile(r"(?:SG_MUL_VAL_|SIG_VALTYPE_) +(\d{1,10}) +(\w+) .*")
_ENTRY = re.compile(r"(?:BO_|SG_|SG_MUL_VAL_|SIG_VALTYPE_) ")


class Signal(NamedTuple):
    """The place of a value in a frame: `bits` bits from bit `start` on.

    value = raw * factor + add.
    """

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


def messages(text: str) -> dict[str, Message]:
    """{name: Message} of a DBC. Raises ValueError in one line."""
    by_name: dict[str, Message] = {}
    message = None
    for line in map(str.strip, _STRING.sub('""', text).splitlines()):
        if not _ENTRY.match(line):
            continue
        if head := _MESSAGE.fullmatch(line):
            message = Message(int(head[1]), {})
            by_name[head[2]] = message
            continue
        if later := _LATER.fullmatch(line):
            for known in by_name.values():
                if known.can_id == int(later[1]):
                    known.signals.pop(later[2], None)
            continue
        parts = _SIGNAL.fullmatch(line)
        if message and not parts and line.startswith(_SIGNAL_START):
            continue
        if not parts or message is None:
            raise ValueError(f"{line}: allowed a message, or a signal below one")
        signal = _signal(parts)
        if signal.factor > 0 and 0 < _bits(signal) < 1 << FRAME_BITS:
            message.signals[parts[1]] = signal
    return by_name


def _signal(parts: re.Match[str]) -> Signal:
    mux = int(parts[2][1:]) if parts[2] and parts[2] != "M" else None
    start, bits, factor, add = int(parts[3]), int(parts[4]), Fraction(parts[7]), Fraction(parts[8])
    return Signal(
        start,
        bits,
        is_signed=parts[6] == "-",
        factor=factor,
        add=add,
        is_big=parts[5] == "0",
        mux=mux,
    )


def _bits(signal: Signal) -> int:
    """A mask of the bits of the frame that a signal takes. 0 if the signal has no bits or lies
    beyond the end of a frame.
    """
    if not signal.is_big:
        return (1 << signal.bits) - 1 << signal.start
    order = [byte * 8 + bit for byte in range(FRAME_BITS // 8) for bit in range(7, -1, -1)]
    first = order.index(signal.start) if signal.start < FRAME_BITS else FRAME_BITS
    bits = order[first : first + signal.bits]
    return sum(1 << bit for bit in bits) if len(bits) == signal.bits else 0


def read(path: pathlib.Path, name: str) -> dict[str, Message]:
    """The messages of the file `name` beside a profile. Raises ConfigError in one line."""
    file, key = path.parent / name, ("settings", "dbc")
    if not file.is_file():
        refuse(path.name, key, f"no such file {name} beside the profile")
    try:
        data = regular_file.read(str(file), BYTES_MAX + 1, regular_file.link_opener)
        if len(data) > BYTES_MAX:
            raise ValueError(f"has more than {BYTES_MAX} bytes")
        return messages(data.decode("cp1252", "replace"))
    except (OSError, ValueError) as error:
        refuse(path.name, key, f"{name}: {error}")
