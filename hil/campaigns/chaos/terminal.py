"""The technician's terminal: the other end of the serial console's line. It reads, stops reading,
or types like mad.
"""

import os
import random
import select
import threading
import tty

READ_BYTES = 4096
LOOK_S = 0.05
FRESH_S = 5.0  # a console draws once a second
KEYS = b"0123456789?RAETKLnb \r\n\x1b[A\x03\x00\xff"


class Terminal:
    """A pty; `slave_name` is the console's line. A thread takes what it draws while `reads` is set.
    For `with`.
    """

    def __init__(self):
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.slave_name = os.ttyname(self._slave)
        self.reads, self._over, self.fresh = threading.Event(), threading.Event(), threading.Event()
        self.reads.set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _run(self):
        while not self._over.is_set():
            if not self.reads.is_set():
                self._over.wait(LOOK_S)
            elif (
                select.select([self._master], (), (), LOOK_S)[0] and self.reads.is_set()
            ):  # or it stopped meanwhile
                os.read(self._master, READ_BYTES)
                self.fresh.set()

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
        return self.fresh.wait(FRESH_S), "the console draws its page"


class Typing:
    """Random keys as fast as the line takes them, for as long as the context lasts. `typed`: how
    many bytes.
    """

    def __init__(self, terminal, seed):
        self._terminal, self._random = terminal, random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.typed = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.is_set():
            taken = self._terminal.type(bytes(self._random.choices(KEYS, k=64)))
            self.typed += taken
            if not taken:
                self._over.wait(LOOK_S)
