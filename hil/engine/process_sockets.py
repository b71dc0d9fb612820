"""Finds in /proc the TCP and UDP sockets of a process, as a port scan would find them."""

import ipaddress
import os
import struct
from typing import NamedTuple

from hil.engine.process_memory import read

FILES = ("tcp", "tcp6", "udp", "udp6")
# Codes of the state in /proc. A UDP socket that is open to every sender is unconnected.
LISTEN, UNCONNECTED = "0A", "07"


class Places(NamedTuple):
    """Places as ADDRESS:PORT. connects: far ends of connections that the process has begun."""

    listens: set[str]
    connects: set[str]


def places(pid: int) -> Places:
    """The places at which a process listens, and those to which it connects."""
    before = _inodes(pid)
    sockets = _sockets(pid)
    inodes = before | _inodes(pid)  # a socket that was opened meanwhile is in one of these sets
    own = [row for row in sockets if row[0] in inodes]
    listens = {local for _, local, _, is_open in own if is_open}
    pairs = [(local, far) for _, local, far, is_open in own if not is_open]
    ports = {place.rpartition(":")[2] for place in listens}
    connects = {far for local, far in pairs if local.rpartition(":")[2] not in ports}
    return Places(listens, connects)


def _inodes(pid: int) -> set[str]:
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    return inodes


def _sockets(pid: int) -> list[tuple[str, str, str, bool]]:
    """(inode, local place, far place, open to every sender) in the network of the process."""
    rows = [
        line.split() for name in FILES for line in read(f"/proc/{pid}/net/{name}").splitlines()[1:]
    ]
    return [
        (row[9], _place(row[1]), _place(row[2]), row[3] in (LISTEN, UNCONNECTED)) for row in rows
    ]


def _place(text: str) -> str:
    """The place in the kernel's text: words of 4 bytes, each in the machine's byte order."""
    digits, port = text.split(":")
    data = bytes.fromhex(digits)
    count = len(data) // 4
    address = ipaddress.ip_address(struct.pack(f">{count}I", *struct.unpack(f"={count}I", data)))
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{host}:{int(port, 16)}"
