"""Whose rights a command works with. Root never works in a folder that somebody else can change: it
becomes the service's user, for good, before it opens anything there.
"""

import os
import pwd
import stat

from controller.system.cli import Ended
from controller.system.paths import NO_START, ROOT, SERVICE

FOLDERS = ("run_dir", "state_dir")


def settle(arguments) -> None:
    """Replace --run-dir and --state-dir by what their links lead to. Called as root: become the
    service's user where one of them is its own, stay root where both are root's; a folder of
    anybody else, or below one, ends the command.
    """
    given = {name: getattr(arguments, name) for name in FOLDERS if getattr(arguments, name, "")}
    folders = {name: _resolved(folder) for name, folder in given.items()}
    vars(arguments).update(folders)
    if os.geteuid() != ROOT:
        return
    service = _service()
    allowed = {ROOT, service.pw_uid} if service else {ROOT}
    owners = {owner for folder in folders.values() for owner in _owners(folder, allowed)}
    if owners - {ROOT}:
        os.initgroups(SERVICE, service.pw_gid)
        os.setresgid(*[service.pw_gid] * 3)
        os.setresuid(*[service.pw_uid] * 3)


def _resolved(folder):
    """A link that leads nowhere stays: its disk may not be mounted, and nothing is made there."""
    return os.path.realpath(folder) if os.path.exists(folder) else folder


def _service():
    try:
        return pwd.getpwnam(SERVICE)
    except KeyError:
        return None


def _owners(folder, allowed):
    """Owners of a folder and of all above it that are there: who may put something else in its
    place. A folder above that everybody may write to, as /tmp, keeps names to their owners.
    """
    path = os.path.abspath(folder)
    while True:
        found = _status(path)
        if found is not None:
            if found.st_uid not in allowed or not _is_kept(found):
                line = f"{folder}: root does not work there: {path} is {_whose(found)}"
                raise Ended(NO_START, line)
            yield found.st_uid
        if path == os.path.dirname(path):
            return
        path = os.path.dirname(path)


def _status(path):
    try:
        return os.lstat(path)
    except OSError:  # not there, or below a file
        return None


def _is_kept(found):
    """Whether only the owner changes names in it; the mode of a link means nothing."""
    writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISLNK(found.st_mode) or not writable or found.st_mode & stat.S_ISVTX


def _whose(found):
    if not _is_kept(found):
        return "writable for others"
    try:
        return f"of the user {pwd.getpwuid(found.st_uid).pw_name}"
    except KeyError:
        return f"of the user {found.st_uid}"
