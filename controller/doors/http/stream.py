"""Server-sent events: the state once, then what changed of it, as JSON merge patches (RFC 7386).

A merge patch has no null as a value: a name that is removed is unknown. So a reader treats a name
that is missing as null.
"""

import json
from collections.abc import AsyncGenerator

from controller.doors.feed import Facts, Feed
from controller.state import patch

TROUBLE_READINGS = 5  # one of so many readings says again that no controller is there


class Stream:
    """All events of one door. A change is computed once for all clients that are up to date."""

    def __init__(self, feed: Feed) -> None:
        self._feed, self.clients = feed, 0
        self._made: tuple[Facts | None, Facts | None, bytes] = (None, None, b"")

    async def events(self) -> AsyncGenerator[bytes, None]:
        """The events of one client, at most one for each reading of the feed."""
        self.clients += 1
        try:
            sent, silent = None, 0
            await self._feed.fresh()
            while True:
                state = self._feed.live
                if state is None:
                    if silent % TROUBLE_READINGS == 0:
                        yield event("trouble", {"trouble": self._feed.trouble})
                    silent += 1
                elif state is not sent:
                    silent = 0
                    yield event("state", state) if sent is None else self._changed(sent, state)
                sent = state
                await self._feed.changed()
        finally:
            self.clients -= 1

    def _changed(self, before: Facts, after: Facts) -> bytes:
        if self._made[0] is not before or self._made[1] is not after:
            self._made = before, after, event("patch", patch.between(before, after))
        return self._made[2]


def event(name: str, data: object) -> bytes:
    """One event; JSON has no line end in it."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
