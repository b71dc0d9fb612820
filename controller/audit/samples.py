"""Makes blocks of samples at even times from a recording, for the measures of the audit.

A recording (Source) gives pieces: rising times, and a column of values for each name. NaN is an
unknown value. A straight line bridges a gap of at most GAP_S. After a longer gap a new segment
begins. Filters and spectra then start again, because a lost sample must not look like a change of
the load. If samples are at uneven times, values on the straight lines between them are used.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

LOAD, GRID, BATTERY = "load_W", "grid_W", "battery_W"
VOLTAGE, FREQUENCY, COMMANDED = "voltage_pu", "frequency_Hz", "commanded"
POWERS = LOAD, GRID
GAP_S, GAP_STEPS = 1.0, 3
STEP_S_MIN = 1e-4  # limits memory: each window of a rule keeps one value for each step
LOST_PERCENT_MAX = 20.0
BRIDGED_MAX = 1 << 20  # limits memory: most lost samples that are bridged in one piece
UNEVEN = 0.05  # steps that differ from the mean step by a smaller share count as even
# A power with fewer different values is a square wave or a staircase. It says nothing about how
# often the meter measures.
LEVELS_MIN = 8
Values = dict[str, np.ndarray]


class AuditError(ValueError):
    """A record cannot be judged. The text is one line."""


class Piece(NamedTuple):
    """Some samples of a source. is_begin: a recording began here, so no sample was lost between
    the piece before and this one.
    """

    times_s: np.ndarray
    values: Values
    is_begin: bool = False


class Source(Protocol):
    """A record, which can be read several times. All pieces have the same columns. meter_s: time
    between two values of its meter, or 0 if it must be found from values that repeat.
    """

    path: str
    meter_s: float

    @property
    def begin_utc_s(self) -> float | None:
        """UTC of time 0, s since 1970. It may be None until the samples were read."""

    def pieces(self) -> Iterator[Piece]:
        """The samples, oldest first. Raises AuditError, SeriesError."""


class Block(NamedTuple):
    """Samples at even times. is_begin: a gap of gap_s lies between this block and the last one."""

    is_begin: bool
    times_s: np.ndarray
    values: Values
    gap_s: float = math.inf


class MeterPeriod:
    """Finds the time between two values of a meter that is read more often than it measures.

    Such a record repeats each value. The result is half the median time from a new value to the
    second new value after it. Equal values, torn readings and jitter hardly change this time. A
    load with few levels also repeats values, so it says nothing about the meter.
    """

    def __init__(self) -> None:
        self._pairs: Counter[float] = Counter()  # {steps to the second next value: count}
        self._levels: set[float] = set()
        self._last, self._since_s = math.nan, np.empty(0)

    def feed(self, times_s: np.ndarray, values: np.ndarray, step_s: float) -> None:
        """Take measured samples of a power."""
        new = np.flatnonzero(np.diff(values, prepend=self._last))
        if not len(new):
            return
        since_s = np.append(self._since_s, times_s[new])
        self._pairs.update(np.rint((since_s[2:] - since_s[:-2]) / step_s).tolist())
        if len(self._levels) < LEVELS_MIN:
            self._levels |= set(values[new].tolist())
        self._last, self._since_s = values[-1], since_s[-2:]

    @property
    def steps(self) -> float:
        """The time between two values, in steps. 0 if it is unknown, because the power has few
        levels.
        """
        if len(self._levels) < LEVELS_MIN:
            return 0
        lengths, counts = zip(*sorted(self._pairs.items()))
        below = np.cumsum(counts) / sum(counts)
        return lengths[int((below < 0.5).sum())] / 2


class Steady:
    """Makes the blocks of a source and counts its samples, lost samples and gaps. The counts are
    complete after the last block.
    """

    def __init__(self, source: Source) -> None:
        self.source, self.step_s = source, 0.0
        self._meter_periods = {name: MeterPeriod() for name in (*POWERS, FREQUENCY)}
        self.samples = self.lost = self.gaps = 0
        self.gap_s = self.length_s = self._pause_s = 0.0
        self._before: Piece | None = None

    def blocks(self) -> Iterator[Block]:
        """The blocks, oldest first. Raises AuditError."""
        begin_s = end_s = 0.0
        for piece in self.source.pieces():
            kept = self._known(piece)
            if not len(kept.times_s):
                continue
            if not self.step_s:
                self.step_s, begin_s = _step_s(kept.times_s, self.source.path), kept.times_s[0]
            if piece.is_begin and self._before is not None:
                pause_s = float(kept.times_s[0] - end_s)
                self.gaps, self.gap_s = self.gaps + 1, self.gap_s + pause_s
                self._pause_s, self._before = self._pause_s + pause_s, None
            end_s = kept.times_s[-1]
            for name in self._meter_periods.keys() & kept.values:
                known = ~np.isnan(kept.values[name])
                measured = kept.times_s[known], kept.values[name][known]
                self._meter_periods[name].feed(*measured, self.step_s)
            for block in self._split(kept):
                self.samples += len(block.times_s)
                yield block
        if self.samples < 2:
            raise AuditError(f"{self.source.path}: fewer than two samples of the load")
        self.length_s = end_s - begin_s
        missing_s = self.lost * self.step_s + self.gap_s - self._pause_s
        missing = 100 * missing_s / (self.length_s - self._pause_s + self.step_s)
        if missing > LOST_PERCENT_MAX:
            raise AuditError(
                f"{self.source.path}: {missing:.0f} % of the samples of {self.step_s * 1000:g} ms "
                f"are missing; allowed {LOST_PERCENT_MAX:g} %"
            )

    @property
    def meter_s(self) -> float:
        """Time between two values of the meter, s. The source states it, or it is found from
        values that repeat.
        """
        estimated_s = max([self._meter_periods[name].steps for name in POWERS]) * self.step_s
        return max(self.step_s, self.source.meter_s or estimated_s)

    @property
    def frequency_s(self) -> float:
        """Time between two values of the frequency, s."""
        return max(1.0, self._meter_periods[FREQUENCY].steps) * self.step_s

    def _known(self, piece: Piece) -> Piece:
        """The samples in which every power is known."""
        powers = [piece.values[name] for name in POWERS if name in piece.values]
        known = ~np.isnan(sum(powers))
        if known.all():
            return piece
        return Piece(piece.times_s[known], rows_of(piece.values, known), piece.is_begin)

    def _split(self, piece: Piece) -> Iterator[Block]:
        """The blocks of a piece. A long gap starts a new block. A short gap is bridged."""
        last = self._before
        self._before = Piece(piece.times_s[-1:], rows_of(piece.values, slice(-1, None)))
        times_s = piece.times_s if last is None else np.append(last.times_s, piece.times_s)
        values = piece.values if last is None else joined(last.values, piece.values)
        steps_s = np.diff(times_s)
        is_gap = steps_s > max(GAP_S, GAP_STEPS * self.step_s)
        self.gaps += int(is_gap.sum())
        self.gap_s += float(steps_s[is_gap].sum())
        edges = [0, *(np.flatnonzero(is_gap) + 1), len(times_s)]
        for first, end in zip(edges, edges[1:]):
            is_begin = bool(first > 0 or last is None)
            part = rows_of(values, slice(first, end))
            block = self._even(is_begin, times_s[first:end], part)
            if len(block.times_s):
                yield block._replace(gap_s=float(steps_s[first - 1]) if first else math.inf)

    def _even(self, is_begin: bool, times_s: np.ndarray, values: Values) -> Block:
        """One sample for each step. The first sample is left out if no segment begins here, because
        the block before already has it.
        """
        begin, steps_s = 0 if is_begin else 1, np.diff(times_s)
        if (np.abs(steps_s - self.step_s) < UNEVEN * self.step_s).all():
            return Block(is_begin, times_s[begin:], rows_of(values, slice(begin, None)))
        steps = max(1, round(float(times_s[-1] - times_s[0]) / self.step_s))
        lost = max(0, steps - len(steps_s))
        if lost > BRIDGED_MAX:
            raise AuditError(
                f"{self.source.path}: more than {BRIDGED_MAX} samples of {self.step_s:.3g} s are "
                f"missing after {times_s[0]:.10g} s"
            )
        self.lost += lost
        even_s = np.linspace(times_s[0], times_s[-1], steps + 1)[begin:]
        columns = {key: _at(key, even_s, times_s, values[key]) for key in values}
        return Block(is_begin, even_s, columns)


def _at(name: str, even_s: np.ndarray, times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values of a column at other times. They lie on straight lines between the known values,
    but a command keeps its value until the next one.
    """
    if name == COMMANDED:
        return values[np.searchsorted(times_s, even_s, side="right") - 1]
    return np.interp(even_s, times_s, values)


def _step_s(times_s: np.ndarray, path: str) -> float:
    """The mean step, s. It is found from pairs of steps, because jitter hardly changes the length
    of a pair.
    """
    if len(times_s) < 2:
        raise AuditError(f"{path}: fewer than two samples of the load at its begin")
    pair = min(2, len(times_s) - 1)
    pairs_s = times_s[pair:] - times_s[:-pair]
    middle_s = float(np.median(pairs_s)) / pair
    if not middle_s > 0:
        raise AuditError(f"{path}: its first samples have one time")
    usual_s = pairs_s[pairs_s < GAP_STEPS * pair * middle_s]
    step_s = float(usual_s.sum() / np.rint(usual_s / middle_s).sum())
    if step_s < STEP_S_MIN:
        raise AuditError(
            f"{path}: its first samples are {step_s:.3g} s apart; allowed at least {STEP_S_MIN:g} s"
        )
    return step_s


def joined(before: Values, after: Values) -> Values:
    """The columns of `after`. Each one is appended to the column of that name in `before`."""
    return {key: np.append(before.get(key, ()), column) for key, column in after.items()}


def rows_of(values: Values, rows: slice | np.ndarray) -> Values:
    """The columns with some of their rows."""
    return {key: column[rows] for key, column in values.items()}
