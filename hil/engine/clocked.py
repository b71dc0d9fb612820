"""A program of the rig's box: `python -m hil.engine.clocked [beside PID] run FILE ...`.

A box has a time source. A development machine often has none, and without one no schedule acts and
peak shaving keeps its instantaneous cap. So the clock of this machine counts as right within
ERROR_US where nothing steers it. The clock itself stays untouched. A program `beside` the
controller ends with the rig, its parent PID; the controller ends after the rig, in order.
"""

import ctypes
import os
import signal
import sys

from controller import __main__ as program
from controller.system import utc

ERROR_US = 5000  # of a box with NTP
BESIDE = "beside"
PR_SET_PDEATHSIG = 1  # of prctl(2)


def error_us() -> int:
    """Error of the clock, us: what the kernel knows of it, else ERROR_US."""
    known_us = utc.steered_us()
    return ERROR_US if known_us is None else known_us


def end_with(parent: int) -> None:
    """End with the process `parent`, also if it has ended before this call."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit()


if __name__ == "__main__":
    utc.Clocks.steered_us = staticmethod(error_us)
    words = sys.argv[1:]
    if words[0] == BESIDE:
        end_with(int(words[1]))
        words = words[2:]
    sys.exit(program.main(words))
