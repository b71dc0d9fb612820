#!/opt/firebreak/current/bin/python3
"""Runs in the box, which has no time server. `set`: adds a second to its clock and steers it, as a
time service would. `event`: prints the newest recorded event about a set clock as one line of JSON,
or null.
"""

import ctypes
import json
import sys

from controller.record.utc import Timex
from controller.state import record
from controller.system.paths import STATE_DIRECTORY

# of adjtimex(2); the offset goes first: it says "not steered"
SETOFFSET, MAXERROR, STATUS = 0x100, 0x4, 0x10
STA_PLL = 0x1  # steered: without STA_UNSYNC beside it the kernel believes so
OFFSET_S, ERROR_US = 1, 1000
EVENTS = 200  # the newest ones, to be looked through


def set_clock(library):
    """Exit code. library: ctypes.CDLL(None), the C library."""
    wanted = Timex(
        modes=SETOFFSET | MAXERROR | STATUS, time_s=OFFSET_S, status=STA_PLL, maxerror=ERROR_US
    )
    return int(library.adjtimex(ctypes.byref(wanted)) < 0)


def newest(state_directory):
    """The newest event with code CLOCK, None without one."""
    found = record.opened(state_directory)
    events = found.events(EVENTS) if found else ()
    return next((event for event in reversed(events) if event["code"] == "CLOCK"), None)


def main(argv):
    """argv: `set` or `event`. Returns the exit code."""
    if argv == ["set"]:
        return set_clock(ctypes.CDLL(None))
    print(json.dumps(newest(STATE_DIRECTORY)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
