"""Sends the complete state as a server-sent event, then its changes (merge patches, RFC 7386).

A merge patch cannot set a value to null: it removes the name. So a reader must treat a missing name
as null.
"""

import json
from collections.abc import AsyncGenerator

from controller.doors.feed import Feed

TROUBLE_READINGS = 5  # after so many readings the stream repeats that no controller answers


class Stream:
    """The event streams of one door."""

    def __init__(self, feed: Feed):
        self._feed, self.clients = feed, 0

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
                    if sent is None:
                        yield event("state", state)
                    else:
                        yield event("patch", self._feed.patch(sent, state))
                sent = state
                await self._feed.changed()
        finally:
            self.clients -= 1


def event(name: str, data: object) -> bytes:
    """One event. The JSON contains no line end, which would end the event."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
