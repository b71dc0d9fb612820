"""The technician's terminal at the serial console, which reads, stops reading, or types fast."""

import os
import random
import select
import threading

from hil.campaigns import process
from hil.campaigns.course import Background, Turns

READ_BYTES = 4096
LOOK_S = 0.05
KEYS = b"0123456789?RAETKLnb \r\n\x1b[A\x03\x00\xff"


class Terminal(Background):
    """A pty (`slave_name`). While `reads` is set, it reads the console's output and sets
    `fresh`.
    """

    def __init__(self) -> None:
        super().__init__(self._reading())
        self._master, self._slave = process.raw_pty()
        self.slave_name = os.ttyname(self._slave)
        self.reads, self.fresh = threading.Event(), threading.Event()
        self.reads.set()

    def _reading(self) -> Turns:
        try:
            while True:
                is_drawn = self.reads.is_set() and select.select([self._master], (), (), LOOK_S)[0]
                if is_drawn and self.reads.is_set():
                    os.read(self._master, READ_BYTES)
                    self.fresh.set()
                yield {}, 0 if self.reads.is_set() else LOOK_S
        finally:
            os.close(self._master)
            os.close(self._slave)

    def type(self, keys: bytes) -> int:
        """Type these bytes. Returns how many the line has taken."""
        try:
            return os.write(self._master, keys)
        except BlockingIOError:
            return 0

    def works(self) -> tuple[bool, str]:
        """(ok, sentence): the console draws its page after a key is typed."""
        self.fresh.clear()
        self.type(b"0")
        # the console draws once a second
        return self.fresh.wait(5.0), "the console draws its page"


def typing(terminal: Terminal, seed: int) -> Turns:
    """Turns of a course.Background: random keys, as fast as the line takes them."""
    rng = random.Random(seed)
    while True:
        taken = terminal.type(bytes(rng.choices(KEYS, k=64)))
        yield {"sent": taken}, 0 if taken else LOOK_S
