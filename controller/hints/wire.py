"""Layouts of the datagrams for hints: little-endian, with an HMAC-SHA256 as their MAC.

    hint      88 bytes, 96 with a start time    MAC over all bytes before it
    reply     116                               MAC
    state     112                               MAC
    hello     20                                no MAC
    welcome   28, the answer to a hello         no MAC
    status    20, requests a state              no MAC

Times are the controller's uptime in ms. The answer to a hello has this uptime.
"""

import hmac
import struct
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from controller.core.base import hint_codes as h

Answer = TypeVar("Answer", bound=tuple[Any, ...])
MAGIC_BYTES, MAC_BYTES, NAME_BYTES, NONCE_BYTES, KEY_BYTES = 4, 32, 16, 8, 32
HINT_MAGIC, HELLO_MAGIC, WELCOME_MAGIC, REPLY_MAGIC = b"FBH1", b"FBQ1", b"FBN1", b"FBR1"
HINT2_MAGIC, READ_MAGIC = b"FBH2", b"FBG1"  # READ_MAGIC: requests the schedule
STATUS_MAGIC, STATE_MAGIC = b"FBS1", b"FBT1"
NOTHING_W = -(2**31)  # no value: nothing in force, or no fallback
VALUE_W_MAX = 1_000_000_000  # the core's bound
VALID_MS_MIN = 1000
SEQUENCE_MAX = 2**64 - 1
COUNT_BITS = 32  # lower half of a sequence; the upper half is the epoch
EPOCH_MAX = 2**31 - 1  # the stored record holds whole numbers up to this
DATAGRAM_BYTES_MAX = 1500


class Hint(NamedTuple):
    """purpose: shown, not interpreted; start_ms: uptime at which it begins, 0: at once."""

    source: str
    nonce: bytes
    sequence: int
    sent_ms: int
    kind: int
    quantity: int
    purpose: int
    value_W: int
    valid_ms: int
    start_ms: int = 0


class Welcome(NamedTuple):
    """Answer to a hello: nonce of this run, uptime, highest sequence of that source."""

    nonce: bytes
    uptime_ms: int
    sequence: int


class Reply(NamedTuple):
    """The effect of a hint. granted_W: value in effect (NOTHING_W: none); valid_ms:
    its time left.
    """

    source: str
    nonce: bytes
    sequence: int
    uptime_ms: int
    code: int
    kind: int
    quantity: int
    asked_W: int
    granted_W: int
    valid_ms: int
    fallback_W: int
    available_low_W: int
    available_high_W: int
    low_reason: int
    high_reason: int
    setpoint_W: int
    binding_reason: int


class State(NamedTuple):
    """remaining_Wh: above the peaks reserve, -1: unknown; control_source: the source in control, or
    "".
    """

    source: str
    nonce: bytes
    uptime_ms: int
    setpoint_W: int
    available_low_W: int
    available_high_W: int
    remaining_Wh: int
    reserve_peaks_permille: int
    reserve_backup_permille: int
    low_reason: int
    high_reason: int
    binding_reason: int
    control_source: str


# Each layout has a magic, the fields and a MAC. Only the answer to a hello has no MAC.
HINT = struct.Struct("<4s16s8sQQBBHiI32s")
HINT2 = struct.Struct("<4s16s8sQQBBHiIQ32s")
WELCOME = struct.Struct("<4s8sQQ")
REPLY = struct.Struct("<4s16s8sQQHBBiiIiiiHHiH2x32s")
STATE = struct.Struct("<4s16s8sQiiiiHHHHH2x16s32s")
HELLO = struct.Struct("<4s16s")
_LENGTHS = {
    HINT_MAGIC: HINT.size,
    HINT2_MAGIC: HINT2.size,
    **dict.fromkeys((HELLO_MAGIC, STATUS_MAGIC, READ_MAGIC), HELLO.size),
}


def epoch_of(sequence: int) -> int:
    """The epoch of a sequence: 0 from a sender that only counts."""
    return sequence >> COUNT_BITS


def mac(key: bytes, signed: bytes | memoryview) -> bytes:
    """HMAC-SHA256 (32 bytes) of `signed` under `key`."""
    return hmac.digest(key, signed, "sha256")


