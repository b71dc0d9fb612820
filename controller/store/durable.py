"""Writes files and folders that a power cut must not damage.

Every function raises OSError, except `kept`: it lets a program work without its disk, and reports
what was not stored.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator

from controller.system import regular_file
from controller.system.regular_file import Files


@contextlib.contextmanager
def opened(path: str, flags: int, mode: int = 0o600, files: Files = os) -> Iterator[int]:
    """The file descriptor from regular_file.opened, closed at the end."""
    descriptor = regular_file.opened(path, flags, mode, files)
    try:
        yield descriptor
    finally:
        files.close(descriptor)


def write(descriptor: int, content: bytes, files: Files = os) -> None:
    """Write all bytes, if necessary with several system calls."""
    while content:
        content = content[files.write(descriptor, content) :]


def sync_directory(directory: str, files: Files = os) -> None:
    """Make the names of the files in a directory durable."""
    with opened(directory or ".", os.O_RDONLY | os.O_DIRECTORY, files=files) as descriptor:
        files.fsync(descriptor)


def put(path: str, suffix: str, pieces: Iterable[bytes], mode: int, files: Files = os) -> None:
    """Replace `path` by way of a new file `path` + suffix.

    So a power cut leaves either the complete old file or the complete new file.
    """
    new = path + suffix
    with contextlib.suppress(FileNotFoundError):
        files.unlink(new)  # left by a power cut
    with opened(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, files) as descriptor:
        for piece in pieces:
            write(descriptor, piece, files)
        files.fsync(descriptor)
    files.replace(new, path)


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
