"""Files that a run writes: a full disk is reported with the name of the file."""

import contextlib
import errno


class DiskFullError(OSError):
    """One line: the file, and that the disk is full."""


@contextlib.contextmanager
def naming(path):
    """Context for writing `path`. Raises DiskFullError where an OSError would not name the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(f"{path}: cannot be written, the disk is full") from None
