"""`python -m hil bench rtu` compares the time of a Modbus RTU transaction with libmodbus.

A transaction reads 20 registers by function 3. Both masters take turns on one pty, round by round,
with an equal silence before each transaction. In the first condition the slave answers at once,
which shows the cost of the program. In the second it is paced to 19200 Bd, which shows how well the
program uses the wire. A cycle also contains the silence after the reply; libmodbus keeps none.
Masters and slave have separate cores if there are two, because the scheduler's choice of a core
moved a median by half.
"""

import contextlib
import os
import select
import subprocess
from collections.abc import Iterator
from typing import Any

from controller.config.bus_schema import Bus
from controller.run.loop import Wire
from controller.system import clock, realtime
from drivers.buses.port import RtuPort
from drivers.buses.rtu import FAILURES, read_request
from hil.campaigns import process
from hil.campaigns.benchmarks import libmodbus, rtu_slave, timing
from hil.campaigns.benchmarks.document import Figures, Measured, figure, percentile

# The baud rates of the two conditions. The engine drops bytes that come before its request can have
# left the wire, so the fast condition uses the highest baud rate.
FAST_BD, PACED_BD = 4_000_000, 19_200
STOP_S = 10
Rounds = dict[str, list[dict[str, float]]]  # {master: its rounds, the quietest first}


class RtuError(RuntimeError):
    """The slave did not answer. One line."""


class Engine:
    """The controller's engine, driven as by its loop between two ticks."""

    def __init__(self, path: str, baud_Bd: int) -> None:
        # a busy machine may delay the slave, which is no failure here
        self.port = RtuPort("bench", baud_Bd, first_byte_timeout_us=2_000_000)
        bus = Bus("bench", "rtu", port=path, baud_Bd=baud_Bd)
        self.wire = Wire(bus, self.port)
        asked = (rtu_slave.UNIT_ID, rtu_slave.FUNCTION, rtu_slave.ADDRESS, rtu_slave.COUNT)
        self._request = read_request("bench", *asked, self._on_reply, self._on_failure)

    def close(self) -> None:
        """Close the port."""
        self.wire.serial.close()

    def read(self) -> tuple[int, int]:
        """Do one transaction after the silence. Returns (time of sending, duration) in ns."""
        fd = self.wire.serial.fileno()
        self._ended = False
        self.port.submit(self._request)
        while (left_us := self.port.wake_us - clock.now_us()) > 0:
            select.select([fd], (), (), left_us / 1e6)
        sent_ns = timing.now_ns()
        self.wire.give(clock.now_us())
        while not self._ended:
            select.select([fd], (), (), max(0, self.port.wake_us - clock.now_us()) / 1e6)
            self.wire.take(clock.now_us())
            self.wire.give(clock.now_us())  # ends the request when its time-out is over
        return sent_ns, timing.now_ns() - sent_ns

    def _on_reply(self, pdu: bytes, now_us: int) -> None:
        self._ended = True
        if pdu != rtu_slave.REPLY[1:-2]:
            raise RtuError("the engine took another reply for the slave's")

    def _on_failure(self, kind: int, code: int, now_us: int) -> None:
        raise RtuError(f"the slave did not answer: {FAILURES[kind]}")


@contextlib.contextmanager
def slave(paced_Bd: int) -> Iterator[str]:
    """Path of a pty with the slave behind it. paced_Bd 0: the slave answers at once."""
    master, tty_end = process.raw_pty()
    answering: Any = process.module(
        "hil.campaigns.benchmarks.rtu_slave",
        master,
        paced_Bd,
        pass_fds=(master,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    cores = sorted(os.sched_getaffinity(0))
    try:
        if not answering.stdout.readline():
            raise RtuError("the slave did not start")
        os.sched_setaffinity(answering.pid, cores[-1:])
        os.sched_setaffinity(0, cores[:1])
        yield os.ttyname(tty_end)
    finally:
        os.sched_setaffinity(0, cores)
        answering.stdin.close()
        answering.stdout.close()
        process.wait(answering, STOP_S)
        os.close(master)
        os.close(tty_end)


def run(count: int = 200, rounds: int = 12) -> Measured:
    """The findings. count: transactions of each master per round (a twentieth if paced)."""
    library, slow = libmodbus.load(), max(2, count // 20)
    realtime.prepare()
    fast = _compare(library, FAST_BD, 0, count, rounds)
    paced = _compare(library, PACED_BD, PACED_BD, slow, rounds)
    notes = [] if library else [libmodbus.MISSING]
    notes.append(
        f"the quietest of {rounds} rounds of {count} transactions ({slow} paced), masters in "
        "turn; the slave is a Python process, its time is in both"
    )
    details = {"fast": fast, "paced": paced}
    return Measured(_figures(fast, paced), notes, details)


def _compare(library: Any, baud_Bd: int, paced_Bd: int, count: int, rounds: int) -> Rounds:
    """{"engine" and "libmodbus": [{median_us, p99_us, cycle_us} of a round], quietest first}."""
    by_master: Rounds = {"engine": [], "libmodbus": []}
    with slave(paced_Bd) as path:
        for _ in range(rounds):
            with contextlib.closing(Engine(path, baud_Bd)) as engine:
                by_master["engine"].append(_round(engine, count))
            if library:
                gap_us = engine.port.gap_us
                with contextlib.closing(libmodbus.Client(library, path, baud_Bd, gap_us)) as rival:
                    by_master["libmodbus"].append(_round(rival, count))
    return {
        name: sorted(turns, key=lambda turn: turn["median_us"]) for name, turns in by_master.items()
    }


def _round(master: Engine | libmodbus.Client, count: int) -> dict[str, float]:
    master.read()  # the first one opens and warms up
    taken = [master.read() for _ in range(count)]
    times_ns = [time_ns for _, time_ns in taken]
    cycles_ns = [after - before for (before, _), (after, _) in zip(taken, taken[1:])]
    return {
        "median_us": percentile(times_ns, 500) / 1000,
        "p99_us": percentile(times_ns, 990) / 1000,
        "cycle_us": percentile(cycles_ns, 500) / 1000,
    }


def _figures(fast: Rounds, paced: Rounds) -> Figures:
    quantity = f"RTU transaction, FC3 x {rtu_slave.COUNT}"
    slow_what = f"paced to {PACED_BD} Bd"
    transaction_us, cycle_us = rtu_slave.wire_us(PACED_BD)
    engine, slow = fast["engine"][0], paced["engine"][0]
    name = libmodbus.NAME if fast["libmodbus"] else None
    rival, slow_rival = (condition["libmodbus"][0] if name else {} for condition in (fast, paced))
    cycle, wire = f"cycle {slow_what}, both silences in it", "wire time"
    rows: tuple[tuple[Any, ...], ...] = (
        ("pty, median", engine["median_us"], name, rival.get("median_us"), "rtu_transaction"),
        ("pty, p99", engine["p99_us"], name, rival.get("p99_us")),
        (f"{slow_what}, median", slow["median_us"], name, slow_rival.get("median_us")),
        ("the same against its wire time", slow["median_us"], wire, transaction_us),
        (cycle, slow["cycle_us"], wire, cycle_us, "rtu_paced"),
    )
    return [figure(f"{quantity}, {label}", value, "us", *beside) for label, value, *beside in rows]
