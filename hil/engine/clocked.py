"""Runs `firebreak` for the rig, with a clock that counts as right even without a time source.

Call: `python -m hil.engine.clocked [beside PID] run FILE ...`. A box has a time source. A
development machine often has none. Without a time source no schedule acts, and peak shaving keeps
its instantaneous cap. So a clock without a time source counts as right within ERROR_US. The clock
itself is not changed. A program `beside` the controller ends with the rig, whose process id is PID.
The controller itself ends later, by a controlled stop.
"""

import ctypes
import os
import signal
import sys

from controller import __main__ as program
from controller.system import utc

ERROR_US = 5000  # assumed, as on a box with NTP
BESIDE = "beside"
PR_SET_PDEATHSIG = 1  # option of prctl(2)


def error_us() -> int:
    """Error of the clock, us: the kernel's estimate, or ERROR_US if the kernel has none."""
    known_us = utc.steered_us()
    return ERROR_US if known_us is None else known_us


def end_with(parent: int) -> None:
    """End when the process `parent` ends, or now if it has already ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit()


if __name__ == "__main__":
    utc.Clocks.steered_us = staticmethod(error_us)
    arguments = sys.argv[1:]
    if arguments[0] == BESIDE:
        end_with(int(arguments[1]))
        arguments = arguments[2:]
    sys.exit(program.main(arguments))
