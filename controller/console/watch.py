"""Everything the pages are made of, for one controller: its journal, its statistics, its record. Read only.

A page of a controller that has died would look like one that runs: `is_live` is True only once a new tick was seen.
"""

import os
import time

from controller import link_statistics, snapshot, statistics
from controller.console.facts import alarms, events, links, racks, record, status, trend, why
from controller.history import History
from controller.journal import JournalError

LIVE_S = 0.5  # so long a tick is waited for; a running controller makes one every 20 ms
POLL_S = 0.01
PAGES = ("status", "why", "alarms", "events", "trend", "racks", "links")


def wait():
    """Let a little time pass."""
    time.sleep(POLL_S)


class Watch:
    """Call `update`, then `facts(page)`. Raises JournalError (one line) when there is no controller to be seen."""

    def __init__(self, run_directory, state_directory):
        self._run_directory, self._state_directory = run_directory, state_directory
        self.shadow = snapshot.Shadow(os.path.join(run_directory, "journal"))
        self.shadow.reader.skip()
        self.is_live = False
        self._history = None

    def update(self, pause=wait):
        """Wait for a tick that is new, for LIVE_S at most; what there is then is what the pages show."""
        before = self.shadow.reader.newest()
        for _ in range(round(LIVE_S / POLL_S)):
            self.is_live = self.shadow.reader.newest() != before
            if self.is_live:
                break
            pause()
        if not self.shadow.update() or not self.shadow.settled:
            raise JournalError(f"{self._run_directory}: the controller has not made two ticks yet")

    def history(self):
        """History of what the journal holds, extended by what is new."""
        if self._history is None:
            self._history = History(self.shadow, trend.sample_of)
        return self._history.extend()

    def facts(self, page, span_s=trend.SPAN_S):
        """Plain data of one of PAGES; span_s: of the trend."""
        recorded = record.opened(self._state_directory)
        return {**getattr(self, f"_{page}")(recorded, span_s), "is_live": self.is_live, **_utc(recorded)}

    def _status(self, recorded, span_s):
        loop = statistics.read(os.path.join(self._run_directory, "loop.stats"))
        return status.facts(self.shadow, self.history(), loop, recorded and recorded.summary())

    def _why(self, recorded, span_s):
        return why.facts(self.shadow)

    def _alarms(self, recorded, span_s):
        return alarms.facts(self.shadow, self.history(), recorded)

    def _events(self, recorded, span_s):
        return events.facts(self.shadow, self.history(), recorded)

    def _trend(self, recorded, span_s):
        return trend.facts(self.shadow, self.history(), recorded, span_s)

    def _racks(self, recorded, span_s):
        return racks.facts(self.shadow)

    def _links(self, recorded, span_s):
        return links.facts(self.shadow, link_statistics.read(os.path.join(self._run_directory, "links.stats")))


def _utc(recorded):
    """{utc_text} of now as the recorder knows it, {} without a recorder."""
    newest = recorded.seconds(1) if recorded is not None else []
    if not newest or newest[0]["utc_us"] is None:
        return {}
    source = recorded.summary()["newest"]
    return {"utc_text": record.utc_text(newest[0]["utc_us"], source and source["utc_source"])}
