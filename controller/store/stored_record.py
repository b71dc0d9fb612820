"""Defines the stored record: the values that survive a loss of power.

This module also makes the bytes of one copy of the store. On the disk `values` maps names to whole
numbers. Some names end in a text, which is a field here:

    cabinet.      name of the cabinet
    locked_out.   person who locked the cabinet out
    stopped.      person of the lock-out, or empty; the number is the reason of the stop
    approved_by.  person who approved the limit image
    path_delay.   path of the delay; the number is the delay
    written.      device with a budget of writes; the number is what drivers/wear.py keeps
    epoch.        source and fingerprint of a key; the number is the highest epoch of its hints
    sign.         unit whose sign test holds a start; the number is that of run/sign_request.py

An older release drops names in `values` that it does not know, and treats an unknown latch as lost.
A change that an older release must not drop needs a new FORM: then the older release refuses to
start (two_copies.NEWER).
"""

import itertools
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import msgpack

from controller.core.image import NAME_CHARACTERS_MAX

FORM = 1
KIND = b"FBSTORE"
MAGIC = KIND + bytes([FORM])
HEAD = struct.Struct("<8sIQI")  # magic, crc32 of the rest, generation, body bytes
GENERATION_MAX = 2**32  # reached after 136 years with a save in each second
CRC_AT = 12  # the CRC covers the bytes from here to the end
RECORD_BYTES_MAX = 65_536  # the keeper gets a record in one datagram
FIELDS = {"armed": int, "clean": int, "latches": dict, "token_ages_ms": list, "values": dict}
SAME = tuple(FIELDS)[:-1]  # stored unchanged from the fields of a Record
APPROVED = "approved"  # a further entry (bytes), after a limit image was approved
CABINET, LOCKED_OUT, STOPPED = "cabinet.", "locked_out.", "stopped."  # a text follows
APPROVED_BY, PATH_DELAY, WRITTEN = "approved_by.", "path_delay.", "written."
EPOCH, SIGN = "epoch.", "sign."
# fields that are in `values` under their own names
NUMBERS = ("noc_verified", "trips", "changes", "peak_minute", "peak_used_Wh")
AWAKE = (0, "")
UNMEASURED = ("", 0)


Counts = dict[str, int]  # by name


