"""The proof-test ledger: who tested which row when, the measured reaction, the result (A71, A73,
A78 of the facts).

`proof_tests.jsonl` in the state directory, one JSON object a line (proof_lines.py), only ever added
to, each durable before it counts. The next record cuts off a torn last line; damage stays.

A ledger warns and is printed. Nothing of the tick, of limits or of permits reads it.
"""

import json
import os

from controller.config.acceptance_text import DAY_MAX
from controller.rows.proof_intervals import INTERVALS
from controller.store import durable
from controller.store.proof_lines import (
    BYTES_MAX,
    COMMISSIONED,
    FAILED,
    PASSED,
    REACTION_MS_MAX,
    TEST,
    TEXT_CHARACTERS_MAX,
    decode,
    encode,
    found_in,
    is_day,
    utc_text,
)

FILE, LOCK_FILE = "proof_tests.jsonl", "proof_tests.lock"


class LedgerError(Exception):
    """A record that is refused; its text is one line."""


class NotWrittenError(LedgerError):
    """A record that could not be made durable."""


def path_of(directory: str) -> str:
    """Path of the ledger in a state directory."""
    return os.path.join(directory, FILE)


def read(directory: str, files=os):
    """Found of the ledger in a state directory; no file is an empty one. Raises OSError. files: os
    or a stand-in.
    """
    try:
        with durable.opened(path_of(directory), os.O_RDONLY, files=files) as descriptor:
            return found_in(_content(descriptor, files))
    except FileNotFoundError:
        return found_in(b"")


def _content(descriptor, files):
    content = b""
    while piece := files.read(descriptor, BYTES_MAX + 1 - len(content)):
        content += piece
    if len(content) > BYTES_MAX:
        raise OSError(f"the ledger has more than {BYTES_MAX} bytes: it is no proof-test ledger")
    return content


# -- writing


class Ledger:
    """The ledger of one state directory. `files`: the os module, or a stand-in that loses power in
    a test.
    """

    def __init__(self, directory: str, files=os):
        self.directory, self._files = directory, files

    def commission(self, moment: tuple, remark: str = "", waits=True) -> bool:
        """Add the record of the cabinet's first start unless there is a record; True if it was
        added.

        moment: (utc_us, source); waits: for another process that writes. Raises NotWrittenError,
        BlockingIOError.
        """

        def make(found):
            first = COMMISSIONED, "", *_written(moment), "", 0, "", remark
            return None if found.newest else first

        return self._append(make, waits) is not None

    def test(
        self,
        moment: tuple,
        row: str,
        tester: str,
        reaction_ms: int,
        result: str,
        remark: str = "",
        date: str | None = None,
    ):
        """Add a test and return its Record; date: of one that was done earlier. Raises LedgerError,
        NotWrittenError.
        """
        check_test(row, tester, reaction_ms, result, remark)

        def make(found):
            check_date(found, moment[0], row, date)
            on, *recorded = _written(moment)
            return TEST, row, date or on, *recorded, tester, reaction_ms, result, remark

        self.commission(moment)
        return self._append(make)

    def _append(self, make, waits=True):
        """Add what make(Found) gives (all but the number), None for nothing. One process at a time;
        durable then.
        """
        try:
            with self._opened(LOCK_FILE, os.O_RDWR) as lock:
                self._files.lockf(lock, os.F_LOCK if waits else os.F_TLOCK, 0)
                return self._add(make)
        except BlockingIOError:
            raise
        except OSError as error:
            why = error.strerror or error
            raise NotWrittenError(
                f"{path_of(self.directory)}: nothing is recorded: {why}"
            ) from None

    def _add(self, make):
        files = self._files
        with self._opened(FILE, os.O_RDWR | os.O_APPEND) as descriptor:
            found = found_in(_content(descriptor, files))
            made = make(found)
            if made is None:
                return None
            if found.torn_bytes:
                files.ftruncate(descriptor, found.whole_bytes)
            line = encode((found.newest + 1, *made), found.head)
            durable.write(descriptor, line if found.is_ended else b"\n" + line, files)
            files.fsync(descriptor)
        durable.sync_directory(self.directory, files)
        return decode(line[:-1])

    def _opened(self, name, flags):
        path = os.path.join(self.directory, name)
        return durable.opened(path, flags | os.O_CREAT, 0o600, self._files)


def _written(moment):
    """(date, recorded_utc, clock) of a moment."""
    text = utc_text(moment[0])
    return text[:10], text, moment[1]


# -- what may be recorded


def check_test(row: str, tester: str, reaction_ms: int, result: str, remark: str) -> None:
    """Raises LedgerError for a value that no record may have."""
    text = f"{TEXT_CHARACTERS_MAX} ASCII characters"
    reaction = (
        f"reaction {reaction_ms} ms: allowed is 1 .. {REACTION_MS_MAX}, and 0 of a test that has "
        f"{FAILED} because nothing came"
    )
    rules = (
        (row in INTERVALS, f"row {_shown(row)} is not known; allowed {', '.join(INTERVALS)}"),
        (
            _is_text(tester) and tester.strip(),
            f"tester {_shown(tester)}: allowed is a name with credentials, on one line, "
            f"1 to {text}",
        ),
        (result in (PASSED, FAILED), f"result {_shown(result)}: allowed is {PASSED} or {FAILED}"),
        ((result == PASSED) <= reaction_ms <= REACTION_MS_MAX, reaction),
        (_is_text(remark), f"remark {_shown(remark)}: allowed is one line of at most {text}"),
    )
    _check(rules)


def _check(rules):
    """Raises LedgerError with the text of the first rule that does not hold."""
    for is_ok, text in rules:
        if not is_ok:
            raise LedgerError(text)


def _is_text(text):
    """True for what text, CSV and paper show alike."""
    return text.isascii() and text.isprintable() and len(text) <= TEXT_CHARACTERS_MAX


def _shown(text):
    return json.dumps(text[:TEXT_CHARACTERS_MAX])


def check_date(found, utc_us: int, row: str, date: str | None = None) -> None:
    """Raises LedgerError when the clock is before the last record, or a test's date before its
    row's last one.
    """
    now = utc_text(utc_us)
    newest = max([record.recorded_utc for record in found.records], default=now)
    rules = [
        (now < DAY_MAX, f"the clock says {now}, which cannot be: set the clock first"),
        (
            now >= newest,
            f"the clock says {now}, the last record is of {newest}: set the clock first",
        ),
    ]
    if date is not None:
        last = max([record.date for record in found.records if record.row == row], default=date)
        rules += [
            (is_day(date), f"date {_shown(date)}: a day is written 2026-03-14"),
            (date <= now[:10], f"date {date} is in the future: it is {now}"),
            (date >= last, f"date {date} is before the last test of row {row}, of {last}"),
        ]
    _check(rules)
