"""Decides when a lost port is opened again."""

RETRY_US, RETRY_US_MAX = 200_000, 5_000_000


class Retry:
    """Each attempt waits twice as long as the one before, up to RETRY_US_MAX.

    due_us: time of the next attempt.
    """

    due_us, _wait_us = 0, RETRY_US

    def failed(self, now_us: int) -> None:
        """Note that an attempt has failed, or that it begins and may fail."""
        self.due_us = now_us + self._wait_us
        self._wait_us = min(2 * self._wait_us, RETRY_US_MAX)

    def worked(self) -> None:
        """Note that the port works."""
        self._wait_us = RETRY_US
