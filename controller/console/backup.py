"""`firebreak box backup` and `box restore`: write and read the file from which another box can
become this cabinet again. A box is the computer on which the controller runs.

A backup has the files of configuration, keys, console users, proof-test ledger and trips. It also
has latches and lock-out from the store. It has no recorded events: see `firebreak record export`.

A restore puts back missing files and replaces none. If the box has a store, the cabinet is in use.
Then a restore puts back only the configuration, because a revoked key or user must not return. A
restored store keeps the latches and the lock-out, and the cabinet needs the key and a new approval.
Every place is checked before the first file is written. The store is written last. So if a restore
breaks off, the same command later puts back the missing files.

A new backup is read at once, as a restore would read it. Otherwise a fault would show only when the
backup is needed.

In the folder of the configuration, root keeps its rights, because one key there belongs to the
planner's user. In the state folder, root works as the service's user.
"""

import contextlib
import errno
import os
import pwd
from argparse import Namespace
from collections.abc import Iterator

from controller.console import backup_file, users
from controller.console.backup_file import ArchivedFile
from controller.core.base import standby
from controller.forms import reading
from controller.forms.refusal import ConfigError
from controller.state.base import Facts
from controller.store import durable, two_copies
from controller.store.stored_record import Record, StoreError
from controller.system import cli, identity, regular_file
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    STATE_DIRECTORY,
    WRONG_INPUT,
    ascii_only,
    say,
)

ETC = "/etc/firebreak"
KEY_LATCH = {"44d": 1}  # {latch that only a reset with the key clears: its number}
ETC_DIR = cli.option("--etc-dir", default=ETC, help="configuration (%(default)s)")
# This is not cli.STATE_DIR, because with that option root gives up its rights at once.
STATE_DIR = cli.option(
    "--state-dir", dest="state", default=STATE_DIRECTORY, help="what lasts (%(default)s)"
)


@cli.command(
    "box backup",
    cli.option("file", type=cli.output_file, metavar="FILE", help="a new file"),
    ETC_DIR,
    STATE_DIR,
)
def _backup(arguments: Namespace) -> int:
    """Write a backup. Exit code 1: a link, a pipe or a device is left out."""
    with cli.ends(NO_START, OSError, StoreError, at=arguments.state):
        collected = list(_files("etc", arguments.etc_dir, *backup_file.FOLDERS))
        with identity.serving(arguments.state):
            places = *backup_file.STATE_FOLDERS, *backup_file.STATE_FILES
            collected += _files("state", arguments.state, *places)
            store = _store(arguments)
        files = [kept for kept in collected if kept]
        if os.path.lexists(arguments.file):
            raise cli.Ended(WRONG_INPUT, f"exists already: {arguments.file}")
        content = backup_file.packed(_cabinet(arguments.etc_dir), store, files)
        durable.put(arguments.file, ".part", [content], 0o600)
        try:
            backup_file.unpacked(arguments.file)
        except ConfigError as error:
            os.unlink(arguments.file)
            raise cli.Ended(NO_START, error) from None
    print(
        ascii_only(f"{arguments.file}: {len(files)} files; it has the keys, so keep it like a key")
    )
    return DONE if len(files) == len(collected) else NOT_DONE


@cli.command(
    "box restore",
    cli.option("file", metavar="FILE", help="a backup of this cabinet"),
    ETC_DIR,
    STATE_DIR,
    cli.option("--dry-run", action="store_true", help="print what would be done"),
)
def _restore(arguments: Namespace) -> int:
    """Restore a backup. Exit code 1: a file on the box differs from its backup or is left out."""
    with cli.ends(WRONG_INPUT, OSError, at=arguments.file):
        manifest, files = backup_file.unpacked(arguments.file)
        _check_cabinet(manifest, arguments)
    roots = {"etc": arguments.etc_dir, "state": arguments.state}
    is_whole = True
    with cli.ends(NO_START, OSError, StoreError, at=arguments.state):
        with identity.serving(arguments.state):
            is_used = two_copies.Store(arguments.state).load().state != two_copies.MISSING
        list(_put_all(files, roots, is_used, True))  # raises OSError before a file is written
        with identity.serving(arguments.state):
            if not arguments.dry_run:
                os.makedirs(arguments.state, mode=0o700, exist_ok=True)
        for outcome, path in _put_all(files, roots, is_used, arguments.dry_run):
            is_whole = is_whole and outcome in (RESTORED, WOULD_RESTORE, SAME)
            print(ascii_only(f"{outcome:<9} {path}"))
        with identity.serving(arguments.state):
            print(ascii_only(_put_store(manifest["store"], arguments, is_used)))
    if not arguments.dry_run:
        print("next: firebreak check, approve (key out of RUN), and a start with the key")
    return DONE if is_whole else NOT_DONE


def _files(part: str, root: str, *places: str) -> Iterator[ArchivedFile | None]:
    """The files of a backup at these places and below. None stands for a file that is left out."""
    for relative_path in places:
        path = os.path.join(root, relative_path)
        is_of_users = os.path.basename(os.path.dirname(path)) == users.FOLDER
        if os.path.isdir(path) and (
            not os.path.islink(path) or relative_path in backup_file.FOLDERS
        ):
            names = sorted(os.listdir(path))
            yield from _files(part, root, *[os.path.join(relative_path, name) for name in names])
        # The folder of users also has notes that wait for the recorder. They are not in a backup.
        elif os.path.lexists(path) and (not is_of_users or path.endswith(users.SUFFIX)):
            yield _archived(part, root, path)


