"""Sends the set-points of SunSpec models 704 and 715 to the loop, as hints of one source.

A master writes registers one by one, in any order. So a set-point is first stored without effect,
and becomes a hint when its enable register is 1. The answer of the loop decides: a refused write
changes nothing. Registers show the value that is in force, never the value that was written.

The door sends a hint again only when ControllerHb changes. So the set-point of a master that has
stopped working ends with its validity, even if the master asked for a long reversion time.
"""

import asyncio
import math
from collections.abc import Callable
from typing import NamedTuple

from controller.core.base import hint_codes as h
from controller.doors.sending import Sender, may
from controller.forms.reading import Values
from controller.system import clock

FUNCTION, VALUE, FAILURE, BUSY = 1, 3, 4, 6  # exception codes of Modbus
OK = 0
REFUSALS = {
    h.ROLE: FUNCTION,
    h.RATE: BUSY,
    h.BUSY: BUSY,
    **dict.fromkeys((h.WRONG_VALUE, h.VALID_SHORT, h.VALID_LONG), VALUE),
}
UNLIMITED_W = 1_000_000_000  # a cap that is too high to limit anything
END_S = 1  # validity of a hint that ends another hint
VALID_S_MAX = 300
HEARTBEAT = "715.ControllerHb"
WATTS = 1  # WSetMod
# {point that a master may set: (lowest, highest number)}
RANGES = {
    "704.WMaxLimPctEna": (0, 1),
    "704.WMaxLimPct": (0, 10_000),
    "704.WMaxLimPctRvrtTms": (0, 2**32 - 2),
    "704.WSetEna": (0, 1),
    "704.WSetMod": (0, 1),
    "704.WSet": (-UNLIMITED_W, UNLIMITED_W),
    "704.WSetPct": (-10_000, 10_000),
    "704.WSetRvrtTms": (0, 2**32 - 2),
    HEARTBEAT: (0, 2**32 - 2),
}
Changes = dict[str, int]  # {name of a point: its new value}
FULL = 10_000  # 100 % in WSetPct and WMaxLimPct


class Group(NamedTuple):
    """Points that form one set-point, and the value of the hint that ends it."""

    prefix: str
    kind: int
    quantities: tuple[str, ...]
    end_W: int


LIMIT = Group("704.WMaxLimPct", h.CAP, ("charge_W_max", "discharge_W_max"), UNLIMITED_W)
SET = Group("704.WSet", h.REQUEST, ("power_W",), 0)


class Held(NamedTuple):
    """The hints of a master that are in force. until_s: end of its reversion time, uptime in s."""

    master: str
    hints: list[Values]
    sent_s: float
    valid_s: int
    until_s: float


class Shared:
    """The state that all masters of one source share.

    It has the hints in force, and each answer of the loop until the state includes it.
    """

    def __init__(self, name: str, sender: Sender):
        self.name, self.sender = name, sender
        self.lock = asyncio.Lock()
        self.held: dict[Group, Held] = {}
        # {quantity: (uptime of the answer in s, granted W, remaining validity in s)}
        self.answers: dict[str, tuple[float, int | None, int]] = {}


