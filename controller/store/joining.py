"""Finds how far a cabinet has joined its site, in the records of the proof-test ledger.

    PROVISIONED  its configuration was made
    JOINED       a person has seen that a step of `firebreak join` is done; row: the step
    LEFT         it leaves its place, so that every step has to be done anew

A step counts only for the place whose code begins the remark of its record. So a pod that was moved
has lost its commissioning, and so has one whose meters were exchanged.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controller.store import proof_lines as pl
from controller.store.proof_lines import JOINED, LEFT, PROVISIONED, Record

STEPS = ("read", "place", "spacing", "limits", "wiring", "sign", "zero", "meters", "load")
RAMP_S = 600  # time in which a cabinet takes its part of the load, and gives it back
WHOLE = 1000
# what a cabinet is to its fleet
ALONE, JOINS, IN, LEAVES = "alone", "joins", "in", "leaves"


class Joining(NamedTuple):
    """How far the cabinet has joined. state: ALONE, if `firebreak join` was never used here. steps:
    the records of the done steps, in their order. ready_permille: the part of what the battery can
    give on which others may count. provisioned: the record, or None. left: of the last departure.
    """

    state: str
    steps: dict[str, Record]
    ready_permille: int
    provisioned: Record | None
    left: Record | None


def code(name: str, parts: Iterable[tuple[object, ...]]) -> str:
    """The code of a place. parts: (meter, its CRC, its serial number) and (rack, its place)."""
    return f"{zlib.crc32(repr((name, sorted(map(repr, parts)))).encode()):08X}"


def remark(place: str, words: str) -> str:
    """The remark of a step at the place with this code."""
    return f"place {place}; {words}"


def found(records: Sequence[Record], place: str, utc_s: float) -> Joining:
    """How far the cabinet has joined at the place with this code. utc_s: now."""
    own = [each for each in records if each.kind in (JOINED, LEFT)]
    lefts = [at for at, each in enumerate(own) if each.kind == LEFT]
    begin = lefts[-1] + 1 if lefts else 0
    newest = {each.row: each for each in own[begin:] if each.remark.startswith(remark(place, ""))}
    steps = {}
    for step in STEPS:
        if step not in newest:
            break
        steps[step] = newest[step]
    left = own[lefts[-1]] if lefts else None
    state = _state(own, steps, left)
    made = [each for each in records if each.kind == PROVISIONED]
    return Joining(
        state, steps, _ready(state, steps, left, utc_s), made[-1] if made else None, left
    )


def _state(own: Sequence[Record], steps: dict[str, Record], left: Record | None) -> str:
    if not own:
        return ALONE
    if STEPS[-1] in steps:
        return IN
    return LEAVES if left is own[-1] else JOINS


def _ready(state: str, steps: dict[str, Record], left: Record | None, utc_s: float) -> int:
    if state == IN:
        return _ramp(steps[STEPS[-1]], utc_s)
    if state == LEAVES and left is not None:
        return WHOLE - _ramp(left, utc_s)
    return WHOLE if state == ALONE else 0


def _ramp(record: Record, utc_s: float) -> int:
    """Permille of the ramp that has passed since this record. A clock that was set back by less
    than the ramp lets it wait. One that is farther back counts as its end, because nothing may stay
    small for ever.
    """
    passed_s = utc_s - pl.seconds(record)
    if -RAMP_S <= passed_s < 0:
        return 0
    return WHOLE if passed_s < 0 else min(WHOLE, int(passed_s * WHOLE / RAMP_S))
