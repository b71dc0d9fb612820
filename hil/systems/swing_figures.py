"""Figures of a load that swings: its size, and what the grid sees of it; as in figures.py."""

from collections.abc import Callable

import numpy as np

from hil.results.ratio import less_pct
from hil.systems.run import Result
from hil.systems.thermal import Found

SWING_PART = 0.1  # of the highest load: a smaller movement is no swing
TRACKED_PART = 0.3  # of a swing, at most, that the grid sees of a tracked one
POWER_W_MIN, STILL_W = 1000.0, 50.0  # a share of less than this has no meaning


def calmer(window_s: int) -> Callable[[Result], Found]:
    """Fluctuation of means over window_s: rms of their changes, against the load's."""

    def figure(result: Result) -> Found:
        load, grid = [_rms_change(each, window_s) for each in result.seconds_W]
        return less_pct(grid, load, STILL_W), None, load / 1000

    return figure


def _rms_change(seconds_W: np.ndarray, window_s: int) -> float:
    count = len(seconds_W) // window_s
    means = seconds_W[: count * window_s].reshape(count, window_s).mean(axis=1, dtype=np.float64)
    return float(np.sqrt(np.mean(np.diff(means) ** 2)))


def swings(result: Result) -> Found:
    """Tracked swings of the load in a quarter of 90 days: from one turn to the next the grid moved
    by at most TRACKED_PART of what the load did. Without: all swings.
    """
    grid_W, found = result.seconds_W[1], 0
    turns = _turns(result.seconds_W[0])
    for (begin, from_W), (end, to_W) in zip(turns, turns[1:]):
        moved_W = float(np.ptp(grid_W[begin : end + 1]))
        found += moved_W <= TRACKED_PART * abs(to_W - from_W)
    quarters = 90 / result.spec.days
    every = max(0, len(turns) - 1) * quarters
    return found * quarters, every, every


def _turns(load_W: np.ndarray) -> list[tuple[int, float]]:
    """(second, W) of each turn of the load, at least SWING_PART of its highest power away from the
    last one.
    """
    step_W = SWING_PART * float(load_W.max())
    turns, at, turn_W, is_rising = [(0, float(load_W[0]))], 0, float(load_W[0]), True
    for second, power_W in enumerate(load_W.tolist()):
        if (power_W > turn_W) == is_rising:
            at, turn_W = second, power_W
        elif abs(power_W - turn_W) >= step_W:
            turns.append((at, turn_W))
            at, turn_W, is_rising = second, power_W, not is_rising
    return turns


def peak_kW(result: Result) -> Found:
    """Highest load."""
    return float(result.seconds_W[0].max()) / 1000, None, None


def swing_5min(result: Result) -> Found:
    """Largest swing within 5 minutes, in percent of the highest load."""
    load_W = result.seconds_W[0]
    blocks = load_W[: len(load_W) // 300 * 300].reshape(-1, 300)
    largest = float((blocks.max(axis=1) - blocks.min(axis=1)).max())
    highest_W = float(load_W.max())
    return 100.0 * largest / highest_W if highest_W >= POWER_W_MIN else None, None, None


FIGURES: dict[str, Callable[[Result], Found]] = {
    "calmer_2s": calmer(2),
    "calmer_60s": calmer(60),
    "calmer_300s": calmer(300),
    "swings": swings,
    "peak_kW": peak_kW,
    "swing_5min": swing_5min,
}
