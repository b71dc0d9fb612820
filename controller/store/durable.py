"""Writes files and folders that a power cut must not damage.

Every function raises OSError, except `kept`: it lets a program work without its disk, and reports
what was not stored.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator

from controller.system import regular_file


@contextlib.contextmanager
def opened(path: str, flags: int, mode: int = 0o600) -> Iterator[int]:
    """The file descriptor from regular_file.opened, closed at the end."""
    descriptor = regular_file.opened(path, flags, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write(descriptor: int, content: bytes) -> None:
    """Write all bytes, if necessary with several system calls."""
    while content:
        content = content[os.write(descriptor, content) :]


def sync_directory(directory: str) -> None:
    """Make the names of the files in a directory durable."""
    with opened(directory or ".", os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


def put(path: str, suffix: str, pieces: Iterable[bytes], mode: int) -> None:
    """Replace `path` by way of a new file `path` + suffix.

    So a power cut leaves either the complete old file or the complete new file.
    """
    new = path + suffix
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)  # left by a power cut
    with opened(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode) as descriptor:
        for piece in pieces:
            write(descriptor, piece)
        os.fsync(descriptor)
    os.replace(new, path)


def kept(path: str, suffix: str, pieces: Iterable[bytes], mode: int) -> str | None:
    """Put a file as `put` does, but make a missing folder too.

    Returns None, or one line with the reason why the content is not stored.
    """
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o750, exist_ok=True)
        put(path, suffix, pieces, mode)
    except OSError as error:
        return f"{path} is not kept: {error.strerror}"
    return None
