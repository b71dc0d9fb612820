"""`firebreak record`: the recorder as a process. `firebreak verify`: is the chain of its events
whole.
"""

import contextlib
import errno
import os
import signal
import socket
import sqlite3

from controller.recorder.limits import RANGES, Limits, wrong
from controller.system import regular_file
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    say,
)

POLL_S = 0.02
# before ordinary programs, so that an event is durable in time on a busy box; behind the loop
# always
NICENESS = -10


def add(commands):
    """Add the commands."""
    recording = commands.add_parser("record")
    recording.add_argument(
        "--run-dir", default=RUN_DIRECTORY, help="where the journal is (%(default)s)"
    )
    recording.add_argument(
        "--state-dir", default=STATE_DIRECTORY, help="where the record is kept (%(default)s)"
    )
    for name, (low, high, what) in RANGES.items():
        recording.add_argument(
            "--" + name.replace("_", "-"),
            type=int,
            default=getattr(Limits(), name),
            metavar="N",
            help=f"{what} ({low} .. {high}, %(default)s)",
        )
    recording.set_defaults(run=_record)
    verifying = commands.add_parser("verify")
    verifying.add_argument(
        "file", nargs="?", help="record.db (default: the one in the state directory)"
    )
    verifying.add_argument("--state-dir", default=STATE_DIRECTORY)
    verifying.add_argument(
        "--head", metavar="HEX", help="a hash that was published: it must be in the chain"
    )
    verifying.set_defaults(run=_verify)


def _record(arguments):
    limits = Limits(**{name: getattr(arguments, name) for name in RANGES})
    line = wrong(limits)
    if line:
        say(line)
        return WRONG_INPUT
    try:
        os.makedirs(arguments.state_dir, mode=0o700, exist_ok=True)
        locked = _lock(arguments.state_dir)
        if locked is None:
            say(f"{arguments.state_dir}: another recorder writes here; one per cabinet")
            return NO_START
        return _serve(arguments, limits)
    except OSError as error:
        say(_why(arguments, error))
        return NO_START


def _why(arguments, error):
    """One line of what failed, where, and what helps."""
    where = error.filename or arguments.state_dir
    told = {
        errno.ENOENT: "is the directory there, and mounted?",
        errno.ENOSPC: "free some room",
        errno.EACCES: "run it as the user the directory belongs to, on a cabinet firebreak",
        errno.EROFS: "the file system is read-only: is its medium failing?",
    }
    remedy = told.get(error.errno, "give another --state-dir, or look at what lies there")
    return f"nothing is recorded: {where or repr(where)}: {error.strerror or error}; {remedy}"


def _serve(arguments, limits):
    from controller.recorder.database import DatabaseError
    from controller.recorder.process import Recorder
    from controller.system import realtime

    try:
        recorder = Recorder(arguments.run_dir, arguments.state_dir, limits, say)
    except DatabaseError as error:
        say(error)
        return NO_START
    with contextlib.suppress(PermissionError):
        os.nice(NICENESS)
    stop = Stop()
    notifier = realtime.Notifier()
    notifier.ready("recording")
    while not stop.asked:
        if not recorder.step():
            stop.wait(POLL_S)
        notifier.alive()
    notifier.stopping()
    recorder.close()
    return DONE


class Stop:
    """`asked` once SIGTERM or SIGINT has come; `wait` ends early then."""

    def __init__(self):
        self.asked = False
        self._awake, woken = socket.socketpair()
        woken.setblocking(False)
        self._woken = woken
        signal.set_wakeup_fd(woken.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number, frame):
        self.asked = True

    def wait(self, seconds):
        """Wait, at most this long."""
        self._awake.settimeout(seconds)
        with contextlib.suppress(TimeoutError):  # nobody asked
            self._awake.recv(64)


def _lock(directory):
    """Descriptor of the lock, None when another recorder holds it. Raises OSError."""
    descriptor = regular_file.opened(
        os.path.join(directory, "record.lock"), os.O_RDWR | os.O_CREAT, 0o600
    )
    try:
        os.lockf(descriptor, os.F_TLOCK, 0)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _verify(arguments):
    from controller.record import chain
    from controller.recorder import reading

    path = arguments.file or os.path.join(arguments.state_dir, reading.FILE)
    try:
        published = bytes.fromhex(arguments.head) if arguments.head is not None else None
    except ValueError:
        published = b""
    if published is not None and len(published) != len(chain.START):
        say(
            f"--head {arguments.head or repr('')}: a hash is {2 * len(chain.START)} hexadecimal "
            f"digits"
        )
        return WRONG_INPUT
    try:
        with reading.opened(path) as connection:
            verdict = chain.verify(connection, published)
    except (OSError, sqlite3.Error) as error:
        say(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return WRONG_INPUT
    for line in _lines(path, verdict):
        print(line)
    return DONE if verdict.intact else NOT_DONE


def _lines(path, verdict):
    if not verdict.events:
        yield f"{path}: no events"
    else:
        yield (
            f"{path}: {verdict.events} events, {verdict.first} to {verdict.last}; head "
            f"{verdict.head}"
        )
    if verdict.missing:
        yield f"events let go for want of room, or lost and said so: {verdict.missing}"
    for number in verdict.damaged:
        yield f"event {number} says that the record was damaged or taken away before it"
    for number in verdict.unlinked:
        yield (
            f"event {number} follows a gap that damage has left: of it nothing but what follows "
            f"could be checked"
        )
    yield from (f"BROKEN: {line}" for line in verdict.breaks)
    if verdict.intact:
        yield "the chain is whole" + (
            ", but for what it says is missing" if verdict.missing or verdict.damaged else ""
        )
