"""Eight cabinets on one connection, among which jobs move: how much of the load is short.

A perfect dispatcher moves each watt with its job. Fixed eighths never move one.
"""

import random
from typing import NamedTuple

from controller.dispatch.dispatcher import Dispatcher
from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.report import report_of
from hil.fleet.broker import Broker, Faults
from hil.fleet.standin import StandIn

CONNECTION_W, COUNT, BASE_W, FALLBACK_W = 6_000_000, 8, 200_000, 200_000
JOBS, JOB_W, JOB_MS = 5, 820_000, 120_000
STEP_MS, SETTLE_MS, REPORT_MS, CHANGED_MS = 100, 90_000, 9000, 1000


class Short(NamedTuple):
    """Energy short as a part of the load's energy, permille; above_W: most above the connection."""

    short_permille: float
    fixed_permille: float
    above_W: int
    messages: int


class _Game:
    """The cabinets, the broker and the dispatcher, with the jobs of now."""

    def __init__(self, seed: int, faults: Faults) -> None:
        draw = self.draw = random.Random(f"{seed}/jobs")
        keys = {f"c{number}": draw.randbytes(32) for number in range(1, COUNT + 1)}
        self.boxes = {name: StandIn(name, key, FALLBACK_W, draw) for name, key in keys.items()}
        cabinets = tuple([Cabinet(name, key, FALLBACK_W, 0) for name, key in keys.items()])
        fleet = Fleet(
            path="",
            connection_W=CONNECTION_W,
            is_common=False,
            source="fleet",
            spare_W=0,
            hold_h=0.0,
            cabinets=cabinets,
            broker={},
        )
        self.dispatcher = Dispatcher(fleet, 1, 0, seed=draw.randrange(2**32))
        self.broker = Broker(faults, draw)
        self._at = [draw.randrange(COUNT) for _ in range(JOBS)]
        self._moves_ms = [draw.expovariate(1 / JOB_MS) for _ in range(JOBS)]
        self._reported = {name: (-draw.uniform(0, REPORT_MS), -1) for name in keys}

    def step(self, now_ms: int) -> None:
        """Move jobs, send reports, carry messages."""
        for job in range(JOBS):
            if now_ms >= self._moves_ms[job]:
                self._moves_ms[job] = now_ms + self.draw.expovariate(1 / JOB_MS)
                targets = [number for number in range(COUNT) if number != self._at[job]]
                self._at[job] = self.draw.choice(targets)
        for number, (name, box) in enumerate(self.boxes.items()):
            box.load_W = BASE_W + JOB_W * self._at.count(number)
            at_ms, before_W = self._reported[name]
            is_changed = now_ms - at_ms >= CHANGED_MS and box.load_W != before_W
            if now_ms - at_ms >= REPORT_MS or is_changed:
                self._reported[name] = now_ms, box.load_W
                self.broker.send("report", name, box.report(now_ms), now_ms)
        for kind, name, payload in self.broker.arrived(now_ms):
            if kind == "hint":
                answer = self.boxes[name].receive(payload, now_ms)
                if answer:
                    self.broker.send("answer", name, answer, now_ms)
            elif kind == "answer":
                self.dispatcher.hear_answer(name, payload, now_ms * 1000)
            else:
                self.dispatcher.hear_report(name, report_of(payload), now_ms * 1000)
        for name, datagram in self.dispatcher.step(now_ms * 1000):
            self.broker.send("hint", name, datagram, now_ms)


def played(seed: int, hours: float, faults: Faults) -> Short:
    """Play it with drawn moves of the jobs."""
    game = _Game(seed, faults)
    short = load = fixed = above_W = 0
    for now_ms in range(0, int(hours * 3_600_000) + SETTLE_MS, STEP_MS):
        game.step(now_ms)
        boxes = game.boxes.values()
        limits_W = [box.limit_W(now_ms) for box in boxes]
        above_W = max(above_W, sum(limits_W) - CONNECTION_W)
        if now_ms >= SETTLE_MS:
            load += sum([box.load_W for box in boxes])
            short += sum([max(0, box.load_W - most) for box, most in zip(boxes, limits_W)])
            fixed += sum([max(0, box.load_W - CONNECTION_W // COUNT) for box in boxes])
    return Short(1000 * short / load, 1000 * fixed / load, above_W, game.broker.counts["sent"])
