"""Shows with anchors whether the newest blocks of the ring of ticks (fast.py) were removed.

The hash chain of the ring alone cannot show that. So the record keeps an anchor: number and hash of
the newest block. The table `meta` gets it every 10 s. Once a day, and when the recorder ends, an
event contains it too. Then it is in the chain of events, whose head the systems upstream keep. If
the newest blocks are lost, an event reports it.

One case is not detected: after a power cut or a kill, somebody removes the anchor in `meta` and
also the blocks after the last event with an anchor. If the recorder runs meanwhile, its next block
shows the gap.
"""

import contextlib
import json
import re
import sqlite3
from typing import NamedTuple

from controller.recorder import events
from controller.recorder.events import Event, event

CODE, META = "TICKS", "ticks"
BLOCKS_A_DAY = 1440
Newest = tuple[int, str]  # number and hash of a block
_SCOPE, _HASH = re.compile(r"minute (-?\d+)"), re.compile(r"[0-9a-f]{64}")


class Anchor(NamedTuple):
    """A block that must be in the ring unless it is too old. where: the part of the record that
    names it.
    """

    where: str
    number: int
    digest: str


def due(before: Newest, newest: Newest, is_end: bool) -> Event | None:
    """The daily event, or the event at an orderly end. None if neither is due, or without block."""
    number, digest = newest
    is_day = newest != before and number % BLOCKS_A_DAY == 0
    if number < 0 or not (is_day or is_end):
        return None
    text = f"the ring of ticks has minute {number}: {digest}"
    return event(events.NOTE, text, f"minute {number}", CODE)


def lost(stored: object, newest: Newest) -> Event | None:
    """The event of a ring that ends before the block that was stored last, or None."""
    known = _anchor(stored)
    number, _ = newest
    if known is None or (known.number, known.digest) == newest or number > known.number:
        return None
    text = (
        f"the ring of ticks had minute {known.number}; it ends at minute {number}: the rest is lost"
    )
    return event(events.LOSS, text, f"minute {number}", CODE)


def anchors(connection: sqlite3.Connection) -> list[Anchor]:
    """The blocks that the record names. Raises sqlite3.Error."""
    known_anchors: list[Anchor] = []
    for number, kind, scope, text in connection.execute(
        "SELECT id, kind, scope, text FROM events WHERE code = ? ORDER BY id", (CODE,)
    ):
        scope_match, digest = _SCOPE.fullmatch(str(scope)), _HASH.search(str(text))
        if scope_match and kind == events.LOSS:
            known_anchors = [
                anchor for anchor in known_anchors if anchor.number <= int(scope_match[1])
            ]
        elif scope_match and digest:
            known_anchors.append(Anchor(f"event {number}", int(scope_match[1]), digest[0]))
    for (text,) in connection.execute("SELECT value FROM meta WHERE key = ?", (META,)):
        with contextlib.suppress(ValueError):
            if known := _anchor(json.loads(str(text))):
                known_anchors.append(known)
    return known_anchors


def _anchor(value: object) -> Anchor | None:
    match value:
        case [int(number), str(digest)]:
            return Anchor("the record", number, digest)
    return None
