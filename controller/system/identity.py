"""Changes the user of a command that root has started.

Root never works in a folder that another user can change. Before it opens a file there, it becomes
the user of the service and stays so.
"""

import argparse
import contextlib
import os
import pathlib
import pwd
import stat
from collections.abc import Iterator

from controller.system.cli import Ended
from controller.system.paths import NO_START, ROOT, SERVICE

FOLDERS = ("run_dir", "state_dir")


def settle(arguments: argparse.Namespace) -> None:
    """Replace --run-dir and --state-dir by the targets of their links.

    Root becomes the user of the service if one of the folders belongs to it. A folder of another
    user, or below one, ends the command.
    """
    chosen = {name: getattr(arguments, name) for name in FOLDERS if getattr(arguments, name, "")}
    folders = {name: _resolved(folder) for name, folder in chosen.items()}
    vars(arguments).update(folders)
    service = _service_to_become([*folders.values()])
    if service:
        user, group = service.pw_uid, service.pw_gid
        os.initgroups(SERVICE, group)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)


@contextlib.contextmanager
def serving(folder: str) -> Iterator[None]:
    """Become the user of the service for a while, for a command that also needs root."""
    service, groups = _service_to_become([_resolved(folder)]), os.getgroups()
    if service:
        os.initgroups(SERVICE, service.pw_gid)
        os.setegid(service.pw_gid)
        os.seteuid(service.pw_uid)
    try:
        yield
    finally:
        if service:
            os.seteuid(ROOT)
            os.setegid(ROOT)
            os.setgroups(groups)


def _service_to_become(folders: list[str]) -> pwd.struct_passwd | None:
    """The user of the service, if root must become it for one of the folders. Raises Ended."""
    if os.geteuid() != ROOT:
        return None
    service = _service()
    allowed = {ROOT, service.pw_uid} if service else {ROOT}
    owners = {owner for folder in folders for owner in _owners(folder, allowed)}
    return service if owners - {ROOT} else None


def _resolved(folder: str) -> str:
    """The target of a link. A broken link is returned unchanged.

    The disk of the target may not be mounted, and no folder must be made there.
    """
    return os.path.realpath(folder) if os.path.exists(folder) else folder


def _service() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SERVICE)
    except KeyError:
        return None


def _owners(folder: str, allowed: set[int]) -> Iterator[int]:
    """Owners of a folder and of the folders above it, who could replace it. Raises Ended if another
    user could, too.
    """
    lowest = pathlib.Path(os.path.abspath(folder))
    for path in (lowest, *lowest.parents):
        try:
            status = os.lstat(path)
        except OSError:  # not there, or below a file
            continue
        if status.st_uid not in allowed or not _is_protected(status):
            line = f"{folder}: root does not work there: {path} {_weakness(status)}"
            raise Ended(NO_START, line)
        yield status.st_uid


def _is_protected(status: os.stat_result) -> bool:
    """True if only the owner can change names in a folder: no other user may write, or it has the
    sticky bit. The mode of a link has no meaning.
    """
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISLNK(status.st_mode) or not writable or bool(status.st_mode & stat.S_ISVTX)


def _weakness(status: os.stat_result) -> str:
    if not _is_protected(status):
        return "is writable for others"
    try:
        return f"belongs to the user {pwd.getpwuid(status.st_uid).pw_name}"
    except KeyError:
        return f"belongs to the user {status.st_uid}"
