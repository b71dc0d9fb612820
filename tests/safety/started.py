"""Clones of benches that already run."""

import functools
import pickle

from bench import Bench

from safety import signals as s


@functools.cache
def _running(**topology):
    return pickle.dumps(Bench(**topology).run())


@functools.cache
def _resting(**topology):
    plant = Bench(**topology)
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
