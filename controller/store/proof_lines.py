"""Encodes and decodes the lines of the proof-test ledger, and finds faults in its file.

The hash of a record covers its values and the hash of the record before (chain.py). A last line
counts as torn if a power cut can have left it like that. Any other fault is damage, which is
reported with its line number. A damaged ledger, or one that is shorter than before, may lack a
failed test. So `found_in` adds a record LOST, which the file does not have. Nothing before it
proves a sign test or a step of joining.py.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, SupportsInt

from controller.forms.acceptance_text import DAY_MAX, DAY_MIN
from controller.store import chain
from controller.system import json_text

COMMISSIONED, TEST, SIGN = "commissioned", "test", "sign"
# REPLACING: the exchange of a device has begun. REPLACED: it has ended. DUE: a test is due again.
# SERIAL: the serial number of a device.
REPLACING, REPLACED, DUE, SERIAL = "replacing", "replaced", "due", "serial"
PROVISIONED, JOINED, LEFT = "provisioned", "joined", "left"  # see joining.py
LOST = "lost"  # records may be missing here
DEVICE_CHARACTERS_MAX = 32  # longest name of a device (config/schema.py)
PASSED, FAILED = "passed", "failed"
ACCEPTED = "accepted"  # instead of a sign test: a named person accepts the unit without it
DOUBTFUL = "doubtful"  # a clock that was behind the record before, or impossible
REACTION_MS_MAX = 3_600_000
TEXT_CHARACTERS_MAX = 200
BYTES_MAX = 16 << 20  # about 40 000 records: tests of all rows every month for 70 years
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HASH_DIGITS = 2 * len(chain.START)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_HASH = re.compile("[0-9a-f]{%d}" % _HASH_DIGITS)


class Record(NamedTuple):
    """One line of the ledger.

    kind: COMMISSIONED (the first start; it has no row and no result), TEST, SIGN, or a kind of
    replacements.py or joining.py. row: for TEST and DUE a row of the cause-and-effect matrix, for
    SIGN a unit, for JOINED a step, else a device. date: UTC day of the test. recorded_utc: time of
    writing, by `clock`. tester: name with credentials. remark: may have facts about a device.
    Hashes are hexadecimal.
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
    """The content of a ledger. records: those whose own hash fits, and LOST.

    breaks: faults, from line `damaged_from` on. torn_bytes: bytes of a last line that a loss of
    power has cut, after whole_bytes of other lines. is_ended: the last record has its line end.
    head: hash to which the next record links.
    """

    records: tuple[Record, ...]
    breaks: tuple[str, ...]
    damaged_from: int | None
    torn_bytes: int
    whole_bytes: int
    is_ended: bool
    head: str
    newest: int

    @property
    def tests(self) -> int:
        """Number of records of tests, without other kinds of records."""
        return len([record for record in self.records if record.kind == TEST])

    @property
    def lines(self) -> list[str]:
        """The faults as lines to print."""
        lines = [f"damaged from line {self.damaged_from}", *self.breaks] if self.breaks else []
        if self.torn_bytes:
            lines.append(
                f"a power cut has torn the last line ({self.torn_bytes} bytes): the next record "
                "removes it"
            )
        return lines


