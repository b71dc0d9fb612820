"""The schedule as integer words of the process image.

A schedule is a table of slots: equal spans of time, each with its own limits. The table enters the
process image in parts, one part in each tick, and ends with a commit. A commit whose checksum does
not fit the parts changes nothing.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

SLOTS_MAX = 96
SLOT_WORDS = 4
TABLE_WORDS = SLOTS_MAX * SLOT_WORDS
SLOT_MIN_MAX = 60
OPEN_W = -(2**31)  # as a power: no bound
PART_WORDS = 16
NO_STEP, PART, COMMIT = range(3)
_WORDS = [f"schedule_word_{number}" for number in range(PART_WORDS)]
BLOCK = ("schedule_step", "schedule_place", *_WORDS)
HEAD_WORDS = 4
STATES = (
    "none",
    "acts",
    "begins later",
    "is over",
    "waits for a heartbeat",
    "waits for the clock",
    "pauses off the grid",
)


class Slot(NamedTuple):
    """One slot. OPEN_W: no bound; reserve_permille 0: none. W > 0 discharges."""

    grid_cap_W: int
    battery_low_W: int
    battery_high_W: int
    reserve_permille: int


class Table(NamedTuple):
    """start_min: UTC, minutes since 1970. A table without slots ends the schedule of the source."""

    source: int
    start_min: int
    slot_min: int
    slots: tuple[Slot, ...]


def crc_of(head: Sequence[int], slot_words: Iterable[int]) -> int:
    """Checksum of a table as a signed word."""
    crc = crc32(array("i", [*head, *slot_words]).tobytes())
    return int.from_bytes(crc.to_bytes(4), signed=True)


def steps_of(table: Table) -> list["array[int]"]:
    """The contents of the block, one for each tick: the parts, then the commit."""
    slot_words = [word for slot in table.slots for word in slot]
    places = range(0, len(slot_words), PART_WORDS)
    parts = [(PART, place, slot_words[place : place + PART_WORDS]) for place in places]
    head = table.source + 1, table.start_min, table.slot_min, len(table.slots)
    parts.append((COMMIT, 0, [*head, crc_of(head, slot_words)]))
    return [
        array("i", [step, place, *part, *[0] * (PART_WORDS - len(part))])
        for step, place, part in parts
    ]
