"""One key file: 32 bytes as hex, readable by its owner only. A sender imports only this module."""

import contextlib
import os
import stat
from collections.abc import Iterator

from controller.hints import wire as w
from controller.system import regular_file

REMEDY = "; run this as the controller's user or as root"


class KeyStoreError(Exception):
    """A key cannot be made, read or removed. Its text is one line with the remedy."""


@contextlib.contextmanager
def explained(
    path: str, remedy: str = "", passing: type[OSError] | tuple[()] = ()
) -> Iterator[None]:
    """Raise KeyStoreError in place of an OSError, except for the classes in `passing`."""
    try:
        yield
    except passing:
        raise
    except OSError as error:
        raise KeyStoreError(f"{error.filename or path}: {error.strerror}{remedy}") from None


def read(path: str) -> tuple[bytes, int]:
    """(key bytes, made_s) of a key file. Raises KeyStoreError, FileNotFoundError."""
    with (
        explained(path, REMEDY, FileNotFoundError),
        open(path, "rb", opener=regular_file.opener) as file,
    ):
        state, text = os.fstat(file.fileno()), file.read(2 * w.KEY_BYTES + 2)
    if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyStoreError(
            f"{path}: other users may read it, so it is not used; make a new key, or chmod 600"
        )
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != w.KEY_BYTES:
        raise KeyStoreError(f"{path}: holds no key of {w.KEY_BYTES} bytes in hex; make a new key")
    return key, max(0, int(state.st_mtime))