class StoreError(Exception):
    """The store could not be saved. The text is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Record:
    """The stored record. By default that of a new cabinet: not armed, clean stop, no latches.

    latches: {stage instance: number}; the first-out has the highest number. token_ages_ms: ages of
    the spent reset tokens. cabinets: two names if two stores were mixed. rest: (reason, person of a
    lock-out or ""). approved: bytes of approval.packed. changes: see run/store_revision.py.
    path_delay: (approval.path_identity, ms). peak_...: words of core/policies/peak_shaving.py.
    written: by device, what drivers/wear.py keeps. epochs: by Account.epoch_name in hints/.
    signs: by unit.
    """

    armed: int = 0
    clean: int = 1
    latches: Counts = field(default_factory=dict)
    token_ages_ms: list[int] = field(default_factory=list)
    cabinets: tuple[str, ...] = ()
    rest: tuple[int, str] = AWAKE
    locked_out: str = ""
    noc_verified: int = 0
    approved: bytes = b""
    approved_by: str = ""
    trips: int = 0
    changes: int = 0
    path_delay: tuple[str, int] = UNMEASURED
    peak_minute: int = 0
    peak_used_Wh: int = 0
    written: Counts = field(default_factory=dict)
    epochs: Counts = field(default_factory=dict)
    signs: Counts = field(default_factory=dict)


def delay_of(measured: tuple[str, int], path: str) -> int:
    """Delay in ms of the path with this identity; 0: not measured. measured: Record.path_delay."""
    return measured[1] if measured[0] == path else 0


def on_disk(record: Record) -> dict[str, Any]:
    """The map of FIELDS that is stored for a Record."""
    values = {CABINET + name: 1 for name in record.cabinets}
    if record.rest != AWAKE:
        values[STOPPED + record.rest[1]] = record.rest[0]
    if record.locked_out:
        values[LOCKED_OUT + record.locked_out] = 1
    if record.approved_by:
        values[APPROVED_BY + record.approved_by] = 1
    if record.path_delay != UNMEASURED:
        values[PATH_DELAY + record.path_delay[0]] = record.path_delay[1]
    all_counts = (WRITTEN, record.written), (EPOCH, record.epochs), (SIGN, record.signs)
    for prefix, counts in all_counts:
        values |= {prefix + name: number for name, number in counts.items()}
    values |= {name: number for name in NUMBERS if (number := getattr(record, name))}
    more = {APPROVED: record.approved} if record.approved else {}
    return {name: getattr(record, name) for name in SAME} | {"values": values} | more


def in_memory(stored: dict[str, Any]) -> Record:
    """The Record of a map of `on_disk`; values with unknown names are dropped."""
    values = stored["values"]
    rests = [(code, text) for text, code in _texts(values, STOPPED)]
    return Record(
        **{name: stored[name] for name in SAME},
        cabinets=tuple(text for text, _ in _texts(values, CABINET)),
        rest=max(rests, default=AWAKE),
        locked_out=_text(values, LOCKED_OUT),
        approved=stored.get(APPROVED, b""),
        approved_by=_text(values, APPROVED_BY),
        path_delay=next(iter(_texts(values, PATH_DELAY)), UNMEASURED),
        **{name: values.get(name, 0) for name in NUMBERS},
        written=dict(_texts(values, WRITTEN)),
        epochs=dict(_texts(values, EPOCH)),
        signs=dict(_texts(values, SIGN)),
    )


def _text(values: Counts, prefix: str) -> str:
    return next((text for text, _ in _texts(values, prefix)), "")


def _texts(values: Counts, prefix: str) -> list[tuple[str, int]]:
    """[(text after the prefix of a name, number of that name)]."""
    return [
        (name.removeprefix(prefix), number)
        for name, number in values.items()
        if name.startswith(prefix)
    ]


def union(first: Record, second: Record) -> Record:
    """A record with every latch, lock-out, standby and spent token of both records.

    It is armed, and not clean.
    """
    return Record(
        armed=1,
        clean=0,
        latches=first.latches | second.latches,
        token_ages_ms=_younger(first.token_ages_ms, second.token_ages_ms),
        cabinets=tuple(dict.fromkeys(first.cabinets + second.cabinets)),
        rest=max(first.rest, second.rest),
        locked_out=first.locked_out or second.locked_out,
        noc_verified=first.noc_verified | second.noc_verified,
        trips=max(first.trips, second.trips),
        changes=max(first.changes, second.changes),
        written=_higher(first.written, second.written),
        epochs=_higher(first.epochs, second.epochs),
        signs=_higher(first.signs, second.signs),
    )


def _higher(first: Counts, second: Counts) -> Counts:
    """Both dicts, with the higher number of a name that both have."""
    return first | {name: max(number, first.get(name, 0)) for name, number in second.items()}


def _younger(one_ms: Iterable[int], other_ms: Iterable[int]) -> list[int]:
    """Ages of spent tokens: the lower of both at each place of the sorted lists."""
    pairs = itertools.zip_longest(sorted(one_ms), sorted(other_ms), fillvalue=math.inf)
    return [int(min(pair)) for pair in pairs]


def encode(generation: int, record: Record) -> bytes:
    """The bytes of one copy. StoreError: wrong values, or too many bytes for a datagram."""
    stored = on_disk(record)
    check(stored)
    body = msgpack.packb(stored)
    if HEAD.size + len(body) > RECORD_BYTES_MAX:
        raise StoreError(f"{len(body)} bytes to store, at most {RECORD_BYTES_MAX - HEAD.size} fit")
    rest = HEAD.pack(MAGIC, 0, generation, len(body))[CRC_AT:] + body
    return HEAD.pack(MAGIC, crc32(rest), generation, len(body)) + body


def decode(content: bytes) -> tuple[int, Record] | None:
    """(generation, Record) of one copy; None: the copy is damaged."""
    if len(content) < HEAD.size:
        return None
    magic, crc, generation, body_bytes = HEAD.unpack_from(content)
    if magic != MAGIC or len(content) != HEAD.size + body_bytes or crc32(content[CRC_AT:]) != crc:
        return None
    if generation > GENERATION_MAX:
        return None
    try:
        stored = msgpack.unpackb(content[HEAD.size :])
        check(stored)
    # the CRC is correct, but the content is no stored record
    except (StoreError, ValueError, TypeError, msgpack.UnpackException):
        return None
    return generation, in_memory(stored)


def is_of_newer_form(content: bytes) -> bool:
    """True for a copy that a newer release has written."""
    return content.startswith(KIND) and content[len(KIND) : len(MAGIC)] > bytes([FORM])


def check(stored: dict[str, Any]) -> None:
    """Raise StoreError unless a map has exactly FIELDS, with their types, and maybe APPROVED."""
    if set(stored) - {APPROVED} != set(FIELDS):
        raise StoreError(
            f"the store has the fields {', '.join(FIELDS)}, not {', '.join(sorted(stored))}"
        )
    kinds = FIELDS | {APPROVED: bytes}
    for name, kind in [(name, kinds[name]) for name in stored]:
        if not isinstance(stored[name], kind):
            actual = type(stored[name]).__name__
            raise StoreError(f"{name} in the store is a {actual}, not a {kind.__name__}")
    numbers = [*stored["token_ages_ms"], *stored["latches"].values(), *stored["values"].values()]
    if not all(isinstance(number, int) and 0 <= number < 2**31 for number in numbers):
        raise StoreError("the store holds whole numbers from 0 to 2^31 - 1")
    if not all(isinstance(name, str) for name in (*stored["latches"], *stored["values"])):
        raise StoreError("names of latches and values in the store are texts")
    allowed = f"at most {NAME_CHARACTERS_MAX} of ASCII"
    for name in stored["values"]:
        if name.startswith((LOCKED_OUT, STOPPED, APPROVED_BY)) and not _is_of_person(name):
            raise StoreError(f"{ascii(name)} in the store has no name of a person: {allowed}")


def _is_of_person(name: str) -> bool:
    """True if the name of the person fits into the journal. Only a stop may have no name."""
    person = name.partition(".")[2]
    return (
        len(person) <= NAME_CHARACTERS_MAX
        and person.isascii()
        and person.isprintable()
        and name not in (LOCKED_OUT, APPROVED_BY)
    )
