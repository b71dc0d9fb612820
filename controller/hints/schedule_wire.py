"""Datagrams of the schedule: the table of slots, the answer to it, and the table in force.

A schedule has 88 bytes and 14 for each of at most 96 slots. Only the request to read the table has
no MAC.
"""

import struct
from typing import NamedTuple

from controller.core.base.schedule_table import SLOTS_MAX, Slot
from controller.hints import wire as w

SCHEDULE_MAGIC, ANSWER_MAGIC, TABLE_MAGIC = b"FBP1", b"FBA1", b"FBV1"
SLOT = struct.Struct("<iiiH")
HEAD = struct.Struct("<4s16s8sQQIHHH2x")
ANSWER = struct.Struct("<4s16s8sQQHHHHHH32s")
TABLE = struct.Struct("<4s16s8sQ16sIHHHH")
EMPTY_BYTES = HEAD.size + w.MAC_BYTES
FIELDS = Slot._fields  # the number of a refused field is its place here, from 1


class Schedule(NamedTuple):
    """A table. start_min: UTC, minutes since 1970. Without slots it ends the schedule."""

    source: str
    nonce: bytes
    sequence: int
    sent_ms: int
    start_min: int
    slot_min: int
    purpose: int
    slots: tuple[Slot, ...]


class Answer(NamedTuple):
    """refused_slot, refused_field, slot: from 1; 0: none. state: place in schedule.STATES."""

    source: str
    nonce: bytes
    sequence: int
    uptime_ms: int
    code: int
    refused_slot: int
    refused_field: int
    state: int
    slot: int
    slot_count: int


class Held(NamedTuple):
    """The table in force. owner: source that sent it, "" without one. The rest is as in Answer."""

    source: str
    nonce: bytes
    uptime_ms: int
    owner: str
    start_min: int
    slot_min: int
    state: int
    slot: int
    slots: tuple[Slot, ...]


def is_schedule(data: bytes | memoryview) -> bool:
    """True when length, magic and number of slots are those of a schedule."""
    count, rest = divmod(len(data) - EMPTY_BYTES, SLOT.size)
    if rest or not 0 <= count <= SLOTS_MAX or data[:4] != SCHEDULE_MAGIC:
        return False
    stated: int = HEAD.unpack_from(data)[-2]
    return stated == count


def unsigned(schedule: Schedule) -> bytes:
    """The bytes of a Schedule that its MAC covers. struct.error or ValueError: out of range."""
    *head, purpose, slots = schedule[1:]
    if len(slots) > SLOTS_MAX:
        raise ValueError(f"a schedule has at most {SLOTS_MAX} slots, not {len(slots)}")
    name = w.name_field(schedule.source)
    packed = HEAD.pack(SCHEDULE_MAGIC, name, *head, len(slots), purpose)
    return packed + b"".join(SLOT.pack(*slot) for slot in slots)


def signed(schedule: Schedule, key: bytes) -> bytes:
    """The datagram of a Schedule."""
    data = unsigned(schedule)
    return data + w.mac(key, data)


def schedule_of(data: bytes) -> Schedule:
    """The Schedule of a datagram that is_schedule; its MAC is not checked."""
    _, source, *head, _, purpose = HEAD.unpack_from(data)
    return Schedule._make((w.name_of(source), *head, purpose, _slots(data, HEAD.size)))


def _slots(data: bytes, start: int) -> tuple[Slot, ...]:
    return tuple(Slot._make(fields) for fields in SLOT.iter_unpack(data[start : -w.MAC_BYTES]))


def read(source: str) -> bytes:
    """The datagram (20 bytes) that requests the table in force."""
    return w.HELLO.pack(w.READ_MAGIC, w.name_field(source))


_ANSWER = w.Form(ANSWER_MAGIC, ANSWER, Answer)
answer_bytes, answer_of = _ANSWER.signed, _ANSWER.opened


def held_bytes(held: Held, key: bytes) -> bytes:
    """The datagram of a Held."""
    owner = w.name_field(held.owner) if held.owner else bytes(w.NAME_BYTES)
    source, nonce, uptime_ms, _, start_min, slot_min, state, slot, slots = held
    head = w.name_field(source), nonce, uptime_ms, owner, start_min, slot_min
    data = TABLE.pack(TABLE_MAGIC, *head, len(slots), state, slot)
    data += b"".join(SLOT.pack(*row) for row in slots)
    return data + w.mac(key, data)


def held_of(data: bytes, key: bytes | None = None) -> Held | None:
    """Held of a datagram. None: another datagram, or, with a key, a wrong MAC."""
    count, rest = divmod(len(data) - TABLE.size - w.MAC_BYTES, SLOT.size)
    if rest or not 0 <= count <= SLOTS_MAX or not data.startswith(TABLE_MAGIC):
        return None
    if key is not None and not w.is_signed(data, key):
        return None
    _, source, nonce, uptime_ms, owner, *head, stated, state, slot = TABLE.unpack_from(data)
    if stated != count:
        return None
    names = w.name_of(source), nonce, uptime_ms, w.name_of(owner)
    return Held._make((*names, *head, state, slot, _slots(data, TABLE.size)))
