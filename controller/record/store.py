"""What survives a loss of power: latches, reset tokens, ARMED and CLEAN, a few counters.

Two copies of one record, each with its own CRC, each written as new file, fsync, rename, fsync of
the directory; the second only when the first is durable. So at any instant one whole copy is on
disk, the old one or the new one.

Order, for whoever calls: a latch takes effect first and is saved then; a reset is saved first (its
token as spent) and takes effect when the save has been acknowledged; one that is refused before
that is followed at once by a record with all that is latched. ARMED is saved before the first
contactor closes, CLEAN after a healthy stop. A cut at any point then leaves more latched than
before, never less.

Saving takes as long as the disk takes, so the loop does not save: `Keeper` hands records to a
process of its own.
"""

import contextlib
import fcntl
import itertools
import math
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from zlib import crc32

import msgpack

from controller.core.image import NAME_CHARACTERS_MAX
from controller.system import regular_file

MAGIC = b"FBSTORE\x01"
HEAD = struct.Struct("<8sIQI")  # magic, crc32 of the rest, generation, body bytes
CRC_AT = 12  # where what the CRC covers begins
COPIES = ("store.a", "store.b")
NEW_SUFFIX = ".new"
RECORD_BYTES_MAX = 65_536  # one datagram to the keeper

# without any acknowledgement (ours): a slow disk needs a second or two for a record
HANG_US = 5_000_000
# before the first one: the process starts beside the controller, perhaps on a slow box
START_US = 30_000_000
# how long a start waits for whom a kill has left: that one saves what it has, then ends
HOLD_S, HOLD_PAUSE_S = 5, 0.1
RETRY_S = 1  # between two attempts to save what could not be saved
# in the folder of the run: its store could not be saved, whatever it holds
FAILED_NAME = "store.failed"
CABINET = "cabinet."  # and the name of whose it is: one of a record's values
LOCKED_OUT = "locked_out."  # and the name of who did it: another one
# and who had locked it out, if that is why: another one, why it rests (wish.PERSON ...)
STOPPED = "stopped."
SAVED = b"saved"
CLEAN, ARMED, UNREADABLE, MISSING = "clean", "armed", "unreadable", "missing"

RECORD_FIELDS = {"armed": int, "clean": int, "latches": dict, "token_ages_ms": list, "values": dict}


class StoreError(Exception):
    """A record could not be saved; the text is one line for the operator."""


def empty_record():
    """The record of a new cabinet: not armed, stopped cleanly, nothing latched.

    latches: name of a stage instance -> a number, the higher the earlier it latched (the first-out
    has the highest); token_ages_ms: age of each spent reset token; values: name -> int.
    """
    return {"armed": 0, "clean": 1, "latches": {}, "token_ages_ms": [], "values": {}}


class Loaded:
    """What was found: `state` CLEAN, ARMED, UNREADABLE or MISSING; `record` (None without one);
    `lines` to report.
    """

    __slots__ = ("state", "record", "generation", "lines")

    def __init__(self, state, record, generation, lines):
        self.state = state
        self.record = record
        self.generation = generation
        self.lines = lines


