"""Counts the answers of one unit of a bus, and lets its reads pause while it is silent."""

SILENT_AFTER = 3  # silences in a row
BAD_AFTER = 10  # bad replies in a row; chance 1 in 1000 if noise spoils every second reply
BACK_OFF_US, BACK_OFF_US_MAX = 200_000, 2_000_000


class UnitStatistics:
    """Counters of one unit, and answered_by: the unit id in the last answer of another unit.

    timeout: requests without any byte. silent: requests in a row with less than half a reply, the
    last at silent_us. Reads wait until retry_us. stray_frames (of the unit BUS): valid frames that
    answer no request, such as a late reply.
    """

    COUNTERS = (
        "sent",
        "ok",
        "timeout",
        "exception",
        "bad_reply",
        "noise_bytes",
        "stray_frames",
        "silent",
        "other_unit",
        "answered_by",
    )
    __slots__ = (*COUNTERS, "silent_us", "retry_us", "_bad_in_a_row")

    def __init__(self) -> None:
        self.sent = self.ok = self.timeout = self.exception = self.bad_reply = 0
        self.noise_bytes = self.stray_frames = self.silent = self.silent_us = self.retry_us = 0
        self.other_unit = self.answered_by = self._bad_in_a_row = 0

    def note_answer(self) -> None:
        """Note a good reply or an exception: the unit works."""
        self.silent = self.retry_us = self._bad_in_a_row = 0

    def note_bad(self, now_us: int) -> None:
        """Count a bad reply. After BAD_AFTER of them in a row, reads wait.

        So a unit that sends garbage or half replies leaves the bus to others.
        """
        self.bad_reply += 1
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= BAD_AFTER:
            self.retry_us = max(self.retry_us, now_us + BACK_OFF_US)

    def note_silence(self, now_us: int) -> None:
        """Count a silence. After SILENT_AFTER in a row, reads pause, each time twice as long."""
        self.silent += 1
        self.silent_us = now_us
        if self.silent >= SILENT_AFTER:
            doublings = min(self.silent - SILENT_AFTER, 4)
            self.retry_us = now_us + min(BACK_OFF_US << doublings, BACK_OFF_US_MAX)
