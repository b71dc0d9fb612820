"""Messages to the rig: they wait here, never in the sender."""

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
        while self._unsent and self._try_to_send(self._unsent[0]):
            self._unsent.popleft()

    def _try_to_send(self, message):
        """False while the rig does not read. A rig that has died is found out by who receives."""
        with contextlib.suppress(ConnectionError):
            try:
                self.connection.send(msgpack.packb(message))
            except BlockingIOError:
                return False
        return True
