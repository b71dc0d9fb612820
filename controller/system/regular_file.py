"""Opening a file by its name when something else may lie there: a pipe that nobody writes to holds
an ordinary open up for ever, and with it the console, a command, or the process that keeps the
store.

Everything in the state and the run directory is opened so, and by the descriptor of its folder: no
link is followed, neither there nor in place of the folder. A configuration may be a link. A folder
is left to the caller, since reading it raises by itself.
"""

import errno
import mmap
import os
import stat

REFUSED = "it is a link, a pipe or a device; allowed a regular file"
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def opened(path: str, flags: int, mode: int = 0o666, files=os) -> int:
    """Descriptor of a regular file, at once. files: os or a stand-in. Raises OSError, for anything
    else with REFUSED.
    """
    above, name = os.path.split(path)
    try:
        folder = files.open(above or ".", _FOLDER)
        try:
            descriptor = files.open(name or ".", flags | _FILE | os.O_NOFOLLOW, mode, dir_fd=folder)
        finally:
            files.close(folder)
    except OSError as error:
        raise _named(error, path) from None
    return _checked(descriptor, path, files)


def _checked(descriptor, path, files):
    """The descriptor, when it is of a regular file or a folder."""
    kind = files.fstat(descriptor).st_mode
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
        return descriptor
    files.close(descriptor)
    raise OSError(errno.EINVAL, REFUSED, path)


def opener(path: str, flags: int) -> int:
    """`opened` for the built-in `open`."""
    return opened(path, flags)


def link_opener(path: str, flags: int) -> int:
    """The same for a file of the person's own, which may be a link."""
    try:
        return _checked(os.open(path, flags | _FILE), path, os)
    except OSError as error:
        raise _named(error, path) from None


def mapped(path: str, size: int):
    """A new file of this size, mapped for writing. A full disk raises OSError now, no signal
    later.
    """
    with open(path, "w+b", opener=opener) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        return mmap.mmap(file.fileno(), size)


def content(path: str) -> bytes:
    """The bytes of a file; b"" where none can be read."""
    try:
        with open(path, "rb", opener=opener) as file:
            return file.read()
    except OSError:
        return b""


def is_none(path: str) -> bool:
    """True where something lies that is neither a regular file nor a folder, for what opens a name
    by itself.
    """
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _named(error, path):
    """The error with the whole path; a pipe without a reader, a socket and a link are REFUSED."""
    if error.errno in (errno.ENXIO, errno.ENODEV, errno.ELOOP):
        return OSError(errno.EINVAL, REFUSED, path)
    return OSError(error.errno, error.strerror, path)
