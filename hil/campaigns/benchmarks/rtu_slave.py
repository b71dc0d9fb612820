"""A process with a Modbus slave that answers one request: function 3, COUNT constant registers.

`python -m ...rtu_slave MASTER_FD BAUD`: BAUD 0 answers at once. Otherwise the pty is paced, and the
reply comes in pieces, as from a UART. Prints `ready`; ends with its standard input.
"""

import os
import select
import sys

from controller.system import realtime
from drivers.buses.crc import seal
from hil.campaigns.benchmarks import timing

UNIT_ID, FUNCTION, ADDRESS, COUNT = 1, 3, 100, 20
VALUES = tuple(1000 + register for register in range(COUNT))
CHARACTER_BITS = 10
GAP_CHARACTERS = 3.5
PIECE_BYTES = 8
REQUEST_BYTES = 8
REPLY = seal(
    bytes((UNIT_ID, FUNCTION, 2 * COUNT)) + b"".join(value.to_bytes(2, "big") for value in VALUES)
)


def wire_us(baud_Bd: int) -> tuple[float, float]:
    """(transaction, cycle) on the wire, us. The cycle also contains the gap after the reply."""
    character_us = CHARACTER_BITS * 1e6 / baud_Bd
    transaction_us = (REQUEST_BYTES + GAP_CHARACTERS + len(REPLY)) * character_us
    return transaction_us, transaction_us + GAP_CHARACTERS * character_us


def pieces(reply: bytes, baud_Bd: int) -> list[tuple[int, bytes]]:
    """[(ns after the request was passed on, bytes)] of a paced reply."""
    character_ns = CHARACTER_BITS * 1e9 / baud_Bd
    begin_ns = (REQUEST_BYTES + GAP_CHARACTERS) * character_ns
    ends = [*range(PIECE_BYTES, len(reply), PIECE_BYTES), len(reply)]
    return [
        (round(begin_ns + end * character_ns), reply[start:end])
        for start, end in zip([0, *ends], ends)
    ]


def _answer(fd: int, baud_Bd: int, came_ns: int) -> None:
    if not baud_Bd:
        os.write(fd, REPLY)
        return
    for after_ns, piece in pieces(REPLY, baud_Bd):
        left_ns = came_ns + after_ns - timing.now_ns()
        if left_ns > 0:
            timing.wait_s(left_ns / 1e9)
        os.write(fd, piece)


def main(fd: int, baud_Bd: int) -> None:
    """Serve until standard input ends."""
    realtime.prepare()
    print("ready", flush=True)
    waiting = b""
    while True:
        ready = select.select([fd, sys.stdin], (), ())[0]
        if sys.stdin in ready:
            return
        waiting += os.read(fd, 4096)
        if len(waiting) >= REQUEST_BYTES:
            came_ns, waiting = timing.now_ns(), b""
            _answer(fd, baud_Bd, came_ns)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
