"""Channel B as a process: the same loop and channel, on a pty instead of a UART, for fast trials.

`python -m ...standin MEMORY TTY` runs until it is killed; a watchdog restarts it as hardware would.
"""

import contextlib
import os
import select
import signal
import sys
import time
import tty
from array import array
from typing import Any, NoReturn

from hil.campaigns import process
from hil.campaigns.channel_b import memory as mem
from hil.campaigns.channel_b.emulator import EmulatorError
from safety import matrix as m
from safety.mcu import loop
from safety.second import RELAY_BIT


class Board(loop.Board):
    """The board: clock and watchdog of the operating system, pins in the shared memory."""

    def __init__(self, memory: mem.Memory, link: int) -> None:
        """link: descriptor of the tty."""
        self._memory, self._link = memory, link
        self._tick_ns = self._due_ns = 0

    def service(self) -> bool:
        """Return False, because there is no service jumper."""
        return False

    def image(self) -> bytes:
        """The limit image."""
        return self._memory.image()

    def remembered(self) -> tuple[int, int, int]:
        """(latch level, count and digest of channel A's store). After a reset by the watchdog, the
        level is at least REMOTE.
        """
        read = self._memory.read
        level = max(read(mem.LATCH_LEVEL), m.REMOTE if read(mem.RUNNING) else 0)
        return level, read(mem.KEPT_COUNT), read(mem.KEPT_DIGEST)

    def remember(self, level: int, count: int, digest: int) -> None:
        """Keep a latch level, and count and digest of channel A's store."""
        self._memory.write(mem.LATCH_LEVEL, level)
        self._memory.write(mem.KEPT_COUNT, count)
        self._memory.write(mem.KEPT_DIGEST, digest)

    def contacts(self) -> int:
        """The contact bits; the mirror contact follows the output."""
        while self._memory.read(mem.HANG):
            pass
        mirror = RELAY_BIT if self._memory.read(mem.OUTPUT) else 0
        return self._memory.read(mem.CONTACTS) | mirror

    def relay(self, on: int) -> None:
        """Set the permit output."""
        self._memory.write(mem.OUTPUT, on)

    def read(self, buffer: bytearray) -> int:
        """Wait until the next tick for bytes of the link. Returns their number."""
        wait_s = max(0, self._due_ns + self._tick_ns - time.monotonic_ns()) / 1e9
        if not select.select([self._link], (), (), wait_s)[0]:
            return 0
        with contextlib.suppress(BlockingIOError):
            return os.readv(self._link, [buffer])
        return 0

    def send(self, data: bytearray) -> None:
        """Send a frame. If the line is full, the frame is lost."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._link, data)

    def start(self, tick_ms: int) -> None:
        """Start watchdog and tick."""
        self._memory.write(mem.RUNNING, 1)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self._tick_ns = tick_ms * 1_000_000
        self._due_ns = time.monotonic_ns()
        self.kick()

    def elapsed(self) -> int:
        """Whole ticks since the last call."""
        ticks = (time.monotonic_ns() - self._due_ns) // self._tick_ns
        self._due_ns += ticks * self._tick_ns
        return ticks

    def kick(self) -> None:
        """Reload the watchdog. If that does not happen in time, SIGALRM kills the process."""
        signal.setitimer(signal.ITIMER_REAL, self._memory.read(mem.WATCHDOG_MS) / 1000)


class Standin:
    """The process and its wires, with the methods of an Emulator."""

    description = "the same program on CPython as a process"

    def __init__(self, folder: str, image: "array[int]") -> None:
        """folder: for the shared memory; image: of channel A."""
        self.memory = mem.Memory(os.path.join(folder, "memory"), image)
        self.link, self._slave = process.raw_pty()
        self._process: Any = None

    def start(self) -> float:
        """Start the process. Returns the time of the start (time.monotonic, s)."""
        began_s = time.monotonic()
        self._process = process.module(
            "hil.campaigns.channel_b.standin", self.memory.path, os.ttyname(self._slave)
        )
        return began_s

    def permit(self) -> int:
        """The permit output: 0 or 1."""
        if self._process.poll() is not None:
            raise EmulatorError(f"the stand-in has ended with {self._process.returncode}")
        return self.memory.read(mem.OUTPUT)

    def reset(self) -> None:
        """Switch power off and on."""
        process.end(self._process)
        self.memory.write(mem.OUTPUT, 0)
        self.start()

    def close(self) -> None:
        """End the process and close its wires."""
        if self._process is not None:
            process.end(self._process)
        os.close(self.link)
        os.close(self._slave)
        self.memory.close()


def _live(memory: mem.Memory, link: int) -> NoReturn:
    """Run the board in this child process. The process ends with it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        loop.run(Board(memory, link))
    except ValueError as error:
        print(f"channel B: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def main(path: str, tty_name: str) -> int:
    """Run the board. Start it again when the watchdog has killed it."""
    memory = mem.Memory(path)
    link = os.open(tty_name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(link)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        pid = os.fork()
        if pid == 0:
            _live(memory, link)
        try:
            status = os.waitpid(pid, 0)[1]
        except SystemExit:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        memory.write(mem.OUTPUT, 0)  # a pin falls with its microcontroller
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM):
            return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
