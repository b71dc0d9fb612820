"""Datagram sockets at paths of any length, and who has sent a datagram, as the kernel says."""

import contextlib
import grp
import os
import pwd
import socket
import struct

CREDENTIALS = struct.Struct("@iII")  # SCM_CREDENTIALS: process, user, group


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


def bound(path: str, group: str):
    """A non-blocking datagram socket at `path` in place of one left over there, for its owner and,
    where there is such a group, for its members. Raises OSError.
    """
    if os.path.lexists(path):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    with short(path) as name:
        made.bind(name)
        members = _group(group)
        if members is None:
            os.chmod(name, 0o600)
        else:
            os.chown(name, -1, members.gr_gid, follow_symlinks=False)
            os.chmod(name, 0o660)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    made.setblocking(False)
    return made


def received(made, size: int) -> tuple:
    """(datagram, sender's address, sender's user or None) of a socket with SO_PASSCRED."""
    data, extra, _, sender = made.recvmsg(size, socket.CMSG_SPACE(CREDENTIALS.size))
    users = [
        CREDENTIALS.unpack(content)[1]
        for level, kind, content in extra
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
    ]
    return data, sender, users[0] if users else None


def members(group: str) -> dict[int, str]:
    """{user: login name} of a group, as it is now."""
    found, names = _group(group), {}
    for name in found.gr_mem if found else ():
        with contextlib.suppress(KeyError):
            names[pwd.getpwnam(name).pw_uid] = name
    return names


def _group(name):
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None
