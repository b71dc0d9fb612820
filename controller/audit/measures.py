"""The measures that the audit needs for the rules of grid operators. Each measure takes a power in
blocks of samples and finds the worst value, such as the largest change within 1 s.

A measure keeps one window of samples and never the whole record. A percentile also keeps some
slopes of each window.
"""

import math
from typing import Any

import numpy as np

from controller.audit.filters import Band
from controller.audit.lines import Content, Energy, Line, Measure, Worst
from controller.audit.response import Response
from controller.audit.ride import Rides
from controller.audit.rules import (
    CHANGE,
    CONTENT,
    ENERGY,
    RAMP,
    RANGE,
    RESPONSE,
    RIDE,
    SLOWER,
    Rule,
)
from controller.audit.samples import Block

# A window may differ from a whole number of steps by this part of a step. It then counts as whole.
NEAR = 1e-3
TINY = 1e-12  # slopes that differ by a smaller share count as equal
KEPT = 10  # a percentile keeps about so many slopes of each window
NET_CHANGE, RISE_INSIDE = "net change over the window", "largest rise or fall inside"
POLES = {1: "one pole", 2: "two poles"}


def of_rule(rule: Rule, step_s: float) -> dict[str, Measure]:
    """{interpretation: its measure} of a rule. The text of some rules can be read in two ways."""
    values, quantity = rule.values, rule.quantity
    if quantity == RIDE:
        return {"": Rides(values, step_s)}
    if quantity == RESPONSE:
        return {"": Response(values, step_s)}
    window_s, band_Hz = values["window_s"], values.get("band_Hz")
    if quantity == RANGE:
        return {POLES[poles]: Range(window_s, band_Hz, step_s, poles) for poles in values["poles"]}
    if quantity == CHANGE:
        between = f"between moments {window_s:g} s apart"
        inside = Range(window_s, None, step_s)
        if values[SLOWER]:
            longer = f"mean over longer times, in {window_s:g} s"
            return {longer: Slope(window_s, step_s), RISE_INSIDE: inside}
        return {between: Ramp(window_s, window_s, "both", step_s), RISE_INSIDE: inside}
    if quantity == RAMP:
        per_s = {"s": 1.0, "min": 60.0}[values["per"]]
        arguments, percentile = (window_s, per_s, values["direction"], step_s), values["percentile"]
        if percentile:
            return {"": Percentile(percentile, *arguments)}
        return {NET_CHANGE: Ramp(*arguments), RISE_INSIDE: Inside(*arguments)}
    low_Hz, high_Hz = band_Hz or (values["low_Hz"], math.inf)
    shape = window_s, low_Hz, high_Hz, step_s
    if quantity == CONTENT:
        return {"strongest line": Line(*shape), "whole band": Content(*shape)}
    return {"": Energy(*shape) if quantity == ENERGY else Line(*shape)}


class Window:
    """Keeps the last `steps` values before a block, and their times. A straight line bridges a gap
    that is shorter than bridge_s. is_whole: a segment had more than `steps` values.
    """

    def __init__(self, steps: int, step_s: float, bridge_s: float) -> None:
        self.steps, self._step_s, self._bridge_s = steps, step_s, bridge_s
        self._values = self._times_s = np.empty(0)
        self.is_whole, self._fed = False, 0

    def feed(self, block: Block, values: np.ndarray, pad: bool) -> tuple[np.ndarray, np.ndarray]:
        """(times, values): the kept values, then the new ones. pad: before a segment, repeat its
        first value.
        """
        self._fed = len(values) + (0 if block.is_begin else self._fed)
        self.is_whole = self.is_whole or self._fed > self.steps
        if block.gap_s < self._bridge_s and len(self._values):
            self._bridge(block, float(values[0]))
        elif block.is_begin:
            count = self.steps if pad else 0
            self._values = np.full(count, values[0])
            self._times_s = np.full(count, block.times_s[0])
        times_s = np.concatenate((self._times_s, block.times_s))
        joined = np.concatenate((self._values, values))
        keep = max(0, len(joined) - self.steps)
        self._times_s, self._values = times_s[keep:], joined[keep:]
        return times_s, joined

    def _bridge(self, block: Block, value: float) -> None:
        count, last, last_s = round(block.gap_s / self._step_s), self._values[-1], self._times_s[-1]
        share = np.arange(1, count) / count
        self._values = np.append(self._values, last + share * (value - last))
        self._times_s = np.append(self._times_s, last_s + share * block.gap_s)


