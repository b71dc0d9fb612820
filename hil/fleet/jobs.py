"""Moves jobs among eight cabinets on one connection, and measures how much load gets no power.

A perfect dispatcher moves each watt with its job; fixed shares move none.
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
    """Energy that the load lacks, permille of its energy: with a dispatcher and with fixed shares;
    above_W: highest sum of limits above the connection.
    """

    short_permille: float
    fixed_permille: float
    above_W: int
    messages: int


class _Simulation:
    """Cabinets, broker, dispatcher and jobs."""

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
        self._cabinet_of_job = [draw.randrange(COUNT) for _ in range(JOBS)]
        self._moves_ms = [draw.expovariate(1 / JOB_MS) for _ in range(JOBS)]
        self._reported = {name: (-draw.uniform(0, REPORT_MS), -1) for name in keys}

    def step(self, now_ms: int) -> None:
        """Move jobs, send reports, carry messages."""
        for job in range(JOBS):
            if now_ms >= self._moves_ms[job]:
                self._moves_ms[job] = now_ms + self.draw.expovariate(1 / JOB_MS)
                targets = [number for number in range(COUNT) if number != self._cabinet_of_job[job]]
                self._cabinet_of_job[job] = self.draw.choice(targets)
        for number, (name, box) in enumerate(self.boxes.items()):
            box.load_W = BASE_W + JOB_W * self._cabinet_of_job.count(number)
            reported_ms, before_W = self._reported[name]
            is_changed = now_ms - reported_ms >= CHANGED_MS and box.load_W != before_W
            if now_ms - reported_ms >= REPORT_MS or is_changed:
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
    """Simulate the cabinets with drawn moves of the jobs."""
    simulation = _Simulation(seed, faults)
    short_W = load_W = fixed_W = above_W = 0  # sums over the steps; above_W: highest
    for now_ms in range(0, int(hours * 3_600_000) + SETTLE_MS, STEP_MS):
        simulation.step(now_ms)
        boxes = simulation.boxes.values()
        limits_W = [box.limit_W(now_ms) for box in boxes]
        above_W = max(above_W, sum(limits_W) - CONNECTION_W)
        if now_ms >= SETTLE_MS:
            load_W += sum([box.load_W for box in boxes])
            short_W += sum([max(0, box.load_W - limit_W) for box, limit_W in zip(boxes, limits_W)])
            fixed_W += sum([max(0, box.load_W - CONNECTION_W // COUNT) for box in boxes])
    sent = simulation.broker.counts["sent"]
    return Short(1000 * short_W / load_W, 1000 * fixed_W / load_W, above_W, sent)
