"""Power over time: samples of a file (hil/loads/reader.py), or a synthetic GPU cluster."""

import array
import bisect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from controller.series.refusal import SeriesError
from hil.loads import shape

CHANNEL_POINTS = ("W", "V", "A", "PF")
CHANNELS = 3
Channels = tuple[tuple[float, ...], ...]  # (W, V, A, PF) for each channel


Power = Callable[[float], Any]  # t_s -> W, or (W, the channels of the meter)
LoadError = SeriesError  # one line with file, mistake and allowed values


class Load(NamedTuple):
    """power: t_s -> W or (W, the meter's channels); about: `load` in the document of the run;
    from_us: when the load of a file begins.
    """

    power: Power
    about: dict[str, Any]
    duration_s: float
    from_us: int | None


class Trace:
    """Power over time from 0 to duration_s; outside, the end values continue. trace(t_s) -> W, or
    (W, 3 tuples of W, V, A, PF) with raw channels.
    """

    def __init__(
        self, times_s: Sequence[float], powers_W: Sequence[float], steps: Sequence[int] = ()
    ) -> None:
        """times_s: rising from 0; powers_W: of the same length; steps: indices of samples to which
        the power jumps.
        """
        self.times_s = times_s
        self.powers_W = powers_W
        self.steps = steps
        self.duration_s = times_s[-1]
        self.column = ""
        self.rows_read = self.rows_refused = self.rows_empty = self.gaps_cut = 0
        self.channel_rows: Sequence[float] = ()  # filled if the trace was read with raw=True
        self.channel_times_s: Sequence[float] = ()
        stepped = set(steps)
        slopes = (
            0.0 if i in stepped else (powers_W[i] - powers_W[i - 1]) / (times_s[i] - times_s[i - 1])
            for i in range(1, len(times_s))
        )
        self._slopes = array.array("d", [*slopes, 0.0])
        self._ends = array.array("d", [*times_s[1:], math.inf])
        self._index = 0

    def __call__(self, t_s: float) -> float | tuple[float, Channels]:
        """Power in W, with the meter's channels if the trace was read with raw=True."""
        if not self.channel_rows:
            return self.power_W(t_s)
        return self.power_W(t_s), self.channels(t_s)

    def power_W(self, t_s: float) -> float:
        """Power at t_s, linear between samples. O(1) if t_s is in the interval of the last call."""
        i = self._index
        if not self.times_s[i] <= t_s < self._ends[i]:
            i = self._index = max(0, bisect.bisect_right(self.times_s, t_s) - 1)
            if t_s < 0.0:
                return self.powers_W[0]
        return self.powers_W[i] + (t_s - self.times_s[i]) * self._slopes[i]

    def channels(self, t_s: float) -> Channels:
        """The last row of the meter at or before t_s: 3 tuples (W, V, A, PF), even if it is
        wrong.
        """
        row = max(0, bisect.bisect_right(self.channel_times_s, t_s) - 1)
        width = len(CHANNEL_POINTS)
        starts = [(row * CHANNELS + channel) * width for channel in range(CHANNELS)]
        return tuple(tuple(self.channel_rows[i : i + width]) for i in starts)


def synthetic_load(
    seed: object, duration_s: float, peak_W: float = 400_000.0, kind: str = "synthetic"
) -> Trace:
    """The Trace of a synthetic cluster, of a kind in shape.CURVES. Equal seeds give equal
    traces.
    """
    if not (math.isfinite(duration_s) and duration_s >= 1.0):
        raise LoadError(f"{kind} load of {duration_s} s: allowed is at least 1")
    trace = Trace(*shape.points(kind, seed, duration_s, peak_W))
    trace.column = kind
    return trace


def step_load(steps_kW: list[list[float]]) -> Callable[[float], float]:
    """The load of kind "steps": t_s -> W. Each power stays until the next step."""
    times_s = [step[0] for step in steps_kW]
    powers_W = [step[1] * 1000.0 for step in steps_kW]

    def power_W(t_s: float) -> float:
        return powers_W[max(0, bisect.bisect_right(times_s, t_s) - 1)]

    return power_W
