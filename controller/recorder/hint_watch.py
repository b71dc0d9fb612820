"""Makes events about refused hints and changed keys from counters of the loop, once a second.

The first refusal is an event at once. All refusals within the next REPEAT_US become one more event,
so that many refusals do not fill the record.
"""

import contextlib
import os
from typing import Any

from controller.core.base import hint_codes
from controller.hints import hint_statistics
from controller.recorder.events import CABINET, HINT, NOTE, Events, NewEvents, event

LOOK_US, REPEAT_US = 1_000_000, 60_000_000
STRANGE = ("wrong_length", "wrong_magic", "unknown_source")


class Tally:
    """A counter that only grows, or restarts at 0.

    `due` returns its new counts, but at most once in REPEAT_US.
    """

    _seen: int | None = None
    _reported_us: int | None = None
    _unreported = 0

    def due(self, count: int, now_us: int) -> int:
        """Number of new counts to report now, or 0. The first call only stores the counter."""
        if self._seen is not None:
            self._unreported += count - self._seen if count >= self._seen else count
        self._seen = count
        is_soon = self._reported_us is not None and now_us - self._reported_us < REPEAT_US
        if not self._unreported or is_soon:
            return 0
        due, self._unreported, self._reported_us = self._unreported, 0, now_us
        return due


class HintWatch:
    """Finds the events. Call `look` often."""

    def __init__(self, run_directory: str):
        self._path = os.path.join(run_directory, "hints.stats")
        self._due_us = 0
        self._tallies: dict[str, Tally] = {}
        self._fingerprints: dict[str, int] = {}

    def look(self, now_us: int) -> Events:
        """Events since the last look; [] until LOOK_US have passed."""
        if now_us < self._due_us:
            return []
        self._due_us = now_us + LOOK_US
        statistics = None
        with contextlib.suppress(ValueError):  # the file is just being replaced
            statistics = hint_statistics.read(self._path)
        if statistics is None:
            return []
        events = [
            new_event
            for source in statistics["sources"]
            for new_event in self._of_source(source, now_us)
        ]
        count = self._due("", sum(statistics[name] for name in STRANGE), now_us)
        if count:
            text = f"{count} datagrams that are no hint of a known source"
            events.append(event(HINT, text, CABINET, "REFUSED"))
        return events

    def _due(self, name: str, count: int, now_us: int) -> int:
        return self._tallies.setdefault(name, Tally()).due(count, now_us)

    def _of_source(self, source: dict[str, Any], now_us: int) -> NewEvents:
        name: str = source["name"]
        count = self._due(name, source["refused"] + source["bad_mac"], now_us)
        if count:
            # a smaller code means that a hint was accepted after the refusal
            is_why = source["last_code"] >= hint_codes.WRONG_LENGTH
            why = f" {hint_codes.text(source['last_code'])[1]}" if is_why else ""
            yield event(HINT, f"refused: {count} of {name}.{why}", name, "REFUSED")
        key = source["key_fingerprint"]
        if self._fingerprints.setdefault(name, key) != key:
            self._fingerprints[name] = key
            now = f"now {key:08x}" if key else "removed"
            yield event(NOTE, f"key of {name}: {now}", name, "KEYS")
