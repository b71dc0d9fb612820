"""A dispatcher among the controllers of a system in chain-only mode, once a second.

The messages take no time here, and none is lost: `python -m hil trials fleet` has a broker that
loses, doubles and delays messages, and cabinets with their kernels. After a cabinet has come, the
others count on its battery more and more.
"""

import json
import random
from collections.abc import Sequence

from controller.core.base import hint_codes as h
from controller.dispatch.dispatcher import Dispatcher
from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.report import report_of
from controller.store.joining import RAMP_S
from hil.fleet.box import RUNNING, reported
from hil.fleet.standin import StandIn
from hil.systems.member import ChainMember

SOURCE, NUMBER = "shares", 2  # the source that sorts after the planner's (HintSlot.source)
HELD_MS = 5000  # each limit is valid so long; a new one comes every second
HOLD_H = 4.0


class Shares:
    """The dispatcher of a system, with the hint sockets of its controllers."""

    def __init__(
        self,
        members: Sequence[ChainMember],
        connection_W: int,
        spare_W: int,
        fallback_W: int,
        seed: int,
    ) -> None:
        """spare_W: kept free for steps of the load; fallback_W: import limit without a share."""
        self._members, draw = members, random.Random(f"{seed}/shares")
        keys = [draw.randbytes(32) for _ in members]
        names = [f"cabinet{number}" for number in range(1, len(members) + 1)]
        cabinets = [
            Cabinet(name, key, fallback_W, member.share_permille)
            for name, key, member in zip(names, keys, members)
        ]
        self._boxes = [StandIn(name, key, fallback_W, draw) for name, key in zip(names, keys)]
        self._by_name = dict(zip(names, self._boxes))
        self._was_here = [True for _ in members]
        self._came_s = [-RAMP_S for _ in members]
        is_common = len(members) > 1
        fleet = Fleet(
            path="",
            connection_W=connection_W,
            is_common=is_common,
            source=SOURCE,
            spare_W=spare_W,
            hold_h=HOLD_H,
            cabinets=tuple(cabinets),
            broker={},
        )
        self._dispatcher = Dispatcher(fleet, 1, 0, seed=seed)

    def step(self, now_s: int) -> None:
        """Carry the messages of a second, and hand each controller its limit."""
        now_ms, now_us = now_s * 1000, now_s * 1_000_000
        for number, (member, box) in enumerate(zip(self._members, self._boxes)):
            if member.is_here and not self._was_here[number]:
                box.boot(now_ms)
                self._came_s[number] = now_s
            self._was_here[number] = member.is_here
            if member.is_here:
                joined_s = min(RAMP_S, now_s - self._came_s[number])
                report = report_of(_report(member, joined_s))
                self._dispatcher.hear_report(box.name, report, now_us)
        for _ in range(2):  # power that a lowered share frees is lent in the same second
            for name, datagram in self._dispatcher.step(now_us):
                box = self._by_name[name]
                answer = box.receive(datagram, now_ms)
                if answer is not None and self._members[self._boxes.index(box)].is_here:
                    self._dispatcher.hear_answer(name, answer, now_us)
        for member, box in zip(self._members, self._boxes):
            if member.is_here:
                limit_W = box.limit_W(now_ms)
                cap = h.HintSlot(NUMBER, h.GRID_CAP, h.IMPORT_W_MAX, limit_W, HELD_MS)
                for hint in (cap, h.HintSlot(NUMBER, h.HEARTBEAT, 0, 0, HELD_MS)):
                    member.image.add_hint(hint)


def _report(member: ChainMember, joined_s: int) -> bytes:
    """The report of a controller about its last second. joined_s: since it came, at most RAMP_S."""
    report = reported(member.control, RUNNING, member.share_permille)
    report["discharge_W_max"] = report["discharge_W_max"] * joined_s // RAMP_S
    return json.dumps({**report, "temperature_ddegC": None}).encode()
