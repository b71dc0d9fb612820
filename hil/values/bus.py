"""Carries whole frames of one serial bus, each at the time that it would take on the line.

`ValuePort` replaces drivers.buses.port.RtuPort. If one step has several reads of the same request,
only the newest counts, because the controller sees no other.
"""

import dataclasses
from collections.abc import Callable, Hashable
from struct import Struct

from drivers.buses.jobs import NEVER, PATIENCE_US
from drivers.buses.port import RtuPort
from drivers.buses.receiver import Receiver
from drivers.buses.rtu import BAD_REPLY, EXCEPTION, READ, TIMEOUT, Request
from drivers.buses.unit import SILENT_AFTER, UnitStatistics
from hil.devices.registers import ModbusException, RegisterDevice
from hil.devices.rtu_slave import RtuSlave

REQUEST = Struct(">BBHH")  # unit, function, address, count


class Line:
    """The faults of a bus in value mode: cut, or down like a CAN bus."""

    def __init__(self) -> None:
        self.cut = self.down = False

    @property
    def noise(self) -> None:
        """None, because value mode has no bytes that noise could disturb."""
        return None

    @noise.setter
    def noise(self, noise: object) -> None:
        if noise is not None:
            raise ValueError("noise on a bus needs its bytes: allowed in byte mode alone")


def is_sound(device: RegisterDevice, line: Line) -> bool:
    """True while the device answers with right values and in time."""
    return not (
        line.cut
        or device.silent
        or device.exception_code
        or device.ignore_writes
        or device.bad_crc
        or device.late_us
        or device.overrides
        or device.reply_id is not None
        or device.cut_reply_bytes is not None
    )


@dataclasses.dataclass(slots=True, eq=False)
class _Job:
    request: Request
    unit: UnitStatistics
    period_us: int
    due_us: int
    times_us: tuple[int, int]  # as ValuePort.times_us, without the device's turnaround

    def ready_us(self) -> int:
        """Time from which the job may begin. A read of a silent unit waits."""
        is_read = self.request.priority == READ
        return max(self.due_us, self.unit.retry_us) if is_read else self.due_us

    def rank(self, begin_us: int) -> tuple[int, int]:
        """Rank; the lowest goes first: stops, writes, oldest deadline. A silent unit goes last."""
        unit = self.unit
        waits = unit.silent >= SILENT_AFTER and begin_us - unit.silent_us < PATIENCE_US
        return READ + 1 if waits else self.request.priority, self.due_us + self.period_us


