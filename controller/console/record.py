"""`firebreak record run` runs the recorder, which stores events and measurements for years. `record
verify` checks the hash chain of these events.
"""

import contextlib
import dataclasses
import errno
import os
import signal
import sqlite3
from argparse import Namespace
from collections.abc import Iterator

from controller.recorder import csv_files, fast_anchor, fast_ring, proof_watch, reading
from controller.recorder.database import DatabaseError
from controller.recorder.limits import RANGES, Limits
from controller.recorder.process import Recorder
from controller.store import chain
from controller.system import caught, cli, own_names, realtime, regular_file
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, say, why
from controller.system.stop import Stop

POLL_S, RETRY_S = 0.02, 1.0  # RETRY_S: wait after an exception
LINES_MAX = 100  # lines about exceptions that nothing else caught
# The recorder has a higher priority than other programs, because a busy computer must not delay the
# storage of events.
NICENESS = -10
REMEDIES = {
    errno.ENOENT: "does the directory exist, and is it mounted?",
    errno.ENOSPC: "free some room",
    errno.EACCES: "run it as the owner of the directory, on a cabinet the user firebreak",
    errno.EROFS: "the file system is read-only: is its disk failing?",
}


@cli.command(
    "record run",
    cli.RUN_DIR,
    cli.STATE_DIR,
    *[
        cli.option(
            "--" + name.replace("_", "-"),
            type=cli.whole(low, high),
            default=getattr(Limits(), name),
            metavar="N",
            help=f"{meaning} ({low} .. {high}, %(default)s)",
        )
        for name, (low, high, meaning) in RANGES.items()
    ],
)
def _record(arguments: Namespace) -> int:
    try:
        return _run_recorder(
            arguments, Limits(**{name: getattr(arguments, name) for name in RANGES})
        )
    except cli.Ended:
        # systemd starts it again, and each start that fails still holds an exchanged converter
        with caught.Last("an exchanged converter is not held"):
            proof_watch.hold_once(arguments.run_dir, arguments.state_dir)
        raise


def _run_recorder(arguments: Namespace, limits: Limits) -> int:
    try:
        os.makedirs(arguments.state_dir, mode=0o700, exist_ok=True)
        for line in own_names.tidy(arguments.run_dir, arguments.state_dir):
            say(line)
        if regular_file.locked(os.path.join(arguments.state_dir, "record.lock")) is None:
            line = "another recorder writes here; a cabinet has one recorder"
            raise cli.Ended(NO_START, f"{arguments.state_dir}: {line}")
        return _serve(arguments, limits)
    except OSError as error:
        where = error.filename or arguments.state_dir or "''"
        remedy = REMEDIES.get(error.errno or 0, "give another --state-dir, or look into it")
        line = f"nothing is recorded: {where}: {error.strerror or error}; {remedy}"
        raise cli.Ended(NO_START, line) from error


def _serve(arguments: Namespace, limits: Limits) -> int:
    with cli.ends(NO_START, DatabaseError):
        recorder = Recorder(arguments.run_dir, arguments.state_dir, limits, say)
    with contextlib.suppress(PermissionError):
        os.nice(NICENESS)
    stop = Stop(signal.SIGTERM, signal.SIGINT)
    notifier, last = realtime.Notifier(), caught.Last("record: tried again", LINES_MAX)
    notifier.ready("recording")
    while not stop.asked:
        is_more = False
        with last:
            is_more = recorder.step()
        if not is_more:
            stop.wait(RETRY_S if last.is_caught else POLL_S)
        # No sign of life after an exception: systemd restarts a recorder that only fails.
        if not last.is_caught:
            notifier.alive()
    notifier.stopping()
    recorder.close()
    return DONE


@cli.command(
    "record verify",
    cli.option("file", nargs="?", help="record.db (default: the one in the state directory)"),
    cli.STATE_DIR,
    cli.HEAD,
    cli.JSON,
)
def _verify(arguments: Namespace) -> int:
    path = arguments.file or os.path.join(arguments.state_dir, reading.FILE)
    try:
        with reading.opened(path) as connection:
            verdict = chain.verify(connection, arguments.head)
            anchors = fast_anchor.anchors(connection)
        ring = fast_ring.verify(os.path.join(os.path.dirname(path), fast_ring.FOLDER), anchors)
    except (OSError, sqlite3.Error) as error:
        raise cli.Ended(WRONG_INPUT, f"{path}: cannot be read: {why(error)}") from error
    first, *rest = _lines(path, verdict)
    is_whole = verdict.intact and not ring.breaks
    facts = {
        "file": path,
        "is_whole": is_whole,
        **dataclasses.asdict(verdict),
        "ticks": ring._asdict(),
    }
    cli.show(arguments.json, facts, lambda: [first, *_ring_lines(ring), *rest])
    return DONE if is_whole else NOT_DONE


def _ring_lines(ring: fast_ring.Ring) -> Iterator[str]:
    yield from (f"BROKEN: {line}" for line in ring.breaks)
    if not ring.blocks:
        return
    ends = [csv_files.utc_text(time_us)[:19] for time_us in ring.times_us]
    day_MB, year_GB = ring.day_bytes / 1e6, ring.day_bytes * 365 / 1e9
    size_MB = ring.stored_bytes / 1e6
    yield f"ticks: {ring.blocks} minutes, {ends[0]} to {ends[-1]} UTC; {size_MB:.1f} MB"
    yield f"their writes to the flash: {day_MB:.0f} MB a day, {year_GB:.0f} GB a year"


def _lines(path: str, verdict: chain.Verdict) -> Iterator[str]:
    span = f" events, {verdict.first} to {verdict.last}; head {verdict.head}"
    yield f"{path}: " + (f"{verdict.events}{span}" if verdict.events else "no events")
    if verdict.missing:
        yield f"events removed to free room, or recorded as lost: {verdict.missing}"
    for number in verdict.damaged:
        yield f"event {number} records that the database was damaged or removed before it"
    for number in verdict.unlinked:
        yield (
            f"event {number} follows a gap from damage: only the chain after this event could be "
            "checked"
        )
    yield from (f"BROKEN: {line}" for line in verdict.breaks)
    if verdict.intact:
        exception = ", except for events that are recorded as missing"
        yield "the chain is whole" + (exception if verdict.missing or verdict.damaged else "")
