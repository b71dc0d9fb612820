"""Makes datagram sockets at paths of any length, and answers datagrams, with their sender."""

import contextlib
import grp
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from typing import Any

NEW = ".new"  # suffix of a socket that does not answer yet
CREDENTIALS = struct.Struct("@iII")  # SCM_CREDENTIALS: process, user, group


@contextlib.contextmanager
def short(path: str) -> Iterator[str]:
    """A name for `path` that fits into a socket address (107 bytes), even in a deep folder."""
    directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    finally:
        os.close(directory)


@contextlib.contextmanager
def ready(endpoint: socket.socket, path: str) -> Iterator[str]:
    """Bind a socket beside `path`, and move it to `path` at the end of the block, so that a program
    that finds the path gets an answer. Yields the name until then, to set rights.
    """
    with short(path + NEW) as name:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        endpoint.bind(name)
        yield name
        os.rename(name, name.removesuffix(NEW))


def bound(path: str, group: str) -> socket.socket:
    """A non-blocking datagram socket at `path`, for its owner and the group, if it exists."""
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    endpoint.setblocking(False)
    with ready(endpoint, path) as name:
        members = _group(group)
        if members is None:
            os.chmod(name, 0o600)
        else:
            os.chown(name, -1, members.gr_gid, follow_symlinks=False)
            os.chmod(name, 0o660)
    return endpoint


def received(endpoint: socket.socket, size: int) -> tuple[bytes, Any, int | None]:
    """(datagram, address of the sender, its user or None) from a socket with SO_PASSCRED."""
    data, ancillary, _, sender = endpoint.recvmsg(size, socket.CMSG_SPACE(CREDENTIALS.size))
    users = [
        CREDENTIALS.unpack(content)[1]
        for level, kind, content in ancillary
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
    ]
    return data, sender, users[0] if users else None


def answered(listening: socket.socket, data: bytes, address: bytes | str) -> bool:
    """Answer one datagram. False if the answer is lost: the sender has gone or does not read.

    Each answer is sent through its own socket. The kernel counts an unread answer against the send
    buffer of the socket that sent it, and about 286 of them fill a buffer. With one socket, a
    single sender could block the answers to all others. Unread answers stay in the queue of their
    receiver (net.unix.max_dgram_qlen), so nothing grows here.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as endpoint:
            endpoint.setblocking(False)
            try:
                endpoint.sendto(data, address)
            except PermissionError:  # a connected sender accepts only the listening socket
                listening.sendto(data, address)
    except OSError:
        return False
    return True


def login_names(group: str) -> dict[int, str]:
    """{user: login name} of all local users and of the members of a group, at present.

    The list lacks a user whose group comes from a unit of systemd or from a login.
    """
    return {user.pw_uid: user.pw_name for user in pwd.getpwall()[::-1]} | members(group)


def members(group: str) -> dict[int, str]:
    """{user: login name} of the members of a group, at present."""
    unix_group, names = _group(group), {}
    for name in unix_group.gr_mem if unix_group else ():
        with contextlib.suppress(KeyError):
            names[pwd.getpwnam(name).pw_uid] = name
    return names


def _group(name: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None
