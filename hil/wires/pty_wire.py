"""A real pty as a serial line with a baud rate.

A pty has no transmission time, so a VirtualSerial delays each chunk until its last byte has passed.
The rig keeps the controller's side open, because the controller may restart.
"""

import contextlib
import fcntl
import os
import termios
import tty
from array import array

from hil.wires.virtual import RealWire


class PtyWire(RealWire):
    """`slave_name`: the tty that the controller opens."""

    def _open(self) -> str:
        self._master, self._slave = os.openpty()
        # A pty that no process has opened yet would echo the bytes of the devices.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._waiting = array("i", [0])
        return os.ttyname(self._slave)

    def fileno(self) -> int:
        """See RealWire."""
        return self._master

    def sent(self) -> list[bytes]:
        """See RealWire. FIONREAD comes first, because a read of an empty tty waits for the
        kernel.
        """
        fcntl.ioctl(self._master, termios.FIONREAD, self._waiting)
        return [os.read(self._master, self._waiting[0])] if self._waiting[0] else []

    def close(self) -> None:
        """Close both sides. The controller's next read then fails."""
        os.close(self._master)
        os.close(self._slave)

    def _write(self, data: bytes, time_us: int) -> None:
        with contextlib.suppress(BlockingIOError):  # without a reader, a UART loses bytes too
            os.write(self._master, data)
