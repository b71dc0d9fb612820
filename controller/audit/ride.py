"""Judges ride-through: whether the load and the controller stay on the grid in a sag of voltage or
frequency.

A sag begins when voltage or frequency leaves the normal range. A rule has a curve, which says how
long voltage or frequency may be beyond each of its edges. The sag is inside the curve until that
time has passed. Inside the curve, the controller may not command a stop, an island or a shed, and
after the sag the power must come back in time. Outside the curve, everything is allowed. If the
voltage curve of a rule is not known, only the power after a sag of the voltage is judged.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from controller.audit.lines import Measure
from controller.audit.samples import COMMANDED, FREQUENCY, VOLTAGE, Block, Values, joined, rows_of
from controller.recorder.ticks import ISLAND, SHED, STOP

BEFORE_S, AFTER_S = 1.0, 10.0
# A dip of the power after a sag is usual if the power had dips of that length in this time before.
USUAL_S = 10.0
SAG_S_MAX = 600.0  # only this part of a longer sag is judged
HELD_S = 0.1  # a shorter gap in the values of voltage or frequency does not split a sag
OTHER_HZ = 5.0  # the mean frequency of a grid never differs so much from its nominal frequency
# (key of a rule's curve, key of its normal range, column of the record)
CURVES = ("voltage_pu_s", "normal_pu", VOLTAGE), ("frequency_Hz_s", "normal_Hz", FREQUENCY)
ACTS = {STOP: "stop", ISLAND: "island", SHED: "shed"}
SAG_PU = 0.90  # lower edge of the normal range of the voltage in every known rule
FAULT_S_MAX = 6.0  # longest sag in a known curve (CAISO); the power is judged during a longer sag
POWER = "power_W"  # the column that is judged
RATE_SHARE = 0.2  # a frequency change above this share of the allowed rate begins a sag (assumed)


class Undisturbed:
    """Removes sags and the recovery after them from a power, for rules that do not judge them.

    The power before a sag is held until the recovery must have ended. So the rule still sees a
    power that does not come back, and a voltage that stays low or falls again and again.
    """

    def __init__(self, after_s: float | None) -> None:
        """after_s: time after a sag that is not judged, or None to judge everything."""
        self._after_s = after_s
        self._sag_s = self._begin_s = -np.inf
        self._was_out, self._power_W = False, np.nan

    def power(self, block: Block, power_W: np.ndarray) -> np.ndarray:
        """The power to judge."""
        if self._after_s is None or VOLTAGE not in block.values:
            return power_W
        times_s, is_low = block.times_s, block.values[VOLTAGE] < SAG_PU
        sags_s = _newest(times_s, is_low, self._sag_s)
        is_out = times_s - sags_s <= self._after_s
        begins_s = _newest(times_s, np.diff(is_out, prepend=self._was_out) & is_out, self._begin_s)
        self._sag_s, self._begin_s, self._was_out = sags_s[-1], begins_s[-1], is_out[-1]
        is_free = is_out & (times_s - begins_s <= FAULT_S_MAX + self._after_s)
        before_W = power_W[0] if np.isnan(self._power_W) else self._power_W
        held_W = _filled(np.append(before_W, np.where(is_free, np.nan, power_W)), len(power_W))[1:]
        self._power_W = held_W[-1]
        return held_W


def _newest(times_s: np.ndarray, is_marked: np.ndarray, before_s: float) -> np.ndarray:
    """The time of the newest marked sample at or before each sample; before_s if there is none."""
    marked_s = np.where(is_marked, times_s, before_s)
    return np.maximum(np.maximum.accumulate(marked_s), before_s)


class Ride(NamedTuple):
    """One sag and its verdict."""

    begin_s: float
    end_s: float
    is_inside: bool  # inside the curve
    act: str  # first wrong command, "" for none
    act_s: float  # time of this command after the start of the sag
    back_s: float | None  # time until the power was back; None: not judged, or unknown
    is_back: bool  # the power came back before the record ended, or the rule does not judge it


class Rides(Measure):
    """Finds and judges the sags in one power by one rule. `rides`: the sags judged so far."""

    def __init__(self, values: dict[str, Any], step_s: float) -> None:
        """values: the values of the rule."""
        self.rides: list[Ride] = []
        self.seen: set[str] = set()  # columns with values
        self._sum_Hz, self._count = 0.0, 0
        self._rule, self._step_s = values, step_s
        self._after_s = max(AFTER_S, 3 * (values["back_s"] or 0.0))
        self._times_s, self._kept = np.empty(0), Values()
        self._judged_s = -np.inf  # end of the newest sag that was judged
        self._before = round(BEFORE_S / step_s)
        self._kept_before = round((USUAL_S + values["rate_window_s"]) / step_s)

    @property
    def other_Hz(self) -> float | None:
        """The mean frequency if the rule is for another grid, else None. Example: the grid has
        50 Hz, but the rule is for 60 Hz.
        """
        normal_Hz, mean_Hz = self._rule["normal_Hz"], self._sum_Hz / max(1, self._count)
        is_other = normal_Hz and self._count and abs(mean_Hz - math.fsum(normal_Hz) / 2) > OTHER_HZ
        return mean_Hz if is_other else None

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """See Measure."""
        if FREQUENCY in block.values:
            self._sum_Hz += float(np.nansum(block.values[FREQUENCY]))
            self._count += int(np.count_nonzero(~np.isnan(block.values[FREQUENCY])))
        signals = [name for name in (VOLTAGE, FREQUENCY) if name in block.values]
        if not signals:
            return
        known = [name for name in (*signals, COMMANDED) if name in block.values]
        self.seen |= {name for name in known if not np.isnan(block.values[name]).all()}
        if block.is_begin:
            self.close()
        columns = joined(self._kept, {**block.values, POWER: power_W})
        self._times_s = np.concatenate((self._times_s, block.times_s))
        most = round(HELD_S / self._step_s)
        self._kept = columns | {name: _filled(columns[name], most) for name in signals}
        self._judge(False)

    def close(self) -> None:
        """Judge the remaining sags, because the segment has ended."""
        if len(self._times_s):
            self._judge(True)
        self._times_s, self._kept = np.empty(0), {}

    def _judge(self, is_end: bool) -> None:
        """Judge each sag that has enough samples after it, or all sags if the segment has ended.
        Drop the samples that no later sag needs.
        """
        times_s, self._rate_Hz_per_s = self._times_s, self._rates()
        self._sags = _spans(self._away())
        self._acts = np.nan_to_num(self._kept.get(COMMANDED, np.zeros(len(times_s)))).astype(int)
        forget = len(times_s)
        for first, end in zip(*[sag.tolist() for sag in self._sags]):
            last = min(end - 1, first + round(SAG_S_MAX / self._step_s))
            if not is_end and times_s[-1] - times_s[last] < self._after_s:
                forget = first
                break
            if times_s[first] > self._judged_s:
                self.rides.append(self._ride(first, last))
            self._judged_s = float(times_s[end - 1])
        count = max(0, forget - self._kept_before)
        self._times_s = self._times_s[count:]
        self._kept = rows_of(self._kept, slice(count, None))

    def _away(self) -> np.ndarray:
        """True for each sample out of the normal range, or with a fast change of the frequency."""
        rule, is_away = self._rule, np.zeros(len(self._times_s), bool)
        for _, normal, column in CURVES:
            if rule[normal] and column in self._kept:
                is_away |= _is_out(self._kept[column], rule[normal])
        if rule["rate_Hz_per_s"]:
            is_away |= self._rate_Hz_per_s > RATE_SHARE * rule["rate_Hz_per_s"]
        return is_away

    def _rates(self) -> np.ndarray:
        """Absolute rate of change of the frequency in the rule's window, Hz/s. 0 if unknown."""
        rates = np.zeros(len(self._times_s))
        steps = max(1, round(self._rule["rate_window_s"] / self._step_s))
        if FREQUENCY in self._kept and len(rates) > steps:
            values = self._kept[FREQUENCY]
            rates[steps:] = np.abs(values[steps:] - values[:-steps]) / (steps * self._step_s)
        return np.nan_to_num(rates)

    def _ride(self, first: int, last: int) -> Ride:
        """The verdict of a sag from sample first to last."""
        sag = slice(first, last + 1)
        is_within = self._within(sag)
        is_inside = bool(is_within.all())
        before = int(self._acts[max(0, first - 1)])
        new = (self._acts[sag] & ~before) * (is_within & self._has_curve(sag))
        act, act_s = "", 0.0
        if new.any():
            place = int(np.flatnonzero(new)[0])
            act = next(word for bit, word in ACTS.items() if new[place] & bit)
            act_s = float(self._times_s[first + place] - self._times_s[first])
        is_judged = is_inside and self._rule["back_s"]
        back_s, is_back = self._back(first, last) if is_judged else (None, True)
        begin_s, end_s = (float(self._times_s[index]) for index in (first, last))
        return Ride(begin_s, end_s, is_inside, act=act, act_s=act_s, back_s=back_s, is_back=is_back)

    def _has_curve(self, sag: slice) -> np.ndarray:
        """True for each sample of a sag for which the rule has a curve."""
        if self._rule["voltage_pu_s"] or VOLTAGE not in self._kept:
            return np.ones(sag.stop - sag.start, bool)
        return ~_is_out(self._kept[VOLTAGE][sag], self._rule["normal_pu"])

    def _within(self, sag: slice) -> np.ndarray:
        """True for each sample of a sag inside the curve: no edge was passed for too long."""
        rule, is_within = self._rule, np.ones(sag.stop - sag.start, bool)
        for key, normal, column in CURVES:
            for low, high, most_s in rule[key] if column in self._kept else ():
                values, is_low = self._kept[column][sag], high <= rule[normal][0]
                beyond = values < high if is_low else values > low
                is_within &= np.cumsum(beyond) * self._step_s <= most_s + self._step_s / 2
        if rule["rate_Hz_per_s"]:
            is_within &= np.cumsum(self._rate_Hz_per_s[sag] > rule["rate_Hz_per_s"]) == 0
        return is_within

    def _back(self, first: int, last: int) -> tuple[float | None, bool]:
        """(time from the end of the sag until the needed power is back, whether it came back). The
        power must then stay until the next sag or the end of the judged time. Only dips that are
        usual for this load may follow. The time is None if there was no power before the sag.
        """
        power_W, times_s = self._kept[POWER], self._times_s
        before_W = power_W[max(0, first - max(1, self._before)) : first]
        if not len(before_W) or not np.mean(before_W) > 0:
            return None, False
        needed_W = float(np.mean(before_W)) * self._rule["back_percent"] / 100
        is_low, begin = power_W < needed_W, last + 1
        usual = self._usual_dip(is_low, first)
        end = min(len(times_s), begin + 1 + round(self._after_s / self._step_s))
        begins = self._sags[0]
        for stop in (*begins[(begins > last) & (begins < end)][:1], end):
            dips = _spans(is_low[begin:stop])
            ends = dips[1][(dips[0] == 0) | (dips[1] - dips[0] > usual)]
            back = begin + int(ends.max(initial=0))
            if back < stop:
                return float(times_s[back] - times_s[begin]), True
        return float(times_s[end - 1] - times_s[last]), False

    def _usual_dip(self, is_low: np.ndarray, first: int) -> int:
        """The longest dip of the power in the 10 s before a sag, in steps. The recovery after an
        earlier sag does not count as a dip.
        """
        before = self._sags[1][self._sags[1] <= first].max(initial=0)
        recovered = before + round(self._rule["back_s"] / self._step_s) if before else 0
        begins, ends = _spans(is_low[max(recovered, first - round(USUAL_S / self._step_s)) : first])
        return int((ends - begins).max(initial=0))


def _spans(is_marked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(starts, ends) of the spans of marked samples."""
    edges = np.flatnonzero(np.diff(is_marked, prepend=False, append=False))
    return edges[::2], edges[1::2]


def _filled(values: np.ndarray, most: int) -> np.ndarray:
    """The values. The last known value replaces unknown ones for at most `most` steps."""
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    places = np.arange(len(values))
    last = np.maximum.accumulate(np.where(unknown, 0, places))
    return np.where(unknown & (places - last <= most), values[last], values)


def _is_out(values: np.ndarray, normal: Sequence[float]) -> np.ndarray:
    return (values < normal[0]) | (values > normal[1])