class ValuePort:
    """`watch`: {unit id: functions that get each frame sent to this unit}, as in RtuPort."""

    def __init__(self, port: RtuPort, slave: RtuSlave, line: Line) -> None:
        """port: gives the times of the bus; slave: has its devices; line: has its faults."""
        self._port, self._slave, self._line = port, slave, line
        self.watch: dict[int, list[Callable[[bytes], object]]] = {}
        self.statistics: dict[int, UnitStatistics] = {}
        self._periodic: list[_Job] = []
        self._once: dict[Hashable, _Job] = {}
        self._receiver = Receiver()
        # (time at which the device has the request, job)
        self._sent: tuple[int, _Job] | None = None
        self._reply: tuple[int, Request, bytes | None] | None = None  # (time, request, PDU)
        self._free_us = self._now_us = self._wake_us = 0

    def add(self, request: Request, period_us: int, phase_us: int = 0) -> None:
        """Send `request` every period_us, first at phase_us."""
        self._periodic.append(self._job(request, period_us, phase_us))
        self._wake_us = 0

    def _job(self, request: Request, period_us: int, due_us: int) -> _Job:
        times_us = self.times_us(request, 0)
        return _Job(request, self._unit(request), period_us, due_us, times_us)

    def _unit(self, request: Request) -> UnitStatistics:
        return self.statistics.setdefault(request.unit_id, UnitStatistics())

    def times_us(self, request: Request, turnaround_us: int) -> tuple[int, int]:
        """(time until the device has the request, time from then to the end of its reply)."""
        port = self._port
        pause_us = port.gap_us + port.turnaround_us
        down_us = port.transaction_us(len(request.frame), 0, 0) - pause_us
        return down_us, port.transaction_us(0, request.reply_bytes, turnaround_us) - pause_us

    def is_silent(self, unit_id: int) -> bool:
        """True if a unit has not answered its last request."""
        unit = self.statistics.get(unit_id)
        return unit is not None and unit.silent > 0

    def submit(self, request: Request) -> None:
        """Send `request` once. It replaces a waiting request with the same key."""
        self._wake_us = 0
        waiting = self._once.get(request.key)
        if waiting is None:
            self._once[request.key] = self._job(request, 0, self._now_us)
        else:
            waiting.request, waiting.times_us = request, self.times_us(request, 0)

    def withdraw(self, request: Request) -> None:
        """Take back a submitted request if it has not been sent yet."""
        waiting = self._once.get(request.key)
        if waiting is not None and waiting.request is request:
            del self._once[request.key]

    def advance(self, end_us: int) -> None:
        """Carry out every exchange that ends by end_us."""
        self._now_us = end_us
        if end_us < self._wake_us:
            return
        while True:
            if self._sent is not None:
                heard_us, job = self._sent
                if heard_us > end_us:
                    self._wake_us = heard_us
                    return
                self._sent = None
                self._serve(job, heard_us)
            if self._reply is not None:
                reply_us, request, pdu = self._reply
                if reply_us > end_us:
                    self._wake_us = reply_us
                    return
                self._reply = None
                self._call_back(request, pdu, reply_us)
            next_job = self._next_job(end_us)
            if next_job is None:
                return
            self._send(next_job, max(self._free_us, next_job.ready_us()), end_us)

    def _next_job(self, end_us: int) -> _Job | None:
        """The job that the bus carries next; None if none begins before end_us."""
        earliest_us, ready = NEVER, []
        for jobs in (self._once.values(), self._periodic):
            for job in jobs:
                due_us = job.due_us if job.due_us >= job.unit.retry_us else job.ready_us()
                if due_us < earliest_us:
                    earliest_us = due_us
                if due_us <= end_us:
                    ready.append((due_us, job))
        self._wake_us = begin_us = max(self._free_us, earliest_us)
        if begin_us > end_us:
            return None
        if len(ready) == 1:
            return ready[0][1]
        due = [job for due_us, job in ready if due_us <= begin_us]
        return due[0] if len(due) == 1 else min(due, key=lambda job: job.rank(begin_us))

    def _send(self, job: _Job, begin_us: int, end_us: int) -> None:
        """Send a request, which arrives after its time on the line."""
        request = job.request
        if job.period_us:
            # If a job has several reads in this step, the controller sees only the last one.
            late_us = max(begin_us, end_us - job.period_us) - job.due_us
            begin_us = max(begin_us, job.due_us + late_us // job.period_us * job.period_us)
            job.due_us += job.period_us * ((begin_us - job.due_us) // job.period_us + 1)
        else:
            del self._once[request.key]
        for see in self.watch.get(request.unit_id, ()):
            see(request.frame)
        self._sent = begin_us + job.times_us[0], job

    def _serve(self, job: _Job, heard_us: int) -> None:
        """Let the device answer the request."""
        port, replies, request = self._port, [], job.request
        device = self._slave.units.get(request.unit_id)
        if request.priority == READ and device is not None and is_sound(device, self._line):
            self._read(request, device, heard_us, heard_us + job.times_us[1])
            return
        if not self._line.cut:
            replies = self._slave.receive(request.frame, heard_us)
        if not replies:
            self._free_us = heard_us + port.first_byte_timeout_us + job.times_us[1]
            self._reply = self._free_us, request, None
            return
        due_us, reply = replies[0]
        self._receiver.expect(request)
        self._free_us = due_us + port.transaction_us(0, len(reply), 0)
        reply_us = self._free_us - port.gap_us - port.turnaround_us
        self._reply = reply_us, request, self._receiver.feed(reply) or b""

    def _read(self, request: Request, device: RegisterDevice, heard_us: int, end_us: int) -> None:
        """Read the payload of a sound device without a frame. end_us: end of the reply, without the
        turnaround.
        """
        _, function, address, count = REQUEST.unpack_from(request.frame)
        device.tick(heard_us)
        try:
            pdu = request.head[1:] + device.payload(function, address, count)
        except ModbusException as refusal:
            pdu = bytes((function | 0x80, refusal.code))
        reply_us = end_us + self._slave.turnaround_us
        self._free_us = reply_us + self._port.gap_us + self._port.turnaround_us
        self._reply = reply_us, request, pdu

    def _call_back(self, request: Request, pdu: bytes | None, now_us: int) -> None:
        """Run the callback. pdu: None means no reply, b"" a damaged reply."""
        unit = self._unit(request)
        if pdu is None:
            unit.note_silence(now_us)
            request.on_failure(TIMEOUT, 0, now_us)
        elif not pdu:
            request.on_failure(BAD_REPLY, 0, now_us)
        else:
            unit.silent = unit.retry_us = 0
            if pdu[0] & 0x80:
                request.on_failure(EXCEPTION, pdu[1], now_us)
            else:
                request.on_reply(pdu, now_us)
