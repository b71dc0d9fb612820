"""`firebreak export`: events, seconds or captures of a time range, for a USB stick: whole files, or
one line why.
"""

import errno
import os
import sqlite3

from controller.system.paths import DONE, NOT_DONE, STATE_DIRECTORY, WRONG_INPUT, say

WHAT = ("events", "seconds", "capture")
FOREVER_US = 1 << 62


def add(commands):
    """Add the command."""
    exporting = commands.add_parser("export")
    exporting.add_argument(
        "--from",
        dest="since",
        metavar="UTC",
        default="1970-01-01",
        help="2026-03-14 or 2026-03-14T02:07 (from the beginning)",
    )
    exporting.add_argument("--to", metavar="UTC", help="up to, not including (to the end)")
    exporting.add_argument("--what", default="events", choices=WHAT, help="(%(default)s)")
    exporting.add_argument(
        "--out", metavar="DIR", default=".", help="a directory that is there: a stick (%(default)s)"
    )
    exporting.add_argument("--state-dir", default=STATE_DIRECTORY)
    exporting.set_defaults(run=_export)


def _export(arguments):
    from controller.recorder import csv_files, reading

    times_us = []
    for option, text in (("--from", arguments.since), ("--to", arguments.to)):
        try:
            times_us.append(FOREVER_US if text is None else csv_files.moment_us(text))
        except ValueError:
            say(f"{option} {text}: a time is written 2026-03-14 or 2026-03-14T02:07:31, UTC")
            return WRONG_INPUT
    if times_us[0] >= times_us[1]:
        say(f"--from {arguments.since} is not before --to {arguments.to}")
        return WRONG_INPUT
    if not os.path.isdir(arguments.out):
        say(f"--out {arguments.out}: no such directory; is the stick mounted?")
        return WRONG_INPUT
    path = os.path.join(arguments.state_dir, reading.FILE)
    try:
        with reading.opened(path) as connection:
            return _write(connection, arguments, times_us)
    except (FileNotFoundError, sqlite3.Error) as error:
        say(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return WRONG_INPUT


def _write(connection, arguments, times_us):
    from controller.recorder import csv_files

    written, growing = [], _growing(connection, arguments, times_us)
    try:
        for name, content in _files(connection, arguments, times_us):
            written.append(csv_files.write_whole(arguments.out, name, content))
    except OSError as error:
        say(_why(arguments.out, error))
        return NOT_DONE
    for path in written:
        print(f"{path}: {os.path.getsize(path)} bytes")
    for name in growing:
        say(
            f"{name} is still being written, until a while after the newest trip (`firebreak "
            f"record`): ask again then"
        )
    if growing:
        return NOT_DONE
    if not written:
        say(f"no {arguments.what} in that time")
        return NOT_DONE
    return DONE


def _captures(connection, times_us):
    """Names of the captures of the trips in a time, in the order of these."""
    return [
        name
        for (name,) in connection.execute(
            "SELECT DISTINCT c.file FROM captures c JOIN events e ON e.id = c.event_id WHERE "
            "c.file "
            "IS NOT NULL "
            "AND e.utc_us >= ? AND e.utc_us < ? ORDER BY e.id",
            times_us,
        )
    ]


def _growing(connection, arguments, times_us):
    """Names of the captures in that time that have no whole file yet, and will have one: at most
    one grows.
    """
    from controller.recorder.capture import FOLDER

    if arguments.what != "capture":
        return []
    row = connection.execute(
        "SELECT json_extract(value, '$.file') FROM meta WHERE key = 'capture'"
    ).fetchone()
    return [
        name
        for name in _captures(connection, times_us)
        if row
        and row[0] == name
        and not os.path.exists(os.path.join(arguments.state_dir, FOLDER, name))
    ]


def _files(connection, arguments, times_us):
    """(name, pieces of bytes) of what was asked for; nothing when there is nothing in that time."""
    from controller.recorder import csv_files
    from controller.recorder.capture import FOLDER

    if arguments.what == "capture":
        folder = os.path.join(arguments.state_dir, FOLDER)
        for name in _captures(connection, times_us):
            if os.path.exists(os.path.join(folder, name)):  # not one that still grows
                yield name, csv_files.file_pieces(os.path.join(folder, name))
    elif connection.execute(
        f"SELECT 1 FROM {arguments.what} WHERE utc_us >= ? AND utc_us < ? LIMIT 1", times_us
    ).fetchone():
        name = f"firebreak_{arguments.what}_{_short(times_us[0])}_{_short(times_us[1])}.csv"
        yield name, csv_files.pieces(connection, arguments.what, *times_us)


def _short(utc_us):
    """A time as a part of a file name that every file system takes."""
    from controller.recorder import csv_files

    if utc_us in (0, FOREVER_US):
        return "end" if utc_us else "begin"
    return csv_files.utc_text(utc_us)[:19].replace("-", "").replace(":", "")


def _why(directory, error):
    told = {
        errno.ENOSPC: "the stick is full: free some room, or ask for a shorter time",
        errno.EROFS: "the stick is read-only: look at its switch",
        errno.EIO: "the stick was pulled, or is failing",
        errno.ENODEV: "the stick was pulled",
        errno.EFBIG: "the file is too large for the stick's file system: ask for a shorter time",
    }
    return (
        f"--out {directory}: {told.get(error.errno, error.strerror)}; nothing half-written is left"
    )
