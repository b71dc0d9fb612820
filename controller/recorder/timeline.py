"""Finds the time at which a frame was written, because a journal only counts ticks.

While the controller writes, the time of the newest frame is now. The time of an ended run comes
from the anchor that an earlier recorder stored. Without an anchor only the latest possible time of
its end is known.
"""

import os

from controller.recorder.follow import Run

LOOK_US = 200_000  # a journal without a new frame for this time is not being written
WITHIN_US = 40_000  # largest error: one poll and one tick
# error when counting from an anchor, because skipped ticks are not counted
ANCHORED_WITHIN_US = 1_000_000


class Timeline:
    """The times of the frames of one Run."""

    def __init__(self, run: Run, anchor: dict | None, ended_us: int | None):
        """anchor: from an earlier recorder. ended_us: latest possible end of an ended run."""
        self._run, self._anchor, self._ended_us = run, anchor, ended_us
        self._newest = 0  # sequence of the newest frame
        self._looked_us: int | None = None
        self._newest_us: int | None = None
        self._within_us: int | None = WITHIN_US

    def look(self, now_us: int) -> bool:
        """Call in each poll before frames are read. True once the times are known."""
        newest = self._run.reader.newest() or 0
        if self._looked_us is None:
            self._looked_us, self._newest = now_us, newest
        if newest != self._newest:
            self._newest, self._newest_us, self._within_us = newest, now_us, WITHIN_US
        elif self._newest_us is None and (
            self._ended_us is not None or now_us - self._looked_us >= LOOK_US
        ):
            self._place(now_us)
        return self._newest_us is not None

    def _place(self, now_us: int) -> None:
        """Set the time of the newest frame, for a run that is no longer written."""
        anchor = self._anchor
        if anchor and anchor["inode"] == self._run.inode and anchor["sequence"] <= self._newest:
            elapsed_us = (self._newest - anchor["sequence"]) * self._run.tick_ms * 1000
            self._newest_us, self._within_us = anchor["uptime_us"] + elapsed_us, ANCHORED_WITHIN_US
        else:
            self._within_us = None
            self._newest_us = now_us if self._ended_us is None else self._ended_us

    def moment(self, sequence: int) -> tuple[int, int | None]:
        """(us of the monotonic clock, error in us or None) of a frame."""
        behind_us = max(0, self._newest - sequence) * self._run.tick_ms * 1000
        return max(0, (self._newest_us or 0) - behind_us), self._within_us

    def anchor(self, sequence: int) -> dict | None:
        """Data from which a later recorder gets the times of this run; None while unknown."""
        moment_us, within_us = self.moment(sequence)
        if within_us is None:
            return None
        return {"inode": self._run.inode, "sequence": sequence, "uptime_us": moment_us}

    def quiet_us(self, now_us: int) -> int:
        """Time for which the run has had no new frame, us."""
        return now_us - (self._newest_us or 0)


def boot_id() -> str:
    """The kernel's id of this boot; if it has none, the process id."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return str(os.getpid())
