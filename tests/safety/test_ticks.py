"""Kernel at ticks of 10 and 20 ms side by side: what a cause does, it does after the same time."""

import random

import pytest
from parity_steps import Walk

from safety import signals as s

SPAN_MS, SPANS = 400, 150
CLOSED_MS = 6000  # the contactors are closed by then
NEAR_MS = 60  # a chain of stages that wait for each other: one tick each


class Timed(Walk):
    """A Walk whose inputs change at times, not at steps."""

    def __init__(self, tick_ms):
        super().__init__(1, 1, 4, tick_ms)
        self.tick_ms, self.now_ms = tick_ms, 0
        self.since = {}  # stage: when it became active, in the order of time
        self.states, self.limits_W = [], []

    def span(self, deal):
        """deal: of the causes, the same for both ticks."""
        self.draw = lambda below: 1  # nothing that `_follow` draws differs from step to step
        if deal.random() < 0.2:
            self.kernel.inp[:] = self.usual
        for _ in range(deal.randrange(4) if self.now_ms > CLOSED_MS else 0):
            at = deal.randrange(len(self.kernel.inp))
            self.kernel.inp[at] = deal.randint(self.low[at], min(self.high[at], 1 << 20))
        silent = {deal.randrange(len(self.kernel.fresh)) for _ in range(deal.randrange(3))}
        for _ in range(SPAN_MS // self.tick_ms):
            self.one(silent)

    def one(self, silent):
        kernel, was = self.kernel, bytes(self.kernel.evaluator.active)
        for group in range(len(kernel.fresh)):
            kernel.fresh[group] = group not in silent
        self._follow(kernel.inp, kernel.out)
        self.now_ms += self.tick_ms
        kernel.inp[s.GRID_RAW_HASH] = kernel.inp[s.LOAD_RAW_HASH] = self.now_ms & 4095
        kernel.step(1)
        for at, active in enumerate(kernel.evaluator.active):
            if active and not was[at]:
                self.since.setdefault(at, []).append(self.now_ms)


@pytest.fixture(scope="module")
def pair():
    found = []
    for tick_ms in (10, 20):
        walk, deal = Timed(tick_ms), random.Random(7)
        for _ in range(SPANS):
            walk.span(deal)
            walk.states.append(walk.kernel.out[s.STATE])
        found.append(walk)
    return found


def test_the_same_stages_at_the_same_times(pair):
    first, second = [walk.since for walk in pair]
    assert len(first) > 20 and first.keys() == second.keys()
    apart = {
        at: (times, second[at])
        for at, times in first.items()
        if len(times) != len(second[at])
        or max(abs(a - b) for a, b in zip(times, second[at])) > NEAR_MS
    }
    assert not apart


def test_the_same_run_states(pair):
    first, second = [walk.states for walk in pair]
    assert {s.RUNNING, s.TRIPPED} <= set(first)
    assert sum(a != b for a, b in zip(first, second)) <= SPANS // 100