class Range(Measure):
    """The largest difference between highest and lowest value in one window. If a window is no
    whole number of steps, its end lies on the straight line between two samples. is_whole: the
    record had a whole window.

    A filter begins at 0 in each segment. If a segment begins in the middle of a swing, the filter
    shows a step that the power never made. So its first settling_s are left out.
    """

    def __init__(
        self, window_s: float, band_Hz: list[float] | None, step_s: float, poles: int = 1
    ) -> None:
        steps = window_s / step_s
        self._steps = math.floor(steps + NEAR)
        self._rest = max(0.0, steps - self._steps) if steps - self._steps > NEAR else 0.0
        self._count = self._steps + 1 + bool(self._rest)  # samples that a window touches
        bridge_s = 0.0 if band_Hz else window_s
        self._band = Band(band_Hz, step_s, poles)
        self._settling_steps = math.ceil(settling_s(band_Hz) / step_s)
        self._left_steps, self._is_settled = 0, False
        self._window = Window(self._count - 1, step_s, bridge_s)

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """See Measure."""
        filtered = self._band.feed(block.is_begin, power_W)
        if block.is_begin:
            self._left_steps, self._is_settled = self._settling_steps, False
        left = min(self._left_steps, len(filtered))
        self._left_steps -= left
        if left == len(filtered):
            return
        settled = Block(not self._is_settled, block.times_s[left:], {}, block.gap_s)
        self._is_settled = True
        times_s, values = self._window.feed(settled, filtered[left:], True)
        self.is_whole = self._window.is_whole
        spans = self._spans(values)
        place = int(spans.argmax())
        part = values[place : place + self._count]
        ends = sorted((place + int(part.argmax()), place + int(part.argmin())))
        self.keep_worst(spans[place], *times_s[ends])

    def _spans(self, values: np.ndarray) -> np.ndarray:
        """The range of each window, in the order of the first sample that it touches."""
        if not self._rest:
            return rolling_max(values, self._count) + rolling_max(-values, self._count)
        first, last = values[: 1 - self._count], values[self._count - 1 :]
        begins = first + (1 - self._rest) * (values[1 : len(first) + 1] - first)
        ends = last + (1 - self._rest) * (values[self._count - 2 : -1] - last)
        inner = self._count - 1
        highs, lows = rolling_max(values, inner), rolling_max(-values, inner)
        early = np.maximum(highs[:-1], ends) + np.maximum(lows[:-1], -ends)
        late = np.maximum(highs[1:], begins) + np.maximum(lows[1:], -begins)
        return np.maximum(early, late)


def settling_s(band_Hz: list[float] | None) -> float:
    """The time after which a band filter shows at most 1.2 % of its beginning, s: a period of its
    lower edge.
    """
    return 1 / band_Hz[0] if band_Hz else 0.0


