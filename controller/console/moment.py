"""Reads a time that a person gives (--at): 14:05, or 2026-12-01T14:05."""

import contextlib
from datetime import datetime, time, tzinfo

from controller.series import times
from controller.system import local_days


def moment(text: str, now_s: float, zone: tzinfo) -> float:
    """UTC in s since 1970. 14:05 means the next moment at which the clock of the zone shows 14:05.
    Raises SeriesError if there is no such time.
    """
    text = text.strip()
    if times.CLOCK.fullmatch(text):
        with contextlib.suppress(ValueError):  # 25:00
            clock, now = time.fromisoformat(text), datetime.fromtimestamp(now_s, zone)
            return local_days.next_shown(clock, now).timestamp()
    return times.TimeCells(zone)(text)
