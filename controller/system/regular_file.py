"""Opening a file by its name when something else may lie there: a pipe that nobody writes to holds
an ordinary open up for ever, and with it the console, a command, or the process that keeps the
store.

Everything in the state and the run directory, and every configuration, is opened so. Links are
followed as `open` follows them; a folder is left to the caller, since reading it raises by itself.
"""

import errno
import mmap
import os
import stat

REFUSED = "it is a pipe or a device; allowed a regular file"


def opened(path: str, flags: int, mode: int = 0o666, files=os) -> int:
    """Descriptor of a regular file, at once. files: os or a stand-in. Raises OSError, for anything
    else with REFUSED.
    """
    try:
        descriptor = files.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):  # a pipe without a reader, a socket
            raise _refused(path) from None
        raise
    kind = files.fstat(descriptor).st_mode
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
        return descriptor
    files.close(descriptor)
    raise _refused(path)


def opener(path: str, flags: int) -> int:
    """`opened` for the built-in `open`."""
    return opened(path, flags)


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


def _refused(path):
    return OSError(errno.EINVAL, REFUSED, path)