def rolling_max(values: np.ndarray, count: int) -> np.ndarray:
    """The highest of each `count` consecutive values, by van Herk's two running maxima."""
    full = -(-len(values) // count) * count
    rows = np.append(values, np.full(full - len(values), -np.inf)).reshape(-1, count)
    ahead = np.maximum.accumulate(rows, axis=1).ravel()
    behind = np.maximum.accumulate(rows[:, ::-1], axis=1)[:, ::-1].ravel()
    last = len(values) - count + 1
    return np.maximum(behind[:last], ahead[count - 1 : count - 1 + last])


class Ramp(Measure):
    """The largest mean slope of any window."""

    def __init__(self, window_s: float, per_s: float, direction: str, step_s: float) -> None:
        self._steps = max(1, round(window_s / step_s))
        self._factor, self._direction = per_s / (self._steps * step_s), direction
        self._window = Window(self._steps, step_s, window_s)

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """See Measure."""
        times_s, values = self._window.feed(block, power_W, False)
        slopes = (values[self._steps :] - values[: -self._steps]) * self._factor
        if not len(slopes):
            return
        signed = {"up": slopes, "down": -slopes, "both": np.abs(slopes)}[self._direction]
        self.take(signed, times_s[: len(signed)], times_s[self._steps :])

    def take(self, slopes: np.ndarray, begins_s: np.ndarray, ends_s: np.ndarray) -> None:
        """Keep the largest of these slopes."""
        place = int(slopes.argmax())
        self.keep_worst(slopes[place], begins_s[place], ends_s[place])


class Inside(Ramp):
    """The largest rise or fall between any two moments of a window, divided by the window's length.
    is_whole: the record had a whole window.
    """

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """See Measure."""
        times_s, values = self._window.feed(block, power_W, True)
        self.is_whole = self._window.is_whole
        signs = {"up": (1,), "down": (-1,), "both": (1, -1)}[self._direction]
        for signed in [sign * values for sign in signs]:
            rises = signed[self._steps :] + rolling_max(-signed, self._steps + 1)
            end = int(rises.argmax())
            begin = end + int(signed[end : end + self._steps + 1].argmin())
            self.keep_worst(rises[end] * self._factor, times_s[begin], times_s[end + self._steps])


class Slope(Measure):
    """The largest mean slope of all times that are at least one window long. The value is the
    change that this slope makes in one window. Times longer than two windows need no check, because
    one half of such a time is at least as steep.
    """

    def __init__(self, window_s: float, step_s: float) -> None:
        self._window_s, self._steps = window_s, max(1, math.ceil(window_s / step_s - NEAR))
        self._window = Window(2 * self._steps, step_s, window_s)

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """See Measure."""
        times_s, values = self._window.feed(block, power_W, False)
        if len(values) > self._steps:
            self.keep_worst(0.0, *times_s[[0, self._steps]])
            for signed in (values, -values):
                while self._keep_steeper(times_s, signed):
                    pass

    def _keep_steeper(self, times_s: np.ndarray, values: np.ndarray) -> bool:
        """Keep a change that is steeper than the steepest known one. False if there is none."""
        assert self._worst is not None
        known = self._worst.value
        above = values - known / self._window_s * times_s
        rises = above[self._steps :] - np.minimum.accumulate(above[: -self._steps])
        place = int(rises.argmax())
        begin, end = int(above[: place + 1].argmin()), place + self._steps
        ends = times_s[[begin, end]].tolist()
        value = float(values[end] - values[begin]) * self._window_s / (ends[1] - ends[0])
        if value > known * (1 + TINY):
            self._worst = Worst(value, *ends)
            return True
        return False


class Percentile(Ramp):
    """A percentile of all slopes. For the percentile 95, 95 % of the slopes are not larger than the
    value.
    """

    def __init__(self, percentile: float, *arguments: Any) -> None:
        """arguments: see Ramp."""
        super().__init__(*arguments)
        self._percentile, self._every, self._skip = percentile, max(1, self._steps // KEPT), 0
        self._kept: list[np.ndarray] = []

    def take(self, slopes: np.ndarray, begins_s: np.ndarray, ends_s: np.ndarray) -> None:
        """Keep some of these slopes, at even distances."""
        part = slice(self._skip, None, self._every)
        self._skip = (self._skip - len(slopes)) % self._every
        self._kept.append(np.array([slopes[part], begins_s[part], ends_s[part]]))

    @property
    def worst(self) -> Worst | None:
        """The slope of this percentile and its place."""
        slopes = np.concatenate(self._kept or [np.empty((3, 0))], axis=1)
        if not slopes.size:
            return None
        rank = math.ceil(self._percentile * slopes.shape[1] / 100)
        place = slopes[0].argsort(kind="stable")[rank - 1]
        return Worst(*map(float, slopes[:, place]))