def name_field(name: str) -> bytes:
    """A source's name as 16 bytes, padded with zeros. ValueError when it does not fit."""
    if not 0 < len(name) <= NAME_BYTES or not name.isascii() or "\0" in name:
        raise ValueError(f"{name[:20]!a}: a source's name is 1 .. {NAME_BYTES} ASCII characters")
    return name.encode("ascii").ljust(NAME_BYTES, b"\0")


def name_of(field: bytes) -> str:
    """Name in a zero-padded field. Trust it only if the MAC is right."""
    return field.rstrip(b"\0").decode("ascii", "replace")


def unsigned(hint: Hint) -> bytes:
    """The bytes that a Hint's MAC covers: 56, 64 with a start time. struct.error, ValueError."""
    if len(hint.nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(hint.nonce)}")
    form, magic, end = (HINT2, HINT2_MAGIC, None) if hint.start_ms else (HINT, HINT_MAGIC, -1)
    return form.pack(magic, name_field(hint.source), *hint[1:end], b"")[:-MAC_BYTES]


def hint_of(data: bytes | memoryview) -> Hint:
    """The Hint of a datagram of right length and magic; its MAC is not checked."""
    form = HINT if len(data) == HINT.size else HINT2
    _, source, *rest, _ = form.unpack(data)
    return Hint(name_of(source), *rest)


def signed(hint: Hint, key: bytes) -> bytes:
    """The datagram (88 or 96 bytes) of a Hint."""
    data = unsigned(hint)
    return data + mac(key, data)


def is_signed(data: bytes, key: bytes) -> bool:
    """True when a datagram ends in its MAC under this key."""
    return hmac.compare_digest(mac(key, data[:-MAC_BYTES]), data[-MAC_BYTES:])


def _packed(value: str | bytes | int) -> bytes | int:
    return value if not isinstance(value, str) else name_field(value) if value else b""


def _unpacked(value: bytes | int) -> str | bytes | int:
    return name_of(value) if isinstance(value, bytes) and len(value) == NAME_BYTES else value


class Form(NamedTuple, Generic[Answer]):
    """An answer on the wire: magic, layout, and the record between magic and MAC."""

    magic: bytes
    layout: struct.Struct
    record: Callable[..., Answer]

    def signed(self, answer: Answer, key: bytes) -> bytes:
        """The datagram of a record."""
        data = self.layout.pack(self.magic, *map(_packed, answer), b"")[:-MAC_BYTES]
        return data + mac(key, data)

    def opened(self, data: bytes, key: bytes | None = None) -> Answer | None:
        """The record of a datagram. None: another datagram, or, with a key, a wrong MAC."""
        if len(data) != self.layout.size or not data.startswith(self.magic):
            return None
        if key is not None and not is_signed(data, key):
            return None
        return self.record(*map(_unpacked, self.layout.unpack(data)[1:-1]))


_REPLY, _STATE = Form(REPLY_MAGIC, REPLY, Reply), Form(STATE_MAGIC, STATE, State)
reply_bytes, reply_of = _REPLY.signed, _REPLY.opened
state_bytes, state_of = _STATE.signed, _STATE.opened


def hello(source: str) -> bytes:
    """The datagram (20 bytes) that requests nonce, uptime and sequence."""
    return HELLO.pack(HELLO_MAGIC, name_field(source))


def status(source: str) -> bytes:
    """The datagram (20 bytes) that requests a State."""
    return HELLO.pack(STATUS_MAGIC, name_field(source))


def is_well_formed(data: bytes | memoryview) -> bool:
    """True if length and magic are those of a source's datagram. This check costs no MAC."""
    return _LENGTHS.get(bytes(data[:4])) == len(data)


def welcome_of(data: bytes) -> Welcome | None:
    """Welcome of a datagram; None: another datagram."""
    if len(data) != WELCOME.size or not data.startswith(WELCOME_MAGIC):
        return None
    return Welcome(*WELCOME.unpack(data)[1:])


def quantity_of(name: str) -> tuple[int, int]:
    """(kind, quantity) of a quantity's name. ValueError with the allowed names."""
    named = {known: (h.KIND_OF[quantity], quantity) for quantity, known in h.QUANTITIES.items()}
    named |= {known: (h.NOTICE, quantity) for quantity, known in h.NOTICES.items()}
    named[h.KINDS[h.HEARTBEAT]] = (h.HEARTBEAT, 0)
    if name not in named:
        raise ValueError(f"quantity {name[:20]!r} is not allowed; allowed {', '.join(named)}")
    return named[name]
