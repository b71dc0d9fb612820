"""What a door sends to the loop: a hint in words becomes a signed datagram of its source.

The answer is the loop's own: it has the fields of `firebreak hint --json`, and `granted` says
whether the hint was taken. A door adds nothing and sends nothing again by itself.
"""

import asyncio
import collections
from collections.abc import Callable
from typing import Any, TypeVar

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import Slot
from controller.doors.settings import Source
from controller.forms.field import Form, integer, number, passing
from controller.forms.reading import read
from controller.forms.refusal import ConfigError, shown
from controller.hints import client, key_file, schedule_wire as sw, wire as w
from controller.hints.schedule_words import answer_fields
from controller.hints.words import fields
from controller.system import clock
from controller.upstream import messages

MINUTE_US = 60_000_000
NAMES = {**h.QUANTITIES, **h.NOTICES, 0: "heartbeat"}
HINT: Form = {
    "quantity": passing(lambda value: value in NAMES.values(), ", ".join(NAMES.values())),
    "value_W": integer(-1_000_000_000, 1_000_000_000, 0),
    "valid_s": integer(1, 300),
    "start_in_s": number(0, 3600, 0),
    "is_exact": passing(lambda value: isinstance(value, bool), "true or false", False),
}
Found = TypeVar("Found")
Answer = dict[str, Any]


class Sender:
    """All hints of one source in one process of a door, one at a time."""

    def __init__(self, run_directory: str, source: Source) -> None:
        self._run_directory, self.source = run_directory, source
        self._lock = asyncio.Lock()
        self._sent_us: collections.deque[int] = collections.deque()

    async def hint(self, message: object) -> Answer:
        """The answer to a hint of form HINT. Raises ConfigError (one line) for a wrong one."""
        return await self._one(read_hint(message))

    async def schedule(self, start_min: int, slot_min: int, slots: tuple[Slot, ...]) -> Answer:
        """The answer to a schedule; start_min: UTC since 1970."""
        if self.source.may != "grid_cap":
            return refused(h.ROLE)
        if not self._has_room():
            return refused(h.RATE)

        def ask(link: client.HintClient, key: bytes) -> sw.Answer | None:
            return link.schedule(self.source.name, key, start_min, slot_min, slots)

        return await self._asked(ask, answer_fields)

    async def _one(self, given: Answer) -> Answer:
        quantity = next(number for number, name in NAMES.items() if name == given["quantity"])
        kind = h.EXACT if given["is_exact"] else h.KIND_OF[quantity]
        if not may(self.source.may, kind):
            return refused(h.ROLE)
        if not self._has_room():
            return refused(h.RATE)

        def ask(link: client.HintClient, key: bytes) -> w.Reply | None:
            said = link.say(
                *(self.source.name, key, kind, quantity, given["value_W"], given["valid_s"] * 1000),
                ahead_ms=round(given["start_in_s"] * 1000),
            )
            return said and said[1]

        return await self._asked(ask, fields)

    def has_room(self, count: int) -> bool:
        """True if the quota of this minute is enough for so many messages."""
        now_us = clock.now_us()
        while self._sent_us and now_us - self._sent_us[0] >= MINUTE_US:
            self._sent_us.popleft()
        return len(self._sent_us) + count <= self.source.hints_per_min_max

    def _has_room(self) -> bool:
        """Count one message of this minute. False if the quota of the source is used up."""
        if not self.has_room(1):
            return False
        self._sent_us.append(clock.now_us())
        return True

    async def _asked(
        self,
        ask: Callable[[client.HintClient, bytes], Found | None],
        words: Callable[[Found], Answer],
    ) -> Answer:
        async with self._lock:
            return await asyncio.to_thread(self._exchanged, ask, words)

    def _exchanged(
        self,
        ask: Callable[[client.HintClient, bytes], Found | None],
        words: Callable[[Found], Answer],
    ) -> Answer:
        """What the loop answers, or why nothing came."""
        try:
            key, _ = key_file.read(self.source.key_path)
            with client.HintClient(self._run_directory) as link:
                found = ask(link, key)
        except (key_file.KeyStoreError, client.SequenceError):
            return refused(h.NO_KEY)
        except BlockingIOError:
            return refused(h.BUSY)
        except OSError as error:
            is_key = error.filename == self.source.key_path
            return refused(h.NO_KEY if is_key else h.NO_CONTROLLER)
        return refused(h.NO_ANSWER) if found is None else words(found)


def read_hint(message: object) -> Answer:
    """The fields of HINT. Raises ConfigError."""
    if not isinstance(message, dict):
        raise ConfigError(f"hint: {shown(message)} is not an object; allowed {', '.join(HINT)}")
    return read("hint", (), message, HINT)


def may(role: str, kind: int) -> bool:
    """True if a source that may send as `role` may send this kind of hint."""
    needed = {h.REQUEST: "request", h.EXACT: "request", h.GRID_CAP: "grid_cap"}.get(kind, "cap")
    return h.ROLES.index(role) >= h.ROLES.index(needed)


def refused(code: int) -> Answer:
    """An answer of the door itself: nothing has reached the loop, or nothing came back."""
    return messages.problem(code)
