"""Datagram sockets at paths of any length."""

import contextlib
import os
import socket


@contextlib.contextmanager
def short(path: str):
    """A name for `path` that fits a socket address (107 bytes) however deep the run directory
    lies.
    """
    directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    finally:
        os.close(directory)


def bound(path: str, mode: int):
    """A non-blocking datagram socket at `path` in place of one left over there. Raises OSError."""
    if os.path.lexists(path):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    with short(path) as name:
        made.bind(name)
    os.chmod(path, mode)
    made.setblocking(False)
    return made
