"""A broker in virtual time that loses, doubles, delays and overtakes messages."""

import heapq
import itertools
import random
from typing import NamedTuple


class Faults(NamedTuple):
    """Parts of the messages that are lost and doubled, and their mean delay, ms."""

    lost: float = 0.01
    doubled: float = 0.01
    delay_ms: float = 30.0


class Message(NamedTuple):
    """kind: hint, answer, report or gone; name: of the cabinet."""

    kind: str
    name: str
    payload: bytes


class Broker:
    """`until_ms`: the broker is down until then. `cut`: names that it does not reach."""

    def __init__(self, faults: Faults, draw: random.Random) -> None:
        self._faults, self._draw = faults, draw
        self._queue: list[tuple[float, int, Message]] = []
        self._order = itertools.count()
        self.until_ms = 0.0
        self.cut = set[str]()
        self.counts = dict.fromkeys(("sent", "lost", "doubled"), 0)

    def send(self, kind: str, name: str, payload: bytes, now_ms: float) -> None:
        """Take a message."""
        self.counts["sent"] += 1
        if now_ms < self.until_ms or name in self.cut or self._draw.random() < self._faults.lost:
            self.counts["lost"] += 1
            return
        is_doubled = self._draw.random() < self._faults.doubled
        self.counts["doubled"] += is_doubled
        for _ in range(1 + is_doubled):
            arrival_ms = now_ms + self._draw.expovariate(1 / self._faults.delay_ms)
            heapq.heappush(
                self._queue, (arrival_ms, next(self._order), Message(kind, name, payload))
            )

    def arrived(self, now_ms: float) -> list[Message]:
        """The messages that have arrived by now."""
        messages = []
        while self._queue and self._queue[0][0] <= now_ms:
            messages.append(heapq.heappop(self._queue)[2])
        return [message for message in messages if message.name not in self.cut]
