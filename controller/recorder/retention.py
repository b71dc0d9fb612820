"""Keeps the database within its size.

The oldest seconds are removed first, then events other than trips, then trips. Each call removes
only a small piece, because an event must not wait. When events are removed, the hash before the
next kept event moves to `links`. An event with code RETENTION names the last event number that may
be missing.
"""

import sqlite3
from collections.abc import Callable

from controller.recorder.database import Database, Row
from controller.store import chain

Label = Callable[[str, str, str, str], Row]  # (kind, code, scope, text) -> Row of this moment
FILL_PERCENT_MAX = 90
SECONDS_KEPT_MIN = 3600  # the last hour of seconds is kept; events are removed instead
SECONDS_A_PIECE, EVENTS_A_PIECE, PAGES_A_PIECE = 3600, 500, 256
DELETE_HISTORY = tuple(
    f"DELETE FROM {table} WHERE rowid < (SELECT min(rowid) FROM {table}) + {rows}"
    for table, rows in (("seconds", SECONDS_A_PIECE), ("bands", SECONDS_A_PIECE // 60))
)


def due(database: Database, events_max: int) -> str | None:
    """The kind of rows that must be removed now: "seconds", "events", "trips" or None."""
    used, _, allowed = database.pages()
    other_count = count(database, "kind <> 'trip'")
    if used * 100 <= allowed * FILL_PERCENT_MAX:
        return "events" if other_count > events_max else None
    # this table loses only its oldest rows, so no slow count is needed
    seconds = database.query("SELECT coalesce(max(rowid) - min(rowid) + 1, 0) FROM seconds")[0][0]
    if seconds > SECONDS_KEPT_MIN:
        return "seconds"
    return "events" if other_count > EVENTS_A_PIECE else "trips"


def count(database: Database, condition: str) -> int:
    """Number of events that meet a condition."""
    return database.query(f"SELECT count(*) FROM events WHERE {condition}")[0][0]


def drop_events(database: Database, label: Label, trips: bool) -> None:
    """Remove the oldest events, including trips if `trips`. Raises DatabaseError."""
    condition = "1" if trips else "kind <> 'trip'"
    rows = database.query(
        f"SELECT id FROM events WHERE {condition} ORDER BY id LIMIT ?", (EVENTS_A_PIECE,)
    )
    numbers = [number for (number,) in rows]
    kind = "events" if trips else "events other than trips"
    text = f"no room: {kind} {numbers[0]} to {numbers[-1]} were removed ({len(numbers)})"
    row = label(chain.LOSS, chain.RETENTION, chain.missing_scope(numbers[-1]), text)
    database.write([row], also=lambda connection, _: _delete(connection, numbers))


def _delete(connection: sqlite3.Connection, numbers: list[int]) -> None:
    """Delete events, but keep the hash before each event that follows a gap."""
    run, deleted = connection.execute, set(numbers)
    ends = [number for number in numbers if number + 1 not in deleted]
    for last in ends:
        if run("SELECT 1 FROM events WHERE id = ?", (last + 1,)).fetchone():
            (head,) = run("SELECT hash FROM events WHERE id = ?", (last,)).fetchone()
            run("INSERT OR REPLACE INTO links VALUES (?, ?)", (last + 1, head))
    for table in ("events", "links"):
        connection.executemany(
            f"DELETE FROM {table} WHERE id = ?", [(number,) for number in numbers]
        )


def _delete_history(connection: sqlite3.Connection, _: object) -> None:
    """Delete the oldest rows of the seconds and of the minutes."""
    for statement in DELETE_HISTORY:
        connection.execute(statement)


def trim(database: Database, events_max: int, label: Label) -> bool:
    """Remove one piece. True if there was something to remove. Raises DatabaseError."""
    kind = due(database, events_max)
    if kind == "seconds":
        database.write((), also=_delete_history)
    elif kind is not None:
        drop_events(database, label, kind == "trips")
    _, pages, allowed = database.pages()
    if pages > allowed:
        database.give_back(PAGES_A_PIECE)
    return kind is not None or pages > allowed
