"""A program of the rig's box: `python -m hil.engine.clocked [beside] run FILE ...`.

A box has a time source. A development machine often has none, and without one no schedule acts and
peak shaving keeps its instantaneous cap. So the clock of this machine counts as right within
ERROR_US where nothing steers it. The clock itself stays untouched. A program `beside` the
controller ends with the process that started it; the controller ends after the rig, in order.
"""

import ctypes
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


if __name__ == "__main__":
    utc.Clocks.steered_us = staticmethod(error_us)
    is_beside = sys.argv[1] == BESIDE
    if is_beside:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    sys.exit(program.main(sys.argv[1 + is_beside :]))
