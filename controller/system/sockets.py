"""Datagram sockets at paths of any length, the user who has sent a datagram, as the kernel reports
it, and answers to datagrams.
"""

import contextlib
import grp
import os
import pwd
import socket
import struct
from collections.abc import Iterable, Iterator

CREDENTIALS = struct.Struct("@iII")  # SCM_CREDENTIALS: process, user, group


@contextlib.contextmanager
def short(path: str) -> Iterator[str]:
    """A name for `path` that fits a socket address (107 bytes) however deep the run directory
    lies.
    """
    directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    finally:
        os.close(directory)


def bound(path: str, group: str) -> socket.socket:
    """A non-blocking datagram socket at `path` in place of one left over there, for its owner and
    for the members of the group, if the group exists. Raises OSError.
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


def received(made: socket.socket, size: int) -> tuple:
    """(datagram, sender's address, sender's user or None) of a socket with SO_PASSCRED."""
    data, extra, _, sender = made.recvmsg(size, socket.CMSG_SPACE(CREDENTIALS.size))
    users = [
        CREDENTIALS.unpack(content)[1]
        for level, kind, content in extra
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)
    ]
    return data, sender, users[0] if users else None


class Answers:
    """Sends answers: each user's from a socket of that user.

    The kernel counts an unread answer against the send buffer of the socket that sent the answer.
    About 286 unread answers fill the buffer, and later answers of that socket are lost.
    """

    def __init__(self, listening: socket.socket, users: Iterable[int]):
        """listening: the socket that senders write to; users: each gets a socket of its own, and
        all other users share one, so that the number of sockets has a bound.
        """
        self._listening = listening
        self._own = {user: _answering() for user in {*users, None}}

    def send(self, data: bytes, address: bytes | str, user: int | None) -> bool:
        """Answer one datagram as `received` gave it. False if the answer is lost: the sender has
        gone or does not read.
        """
        own = self._own.get(user, self._own[None])
        try:
            try:
                own.sendto(data, address)
            except PermissionError:  # a sender that is connected hears the listening socket alone
                self._listening.sendto(data, address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the sockets, all but the listening one."""
        for each in self._own.values():
            each.close()


def _answering() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    return made


def members(group: str) -> dict[int, str]:
    """{user: login name} of a group, as it is now."""
    found, names = _group(group), {}
    for name in found.gr_mem if found else ():
        with contextlib.suppress(KeyError):
            names[pwd.getpwnam(name).pw_uid] = name
    return names


def _group(name: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None