def _archived(part: str, root: str, path: str) -> ArchivedFile | None:
    if not os.path.isfile(path) or os.path.islink(path):
        say(f"{path}: {regular_file.REFUSED}; the backup leaves it out")
        return None
    with open(path, "rb") as file:
        before, content = os.fstat(file.fileno()), file.read(backup_file.BYTES_MAX)
        status = os.fstat(file.fileno())
    if (len(content), before.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise cli.Ended(NO_START, f"{path}: changes while it is read, or is larger than a backup")
    name = f"{part}/{os.path.relpath(path, root)}"
    return ArchivedFile(name, status.st_mode & 0o777, _user(status.st_uid), content)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return ""


def _store(arguments: Namespace) -> Facts | None:
    loaded = two_copies.Store(arguments.state).load()
    record = loaded.record
    if record is None and loaded.state != two_copies.MISSING:
        problem = (
            f"{'; '.join(loaded.lines)}: its latches are unknown, so there is no backup of them"
        )
        raise cli.Ended(NO_START, problem)
    if record is None:
        return None
    return {"latches": list(record.latches), "locked_out": record.locked_out, "trips": record.trips}


def _cabinet(etc: str) -> str | None:
    """The name in cabinet.toml. None if there is no file or no name."""
    path = os.path.join(etc, "cabinet", "cabinet.toml")
    if not os.path.exists(path):
        return None
    return str(reading.tables_of(path, "a cabinet").get("name"))


def _check_cabinet(manifest: Facts, arguments: Namespace) -> None:
    cabinet = _cabinet(arguments.etc_dir)
    if cabinet is not None and cabinet != manifest["cabinet"]:
        raise ConfigError(
            f"{arguments.file}: is of {manifest['cabinet']!r}, but this box is {cabinet!r}"
        )


RESTORED, WOULD_RESTORE, SAME = "restored", "would restore", "is there"
DIFFERS, LEFT_OUT = "differs", "left out"


def _put_all(
    files: list[ArchivedFile], roots: dict[str, str], is_used: bool, is_dry: bool
) -> Iterator[tuple[str, str]]:
    """(outcome, path) of each file. is_used: the box has a store. is_dry: only check the places."""
    for file in files:
        part, _, relative_path = file.name.partition("/")
        is_left_out = is_used and not file.name.startswith(("etc/cabinet/", "etc/types/"))
        path = os.path.join(roots[part], relative_path)
        with identity.serving(roots[part]) if part == "state" else contextlib.nullcontext():
            outcome = _put(file, path, is_left_out, is_dry)
        yield outcome, path


def _put(kept: ArchivedFile, path: str, is_left_out: bool, is_dry: bool) -> str:
    """Put back one file, and return the outcome. RESTORED: the file was missing. SAME or DIFFERS: a
    file exists and stays. LEFT_OUT (is_left_out): the cabinet is in use, so its file stays missing.
    """
    if os.path.lexists(path):
        if not os.path.isfile(path):
            raise OSError(errno.EINVAL, "is no file, and the backup has one there", path)
        with open(path, "rb") as file:
            is_same = file.read(backup_file.BYTES_MAX) == kept.content
        if not is_same:
            return LEFT_OUT if is_left_out else DIFFERS
        if not (is_left_out or is_dry):
            _set_owner(path, kept.owner)  # an earlier restore may have broken off before this step
        return SAME
    if is_left_out:
        return LEFT_OUT
    _make_folders(os.path.dirname(path), is_dry)
    if is_dry:
        return WOULD_RESTORE
    durable.put(path, ".part", [kept.content], kept.mode)
    _set_owner(path, kept.owner)
    durable.sync_directory(os.path.dirname(path))
    return RESTORED


def _make_folders(path: str, is_dry: bool) -> None:
    """Make missing folders. Each folder gets the owner of the folder above it. Only this owner may
    read the folders of keys and users.
    """
    if os.path.isdir(path):
        return
    if os.path.lexists(path):
        raise OSError(errno.ENOTDIR, "is no folder, and the backup has one there", path)
    parent = os.path.dirname(path)
    _make_folders(parent, is_dry)
    if not is_dry:
        is_secret = os.path.basename(path) in backup_file.STATE_FOLDERS
        os.mkdir(path, 0o700 if is_secret else 0o755)
        _set_owner(path, "")


def _set_owner(path: str, owner: str) -> None:
    """Make this user the owner of a file. If the box lacks the user, take the folder's owner."""
    try:
        account = pwd.getpwnam(owner)
        user_id, group_id = account.pw_uid, account.pw_gid
    except (KeyError, ValueError):  # ValueError: a name with a NUL
        folder_status = os.stat(os.path.dirname(path))
        user_id, group_id = folder_status.st_uid, folder_status.st_gid
    if os.geteuid() == 0:
        os.chown(path, user_id, group_id)


def _put_store(saved: Facts | None, arguments: Namespace, is_used: bool) -> str:
    """Write the store, and return a line about it. A store that exists stays, because it may have
    newer latches.
    """
    directory = arguments.state
    if is_used:
        return f"{SAME:<9} the store in {directory}, so keys, users and doors stay as they are"
    saved = saved or {"latches": [], "locked_out": "", "trips": 0}
    names, locked_out = saved["latches"], saved["locked_out"]
    if not arguments.dry_run:
        latches = KEY_LATCH | {name: number for number, name in enumerate(names, 2)}
        store = two_copies.Store(directory)
        store.save(
            Record(
                rest=(standby.UNKNOWN, ""),
                latches=latches,
                locked_out=locked_out,
                trips=saved["trips"],
            )
        )
        for path in store.paths:
            _set_owner(path, "")
    lock_text = f", locked out by {locked_out}" if locked_out else ""
    outcome, latched = WOULD_RESTORE if arguments.dry_run else RESTORED, ", ".join(names) or "none"
    return f"{outcome:<9} the store: latches {latched}{lock_text}; the start needs the key"
