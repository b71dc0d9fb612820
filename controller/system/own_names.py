"""Removes or moves aside foreign files that have a name of Firebreak.

Each gets a line for the operator. No link is followed, and a foreign file never prevents a start. A
file belongs to Firebreak if it has the correct kind and owner. Files of another owner stay only in
the state folder, where root may have put copies of the cabinet's data. A lock file of root goes
too: it has no data, and the service could not open it.
"""

import itertools
import os
import shutil
import stat

FILE, FOLDER, SOCKET = stat.S_IFREG, stat.S_IFDIR, stat.S_IFSOCK
ACTS = "console"
RUN_FILES = (
    "journal",
    "journal.new",
    "journal.previous",
    "lock",
    "store.failed",
    "store.saved",
    "loop.stats",
    "links.stats",
    "hints.stats",
    "ramp",
    "record.head",
    "record.head.new",
    "quarters.csv",
    "quarters.csv.new",
)
RUN_NAMES = {
    **dict.fromkeys(RUN_FILES, FILE),
    **dict.fromkeys(("command.sock", "hints.sock"), SOCKET),
    ACTS: FOLDER,
}
DATABASE = [f"record.db{end}" for end in ("", "-wal", "-shm", ".new", ".damaged", ".rescuing")]
LOCKS = dict.fromkeys(("store.lock", "record.lock", "proof_tests.lock"), FILE)
STATE_FILES = (
    "store.a",
    "store.a.new",
    "store.b",
    "store.b.new",
    "trips.log",
    "trips.log.previous",
    *DATABASE,
    "record.reserve",
    "proof_tests.jsonl",
    "proof_tests.head",
    "quarters.csv",
    "quarters.csv.new",
)
STATE_NAMES = {
    **dict.fromkeys(STATE_FILES, FILE),
    **dict.fromkeys(("keys", "console", "captures"), FOLDER),
}
KINDS = {stat.S_IFLNK: "a link", FOLDER: "a folder", FILE: "a file", SOCKET: "a socket"}


def tidy(run_directory: str, state_directory: str) -> list[str]:
    """Remove foreign files. Returns a line for each."""
    user = os.geteuid()
    lines = _removed(run_directory, RUN_NAMES, user) + _removed(state_directory, STATE_NAMES, None)
    lines += _removed(state_directory, LOCKS, user)
    acts = os.path.join(run_directory, ACTS)
    return lines + _removed(acts, dict.fromkeys(_names(acts), FILE), user)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _removed(folder: str, kinds: dict[str, int], owner: int | None) -> list[str]:
    lines = []
    for name in sorted(kinds.keys() & set(_names(folder))):
        path = os.path.join(folder, name)
        try:
            why = _why_foreign(os.lstat(path), kinds[name], owner)
            if why:
                lines.append(f"{path}: was {why} and no part of this; {_remove(path)}")
        except OSError as error:
            lines.append(f"{path}: is no part of this and cannot be removed: {error.strerror}")
    return lines


def _why_foreign(status: os.stat_result, kind: int, owner: int | None) -> str:
    """The reason why a file does not belong to Firebreak, or ""."""
    if stat.S_IFMT(status.st_mode) != kind:
        return KINDS.get(stat.S_IFMT(status.st_mode), "a pipe or a device")
    return "" if owner in (None, status.st_uid) else f"of the user {status.st_uid}"


def _remove(path: str) -> str:
    """Remove a file or a folder, or move aside a folder with files of root. Returns the end of the
    line. shutil.rmtree follows no link.
    """
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return "removed"
    try:
        shutil.rmtree(path)
        return "removed"
    except PermissionError:
        names = map(f"{path}.not_ours.{{}}".format, itertools.count())
        aside = next(name for name in names if not os.path.lexists(name))
        os.rename(path, aside)
        return f"moved to {aside}"
