"""The load and the sun of the slots to come: yesterday's, the load with its difference to now.

The difference fades out. What the cooling takes follows the air instead, where that is foretold. A
study over the loads of clusters found nothing better without a job plan: the same weekday of last
week, and the load of now alone, are both far worse.
"""

import math
from collections.abc import Sequence

FADES_SLOTS = 16


def load(
    past_W: Sequence[float], per_day: int, count: int, cooling_W: Sequence[float] = ()
) -> list[float]:
    """The next `count` slots. past_W: slots until now, the newest last; none: 0. cooling_W: of
    the past slots and the next ones; empty: unknown.
    """
    if cooling_W:
        rest_W = [each - own for each, own in zip(past_W, cooling_W)]
        ahead_W = repeated(cooling_W, per_day, len(past_W) + count)
        ahead_W[: len(cooling_W)] = cooling_W
        return [
            own + more for own, more in zip(load(rest_W, per_day, count), ahead_W[len(past_W) :])
        ]
    found = repeated(past_W, per_day, count)
    if len(past_W) > per_day:
        gap_W = past_W[-1] - past_W[-1 - per_day]
        return [each_W + gap_W * math.exp(-at / FADES_SLOTS) for at, each_W in enumerate(found)]
    return found


def repeated(past: Sequence[float], per_day: int, count: int) -> list[float]:
    """The last day again and again; less than a day: its last value."""
    if len(past) < per_day:
        return [past[-1] if past else 0.0] * count
    day = past[len(past) - per_day :]
    return [float(day[at % per_day]) for at in range(count)]
