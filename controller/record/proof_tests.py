"""The proof-test ledger: who tested which row when, the measured reaction, the result (A71, A73,
A78 of the facts).

`proof_tests.jsonl` in the state directory, one JSON object a line, only ever added to, each durable
before it counts. The hash of a record covers its values and the hash before it (recorder/chain.py):
whoever keeps the newest one can tell whether anything before it was changed. A last line that a
power cut can have left of one record is named, and cut off by the next record; whatever else does
not fit is damage, named by its line, and stays.

A ledger warns and is printed. Nothing of the tick, of limits or of permits reads it.
"""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from controller.record import chain
from controller.record.trips import sync_directory
from controller.rows.proof_intervals import INTERVALS
from controller.site.acceptance_text import DAY_MAX
from controller.system import regular_file

FILE, LOCK_FILE = "proof_tests.jsonl", "proof_tests.lock"
COMMISSIONED, TEST = "commissioned", "test"
PASSED, FAILED = "passed", "failed"
REACTION_MS_MAX = 3_600_000
TEXT_CHARACTERS_MAX = 200
BYTES_MAX = 16 << 20  # some 40 000 records: all rows every month for 70 years
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class LedgerError(Exception):
    """A record that is refused; its text is one line."""


class NotWrittenError(LedgerError):
    """A record that could not be made durable."""


class Record(NamedTuple):
    """One line: the values that its hash covers, then that of the record before and its own, both
    hexadecimal.

    kind: COMMISSIONED (first start of the cabinet: no row, no result) or TEST. date: UTC day of the
    test; recorded_utc: when it was written, by a clock of this source (utc.NTP, RTC, UNKNOWN).
    tester: the person, with credentials.
    """

    number: int
    kind: str
    row: str
    date: str
    recorded_utc: str
    clock: str
    tester: str
    reaction_ms: int
    result: str
    remark: str
    previous: str
    hash: str


VALUES = Record._fields[:-2]
_TYPES = (int, *[str] * 6, int, *[str] * 4)


class Found(NamedTuple):
    """What the file holds: `records` whose own hash fits, `breaks` as lines, `damaged_from`: first
    line of these.

    torn_bytes: of a last line that a power cut left; whole_bytes: before it; is_ended: the last
    record has a line end.
    """

    records: tuple
    breaks: tuple
    damaged_from: int | None
    torn_bytes: int
    whole_bytes: int
    is_ended: bool
    head: str
    newest: int

    @property
    def tests(self):
        """How many of the records are tests; the first start is one too."""
        return len([record for record in self.records if record.kind == TEST])

    @property
    def lines(self):
        """What is wrong, as lines to print."""
        torn = [
            f"the last line was torn by a power cut ({self.torn_bytes} bytes): the next "
            f"record cuts it off"
        ]
        damage = [f"damaged from line {self.damaged_from}", *self.breaks] if self.breaks else []
        return [*damage, *(torn if self.torn_bytes else [])]


