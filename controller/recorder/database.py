"""Writes and reads the database of the recorder. Only one transaction at a time writes to it.

It uses a write-ahead log (WAL) with synchronous=FULL, so everything that `write` has stored
survives a power cut. A checkpoint moves the log into the file after a commit. After a commit with
events it does so only if the log is large. The sizes of file, log and cache are bounded.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from controller.recorder.minutes import COLUMNS
from controller.store import chain
from controller.system import json_text, regular_file

SCHEMA = 1
TABLES = """
CREATE TABLE events(id INTEGER PRIMARY KEY, sequence INTEGER, uptime_ms INTEGER, utc_us INTEGER,
 utc_source TEXT, utc_uncertainty_us INTEGER, kind TEXT,
 code TEXT, scope TEXT, text TEXT, hash BLOB);
CREATE TABLE seconds(uptime_ms INTEGER, utc_us INTEGER, grid_W, load_W, battery_W, setpoint_W,
 low_W, high_W, soc_permille, cell_mV_min, cell_mV_max,
 temperature_ddegC_max, state, reason INTEGER);
CREATE TABLE captures(id INTEGER PRIMARY KEY, event_id INTEGER, first_sequence INTEGER,
 last_sequence INTEGER, file TEXT);
CREATE TABLE meta(key TEXT PRIMARY KEY, value);
CREATE TABLE links(id INTEGER PRIMARY KEY, previous BLOB);
CREATE INDEX events_by_kind ON events(kind, id);
"""
# this table is also added to an older database that lacks it
TABLE_BANDS = f"CREATE TABLE bands(uptime_ms INTEGER, utc_us INTEGER, {', '.join(COLUMNS)})"
EVENT_COLUMNS = ", ".join(chain.COLUMNS) + ", hash"
INSERT_EVENT = f"{{}} INTO events({EVENT_COLUMNS}) VALUES ({', '.join('?' * 11)})"
INSERT_SECOND = f"INSERT INTO seconds VALUES ({', '.join('?' * 14)})"
INSERT_MINUTE = f"INSERT INTO bands VALUES ({', '.join('?' * (2 + len(COLUMNS)))})"
Stored = list[tuple[tuple, bytes]]  # for each event: (values as in chain.COLUMNS, hash)
Also = Callable[[sqlite3.Connection, Stored], object]
PAGE_BYTES = 4096
LOG_BYTES, CHECKPOINT_BYTES = 4 << 20, 1 << 20


class DatabaseError(Exception):
    """The database cannot store. One line. damaged: its content is wrong. full: no room is left."""

    def __init__(self, path: str, error: object):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        super().__init__(f"{path}: {error}")
        self.damaged = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        self.full = code == sqlite3.SQLITE_FULL


def _columns(connection: sqlite3.Connection) -> list:
    """[(table, column)] in order, as bytes, because a damaged name may not be valid text."""
    return connection.execute(
        "SELECT CAST(tables.name AS BLOB), CAST(columns.name AS BLOB) FROM sqlite_master tables, "
        "pragma_table_info(tables.name) columns WHERE tables.type = 'table' ORDER BY 1, cid"
    ).fetchall()


def own_columns() -> list:
    """[(table, column)] of a new database."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES + TABLE_BANDS)
        return _columns(connection)