class Controls:
    """The set-points of one master. valid_s_max: the limit of the loop for this source."""

    def __init__(self, master: str, shared: Shared, values: Values):
        self._master, self.shared = master, shared
        self._may, self._valid_s = values["may"], values["valid_s"]
        self._is_exact = values["is_exact"]
        self.stored: Changes = {"704.WSetMod": WATTS}
        self._waiting: set[Group] = set()  # enabled, but without a value yet
        self.heartbeat: int | None = None
        self._beat_s = -math.inf
        self.valid_s_max, self.rated_W = VALID_S_MAX, 0

    async def write(self, changes: Changes, enabled: Callable[[], set[Group]]) -> int:
        """Modbus exception code, or OK if all is in force. enabled(): the groups in force."""
        ranges = [(name, RANGES[name]) for name in changes]
        if any(not low <= changes[name] <= high for name, (low, high) in ranges):
            return VALUE
        async with self.shared.lock:
            if not self.shared.sender.has_room(_hints_max(changes)):
                return BUSY  # checked before the first hint, so that no half of a write is in force
            before, is_on = dict(self.stored), enabled()
            self.stored |= {name: value for name, value in changes.items() if name != HEARTBEAT}
            code = OK
            for group in (LIMIT, SET):  # the group that narrows comes first
                if not code and any(name.startswith(group.prefix) for name in changes):
                    code = await self._set(group, changes, group in is_on)
            if not code and HEARTBEAT in changes:
                code = await self._beat(changes[HEARTBEAT])
            if code:
                self.stored = before
            return code

    async def _set(self, group: Group, changes: Changes, is_on: bool) -> int:
        enable = changes.get(f"{group.prefix}Ena")
        if enable == 0:
            self._waiting.discard(group)
            self.shared.held.pop(group, None)
            ends = [self._hint(quantity, group.end_W) for quantity in group.quantities]
            return await self._send(group.kind, ends, END_S) if is_on else OK
        if not (enable or is_on or group in self._waiting):
            return OK
        value_W = self._value_W(group)
        if value_W is None:
            self._waiting.add(group)
            return OK
        return await self._hold(group, value_W)

    def _value_W(self, group: Group) -> int | None:
        """The stored set-point, W; None if none is stored."""
        if group is SET and self.stored["704.WSetMod"] == WATTS:
            return self.stored.get("704.WSet")
        part = self.stored.get("704.WMaxLimPct" if group is LIMIT else "704.WSetPct")
        if part is None or not self.rated_W:
            return None
        return abs(part) * self.rated_W // FULL * (1 if part > 0 else -1)

    async def _hold(self, group: Group, value_W: int) -> int:
        reversion_s = self.stored.get(f"{group.prefix}RvrtTms", 0)
        uptime_s = clock.uptime_s()
        valid_s = min(reversion_s or self._valid_s, self.valid_s_max)
        hints = [self._hint(quantity, value_W) for quantity in group.quantities]
        code = await self._send(group.kind, hints, valid_s)
        if not code:
            self._waiting.discard(group)
            until_s = uptime_s + reversion_s if reversion_s else math.inf
            self.shared.held[group] = Held(self._master, hints, uptime_s, valid_s, until_s)
        return code

    async def _beat(self, value: int) -> int:
        """Take a heartbeat. If it has changed, send it and the hints of this master to the loop."""
        if value == self.heartbeat:
            return OK
        uptime_s, valid_s = clock.uptime_s(), min(self._valid_s, self.valid_s_max)
        if uptime_s - self._beat_s >= valid_s / 3:
            code = await self._send(h.HEARTBEAT, [self._hint("heartbeat", 0)], valid_s)
            if code:
                return code
            self._beat_s = uptime_s
        self.heartbeat = value
        for group, held in [*self.shared.held.items()]:
            if held.master == self._master and (code := await self._renew(group, held, uptime_s)):
                return code
        return OK

    async def _renew(self, group: Group, held: Held, uptime_s: float) -> int:
        """Send a hint again after a third of its validity, but never after its end."""
        end_s = held.sent_s + held.valid_s
        if uptime_s >= min(end_s, held.until_s):
            del self.shared.held[group]
            return OK
        if uptime_s - held.sent_s < held.valid_s / 3 or held.until_s <= end_s:
            return OK
        longest_s = held.valid_s if held.until_s == math.inf else self.valid_s_max
        valid_s = max(1, int(min(longest_s, held.until_s - uptime_s)))
        code = await self._send(group.kind, held.hints, valid_s)
        if not code:
            self.shared.held[group] = held._replace(sent_s=uptime_s, valid_s=valid_s)
        return code

    def _hint(self, quantity: str, value_W: int) -> Values:
        is_exact = self._is_exact and quantity == "power_W"
        return {"quantity": quantity, "value_W": value_W, "is_exact": is_exact}

    async def _send(self, kind: int, hints: list[Values], valid_s: int) -> int:
        """Send hints until one is refused. Returns the exception code of the refusal, or OK."""
        if not may(self._may, kind):
            return FUNCTION
        for hint in hints:
            answer = await self.shared.sender.hint({**hint, "valid_s": valid_s})
            if "granted_W" in answer and hint["quantity"] != "heartbeat":
                left_s = answer["valid_ms"] // 1000
                in_force = clock.uptime_s(), answer["granted_W"], left_s
                self.shared.answers[hint["quantity"]] = in_force
            if not h.taken(answer["code"]):
                return REFUSALS.get(answer["code"], FAILURE)
        return OK


def _hints_max(changes: Changes) -> int:
    """The highest number of hints that a write may cause. A heartbeat may renew all hints."""
    is_beat = HEARTBEAT in changes
    touched = [
        group
        for group in (LIMIT, SET)
        if is_beat or any(name.startswith(group.prefix) for name in changes)
    ]
    return is_beat + sum(len(group.quantities) for group in touched)
