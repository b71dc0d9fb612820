"""Measures stalls of the machine itself: `python -m hil.campaigns.chaos.witness FILE CORE PARENT`.

A stall of a virtual core delays that core alone. So each core has a witness, just above the
controller's priority, which wakes and sends a byte through a pty like the loop. FILE holds two u64
per core, us: the largest lateness, and the sum of those above STALL_US. The campaign resets them.
"""

import mmap
import os
import struct
import sys
import time

from controller.system import realtime
from hil.campaigns import process

PERIOD_NS = 5_000_000
STALLS = struct.Struct("<QQ")
STALL_US = 5000  # by the design, a longer lateness is a stall of the machine


def watch(path: str, core: int, parent: int) -> None:
    """Run until the parent process has ended."""
    with open(path, "r+b") as file:
        shown = mmap.mmap(file.fileno(), 0)
    os.sched_setaffinity(0, {core})
    realtime.prepare(realtime.FIFO_PRIORITY + 1)
    master, slave = process.raw_pty()
    offset, due_ns = core * STALLS.size, time.monotonic_ns()
    while os.getppid() == parent:
        due_ns += PERIOD_NS
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        os.write(master, b"x")
        os.read(slave, 1)
        late_us = (time.monotonic_ns() - due_ns) // 1000
        worst_us, sum_us = STALLS.unpack_from(shown, offset)
        STALLS.pack_into(shown, offset, *added(worst_us, sum_us, late_us))
        due_ns += late_us * 1000 // PERIOD_NS * PERIOD_NS


def added(worst_us: int, sum_us: int, late_us: int) -> tuple[int, int]:
    """(worst, sum) after another lateness."""
    return max(worst_us, late_us), sum_us + (late_us if late_us > STALL_US else 0)


if __name__ == "__main__":
    watch(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
