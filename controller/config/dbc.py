"""The messages and signals (BO_, SG_) of a DBC file. The file of the native rack is refused when a
signal of it cannot be read. Another file has foreign messages: such a signal is left out.
"""

import pathlib
import re
from fractions import Fraction

from controller.forms.refusal import refuse
from controller.system.regular_file import link_opener
from drivers.profile import Message, Signal

FRAME_BITS, BYTES_MAX = 64, 4 << 20
_SIGNAL_START = "SG_ "
_STRING = re.compile(r'"[^"]*"')
# Few digits: Python makes of 1e99999999 a number of 100 million digits.
_NUMBER = r"([+-]?[\d.]{1,24}(?:[eE][+-]?\d{1,2})?)"
_MESSAGE = re.compile(r"BO_ +(\d{1,10}) +(\w+) *: *\d+ +\w+")
_SIGNAL = re.compile(
    r"SG_ +(\w+)(?: +(M|m\d{1,9}))? *: *(\d{1,3}) *\| *(\d{1,3}) *@ *([01]) *([+-]) *"
    rf"\( *{_NUMBER} *, *{_NUMBER} *\) *\[[^\]]*\] *\"\" .*"
)
_LATER = re.compile(r"(?:SG_MUL_VAL_|SIG_VALTYPE_) +(\d{1,10}) +(\w+) .*")  # on a signal above it
_ENTRY = re.compile(r"(?:BO_|SG_|SG_MUL_VAL_|SIG_VALTYPE_) ")
READABLE = "a message, or a little-endian integer that is not multiplexed"


def messages(text: str, every: bool = False) -> dict[str, Message]:
    """{name: Message} of a DBC. every: also big-endian and multiplexed signals, and signals that
    share bits; what cannot be read is left out. Raises ValueError in one line.
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
        if every and (later := _LATER.fullmatch(line)):
            for each in found.values():
                each.signals.pop(later[2] if each.can_id == int(later[1]) else "", None)
            continue
        parts = _SIGNAL.fullmatch(line)
        if every and message and not parts and line.startswith(_SIGNAL_START):
            continue
        if not parts or message is None or not every and (parts[2] or parts[5] == "0"):
            raise ValueError(f"{line}: allowed {READABLE}")
        signal = _signal(parts)
        mask = _bits(signal)
        is_whole = signal.factor > 0 and 0 < mask < 1 << FRAME_BITS
        if not every and (not is_whole or mask & used):
            raise ValueError(
                f"{line}: allowed a factor above 0, and bits of its own within {FRAME_BITS}"
            )
        used |= mask
        if is_whole:
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


def read(path: pathlib.Path, name: str, every: bool) -> dict[str, Message]:
    """The messages of the file `name` beside a profile. Raises ConfigError in one line."""
    file, key = path.parent / name, ("settings", "dbc")
    if not file.is_file():
        refuse(path.name, key, f"no such file {name} beside the profile")
    try:
        with open(file, "rb", opener=link_opener) as opened:
            data = opened.read(BYTES_MAX + 1)
        if len(data) > BYTES_MAX:
            raise ValueError(f"has more than {BYTES_MAX} bytes")
        return messages(data.decode("cp1252", "replace"), every)
    except (OSError, ValueError) as error:
        refuse(path.name, key, f"{name}: {error}")
