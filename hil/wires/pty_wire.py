"""A real pty as a serial line with a baud rate. A pty is infinitely fast, so a VirtualSerial delays
every chunk until its last byte. The rig keeps the side of the controller open: it may be restarted.
"""

import contextlib
import fcntl
import os
import termios
import tty
from array import array

from hil.wires.virtual import OnDown, Tap, VirtualSerial


class PtyWire:
    """`slave_name`: the tty of the controller. Wait on `fileno()` until `next_us`, then call
    service(now_us). Faults: those of `line`.
    """

    def __init__(
        self,
        baud_Bd: int,
        char_bits: int = 10,
        on_down: OnDown | None = None,
        tap: Tap | None = None,
    ) -> None:
        self._master, self._slave = os.openpty()
        # An unopened pty would otherwise echo the bytes of the devices.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.slave_name = os.ttyname(self._slave)
        self.line = VirtualSerial(baud_Bd, char_bits, on_down=on_down, on_up=self._write, tap=tap)
        self._waiting = array("i", [0])

    def fileno(self) -> int:
        """The descriptor; readable when the controller has sent bytes."""
        return self._master

    # time of the next arrival; virtual.NEVER on an idle line
    next_us = property(lambda self: self.line.next_us)

    def service(self, now_us: int) -> None:
        """Take the controller's new bytes and deliver the due bytes."""
        data = self.sent()
        if data:
            self.line.send_down(data, now_us)
        self.line.deliver(now_us)

    def sent(self) -> bytes:
        """The bytes of the controller. The count comes first: a read of an empty tty waits for a
        kernel worker.
        """
        fcntl.ioctl(self._master, termios.FIONREAD, self._waiting)
        return os.read(self._master, self._waiting[0]) if self._waiting[0] else b""

    def close(self) -> None:
        """Close both sides; the controller's next read then ends."""
        os.close(self._master)
        os.close(self._slave)

    def _write(self, data: bytes, time_us: int) -> None:
        with contextlib.suppress(BlockingIOError):  # without a reader, a UART loses bytes too
            os.write(self._master, data)
