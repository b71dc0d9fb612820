"""`shifted_clock FILE record run ...`: `firebreak record run` with a wall clock that can step.

FILE holds one i64: the microseconds that the program adds to the host's wall clock. A time
namespace cannot shift CLOCK_REALTIME.
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
    utc.Clocks.utc_us = staticmethod(lambda: int(clock.utc_us()) + OFFSET.unpack_from(shown)[0])
    sys.exit(program.main(sys.argv[2:]))
