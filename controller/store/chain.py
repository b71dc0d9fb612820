"""The hash chain over the events: with a published hash, any change of what came before is found.

hash = SHA-256(hash of the event before || canonical text of this one); the first is preceded by 32
zero bytes. The canonical text is the JSON list of COLUMNS, in this order, without blanks, ASCII
only: another program can check it.

Retention takes events out, oldest first, trips last. It says so in an event of its own (code
RETENTION), in the chain; the hash of what stood before such a gap is kept in the table `links`.
Whatever else is missing is a break.
"""

import hashlib
import json
import re

COLUMNS = (
    "id",
    "sequence",
    "uptime_ms",
    "utc_us",
    "utc_source",
    "utc_uncertainty_us",
    "kind",
    "code",
    "scope",
    "text",
)
START = bytes(32)
# codes of the loss events that say which numbers may be missing
RETENTION, DAMAGE = "RETENTION", "DAMAGE"
LOSS = "loss"
_MISSING = re.compile(r"events <= (\d+)")


def canonical(row: list | tuple) -> bytes:
    """Bytes of one event; row: values in the order of COLUMNS."""
    return json.dumps(list(row), separators=(",", ":"), ensure_ascii=True).encode("ascii")


def link(previous: bytes, row: list | tuple) -> bytes:
    """Hash of an event, 32 bytes; previous: hash of the one before."""
    return hashlib.sha256(previous + canonical(row)).digest()


def missing_scope(number: int) -> str:
    """Text of the scope of a loss event: up to which number events may be missing."""
    return f"events <= {number}"


class Verdict:
    """What a check found: `events` checked, `first`, `last` numbers, `head` (hex), `missing`,
    `breaks` as lines.

    damaged: numbers of the events that say that the record was damaged or taken away; unlinked: of
    the events behind a gap of such damage, for which no hash before them is left.
    """

    __slots__ = ("events", "first", "last", "head", "missing", "breaks", "damaged", "unlinked")

    def __init__(self):
        self.events = self.missing = 0
        self.first = self.last = self.head = None
        self.breaks, self.damaged, self.unlinked = [], [], []

    @property
    def intact(self) -> bool:
        """True when nothing is broken."""
        return not self.breaks


def verify(connection, published: bytes | None = None):
    """Check the chain of a database. published: a hash (bytes) that must be in it.

    Returns a Verdict. Raises sqlite3.Error when the file cannot be read.
    """
    verdict = Verdict()
    allowed, lost, verdict.damaged = _allowed(connection)
    links = dict(connection.execute("SELECT id, previous FROM links"))
    previous, is_found = START, published in (None, START)
    for row in connection.execute(f"SELECT {', '.join(COLUMNS)}, hash FROM events ORDER BY id"):
        previous = _check(verdict, row, previous, links, allowed, lost)
        is_found = is_found or published in (previous, links.get(row[0]))
    _check_head(verdict, connection, previous)
    if not is_found:
        verdict.breaks.append(
            "the published hash is in no event: what came before it was changed or taken away"
        )
    return verdict


def _allowed(connection):
    """Up to which number the chain itself says that events may be missing, up to which by damage;
    numbers of the events that say damage.
    """
    upto, damaged = {RETENTION: 0, DAMAGE: 0}, []
    for number, code, scope in connection.execute(
        "SELECT id, code, scope FROM events WHERE kind = ? ORDER BY id", (LOSS,)
    ):
        damaged += [number] if code == DAMAGE else []
        match = _MISSING.fullmatch(str(scope))
        if match and code in upto:
            upto[code] = max(upto[code], int(match[1]))
    return max(upto.values()), upto[DAMAGE], damaged


def _check(verdict, row, previous, links, allowed, lost):
    """Check one event; returns its hash as stored, with which the next one is checked."""
    number, stored = row[0], row[-1]
    if not isinstance(number, int):  # a page that still reads, but not as what it was
        verdict.breaks.append(f"the event after {verdict.last or 0} has no number")
        return None
    expected = (verdict.last or 0) + 1
    if number != expected:
        verdict.missing += number - expected
        previous = links.get(number)
        if number - 1 > allowed:
            verdict.breaks.append(
                f"events {expected} to {number - 1} are missing, and nothing says why"
            )
    if previous is None and expected < number <= lost:
        verdict.unlinked.append(number)
    elif previous is None:
        verdict.breaks.append(f"event {number}: the hash of the event before it is not known")
    elif not _fits(previous, row[:-1], stored):
        verdict.breaks.append(
            f"event {number}: its content or the order was changed (hash does not fit)"
        )
    is_hash = isinstance(stored, bytes)
    verdict.first = number if verdict.first is None else verdict.first
    verdict.last, verdict.head = number, stored.hex() if is_hash else str(stored)
    verdict.events += 1
    return stored if is_hash else None


def _fits(previous, values, stored):
    try:
        return link(previous, values) == stored
    except TypeError:  # a failing disk has made a text, a number or a hash something else
        return False


def _check_head(verdict, connection, previous):
    """The newest event must be the one that was noted as the head."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'head'").fetchone()
    if row is None:
        return
    try:
        number, head = json.loads(row[0])
    except (ValueError, TypeError):
        number = None
    if number is None:
        verdict.breaks.append("which event is the newest cannot be read")
    elif number != (verdict.last or 0) or previous is None or head != previous.hex():
        verdict.breaks.append(
            f"the newest event should be {number}; the events after {verdict.last} are missing or "
            "it was changed"
        )
