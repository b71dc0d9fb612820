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


def played(seed: int, hours: float, faults: Faults) -> Short:
    """Play it with drawn moves of the jobs."""
    draw = random.Random(f"{seed}/jobs")
    boxes = [StandIn(f"c{n}", draw.randbytes(32), FALLBACK_W, draw) for n in range(1, COUNT + 1)]
    by_name = {box.name: box for box in boxes}
    cabinets = tuple([Cabinet(box.name, box._key, FALLBACK_W, 0) for box in boxes])
    fleet = Fleet("", CONNECTION_W, False, "fleet", 0, 0.0, cabinets, {})
    dispatcher = Dispatcher(fleet, 1, 0.0, seed=draw.randrange(2**32))
    broker = Broker(faults, draw)
    at = [draw.randrange(COUNT) for _ in range(JOBS)]
    moves_ms = [draw.expovariate(1 / JOB_MS) for _ in range(JOBS)]
    reported = {box.name: (-draw.uniform(0, REPORT_MS), -1) for box in boxes}
    short = load = fixed = above_W = 0
    for now_ms in range(0, int(hours * 3_600_000) + SETTLE_MS, STEP_MS):
        for job in range(JOBS):
            if now_ms >= moves_ms[job]:
                moves_ms[job] = now_ms + draw.expovariate(1 / JOB_MS)
                at[job] = draw.choice([each for each in range(COUNT) if each != at[job]])
        for n, box in enumerate(boxes):
            box.load_W = BASE_W + JOB_W * at.count(n)
            since_ms, before_W = now_ms - reported[box.name][0], reported[box.name][1]
            if since_ms >= REPORT_MS or since_ms >= CHANGED_MS and box.load_W != before_W:
                reported[box.name] = now_ms, box.load_W
                broker.send("report", box.name, box.report(now_ms), now_ms)
        for message in broker.arrived(now_ms):
            if message.kind == "hint":
                answer = by_name[message.name].receive(message.payload, now_ms)
                if answer:
                    broker.send("answer", message.name, answer, now_ms)
            elif message.kind == "answer":
                dispatcher.hear_answer(message.name, message.payload, now_ms)
            else:
                dispatcher.hear_report(message.name, report_of(message.payload), now_ms)
        for name, datagram in dispatcher.step(now_ms):
            broker.send("hint", name, datagram, now_ms)
        limits_W = [box.limit_W(now_ms) for box in boxes]
        above_W = max(above_W, sum(limits_W) - CONNECTION_W)
        if now_ms >= SETTLE_MS:
            load += sum([box.load_W for box in boxes])
            short += sum([max(0, box.load_W - most) for box, most in zip(boxes, limits_W)])
            fixed += sum([max(0, box.load_W - CONNECTION_W // COUNT) for box in boxes])
    return Short(1000 * short / load, 1000 * fixed / load, above_W, broker.counts["sent"])
