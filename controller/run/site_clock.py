"""Writes UTC and its uncertainty into the inputs of the tick, so that a replay has the same time.

While the clock's error is not known, or a word is outside its range, nothing is written, and the
words grow old.
"""

from typing import Protocol, SupportsInt

from controller.core.image import ProcessImage
from controller.core.site_devices.reading_roles import CLOCK

EVERY_US = 500_000
SECOND_US, DAY_S = 1_000_000, 86_400


class Wall(Protocol):
    """The part of utc.WallClock that SiteClock needs."""

    def poll(self) -> tuple[int, int | None]:
        """(moment of the look, us by which the clock was set or None)."""

    def label(self, moment_us: int) -> tuple[SupportsInt, str, int | None]:
        """(UTC in us, its source, its error in us or None) of a moment."""


class SiteClock:
    """Writes the words of the site device `clock` twice a second."""

    def __init__(self, image: ProcessImage, wall: Wall):
        self._image, self._wall = image, wall
        self._first, self._group = image.site_place("clock", 1)
        self._due_us = 0

    def step(self, now_us: int) -> None:
        """now_us: time of the monotonic clock."""
        if now_us < self._due_us:
            return
        self._due_us = now_us + EVERY_US
        polled_us, _ = self._wall.poll()
        utc, _, uncertainty_us = self._wall.label(polled_us)
        if uncertainty_us is None:
            return
        day_d, time_of_day_s = divmod(int(utc) // SECOND_US, DAY_S)
        numbers = day_d, time_of_day_s, -(-uncertainty_us // 1000)
        if not all(
            [signal.low <= word <= signal.high for signal, word in zip(CLOCK.signals, numbers)]
        ):
            return
        for place, word in enumerate(numbers):
            self._image.inp[self._first + place] = word
            self._image.fresh[self._group + place] = 1
