"""Opens files by name and refuses pipes, devices and links.

The ordinary way to open a pipe without a writer blocks for ever: it would stop the console, a
command, or the process that keeps the store. This module opens every file of the state and the run
directory through the file descriptor of its folder, and follows no link to a file or a folder. Only
a configuration file may be a link.
"""

import errno
import mmap
import os
import stat
from collections.abc import Callable

REFUSED = "it is a link, a pipe or a device; allowed a regular file"
PLAIN = "it is a pipe, a device or a socket; allowed a new or a regular file"
KEEP_NOTHING = (os.devnull, "/dev/full")
OUTPUT = PLAIN + ", or /dev/null"
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_NONBLOCK | os.O_NOCTTY


def opened(path: str, flags: int, mode: int = 0o666) -> int:
    """File descriptor of a regular file or folder; never waits. Raises OSError (REFUSED)."""
    above, name = os.path.split(path)
    try:
        folder = os.open(above or ".", _FOLDER)
        try:
            descriptor = os.open(name or ".", flags | _FILE | os.O_NOFOLLOW, mode, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _with_path(error, path) from None
    return _checked(descriptor, path)


def locked(path: str) -> int | None:
    """File descriptor of a lock file, or None if another process has the lock. Raises OSError.

    This process holds the lock until it closes the descriptor or ends.
    """
    descriptor = opened(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.lockf(descriptor, os.F_TLOCK, 0)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _checked(descriptor: int, path: str) -> int:
    """The file descriptor, if it is of a regular file or a folder. Raises OSError."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, REFUSED, path)


opener = opened  # for the built-in `open`


def link_opener(path: str, flags: int) -> int:
    """An `opener` for a file of the person who runs the command, which may be a link."""
    try:
        return _checked(os.open(path, flags | _FILE), path)
    except OSError as error:
        raise _with_path(error, path) from None


def mapped(path: str, size: int) -> mmap.mmap:
    """A new file, mapped for writing. A full disk raises OSError here, not a signal later."""
    with open(path, "w+b", opener=opener) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return mmap.mmap(file.fileno(), size)


def read(path: str, bytes_max: int, opener: Callable[[str, int], int] = opener) -> bytes:
    """The first bytes of a file, at most bytes_max. Raises OSError."""
    with open(path, "rb", opener=opener) as file:
        return file.read(bytes_max)


def content(path: str) -> bytes:
    """The bytes of a file; b"" if it cannot be read."""
    try:
        with open(path, "rb", opener=opener) as file:
            return file.read()
    except OSError:
        return b""


def is_none(path: str) -> bool:
    """True if a pipe, a device or a socket is at this path. Ask before a library opens it."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def check_output(path: str, replaces: bool = False) -> None:
    """Refuse to write over a pipe, a device or a socket. Raises OSError.

    /dev/null and /dev/full may be written to, because they keep nothing. A command that replaces
    its file by a new one would delete the device, so such a command refuses them too.
    """
    if is_none(path) and (replaces or os.path.realpath(path) not in KEEP_NOTHING):
        raise OSError(errno.EINVAL, PLAIN if replaces else OUTPUT, path)


def _with_path(error: OSError, path: str) -> OSError:
    """The error with the whole path. REFUSED: a pipe without reader, a socket or a link."""
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.ELOOP):
        return OSError(errno.EINVAL, REFUSED, path)
    return OSError(error.errno, error.strerror, path)
