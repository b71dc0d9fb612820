"""Carries CAN frames between the plant process's CAN server and the box's serial line (slcand).

A frame is one line (LAWICEL): t + id in 3 hex digits + length + data; a 29-bit id has T + 8 digits.
Prints the tty for QEMU, and runs until its standard input ends. Lines that nobody reads are lost.
"""

import contextlib
import os
import re
import select
import socket
import sys
from typing import Any, TextIO

from controller.system import realtime
from hil.campaigns import process

READ_BYTES = 65_536
LINE_BYTES_MAX = 27
_FRAME = re.compile(rb"< frame ([0-9A-Fa-f]+) [0-9.]+ ([0-9A-Fa-f]*) ")
_LINE = re.compile(rb"(?:t([0-9A-Fa-f]{3})|T([0-9A-Fa-f]{8}))([0-8])((?:[0-9A-Fa-f]{2}){0,8})")


def line_of(id_hex: bytes, data_hex: bytes) -> bytes:
    """The SLCAN line of a frame. id_hex: 3 or 8 hex digits."""
    kind = b"T" if len(id_hex) > 3 else b"t"
    return b"%c%s%d%s\r" % (kind, id_hex.upper(), len(data_hex) // 2, data_hex.upper())


def send_command(line: bytes) -> bytes | None:
    """The socketcand `send` command of an SLCAN line, or None if that is no data frame."""
    match = _LINE.fullmatch(line)
    if not match or len(match[4]) != 2 * int(match[3]):
        return None
    pieces = b" ".join(match[4][offset : offset + 2] for offset in range(0, len(match[4]), 2))
    return b"< send %s %s %s >" % (match[1] or match[2], match[3], pieces)


def connect(channel: str) -> socket.socket:
    """A socket in raw mode for host:port/name. Raises OSError."""
    server, _, name = channel.rpartition("/")
    host, _, port = server.partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(b"< open %s >< rawmode >" % name.encode())
    return connection


class Bridge:
    """`server`: socket to the CAN server; `master`: the pty of the box's serial line."""

    def __init__(self, server: socket.socket, master: int) -> None:
        self.server, self.master = server, master
        self._from_server, self._from_box = b"", b""  # bytes of unfinished lines

    def to_box(self) -> bool:
        """Pass on what the server sent. Returns False once the server has gone."""
        data = self.server.recv(READ_BYTES)
        *messages, self._from_server = (self._from_server + data).split(b">")
        with contextlib.suppress(BlockingIOError):  # the box boots, or has no power
            for match in filter(None, map(_FRAME.search, messages)):
                os.write(self.master, line_of(*match.groups()))
        return bool(data)

    def from_box(self) -> None:
        """Pass on what the box sent."""
        *lines, rest = (self._from_box + os.read(self.master, READ_BYTES)).split(b"\r")
        self._from_box = rest[-LINE_BYTES_MAX:]
        self.server.sendall(b"".join(filter(None, map(send_command, lines))))

    def carry(self, end: TextIO) -> None:
        """Pass on both ways, until `end` can be read or the server has gone."""
        sources: list[Any] = [self.server, self.master, end]
        with contextlib.suppress(ConnectionError):  # the plant process ends with bytes unread
            while True:
                ready = select.select(sources, (), ())[0]
                if end in ready or self.server in ready and not self.to_box():
                    return
                if self.master in ready:
                    self.from_box()


def main(channel: str) -> None:
    """channel: HOST:PORT/NAME."""
    server = connect(channel)
    # both stay open here, so that the line outlasts a box that loses its power
    master, slave = process.raw_pty()
    realtime.prepare()  # while this waits for the box's processors, every BMS is silent
    print(os.ttyname(slave), flush=True)
    Bridge(server, master).carry(sys.stdin)


if __name__ == "__main__":
    main(sys.argv[1])
