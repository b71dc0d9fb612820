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
from controller.console.backup_file import Kept
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
KEY_NEEDED = {"44d": 1}
ETC_DIR = cli.option("--etc-dir", default=ETC, help="configuration (%(default)s)")
# This is not cli.STATE_DIR, because with that option root gives up its rights at once.
STATE = cli.option(
    "--state-dir", dest="state", default=STATE_DIRECTORY, help="what lasts (%(default)s)"
)


@cli.command(
    "box backup",
    cli.option("file", type=cli.output_file, metavar="FILE", help="a new file"),
    ETC_DIR,
    STATE,
)
def _backup(arguments: Namespace) -> int:
    """Write a backup. Exit code 1: a link, a pipe or a device is left out."""
    with cli.ends(NO_START, OSError, StoreError, at=arguments.state):
        collected = list(_files("etc", arguments.etc_dir, *backup_file.FOLDERS))
        with identity.serving(arguments.state):
            collected += _files("state", arguments.state, *backup_file.STATE_FOLDERS)
            collected += _files("state", arguments.state, *backup_file.STATE_FILES)
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
    STATE,
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
        list(_put_all(files, roots, is_used, True))
        with identity.serving(arguments.state):
            if not arguments.dry_run:
                os.makedirs(arguments.state, mode=0o700, exist_ok=True)
        for word, path in _put_all(files, roots, is_used, arguments.dry_run):
            is_whole = is_whole and word in (MADE, WOULD, SAME)
            print(ascii_only(f"{word:<9} {path}"))
        with identity.serving(arguments.state):
            print(ascii_only(_put_store(manifest["store"], arguments, is_used)))
    if not arguments.dry_run:
        print("next: firebreak check, approve (key out of RUN), and a start with the key")
    return DONE if is_whole else NOT_DONE


def _files(part: str, root: str, *places: str) -> Iterator[Kept | None]:
    """The files of a backup at these places and below. None for a file that is left out."""
    for place in places:
        path = os.path.join(root, place)
        is_of_users = os.path.basename(os.path.dirname(path)) == users.FOLDER
        if os.path.isdir(path) and (not os.path.islink(path) or place in backup_file.FOLDERS):
            names = sorted(os.listdir(path))
            yield from _files(part, root, *[os.path.join(place, name) for name in names])
        # The folder of users also has notes that wait for the recorder. They are not in a backup.
        elif os.path.lexists(path) and (not is_of_users or path.endswith(users.SUFFIX)):
            yield _kept(part, root, path)


def _kept(part: str, root: str, path: str) -> Kept | None:
    if not os.path.isfile(path) or os.path.islink(path):
        say(f"{path}: {regular_file.REFUSED}; the backup leaves it out")
        return None
    with open(path, "rb") as file:
        before, content = os.fstat(file.fileno()), file.read(backup_file.BYTES_MAX)
        state = os.fstat(file.fileno())
    if (len(content), before.st_mtime_ns) != (state.st_size, state.st_mtime_ns):
        raise cli.Ended(NO_START, f"{path}: changes while it is read, or is larger than a backup")
    name = f"{part}/{os.path.relpath(path, root)}"
    return Kept(name, state.st_mode & 0o777, _user(state.st_uid), content)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return ""


def _store(arguments: Namespace) -> Facts | None:
    loaded = two_copies.Store(arguments.state).load()
    record = loaded.record
    if record is None and loaded.state != two_copies.MISSING:
        line = f"{'; '.join(loaded.lines)}: its latches are unknown, so there is no backup of them"
        raise cli.Ended(NO_START, line)
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


MADE, WOULD, SAME = "restored", "would restore", "is there"
DIFFERS, LEFT = "differs", "left out"


def _put_all(
    files: list[Kept], roots: dict[str, str], is_used: bool, is_dry: bool
) -> Iterator[tuple[str, str]]:
    """(word, path) of each file. is_used: the box has a store. is_dry: only check the places."""
    for file in files:
        part, _, rest = file.name.partition("/")
        is_left = is_used and not file.name.startswith(("etc/cabinet/", "etc/types/"))
        path = os.path.join(roots[part], rest)
        with identity.serving(roots[part]) if part == "state" else contextlib.nullcontext():
            word = _put(file, path, is_left, is_dry)
        yield word, path


def _put(kept: Kept, path: str, is_left: bool, is_dry: bool) -> str:
    """Put back one file, and return a word. MADE: the file was missing. SAME or DIFFERS: a file
    exists and stays. LEFT: the file is not put back, because the cabinet is in use (is_left).
    """
    if os.path.lexists(path):
        if not os.path.isfile(path):
            raise OSError(errno.EINVAL, "is no file, and the backup has one there", path)
        with open(path, "rb") as file:
            is_same = file.read(backup_file.BYTES_MAX) == kept.content
        if is_same and not is_left and not is_dry:
            _give(path, kept.owner)  # an earlier restore may have broken off before this step
        return SAME if is_same else LEFT if is_left else DIFFERS
    if is_left:
        return LEFT
    _make_folders(os.path.dirname(path), is_dry)
    if is_dry:
        return WOULD
    durable.put(path, ".part", [kept.content], kept.mode)
    _give(path, kept.owner)
    durable.sync_directory(os.path.dirname(path))
    return MADE


def _make_folders(path: str, is_dry: bool) -> None:
    """Make missing folders. Each folder gets the owner of the folder above it. Only this owner may
    read the folders of keys and users.
    """
    if os.path.isdir(path):
        return
    if os.path.lexists(path):
        raise OSError(errno.ENOTDIR, "is no folder, and the backup has one there", path)
    above = os.path.dirname(path)
    _make_folders(above, is_dry)
    if not is_dry:
        is_secret = os.path.basename(path) in backup_file.STATE_FOLDERS
        os.mkdir(path, 0o700 if is_secret else 0o755)
        _give(path, "")


def _give(path: str, owner: str) -> None:
    """Make this user the owner of a file. If the box lacks the user, the owner of the folder."""
    try:
        account = pwd.getpwnam(owner)
        number, group = account.pw_uid, account.pw_gid
    except (KeyError, ValueError):  # ValueError: a name with a NUL
        state = os.stat(os.path.dirname(path))
        number, group = state.st_uid, state.st_gid
    if os.geteuid() == 0:
        os.chown(path, number, group)


def _put_store(held: Facts | None, arguments: Namespace, is_used: bool) -> str:
    """Write the store, and return a line about it. A store that exists stays, because it may have
    newer latches.
    """
    directory = arguments.state
    if is_used:
        return f"{SAME:<9} the store in {directory}, so keys, users and doors stay as they are"
    names = [] if held is None else held["latches"]
    latches = KEY_NEEDED | {name: number for number, name in enumerate(names, 2)}
    locked_out = "" if held is None else held["locked_out"]
    if not arguments.dry_run:
        place = two_copies.Store(directory)
        place.save(
            Record(
                rest=(standby.UNKNOWN, ""),
                latches=latches,
                locked_out=locked_out,
                trips=0 if held is None else held["trips"],
            )
        )
        for path in place.paths:
            _give(path, "")
    lock_text = f", locked out by {locked_out}" if locked_out else ""
    word, latched = WOULD if arguments.dry_run else MADE, ", ".join(names) or "none"
    return f"{word:<9} the store: latches {latched}{lock_text}; the start needs the key"
