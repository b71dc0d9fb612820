"""Makes and checks the hash chain over the events of the record.

With a published hash, `record verify` finds any change of the events before that hash. Hash =
SHA-256(hash of the event before (for the first event, 32 zero bytes) || canonical text). The text
is the JSON list of COLUMNS, without blanks, ASCII only, so that another program can check it.

Retention removes events and adds an event about that (code RETENTION); `links` keeps the hash
before each such gap. Any other gap is a break.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.system import json_text

COLUMNS = tuple(
    "id sequence uptime_ms utc_us utc_source utc_uncertainty_us kind code scope text".split()
)
START = bytes(32)
# codes of the loss events; their scope gives the event numbers that may be missing
RETENTION, DAMAGE = "RETENTION", "DAMAGE"
LOSS = "loss"
_MISSING = re.compile(r"events <= (\d+)")


def canonical(content: Any) -> bytes:
    """JSON without blanks, ASCII only. Of an event: its values in the order of COLUMNS."""
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def link(previous: bytes, row: Sequence[Any]) -> bytes:
    """Hash of an event, 32 bytes; previous: hash of the previous event."""
    return hashlib.sha256(previous + canonical(row)).digest()


def missing_scope(number: int) -> str:
    """Scope of a loss event: events up to this number may be missing."""
    return f"events <= {number}"


@dataclass(slots=True)
class Verdict:
    """Result of a check: numbers, `head` (hex), `breaks` as lines.

    damaged: events that report a damaged or removed record. unlinked: events after such a gap, for
    which the hash of the event before is unknown.
    """

    damaged: list[int]
    events: int = 0
    missing: int = 0
    first: int | None = None
    last: int | None = None
    head: str | None = None
    breaks: list[str] = field(default_factory=list)
    unlinked: list[int] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """True if the chain has no break."""
        return not self.breaks


def verify(connection: sqlite3.Connection, published: bytes | None = None) -> Verdict:
    """Check the chain of a database. published: a hash that must be in it. Raises sqlite3.Error."""
    missing_max, damaged_max, damaged = _losses(connection)
    verdict = Verdict(damaged)
    links = dict(connection.execute("SELECT id, previous FROM links"))
    previous: bytes | None = START
    is_found = published in (None, START)
    for row in connection.execute(f"SELECT {', '.join(COLUMNS)}, hash FROM events ORDER BY id"):
        previous = _check(verdict, row, previous, links, missing_max, damaged_max)
        is_found = is_found or published in (previous, links.get(row[0]))
    _check_head(verdict, connection, previous)
    if not is_found:
        verdict.breaks.append(
            "the published hash is in no event: an event before it was changed or removed"
        )
    return verdict


def _losses(connection: sqlite3.Connection) -> tuple[int, int, list[int]]:
    """(highest number that may be missing, highest number that damage may have removed, numbers of
    the events that report damage).
    """
    highest, damaged = {RETENTION: 0, DAMAGE: 0}, list[int]()
    for number, code, scope in connection.execute(
        "SELECT id, code, scope FROM events WHERE kind = ? ORDER BY id", (LOSS,)
    ):
        damaged += [number] if code == DAMAGE else []
        match = _MISSING.fullmatch(str(scope))
        if match and code in highest:
            highest[code] = max(highest[code], int(match[1]))
    return max(highest.values()), highest[DAMAGE], damaged


def _check(
    verdict: Verdict,
    row: Sequence[Any],
    previous: bytes | None,
    links: dict[int, bytes],
    missing_max: int,
    damaged_max: int,
) -> bytes | None:
    """Check one event. Returns its stored hash, with which the next event is checked."""
    number, stored = row[0], row[-1]
    if not isinstance(number, int):  # the page is damaged, but can be read
        verdict.breaks.append(f"the event after {verdict.last or 0} has no number")
        return None
    expected = (verdict.last or 0) + 1
    if number != expected:
        verdict.missing += number - expected
        previous = links.get(number)
        if number - 1 > missing_max:
            verdict.breaks.append(
                f"events {expected} to {number - 1} are missing, and no event gives the reason"
            )
    if previous is None and expected < number <= damaged_max:
        verdict.unlinked.append(number)
    elif previous is None:
        verdict.breaks.append(f"event {number}: the hash of the previous event is not known")
    elif not _fits(previous, row[:-1], stored):
        verdict.breaks.append(
            f"event {number}: its content or the order was changed (hash does not fit)"
        )
    is_hash = isinstance(stored, bytes)
    verdict.first = number if verdict.first is None else verdict.first
    verdict.last, verdict.head = number, stored.hex() if is_hash else str(stored)
    verdict.events += 1
    return stored if is_hash else None


def _fits(previous: bytes, values: Sequence[Any], stored: object) -> bool:
    try:
        return link(previous, values) == stored
    except TypeError:  # a failing disk has changed the type of a value
        return False


def _check_head(verdict: Verdict, connection: sqlite3.Connection, previous: bytes | None) -> None:
    """Check that the newest event is the head in the table `meta`."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'head'").fetchone()
    if row is None:
        return
    try:
        number, head = json_text.loads(row[0])
    except (ValueError, TypeError):
        number = None
    if number is None:
        verdict.breaks.append("the number of the newest event cannot be read")
    elif number != (verdict.last or 0) or previous is None or head != previous.hex():
        verdict.breaks.append(
            f"the newest event should be {number}: the events after {verdict.last or 0} are "
            "missing, or the last one was changed"
        )
