"""Messages to the rig: they wait here and never block the sender."""

import contextlib
from collections import deque

import msgpack


class Mailbox:
    """`send` to a socket that does not block; views are left out while the rig does not read."""

    def __init__(self, connection):
        self.connection = connection
        self._unsent = deque()

    def send(self, message):
        """Send one message, now or later."""
        if message["what"] != "view" or not self._unsent:
            self._unsent.append(message)
            self.flush()
            if self._unsent and self._unsent[-1]["what"] == "view":
                self._unsent.pop()

    def flush(self):
        """Send what has waited."""
        with contextlib.suppress(BlockingIOError):  # the rig does not read: try again later
            while self._unsent:
                with contextlib.suppress(ConnectionError):  # its death is noticed by the receiver
                    self.connection.send(msgpack.packb(self._unsent[0]))
                self._unsent.popleft()
