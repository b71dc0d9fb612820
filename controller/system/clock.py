"""The clocks of the controller: no other module reads one. Ages and deadlines use a clock that
counts suspend and cannot be set; the clock of the day only labels events.
"""

import time

LATE_IN_A_ROW_MAX = 2
# Linux has it; elsewhere suspend is not counted
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_us() -> int:
    """Microseconds since boot, suspend included; never set back."""
    return time.clock_gettime_ns(_CLOCK) // 1000


def uptime_s() -> float:
    """Seconds of the same clock."""
    return now_us() / 1e6


def monotonic_us() -> int:
    """Microseconds of the clock that the system steers (NTP slews it); suspend is not counted."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def raw_us() -> int:
    """Microseconds of the same hardware unsteered, where the system has that clock."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)) // 1000


class Utc:
    """A reading of the clock of the day. The clock may be wrong, and a person or NTP may set it by
    days at any moment. So readings have neither a difference nor an order: an age or a timer made
    of them would be wrong by those days. Ages and timers come from `now_us`. `int` gives the us
    since 1970, for a label that is stored, shown or sent.
    """

    __slots__ = ("_us",)

    def __init__(self, us: int) -> None:
        self._us = us

    def __int__(self) -> int:
        return self._us


def utc_us() -> Utc:
    """The time of the day, UTC."""
    return Utc(time.time_ns() // 1000)


class Deadlines:
    """Absolute deadlines. After missed deadlines the loop runs once, skips and counts the others.

    Deadlines are the multiples of the tick on this clock, so that a bus can place its reads within
    the tick (bus_times.meter_phases) without a message from the loop. `due_us` is the next one.

    After LATE_IN_A_ROW_MAX late ticks `next_us` is the first deadline after half of the time that
    the last tick took. A loop that cannot hold its tick then leaves a third of the time to others.
    A loop that can hold it begins in time again.

    `missed` counts ticks that were skipped, `late` those whose write ended after the next deadline,
    `late_in_a_row` those of them without a good tick between. `runs` counts how often two or more
    deadlines, skipped or late, went by without a good tick between.
    """

    def __init__(self, tick_us: int, start_us: int):
        """tick_us: period; start_us: the first tick begins then or at the first deadline after."""
        self.tick_us = tick_us
        first_us = -(-start_us // tick_us) * tick_us
        self.due_us = self.next_us = self._began_us = first_us
        self.lateness_us = 0
        self.missed = self.late = self.late_in_a_row = self.runs = self._bad_in_a_row = 0

    def begin(self, now_us: int) -> int:
        """A tick begins now, at or after `due_us`. The elapsed ticks: 1, and 1 for each skipped."""
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
        """The tick's outputs are written. True if that was before the next deadline."""
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
