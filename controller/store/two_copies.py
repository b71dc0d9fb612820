"""Keeps two copies of the stored record on the disk.

The record has latches, reset tokens, ARMED and CLEAN, and commands of operators. Each copy has its
own CRC. It is replaced completely, the second copy only after the first is durable. So at any time
there is one complete copy, of the old record or of the new one.

The caller keeps this order. A latch first takes effect and is then saved. A reset is saved first,
with its token as spent. If the reset is refused meanwhile, a record with all latches follows at
once. ARMED is saved before the first contactor closes, CLEAN after a healthy stop. So a power cut
can leave more latches than before, but never fewer. Because the loop must never wait for a disk,
keeper.Keeper saves the record.
"""

import contextlib
import fcntl
import os
import secrets
import select
from collections.abc import Callable
from typing import NamedTuple

from controller.store import durable
from controller.store.stored_record import (
    RECORD_BYTES_MAX,
    Record,
    StoreError,
    decode,
    encode,
    is_of_newer_form,
    union,
)
from controller.system import regular_file
from safety.evaluate import TRIPS_END

COPIES = ("store.a", "store.b")
LOCK_FILE = "store.lock"
NEW_SUFFIX = ".new"
# Longest time for which a start waits for the keeper of a killed controller, which saves its
# records and ends.
HOLD_S, HOLD_PAUSE_S = 5, 0.1
# Files in the run directory, which a power cut empties: the run could not save its store; the run
# has saved it.
FAILED_NAME, SAVED_NAME = "store.failed", "store.saved"
CLEAN, ARMED, UNREADABLE, MISSING = "clean", "armed", "unreadable", "missing"
# The run ended while no contactor was closed, but it would have closed them by itself.
WAITING = "waiting"
# As ARMED, but the run directory shows that the run had saved everything.
KILLED = "killed"
# A newer release has written the store. So this release neither starts with the store nor saves
# over its latches.
NEWER = "of a newer release"
NEWER_WORDS = (
    "a newer release has written the store: this one leaves it as it is; go on with the newer "
    'release, or see "Back to the release before" in INSTALLATION.md'
)
UNPROVEN = (
    "nothing shows that the last run stored its last stop, lock-out or hold: the cabinet stays in "
    "standby; see who works on it before `firebreak start`"
)
Copy = tuple[int, Record]  # generation, content


class Loaded(NamedTuple):
    """A loaded store. state: CLEAN to NEWER. lines: to report. salt: a start for the trip count."""

    state: str
    record: Record | None
    generation: int
    lines: list[str]
    salt: int = 0


class Store:
    """The two copies in one directory."""

    def __init__(self, directory: str):
        """directory: must exist at the first save."""
        self.directory = directory
        self.paths = [os.path.join(directory, name) for name in COPIES]
        self._generation = 0
        self._is_newer = False

    def load(self) -> Loaded:
        """Read both copies. A damaged file raises no exception and never counts as clean."""
        return self._read()._replace(salt=secrets.randbelow(TRIPS_END))

    def _read(self) -> Loaded:
        copies = [_read_copy(path) for path in self.paths]
        newer = [line for _, line in copies if line and line.endswith(NEWER_WORDS)]
        self._is_newer = bool(newer)
        if newer:
            return Loaded(NEWER, None, 0, newer[:1])
        whole = [copy for copy, _ in copies if copy]
        lines = [line for _, line in copies if line]
        if not whole:
            self._generation = 0
            nothing = [f"{self.directory}: no store here yet"]
            return Loaded(UNREADABLE if lines else MISSING, None, 0, lines or nothing)
        self._generation, record = max(whole, key=lambda copy: copy[0])
        if _are_apart(whole):
            lines = [f"{self.directory}: the two copies belong to different stores"]
            return Loaded(UNREADABLE, union(whole[0][1], whole[1][1]), self._generation, lines)
        if len(whole) == 1:
            lines = lines or [f"{self.directory}: one copy of the store is missing"]
            # Only in the very first save a power cut can leave a single copy, which is the first
            # one. In all other cases the missing copy may have had a latch that this copy lacks.
            if self._generation > 1 or copies[1][0]:
                return Loaded(UNREADABLE, record, self._generation, lines)
        state = CLEAN if record.clean else WAITING
        state = ARMED if record.armed or lines else state
        return Loaded(state, record, self._generation, lines)

    def save(self, record: Record) -> None:
        """Make a record durable in both copies.

        After StoreError the store has the old record or this record, if possible only as the second
        copy. The next load then detects that a copy is missing.
        """
        if self._is_newer:
            raise StoreError(f"{self.directory}: not saved: {NEWER_WORDS}")
        self._generation += 1  # even if the save fails, so that no two records have one number
        content = encode(self._generation, record)
        try:
            for path in self.paths:
                durable.put(path, NEW_SUFFIX, [content], 0o600)
                durable.sync_directory(self.directory)
        except OSError as error:
            self._leave_one()
            where = error.filename if error.strerror == regular_file.REFUSED else self.directory
            raise StoreError(f"{where}: the store could not be saved: {error.strerror}") from None

    def _leave_one(self) -> None:
        """Keep only the newer copy, as the second one. If the disk refuses that, both stay."""
        first, second = [_read_copy(path)[0] for path in self.paths]
        if not first or second and _are_apart([first, second]):
            return  # UNREADABLE already
        with contextlib.suppress(OSError):
            if second and second[0] > first[0]:
                os.unlink(self.paths[0])
            else:
                os.replace(*self.paths)
            durable.sync_directory(self.directory)


