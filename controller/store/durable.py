"""Writes files and folders that a power cut must not damage. Every function raises OSError, except
`kept`. With `kept`, an act that needs no disk goes on without the disk, and reports what was not
stored.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator

from controller.system import regular_file
from controller.system.regular_file import Files


@contextlib.contextmanager
def opened(path: str, flags: int, mode: int = 0o600, files: Files = os) -> Iterator[int]:
    """The descriptor of regular_file.opened; closed at the end."""
    descriptor = regular_file.opened(path, flags, mode, files)
    try:
        yield descriptor
    finally:
        files.close(descriptor)


def write(descriptor: int, content: bytes, files: Files = os) -> None:
    """Write all bytes. A single system call may write only a part of them."""
    while content:
        content = content[files.write(descriptor, content) :]


def sync_directory(directory: str, files: Files = os) -> None:
    """Make the names in a directory durable."""
    with opened(directory or ".", os.O_RDONLY | os.O_DIRECTORY, files=files) as descriptor:
        files.fsync(descriptor)


def put(path: str, suffix: str, pieces: Iterable[bytes], mode: int, files: Files = os) -> None:
    """Replace `path` through a new file `path` + suffix, so that a power cut leaves the whole old
    file or the whole new file.
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
    """Put a file as `put` does, but make a missing folder too. Returns None, or one line that says
    why the content is not stored.
    """
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o750, exist_ok=True)
        put(path, suffix, pieces, mode)
    except OSError as error:
        return f"{path} is not kept: {error.strerror}"
    return None
