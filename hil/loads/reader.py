"""Recorded loads: CSV in UTF-8 (or gzip of it) with a header.

The columns are the time `t_s` in seconds and powers with names that end in `_kW` or `_W`. Meter
channels (`chN_W`, `chN_V`, `chN_A`, `chN_PF`) reveal the meter's wrong rows, which are refused and
counted. No value is filled in. A gap is cut out of the time axis: the power steps there and is not
interpolated.
"""

import array
import bisect
import csv
import gzip
import io
import math
import pathlib
import re
import statistics
import zlib

from hil.loads.trace import CHANNEL_POINTS, CHANNELS, LoadError, Trace

GAP_S = 10.0
BYTES_MAX = 256 << 20  # of text, unpacked: six hours of 1 ms
# The rig's meters reach 20 kA per phase, which is 12 MW at their lowest voltage.
LOAD_W_MAX = 10e6
TIME_COLUMN = "t_s"
POWER_ENDINGS = {"_kW": 1000.0, "_W": 1.0}
# From 100 V phase to 690 V line systems. A failed meter reports -1 or -2.
CHANNEL_V_RANGE = (50.0, 1000.0)
CHANNEL_PF_RANGE = (-1.0, 1.0)


def read_trace(
    path: str | pathlib.Path,
    column: str | None = None,
    scale: float | str = 1.0,
    raw: bool = False,
    gap_s: float = GAP_S,
) -> Trace:
    """Trace from a CSV file or its gzip.

    column: name of the power column, required if there are several; scale: factor on power, and on
    W and A of the meter's right rows; raw: also keep the meter's channel rows, wrong rows
    unchanged; gap_s: a longer pause between samples is cut. LoadError: one line.
    """
    if not (isinstance(scale, (int, float)) and math.isfinite(scale) and scale > 0):
        raise LoadError(f"{path}: scale {scale}: allowed is a finite number above 0")
    try:
        return _read(text_of(path), column, scale, raw, gap_s)
    except LoadError as error:
        raise LoadError(f"{path}: {error}") from None


def _read(text: str, column: str | None, scale: float, raw: bool, gap_s: float) -> Trace:
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        reader = RowReader([name.strip() for name in next(rows, [])], column, scale, raw)
        table = [row for row in rows if row]
    except csv.Error as error:
        raise LoadError(f"line {rows.line_num}: not CSV ({error})") from None
    for row in table:
        reader.take(row)
    reader.check(len(table))
    typical_s = statistics.median_low(b - a for a, b in zip(reader.times, reader.times[1:]))
    if typical_s > gap_s:
        raise LoadError(f"sampled every {typical_s:g} s: allowed is at most {gap_s:g} s")
    trace = reader.trace(gap_s, typical_s)
    trace.rows_read = len(table)
    return trace


def _chosen(names: list[str], column: str | None, with_channels: bool) -> str:
    """Name of the power column: the given one, or the only one that is not a meter's channel."""
    powers = [name for name in names if _is_power(name)]
    if column is not None:
        if column not in powers:
            raise LoadError(f"column {column}: allowed are {_listed(powers)}")
        return column
    whole = _whole(powers) if with_channels else powers
    if not whole:
        raise LoadError(
            f"no power column (its name ends in _kW or _W) in the header: {_listed(names)}"
        )
    if len(whole) > 1:
        raise LoadError(f"several power columns, choose with --column: {_listed(whole)}")
    return whole[0]


def power_columns(path: str | pathlib.Path) -> list[str]:
    """Names of a file's power columns without a meter's channels. LoadError: one line."""
    try:
        names = next(csv.reader(io.StringIO(text_of(path))), [])
    except LoadError as error:
        raise LoadError(f"{path}: {error}") from None
    return _whole([name.strip() for name in names if _is_power(name.strip())])


def _whole(names: list[str]) -> list[str]:
    """The names without a meter's channels, which are parts of the power."""
    return [name for name in names if not re.match(r"ch\d", name)]


def _is_power(name: str) -> bool:
    return any(name.endswith(ending) and len(name) > len(ending) for ending in POWER_ENDINGS)


def _listed(names: list[str]) -> str:
    """Names for a message, at most 200 characters."""
    text = ", ".join(names)
    return text if len(text) <= 200 else text[:200] + " ..."