def utc_text(utc: SupportsInt) -> str:
    """2026-03-14T02:07:31Z of microseconds since 1970."""
    return (EPOCH + timedelta(seconds=int(utc) // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def last_utc(records: Sequence[Record]) -> str:
    """Time of the last record with a clock that is not doubtful."""
    return next(
        (record.recorded_utc for record in reversed(records) if record.clock != DOUBTFUL),
        utc_text(0),
    )


def seconds(record: Record) -> float:
    """Time of writing, in seconds since 1970."""
    return datetime.fromisoformat(record.recorded_utc).timestamp()


def day(text: str) -> date:
    """The day in a text that begins like 2026-03-14. Raises ValueError."""
    return datetime.strptime(text[:10], "%Y-%m-%d").date()


def is_day(text: str) -> bool:
    """True for a real day, written 2026-03-14."""
    try:
        return day(text).isoformat() == text
    except ValueError:
        return False


# stands where records may be missing
_LOST = Record(
    number=0,
    kind=LOST,
    row="",
    date=DAY_MIN,
    recorded_utc=f"{DAY_MIN}T00:00:00Z",
    clock=DOUBTFUL,
    tester="",
    reaction_ms=0,
    result="",
    remark="",
    previous="",
    hash="",
)


def encode(values: Sequence[str | int], previous: str) -> bytes:
    """Bytes of a line. values: in the order of VALUES. previous: the hash before, hexadecimal."""
    digest = chain.link(bytes.fromhex(previous), values).hex()
    return chain.canonical(dict(zip(Record._fields, (*values, previous, digest)))) + b"\n"


# the longest value of each field; JSON may add a backslash to each character of a text
_TEXT = '"' * TEXT_CHARACTERS_MAX
_WHEN = DAY_MAX, f"{DAY_MAX}T00:00:00Z", DOUBTFUL
_LONGEST = BYTES_MAX, COMMISSIONED, "d" * DEVICE_CHARACTERS_MAX, *_WHEN
_RECORD = encode((*_LONGEST, _TEXT, REACTION_MS_MAX, FAILED, _TEXT), chain.START.hex())
RECORD_BYTES_MAX = len(_RECORD)
_BEGINNING = b'{"number":'
_RECORD_BYTES = re.compile(rb"[\0 -~]*\n?")
# The end of a record (hash, quote, brace), with more behind it. A text cannot look like this end,
# because JSON writes a quote inside a text with a backslash.
_AFTER_RECORD = re.compile(rb'[0-9a-f]"\}(\0+\n|\0*[^\0\n])')


def decode(line: bytes) -> Record | None:
    """Record of a line without its line end; None if the form differs, even by one blank."""
    try:
        content = json_text.loads(line.decode("ascii"))
        record = Record(**content)
        is_formed = tuple(content) == Record._fields and chain.canonical(content) == line
        return record if is_formed and _is_sound(record) else None
    except (ValueError, TypeError):
        return None


def _is_sound(record: Record) -> bool:
    """True for types and texts that `encode` writes, and a real day. ValueError, TypeError."""
    hashes = (record.previous, record.hash)
    return (
        all(type(value) is kind for value, kind in zip(record, _TYPES))
        and all(len(text) == _HASH_DIGITS and bytes.fromhex(text).hex() == text for text in hashes)
        and is_day(record.date)
        and is_day(record.recorded_utc[:10])
        and max(record.date, record.recorded_utc[:10]) < DAY_MAX
        and _MOMENT.fullmatch(record.recorded_utc) is not None
    )


def found_in(content: bytes, newest: str = "") -> Found:
    """Records and faults in the bytes of a ledger. newest: hash of the newest record that was ever
    written here; "": unknown.
    """
    *lines, last = content.split(b"\n")
    torn = b""
    if last and decode(last) is None and _is_torn(last):
        torn, last = last, b""
    elif not last and lines and b"\0" in lines[-1] and _is_torn(lines[-1] + b"\n"):
        torn = lines.pop() + b"\n"  # the disk kept only the end of the line
    lines += filter(None, [last])
    ledger = _content(lines, len(torn), len(content) - len(torn), not last)
    if not newest or newest in [record.hash for record in ledger.records]:
        return ledger
    line = f"the ledger lacks record {newest}: it was taken away, replaced or changed"
    return ledger._replace(
        records=(*ledger.records, _LOST),
        breaks=(*ledger.breaks, line),
        damaged_from=ledger.damaged_from or len(lines) + 1,
        head=newest if _HASH.fullmatch(newest) else "f" * _HASH_DIGITS,
    )


def _is_torn(tail: bytes) -> bool:
    """True if a power cut can leave these bytes of a record.

    They are its beginning, or the complete record with NUL bytes in unwritten sectors. Other bytes
    must stay, because they may be valid records.
    """
    return (
        all(byte in (0, due) for byte, due in zip(tail, _BEGINNING))
        and len(tail) <= RECORD_BYTES_MAX
        and _RECORD_BYTES.fullmatch(tail) is not None
        and _AFTER_RECORD.search(tail) is None
    )


def _content(lines: Iterable[bytes], torn_bytes: int, whole_bytes: int, is_ended: bool) -> Found:
    records, breaks, damaged_from = list[Record](), [], None
    previous: str | None = chain.START.hex()
    newest, head = 0, chain.START.hex()
    for number, line in enumerate(lines, 1):
        record = decode(line)
        wrong, is_own = _wrong(record, previous, newest)
        if wrong:
            breaks.append(f"line {number}: {wrong}")
            records.append(_LOST)
            damaged_from = damaged_from or number
        previous = None
        if record is not None:
            previous, newest, head = record.hash, record.number, record.hash
            records += [record] if is_own else []
    return Found(
        records=tuple(records),
        breaks=tuple(breaks),
        damaged_from=damaged_from,
        torn_bytes=torn_bytes,
        whole_bytes=whole_bytes,
        is_ended=is_ended,
        head=head,
        newest=newest,
    )


def _wrong(record: Record | None, previous: str | None, newest: int) -> tuple[str | None, bool]:
    """(fault or None, True if the hash of the record fits). previous: None after a damaged line."""
    if record is None:
        return "is not a record", False
    if chain.link(bytes.fromhex(record.previous), record[: len(VALUES)]).hex() != record.hash:
        return f"record {record.number} was changed (its hash does not fit)", False
    if previous not in (None, record.previous):
        return (
            f"record {record.number} does not follow the previous line: a record is missing or was "
            "changed"
        ), True
    if previous is not None and record.number != newest + 1:
        return f"record {record.number} is out of order", True
    return None, True
