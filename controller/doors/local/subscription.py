"""Serves `subscribe`: a client of the local door gets the complete state, then its changes.

A client that reads slowly gets fewer patches, and delays no other client. Each patch starts from
the state that this client got last.
"""

from controller.doors.feed import Feed
from controller.doors.local.framing import Message
from controller.forms.field import choice, integer
from controller.forms.reading import read
from controller.system import clock

PAGE = "status"
PERIOD_MS = 100, 60_000
SUBSCRIBE = {"subscribe": choice((PAGE,)), "period_ms": integer(*PERIOD_MS, 1000)}


class Subscription:
    """Decides when the next message of one subscriber may leave, and makes it."""

    def __init__(self, feed: Feed, message: Message):
        """message: in the form SUBSCRIBE. Raises ConfigError, one line."""
        values = read("subscribe", (), message, SUBSCRIBE)
        self._feed, self._period_s = feed, values["period_ms"] / 1000
        self._last: Message | None = None
        self._due_s = clock.uptime_s()

    def due_in_s(self) -> float:
        """Time until `next` may be called."""
        return max(0.0, self._due_s - clock.uptime_s())

    async def next(self) -> Message | None:
        """{state} at first, then {patch} (RFC 7386), or None if nothing has changed.

        Without a controller the complete state is {trouble}.
        """
        self._due_s = clock.uptime_s() + self._period_s
        state = await self._feed.fresh() or {"trouble": self._feed.trouble}
        before, self._last = self._last, state
        if before is None:
            return {"state": state}
        changed = self._feed.patch(before, state)
        return {"patch": changed} if changed else None
