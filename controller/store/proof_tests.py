"""Keeps the ledger of proof tests. Basis: A71, A73 and A78 of the fact table (rows/facts.py).

Each record has a tested row of the cause-and-effect matrix, tester, day, reaction time and result.
`proof_tests.jsonl` has a record, a JSON object, in each line. A record counts only after it is
durable. The next record removes a torn last line; damage stays. Warnings, pages and the start of
the controller process (run/sign_hold.py) read the ledger. Tick, limits and permits never read it.

`proof_tests.head` has the hash of the newest record, so that an older copy of the ledger, or none,
is detected. The next record links to this hash, and so the chain shows the gap for ever. A release
before wrote no head, and a restored backup on a new box has none: then the ledger counts as whole.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import SupportsInt

from controller.forms.acceptance_text import DAY_MAX
from controller.rows.proof_intervals import INTERVALS
from controller.store import durable, proof_lines as pl
from controller.store.chain import START
from controller.system import utc
from controller.system.paths import WrongInput

FILE, LOCK_FILE, HEAD_FILE = "proof_tests.jsonl", "proof_tests.lock", "proof_tests.head"
PIECE_BYTES = 65_536  # of one read: Python allocates all of it, and the controller locks its memory
MODE = 0o640  # the doors report how far the cabinet has joined
Moment = tuple[SupportsInt, str]  # (UTC, us since 1970; source of the clock)
Values = tuple[str | int, ...]  # values of a record, without its number


class LedgerError(WrongInput):
    """A record is refused. The text is one line."""


class NotWrittenError(LedgerError):
    """A record could not be made durable."""


def path_of(directory: str) -> str:
    """Path of the ledger in a state directory."""
    return os.path.join(directory, FILE)


def read(directory: str) -> pl.Found:
    """The ledger in a state directory; a missing file is an empty ledger. Raises OSError."""
    newest = _bytes(os.path.join(directory, HEAD_FILE))  # first, a record may be added meanwhile
    head = "" if newest is None else newest.decode("ascii", "replace") or "of an empty head file"
    return pl.found_in(_bytes(path_of(directory)) or b"", head)


def _bytes(path: str) -> bytes | None:
    """The bytes of a file; None: there is none."""
    try:
        with durable.opened(path, os.O_RDONLY) as descriptor:
            return _content(descriptor)
    except FileNotFoundError:
        return None


def _content(descriptor: int) -> bytes:
    content = b""
    while piece := os.read(descriptor, min(PIECE_BYTES, pl.BYTES_MAX + 1 - len(content))):
        content += piece
    if len(content) > pl.BYTES_MAX:
        raise OSError(
            f"the ledger has more than {pl.BYTES_MAX} bytes: it is not a proof-test ledger"
        )
    return content


# -- writing


class Ledger:
    """The ledger of one state directory."""

    def __init__(self, directory: str):
        self.directory = directory

    def commission(self, moment: Moment, remark: str = "", waits: bool = True) -> bool:
        """Add the record of the first start, unless there are records of this box. True if added.
        Raises BlockingIOError.
        """

        def make(ledger: pl.Found) -> Values | None:
            first = pl.COMMISSIONED, "", *_stamp(ledger, moment), "", 0, "", remark
            is_new = all(record.kind == pl.PROVISIONED for record in ledger.records)
            return first if is_new else None

        return self._append(make, waits) is not None

    def test(
        self,
        moment: Moment,
        row: str,
        tester: str,
        reaction_ms: int,
        result: str,
        remark: str = "",
        date: str | None = None,
    ) -> pl.Record:
        """Add a test and return its Record. Raises LedgerError.

        date: the day of the test, if it was an earlier day.
        """
        check_test(row, tester, reaction_ms, result, remark)
        return self._record(moment, pl.TEST, row, date, (tester, reaction_ms, result, remark))

    def sign(self, moment: Moment, unit: str, tester: str, result: str, remark: str) -> pl.Record:
        """Add a sign test of a unit, like `test`. sign_tests.py reads it."""
        check_words(tester, result, remark)
        return self._record(moment, pl.SIGN, unit, None, (tester, 0, result, remark))

    def accept(self, moment: Moment, unit: str, by: str, remark: str) -> pl.Record:
        """Add that a person accepts a unit without a sign test, like `test`."""
        _check([_named(by), _remark(remark)])
        return self._record(moment, pl.SIGN, unit, None, (by, 0, pl.ACCEPTED, remark))

    def _record(
        self, moment: Moment, kind: str, row: str, date: str | None, more: tuple[str, int, str, str]
    ) -> pl.Record:
        def make(ledger: pl.Found) -> Values:
            on, *recorded = _stamp(ledger, moment)
            if date is not None:
                check_date(ledger, recorded[0], row, date)
            return kind, row, date or on, *recorded, *more

        self.commission(moment)
        record = self._append(make)
        assert record is not None, "its values are known"
        return record

    def add(
        self, moment: Moment, kind: str, row: str, by: str, remark: str, waits: bool = True
    ) -> None:
        """Add a record of replacements.py. Raises LedgerError, BlockingIOError."""
        allowed = f"one line of at most {pl.TEXT_CHARACTERS_MAX} ASCII characters"
        _check([(_is_text(text), f"{_shown(text)}: allowed is {allowed}") for text in (by, remark)])

        def make(ledger: pl.Found) -> Values:
            return kind, row, *_stamp(ledger, moment), by, 0, "", remark

        self.commission(moment, waits=waits)
        self._append(make, waits)

    def _append(
        self, make: Callable[[pl.Found], Values | None], waits: bool = True
    ) -> pl.Record | None:
        """Add a durable record. make(Found): its values without the number, or None."""
        try:
            with self._opened(LOCK_FILE, os.O_RDWR) as lock:
                os.lockf(lock, os.F_LOCK if waits else os.F_TLOCK, 0)
                return self._add(make)
        except BlockingIOError:
            raise
        except OSError as error:
            why = error.strerror or error
            raise NotWrittenError(
                f"{path_of(self.directory)}: nothing is recorded: {why}"
            ) from None

    def _add(self, make: Callable[[pl.Found], Values | None]) -> pl.Record | None:
        with self._opened(FILE, os.O_RDWR | os.O_APPEND) as descriptor:
            ledger = read(self.directory)
            values = make(ledger)
            if values is None:
                return None
            if ledger.torn_bytes:
                os.ftruncate(descriptor, ledger.whole_bytes)
            line = pl.encode((ledger.newest + 1, *values), ledger.head)
            durable.write(descriptor, line if ledger.is_ended else b"\n" + line)
            os.fchmod(descriptor, MODE)
            os.fsync(descriptor)
        durable.sync_directory(self.directory)
        record, path = pl.decode(line[:-1]), os.path.join(self.directory, HEAD_FILE)
        if record is None:
            raise NotWrittenError(f"{path_of(self.directory)}: the new record cannot be read back")
        # If the disk refuses it, the hash before stays, and the ledger contains that one.
        with contextlib.suppress(OSError):
            durable.put(path, ".new", [record.hash.encode("ascii")], MODE)
            os.chmod(path, MODE)
        return record

    def _opened(self, name: str, flags: int) -> AbstractContextManager[int]:
        path = os.path.join(self.directory, name)
        return durable.opened(path, flags | os.O_CREAT, 0o600)


def provisioned(moment: Moment, remark: str) -> bytes:
    """The ledger of a cabinet that was only made yet."""
    when = _stamp(pl.found_in(b""), moment)
    return pl.encode((1, pl.PROVISIONED, "", *when, "", 0, "", remark), START.hex())


def _stamp(ledger: pl.Found, moment: Moment) -> tuple[str, str, str]:
    """(date, recorded_utc, clock) of a new record. No clock prevents a record, because the chain
    keeps the order: a clock that is impossible, or behind the last record and not steered, is
    DOUBTFUL. A steered clock may be behind, because the clock of that record was ahead.
    """
    (utc_now, clock), last = moment, pl.last_utc(ledger.records)
    now = pl.utc_text(utc_now)
    if now >= DAY_MAX:
        now, clock = last, pl.DOUBTFUL
    elif now < last and clock != utc.NTP:
        clock = pl.DOUBTFUL
    return now[:10], now, clock


# -- values of a record


def check_test(row: str, tester: str, reaction_ms: int, result: str, remark: str) -> None:
    """Check the values of a test. Raises LedgerError for a value that is not allowed."""
    reaction = (
        f"reaction {reaction_ms} ms: allowed is 1 .. {pl.REACTION_MS_MAX}, and 0 of a test that "
        f"has {pl.FAILED} without any reaction"
    )
    known = f"row {_shown(row)} is not known; allowed {', '.join(INTERVALS)}"
    _check([(row in INTERVALS, known)])
    check_words(tester, result, remark)
    _check([((result == pl.PASSED) <= reaction_ms <= pl.REACTION_MS_MAX, reaction)])


def check_words(tester: str, result: str, remark: str) -> None:
    """Check only the texts of `check_test`. Raises LedgerError."""
    known = f"result {_shown(result)}: allowed is {pl.PASSED} or {pl.FAILED}"
    _check([_named(tester), (result in (pl.PASSED, pl.FAILED), known), _remark(remark)])


Rule = tuple[bool, str]  # (True if it is kept, the line if it is broken)
_TEXT = f"{pl.TEXT_CHARACTERS_MAX} ASCII characters"


def _named(tester: str) -> Rule:
    allowed = f"allowed is a name with credentials, on one line, 1 to {_TEXT}"
    return _is_text(tester) and tester.strip() != "", f"tester {_shown(tester)}: {allowed}"


def _remark(remark: str) -> Rule:
    line = f"remark {_shown(remark)}: allowed is one line of at most {_TEXT}"
    return _is_text(remark), line


def _check(rules: Iterable[Rule]) -> None:
    """Raise LedgerError with the text of the first broken rule."""
    for is_kept, text in rules:
        if not is_kept:
            raise LedgerError(text)


def _is_text(text: str) -> bool:
    """True for a text that pages, CSV files and printed documents show unchanged."""
    return text.isascii() and text.isprintable() and len(text) <= pl.TEXT_CHARACTERS_MAX


def _shown(text: str) -> str:
    return json.dumps(text[: pl.TEXT_CHARACTERS_MAX])


def check_date(ledger: pl.Found, now: str, row: str, date: str) -> None:
    """Check the day of an earlier test: not in the future, and not before the last test of the row.
    Raises LedgerError.
    """
    own = [
        record
        for record in ledger.records
        if record.row == row and record.kind in (pl.TEST, pl.DUE)
    ]
    last = max([record.date for record in own if record.date <= now], default=date)
    _check(
        [
            (pl.is_day(date), f"date {_shown(date)}: a day is written 2026-03-14"),
            (date <= now[:10], f"date {date} is in the future: it is {now}"),
            (date >= last, f"date {date} is before the last test of row {row}, of {last}"),
        ]
    )
