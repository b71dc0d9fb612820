"""Reads the journal of a controller in a process of its own, as the journal grows."""

import os

from controller.journal.ring import JournalError
from controller.journal.snapshot import Snapshot
from hil.observer.trips import TripWatch
from hil.results.pauses import CONTROLLER, Pauses


class JournalWatch:
    """Base. `snapshot`: of the controller that runs now, None before its first journal. `pauses`:
    of this process and of the controller's ticks.
    """

    def __init__(self, run_dir: str, tick_ms: int, trips: TripWatch) -> None:
        self._journal = os.path.join(run_dir, "journal")
        self._journal_tick_us, self.trips = tick_ms * 1000, trips
        self.pauses = Pauses()
        self.may_stall = False  # the scenario stalls the controller on purpose
        self.snapshot: Snapshot | None = None
        self.seen_ino: int | None = None

    def _follow(self, now_us: int) -> None:
        """Read the new part of the journal. A restarted controller writes a new file."""
        try:
            inode = os.stat(self._journal).st_ino
            if inode != self.seen_ino:
                found = Snapshot(self._journal)
                if self.snapshot:
                    self.snapshot.close()
                self.snapshot, self.seen_ino = found, inode
        except (OSError, JournalError):
            return
        seen = self.snapshot
        if seen is None:
            return
        if seen.sequence is None:
            seen.reader.skip()  # searching the whole ring would take two ticks
        newest = seen.reader.newest() or 0
        for frame in seen.follow():
            age_us = (newest - frame.sequence) * self._journal_tick_us
            self.trips.see(max(0, now_us - age_us), seen.standing_words)
            if not self.may_stall:
                gap_us = frame.elapsed_ticks * self._journal_tick_us
                self.pauses.see(CONTROLLER, now_us - age_us, gap_us)
