"""What became of hints that were not taken, and whose keys have changed, from the counters the loop
keeps.

The counters are looked at once a second. The first refusal is an event at once; what follows within
REPEAT_US is one more event, so that a flood fills no record.
"""

import os

from controller.core import hint_codes
from controller.hints import hint_statistics
from controller.recorder.events import CABINET, HINT, NOTE, Event

LOOK_US, REPEAT_US = 1_000_000, 60_000_000
STRANGE = ("wrong_length", "wrong_magic", "unknown_source")


class Tally:
    """A counter that only grows, or begins anew at 0; `due` gives what is to be told of it, at most
    every REPEAT_US.
    """

    def __init__(self):
        self._seen = None
        self._untold, self._told_us = 0, None

    def due(self, count, now_us):
        """How many are new and to be told now, 0 for none; at the first look what was before counts
        as known.
        """
        if self._seen is not None:
            self._untold += count - self._seen if count >= self._seen else count
        self._seen = count
        if not self._untold or self._told_us is not None and now_us - self._told_us < REPEAT_US:
            return 0
        untold, self._untold, self._told_us = self._untold, 0, now_us
        return untold


class HintWatch:
    """`look` as often as you like; a list of Event."""

    def __init__(self, run_directory):
        self._path = os.path.join(run_directory, "hints.stats")
        self._due_us = 0
        self._tallies, self._fingerprints = {}, {}

    def look(self, now_us):
        """Events since the last look, none before LOOK_US have passed."""
        if now_us < self._due_us:
            return []
        self._due_us = now_us + LOOK_US
        try:
            found = hint_statistics.read(self._path)
        except (OSError, ValueError):  # a file that is just being made anew
            found = None
        if found is None:
            return []
        events = [event for source in found["sources"] for event in self._of_source(source, now_us)]
        count = self._tally("").due(sum([found[name] for name in STRANGE]), now_us)
        if count:
            events.append(
                Event(
                    None,
                    HINT,
                    "REFUSED",
                    CABINET,
                    f"{count} datagrams that are no hint of a source here",
                )
            )
        return events

    def _tally(self, name):
        return self._tallies.setdefault(name, Tally())

    def _of_source(self, source, now_us):
        name, events = source["name"], []
        count = self._tally(name).due(source["refused"] + source["bad_mac"], now_us)
        if count:
            # else one that was taken has come after it
            is_why = source["last_code"] >= hint_codes.WRONG_LENGTH
            why = f" {hint_codes.text(source['last_code'])[1]}" if is_why else ""
            events.append(Event(None, HINT, "REFUSED", name, f"refused: {count} of {name}.{why}"))
        key = source["key_fingerprint"]
        if self._fingerprints.setdefault(name, key) != key:
            self._fingerprints[name] = key
            events.append(
                Event(
                    None,
                    NOTE,
                    "KEYS",
                    name,
                    f"key of {name}: now {key:08x}" if key else f"key of {name}: none any more",
                )
            )
        return events