def _are_apart(whole: list[Copy]) -> bool:
    """True for two copies that a power cut cannot leave.

    They differ with the same number, or are two saves apart. A failed save uses a number too. So a
    power cut in the next save also leaves copies that are two saves apart, and the key is needed.
    """
    numbers = [generation for generation, _ in whole]
    return max(numbers) - min(numbers) > 1 or numbers[0] == numbers[-1] and whole[0] != whole[-1]


def of_cabinet(loaded: Loaded, name: str) -> Loaded:
    """`loaded`, but UNREADABLE if the store is of another cabinet.

    Such a store lacks the latches of this cabinet. A store without a name is that of a new cabinet.
    """
    cabinets = loaded.record.cabinets if loaded.record else ()
    foreign = [cabinet for cabinet in cabinets if cabinet != name]
    if not foreign:
        return loaded
    return _doubted(loaded, f'the store belongs to cabinet "{foreign[0]}", not to "{name}"')


def of_run(loaded: Loaded, run_directory: str) -> Loaded:
    """`loaded`, but UNREADABLE if the last run in this directory could not save a latch.

    After an end that was not in order, a stop or a lock-out counts as lost, unless the directory
    shows that the run had saved everything.
    """
    if os.path.exists(os.path.join(run_directory, FAILED_NAME)):
        return _doubted(loaded, "the last run could not save the store")
    if loaded.state not in (ARMED, WAITING):
        return loaded
    if not loaded.lines and os.path.exists(os.path.join(run_directory, SAVED_NAME)):
        return loaded._replace(state=KILLED if loaded.state == ARMED else CLEAN)
    return loaded._replace(lines=[*loaded.lines, f"{run_directory}: {UNPROVEN}"])


def _doubted(loaded: Loaded, line: str) -> Loaded:
    lines = [*loaded.lines, f"{line}: its latches and lock-outs stay, and the key is needed"]
    return loaded._replace(state=UNREADABLE, lines=lines)


def _pause() -> None:
    select.select((), (), (), HOLD_PAUSE_S)


def hold(directory: str, pause: Callable[[], object] = _pause) -> int | None:
    """Become the only writer. Raises OSError.

    Returns a file descriptor to keep open, or None if another process is the writer. pause(): waits
    a little.

    The keeper holds the lock too. A keeper that outlives a killed controller still has records, and
    two keepers would use the same numbers. The locked file is empty, because an empty file fits
    even on a full disk. The folder is not locked, because every reader could lock it.
    """
    path = os.path.join(directory, LOCK_FILE)
    descriptor = regular_file.opened(path, os.O_RDONLY | os.O_CREAT, 0o600)
    for _ in range(round(HOLD_S / HOLD_PAUSE_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            pause()
    os.close(descriptor)
    return None


def mark_failed(run_directory: str, is_failed: bool) -> bool:
    """Create the file FAILED_NAME or SAVED_NAME, and remove the other. False if that fails.

    The loop continues in either case.
    """
    paths = [os.path.join(run_directory, name) for name in (FAILED_NAME, SAVED_NAME)]
    created, gone = paths if is_failed else paths[::-1]
    try:
        if os.path.exists(gone):
            os.unlink(gone)
        os.close(regular_file.opened(created, os.O_WRONLY | os.O_CREAT, 0o640))
    except OSError:
        return False
    return True


def unmark_saved(run_directory: str) -> bool:
    """Remove the file SAVED_NAME, because a record waits. False if that fails."""
    path = os.path.join(run_directory, SAVED_NAME)
    with contextlib.suppress(OSError):
        os.unlink(path)
    return not os.path.exists(path)


def _read_copy(path: str) -> tuple[Copy | None, str | None]:
    """(copy or None, line or None). (None, None): there is no file."""
    try:
        with durable.opened(path, os.O_RDONLY) as descriptor:
            content = os.read(descriptor, 2 * RECORD_BYTES_MAX)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"{path}: unreadable: {error.strerror}"
    if is_of_newer_form(content):
        return None, f"{path}: {NEWER_WORDS}"
    copy = decode(content)
    return copy, None if copy else f"{path}: damaged (length, CRC or fields are wrong)"
