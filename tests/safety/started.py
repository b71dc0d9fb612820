"""Clones of benches that already run; their inputs may be held."""

import functools
import pickle

from bench import Bench, disarm

from safety import matrix as m, signals as s
from tests import late_steps

COARSE = 20  # ticks, 0.4 s: as late as a step may be without a trip of row 44


class Plant(Bench):
    """A bench whose inputs in `held` {index: value} stay, for any outputs."""

    def __init__(self, image=None, **topology):
        self.held, self.is_alone = {}, False
        super().__init__(image, **topology)

    def _follow(self):
        super()._follow()
        for at, value in self.held.items():
            self.inp[at] = value

    def step(self, steps=1, elapsed=1):
        fresh = bytes([0 if group in self.silent else 1 for group in range(self.layout.groups)])
        kernel = self.kernel
        for _ in range(steps):
            self.count += 1
            self._follow()
            kernel.fresh[:] = fresh
            kernel.step(elapsed)
            if not self.counts_late_steps:
                late_steps.forget(kernel)
            self.inp[s.RESET_KIND] = 0
        return self

    def wait(self, waited_ticks):
        """Let time pass in late steps: exact for all but clear times."""
        if self.is_alone and waited_ticks > 1:  # row 44 is not armed
            return self.step().step(1, elapsed=waited_ticks - 1)
        self.step(waited_ticks // COARSE, elapsed=COARSE)
        return self.step(waited_ticks % COARSE)

    def rack_at(self, signal, rack=0):
        return self.layout.rack_input(rack, signal)

    def bms_groups(self, rack=0):
        return {self.layout.rack_group(rack, group) for group in range(len(s.RACK_GROUPS))}

    def load(self, current_mA):
        for rack in range(self.layout.racks):
            self.set_rack(s.RACK_CURRENT_MA, current_mA, rack)
        return self

    def hold(self, at, value):
        self.held[at] = value
        return self

    def hold_rack(self, signal, value, rack=0):
        return self.hold(self.rack_at(signal, rack), value)

    def instance(self, name):
        stages = list(enumerate(self.kernel.evaluator.stage))
        return max(index for index, stage in stages if m.STAGES[stage][m.S_ID] == name)

    def alone(self, *names):
        self.is_alone = True
        kept = [self.instance(name) for name in names]
        evaluator = self.kernel.evaluator
        others = [at for at in range(evaluator.count) if at not in kept]
        disarm(evaluator, self.kernel.image, others)
        return self


@functools.cache
def _running(**topology):
    return pickle.dumps(Plant(**topology).run())


@functools.cache
def _resting(**topology):
    plant = Plant(**topology)
    plant.inp[s.RUN_REQUEST] = 0
    plant.step(600)
    if plant.out[s.STATE] != s.READY:
        raise AssertionError(f"not ready: inhibit reason {plant.out[s.INHIBIT_REASON]}")
    return pickle.dumps(plant)


def running(**topology):
    """A clone of a cabinet that has been running for 22 s. topology: units, racks, modules."""
    return pickle.loads(_running(**topology))


def resting(**topology):
    """A clone of a cabinet that could start but was not asked to."""
    return pickle.loads(_resting(**topology))
