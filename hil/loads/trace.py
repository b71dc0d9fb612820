"""Loads for the plant: recorded traces read from CSV, and a synthetic GPU cluster.

A trace file is CSV (or gzip of it) in UTF-8 with a header, a time column `t_s` in seconds and power
columns whose names end in `_kW` or `_W`. A file with meter channels (`chN_W`, `chN_V`, `chN_A`,
`chN_PF`) lets us see which rows the meter itself got wrong: those are refused and counted. Nothing
is invented: no value is filled in, a gap is cut out of the time axis and the power steps there, it
is never interpolated.
"""

import array
import bisect
import csv
import gzip
import io
import math
import statistics
import zlib

from hil.loads import shape as load_shape

GAP_S = 10.0
# the meters of the rig end at 20 kA a phase, which is 12 MW at their lowest voltage
LOAD_W_MAX = 10e6
TIME_COLUMN = "t_s"
POWER_ENDINGS = (("_kW", 1000.0), ("_W", 1.0))
CHANNEL_POINTS = ("W", "V", "A", "PF")
CHANNELS = 3
# from 100 V phase to 690 V line systems; meters report -1 or -2 when they fail
CHANNEL_V_RANGE = (50.0, 1000.0)
CHANNEL_PF_RANGE = (-1.0, 1.0)


class LoadError(ValueError):
    """A trace that cannot be used: one line with the file, what is wrong and what is allowed."""


class Trace:
    """Power over time from 0 to duration_s; the first value holds before, the last one after it.

    Callable as the plant wants its load: trace(t_s) -> W, or with raw channels -> (W, 3 tuples of
    W, V, A, PF).
    """

    __slots__ = (
        "column",
        "duration_s",
        "rows_read",
        "rows_refused",
        "rows_empty",
        "gaps_cut",
        "times_s",
        "powers_W",
        "channel_rows",
        "channel_times_s",
        "_slopes",
        "_ends",
        "_index",
    )

    def __init__(self, times_s, powers_W, steps=()):
        """times_s: rising from 0; powers_W: as long; steps: indices of samples reached by a step,
        not by a line.
        """
        self.times_s = times_s
        self.powers_W = powers_W
        self.duration_s = times_s[-1]
        self.column = ""
        self.rows_read = len(times_s)
        self.rows_refused = self.rows_empty = self.gaps_cut = 0
        self.channel_rows = self.channel_times_s = None
        stepped = set(steps)
        self._slopes = [
            0.0 if i in stepped else (powers_W[i] - powers_W[i - 1]) / (times_s[i] - times_s[i - 1])
            for i in range(1, len(times_s))
        ] + [0.0]
        self._ends = list(times_s[1:]) + [math.inf]
        self._index = 0

    def __call__(self, t_s):
        if self.channel_rows is None:
            return self.power_W(t_s)
        return self.power_W(t_s), self.channels(t_s)

    def power_W(self, t_s):
        """Power at t_s, linear between samples; O(1) when t_s moves on from call to call."""
        i = self._index
        if not self.times_s[i] <= t_s < self._ends[i]:
            i = self._index = self._find(t_s)
            if t_s < 0.0:
                return self.powers_W[0]
        return self.powers_W[i] + (t_s - self.times_s[i]) * self._slopes[i]

    def channels(self, t_s):
        """The meter's last row at or before t_s: 3 tuples (W, V, A, PF), wrong rows as they are.
        Needs raw=True.
        """
        if self.channel_rows is None:
            raise LoadError(f"trace of column {self.column}: channel rows need raw=True")
        i = (
            max(0, bisect.bisect_right(self.channel_times_s, t_s) - 1)
            * CHANNELS
            * len(CHANNEL_POINTS)
        )
        row = self.channel_rows
        return tuple(tuple(row[i + 4 * k : i + 4 * k + 4]) for k in range(CHANNELS))

    def _find(self, t_s):
        i = self._index + 1
        if i < len(self.times_s) and self.times_s[i] <= t_s < self._ends[i]:
            return i
        return max(0, bisect.bisect_right(self.times_s, t_s) - 1)


