"""One unit of a bus: what was counted, and how long a silent one is left alone."""

SILENT_AFTER = 3  # time-outs in a row
BACK_OFF_US, BACK_OFF_US_MAX = 200_000, 2_000_000


class UnitStatistics:
    """Counts of one unit since start; `silent` time-outs in a row, last at `silent_us`; reads wait
    for `retry_us`.

    `stray_frames` (unit BUS only): valid frames nobody asked for: a late reply, another master, an
    echo not configured.
    """

    COUNTERS = tuple("sent ok timeout exception bad_reply noise_bytes stray_frames silent".split())
    __slots__ = (*COUNTERS, "silent_us", "retry_us")

    def __init__(self):
        self.sent = self.ok = self.timeout = self.exception = self.bad_reply = 0
        self.noise_bytes = self.stray_frames = self.silent = self.silent_us = self.retry_us = 0

    def note_silence(self, now_us: int) -> None:
        """No reply came; from SILENT_AFTER in a row on its reads wait, twice as long each time."""
        self.silent += 1
        self.silent_us = now_us
        if self.silent >= SILENT_AFTER:
            doublings = min(self.silent - SILENT_AFTER, 4)
            self.retry_us = now_us + min(BACK_OFF_US << doublings, BACK_OFF_US_MAX)
