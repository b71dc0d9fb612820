"""The technician's terminal: the other end of the serial console's line. It reads, stops reading,
or types as fast as it can.
"""

import os
import random
import select
import threading
import tty

from hil.campaigns.course import Background, Flood

READ_BYTES = 4096
LOOK_S = 0.05
KEYS = b"0123456789?RAETKLnb \r\n\x1b[A\x03\x00\xff"


class Terminal(Background):
    """A pty; `slave_name` is the console's line. What it draws is read while `reads` is set;
    `fresh` is set once something was.
    """

    def __init__(self):
        super().__init__()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.slave_name = os.ttyname(self._slave)
        self.reads, self.fresh = threading.Event(), threading.Event()
        self.reads.set()

    def _turn(self):
        if not self.reads.is_set():
            self._over.wait(LOOK_S)
        elif select.select([self._master], (), (), LOOK_S)[0] and self.reads.is_set():
            os.read(self._master, READ_BYTES)
            self.fresh.set()

    def _finish(self):
        os.close(self._master)
        os.close(self._slave)

    def type(self, keys):
        """How many of these bytes the line has taken."""
        try:
            return os.write(self._master, keys)
        except BlockingIOError:
            return 0

    def works(self):
        """(ok, sentence): does the console draw something after a key?"""
        self.fresh.clear()
        self.type(b"0")
        # it draws once a second
        return self.fresh.wait(5.0), "the console draws its page"


class Typing(Flood):
    """Random keys as fast as the line takes them."""

    words = "{} bytes typed"

    def __init__(self, terminal, seed):
        super().__init__()
        self._terminal, self._random = terminal, random.Random(seed)

    def _turn(self):
        taken = self._terminal.type(bytes(self._random.choices(KEYS, k=64)))
        self.sent += taken
        if not taken:
            self._over.wait(LOOK_S)