class Store:
    """The two copies in one directory. `files` is the os module, or a stand-in that loses power in
    a test.
    """

    def __init__(self, directory, files=os):
        """directory: must exist by the time of the first save."""
        self.directory = directory
        self.paths = [os.path.join(directory, name) for name in COPIES]
        self._files = files
        self._generation = 0

    def load(self):
        """Read both copies. Never raises for what is on the disk, and never calls a damaged store
        clean.
        """
        found = [_read_copy(path, self._files) for path in self.paths]
        whole = [copy for copy, _ in found if copy]
        lines = [line for _, line in found if line]
        if not whole:
            self._generation = 0
            if not lines:
                return Loaded(MISSING, None, 0, [f"{self.directory}: no store here yet"])
            return Loaded(UNREADABLE, None, 0, lines)
        generation, record = max(whole, key=lambda copy: copy[0])
        self._generation = generation
        if _is_of_two(whole):
            lines = [f"{self.directory}: the two copies are not of one store"]
            return Loaded(UNREADABLE, _both(whole), generation, lines)
        if len(whole) == 1 and not lines:
            lines = [f"{self.directory}: one copy of the store is missing"]
        # No cut of power leaves one alone, but that of the very first save the first one.
        if len(whole) == 1 and (generation > 1 or found[1][0]):
            # the other may have held a latch that this one lacks
            return Loaded(UNREADABLE, record, generation, lines)
        clean = record["clean"] and not record["armed"] and not lines
        return Loaded(CLEAN if clean else ARMED, record, generation, lines)

    def save(self, record):
        """Make a record durable in both copies.

        Raises StoreError; the store then holds the old record or this one, in its second copy alone
        if that can be done without room: whoever loads it knows that it lacks something, also after
        a cut of power.
        """
        self._generation += 1  # also after a failure, so that no two records ever share a number
        content = encode(self._generation, record)
        try:
            for path in self.paths:
                _replace(path, content, self._files)
        except OSError as error:
            self._leave_one()
            where = error.filename if error.strerror == regular_file.REFUSED else self.directory
            raise StoreError(f"{where}: the store could not be saved: {error.strerror}") from None

    def _leave_one(self):
        """Leave the newer copy alone, as the second; a disk that takes not even that keeps both."""
        first, second = [_read_copy(path, self._files)[0] for path in self.paths]
        if not first or second and _is_of_two([first, second]):
            return  # it is UNREADABLE already
        with contextlib.suppress(OSError):
            if second and second[0] > first[0]:
                self._files.unlink(self.paths[0])
            else:
                self._files.replace(*self.paths)
            _sync(self.directory, self._files)


def _is_of_two(whole):
    """True for copies that no cut of power leaves: of one number and unlike, or further apart than
    one save.

    A failed save takes a number as well; that a cut of power hits the very next one is left to the
    key on site.
    """
    numbers = [generation for generation, _ in whole]
    return max(numbers) - min(numbers) > 1 or numbers[0] == numbers[-1] and whole[0] != whole[-1]


def of_cabinet(loaded, name):
    """`loaded` as the cabinet of this name may believe it: of another one's store it keeps what
    latches, no more.

    A box or a disk that came from another cabinet lacks the latches of this one, so it asks for the
    key as a store that cannot be read does. A record that names no cabinet is a new one.
    """
    named = [
        each.removeprefix(CABINET)
        for each in (loaded.record or {}).get("values", {})
        if each.startswith(CABINET)
    ]
    others = [each for each in named if each != name]
    if not others:
        return loaded
    return _doubted(loaded, f'the store is of the cabinet "{others[0]}", not of "{name}"')


def of_run(loaded, run_directory):
    """`loaded` as it may be believed after a run in this folder: what that one could not save may
    be a latch.
    """
    if not os.path.exists(os.path.join(run_directory, FAILED_NAME)):
        return loaded
    return _doubted(loaded, "the last run could not save the store")