class RowReader:
    """Turns rows into samples: refuses and counts wrong rows, cuts gaps."""

    def __init__(self, names: list[str], column: str | None, scale: float, raw: bool) -> None:
        """names: the header."""
        self._check_header(names)
        self.scale, self.raw = scale, raw
        self.width = len(names)
        self.channels = [
            [names.index(f"ch{n}_{point}") for point in CHANNEL_POINTS]
            for n in range(1, CHANNELS + 1)
            if all(f"ch{n}_{point}" in names for point in CHANNEL_POINTS)
        ]
        self.column = _chosen(names, column, bool(self.channels))
        self.time_at, self.power_at = names.index(TIME_COLUMN), names.index(self.column)
        self.factor = POWER_ENDINGS["_kW" if self.column.endswith("_kW") else "_W"]
        if raw and len(self.channels) < CHANNELS:
            raise LoadError(
                f"raw needs the columns chN_W, chN_V, chN_A, chN_PF for N = 1..{CHANNELS}, "
                f"found {_listed(names)}"
            )
        self.refused = self.empty = 0
        self.times, self.powers, self.raw_times = [], [], []
        self.raw_rows = array.array("d")

    def _check_header(self, names: list[str]) -> None:
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise LoadError(f"column {twice[0]} is twice in the header; allowed is once")
        if TIME_COLUMN not in names:
            raise LoadError(
                f"no time column {TIME_COLUMN} (seconds) in the header: {_listed(names)}"
            )

    def check_time(self, row: list[str], line: int) -> None:
        """LoadError: the time of this row is no number, or not later than the last sample's."""
        text = row[self.time_at] if len(row) > self.time_at else ""
        before_s = self.times[-1] if self.times else -math.inf
        if not before_s < _number(text) < math.inf:
            last = f", above {before_s:g}" if self.times else ""
            raise LoadError(
                f"line {line}: {TIME_COLUMN} = {text[:40]!r}: allowed is a number{last}"
            )

    def take(self, row: list[str]) -> None:
        """Add one row to the samples, or count it as refused or empty."""
        if len(row) != self.width:
            self.refused += 1
            return
        if not row[self.power_at].strip():
            self.empty += 1
            return
        t_s, power = _number(row[self.time_at]), _number(row[self.power_at])
        channels = [[_number(row[i]) for i in channel] for channel in self.channels]
        is_good = math.isfinite(t_s + power) and all(_channel_ok(*values) for values in channels)
        if self.raw and math.isfinite(t_s):
            self._keep_raw(t_s, channels, is_good)
        if is_good and (not self.times or t_s > self.times[-1]):
            self.times.append(t_s)
            self.powers.append(power * self.factor * self.scale)
        else:
            self.refused += 1

    def _keep_raw(self, t_s: float, channels: list[list[float]], is_good: bool) -> None:
        if self.raw_times and t_s < self.raw_times[-1]:
            return
        self.raw_times.append(t_s)
        factor = self.scale if is_good else 1.0
        for watts, volts, amperes, power_factor in channels:
            self.raw_rows.extend((watts * factor, volts, amperes * factor, power_factor))

    def check(self, rows: int) -> None:
        """LoadError: too few of so many rows are usable, or their power is impossible."""
        if len(self.times) < 2 or self.refused > rows // 2:
            raise LoadError(
                f"{len(self.times)} of {rows} rows usable in {self.column} ({self.refused} "
                f"refused, {self.empty} empty): needed are 2 and at least half"
            )
        highest_W = max(map(abs, self.powers))
        if highest_W > LOAD_W_MAX:
            raise LoadError(
                f"{self.column} reaches {highest_W / 1e6:.4g} MW with scale {self.scale:g}: "
                f"allowed is at most {LOAD_W_MAX / 1e6:g} MW"
            )

    def trace(self, gap_s: float, typical_s: float) -> Trace:
        """Cut the gaps: power steps there, and the next sample follows after the typical time."""
        start = self.times[0]
        cut_s, times, steps, resume, cuts = start, [0.0], [], [-math.inf], [start]
        for i in range(1, len(self.times)):
            pause = self.times[i] - self.times[i - 1]
            if pause > gap_s:
                cut_s += pause - typical_s
                steps.append(i)
                resume.append(self.times[i])
                cuts.append(cut_s)
            times.append(self.times[i] - cut_s)
        trace = Trace(times, self.powers, steps)
        trace.column, trace.gaps_cut = self.column, len(steps)
        trace.rows_refused, trace.rows_empty = self.refused, self.empty
        if self.raw:
            trace.channel_rows = self.raw_rows
            trace.channel_times_s = _on_cut_axis(self.raw_times, resume, cuts)
        return trace


def _on_cut_axis(times_s: list[float], resume_s: list[float], cuts_s: list[float]) -> list[float]:
    """times_s on the axis without gaps; a wrong row inside a gap moves to the end of the gap."""
    latest_s = [resume - cut for resume, cut in zip(resume_s[1:], cuts_s[1:])] + [math.inf]
    places = [bisect.bisect_right(resume_s, t_s) - 1 for t_s in times_s]
    return [min(t_s - cuts_s[k], latest_s[k]) for t_s, k in zip(times_s, places)]


def _channel_ok(watts: float, volts: float, amperes: float, power_factor: float) -> bool:
    """True for possible values of a meter channel; the comparisons also refuse NaN."""
    return (
        math.isfinite(watts)
        and CHANNEL_V_RANGE[0] <= volts <= CHANNEL_V_RANGE[1]
        and 0.0 <= amperes < math.inf
        and CHANNEL_PF_RANGE[0] <= power_factor <= CHANNEL_PF_RANGE[1]
    )


def _number(text: str) -> float:
    """The number in a cell; NaN: no number."""
    try:
        return math.nan if "_" in text else float(text)  # Python would read 1_0 as 10
    except ValueError:
        return math.nan


def text_of(path: str | pathlib.Path) -> str:
    """The file's text. Gzip is recognised by content, whatever the name."""
    try:
        with open(path, "rb") as file:
            data = file.read(BYTES_MAX + 1)
        if data[:2] == b"\x1f\x8b":
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(BYTES_MAX + 1)
        if len(data) > BYTES_MAX:
            raise LoadError(f"has more than {BYTES_MAX >> 20} MiB of text: shorten it")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise LoadError(f"cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise LoadError(f"gzip is damaged: {error}") from None
    except UnicodeDecodeError:
        raise LoadError("not UTF-8 text: allowed is CSV in UTF-8, or gzip of it") from None
