"""Finds how far a cabinet has joined its site, in the records of the proof-test ledger.

    PROVISIONED  its configuration was made
    JOINED       a person has seen that a step of `firebreak join` is done; row: the step
    LEFT         it leaves its place, so that every step has to be done anew

A step counts only for the place whose code begins the remark of its record. So a pod loses its
commissioning when it is moved, when its meters are exchanged, or when its ledger lacks records.

The cabinet takes its part of the load, and gives it back, in a ramp of RAMP_S. RAMP_FILE in the run
directory has its begin by the boot clock, which no change of UTC moves. After a boot there is no
such file, and only the time since the boot is proven.
"""

import os
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controller.store import durable
from controller.store.proof_lines import JOINED, LEFT, LOST, PROVISIONED, Record
from controller.system import regular_file

STEPS = ("read", "place", "spacing", "limits", "wiring", "sign", "zero", "meters", "load")
RAMP_S = 600  # time in which a cabinet takes its part of the load, and gives it back
RAMP_FILE = "ramp"
WHOLE = 1000
# what a cabinet is to its fleet
ALONE, JOINS, IN, LEAVES = "alone", "joins", "in", "leaves"


class Joining(NamedTuple):
    """How far the cabinet has joined. state: ALONE, if `firebreak join` was never used here. steps:
    the records of the done steps, in their order. ready_permille: the part of the battery's power
    on which others may count. kept_permille: the part that a leaving cabinet has not given back.
    provisioned: the record, or None.
    """

    state: str
    steps: dict[str, Record]
    ready_permille: int
    kept_permille: int
    provisioned: Record | None


def code(name: str, parts: Iterable[tuple[object, ...]]) -> str:
    """The code of a place. parts: (meter, its CRC, its serial number) and (rack, its place)."""
    return f"{zlib.crc32(repr((name, sorted(map(repr, parts)))).encode()):08X}"


def remark(place: str, text: str) -> str:
    """The remark of a step at the place with this code."""
    return f"place {place}; {text}"


def begin_ramp(run_directory: str, now_us: int) -> None:
    """Note that a ramp begins, before its record. Raises OSError. now_us: of the boot clock."""
    path = os.path.join(run_directory, RAMP_FILE)
    durable.put(path, ".new", [str(now_us).encode("ascii")], 0o644)
    os.chmod(path, 0o644)  # a shell may have another umask, and the doors read the file


def ramp_began_us(run_directory: str, now_us: int) -> int | None:
    """Time of the boot clock at which the last ramp began; now, if that is unknown. None: no ramp
    has begun since the boot.
    """
    try:
        began_us = int(regular_file.read(os.path.join(run_directory, RAMP_FILE), 20))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return now_us
    return began_us if began_us <= now_us else None  # a folder that outlives a boot


def progress(
    records: Sequence[Record], place: str, now_us: int, began_us: int | None = None
) -> Joining:
    """How far the cabinet has joined at the place with this code. now_us: of the boot clock.
    began_us: result of ramp_began_us.
    """
    own = [record for record in records if record.kind in (JOINED, LEFT, LOST)]
    ends = [number for number, record in enumerate(own, 1) if record.kind != JOINED]
    tail = own[max(ends, default=0) :]
    newest = {record.row: record for record in tail if record.remark.startswith(remark(place, ""))}
    steps = {}
    for step in STEPS:
        if step not in newest:
            break
        steps[step] = newest[step]
    state = _state(own, steps)
    ramp_permille = min(WHOLE, (now_us - (began_us or 0)) * WHOLE // (RAMP_S * 1_000_000))
    kept_permille = WHOLE - ramp_permille if state == LEAVES else 0
    # A boot has interrupted the reports of a leaving cabinet, so nobody counts on it any more.
    leaves_permille = 0 if began_us is None else kept_permille
    ready = {ALONE: WHOLE, JOINS: 0, IN: ramp_permille, LEAVES: leaves_permille}
    newest_first = reversed(records)
    provisioned = next((record for record in newest_first if record.kind == PROVISIONED), None)
    return Joining(state, steps, ready[state], kept_permille, provisioned)


def _state(own: Sequence[Record], steps: dict[str, Record]) -> str:
    if not own:
        return ALONE
    if STEPS[-1] in steps:
        return IN
    return LEAVES if own[-1].kind == LEFT else JOINS
