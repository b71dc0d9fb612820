"""Makes small file systems to fill up, in a mount namespace that ends with this process."""

import contextlib
import ctypes
import os
from collections.abc import Iterator

INODES = 4096  # so few that they are soon used up
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 0x40000, 2
LIBRARY = ctypes.CDLL(None, use_errno=True)


def private_mounts() -> str | None:
    """Enter a mount namespace that no other process sees. Returns None, or why it is impossible."""
    try:
        _checked(LIBRARY.unshare(CLONE_NEWNS))
        _checked(LIBRARY.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    except OSError as error:
        return f"no private mounts ({error.strerror}): needs root, or CAP_SYS_ADMIN"
    return None


@contextlib.contextmanager
def small(path: str, size_MiB: int) -> Iterator[None]:
    """A tmpfs of this size at a folder. Open files stay usable after it. Raises OSError."""
    options = f"size={size_MiB}m,nr_inodes={INODES},mode=0700".encode()
    _checked(LIBRARY.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options))
    try:
        yield
    finally:
        _checked(LIBRARY.umount2(os.fsencode(path), MNT_DETACH))


def _checked(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
