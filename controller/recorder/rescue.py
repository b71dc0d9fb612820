"""Puts a damaged database aside, and begins a new one.

The new database begins with every event that can still be read, and the trips of trips.log. The
chain continues from the last published hash. An event with code DAMAGE names what may be lost.

A kill at any step loses nothing. The old database is named `.rescuing` until the new one, made
under another name, is complete and in place. Then the old one becomes `.damaged` and replaces an
earlier one.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from controller.recorder import database as db
from controller.state.base import Facts
from controller.store import chain, durable
from controller.system import json_text

ASIDE, UNDER_WAY, NEW = ".damaged", ".rescuing", ".new"
# keys of meta that the recorder needs to go on
STATE_KEYS = ("position", "standing", "capture", "anchor", "lifetime")
# for these keys, the published value is used if it is newer
PUBLISHED_KEYS = ("position", "standing", "anchor", "lifetime")
# rescue only the last day of the history, or less if the limit of the database is small
SECONDS_MAX = 86_400
BYTES_A_SECOND = 512


def is_cut_short(path: str) -> bool:
    """True if a rescue was killed before the new database was in place: it must be repeated."""
    return os.path.exists(path + UNDER_WAY) and not os.path.exists(path)


def settle(path: str) -> None:
    """Give the damaged database its final name if a kill prevented this. Raises OSError."""
    if not os.path.exists(path):
        return
    if os.path.exists(path + UNDER_WAY):
        _remove(path + ASIDE, "-wal", "-shm")  # these belong to an earlier rescue
        os.replace(path + UNDER_WAY, path + ASIDE)
    _remove(path + UNDER_WAY, "-shm")
    with contextlib.suppress(FileNotFoundError):
        os.replace(path + UNDER_WAY + "-wal", path + ASIDE + "-wal")


def put_aside(path: str) -> None:
    """Rename the damaged files, but never over files that still wait for rescue. OSError."""
    settle(path)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, path + UNDER_WAY)
    if os.path.exists(path + UNDER_WAY):
        with contextlib.suppress(FileNotFoundError):
            os.replace(path + "-wal", path + UNDER_WAY + "-wal")
    _remove(path, "-wal", "-shm")
    durable.sync_directory(os.path.dirname(path))


def begin_anew(
    path: str, bytes_max: int, backups: "Backups", damage: Callable[[int], db.Row]
) -> db.Database:
    """A new database with all rows that can be rescued.

    damage: makes its last row, the event about the damage. Raises OSError, DatabaseError.
    """
    _remove(path + NEW, "", "-wal", "-shm")
    database = db.Database(path + NEW, bytes_max)
    try:
        with contextlib.closing(_old(path + UNDER_WAY)) as old:
            database.write(
                (),
                meta=_state(old, backups),
                also=lambda connection, _: _fill(connection, old, backups, bytes_max),
            )
        newest = database.query("SELECT id, hash FROM events ORDER BY id DESC LIMIT 1")
        heads = [*newest, (0, chain.START), *([backups.published] if backups.published else [])]
        database.head_id, database.head = max(heads, key=lambda head: head[0])
        database.write([damage(database.head_id)])
        # after this the file is complete and durable without a log file
        database.query("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.close()
    os.replace(path + NEW, path)
    durable.sync_directory(os.path.dirname(path))
    settle(path)
    return db.Database(path, bytes_max)


class Backups(NamedTuple):
    """Data from outside the database. published: (number, hash). captures: [(number, file)]."""

    trips: list
    published: tuple[int, bytes] | None
    meta: Facts
    captures: list[tuple[int, str]]


def _remove(path: str, *ends: str) -> None:
    for end in ends:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + end)


def _old(path: str) -> sqlite3.Connection:
    """The damaged database, opened for reading, or an empty one if it cannot be opened."""
    try:
        return sqlite3.connect(
            f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True, isolation_level=None
        )
    except sqlite3.Error:
        return sqlite3.connect(":memory:", isolation_level=None)


def _readable(connection: sqlite3.Connection, statement: str) -> Iterator[tuple]:
    """The rows before the first row that cannot be read."""
    try:
        yield from connection.execute(statement)
    except (sqlite3.Error, ValueError):
        return


def _state(old: sqlite3.Connection, backups: Backups) -> Facts:
    """Meta of the old database, or the published meta if the published head is newer."""
    meta = {}
    for key, value in _readable(old, "SELECT key, value FROM meta"):
        with contextlib.suppress(ValueError, TypeError):
            meta[key] = json_text.loads(value)
    state = {key: meta[key] for key in STATE_KEYS if key in meta}
    head = meta.get("head")
    newest = head[0] if isinstance(head, list) and head and isinstance(head[0], int) else 0
    if backups.published and newest < backups.published[0]:
        state.update((key, backups.meta[key]) for key in PUBLISHED_KEYS if key in backups.meta)
    return state


def _fill(
    connection: sqlite3.Connection, old: sqlite3.Connection, backups: Backups, bytes_max: int
) -> None:
    """Fill the new tables with all known rows. A trip that was rescued twice is stored once."""
    run, insert = connection.execute, db.INSERT_EVENT.format("INSERT OR IGNORE")
    # from both ends, because a damaged page in the middle must not cost the newer rows
    for order in ("ASC", "DESC"):
        for row in _readable(old, f"SELECT {db.EVENT_COLUMNS} FROM events ORDER BY id {order}"):
            if isinstance(row[-1], bytes) and len(row[-1]) == len(chain.START):
                run(insert, row)
    links = dict(_readable(old, "SELECT id, previous FROM links"))
    for values, head, previous in backups.trips:
        run(insert, (*values, head))
        links.setdefault(values[0], previous)
    for number, previous in links.items():
        if not run("SELECT 1 FROM events WHERE id = ?", (number - 1,)).fetchone():
            run("INSERT OR REPLACE INTO links VALUES (?, ?)", (number, previous))
    connection.executemany("INSERT INTO captures(event_id, file) VALUES (?, ?)", backups.captures)
    seconds = min(SECONDS_MAX, bytes_max // BYTES_A_SECOND)
    for table, count, statement in (
        ("seconds", seconds, db.INSERT_SECOND),
        ("bands", seconds // 60, db.INSERT_MINUTE),
    ):
        for row in _readable(old, _newest(table, count)):
            run(statement, row)


def _newest(table: str, count: int) -> str:
    """The statement for the newest rows of a history."""
    columns = [column.decode() for name, column in db.own_columns() if name == table.encode()]
    last = f"rowid > (SELECT max(rowid) FROM {table}) - {count}"
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {last} ORDER BY rowid"
