"""Means and slopes of the samples of a step test."""

import math
import statistics
from collections.abc import Sequence

from controller.state.step_samples import Sample

Phases = Sequence[tuple[int, int]]  # (start, end) of each phase with a constant set-point, ms
LAST_PERMILLE = 500  # the last part of a step counts as settled


def settled(samples: Sequence[Sample], phase: tuple[int, int]) -> list[float]:
    """The values of the last part of a phase."""
    begin_ms, end_ms = phase
    from_ms = end_ms - (end_ms - begin_ms) * LAST_PERMILLE // 1000
    return [sample.value_W for sample in samples if from_ms < sample.at_ms <= end_ms]


def means(
    asked: Sequence[Sample], seen: Sequence[Sample], phases: Phases
) -> tuple[list[float], list[float]]:
    """(means of the set-point, means of the values), one for each phase that has samples of
    both.
    """
    pairs = [(settled(asked, phase), settled(seen, phase)) for phase in phases]
    complete = [pair for pair in pairs if all(pair)]
    asked_W = [statistics.fmean(asked_part) for asked_part, _ in complete]
    return asked_W, [statistics.fmean(seen_part) for _, seen_part in complete]


def slope(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float] | None:
    """(slope, its standard error) of ys over xs by least squares. None: fewer than
    three points, or xs that hardly differ.
    """
    if len(xs) < 3:
        return None
    x_mean, y_mean = statistics.fmean(xs), statistics.fmean(ys)
    spread = math.fsum((x - x_mean) ** 2 for x in xs)
    if spread < 1:
        return None
    gradient = math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys)) / spread
    residual = math.fsum((y - y_mean - gradient * (x - x_mean)) ** 2 for x, y in zip(xs, ys))
    return gradient, math.sqrt(residual / (len(xs) - 2) / spread)


def noise_W(samples: Sequence[Sample], phases: Phases) -> float:
    """Largest standard deviation of the settled values of a phase, W."""
    parts = [settled(samples, phase) for phase in phases]
    return max([statistics.pstdev(part) for part in parts if part], default=0.0)


def resolution_W(samples: Sequence[Sample]) -> float:
    """Smallest difference between two values that differ, W; 0: all values are the same."""
    values = sorted({sample.value_W for sample in samples})
    return min([high - low for low, high in zip(values, values[1:])], default=0.0)


def refresh_ms(samples: Sequence[Sample]) -> float | None:
    """Median time from one new value to the next, ms; None: too few values."""
    gaps = [new.at_ms - old.at_ms for old, new in zip(samples, samples[1:])]
    return statistics.median(gaps) if gaps else None
