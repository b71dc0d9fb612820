"""Sets real-time scheduling, and reports to the service manager. A refusal is only a line.

The priority is set last, so that nothing slow runs at this priority. Child processes do not inherit
it.
"""

import ctypes
import gc
import os
import socket
from collections.abc import Mapping

# It is above ordinary processes and just below the interrupt threads of a real-time kernel (50). At
# the same priority as these threads, a CAN chip with room for five frames (SJA1000) lost 11 to 15 %
# of its frames during the ticks of the loop; below them 1.5 % (emulated box of vm-test, 270
# frames/s).
FIFO_PRIORITY = 49
MCL_CURRENT, MCL_FUTURE = 1, 2


def prepare(priority: int = FIFO_PRIORITY) -> list[str]:
    """Freeze the garbage collector, lock memory, take SCHED_FIFO. Returns lines of refusals."""
    freeze_collector()
    lines = []
    try:
        lock_memory()
    except OSError as error:
        remedy = "give the service LimitMEMLOCK=infinity"
        lines.append(f"memory is not locked ({error.strerror}): {remedy}")
    try:
        take_fifo(priority)
    except OSError as error:
        remedy = f"give the service LimitRTPRIO={priority}"
        lines.append(f"no real-time priority ({error.strerror}): {remedy}")
    return lines


def freeze_collector() -> None:
    """Collect once, exempt all present objects from collection, and switch the collector off."""
    gc.collect()
    gc.freeze()
    gc.disable()


def lock_memory() -> None:
    """Lock all present and future memory (mlockall). Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(MCL_CURRENT | MCL_FUTURE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def take_fifo(priority: int) -> None:
    """Take SCHED_FIFO for this process, not for its children. Raises OSError."""
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


class Notifier:
    """Reports to the service manager: ready, alive, stopping (sd_notify).

    Reports are datagrams to $NOTIFY_SOCKET. Without that variable no call has an effect. No call
    waits. dropped: number of datagrams that could not be sent.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ):
        """environment: may have NOTIFY_SOCKET."""
        self.dropped = 0
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket = None
        if path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Report that the controller runs. status: one line for the operator."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Report that a tick is complete. Call it only at the end of the loop."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that the controller ends in order."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            self.dropped += 1
