"""`firebreak record export`: writes what the recorder has stored in a time range to files, for
example on a USB stick.
"""

import errno
import os
import sqlite3
from argparse import Namespace
from collections.abc import Iterable, Iterator

from controller.recorder import csv_files, fast_csv, fast_ring, reading
from controller.recorder.capture import FOLDER, NAME
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT, say, why

TICKS = "ticks"  # the newest ticks, which the recorder stores beside its database
FOREVER_US = 1 << 62
TimeRange = tuple[int, int]  # (from, to), UTC in us
REMEDIES = {
    errno.ENOSPC: "the stick is full: free some room, or ask for a shorter time",
    errno.EROFS: "the stick is read-only: look at its switch",
    errno.EIO: "the stick was pulled, or is failing",
    errno.ENODEV: "the stick was pulled",
    errno.EFBIG: "the file is too large for the stick's file system: ask for a shorter time",
}


@cli.command(
    "record export",
    cli.option(
        "--from",
        dest="since",
        metavar="UTC",
        default="1970-01-01",
        help="2026-03-14 or 2026-03-14T02:07 (default: the first)",
    ),
    cli.option("--to", metavar="UTC", help="up to this moment, without it (default: the last)"),
    cli.option(
        "--what",
        default="events",
        choices=("events", "seconds", "bands", "capture", TICKS),
        help="(%(default)s)",
    ),
    cli.option(
        "--out", metavar="DIR", default=".", help="an existing directory: a stick (%(default)s)"
    ),
    cli.STATE_DIR,
)
def _export(arguments: Namespace) -> int:
    range_us = _moment_us("--from", arguments.since), _moment_us("--to", arguments.to)
    if range_us[0] >= range_us[1]:
        raise cli.Ended(WRONG_INPUT, f"--from {arguments.since} is not before --to {arguments.to}")
    if not os.path.isdir(arguments.out):
        line = f"--out {arguments.out}: no such directory; is the stick mounted?"
        raise cli.Ended(WRONG_INPUT, line)
    path = os.path.join(arguments.state_dir, reading.FILE)
    try:
        with reading.opened(path) as connection:
            return _write(connection, arguments, range_us)
    except (FileNotFoundError, sqlite3.Error) as error:
        raise cli.Ended(WRONG_INPUT, f"{path}: cannot be read: {why(error)}") from error
    except ValueError as error:  # from the files of ticks
        raise cli.Ended(WRONG_INPUT, f"{arguments.state_dir}: {error}") from error


def _moment_us(option: str, text: str | None) -> int:
    try:
        return FOREVER_US if text is None else csv_files.moment_us(text)
    except ValueError as error:
        line = f"{option} {text}: a time is written 2026-03-14 or 2026-03-14T02:07:31, UTC"
        raise cli.Ended(WRONG_INPUT, line) from error


def _write(connection: sqlite3.Connection, arguments: Namespace, range_us: TimeRange) -> int:
    written: list[str] = []
    unfinished = _unfinished(connection, arguments, range_us)
    try:
        for name, content in _files(connection, arguments, range_us):
            written.append(csv_files.write_whole(arguments.out, name, content))
    except OSError as error:
        problem = f"{REMEDIES.get(error.errno or 0, error.strerror)}; nothing half-written is left"
        raise cli.Ended(NOT_DONE, f"--out {arguments.out}: {problem}") from error
    for path in written:
        print(f"{path}: {os.path.getsize(path)} bytes")
    for name in unfinished:
        say(
            f"{name} is still being written: `firebreak record run` completes it some time after "
            "the newest trip; try again then"
        )
    if not written and not unfinished:
        say(f"no {arguments.what} in that time")
    return DONE if written and not unfinished else NOT_DONE


def _captures(connection: sqlite3.Connection, range_us: TimeRange) -> list[str]:
    """Names of the captures of the trips in this time. A name in a wrong form is left out, because
    a forged database may contain any path.
    """
    rows = connection.execute(
        "SELECT DISTINCT c.file FROM captures c JOIN events e ON e.id = c.event_id WHERE c.file "
        "IS NOT NULL AND e.utc_us >= ? AND e.utc_us < ? ORDER BY e.id",
        range_us,
    )
    return [name for (name,) in rows if NAME.fullmatch(str(name))]


def _unfinished(
    connection: sqlite3.Connection, arguments: Namespace, range_us: TimeRange
) -> list[str]:
    """[name of the capture in this time that the recorder is still writing], or []."""
    row = connection.execute(
        "SELECT json_extract(value, '$.file') FROM meta WHERE key = 'capture'"
    ).fetchone()
    if arguments.what != "capture" or not row or row[0] not in _captures(connection, range_us):
        return []
    is_whole = os.path.exists(os.path.join(arguments.state_dir, FOLDER, row[0]))
    return [] if is_whole else [row[0]]


def _files(
    connection: sqlite3.Connection, arguments: Namespace, range_us: TimeRange
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """(name, pieces of bytes) of each file. A time without data gives no file."""
    if arguments.what == "capture":
        for name in _captures(connection, range_us):
            path = os.path.join(arguments.state_dir, FOLDER, name)
            if os.path.exists(path):  # a capture gets this name when it is complete
                yield name, csv_files.file_pieces(path)
    elif arguments.what == TICKS:
        folder = os.path.join(arguments.state_dir, fast_ring.FOLDER)
        if fast_csv.has_ticks(folder, *range_us):
            yield _name(TICKS, range_us), fast_csv.pieces(folder, *range_us)
    elif connection.execute(
        f"SELECT 1 FROM {arguments.what} WHERE utc_us >= ? AND utc_us < ? LIMIT 1", range_us
    ).fetchone():
        yield (
            _name(arguments.what, range_us),
            csv_files.pieces(connection, arguments.what, *range_us),
        )


def _name(kind: str, range_us: TimeRange) -> str:
    return f"firebreak_{kind}_{_file_time(range_us[0])}_{_file_time(range_us[1])}.csv"


def _file_time(utc_us: int) -> str:
    """A time in a form that every file system allows in a file name."""
    if utc_us in (0, FOREVER_US):
        return "end" if utc_us else "begin"
    return csv_files.utc_text(utc_us)[:19].replace("-", "").replace(":", "")
