"""Reads one run of the controller for the recorder."""

from typing import Any

from controller.recorder import events
from controller.recorder.events import EventFinder, Events, event
from controller.recorder.follow import Run
from controller.recorder.minutes import Minutes
from controller.recorder.seconds import Seconds
from controller.recorder.ticks import Ticks, meters_of
from controller.recorder.timeline import Timeline
from controller.system.clock import Utc


class Reading:
    """One run of the controller, with the objects that make events and rows from its frames."""

    def __init__(self, run: Run, timeline: Timeline, taken_until: int | None, standing: list[str]):
        """taken_until: sequence up to which an earlier recorder has taken the frames, or None."""
        self.run, self.timeline, self.taken_until = run, timeline, taken_until
        self.finder = EventFinder(run.seen, standing, new_run=taken_until is None)
        self.seconds, self.minutes = Seconds(run.seen), Minutes(run.seen)
        self.ticks, self.fast_moment_us = Ticks(self.seconds), 0
        self._meter_ms, self._meters = meters_of(run.reader.header)
        self.began = self.quiet = False

    def fast_header(self, utc: Utc) -> dict[str, Any]:
        """Header of a block of ticks that ends with the newest frame. utc: time of that frame."""
        return {
            "utc_us": int(utc),
            "uptime_ms": self.fast_moment_us // 1000,
            "tick_ms": self.run.tick_ms,
            "meter_ms": self._meter_ms,
            "meters": self._meters,
            "inode": self.run.inode,
            "sequence": self.run.seen.sequence,
        }


def begin_events(reading: Reading, sequence: int) -> Events:
    """The event that a run was found (once), and an event for frames that were not read."""
    new_events: Events = []
    lost = reading.run.take_lost()
    if not reading.began and reading.taken_until is None:
        lost = 0  # frames that were overwritten before the recorder started do not count
        new_events.append(event(events.START, f"the controller runs, frame {sequence}"))
    elif reading.taken_until is not None and not reading.began:
        lost = sequence - reading.taken_until - 1
    if lost:
        text = f"{lost} frames before frame {sequence} were overwritten before they were read"
        new_events.append(event(events.LOSS, text, code="JOURNAL"))
    reading.began = True
    return [new_event._replace(sequence=sequence) for new_event in new_events]
