"""Computes how much a load moves, and how much of this movement the grid still has."""

import numpy as np

from controller.audit.measures import rolling_max
from hil.campaigns.smooth.simulator import TICK_S
from hil.systems.series import blocks

WINDOWS_S = (0.1, 1, 2, 10, 60, 300)
FIGURES = ("rms", "p99", "max")
STILL_W = 50.0  # a load whose means change by less (rms) has no residual
RANGE_S = 300


def means_W(power_W: np.ndarray, window_s: float) -> np.ndarray:
    """Means of consecutive whole windows, W."""
    return blocks(power_W, round(window_s / TICK_S)).mean(axis=1)


def changes_W(power_W: np.ndarray, window_s: float) -> dict | None:
    """{rms, p99, max} of the changes between consecutive means, W; None: fewer than two means."""
    moved_W = np.abs(np.diff(means_W(power_W, window_s)))
    if not len(moved_W):
        return None
    found_W = np.sqrt(np.mean(moved_W**2)), np.percentile(moved_W, 99), moved_W.max()
    return dict(zip(FIGURES, map(float, found_W)))


def residual_pct(of_load: dict | None, of_grid: dict | None) -> dict | None:
    """{figure: grid in % of the load; None: the load hardly moves in this figure}. None: the load
    is too short or does not move.
    """
    if of_load is None or of_grid is None or of_load["rms"] < STILL_W:
        return None
    return {
        name: 100.0 * of_grid[name] / of_load[name] if of_load[name] >= STILL_W else None
        for name in FIGURES
    }


def range_kW(power_W: np.ndarray, within_s: int = RANGE_S) -> float:
    """The largest range of 1 s means within so many seconds, kW."""
    return largest_range_W(means_W(power_W, 1), within_s) / 1000


def largest_range_W(power_W: np.ndarray, count: int) -> float:
    """The largest range within `count` consecutive values, or of all if there are fewer."""
    if not len(power_W):
        return 0.0
    highs_W, lows_W = [rolling_max(way * power_W, min(count, len(power_W))) for way in (1, -1)]
    return float((highs_W + lows_W).max())
