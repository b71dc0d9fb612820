"""Reads the clocks of the controller. No other module reads a clock.

Ages and deadlines use a clock that includes the time of a suspend and cannot be set. The clock of
the day is only for labels of events.
"""

import time

LATE_IN_A_ROW_MAX = 2
# Linux has CLOCK_BOOTTIME. On other systems the time of a suspend is not counted.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_us() -> int:
    """Microseconds since boot, including suspend. This clock is never set back."""
    return time.clock_gettime_ns(_CLOCK) // 1000


def uptime_s() -> float:
    """Seconds of the same clock."""
    return now_us() / 1e6


def monotonic_us() -> int:
    """Microseconds of the clock whose rate NTP adjusts, without suspend."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def raw_us() -> int:
    """Microseconds of the same hardware without adjustment, if the system has that clock."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)) // 1000


class Utc:
    """A reading of the clock of the day.

    The clock may be wrong, and a person or NTP may set it by days at any time. So two readings
    cannot be subtracted or compared, because an age or a timer made of them could be wrong by days.
    Ages and timers use `now_us`. `int` returns the us since 1970, for a label that is stored, shown
    or sent.
    """

    __slots__ = ("_us",)

    def __init__(self, us: int):
        self._us = us

    def __int__(self) -> int:
        return self._us


def utc_us() -> Utc:
    """The time of the day, UTC."""
    return Utc(time.time_ns() // 1000)


class Deadlines:
    """Absolute deadlines. After missed deadlines the loop runs once and counts those it skipped.

    Deadlines are the multiples of the tick on this clock. So a bus can place its reads within the
    tick (bus_times.meter_phases) without a message from the loop. `due_us` is the next deadline.

    After LATE_IN_A_ROW_MAX late ticks the loop pauses for half of the time that the last tick took,
    and continues at the next deadline (`next_us`). So a loop that is too slow leaves a third of the
    time to other processes. A loop that is fast enough is on time again.

    missed: number of skipped ticks. late: number of ticks whose write ended after the next
    deadline. late_in_a_row: late ticks without a good tick between them. runs: how often two or
    more deadlines in a row were skipped or late.
    """

    def __init__(self, tick_us: int, start_us: int):
        """tick_us: period. start_us: the first tick begins at the first deadline from then on."""
        self.tick_us = tick_us
        first_us = -(-start_us // tick_us) * tick_us
        self.due_us = self.next_us = self._began_us = first_us
        self.lateness_us = 0
        self.missed = self.late = self.late_in_a_row = self.runs = self._bad_in_a_row = 0

    def begin(self, now_us: int) -> int:
        """Begin a tick, at or after `due_us`. Returns the elapsed ticks: 1 plus skipped ones."""
        self._began_us, self.lateness_us = now_us, now_us - self.due_us
        skipped = max(0, self.lateness_us) // self.tick_us
        self.due_us += (1 + skipped) * self.tick_us
        if skipped:
            self.missed += skipped
            self._bad(skipped)
        return 1 + skipped

    def _bad(self, count: int) -> None:
        before = self._bad_in_a_row
        self._bad_in_a_row += count
        self.runs += before < 2 <= self._bad_in_a_row

    def end(self, now_us: int) -> bool:
        """End a tick, after its outputs are written. True if that was before the next deadline."""
        self.next_us = self.due_us
        if now_us < self.due_us:
            self.late_in_a_row = self._bad_in_a_row = 0
            return True
        self.late += 1
        self.late_in_a_row += 1
        if self.late_in_a_row >= LATE_IN_A_ROW_MAX:
            rested_us = now_us + (now_us - self._began_us) // 2
            self.next_us += -(-(rested_us - self.due_us) // self.tick_us) * self.tick_us
        self._bad(1)
        return False
