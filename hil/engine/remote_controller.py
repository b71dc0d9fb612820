"""Lets the plant process kill the controller directly, and ask the rig for other actions on it.

Messages to the rig wait in a queue and never block the sender.
"""

import contextlib
import os
import select
import signal
import socket
from collections import deque
from collections.abc import Callable

import msgpack


def _message(kind: str, *keys: str) -> Callable[..., None]:
    """Make a method that sends its arguments to the rig under these keys."""
    return lambda self, *values: self._send({"what": kind, **dict(zip(keys, values))})


class RemoteController:
    """kill() and signal() act at once. The other methods send a message to the rig."""

    def __init__(self, send: Callable[[dict], None]) -> None:
        self._send = send
        # A descriptor, because the kernel may give the id of an ended process to a new one.
        self._pidfd: int | None = None

    def runs_as(self, pid: int) -> None:
        """Note the process that the rig has started."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        with contextlib.suppress(ProcessLookupError):  # already ended; the rig notices that
            self._pidfd = os.pidfd_open(pid)

    def ended(self) -> bool:
        """True if the process has ended or was never started."""
        return self._pidfd is None or bool(select.select([self._pidfd], (), (), 0)[0])

    def signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self._pidfd is not None and not self.ended():
            signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """End the process at once (SIGKILL)."""
        self.signal(signal.SIGKILL)
        self._send({"what": "killed"})

    # scenario_operator.py acts on these messages.
    start = _message("start")
    stall = _message("stall", "duration_ms")
    spoil_store = _message("spoil_store")
    store_other_image = _message("store_other_image")
    reset = _message("reset", "by")
    run_request = _message("run_request", "on")

    def hint(self, source: str, kind: int, quantity: int, value_W: int, valid_ms: int) -> None:
        """Have the rig send a hint over the wire, signed with the key of the source."""
        self._send({"what": "hint", "source": source, "order": [kind, quantity, value_W, valid_ms]})


class Mailbox:
    """Sends on a socket that does not block. While the rig does not read, views are dropped."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._unsent: deque[dict] = deque()

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
