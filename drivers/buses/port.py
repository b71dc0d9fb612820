"""Schedules one Modbus RTU bus: the next request, gaps, time-outs, back-off, statistics.

The owner calls `receive` with bytes and time, then `poll` (at `wake_us` at the latest), and writes
the bytes that `poll` returns. Only one request is outstanding. STOP goes before WRITE, WRITE before
READ; within a class the earliest deadline goes first (due time plus period, or time of submission).
A SPARE read, sent by a tool, goes only if its time-out ends before the next request is due. Bytes
that arrive before the request has left are dropped. A reply that may be late (late.py) is dropped
too; if no other reply follows, reads of the unit pause for one more time-out. Only this module,
never a driver, keeps gaps and turn-around times.
"""

from collections.abc import Callable, Hashable

from drivers.buses.crc import FRAME_BYTES_MAX, crc16
from drivers.buses.jobs import NEVER, Job, chosen, due_us
from drivers.buses.late import LateReplies
from drivers.buses.receiver import Receiver
from drivers.buses.rtu import BAD_REPLY, EXCEPTION, NO_ROOM, READ, SPARE, TIMEOUT, Request
from drivers.buses.unit import UnitStatistics

# Above 19200 Bd the silence between frames is fixed: Modbus over serial line V1.02, 2.5.1.1.
GAP_FAST_US = 1750
FIXED_GAP_ABOVE_BD = 19200
# longest pause between pieces of a reply: USB adapters hold bytes for up to 16 ms
PIECE_GAP_US = 20_000
PAUSES_MAX = 4  # most pauses in a reply: 256 bytes fit into five USB packets of 62 bytes
HOLD_US = 100_000  # longest time for which noise on an idle bus delays a request
BUS = -2  # used as unit id in the statistics for bytes that belong to no request


