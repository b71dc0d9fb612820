"""Limits how often something may happen in a span of time."""

import collections

from controller.system import clock

MINUTE_US = 60_000_000


class Recent(collections.deque[int]):
    """Times (us) of the events of the last span of time."""

    def __init__(self, span_us: int = MINUTE_US):
        super().__init__()
        self._span_us = span_us

    def has_room(self, most: int, count: int = 1, now_us: int | None = None) -> bool:
        """True if `count` more events are allowed. most: highest number in any span of time."""
        now_us = clock.now_us() if now_us is None else now_us
        while self and now_us - self[0] >= self._span_us:
            self.popleft()
        return len(self) + count <= most

    def take(self, most: int) -> bool:
        """Count one more event. False if the quota is used up."""
        if not self.has_room(most):
            return False
        self.append(clock.now_us())
        return True
