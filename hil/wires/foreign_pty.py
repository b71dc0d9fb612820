"""A pty of the rig that passes bytes to and from a foreign pty, at the speed of the bus.

A simulator behind a pty answers within a millisecond, but a request of 8 bytes at 9600 Bd needs 8
ms on the line. The controller drops a reply that comes before the end of its request, as noise.
"""

import contextlib
import os
import select
from collections.abc import Sequence

import serial

from drivers.buses.serial_port import PTY_MAJORS
from hil.wires.pty_wire import PtyWire


def is_pty(path: str) -> bool:
    """True for a pty, False for another device."""
    return os.major(os.stat(path).st_rdev) in PTY_MAJORS


class ForeignPty(PtyWire):
    """`slave_name`: the tty that the controller opens; `path`: the foreign tty."""

    def __init__(self, path: str, baud_Bd: int, char_bits: int) -> None:
        self._foreign = serial.Serial(path, baud_Bd, timeout=0, exclusive=True)
        super().__init__(baud_Bd, char_bits, self._pass_on)
        self._ready = select.epoll()
        for end in (self._master, self._foreign.fd):
            self._ready.register(end, select.EPOLLIN)

    def fileno(self) -> int:
        """See RealWire."""
        return self._ready.fileno()

    def service(self, now_us: int) -> None:
        """See RealWire. A foreign pty that has disappeared counts as a silent device."""
        with contextlib.suppress(OSError):
            if waiting := self._foreign.in_waiting:
                self.line.send_up(os.read(self._foreign.fd, waiting), now_us)
        super().service(now_us)

    def close(self) -> None:
        """Close both ptys."""
        self._ready.close()
        self._foreign.close()
        super().close()

    def _pass_on(self, data: bytes, time_us: int) -> Sequence[tuple[int, bytes]]:
        with contextlib.suppress(OSError):
            os.write(self._foreign.fd, data)
        return ()
