"""The two copies of the stored record on the disk: latches, reset tokens, ARMED and CLEAN, what
operators have changed.

Each copy has its own CRC and is written as new file, fsync, rename, fsync of the directory; the
second only when the first is durable. So at any instant one whole copy is on disk, the old one or
the new one.

Order, for whoever calls: a latch takes effect first and is saved then; a reset is saved first (its
token as spent) and takes effect when the save has been acknowledged; one that is refused before
that is followed at once by a record with all that is latched. ARMED is saved before the first
contactor closes, CLEAN after a healthy stop. A cut at any point then leaves more latched than
before, never less.

Saving takes as long as the disk takes, so the loop does not save: keeper.Keeper hands records to a
process of its own.
"""

import contextlib
import fcntl
import os
import select

from controller.record.stored_record import RECORD_BYTES_MAX, StoreError, decode, encode, union
from controller.system import regular_file

COPIES = ("store.a", "store.b")
NEW_SUFFIX = ".new"
# how long a start waits for the keeper of a killed controller: it saves what it has, then ends
HOLD_S, HOLD_PAUSE_S = 5, 0.1
# in the folder of the run: its store could not be saved, whatever it holds
FAILED_NAME = "store.failed"
CLEAN, ARMED, UNREADABLE, MISSING = "clean", "armed", "unreadable", "missing"


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
            both = union(whole[0][1], whole[1][1])
            return Loaded(UNREADABLE, both, generation, lines)
        if len(whole) == 1 and not lines:
            lines = [f"{self.directory}: one copy of the store is missing"]
        # No cut of power leaves one alone, but that of the very first save the first one.
        if len(whole) == 1 and (generation > 1 or found[1][0]):
            # the other may have held a latch that this one lacks
            return Loaded(UNREADABLE, record, generation, lines)
        clean = record.clean and not record.armed and not lines
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
    cabinets = loaded.record.cabinets if loaded.record else ()
    others = [each for each in cabinets if each != name]
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
