"""Writing to files and folders that a power cut must not damage. `files`: os or a stand-in."""

import contextlib
import os

from controller.system import regular_file


@contextlib.contextmanager
def opened(path: str, flags: int, mode: int = 0o600, files=os):
    """A descriptor that is closed at the end, as regular_file.opened gives it. Raises OSError."""
    descriptor = regular_file.opened(path, flags, mode, files)
    try:
        yield descriptor
    finally:
        files.close(descriptor)


def write(descriptor: int, content: bytes, files=os) -> None:
    """Write all the bytes, in as many pieces as it takes. Raises OSError."""
    while content:
        content = content[files.write(descriptor, content) :]


def sync_directory(directory: str, files=os) -> None:
    """Make the names in a directory durable. Raises OSError."""
    with opened(directory or ".", os.O_RDONLY | os.O_DIRECTORY, files=files) as descriptor:
        files.fsync(descriptor)


def put(path: str, suffix: str, pieces, mode: int, files=os) -> None:
    """Write pieces of bytes into a new file `path` + suffix, sync it and give it its name. Raises
    OSError.

    A power cut leaves the old file or the new one, whole.
    """
    new = path + suffix
    with contextlib.suppress(FileNotFoundError):
        files.unlink(new)  # of a power cut, or what somebody put there
    with opened(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, files) as descriptor:
        for piece in pieces:
            write(descriptor, piece, files)
        files.fsync(descriptor)
    files.replace(new, path)