def hold(directory, pause=lambda: select.select((), (), (), HOLD_PAUSE_S)):
    """Become the only one who writes the store here: a descriptor to keep open, None where somebody
    else stays it.

    The keeper holds it too: one that a kill has left still owns records, and two would take each
    other's numbers. It is the folder that is locked, so that a full disk keeps nobody from it.
    pause(): wait a little; raises OSError.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for _ in range(round(HOLD_S / HOLD_PAUSE_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            pause()
    os.close(descriptor)
    return None


def mark_failed(run_directory, is_failed):
    """Leave word for the next start in this folder that the store could not be saved, or take it
    away.

    Returns False where the folder takes no word either: nothing more can be done, and the loop goes
    on.
    """
    path = os.path.join(run_directory, FAILED_NAME)
    try:
        if is_failed:
            os.close(regular_file.opened(path, os.O_WRONLY | os.O_CREAT, 0o640))
        elif os.path.exists(path):
            os.unlink(path)
    except OSError:
        return False
    return True


def _doubted(loaded, line):
    lines = [*loaded.lines, f"{line}: what it holds stands, and the key is needed"]
    return Loaded(UNREADABLE, loaded.record, loaded.generation, lines)


def _both(whole):
    """A record in which no latch, lock-out or spent token of either copy is lost; armed, not
    clean.
    """
    (_, one), (_, other) = whole
    return {
        "armed": 1,
        "clean": 0,
        "latches": one["latches"] | other["latches"],
        "values": one["values"] | other["values"],
        "token_ages_ms": _younger(one["token_ages_ms"], other["token_ages_ms"]),
    }


def _younger(one_ms, other_ms):
    """Ages of two lists of spent tokens: at any time as many are spent as in the one that has more
    spent then.
    """
    pairs = itertools.zip_longest(sorted(one_ms), sorted(other_ms), fillvalue=math.inf)
    return [min(pair) for pair in pairs]


def check_record(record):
    """Raises StoreError unless the record has exactly the fields of empty_record, of their
    kinds.
    """
    if set(record) != set(RECORD_FIELDS):
        raise StoreError(
            f"a record has the fields {', '.join(RECORD_FIELDS)}, not {', '.join(sorted(record))}"
        )
    for name, kind in RECORD_FIELDS.items():
        if not isinstance(record[name], kind):
            raise StoreError(
                f"record field {name} is a {type(record[name]).__name__}, not a {kind.__name__}"
            )
    numbers = [*record["token_ages_ms"], *record["latches"].values(), *record["values"].values()]
    if not all(isinstance(number, int) and 0 <= number < 2**31 for number in numbers):
        raise StoreError("a record holds whole numbers from 0 to 2^31 - 1")
    if not all(isinstance(name, str) for name in (*record["latches"], *record["values"])):
        raise StoreError("latches and values of a record have texts as names")
    for name in record["values"]:
        if name.startswith((LOCKED_OUT, STOPPED)) and not _is_of_person(name):
            raise StoreError(
                f"record value {ascii(name)} names no person: at most "
                f"{NAME_CHARACTERS_MAX} of ASCII"
            )


def _is_of_person(name):
    """True where the journal's words can hold the person's name; a rest may be nobody's, a lock-out
    may not.
    """
    person = name.partition(".")[2]
    is_short = (1 if name.startswith(LOCKED_OUT) else 0) <= len(person) <= NAME_CHARACTERS_MAX
    return is_short and person.isascii() and person.isprintable()


def encode(generation, record):
    """Bytes of one copy; raises StoreError for a wrong record or one that does not fit a
    datagram.
    """
    check_record(record)
    body = msgpack.packb({name: record[name] for name in RECORD_FIELDS})
    if HEAD.size + len(body) > RECORD_BYTES_MAX:
        raise StoreError(f"record of {len(body)} bytes, at most {RECORD_BYTES_MAX - HEAD.size} fit")
    rest = struct.pack("<QI", generation, len(body)) + body
    return struct.pack("<8sI", MAGIC, crc32(rest)) + rest


def decode(content):
    """(generation, record) of one copy, or None when it is damaged."""
    if len(content) < HEAD.size:
        return None
    magic, crc, generation, body_bytes = HEAD.unpack_from(content)
    if magic != MAGIC or len(content) != HEAD.size + body_bytes or crc32(content[CRC_AT:]) != crc:
        return None
    try:
        record = msgpack.unpackb(content[HEAD.size :])
        check_record(record)
    except (
        StoreError,
        ValueError,
        TypeError,
        msgpack.UnpackException,
    ):  # the right CRC of what is no record
        return None
    return generation, record


def _read_copy(path, files):
    """((generation, record) or None, line or None); both None when there is no such file."""
    try:
        descriptor = regular_file.opened(path, os.O_RDONLY, files=files)
        try:
            content = files.read(descriptor, 2 * RECORD_BYTES_MAX)
        finally:
            files.close(descriptor)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"{path}: unreadable: {error.strerror}"
    copy = decode(content)
    return copy, None if copy else f"{path}: damaged (length, CRC or fields are wrong)"


def _replace(path, content, files):
    """Replace a file so that after a power cut it is the old one or the new one, whole."""
    new = path + NEW_SUFFIX
    descriptor = regular_file.opened(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, files)
    try:
        written = 0
        while written < len(content):
            written += files.write(descriptor, content[written:])
        files.fsync(descriptor)
    finally:
        files.close(descriptor)
    files.replace(new, path)
    _sync(os.path.dirname(path), files)


def _sync(directory, files):
    """Make the names in a directory durable. Raises OSError."""
    descriptor = files.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.fsync(descriptor)
    finally:
        files.close(descriptor)


class Keeper:
    """The loop's end: records go to a process that saves them, acknowledgements come back; nothing
    here waits.

    `saved` counts the records known durable, in the order of `submit`, whose number it reaches when
    that record is; `ok` turns False for good when the process has died, could not save or does not
    answer, with the reason in `line`; what it says after that is not counted.
    """

    def __init__(self, directory, held=None):
        """Starts the process, or raises OSError. To be called before any real-time priority is set.

        held: descriptor of `hold`, which the process keeps open until it has ended.
        """
        self._socket, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with child:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller.record.store", directory, str(child.fileno())],
                pass_fds=(child.fileno(), *(() if held is None else (held,))),
            )
        self._socket.setblocking(False)
        self.submitted = self.saved = 0
        self._directory = directory
        self._moved = (None, 0)  # (saved, since when in us), as `watch` has seen it
        self.ok = True
        self.line = ""

    def fileno(self):
        """Becomes readable when an acknowledgement is waiting."""
        return self._socket.fileno()

    def submit(self, record):
        """Hand over a record. Returns its number, to be compared with `saved`. Raises StoreError
        for a wrong one.
        """
        try:
            self._socket.send(encode(0, record))
        except OSError as error:
            self._fail(f"the store's process takes no record: {error.strerror}")
        self.submitted += 1
        return self.submitted

    def poll(self):
        """Take in what has been acknowledged. Returns `saved`."""
        # also after a failure: a process whose answers nobody takes would stand still over them
        while True:
            try:
                answer = self._socket.recv(1024)
            except BlockingIOError:
                return self.saved
            except OSError as error:
                self._fail(f"the store's process is gone: {error.strerror}")
                return self.saved
            if answer == SAVED:
                self.saved += self.ok
                continue
            self._fail(answer.decode() or "the store's process has ended")
            if not answer:
                return self.saved

    def watch(self, now_us):
        """Once a tick: a store that holds nothing more for HANG_US, while something waits for it,
        has failed.

        A frozen disk or a stopped process says nothing by itself, and what waits there is gone with
        the next restart.
        """
        saved = self.poll()
        if saved != self._moved[0] or saved >= self.submitted:
            self._moved = (saved, now_us)
        elif now_us - self._moved[1] > (HANG_US if saved else START_US):
            self._fail(f"{self._directory}: the store does not answer")

    def _fail(self, line):
        self.ok = False
        self.line = self.line or line

    def close(self):
        """Let the process finish what it has and end; waits for it."""
        self._socket.close()
        self._process.wait()


def serve(directory, connection):
    """The process's end: save each record that arrives and answer; ends when the other side has
    closed.

    The last record that could not be saved is tried again until it can, without an answer: `ok` is
    False for good.
    """
    store = Store(directory)
    store.load()
    unsaved = None
    while True:
        if unsaved is not None and not select.select([connection], [], [], RETRY_S)[0]:
            unsaved = None if _answer(store, unsaved) == SAVED else unsaved
            continue
        content = _received(connection)
        if not content:
            return
        answer = _answer(store, decode(content)[1])
        unsaved = None if answer == SAVED else decode(content)[1]
        try:
            connection.send(answer)
        except (
            BrokenPipeError,
            ConnectionResetError,
        ):  # the controller is gone, what it has handed over is not
            continue


def _received(connection):
    """The next record; b"" once the other side has closed and nothing is left."""
    while True:
        try:
            return connection.recv(RECORD_BYTES_MAX)
        except (
            ConnectionResetError
        ):  # it went without having read every answer; its records are still here
            continue


def _answer(store, record):
    try:
        store.save(record)
        return SAVED
    except StoreError as error:
        return str(error).encode()


def main(directory, descriptor):
    """The process: serves the socket of this descriptor.

    Both signals are meant for the controller, and this end leaves when that one has. Where its disk
    holds it up and the controller has gone, SIGTERM ends it, unless a record that it has not even
    taken waits for it.
    """
    connection = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit() if _is_left_alone(connection) else None)
    serve(directory, connection)


def _is_left_alone(connection):
    """True once the other side has closed and has left no record."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except (
        ConnectionResetError
    ):  # it went without having read every answer; the next look is at what it has left
        return _is_left_alone(connection)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
