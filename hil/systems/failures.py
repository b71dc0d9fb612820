"""Failures in a run: each part beside the controller is silent once a day for 10 minutes, at a
random moment, one part after the other.

A silent sender renews neither its heartbeat nor its schedule. A silent clock is not to be trusted.
A silent site device keeps the last value that it was sent.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

FOR_S, DAY_S = 600, 86_400
GRID_METER, LOAD_METER, SENDER = "meter_grid", "meter_load", "sender"
PARTS = GRID_METER, LOAD_METER, SENDER


class Failure(NamedTuple):
    """`name` is silent from second `begin_s` of the run on, for FOR_S."""

    name: str
    begin_s: int


def drawn(seed: int, days: int, names: Sequence[str]) -> list[Failure]:
    """Failures of each day and each name, in the order of time; at most DAY_S / FOR_S names."""
    rng, span_s = random.Random(f"{seed}/failures"), DAY_S // len(names)
    found = []
    for day in range(days):
        for place, name in enumerate(rng.sample(names, len(names))):
            at_s = rng.randint(0, span_s - FOR_S)
            found.append(Failure(name, day * DAY_S + place * span_s + at_s))
    return found


def changes(failures: Iterable[Failure]) -> dict[int, frozenset[str]]:
    """{second: the parts that are silent from there on}."""
    found: dict[int, frozenset[str]] = {}
    for name, begin_s in failures:
        found[begin_s] = frozenset([name])
        found.setdefault(begin_s + FOR_S, frozenset())
    return found


def silent_in(failures: Iterable[Failure], is_so: np.ndarray) -> dict[str, int]:
    """Seconds of is_so in which each part is silent. is_so: of each second of the run, bool."""
    counts: Counter[str] = Counter()
    for name, begin_s in failures:
        counts[name] += int(is_so[begin_s : begin_s + FOR_S].sum())
    return {name: count for name, count in counts.items() if count}
