"""`firebreak record` with a wall clock that can be stepped: `python -m
hil.campaigns.chaos.shifted_clock FILE record ...`.

FILE holds one i64: us by which the day is wrong. The host's clock is never touched, and a time
namespace cannot shift CLOCK_REALTIME; so the step comes at the one place where the recorder reads
what the day is.
"""

import mmap
import struct
import sys

from controller import __main__ as program
from controller.system import clock, utc

OFFSET = struct.Struct("<q")


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        shown = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    utc.Clocks.utc_us = staticmethod(lambda: clock.utc_us() + OFFSET.unpack_from(shown)[0])
    sys.exit(program.main(sys.argv[2:]))
