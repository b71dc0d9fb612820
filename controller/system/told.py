"""Logs the failures of a door or another companion: one line for each cause."""

from controller.system import clock
from controller.system.paths import say

CAUSES_MAX = 20
SILENT_US = 3_600_000_000  # an hour: each cause is logged at most once in this time


class DoorError(Exception):
    """A door or a connection cannot open, or has closed. The text is one line with the reason."""


class Told:
    """Logs a line for each cause, at most once an hour."""

    def __init__(self, title: str):
        self._title = title
        self._logged_us: dict[str, int] = {}

    def say(self, cause: str) -> None:
        """Log the cause if it is new."""
        now_us = clock.now_us()
        if now_us - self._logged_us.get(cause, -SILENT_US) < SILENT_US:
            return
        if len(self._logged_us) >= CAUSES_MAX:
            self._logged_us.pop(next(iter(self._logged_us)))
        self._logged_us[cause] = now_us
        say(f"{self._title}: {cause}")
