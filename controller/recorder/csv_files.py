"""Writes the record as CSV files, piece by piece. A file is written completely or not at all."""

import contextlib
import csv
import io
import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from controller.recorder import minutes, seconds
from controller.store import durable
from controller.store.chain import COLUMNS
from controller.system import regular_file
from controller.system.utc import UTC_US_MAX

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TABLES = {
    "events": (*COLUMNS, "hash"),
    "seconds": ("uptime_ms", "utc_us", *seconds.COLUMNS),
    "bands": ("uptime_ms", "utc_us", *minutes.COLUMNS),
}
ROWS_A_PIECE, COPY_BYTES = 1000, 1 << 20
PARTIAL = ".partial"


def utc_text(utc_us: int) -> str:
    """Microseconds since 1970 as 2026-03-14T02:07:31.340000Z; "" if the value is no time."""
    if type(utc_us) is not int or not 0 <= utc_us < UTC_US_MAX:
        return ""
    moment = EPOCH + timedelta(microseconds=utc_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_us(text: str) -> int:
    """Microseconds since 1970 of an ISO time, which is UTC unless it has an offset. ValueError."""
    moment = datetime.fromisoformat(text)
    try:
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:  # the offset moves it out of the allowed years
        raise ValueError(text) from None
    return (moment - EPOCH) // timedelta(microseconds=1)


def pieces(connection: sqlite3.Connection, table: str, from_us: int, to_us: int) -> Iterator[bytes]:
    """The bytes of a CSV file of one of TABLES, with a heading and `utc` as the first column."""
    columns = TABLES[table]
    utc_at = columns.index("utc_us")
    rows = connection.execute(
        f"SELECT {', '.join(columns)} FROM {table} WHERE utc_us >= ? AND utc_us < ? ORDER BY rowid",
        (from_us, to_us),
    )
    yield _lines([("utc", *columns)])
    while piece := rows.fetchmany(ROWS_A_PIECE):
        yield _lines([(utc_text(row[utc_at]), *map(_plain, row)) for row in piece])


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _lines(rows: Iterable[tuple]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)  # RFC 4180, which spreadsheets read
    return text.getvalue().encode("utf-8")


def file_pieces(path: str) -> Iterator[bytes]:
    """The bytes of a file. Raises OSError."""
    with open(path, "rb", opener=regular_file.opener) as file:
        while piece := file.read(COPY_BYTES):
            yield piece


def write_whole(directory: str, name: str, content: Iterable[bytes]) -> str:
    """Write these pieces as a complete and durable file, or write none. Returns its path.

    Raises OSError.
    """
    path = os.path.join(directory, name)
    try:
        durable.put(path, PARTIAL, content, 0o644)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path + PARTIAL)
        raise
    # Some file systems on USB sticks cannot sync a folder. The file itself is durable.
    with contextlib.suppress(OSError):
        durable.sync_directory(directory)
    return path