def read_trace(path, column=None, scale=1.0, raw=False, gap_s=GAP_S):
    """Trace from a CSV file or its gzip.

    column: name of the power column, needed when there are several; scale: factor on power (and on
    W and A of the meter's right rows, never on its wrong ones); raw: keep the meter's channel rows,
    the wrong ones as they are; gap_s: a longer pause between samples is cut. LoadError in one line
    when the file is not such a trace.
    """
    if not (isinstance(scale, (int, float)) and math.isfinite(scale) and scale > 0):
        raise LoadError(f"{path}: scale {scale}: allowed is a finite number above 0")
    rows = csv.reader(io.StringIO(_text(path)), strict=True)
    try:
        shape = _Shape(path, next(rows, []), column, raw)
        table = [row for row in rows if row]
    except csv.Error as error:
        raise LoadError(f"{path}: line {rows.line_num}: not CSV ({error})") from None
    return _Reader(path, shape, scale, raw, gap_s).read(table)


def synthetic_load(seed, duration_s, peak_W=400_000.0):
    """Trace of a made-up training cluster of peak_W over duration_s, the same for the same seed;
    see load_shape.
    """
    if not (math.isfinite(duration_s) and duration_s >= 1.0):
        raise LoadError(f"synthetic load of {duration_s} s: allowed is at least 1")
    times, powers = load_shape.cluster(seed, duration_s, peak_W)
    trace = Trace(times, powers)
    trace.column = "synthetic"
    return trace


class _Shape:
    """Which columns of a header mean what."""

    def __init__(self, path, header, column, raw):
        names = [name.strip() for name in header]
        self.width = len(names)
        self.channels = [
            [names.index(f"ch{n}_{point}") for point in CHANNEL_POINTS]
            for n in range(1, CHANNELS + 1)
            if all(f"ch{n}_{point}" in names for point in CHANNEL_POINTS)
        ]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise LoadError(
                f"{path}: column {twice[0]} stands twice in the header: allowed is once"
            )
        if TIME_COLUMN not in names:
            raise LoadError(
                f"{path}: no time column {TIME_COLUMN} (seconds) in the header: {_listed(names)}"
            )
        self.time = names.index(TIME_COLUMN)
        self.column = _chosen(path, names, column, bool(self.channels))
        self.power = names.index(self.column)
        self.factor = next(
            factor for ending, factor in POWER_ENDINGS if self.column.endswith(ending)
        )
        if raw and len(self.channels) < CHANNELS:
            raise LoadError(
                f"{path}: raw needs the columns chN_W, chN_V, chN_A, chN_PF for N = "
                f"1..{CHANNELS}, "
                f"found {_listed(names)}"
            )


def _chosen(path, names, column, with_channels):
    """Name of the power column, given or the only one there is (a meter's channels are parts, not
    the whole).
    """
    powers = [name for name in names if _is_power(name)]
    if column is not None:
        if column not in powers:
            raise LoadError(f"{path}: column {column}: allowed are {_listed(powers)}")
        return column
    whole = [
        name
        for name in powers
        if not (with_channels and name.startswith("ch") and name[2:3].isdigit())
    ]
    if not whole:
        raise LoadError(
            f"{path}: no power column whose name ends in _kW or _W in the header: {_listed(names)}"
        )
    if len(whole) > 1:
        raise LoadError(f"{path}: several power columns, say which with --column: {_listed(whole)}")
    return whole[0]


def _is_power(name):
    return any(name.endswith(ending) and len(name) > len(ending) for ending, _ in POWER_ENDINGS)


def _listed(names):
    """Names for a message, cut when there are very many of them."""
    text = ", ".join(names)
    return text if len(text) <= 200 else text[:200] + " ..."


