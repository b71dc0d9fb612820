"""Small file systems in a mount namespace that ends with this process: disks that can be
filled.
"""

import ctypes
import errno
import os

CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 0x40000, 2


def private_mounts():
    """Enter a new mount namespace: other processes do not see what is mounted from now on. Raises
    OSError.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise OSError(errno.EPERM, "a small file system of its own needs root")
    library = ctypes.CDLL(None, use_errno=True)
    _checked(library.unshare(CLONE_NEWNS))
    _checked(library.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def mount_small(path, size_MiB):
    """Mount a tmpfs of that size at a folder. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    _checked(
        library.mount(
            b"tmpfs", os.fsencode(path), b"tmpfs", 0, f"size={size_MiB}m,mode=0700".encode()
        )
    )


def unmount(path):
    """Unmount it; files that are open in it last until they are closed. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    _checked(library.umount2(os.fsencode(path), MNT_DETACH))


def _checked(result):
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
