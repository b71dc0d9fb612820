"""Reads the time of day, with source and uncertainty. It is for labels, never for decisions.

Source "ntp": NTP steers the clock of the kernel (adjtimex(2)). "rtc": it does not, and a
battery-backed clock has set the clock at the start. "unknown": neither, or the date is impossible.
"""

import contextlib
import ctypes
import glob
from typing import SupportsInt, TypeVar

from controller.system import clock
from controller.system.clock import Utc

Stamp = TypeVar("Stamp", int, float)
NTP, RTC, UNKNOWN = "ntp", "rtc", "unknown"
STA_UNSYNC, TIME_ERROR = 0x40, 5
# 2026-01-01, when this program was written: an earlier date is wrong
EARLIEST_US = 1_767_225_600_000_000
UTC_US_MAX = 1 << 57  # in the year 6536
# growth of the uncertainty while the clock is not steered
DRIFT_PPM = 500
RTC_FLAGS = "/sys/class/rtc/rtc*/hctosys"
# A clock that NTP slews moves 10 us in a poll of 20 ms. If it moves more than STEP_US, it was set.
STEP_US, REFRESH_US = 100_000, 1_000_000
# Loaded once, because each CDLL leaves 1.7 kB in reference cycles and the loop runs without a
# garbage collector.
_LIBRARY = ctypes.CDLL(None, use_errno=True)

TIMEX = (
    ("modes", ctypes.c_int),
    ("offset freq maxerror esterror", ctypes.c_long),
    ("status", ctypes.c_int),
    ("constant precision tolerance time_s time_us tick ppsfreq jitter", ctypes.c_long),
    ("shift", ctypes.c_int),
    ("stabil jitcnt calcnt errcnt stbcnt", ctypes.c_long),
    ("tai", ctypes.c_int),
    ("spare", ctypes.c_int * 11),
)


class Timex(ctypes.Structure):
    """struct timex of adjtimex(2), Linux."""

    _fields_ = [(name, kind) for names, kind in TIMEX for name in names.split()]


def steered_us() -> int | None:
    """Uncertainty of the clock of the kernel, us; None while it is not steered."""
    timex = Timex()
    state = _LIBRARY.adjtimex(ctypes.byref(timex))
    if state < 0 or state == TIME_ERROR or timex.status & STA_UNSYNC:
        return None
    uncertainty_us: int = timex.maxerror
    return uncertainty_us


def started_from_rtc() -> bool:
    """True if a battery-backed clock has set the clock of the system at the start."""
    flags = []
    for path in glob.glob(RTC_FLAGS):
        # a clock that cannot be read has not set it
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            flags.append(file.read().strip())
    return "1" in flags


def is_set(moment: SupportsInt) -> bool:
    """True if the date is not before this program was written."""
    return int(moment) >= EARLIEST_US


def elapsed_s(begin_s: Stamp, end_s: Stamp) -> Stamp:
    """Time from one stamp to another, s; negative if the second one is earlier.

    This is the only place that subtracts times of day. Both stamps come from data: a file, a slot
    of a plan, a job of a scheduler, or the time for which a plan is made. If the clock was set
    between them, the span is wrong, so it must never decide that something kept is too old. Count
    an age with the monotonic clock.
    """
    return end_s - begin_s


class Clocks:
    """The clocks of the system; a test passes its own."""

    now_us = staticmethod(clock.now_us)
    utc_us = staticmethod(clock.utc_us)
    steered_us = staticmethod(steered_us)
    started_from_rtc = staticmethod(started_from_rtc)


class WallClock:
    """UTC labels for times of the monotonic clock, by the clock of the day at the last `poll`."""

    def __init__(self, clocks: Clocks | None = None):
        """Call `poll` before `label`."""
        self.clocks = clocks or Clocks()
        self._rtc = self.clocks.started_from_rtc()
        self._refreshed_us: int | None = None
        self._steered_at_us: int | None = None
        self._error_us = self._polled_us = 0
        self._offset_us = 0  # UTC minus the monotonic clock
        self.source = UNKNOWN

    def poll(self) -> tuple[int, int]:
        """(now_us, step in us if the wall clock was set since the last call, else 0)."""
        now_us = self._polled_us = self.clocks.now_us()
        before_us, self._offset_us = self._offset_us, int(self.clocks.utc_us()) - now_us
        step_us = 0 if self._refreshed_us is None else self._offset_us - before_us
        is_stepped = abs(step_us) > STEP_US
        if is_stepped or self._refreshed_us is None or now_us - self._refreshed_us >= REFRESH_US:
            self._refresh(now_us)
        return now_us, step_us if is_stepped else 0

    def _refresh(self, now_us: int) -> None:
        self._refreshed_us = now_us
        error_us = self.clocks.steered_us()
        if error_us is not None:
            self.source = NTP
            self._steered_at_us, self._error_us = now_us, error_us
        else:
            self.source = RTC if self._rtc or self._steered_at_us is not None else UNKNOWN

    def utc(self, moment_us: int) -> Utc:
        """The UTC label of a time of the monotonic clock."""
        return Utc(moment_us + self._offset_us)

    def moment_us(self, stamp_us: int) -> int:
        """The time of the monotonic clock at which the clock of the day showed this stamp.

        It is not before the start of that clock, and not after the last `poll`.
        """
        return min(max(0, stamp_us - self._offset_us), self._polled_us)

    def label(self, moment_us: int, within_us: int | None = 0) -> tuple[Utc, str, int | None]:
        """(UTC, source, uncertainty in us or None) of a time of the monotonic clock.

        within_us: uncertainty of this time itself. None: unknown, so the source is UNKNOWN, too.
        """
        utc = self.utc(moment_us)
        if within_us is None or self.source == UNKNOWN or not is_set(utc):
            return utc, UNKNOWN, None
        if self._steered_at_us is None:
            return utc, self.source, None
        # drift of the clock since it was last steered
        drift_us = ((self._refreshed_us or 0) - self._steered_at_us) * DRIFT_PPM // 1_000_000
        return utc, self.source, self._error_us + within_us + drift_us


def moment() -> tuple[Utc, str]:
    """(UTC, source) of the present time."""
    wall = WallClock()
    now_us, _ = wall.poll()
    return wall.label(now_us)[:2]