class RtuPort:
    """Schedule of one bus.

    first_byte_timeout_us: counts from the last byte sent. turnaround_us: silence after each reply,
    in addition to the gap. echo: the adapter repeats each request.
    """

    def __init__(
        self,
        name: str,
        baud_Bd: int,
        char_bits: int = 10,
        first_byte_timeout_us: int = 100_000,
        turnaround_us: int = 0,
        echo: bool = False,
    ):
        self.name, self.turnaround_us = name, turnaround_us
        self.first_byte_timeout_us = first_byte_timeout_us
        self.statistics: dict[int, UnitStatistics] = {}
        # {unit id: functions that get each frame to this unit just before it is sent}
        self.watch: dict[int, list[Callable[[bytes], object]]] = {}
        self.wake_us = NEVER
        self._char_ns = -(-char_bits * 10**9 // baud_Bd)
        self.gap_us = (
            GAP_FAST_US if baud_Bd > FIXED_GAP_ABOVE_BD else -(-35 * char_bits * 10**5 // baud_Bd)
        )
        self._receiver = Receiver(echo)
        self._periodic: list[Job] = []
        self._once: dict[Hashable, Job] = {}  # {key of the request: job}
        self._spare: Job | None = None  # a SPARE read that waits for room
        self._spare_end_us = self._spare_delay_us = 0
        self.spare_unit = UnitStatistics()  # statistics of the last SPARE read
        self._outstanding: Job | None = None  # the outstanding request
        self._bus_statistics = self._statistics_of(BUS)
        self._late = LateReplies()
        self._late_dropped = False  # a late reply was dropped during the outstanding request
        self._now_us = self._ready_us = self._sent_us = 0
        self._deadline_us_max = self._hold_until_us = 0

    # -- requests

    def add(self, request: Request, period_us: int, phase_us: int = 0) -> None:
        """Send `request` every `period_us`, first at `phase_us`. Missed periods are skipped."""
        unit = self._statistics_of(request.unit_id)
        self._periodic.append(Job(request, unit, period_us, phase_us, phase_us + period_us))
        self._plan()

    def submit(self, request: Request) -> None:
        """Send `request` once. It replaces a waiting request with the same key."""
        waiting = self._once.get(request.key)
        unit = self._statistics_of(request.unit_id)
        if waiting is None:
            self._once[request.key] = Job(request, unit, 0, self._now_us, self._now_us)
        else:
            waiting.request, waiting.unit = request, unit
        if self._outstanding is None and self.wake_us > self._ready_us:
            self.wake_us = self._ready_us

    def withdraw(self, request: Request) -> None:
        """Remove a submitted request that has not been sent. Its callbacks do not run."""
        waiting = self._once.get(request.key)
        if waiting is not None and waiting.request is request:
            del self._once[request.key]
            self._plan()

    def offer(self, request: Request, within_us: int, now_us: int, delay_us: int = 0) -> bool:
        """Send a SPARE read as soon as it delays no other request by more than `delay_us`.

        If the bus has no room within `within_us`, `on_failure` gets NO_ROOM. Returns False if
        another SPARE read waits or is outstanding. A SPARE read is not counted in the statistics,
        so a unit that does not answer it is still asked by its driver.
        """
        is_under_way = self._outstanding is not None and self._outstanding.unit is self.spare_unit
        if self._spare is not None or is_under_way:
            return False
        self.spare_unit = UnitStatistics()
        self._spare = Job(request, self.spare_unit, 0, now_us, now_us)
        self._spare_end_us, self._spare_delay_us = now_us + within_us, delay_us
        self._plan()
        return True

    def _statistics_of(self, unit_id: int) -> UnitStatistics:
        unit = self.statistics.get(unit_id)
        if unit is None:
            unit = self.statistics[unit_id] = UnitStatistics()
        return unit

    # -- bytes and time

    def poll(self, now_us: int) -> bytes:
        """Bytes to send now, or b"". An overdue request ends first, and its `on_failure` runs."""
        if now_us < self.wake_us:
            return b""
        self._now_us = now_us
        if self._outstanding is not None:
            self._fail(self._outstanding, now_us)
        if now_us >= self._ready_us:
            job = chosen(self._once, self._periodic, now_us) or self._chosen_spare(now_us)
            if job is not None:
                return self._send(job, now_us)
        self._plan()
        return b""

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that arrived up to `now_us`. Runs the callback when the request has ended."""
        if not data:
            return
        self._now_us = now_us
        job = self._outstanding
        if job is None:
            return self._stray(data, now_us)
        if now_us < self._sent_us and not self._receiver.echo:
            job.unit.noise_bytes += len(data)
            return
        receiver = self._receiver
        pdu = receiver.feed(data)
        while pdu is not None and self._late.expected and self._may_be_late(job, now_us):
            pdu = receiver.feed(b"")
        if pdu is not None:
            self._finish(job, pdu, now_us)
        elif not self._late_dropped:
            self._extend(job.request, now_us)

    def _stray(self, data: bytes, now_us: int) -> None:
        self._bus_statistics.noise_bytes += len(data)
        if 4 <= len(data) <= FRAME_BYTES_MAX and crc16(data) == 0:
            self._bus_statistics.stray_frames += 1
        if not self._hold_until_us:
            self._hold_until_us = now_us + HOLD_US
        self._ready_us = max(self._ready_us, min(now_us + self.gap_us, self._hold_until_us))
        self.wake_us = max(self.wake_us, self._ready_us)

    def _send(self, job: Job, now_us: int) -> bytes:
        request = job.request
        if job.period_us:
            job.due_us += job.period_us * ((now_us - job.due_us) // job.period_us + 1)
            job.deadline_us = job.due_us + job.period_us
        elif request.priority == SPARE:
            self._spare = None
        else:
            del self._once[request.key]
        self._outstanding = job
        job.unit.sent += 1
        self._hold_until_us, self._late_dropped = 0, False
        self._receiver.expect(request)
        frame = request.frame
        for see in self.watch.get(request.unit_id, ()):
            see(frame)
        self._sent_us = now_us + self._time_us(len(frame))
        # an adapter may deliver the complete reply at once, at its end
        reply_us = self._time_us(request.reply_bytes)
        self.wake_us = self._sent_us + self.first_byte_timeout_us + reply_us
        self._deadline_us_max = self.wake_us + reply_us + PAUSES_MAX * PIECE_GAP_US
        return frame

    def _extend(self, request: Request, now_us: int) -> None:
        """Wait longer for the rest of a reply. If enough bytes came without a reply, end early."""
        missing = request.reply_bytes - self._receiver.received
        until_us = now_us + PIECE_GAP_US
        if missing <= 0:
            self.wake_us = min(self.wake_us, until_us)
        else:
            until_us = min(until_us + self._time_us(missing), self._deadline_us_max)
            self.wake_us = max(self.wake_us, until_us)

    # -- ends of a request

    def _finish(self, job: Job, pdu: bytes, now_us: int) -> None:
        unit = job.unit
        unit.noise_bytes += self._receiver.received - len(pdu) - 3
        unit.note_answer()
        self._release(now_us + self.gap_us + self.turnaround_us)
        if pdu[0] & 0x80:
            unit.exception += 1
            job.request.on_failure(EXCEPTION, pdu[1], now_us)
        else:
            unit.ok += 1
            job.request.on_reply(pdu, now_us)

    def _fail(self, job: Job, now_us: int) -> None:
        unit, request, received = job.unit, job.request, self._receiver.received
        unit.noise_bytes += received
        if self._late_dropped:
            unit.retry_us = now_us + self.first_byte_timeout_us
            # Ask again soon. Otherwise a read that never gets an answer would take each answer of
            # the next read.
            job.due_us = min(job.due_us, unit.retry_us)
        elif 2 * received < request.reply_bytes:
            # A damaged reply shows that the unit works. Here no reply came, but one may still come.
            unit.note_silence(now_us)
            if request.priority >= READ:
                self._late.note(request, now_us)
        self._release(now_us + self.gap_us if received else now_us)
        if received:
            unit.note_bad(now_us)
            other_id = self._receiver.other_id()
            function = request.function
            if other_id is not None and not self._late.may_be_of(other_id, function, now_us):
                unit.other_unit += 1
                unit.answered_by = other_id
            request.on_failure(BAD_REPLY, 0, now_us)
        else:
            unit.timeout += 1
            request.on_failure(TIMEOUT, 0, now_us)

    def _release(self, ready_us: int) -> None:
        self._outstanding, self._ready_us = None, ready_us
        self._plan()

    def _may_be_late(self, job: Job, now_us: int) -> bool:
        """True if a good reply may belong to an earlier read that has timed out."""
        if job.request.priority < READ or not self._late.takes(job.request, now_us):
            return False
        job.unit.silent = 0
        self._late_dropped = True
        return True

    # -- the next request

    def _chosen_spare(self, now_us: int) -> Job | None:
        """The SPARE read, if nothing else is due before its time-out can end; or None."""
        job = self._spare
        if job is None:
            return None
        if now_us >= self._spare_end_us:
            self._spare = None
            job.request.on_failure(NO_ROOM, 0, now_us)
            return None
        return job if self._has_room(job, now_us) else None

    def _has_room(self, job: Job, now_us: int) -> bool:
        end_us = now_us + self.worst_us(job.request) - self._spare_delay_us
        return end_us <= due_us(self._once, self._periodic)

    def worst_us(self, request: Request) -> int:
        """Longest bus time of a request, whose reply may be missing or come in pieces."""
        wire_us = self._time_us(len(request.frame)) + 2 * self._time_us(request.reply_bytes)
        return wire_us + self.first_byte_timeout_us + PAUSES_MAX * PIECE_GAP_US + self.gap_us

    def _plan(self) -> None:
        """Set `wake_us` of an idle port to the time at which the first job may be sent."""
        if self._outstanding is None:
            wake_us = due_us(self._once, self._periodic)
            if self._spare is not None:
                has_room = self._has_room(self._spare, max(self._now_us, self._ready_us))
                wake_us = min(wake_us, self._ready_us if has_room else self._spare_end_us)
            self.wake_us = max(wake_us, self._ready_us)

    # -- times for the site check

    def _time_us(self, count: int) -> int:
        """Time of `count` characters on the wire, rounded up."""
        return (count * self._char_ns + 999) // 1000

    def transaction_us(
        self, request_bytes: int, reply_bytes: int, device_turnaround_us: int
    ) -> int:
        """Bus time of one exchange: request, both turn-around times, reply and gap."""
        wire_us = self._time_us(request_bytes) + self._time_us(reply_bytes)
        return wire_us + device_turnaround_us + self.gap_us + self.turnaround_us
