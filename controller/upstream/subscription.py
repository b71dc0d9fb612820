"""`subscribe`: a client of the gateway gets the state, then what changes of it.

The journal is read when a subscriber is due, at most once in PERIOD_MS[0] for all of them. A client
that reads slowly gets fewer patches, each from what it got last, and delays nobody else.
"""

import os
import sqlite3
from typing import Any

from controller.forms.field import Form, choice, integer
from controller.forms.reading import read
from controller.journal.ring import JournalError
from controller.journal.snapshot import LIVE_S
from controller.state import patch
from controller.system.paths import STATE_DIRECTORY, plain
from controller.upstream.framing import Message

PAGE = "status"
PERIOD_MS = 100, 60_000
UPDATES_MAX = 36_000  # an hour of the shortest period
SUBSCRIBE: Form = {"subscribe": choice((PAGE,)), "period_ms": integer(*PERIOD_MS, 1000)}


class Publisher:
    """The newest state for all subscribers of a gateway."""

    def __init__(self, run_directory: str, state_directory: str = STATE_DIRECTORY) -> None:
        self._directories = run_directory, state_directory
        self._kept: Any = None
        self._read_us, self._ticked_us = -PERIOD_MS[0] * 1000, 0
        self._sequence: int | None = None
        self._state: Message = {}

    def state(self, now_us: int) -> Message:
        """The facts of `status --json`; {trouble} alone without a controller."""
        if now_us - self._read_us >= PERIOD_MS[0] * 1000:
            self._read_us = now_us
            try:
                self._state = self._made(now_us)
            except (JournalError, OSError, sqlite3.Error) as error:
                path = os.path.join(self._directories[0], "journal")
                self._state = {"trouble": plain(error, path)}
        return self._state

    def _made(self, now_us: int) -> Message:
        """No wait for a tick: the gateway serves others meanwhile. So it is live by its clock."""
        if self._kept is None:
            from controller.state.watch import Kept  # the core, which only a subscriber needs

            self._kept = Kept(*self._directories, UPDATES_MAX)
        seen = self._kept.update(lambda: None)
        if seen.shadow.sequence != self._sequence:
            self._sequence, self._ticked_us = seen.shadow.sequence, now_us
        seen.is_live = now_us - self._ticked_us < LIVE_S * 1_000_000
        found: Message = seen.facts(PAGE)
        return found


class Subscription:
    """due_us: when the next message of one subscriber may leave."""

    def __init__(self, publisher: Publisher, message: Message, now_us: int) -> None:
        """message: of the form SUBSCRIBE. Raises ConfigError, one line."""
        found: dict[str, Any] = read("subscribe", (), message, SUBSCRIBE)
        self._publisher, self._period_us = publisher, found["period_ms"] * 1000
        self._last: Message | None = None
        self.due_us = now_us

    def next(self, now_us: int) -> Message | None:
        """{state} at first, then {patch} (RFC 7386); None without a change."""
        self.due_us = now_us + self._period_us
        state, before = self._publisher.state(now_us), self._last
        self._last = state
        if before is None:
            return {"state": state}
        changed = patch.between(before, state)
        return {"patch": changed} if changed else None