def utc_text(utc_us):
    """2026-03-14T02:07:31Z of microseconds since 1970."""
    return (EPOCH + timedelta(seconds=utc_us // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(text):
    """datetime.date of 2026-03-14, or of what begins so. Raises ValueError."""
    return datetime.strptime(text[:10], "%Y-%m-%d").date()


def is_day(text):
    """True for a real day, written 2026-03-14."""
    try:
        return day(text).isoformat() == text
    except ValueError:
        return False


def path_of(directory):
    """Path of the ledger in a state directory."""
    return os.path.join(directory, FILE)


# -- reading


def encode(values, previous):
    """Bytes of a line; values: in the order of VALUES; previous: hash of the record before,
    hexadecimal.
    """
    digest = chain.link(bytes.fromhex(previous), values).hex()
    return (
        json.dumps(
            dict(zip(Record._fields, (*values, previous, digest))), separators=(",", ":")
        ).encode()
        + b"\n"
    )


# One value is longer than any other of its field; a text may be written with a backslash before
# each character.
RECORD_BYTES_MAX = len(
    encode(
        (
            BYTES_MAX,
            COMMISSIONED,
            max(INTERVALS, key=len),
            DAY_MAX,
            f"{DAY_MAX}T00:00:00Z",
            "unknown",
            '"' * TEXT_CHARACTERS_MAX,
            REACTION_MS_MAX,
            FAILED,
            '"' * TEXT_CHARACTERS_MAX,
        ),
        chain.START.hex(),
    )
)
_BEGINNING = b'{"number":'
_OF_RECORDS = re.compile(rb"[\0 -~]*\n?")
# in a text the quote has a backslash before it
_BEHIND_ONE = re.compile(rb'[0-9a-f]"\}(\0+\n|\0*[^\0\n])')


def decode(line):
    """Record of a line without its end, or None where it is none: another form, even one blank
    more.
    """
    try:
        content = json.loads(line.decode("ascii"))
        record = Record(**content)
        again = json.dumps(content, separators=(",", ":")).encode()
        is_formed = tuple(content) == Record._fields and again == line and _is_sound(record)
    except (ValueError, TypeError, RecursionError):
        return None
    return record if is_formed else None


def _is_sound(record):
    """True for types and texts as they are written; the day must be one. Raises ValueError."""
    if any(type(value) is not kind for value, kind in zip(record, _TYPES)):
        return False
    hashes = [
        bytes.fromhex(text).hex() == text and len(text) == 2 * len(chain.START)
        for text in record[-2:]
    ]
    days = [
        day(text).isoformat() == text[:10] < DAY_MAX for text in (record.date, record.recorded_utc)
    ]
    return bool(
        len(record.date) == len("2026-03-14")
        and _MOMENT.fullmatch(record.recorded_utc)
        and all(hashes + days)
    )


def read(directory, files=os):
    """Found of the ledger in a state directory; no file is an empty one. Raises OSError. files: os
    or a stand-in.
    """
    try:
        descriptor = regular_file.opened(path_of(directory), os.O_RDONLY, files=files)
    except FileNotFoundError:
        return found_in(b"")
    try:
        return found_in(_content(descriptor, files))
    finally:
        files.close(descriptor)


def _content(descriptor, files):
    content = b""
    while piece := files.read(descriptor, BYTES_MAX + 1 - len(content)):
        content += piece
    if len(content) > BYTES_MAX:
        raise OSError(f"the ledger has more than {BYTES_MAX} bytes: it is none of ours")
    return content


def found_in(content):
    """Found of the bytes of a ledger."""
    *lines, last = content.split(b"\n")
    torn = b""
    if last and decode(last) is None and _is_torn(last):
        torn, last = last, b""
    elif (
        not last and lines and b"\0" in lines[-1] and _is_torn(lines[-1] + b"\n")
    ):  # only the end of it was kept
        torn = lines.pop() + b"\n"
    return _checked([*lines, *filter(None, [last])], len(torn), len(content) - len(torn), not last)


def _is_torn(tail):
    """Whether a power cut can leave this of one record: its beginning, or all of it with NUL for
    sectors not written.

    Anything else may hold records that counted, so it stays: more than one record, or bytes that no
    record has.
    """
    is_begun = all(byte in (0, due) for byte, due in zip(tail, _BEGINNING))
    return (
        is_begun
        and len(tail) <= RECORD_BYTES_MAX
        and _OF_RECORDS.fullmatch(tail) is not None
        and _BEHIND_ONE.search(tail) is None
    )


def _checked(lines, torn_bytes, whole_bytes, is_ended):
    records, breaks, damaged_from = [], [], None
    previous, newest, head = chain.START.hex(), 0, chain.START.hex()
    for number, line in enumerate(lines, 1):
        record = decode(line)
        wrong, is_own = _wrong(record, previous, newest)
        if wrong:
            breaks.append(f"line {number}: {wrong}")
            damaged_from = damaged_from or number
        previous = None
        if record is not None:
            previous, newest, head = record.hash, record.number, record.hash
            records += [record] if is_own else []
    return Found(
        tuple(records), tuple(breaks), damaged_from, torn_bytes, whole_bytes, is_ended, head, newest
    )


def _wrong(record, previous, newest):
    """(What does not fit or None, whether the record's own hash does); previous: None behind a line
    that is none.
    """
    if record is None:
        return "is no record", False
    if chain.link(bytes.fromhex(record.previous), record[: len(VALUES)]).hex() != record.hash:
        return f"record {record.number} was changed (its hash does not fit)", False
    if previous not in (None, record.previous):
        return (
            f"record {record.number} does not follow the one before it: one is missing or was "
            f"changed"
        ), True
    if previous is not None and record.number != newest + 1:
        return f"record {record.number} is out of order", True
    return None, True


# -- writing


class Ledger:
    """The ledger of one state directory. `files` is the os module, or a stand-in that loses power
    in a test.
    """

    def __init__(self, directory, files=os):
        self.directory, self._files = directory, files

    def commission(self, moment, remark="", waits=True):
        """Add the record of the cabinet's first start unless something is there already; True if it
        was added.

        moment: (utc_us, source); waits: for another process that writes. Raises NotWrittenError,
        BlockingIOError.
        """

        def make(found):
            return (
                None if found.newest else (COMMISSIONED, "", *_written(moment), "", 0, "", remark)
            )

        return self._append(make, waits) is not None

    def test(self, moment, row, tester, reaction_ms, result, remark="", date=None):
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
        files = self._files
        try:
            lock = self._opened(os.path.join(self.directory, LOCK_FILE), os.O_RDWR)
            try:
                files.lockf(lock, os.F_LOCK if waits else os.F_TLOCK, 0)
                return self._add(make)
            finally:
                files.close(lock)
        except BlockingIOError:
            raise
        except OSError as error:
            why = error.strerror or error
            raise NotWrittenError(
                f"{path_of(self.directory)}: nothing is recorded: {why}"
            ) from None

    def _add(self, make):
        files = self._files
        descriptor = self._opened(path_of(self.directory), os.O_RDWR | os.O_APPEND)
        try:
            found = found_in(_content(descriptor, files))
            made = make(found)
            if made is None:
                return None
            if found.torn_bytes:
                files.ftruncate(descriptor, found.whole_bytes)
            line = encode((found.newest + 1, *made), found.head)
            _write(descriptor, line if found.is_ended else b"\n" + line, files)
            files.fsync(descriptor)
        finally:
            files.close(descriptor)
        sync_directory(self.directory, files)
        return decode(line[:-1])

    def _opened(self, path, flags):
        """Descriptor of a file that whoever owns the directory may use too, when root has made
        it.
        """
        descriptor = regular_file.opened(
            path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600, self._files
        )
        if os.geteuid() == 0:
            owner = os.stat(self.directory)
            self._files.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor


def _write(descriptor, content, files):
    while content:
        content = content[files.write(descriptor, content) :]


def _written(moment):
    """(date, recorded_utc, clock) of a moment."""
    text = utc_text(moment[0])
    return text[:10], text, moment[1]


# -- what may be recorded


def check_test(row, tester, reaction_ms, result, remark):
    """Raises LedgerError for a value that no record may have."""
    if row not in INTERVALS:
        raise LedgerError(f"row {_shown(row)} is not known; allowed {', '.join(INTERVALS)}")
    if not _is_text(tester) or not tester.strip():
        raise LedgerError(
            f"tester {_shown(tester)}: allowed is a name with credentials, on one "
            f"line, 1 to "
            f"{TEXT_CHARACTERS_MAX} ASCII characters"
        )
    if result not in (PASSED, FAILED):
        raise LedgerError(f"result {_shown(result)}: allowed is {PASSED} or {FAILED}")
    if not (result == PASSED) <= reaction_ms <= REACTION_MS_MAX:
        raise LedgerError(
            f"reaction {reaction_ms} ms: allowed is 1 .. {REACTION_MS_MAX}, and 0 "
            f"of a test that has "
            f"{FAILED} because nothing came"
        )
    if not _is_text(remark):
        raise LedgerError(
            f"remark {_shown(remark)}: allowed is one line of at most "
            f"{TEXT_CHARACTERS_MAX} "
            "ASCII characters"
        )


def _is_text(text):
    """True for what text, CSV and paper show alike."""
    return text.isascii() and text.isprintable() and len(text) <= TEXT_CHARACTERS_MAX


def _shown(text):
    return json.dumps(text[:TEXT_CHARACTERS_MAX])


def check_date(found, utc_us, row, date=None):
    """Raises LedgerError when the clock goes behind what is recorded, or a test's date before its
    row's last one.
    """
    now = utc_text(utc_us)
    if now >= DAY_MAX:
        raise LedgerError(f"the clock says {now}, which cannot be: set the clock first")
    newest = max([record.recorded_utc for record in found.records], default=now)
    if now < newest:
        raise LedgerError(
            f"the clock says {now}, the last record is of {newest}: set the clock first"
        )
    if date is None:
        return
    if not is_day(date):
        raise LedgerError(f"date {_shown(date)}: a day is written 2026-03-14")
    if date > now[:10]:
        raise LedgerError(f"date {date} is in the future: it is {now}")
    last = max([record.date for record in found.records if record.row == row], default=date)
    if date < last:
        raise LedgerError(f"date {date} is before the last test of row {row}, of {last}")
