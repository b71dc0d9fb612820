"""Writes output files, and reports a full disk with the name of the file."""

import contextlib
import errno
import pathlib
from collections.abc import Iterator


class DiskFullError(OSError):
    """The disk is full. The text is one line with the name of the file."""


@contextlib.contextmanager
def naming(path: str | pathlib.Path) -> Iterator[None]:
    """Context for writing `path`. DiskFullError: names the file, unlike Python's OSError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(f"{path}: cannot be written, the disk is full") from None
