"""Forecasts load and PV power: both repeat yesterday.

The present difference from yesterday is added to the load, and fades out. If there is a forecast of
the air temperature, the power of the cooling follows it instead. A study over the loads of clusters
found nothing better without a job plan.
"""

import math
from collections.abc import Sequence

from controller.system.local_days import SLOTS_PER_DAY, Before

FADES_SLOTS = 16  # time constant of the difference, slots
MARGIN = 1.2  # factor on a forecast energy: the load in Norway rises by a tenth in 3 h


def load(
    past_W: Sequence[float], before: Before, count: int, cooling_W: Sequence[float] = ()
) -> list[float]:
    """The load of the next `count` slots; 0 if no past is known. past_W: slots until now, the
    newest last. before: finds the same local time of the day before. cooling_W: of the past slots
    and the next ones; empty: unknown.
    """
    if cooling_W:
        other_W = [total_W - cooled_W for total_W, cooled_W in zip(past_W, cooling_W)]
        ahead_W = list(cooling_W[len(past_W) :])
        ahead_W += repeated(cooling_W, before, count - len(ahead_W), len(ahead_W))
        return [own + ahead for own, ahead in zip(load(other_W, before, count), ahead_W)]
    repeated_W, yesterday = repeated(past_W, before, count), len(past_W) + before(-1)
    if len(past_W) > SLOTS_PER_DAY and yesterday >= 0:
        gap_W = past_W[-1] - past_W[yesterday]
        return [
            load_W + gap_W * math.exp(-slot / FADES_SLOTS) for slot, load_W in enumerate(repeated_W)
        ]
    return repeated_W


def repeated(past: Sequence[float], before: Before, count: int, first: int = 0) -> list[float]:
    """The last day, repeated by local time. If the past is shorter than a day, its last value is
    repeated. first: number of the first slot of the result, counted from now. The past ends before
    it.
    """
    if len(past) < SLOTS_PER_DAY:
        return [past[-1] if past else 0.0] * count
    repeats = list[float]()
    for slot in range(first, first + count):
        while slot >= first:
            slot = before(slot)
        repeats.append(float(past[max(0, len(past) + slot - first)]))
    return repeats
