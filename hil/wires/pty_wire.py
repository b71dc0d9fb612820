"""A real pty as a serial line with a baud rate: what the rig's processes talk over.

A pty is infinitely fast, so every chunk goes through a VirtualSerial, which has the time of its
last byte. Parity does not exist on a pty. The rig keeps the controller's side open: a controller
may come and go.
"""

import contextlib
import fcntl
import os
import termios
import tty
from array import array

from hil.wires.virtual import VirtualSerial


class PtyWire:
    """`slave_name` is the controller's tty; the owner waits on `fileno()` until `next_us` and calls
    service(now_us).

    on_down and tap as in VirtualSerial; faults are those of `line`.
    """

    def __init__(self, baud_Bd, char_bits=10, on_down=None, tap=None):
        self._master, self._slave = os.openpty()
        # otherwise an unopened pty echoes the bytes of the devices
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.slave_name = os.ttyname(self._slave)
        self.line = VirtualSerial(baud_Bd, char_bits, on_down=on_down, on_up=self._write, tap=tap)
        self._waiting = array("i", [0])

    def fileno(self):
        """The descriptor that becomes readable when the controller has sent something."""
        return self._master

    # when the next bytes arrive somewhere; virtual.NEVER when the line is idle
    next_us = property(lambda self: self.line.next_us)

    def service(self, now_us):
        """Take what the controller has sent since the last call and deliver what is due."""
        data = self.sent()
        if data:
            self.line.send_down(data, now_us)
        self.line.deliver(now_us)

    def sent(self):
        """What the controller has sent since the last call.

        The count of bytes comes first: a read of an empty tty waits for a kernel worker of ordinary
        priority.
        """
        fcntl.ioctl(self._master, termios.FIONREAD, self._waiting)
        return os.read(self._master, self._waiting[0]) if self._waiting[0] else b""

    def close(self):
        """Close both sides; the controller's next read then ends."""
        os.close(self._master)
        os.close(self._slave)

    def _write(self, data, time_us):
        with contextlib.suppress(BlockingIOError):  # without a reader a UART would lose them too
            os.write(self._master, data)
