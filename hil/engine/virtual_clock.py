"""The box's UTC in virtual time, as the real controller reads it."""

from controller.core.image import ProcessImage
from controller.run.site_clock import SiteClock

UTC_US = 1_767_225_600_000_000  # 2026-01-01 at virtual time 0
ERROR_US = 5000


class VirtualClock(SiteClock):
    """error_us may be changed at any time; None: the error is not known."""

    def __init__(self, image: ProcessImage, utc_us: int = UTC_US):
        """utc_us: at virtual time 0."""
        super().__init__(image, self)
        self._utc_us, self._now_us = utc_us, 0
        self.error_us: int | None = ERROR_US

    def step(self, now_us: int) -> None:
        """now_us: virtual."""
        self._now_us = now_us
        super().step(now_us)

    def poll(self) -> tuple[int, int | None]:
        """Same as WallClock."""
        return self._now_us, None

    def label(self, moment_us: int) -> tuple[int, str, int | None]:
        """Same as WallClock."""
        return self._utc_us + moment_us, "simulated", self.error_us
