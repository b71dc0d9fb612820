"""Messages to the rig: they wait in a queue and never block the sender."""

import contextlib
import socket
from collections import deque

import msgpack


class Mailbox:
    """Sends on a socket that does not block. While the rig does not read, views are dropped."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._unsent = deque()

    def send(self, message: dict) -> None:
        """Send one message, now or later."""
        if message["what"] != "view" or not self._unsent:
            self._unsent.append(message)
            self.flush()
            if self._unsent and self._unsent[-1]["what"] == "view":
                self._unsent.pop()

    def flush(self) -> None:
        """Send the waiting messages."""
        with contextlib.suppress(BlockingIOError):  # the rig does not read now
            while self._unsent:
                with contextlib.suppress(ConnectionError):  # the reader notices that the rig died
                    self.connection.send(msgpack.packb(self._unsent[0]))
                self._unsent.popleft()
