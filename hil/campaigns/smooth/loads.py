"""Makes loads as mean powers of each tick, from samples.

A kind says what the power does between two samples: it is held, held with jittered times, or joined
by a line.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from hil.campaigns.nuisance import courses
from hil.campaigns.smooth.simulator import TICK_S
from hil.loads import reader
from hil.loads.trace import LoadError, Trace, synthetic_load
from hil.runner import options

LENGTH_S = 3600.0  # a longer file ends here
EDGE_S = 0.05  # length of an edge of a held load
JITTER = 0.35  # part of the time between two samples, each way
FINE_S = 0.2  # a file with samples this close or closer is played as it was measured
SHORT_S, REPEATS = 20.0, 8  # a file shorter than SHORT_S is played REPEATS times
PEAK_W = 150_000.0, 500_000.0  # a load whose peak lies between is not scaled
SCALED_PEAK_W = 350_000.0
FINE = ("as is",)
COARSE = ("held", "jit", "lin")
# Samples of 1 to 2 s joined by lines are ramps that no load has, so they prove no slope.
JOINED = "lin"


# {name: (kind of the synthetic cluster, its peak, W)}; all are as steep as a measured load
BUILT_IN = {
    "training": ("training", 284_000.0),
    "cluster": ("synthetic", 280_000.0),
    "iterations": ("iterations", 284_000.0),
    "squares": ("squares", 300_000.0),
    "swing": ("swing", 347_000.0),
}
BUILT_IN_SEED = 1


class Source(NamedTuple):
    """One power column of a file, or one of BUILT_IN without a file."""

    file: str
    column: str

    @property
    def name(self) -> str:
        """File and column, for a table."""
        stem = self.file.rpartition("/")[2].partition(".")[0]
        return f"{stem} {self.column}".strip()


OPTIONS: options.Options = {
    **options.CASES,
    **options.LOADS,
    "--only": {"nargs": "+", "metavar": "NAME", "help": "loads whose name contains one of these"},
}


def measured(folder: str | None) -> list[Source]:
    """The power columns of --loads. LoadError: the folder has none."""
    return [Source(*pair) for pair in courses.measured(folder)] if folder else []


class Named(Protocol):
    """Something that an option can choose."""

    @property
    def name(self) -> str:
        """Its name in a table."""


_Chosen = TypeVar("_Chosen", bound=Named)


def chosen(choices: Sequence[_Chosen], parts: Sequence[str] | None) -> list[_Chosen]:
    """The items whose name contains one of the parts of --only; None: all. LoadError."""
    matches = [
        choice for choice in choices if not parts or any(part in choice.name for part in parts)
    ]
    if not matches:
        allowed = ", ".join(choice.name for choice in choices)
        raise LoadError(f"--only {' '.join(parts or ())}: allowed are parts of {allowed}")
    return matches


class Load(NamedTuple):
    """A column that was read: its trace, the factor on its power, and its kinds."""

    trace: Trace
    scale: float
    kinds: tuple


def read(source: Source) -> Load:
    """The column, scaled if its peak does not fit the cabinet. LoadError: a wrong file."""
    if not source.file:
        shape, peak_W = BUILT_IN[source.column]
        return Load(synthetic_load(BUILT_IN_SEED, LENGTH_S, peak_W, shape), 1.0, FINE)
    trace = reader.read_trace(source.file, source.column)
    peak_W = max(map(abs, trace.powers_W))
    scale = 1.0
    if peak_W and not PEAK_W[0] <= peak_W <= PEAK_W[1]:
        scale = SCALED_PEAK_W / peak_W
    typical_s = float(np.median(np.diff(trace.times_s)))
    return Load(trace, scale, FINE if round(typical_s, 3) <= FINE_S else COARSE)


def ticks_W(load: Load, kind: str, seed: str) -> np.ndarray:
    """Mean power of each tick, W. kind: one of load.kinds; seed: that of the jitter."""
    times_s, powers_W = np.array(load.trace.times_s), np.array(load.trace.powers_W) * load.scale
    if kind in ("held", "jit"):
        if kind == "jit":
            times_s = _jittered(times_s, seed)
        times_s, powers_W = _held(times_s, powers_W)
    else:
        times_s, powers_W = _stepped(times_s, powers_W, load.trace.steps)
        if load.trace.duration_s < SHORT_S:
            times_s, powers_W = _repeated(times_s, powers_W)
    return means_W(times_s, powers_W, min(times_s[-1], LENGTH_S))


def _jittered(times_s: np.ndarray, seed: str) -> np.ndarray:
    draw = np.random.default_rng(list(seed.encode()))
    shares = draw.uniform(-JITTER, JITTER, len(times_s) - 1)
    return np.append(times_s[:1], times_s[1:] + shares * np.diff(times_s))


def _held(times_s: np.ndarray, powers_W: np.ndarray) -> tuple:
    """Each sample holds until the next one begins. The change takes an edge of EDGE_S."""
    edge_s = np.minimum(EDGE_S, np.diff(times_s, append=math.inf)[1:])
    begun = np.stack([times_s[1:], times_s[1:] + edge_s], axis=1).ravel()
    levels = np.stack([powers_W[:-1], powers_W[1:]], axis=1).ravel()
    return np.append(times_s[:1], begun), np.append(powers_W[:1], levels)


def _stepped(times_s: np.ndarray, powers_W: np.ndarray, steps: Sequence[int]) -> tuple:
    """A sample after a gap is reached by an edge, not by a line."""
    where = np.array(steps, int)
    edge_s = np.minimum(EDGE_S, (times_s[where] - times_s[where - 1]) / 2)
    return np.insert(times_s, where, times_s[where] - edge_s), np.insert(
        powers_W, where, powers_W[where - 1]
    )


def _repeated(times_s: np.ndarray, powers_W: np.ndarray) -> tuple:
    period_s = times_s[-1] + np.median(np.diff(times_s))
    starts_s = np.arange(REPEATS)[:, None] * period_s
    return (times_s + starts_s).ravel(), np.tile(powers_W, REPEATS)


def means_W(times_s: np.ndarray, powers_W: np.ndarray, until_s: float) -> np.ndarray:
    """Exact mean of a piecewise linear power over each tick from 0 to until_s, W."""
    edges_s = np.arange(int(until_s / TICK_S + 1e-6) + 1) * TICK_S
    points_s = np.union1d(times_s, edges_s)
    points_W = np.interp(points_s, times_s, powers_W)
    work_J = np.append(0.0, np.cumsum(np.diff(points_s) * (points_W[1:] + points_W[:-1]) / 2))
    return np.diff(np.interp(edges_s, points_s, work_J)) / TICK_S
