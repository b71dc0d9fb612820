"""Hints as bytes: fixed little-endian datagrams and their HMAC-SHA256, for the loop and for
senders.

A hint (88 bytes), a reply (116) and a state (112) end in a MAC over all bytes before it, made with
the key of the source. A hello (20), its answer (28) and a status (20), which requests a state, are
not secret and have none. Times are the controller's uptime clock in ms, as the hello tells it.
"""

import collections
import hmac
import struct

from controller.core import hint_codes as h

MAC_BYTES, NAME_BYTES, NONCE_BYTES, KEY_BYTES = 32, 16, 8, 32
HINT_MAGIC, HELLO_MAGIC, WELCOME_MAGIC, REPLY_MAGIC = b"FBH1", b"FBQ1", b"FBN1", b"FBR1"
STATUS_MAGIC, STATE_MAGIC = b"FBS1", b"FBT1"
NOTHING_W = -(2**31)  # no value: nothing in force, or no fallback
VALUE_W_MAX = 1_000_000_000  # what the core takes
VALID_MS_MIN = 1000
SEQUENCE_MAX = 2**64 - 1


def _datagram(name, mac, **fields):
    """(type of the fields, bytes of a datagram): a magic, the fields (name: struct code), a MAC."""
    form = struct.Struct("<4s" + "".join(fields.values()) + mac)
    return collections.namedtuple(name, fields), form


# source: its name, at the loop as 16 bytes; purpose: a free number, shown and not interpreted.
Hint, HINT = _datagram(
    "Hint",
    f"{MAC_BYTES}s",
    source="16s",
    nonce="8s",
    sequence="Q",
    sent_ms="Q",
    kind="B",
    quantity="B",
    purpose="H",
    value_W="i",
    valid_ms="I",
)
# Answer to a hello: nonce of this run, uptime, highest sequence of that source.
Welcome, WELCOME = _datagram("Welcome", "", nonce="8s", uptime_ms="Q", sequence="Q")
# How a hint was taken. granted_W: in effect (NOTHING_W: nothing); valid_ms: left of it.
Reply, REPLY = _datagram(
    "Reply",
    f"{MAC_BYTES}s",
    source="16s",
    nonce="8s",
    sequence="Q",
    uptime_ms="Q",
    code="H",
    kind="B",
    quantity="B",
    asked_W="i",
    granted_W="i",
    valid_ms="I",
    fallback_W="i",
    available_low_W="i",
    available_high_W="i",
    low_reason="H",
    high_reason="H",
    setpoint_W="i",
    binding_reason="H2x",
)
# What the cabinet can do and does. remaining_Wh: above the soft reserve, -1: unknown;
# control_source: its name or "".
State, STATE = _datagram(
    "State",
    f"{MAC_BYTES}s",
    source="16s",
    nonce="8s",
    uptime_ms="Q",
    setpoint_W="i",
    available_low_W="i",
    available_high_W="i",
    remaining_Wh="i",
    reserve_soft_permille="H",
    reserve_hard_permille="H",
    low_reason="H",
    high_reason="H",
    binding_reason="H2x",
    control_source="16s",
)
HELLO = struct.Struct("<4s16s")
SIGNED_BYTES = HINT.size - MAC_BYTES
_LENGTHS = {HINT_MAGIC: HINT.size, HELLO_MAGIC: HELLO.size, STATUS_MAGIC: HELLO.size}


def mac(key: bytes, signed: bytes | memoryview) -> bytes:
    """HMAC-SHA256 (32 bytes) of `signed` under `key`."""
    return hmac.digest(key, signed, "sha256")


def name_field(name: str) -> bytes:
    """A source's name as 16 bytes, padded with zeros. ValueError when it does not fit."""
    if not 0 < len(name) <= NAME_BYTES or not name.isascii() or "\0" in name:
        raise ValueError(f"{name[:20]!a}: a source's name is 1 .. {NAME_BYTES} ASCII characters")
    return name.encode("ascii").ljust(NAME_BYTES, b"\0")


def name_of(field: bytes) -> str:
    """Name in a zero-padded field; only of fields that carry a right MAC."""
    return field.rstrip(b"\0").decode("ascii", "replace")


def unsigned(hint) -> bytes:
    """The 56 bytes of a Hint that its MAC covers. struct.error or ValueError when a field is out of
    range.
    """
    if len(hint.nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(hint.nonce)}")
    return HINT.pack(HINT_MAGIC, name_field(hint.source), *hint[1:], b"")[:SIGNED_BYTES]


def signed(hint, key: bytes) -> bytes:
    """The datagram (88 bytes) of a Hint."""
    data = unsigned(hint)
    return data + mac(key, data)


def _signed(key, form, *values):
    data = form.pack(*values, b"")[:-MAC_BYTES]
    return data + mac(key, data)


def _fields(data, key, form, magic):
    """Values of a datagram between its magic and its MAC, None when it is none or, with a key, when
    its MAC is wrong.
    """
    if len(data) != form.size or not data.startswith(magic):
        return None
    signed, found = data[:-MAC_BYTES], data[-MAC_BYTES:]
    if key is not None and not hmac.compare_digest(mac(key, signed), found):
        return None
    return form.unpack(data)[1:-1]


def hello(source: str) -> bytes:
    """The datagram (20 bytes) that requests nonce, uptime and sequence."""
    return HELLO.pack(HELLO_MAGIC, name_field(source))


def status(source: str) -> bytes:
    """The datagram (20 bytes) that requests a State."""
    return HELLO.pack(STATUS_MAGIC, name_field(source))


def state_bytes(state, key: bytes) -> bytes:
    """The datagram (112 bytes) of a State."""
    control = name_field(state.control_source) if state.control_source else b""
    source = name_field(state.source)
    return _signed(key, STATE, STATE_MAGIC, source, *state[1:-1], control)


def state_of(data: bytes, key: bytes | None = None):
    """State of a datagram, or None when it is none or, with a key, when its MAC is wrong."""
    found = _fields(data, key, STATE, STATE_MAGIC)
    return found and State(name_of(found[0]), *found[1:-1], name_of(found[-1]))


def is_well_formed(data: bytes | memoryview) -> bool:
    """True when length and magic are those of what a source may send: a first look that costs
    nearly nothing.
    """
    return _LENGTHS.get(bytes(data[:4])) == len(data)


def welcome_of(data: bytes):
    """Welcome of a datagram, or None when it is none."""
    if len(data) != WELCOME.size or not data.startswith(WELCOME_MAGIC):
        return None
    return Welcome(*WELCOME.unpack(data)[1:])


def reply_bytes(reply, key: bytes) -> bytes:
    """The datagram (116 bytes) of a Reply."""
    return _signed(key, REPLY, REPLY_MAGIC, name_field(reply.source), *reply[1:])


def reply_of(data: bytes, key: bytes | None = None):
    """Reply of a datagram, or None when it is none or, with a key, when its MAC is wrong."""
    found = _fields(data, key, REPLY, REPLY_MAGIC)
    return found and Reply(name_of(found[0]), *found[1:])


def quantity_of(name: str) -> tuple[int, int]:
    """(kind, quantity) of a quantity's name ("heartbeat": none). ValueError naming what is
    allowed.
    """
    named = {each: (h.KIND_OF[quantity], quantity) for quantity, each in h.QUANTITIES.items()}
    named[h.KINDS[h.HEARTBEAT]] = (h.HEARTBEAT, 0)
    if name not in named:
        raise ValueError(f"quantity {name[:20]!r} is not allowed; allowed {', '.join(named)}")
    return named[name]