class _Reader:
    """Rows to samples: refuses, counts, cuts gaps."""

    def __init__(self, path, shape, scale, raw, gap_s):
        self.path = path
        self.shape = shape
        self.scale = scale
        self.gap_s = gap_s
        self.refused = self.empty = 0
        self.times, self.powers = [], []
        self.raw_times = [] if raw else None
        self.raw_rows = array.array("d")
        self.keep = raw

    def read(self, table):
        for row in table:
            self._take(row)
        if len(self.times) < 2 or self.refused > len(table) // 2:
            raise LoadError(
                f"{self.path}: {len(self.times)} of {len(table)} rows usable in "
                f"{self.shape.column} "
                f"({self.refused} refused, {self.empty} empty): needed are 2 and at "
                f"least half"
            )
        highest_W = max(map(abs, self.powers))
        if highest_W > LOAD_W_MAX:
            raise LoadError(
                f"{self.path}: {self.shape.column} reaches {highest_W / 1e6:.4g} MW "
                f"with scale "
                f"{self.scale:g}: allowed is at most {LOAD_W_MAX / 1e6:g} MW"
            )
        typical_s = statistics.median_low(b - a for a, b in zip(self.times, self.times[1:]))
        if typical_s > self.gap_s:
            raise LoadError(
                f"{self.path}: sampled every {typical_s:g} s: allowed is at most {self.gap_s:g} s"
            )
        return self._trace(len(table), typical_s)

    def _take(self, row):
        """One row into the samples, or into a count."""
        shape = self.shape
        if len(row) != shape.width:
            self.refused += 1
            return
        t_s = _number(row[shape.time])
        if not row[shape.power].strip():
            self.empty += 1
            return
        power = _number(row[shape.power])
        channels = [[_number(row[i]) for i in channel] for channel in shape.channels]
        good = (
            math.isfinite(t_s)
            and math.isfinite(power)
            and all(_channel_ok(*values) for values in channels)
        )
        if self.keep and math.isfinite(t_s):
            self._keep_raw(t_s, channels, good)
        if good and (not self.times or t_s > self.times[-1]):
            self.times.append(t_s)
            self.powers.append(power * shape.factor * self.scale)
        else:
            self.refused += 1

    def _keep_raw(self, t_s, channels, good):
        if self.raw_times and t_s < self.raw_times[-1]:
            return
        self.raw_times.append(t_s)
        factor = self.scale if good else 1.0
        for watts, volts, amperes, power_factor in channels:
            self.raw_rows.extend((watts * factor, volts, amperes * factor, power_factor))

    def _trace(self, rows_read, typical_s):
        """Cut the gaps: the sample after a gap follows its predecessor by the typical step, and
        power steps there.
        """
        start = self.times[0]
        cut_s, times, steps, resume, cuts = start, [0.0], [], [-math.inf], [start]
        for i in range(1, len(self.times)):
            pause = self.times[i] - self.times[i - 1]
            if pause > self.gap_s:
                cut_s += pause - typical_s
                steps.append(i)
                resume.append(self.times[i])
                cuts.append(cut_s)
            times.append(self.times[i] - cut_s)
        trace = Trace(times, self.powers, steps)
        trace.column = self.shape.column
        trace.rows_read, trace.rows_refused, trace.rows_empty = rows_read, self.refused, self.empty
        trace.gaps_cut = len(steps)
        if self.keep:
            trace.channel_rows = self.raw_rows
            trace.channel_times_s = _on_cut_axis(self.raw_times, resume, cuts)
        return trace


def _on_cut_axis(times_s, resume_s, cuts_s):
    """times_s on the axis that lost its gaps; a wrong row inside a gap comes when the trace
    resumes.
    """
    latest_s = [resume - cut for resume, cut in zip(resume_s[1:], cuts_s[1:])] + [math.inf]
    places = [bisect.bisect_right(resume_s, t_s) - 1 for t_s in times_s]
    return [min(t_s - cuts_s[k], latest_s[k]) for t_s, k in zip(times_s, places)]


def _channel_ok(watts, volts, amperes, power_factor):
    """A meter channel that can be true. Written so that NaN is refused."""
    return (
        math.isfinite(watts)
        and CHANNEL_V_RANGE[0] <= volts <= CHANNEL_V_RANGE[1]
        and 0.0 <= amperes < math.inf
        and CHANNEL_PF_RANGE[0] <= power_factor <= CHANNEL_PF_RANGE[1]
    )


def _number(text):
    """The number in a cell, NaN when there is none."""
    try:
        return math.nan if "_" in text else float(text)  # Python would read 1_0 as 10
    except ValueError:
        return math.nan


def _text(path):
    """The file's text, unpacked when it is gzip by content, whatever its name."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except OSError as error:
        raise LoadError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise LoadError(f"{path}: gzip is damaged: {error}") from None
    except UnicodeDecodeError:
        raise LoadError(f"{path}: not UTF-8 text: allowed is CSV in UTF-8, or gzip of it") from None
