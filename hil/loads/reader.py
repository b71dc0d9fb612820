"""Recorded loads, read by `controller/series`, with the channels of a meter and cut gaps.

Channels (`chN_W`, `chN_V`, `chN_A`, `chN_PF`) reveal wrong rows of the meter, which are refused and
counted. No missing value is filled in. A gap is cut out of the time axis, so the power steps there.
"""

import array
import bisect
import itertools
import math
import pathlib
import statistics

from controller.series import powers, table
from controller.series.refusal import listed
from hil.loads.trace import CHANNEL_POINTS, CHANNELS, LoadError, Trace

GAP_S = 10.0
ROWS_MAX = 25_000_000  # seven hours with a row each 1 ms
# The rig's meters reach 20 kA per phase, which is 12 MW at their lowest voltage.
LOAD_W_MAX = 10e6
# Phase voltage of 100 V to line voltage of 690 V systems. A failed meter reports -1 or -2.
CHANNEL_V_RANGE = (50.0, 1000.0)
CHANNEL_PF_RANGE = (-1.0, 1.0)


def read_trace(
    path: str | pathlib.Path,
    column: str | None = None,
    scale: float | str = 1.0,
    raw: bool = False,
    gap_s: float = GAP_S,
) -> Trace:
    """The Trace of a CSV file, which may be packed with gzip. column: required if there are
    several.

    scale: for power, and for W and A of right rows; raw: keep all channel rows, wrong ones as they
    are; gap_s: a longer pause is cut. Raises LoadError.
    """
    if not (isinstance(scale, (int, float)) and math.isfinite(scale) and scale > 0):
        raise LoadError(f"{path}: scale {scale}: allowed is a finite number above 0")
    with table.opened(path) as rows:
        reader = MeterRows(rows, column, float(scale), raw)
        return reader.trace(gap_s)


def power_columns(path: str | pathlib.Path) -> list[str]:
    """Names of a file's power columns other than channels of a meter. LoadError: one line."""
    with table.opened(path) as rows:
        return powers.columns(rows)


class MeterRows(powers.Powers):
    """Readings of a file with or without channels of a meter. Refuses wrong rows, cuts gaps."""

    def __init__(self, rows: table.Table, column: str | None, scale: float, raw: bool) -> None:
        super().__init__(rows, column, scale, LOAD_W_MAX)
        self.scale, self.raw = scale, raw
        self.channels = [
            [rows.names.index(f"ch{n}_{point}") for point in CHANNEL_POINTS]
            for n in range(1, CHANNELS + 1)
            if all(f"ch{n}_{point}" in rows.names for point in CHANNEL_POINTS)
        ]
        if raw and (len(self.channels) < CHANNELS or self.time_unit is None):
            wanted = f"t_s, chN_W, chN_V, chN_A, chN_PF for N = 1..{CHANNELS}"
            raise LoadError(f"raw needs the columns {wanted}, found {listed(rows.names)}")
        self.raw_times: list[float] = []
        self.raw_rows = array.array("d")

    def is_right(self, cells: list[str], found: float) -> bool:
        """True if power and all channels of the meter have possible values."""
        is_good, comma = super().is_right(cells, found), self.table.has_comma
        if not self.channels:
            return is_good
        channels = [[table.number(cells[i], comma) for i in channel] for channel in self.channels]
        is_good = is_good and all([_channel_ok(*channel) for channel in channels])
        if self.raw and self.time_unit:
            t_s = table.number(cells[self.time_at[0]], comma) * self.time_unit.factor
            self._keep_raw(t_s, channels, is_good)
        return is_good

    def _keep_raw(self, t_s: float, channels: list[list[float]], is_good: bool) -> None:
        if not t_s >= (self.raw_times[-1] if self.raw_times else -math.inf):
            return
        self.raw_times.append(t_s)
        factor = self.scale if is_good else 1.0
        for watts, volts, amperes, power_factor in channels:
            self.raw_rows.extend((watts * factor, volts, amperes * factor, power_factor))

    def trace(self, gap_s: float) -> Trace:
        """Cut the gaps. There the power steps, and the next sample follows after a usual time."""
        times_s, powers_W = array.array("d"), array.array("d")
        for time_s, power_W, line in self:
            times_s.append(time_s)
            powers_W.append(power_W)
            if line > ROWS_MAX:
                raise LoadError(f"line {line}: allowed are at most {ROWS_MAX} rows")
        self.check(len(times_s))
        typical_s = statistics.median_low([b - a for a, b in itertools.pairwise(times_s)])
        if typical_s > gap_s:
            raise LoadError(f"sampled every {typical_s:g} s: allowed is at most {gap_s:g} s")
        return self._cut(times_s, powers_W, gap_s, typical_s)

    def _cut(
        self, times_s: array.array, powers_W: array.array, gap_s: float, typical_s: float
    ) -> Trace:
        start_s = times_s[0]
        cut_s, cut_times_s, steps, resume_s, cuts_s = (
            start_s,
            array.array("d", [0.0]),
            [],
            [-math.inf],
            [start_s],
        )
        for i in range(1, len(times_s)):
            pause_s = times_s[i] - times_s[i - 1]
            if pause_s > gap_s:
                cut_s += pause_s - typical_s
                steps.append(i)
                resume_s.append(times_s[i])
                cuts_s.append(cut_s)
            cut_times_s.append(times_s[i] - cut_s)
        trace = Trace(cut_times_s, powers_W, steps)
        trace.column, trace.gaps_cut = self.column, len(steps)
        trace.rows_read, trace.rows_refused, trace.rows_empty = self.rows, self.refused, self.empty
        if self.raw:
            trace.channel_rows = self.raw_rows
            trace.channel_times_s = _on_cut_axis(self.raw_times, resume_s, cuts_s)
        return trace


def _on_cut_axis(times_s: list[float], resume_s: list[float], cuts_s: list[float]) -> list[float]:
    """times_s on the axis without gaps. A wrong row within a gap moves to the end of the gap."""
    latest_s = [resume - cut for resume, cut in zip(resume_s[1:], cuts_s[1:])] + [math.inf]
    piece_indexes = [bisect.bisect_right(resume_s, t_s) - 1 for t_s in times_s]
    return [min(t_s - cuts_s[k], latest_s[k]) for t_s, k in zip(times_s, piece_indexes)]


def _channel_ok(watts: float, volts: float, amperes: float, power_factor: float) -> bool:
    """True for possible values of a meter channel. The comparisons are false for NaN."""
    return (
        math.isfinite(watts)
        and CHANNEL_V_RANGE[0] <= volts <= CHANNEL_V_RANGE[1]
        and 0.0 <= amperes < math.inf
        and CHANNEL_PF_RANGE[0] <= power_factor <= CHANNEL_PF_RANGE[1]
    )
