"""What a process asks of its system to keep 20 ms deadlines, and what it tells it: each refusal is
a line, never fatal.

The order matters: build everything, freeze the collector, lock the memory, and take the priority
last, so that nothing slow ever runs at that priority. Child processes do not inherit it.
"""

import ctypes
import gc
import os
import socket

# the middle of 1..99: above ordinary processes, beside interrupt threads, below the kernel's own
FIFO_PRIORITY = 50
MCL_CURRENT, MCL_FUTURE = 1, 2


class Realtime:
    """What could be set: `gc_frozen_ok`, `memory_locked_ok`, `fifo_ok`; `lines` says what could
    not, and the remedy.
    """

    __slots__ = ("gc_frozen_ok", "memory_locked_ok", "fifo_ok", "lines")

    def __init__(self):
        self.gc_frozen_ok = self.memory_locked_ok = self.fifo_ok = False
        self.lines = []

    @property
    def all_ok(self):
        """True when nothing was refused."""
        return self.gc_frozen_ok and self.memory_locked_ok and self.fifo_ok


def prepare(priority=FIFO_PRIORITY):
    """Freeze the collector, lock the memory, take SCHED_FIFO, in this order. Returns a Realtime;
    call it once, last.
    """
    result = Realtime()
    freeze_collector()
    result.gc_frozen_ok = not gc.isenabled()
    result.memory_locked_ok = _try(
        result.lines,
        lock_memory,
        "memory is not locked ({}): give the service LimitMEMLOCK=infinity",
    )
    result.fifo_ok = _try(
        result.lines,
        lambda: take_fifo(priority),
        "no real-time priority ({}): give the service LimitRTPRIO=" + str(priority),
    )
    return result


def freeze_collector():
    """Collect once, move everything that lives to where the collector does not look, and switch it
    off.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def lock_memory():
    """mlockall of everything present and future. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(MCL_CURRENT | MCL_FUTURE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def take_fifo(priority):
    """SCHED_FIFO for this process, not for its children. Raises OSError."""
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


def _try(lines, action, sentence):
    try:
        action()
    except OSError as error:
        lines.append(sentence.format(error.strerror))
        return False
    return True


class Notifier:
    """Tells the service manager: ready, alive, stopping (the sd_notify protocol: datagrams to
    $NOTIFY_SOCKET).

    Without that variable every call does nothing. `dropped` counts datagrams that could not be
    sent; no call waits. `watchdog_us` is the period within which `alive` must come (half of it is
    wise), 0 when none is asked for.
    """

    def __init__(self, environment=os.environ):
        """environment: mapping with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, all optional."""
        self.dropped = 0
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket = None
        if path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period = environment.get("WATCHDOG_USEC", "")
        self.watchdog_us = int(period) if meant and period.isdigit() else 0

    def ready(self, status):
        """The controller runs; status: one line for the operator."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self):
        """A tick has completed: only the end of the loop may say so."""
        self._send("WATCHDOG=1")

    def stopping(self):
        """The controller ends by its own will."""
        self._send("STOPPING=1")

    def _send(self, text):
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            self.dropped += 1