def _close_to_others(path: str) -> None:
    """Let only the user of this service open the database. Raises OSError.

    The lock of a reader would stop the recorder. An index file that others could open is made
    again, because their lock on it would remain.
    """
    if not os.path.exists(path):
        os.close(regular_file.opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.suppress(FileNotFoundError):
        if os.stat(path + "-shm").st_mode & 0o077:
            os.unlink(path + "-shm")
    for file_path in (path, path + "-wal"):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(file_path, 0o600)


class Row(NamedTuple):
    """One event as it is stored, without number and hash."""

    sequence: int | None
    uptime_ms: int
    utc_us: int
    utc_source: str
    utc_uncertainty_us: int | None
    kind: str
    code: str
    scope: str
    text: str


class Database:
    """The only writer of the record. head_id, head: number and hash of the newest event."""

    def __init__(self, path: str, bytes_max: int):
        """Open the file, or make it. Raises DatabaseError, OSError."""
        self.path = path
        self._connection: Any = None  # a sqlite3.Connection once the file is open
        try:
            self._open(bytes_max)
        except (sqlite3.Error, ValueError, TypeError) as error:
            self.close()
            failure = DatabaseError(path, error)
            # SQLITE_ERROR means a wrong statement. The statements here are right, so the file is
            # wrong.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            failure.damaged |= code == sqlite3.SQLITE_ERROR
            raise failure from None

    def _open(self, bytes_max: int) -> None:
        _close_to_others(self.path)
        self._pages_max = bytes_max // PAGE_BYTES
        self._connection = sqlite3.connect(
            self.path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        run = self._connection.execute
        for pragma in (
            f"page_size = {PAGE_BYTES}",
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 0",
            f"journal_size_limit = {LOG_BYTES}",
            "cache_size = -2048",
            "temp_store = MEMORY",
            f"max_page_count = {self._pages_max}",
        ):
            run(f"PRAGMA {pragma}")
        if not run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._connection.executescript(
                f"BEGIN; {TABLES} INSERT INTO meta VALUES ('schema', '{SCHEMA}'); COMMIT;"
            )
        # further tables (ANALYZE makes some) do no harm
        lacking = set(own_columns()) - set(_columns(self._connection))
        if lacking and lacking == {column for column in own_columns() if column[0] == b"bands"}:
            run(TABLE_BANDS)
        elif lacking:
            raise ValueError("its tables are not those this program writes")
        if self.meta("schema") != SCHEMA:
            raise ValueError(f"schema {self.meta('schema')}, this program writes {SCHEMA}")
        self.inode = os.stat(self.path).st_ino
        number, head = self.meta("head") or (0, chain.START.hex())
        self.head_id, self.head = int(number), bytes.fromhex(head)

    def meta(self, key: str) -> Any:
        """The value of a key, or None."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else json_text.loads(row[0])

    def is_there(self) -> bool:
        """False if the file was removed or replaced while the recorder used it."""
        try:
            return os.stat(self.path).st_ino == self.inode
        except OSError:
            return False

    def holds(self, number: int, head: bytes) -> bool:
        """True if the chain contains this event, or continues after it. Raises DatabaseError."""
        statement = (
            "SELECT 1 FROM events WHERE id = ? AND hash = ? "
            "UNION ALL SELECT 1 FROM links WHERE id = ? AND previous = ?"
        )
        if number == 0 or (self.head_id, self.head) == (number, head):
            return True
        return bool(self.query(statement, (number, head, number + 1, head)))

    def write(
        self,
        rows: Iterable[Row],
        seconds: Iterable[tuple] = (),
        meta: Mapping[str, Any] | None = None,
        also: Also | None = None,
        minutes: Iterable[tuple] = (),
    ) -> Stored:
        """Store one durable transaction, and return the events as stored.

        also: makes further statements in it. DatabaseError: nothing of it is stored.
        """
        run, run_many = self._connection.execute, self._connection.executemany
        head_id, head = self.head_id, self.head
        stored: Stored = []
        for head_id, row in enumerate(rows, self.head_id + 1):
            head = chain.link(head, (head_id, *row))
            stored.append(((head_id, *row), head))
        new_meta = {**(meta or {}), "head": (head_id, head.hex())}
        try:
            run("BEGIN IMMEDIATE")
            newest = run("SELECT 1 FROM events WHERE id = ?", (self.head_id,)).fetchone()
            if stored and self.head_id and not newest:
                run("INSERT OR REPLACE INTO links VALUES (?, ?)", (self.head_id + 1, self.head))
            run_many(INSERT_EVENT.format("INSERT"), [(*values, link) for values, link in stored])
            run_many(INSERT_SECOND, seconds)
            run_many(INSERT_MINUTE, minutes)
            run_many(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(key, json.dumps(value)) for key, value in new_meta.items()],
            )
            if also is not None:
                also(self._connection, stored)
            run("COMMIT")
        except sqlite3.Error as error:
            raise DatabaseError(self.path, error) from None
        finally:
            self._roll_back()
        self.head_id, self.head = head_id, head
        return stored

    def _roll_back(self) -> None:
        """End a transaction that has not ended. If this fails, the next one detects it."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def query(self, statement: str, values: Sequence = ()) -> list[tuple]:
        """The rows of a SELECT. Raises DatabaseError."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise DatabaseError(self.path, error) from None

    def pages(self) -> tuple[int, int, int]:
        """(pages in use, pages of the file, pages allowed)."""
        (count,) = self.query("PRAGMA page_count")[0]
        (free,) = self.query("PRAGMA freelist_count")[0]
        return count - free, count, self._pages_max

    def give_back(self, pages: int) -> None:
        """Return free pages to the file system, after a limit was lowered."""
        self.query(f"PRAGMA incremental_vacuum({pages})")

    def tidy(self, log_bytes_max: int) -> None:
        """Move a large log into the file. A reader may prevent this. Raises DatabaseError."""
        with contextlib.suppress(OSError):
            if os.stat(self.path + "-wal").st_size >= log_bytes_max:
                self.query("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the file. Committed data stays."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):  # a damaged file
                self._connection.close()
