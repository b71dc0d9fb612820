"""`python -m hil bench hint` measures the time from a hint to the changed set-point.

A source requests power in alternating directions, each time at another phase of the tick. The time
runs from the hint's datagram to the last byte of the answer. The answer is the first set-point on
the converter's wire that has moved as requested. The budget is the sum of the wait for a tick, the
tick, and the time on the bus.
"""

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from controller.config import bus_times, configuration
from controller.config.cabinet_config import Config
from controller.core.base import hint_codes as h
from controller.hints import wire as w
from controller.hints.client import HintClient
from hil.campaigns import order
from hil.campaigns.benchmarks import timing
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import Figures, Measured, figure, spread
from hil.campaigns.benchmarks.lateness import figures_of, stall_figures
from hil.engine.rig import Rig
from hil.observer.beats import SETPOINT, unpacked

SOURCE = "scheduler"
# The first hint comes when the cabinet runs. The next ones come every CYCLE_S, because 20 kW at 25
# kW/s take 0.8 s.
FIRST_S, CYCLE_S = 20.0, 2.0
NO_ANSWER_US = 1_000_000
SCENARIO = """name = "run"
title = "Load and battery at rest"
duration_s = {duration_s:.3f}
expect = []
[load]
kind = "steps"
steps_kW = [[0, 300]]
"""


def run(count: int = 200, seed: int = 1) -> Measured:
    """The findings. Raises RigError, OSError."""
    config, sender = configuration.load(order.EXAMPLE), Sender(count, seed)
    duration_s = FIRST_S + (count + 1) * CYCLE_S
    text = SCENARIO.format(duration_s=duration_s)
    with Cyclictest() as rival:
        doc, content, _ = order.played(config, duration_s, seed, sender.see, text, beats=True)
    taken_us = delays_us(content, sender.sent)
    notes = [
        f"seed {seed}, {len(sender.sent)} of {count} hints taken, each at a random phase of the "
        "tick; read from the wire by the simulated cabinet, whose own lateness is in it",
        *rival.notes,
    ]
    lateness = figures_of("loop lateness during it", order.loop(doc), rival)
    figures = [*_figures(taken_us, allowed_us(config), rival), *lateness]
    details = {"delays_us": taken_us, "cyclictest": rival.result}
    return Measured(figures, notes, details, order.priority(doc))


def allowed_us(config: Config) -> int:
    """The budget: 2 ticks, the longest exchange in progress, and the frame."""
    parts = bus_times.hint_latency(config, bus_times.schedule(config))
    return sum(part.time_us for part in parts)


class Sender:
    """Sends a hint every CYCLE_S. `sent`: (monotonic ns, +1 or -1) for each hint that was taken."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._rng = count, random.Random(seed)
        self._due_s, self._sign = FIRST_S, 1
        self.sent: list[tuple[int, int]] = []

    def see(self, rig: Rig, shown: dict[str, Any]) -> None:
        """Send a hint if one is due. shown: a view, with elapsed_s."""
        if self._count and shown["elapsed_s"] >= self._due_s:
            self._due_s += CYCLE_S
            self._count -= 1
            timing.wait_s(self._rng.random() * 0.02)  # so that hints meet every phase of a tick
            if at_ns := request(rig, self._sign * 10_000):
                self.sent.append((at_ns, self._sign))
            self._sign = -self._sign


def request(rig: Rig, value_W: int) -> int | None:
    """Send a request of SOURCE. Returns its time, monotonic ns; None if it was not taken."""
    with HintClient(rig.directory) as client:
        welcome = client.hello(SOURCE)
        if welcome is None:
            return None
        header = (SOURCE, welcome.nonce, welcome.sequence + 1, welcome.uptime_ms)
        at_ns = timing.monotonic_ns()
        asked = w.Hint(*header, h.REQUEST, h.POWER_W, 0, value_W, 60_000)
        reply = client.hint(asked, rig.keys[SOURCE])
    return at_ns if reply is not None and h.taken(reply.code) else None


def delays_us(content: dict[str, Any], sent: Iterable[tuple[int, int]]) -> list[int | None]:
    """Time from each hint to the set-point that it moved; None if none moved in NO_ANSWER_US."""
    times_us = unpacked(content["beats"])[SETPOINT]
    values_W = np.frombuffer(content["setpoints_W"], np.int64)
    return [
        _delay_us(times_us, values_W, (at_ns - content["start_ns"]) // 1000, sign)
        for at_ns, sign in sent
    ]


def _delay_us(times_us: np.ndarray, values_W: np.ndarray, at_us: int, sign: int) -> int | None:
    first = int(np.searchsorted(times_us, at_us, "right"))
    last = int(np.searchsorted(times_us, at_us + NO_ANSWER_US, "right"))
    if not 0 < first < last:
        return None
    # without a request the set-point moves by 200 W, after a request by at least 500 W
    moved = np.flatnonzero(sign * (values_W[first:last] - values_W[first - 1]) >= 300)
    return int(times_us[first + moved[0]]) - at_us if len(moved) else None


def _figures(taken_us: list[int | None], bound_us: int, rival: Cyclictest) -> Figures:
    seen_ms = [value / 1000 for value in taken_us if value is not None]
    quantity, whose = "hint in to new set-point on the wire", "this site's sum"
    figures = spread(quantity, seen_ms, "ms", whose, bound_us / 1000, "hint_to_wire")
    figures.append(figure("hints that moved no set-point", taken_us.count(None), "hints"))
    return figures + stall_figures(rival)
