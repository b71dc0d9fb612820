"""Keeps the record, also with a full disk, and with a damaged or missing database.

When the disk is full, the rows of seconds and minutes are left out, and a reserve file is removed
to make room for events. When this room is used up, events wait in the journal. A damaged database
is put aside, and a new one begins. The operator gets one line when something begins to fail. Each
loss of data is an event.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from controller.recorder import head, rescue, retention
from controller.recorder.database import (
    CHECKPOINT_BYTES,
    LOG_BYTES,
    Also,
    Database,
    DatabaseError,
    Row,
    Stored,
)
from controller.recorder.limits import Limits
from controller.recorder.retention import Label
from controller.recorder.room import Reserve
from controller.store import chain
from controller.store.trips import TripLog
from controller.system.paths import Say

FILE = "record.db"
TRIM_PIECES_MAX = 8  # pieces that one write removes at most


class Archive:
    """`write` adds to the record, and `tidy` keeps it small.

    lean: True while rows of seconds and minutes are left out, because the disk is full.
    """

    def __init__(
        self,
        run_directory: str,
        state_directory: str,
        limits: Limits,
        label: Label,
        say: Say,
        captures: Callable[[], list[tuple[int, str]]] = list,
    ):
        """Open the record. OSError or DatabaseError: nothing can be written.

        say: gives a line to the operator. captures: (event number, file name) of the captures on
        the disk, for a database that has lost them.
        """
        self.path = os.path.join(state_directory, FILE)
        self._run_directory = run_directory
        self._limits, self._label, self._say, self._captures = limits, label, say, captures
        self._bytes_max = limits.history_MB << 20
        self._reserve = Reserve(state_directory)
        self._trips = TripLog(state_directory)
        self.lean, self.left_out = False, 0
        # newest values of the table `meta`, which are published with the head
        self._meta_copy: dict[str, Any] = dict(head.read(run_directory).get("meta", {}))
        self._first: list[Row] = []  # rows with which the next transaction begins
        self._why_lost: str | None = None  # why there is no database, if none could be begun
        self._reported: dict[str, str | None] = {}  # {what fails: the reason last reported}
        self.database = self._open()
        self._reserve.lay()
        self._copy_trips()

    # -- opening, and damage

    def _open(self) -> Database:
        rescue.settle(self.path)
        if rescue.is_cut_short(self.path):
            return self._begin_anew(f"{self.path}: its rescue was cut short")
        with contextlib.ExitStack() as closes:
            try:
                # opening an old database may add a table to it
                database = self._with_reserve(lambda: Database(self.path, self._bytes_max))
                closes.callback(database.close)
                why = self._lack_of(database)
                if why is None:
                    closes.pop_all()
                    return database
            except DatabaseError as error:
                if not error.damaged:
                    raise
                why = str(error)
        return self._begin_anew(why)

    def _with_reserve(self, make: Callable[[], Database]) -> Database:
        """The result of `make`, which may use the room of the reserve. Raises DatabaseError."""
        try:
            return make()
        except DatabaseError as error:
            if not error.full:
                raise
        self._reserve.give_up()
        return make()

    def _lack_of(self, database: Database) -> str | None:
        """Why this is not the complete record (but an older or empty copy), or None.

        Raises DatabaseError.
        """
        if database.head_id < self._trips.newest:
            return f"{self.path}: lacks the newest trip"
        published = self.published()
        if published and not database.holds(*published):
            return f"{self.path}: lacks event {published[0]}, which was published"
        return None

    def _begin_anew(self, why: str) -> Database:
        backups = rescue.Backups(
            self._trips.entries(), self.published(), self._meta_copy, self._captures()
        )
        rescue.put_aside(self.path)
        database = self._with_reserve(
            lambda: rescue.begin_anew(self.path, self._bytes_max, backups, self._damage)
        )
        rescued = retention.count(database, "1") - 1
        self._say(
            f"{why}; the old file is kept as {FILE}{rescue.ASIDE}; the new one begins with "
            f"{rescued} of its events"
        )
        return database

    def _damage(self, number: int) -> Row:
        """The event of a rescue. number: the newest event that is known."""
        return self._label(
            chain.LOSS,
            chain.DAMAGE,
            chain.missing_scope(number),
            f"the record was damaged or removed: events up to {number} and seconds of the history "
            f"may be missing; the old file is {FILE}{rescue.ASIDE}",
        )

    def published(self) -> tuple[int, bytes] | None:
        """(number, hash) of the head that was published last, or None."""
        content = head.read(self._run_directory)
        return (content["id"], bytes.fromhex(content["hash"])) if content else None

    def meta(self, key: str) -> Any:
        """A value of the table `meta`, or its published copy if the database has lost it."""
        value = None
        # the next write detects the damage
        with contextlib.suppress(sqlite3.Error, ValueError, TypeError):
            value = self.database.meta(key)
        return self._meta_copy.get(key) if value is None else value

    # -- writing

    def write(
        self,
        rows: Sequence[Row],
        seconds: Sequence[tuple] = (),
        meta: Mapping[str, Any] | None = None,
        also: Also | None = None,
        minutes: Sequence[tuple] = (),
    ) -> Stored:
        """Store all this durably; return the stored events. DatabaseError: nothing was stored."""
        if self._why_lost or not self.database.is_there():
            self._reopen(self._why_lost or f"{self.path}: was removed")
        for is_again in (False, True):
            history: tuple[Sequence, Sequence] = ((), ()) if self.lean else (seconds, minutes)
            try:
                stored = self.database.write(
                    [*self._first, *rows], history[0], meta, also, history[1]
                )
                break
            except DatabaseError as error:
                if error.damaged and not is_again:
                    self._reopen(str(error))
                elif is_again or not self._make_room(error):
                    raise
        self.left_out += len(seconds) - len(history[0])
        self._first = []
        self._copy_trips()
        self._meta_copy.update(meta or {})
        self._publish()
        return stored

    def has_room(self, wanted_bytes: int) -> bool:
        """True if this many bytes fit without using the room that is kept for events."""
        return self._reserve.has_beside(wanted_bytes)

    def _reopen(self, why: str) -> None:
        """Begin a new database. If that raises DatabaseError, the next write tries it again."""
        self.database.close()
        self._why_lost = why
        try:
            self.database = self._begin_anew(why)
        except OSError as error:
            raise DatabaseError(self.path, error) from None
        self._why_lost = None

    def _make_room(self, error: DatabaseError) -> bool:
        """True if another try may succeed: rows were removed, or the reserve was given up."""
        if not error.full:
            return False
        _, pages, allowed = self.database.pages()
        if pages >= allowed and self._trim():
            return True
        if not self._reserve.laid:
            return False
        self._reserve.give_up()
        self.lean = True
        self._say(f"{error}: no room; events go into the reserve, seconds are left out: make room")
        return True

    def _copy_trips(self) -> None:
        """Copy new trips. Never raises, because the caller must not repeat a successful commit."""
        why = None
        try:
            try:
                self._trips.append(self._uncopied())
            except DatabaseError as error:
                if not error.damaged:
                    raise
                self._reopen(str(error))
                self._trips.append(self._uncopied())
        except OSError as error:
            why = f"{self._trips.path}: {error.strerror}"
        except DatabaseError as error:
            why = str(error)
        self._report(
            "trips", why, f"{why}: the second copy of the trips is late and is tried again"
        )

    def _uncopied(self) -> list[tuple[tuple, bytes, bytes]]:
        """Trips for the second copy, in the form for TripLog.append. Raises DatabaseError."""
        columns = ", ".join("e." + name for name in chain.COLUMNS)
        rows = self.database.query(
            f"SELECT {columns}, e.hash, coalesce(p.hash, l.previous, ?) FROM events e "
            "LEFT JOIN events p ON p.id = e.id - 1 LEFT JOIN links l ON l.id = e.id "
            "WHERE e.kind = 'trip' AND e.id > ? ORDER BY e.id",
            (chain.START, self._trips.newest),
        )
        return [(tuple(values), digest, previous) for *values, digest, previous in rows]

    def _publish(self) -> None:
        """Publish the head for the systems upstream. A failure is reported once."""
        why: str | None = None
        database = self.database
        content = {"id": database.head_id, "hash": database.head.hex(), "meta": self._meta_copy}
        try:
            head.publish(self._run_directory, content)
        except OSError as error:
            why = error.strerror
        self._report(
            "head",
            why,
            f"{os.path.join(self._run_directory, head.FILE)}: {why}: the head of the chain is not "
            "published; allowed is a --run-dir that the controller made and this user may write",
        )

    def _report(self, part: str, why: str | None, line: str) -> None:
        """Report a line when something starts to fail or the reason changes. why None: it works."""
        if why and why != self._reported.get(part):
            self._say(line)
        self._reported[part] = why

    # -- keeping it small

    def tidy(self, in_haste: bool = False) -> None:
        """Remove some old rows, shorten the log, restore the reserve. in_haste: only the log."""
        try:
            if not in_haste:
                self._trim()
            self.database.tidy(LOG_BYTES if in_haste else CHECKPOINT_BYTES)
        except DatabaseError:
            # The disk is full, or a reader blocks the work: try again next time. The next write
            # detects damage.
            return
        if in_haste:
            return
        if self._reserve.lay() and self.lean:
            self.lean = False
            self._say(f"{self.path}: there is room again")
            left_out = f"{self.left_out} s of the history were left out: there was no room"
            self._first = [self._label(chain.LOSS, "", "seconds", left_out)]
            self.left_out = 0
        elif not self._reserve.laid and not self.lean:
            self._reserve.give_up()

    def _trim(self) -> bool:
        """Remove old rows. True if rows were removed."""
        for piece in range(TRIM_PIECES_MAX):
            if not retention.trim(self.database, self._limits.events_max, self._label):
                return piece > 0
        return True

    def close(self) -> None:
        """Close the database; the reserve stays."""
        self.database.close()
