"""Judges a frequency response: the power of the battery beside that of a droop.

    ideal = rated power x (distance from nominal - dead band) / (nominal x droop), at most the limit

A deviation begins when the frequency leaves the dead band, and ends when it was inside for CALM_S.
The battery's mean power before the deviation counts as its other work, and is subtracted.
"""

from typing import Any, NamedTuple

import numpy as np

from controller.audit.lines import Measure
from controller.audit.samples import FREQUENCY, LOAD, Block, Values, joined, rows_of

CALM_S, BEFORE_S = 10.0, 2.0
SMALL = 0.02  # a deviation counts if it asks for this part of the most power
TIME, BATTERY, OFF = "time_s", "battery_W", "off_Hz"


class Comparison(NamedTuple):
    """A response compared with its ideal. delay: in samples. energy, apart: shares of the ideal
    energy.
    """

    delay: int
    energy: float
    apart: float


class Deviation(NamedTuple):
    """A deviation of the frequency, and the response to it. used_Wh: above 0 is discharged."""

    begin_s: float
    end_s: float
    comparison: Comparison
    used_Wh: float


def compared(battery_W: np.ndarray, ideal_W: np.ndarray, most: int) -> Comparison:
    """The comparison at the delay with the least difference. most: longest delay, samples."""
    count = len(battery_W)
    apart_W = [
        float(np.abs(battery_W[shift:] - ideal_W[: count - shift]).sum())
        for shift in range(most + 1)
    ]
    delay = int(np.argmin(apart_W))
    shifted_W, ideal = battery_W[delay:], ideal_W[: count - delay]
    all_W = float(np.abs(ideal_W).sum())
    return Comparison(
        delay, float((shifted_W * np.sign(ideal)).sum()) / all_W, apart_W[delay] / all_W
    )


class Response(Measure):
    """Finds and judges the deviations. `deviations`: those that were judged. cut, small: numbers of
    those at an end of the record, and too small ones. unknown_s: time without a frequency.
    """

    def __init__(self, values: dict[str, Any], step_s: float) -> None:
        """values: the values of the rule."""
        self.deviations: list[Deviation] = []
        self.cut, self.small, self.unknown_s = 0, 0, 0.0
        self._rule, self.step_s, self._kept = values, step_s, Values()
        self._delay_steps_max = round(values["delay_s"] / step_s)

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """See Measure."""
        if FREQUENCY not in block.values:
            return
        if block.is_begin:
            self.close()
        off_Hz = self._rule["nominal_Hz"] - block.values[FREQUENCY]
        battery_W = block.values[LOAD] - power_W
        new = {TIME: block.times_s, BATTERY: battery_W, OFF: np.nan_to_num(off_Hz)}
        self._kept = joined(self._kept, new)
        self.unknown_s += float(np.isnan(off_Hz).sum()) * self.step_s
        self._judge(self._kept[TIME][-1] - max(CALM_S, self._rule["delay_s"]))

    def close(self) -> None:
        """See Measure."""
        if self._kept:
            self._judge(np.inf)
        self._kept = Values()

    def _judge(self, until_s: float) -> None:
        """Judge the deviations that ended before this time. Keep samples from the next one on."""
        times_s, outside = self._kept[TIME], np.flatnonzero(self._ideal_W(self._kept[OFF]))
        gaps = np.flatnonzero(np.diff(times_s[outside]) > CALM_S) + 1
        keep_s = times_s[-1] - BEFORE_S
        for group in np.split(outside, gaps):
            if not len(group):
                continue
            begin_s, end_s = times_s[group[0]], times_s[group[-1]]
            if end_s > until_s:
                keep_s = begin_s - BEFORE_S
                break
            self._add(begin_s, end_s)
        self._kept = rows_of(self._kept, times_s >= keep_s)

    def _add(self, begin_s: float, end_s: float) -> None:
        times_s, battery_W, off_Hz = (self._kept[key] for key in (TIME, BATTERY, OFF))
        before = (times_s >= begin_s - BEFORE_S) & (times_s < begin_s)
        is_in = (times_s >= begin_s) & (times_s <= end_s)
        if np.abs(self._ideal_W(off_Hz[is_in])).max() < SMALL * self._rule["most_MW"] * 1e6:
            self.small += 1
            return
        if not before.any() or end_s + self._delay_steps_max * self.step_s > times_s[-1]:
            self.cut += 1
            return
        part = (times_s >= begin_s) & (times_s <= end_s + self._delay_steps_max * self.step_s)
        battery_W = battery_W[part] - battery_W[before].mean()
        comparison = compared(battery_W, self._ideal_W(off_Hz[part]), self._delay_steps_max)
        used_Wh = float(battery_W.sum()) * self.step_s / 3600
        self.deviations.append(Deviation(float(begin_s), float(end_s), comparison, used_Wh))

    def _ideal_W(self, off_Hz: np.ndarray) -> np.ndarray:
        rule = self._rule
        behind_Hz = np.maximum(0.0, np.abs(off_Hz) - rule["dead_band_mHz"] / 1000)
        full_Hz = rule["nominal_Hz"] * rule["droop_percent"] / 100
        most_W = rule["most_MW"] * 1e6
        return np.sign(off_Hz) * np.minimum(most_W, behind_Hz / full_Hz * rule["rated_MW"] * 1e6)
