"""One serial bus without a line: whole frames, each at the time at which the line would carry it.

`ValuePort` replaces drivers.buses.port.RtuPort for the channels of the field. It gives each request
to the simulated slave and the reply to the driver. Only the newest read of a step counts, because
the controller sees no other.
"""

from collections.abc import Callable, Hashable
from typing import Any

from drivers.buses.port import RtuPort
from drivers.buses.receiver import Receiver
from drivers.buses.rtu import BAD_REPLY, EXCEPTION, TIMEOUT, Request
from hil.devices.rtu_slave import RtuSlave


class Line:
    """The faults of a bus in value mode: cut, or down as a CAN bus is."""

    def __init__(self) -> None:
        self.cut = self.down = False


class _Job:
    __slots__ = ("due_us", "period_us", "request")

    def __init__(self, request: Request, period_us: int, due_us: int) -> None:
        self.request, self.period_us, self.due_us = request, period_us, due_us

    def rank(self) -> tuple[int, int]:
        """What goes first: a stop, a write, the oldest deadline."""
        return self.request.priority, self.due_us + self.period_us


class ValuePort:
    """`watch` {unit id: callable that gets each frame to that unit}, as in RtuPort."""

    def __init__(self, port: RtuPort, slave: RtuSlave, line: Line) -> None:
        """port: has the times of the bus; slave: its devices."""
        self._port, self._slave, self._line = port, slave, line
        self.watch: dict[int, Callable[[bytes], object]] = {}
        self._periodic: list[_Job] = []
        self._once: dict[Hashable, _Job] = {}
        self._receiver = Receiver()
        self._coming: tuple[int, _Job, bytes | None] | None = None  # (time, its job, PDU)
        self._free_us = self._now_us = 0

    def add(self, request: Request, period_us: int, phase_us: int = 0) -> None:
        """Send `request` every period_us, first at phase_us."""
        self._periodic.append(_Job(request, period_us, phase_us))

    def times_us(self, request: Request, turnaround_us: int) -> tuple[int, int]:
        """(until the device has the request, from then to the end of its reply)."""
        port = self._port
        pause_us = port.gap_us + port.turnaround_us
        down_us = port.transaction_us(len(request.frame), 0, 0) - pause_us
        return down_us, port.transaction_us(0, request.reply_bytes, turnaround_us) - pause_us

    def submit(self, request: Request) -> None:
        """Send `request` once; it replaces a waiting one of the same key."""
        waiting = self._once.get(request.key)
        if waiting is None:
            self._once[request.key] = _Job(request, 0, self._now_us)
        else:
            waiting.request = request

    def advance(self, end_us: int) -> None:
        """Do every exchange that ends by end_us."""
        self._now_us = end_us
        while True:
            if self._coming is not None:
                at_us, job, pdu = self._coming
                if at_us > end_us:
                    return
                self._coming = None
                _tell(job.request, pdu, at_us)
            job = self._chosen(end_us)
            if job is None:
                return
            self._exchange(job, max(self._free_us, job.due_us), end_us)

    def _chosen(self, end_us: int) -> Any:
        """The job that the bus carries next, None before end_us."""
        jobs = [*self._once.values(), *self._periodic]
        if not jobs:
            return None
        begin_us = max(self._free_us, min([job.due_us for job in jobs]))
        if begin_us > end_us:
            return None
        return min([job for job in jobs if job.due_us <= begin_us], key=_Job.rank)

    def _exchange(self, job: _Job, begin_us: int, end_us: int) -> None:
        request, port = job.request, self._port
        if job.period_us:
            # a whole period later, the next read begins in this step: that one is seen instead
            late_us = max(begin_us, end_us - job.period_us) - job.due_us
            begin_us = max(begin_us, job.due_us + late_us // job.period_us * job.period_us)
            job.due_us += job.period_us * ((begin_us - job.due_us) // job.period_us + 1)
        else:
            del self._once[request.key]
        if request.unit_id in self.watch:
            self.watch[request.unit_id](request.frame)
        pause_us = port.gap_us + port.turnaround_us
        heard_us = begin_us + port.transaction_us(len(request.frame), 0, 0) - pause_us
        replies = [] if self._line.cut else self._slave.receive(request.frame, heard_us)
        if not replies:
            self._coming = heard_us + port.first_byte_timeout_us, job, None
            self._free_us = self._coming[0]
            return
        due_us, reply = replies[0]
        self._receiver.expect(request)
        self._free_us = due_us + port.transaction_us(0, len(reply), 0)
        self._coming = self._free_us - pause_us, job, self._receiver.feed(reply) or b""


def _tell(request: Request, pdu: bytes | None, at_us: int) -> None:
    """Run the callback: None is no reply, b"" a damaged one."""
    if not pdu:
        request.on_failure(TIMEOUT if pdu is None else BAD_REPLY, 0, at_us)
    elif pdu[0] & 0x80:
        request.on_failure(EXCEPTION, pdu[1], at_us)
    else:
        request.on_reply(pdu, at_us)
