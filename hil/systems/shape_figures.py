"""Figures that compare the times of charge and discharge with load, price, cap and hour."""

import numpy as np

from hil.systems.run import Result
from hil.systems.series import SLOTS_PER_DAY
from hil.systems.thermal import UNKNOWN, Attained, Measure

MOVED_W_MIN = 1000.0  # W summed over slots: a share of less energy has no meaning
GIVEN_PART = 0.1  # part of the rated power: a smaller mean of a slot is load tracking, not a plan
NIGHT_H = 22, 6
PEAK_PART = 0.1  # part of the energy: a smaller peak does not count
GAP_SLOTS = 4  # a longer gap separates two peaks


def low_and_dear(result: Result) -> Attained:
    """Percentage of the energy discharged at a low load that was given at a high price. Low and
    high are below and above the day's mean. Slots below GIVEN_PART do not count. The value without
    the system is the share of such hours, which a battery would reach by chance.
    """
    size = result.spec.size
    gives = result.battery_W >= GIVEN_PART * size.power_W
    load_W, price, given_W = [
        slots.reshape(-1, SLOTS_PER_DAY)
        for slots in (result.series.load_W, result.series.price, result.battery_W * gives)
    ]
    is_low, is_dear = [days < days.mean(axis=1, keepdims=True) for days in (load_W, -price)]
    discharged = float(given_W[is_low].sum())
    if discharged < MOVED_W_MIN:
        return UNKNOWN
    reached = float(given_W[is_low & is_dear].sum()) / discharged
    return 100 * reached, 100.0, 100 * float((is_low & is_dear).sum()) / float(is_low.sum())


def charge_before_peak(result: Result) -> Attained:
    """Lowest charge before a peak, percent of the highest charge in the schedule. A peak is a time
    above the cap that takes a tenth of the battery or more.
    """
    spec, net_W = result.spec, result.series.net_W
    over = np.flatnonzero(net_W > result.cap_W)
    peaks = np.split(over, np.flatnonzero(np.diff(over) > GAP_SLOTS) + 1)
    soc = np.concatenate([[spec.soc_permille / 1000], result.soc])
    slot_h = 24 / SLOTS_PER_DAY
    before = [
        float(soc[peak[0]])
        for peak in peaks
        if (net_W[peak] - result.cap_W).sum() * slot_h > PEAK_PART * spec.size.energy_Wh
    ]
    high = spec.schedule["high_permille"] / 1000
    return (100 * min(before) / high if before else None), 100.0, None


def night_charge(result: Result) -> Attained:
    """Percent of the charged energy that came from the grid at night."""
    taken_W = result.battery_W.clip(max=0) * -1
    hours = np.arange(len(taken_W)) % SLOTS_PER_DAY * 24 / SLOTS_PER_DAY
    is_night = (hours >= NIGHT_H[0]) | (hours < NIGHT_H[1])
    taken = float(taken_W.sum())
    if taken < MOVED_W_MIN:
        return UNKNOWN
    bought_W = np.minimum(taken_W, result.grid_W.clip(min=0))
    return 100 * float(bought_W[is_night].sum()) / taken, 100.0, None


FIGURES: dict[str, Measure] = {
    "low_and_dear": low_and_dear,
    "charge_before_peak": charge_before_peak,
    "night_charge": night_charge,
}
