"""A damaged database is put aside, and a new one begins with every event that can still be read.

Trips come a second time from trips.log. The chain goes on from the last hash that was published, so whoever holds it
can still check; what was lost in between is said in an event with code DAMAGE.
"""

import contextlib
import json
import os
import sqlite3

from controller.recorder import chain
from controller.recorder.database import EVENT_COLUMNS, Database

ASIDE = ".damaged"
PLACES = ", ".join("?" * (len(chain.COLUMNS) + 1))
STATE_KEYS = ("position", "standing", "capture", "anchor")  # meta that lets the recorder go on where it was


def put_aside(path):
    """Move the damaged files away, over those of the last time. Raises OSError."""
    for end in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(path + end, path + ASIDE + end)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + "-shm")


def begin_anew(path, bytes_max, trips, published, captures):
    """A new database with what can be rescued from the one put aside. Raises DatabaseError.

    trips: entries of the trip log; published: (number, hash) of the last head known, or None; captures: file names.
    """
    database = Database(path, bytes_max)
    with contextlib.closing(_old(path + ASIDE)) as old:
        meta = {key: json.loads(value) for key, value in _readable(old, "SELECT key, value FROM meta")
                if key in STATE_KEYS}
        database.write((), meta=meta, also=lambda connection, _: _fill(connection, old, trips, captures))
    newest = database.query("SELECT id, hash FROM events ORDER BY id DESC LIMIT 1")
    known = [*newest, (0, chain.START), *([published] if published else [])]
    database.head_id, database.head = max(known, key=lambda each: each[0])
    return database


def _old(path):
    """The damaged database, for reading; an empty one where it cannot even be opened."""
    try:
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error:
        return sqlite3.connect(":memory:", isolation_level=None)


def _readable(connection, statement):
    """Rows up to the first one that cannot be read."""
    try:
        yield from connection.execute(statement)
    except (sqlite3.Error, ValueError):
        return


def _fill(connection, old, trips, captures):
    """Everything that is known into the new tables; a trip that was rescued twice counts once."""
    insert = f"INSERT OR IGNORE INTO events({EVENT_COLUMNS}, hash) VALUES ({PLACES})"
    for row in _readable(old, f"SELECT {EVENT_COLUMNS}, hash FROM events ORDER BY id"):
        connection.execute(insert, row)
    links = dict(_readable(old, "SELECT id, previous FROM links"))
    for values, head, previous in trips:
        connection.execute(insert, (*values, head))
        links.setdefault(values[0], previous)
    for number, previous in links.items():
        if not connection.execute("SELECT 1 FROM events WHERE id = ?", (number - 1,)).fetchone():
            connection.execute("INSERT OR REPLACE INTO links VALUES (?, ?)", (number, previous))
    connection.executemany("INSERT INTO captures(event_id, file) VALUES (?, ?)", captures)
