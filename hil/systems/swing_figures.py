"""Figures of a swinging load: its swings, and the part of them that reaches the grid."""

import itertools

import numpy as np

from hil.results.ratio import less_pct
from hil.systems import ramps
from hil.systems.run import Result
from hil.systems.series import blocks
from hil.systems.thermal import UNKNOWN, Attained, Measure

SWING_PART = 0.1  # part of the highest load: a smaller movement is no swing
TRACKED_PART = 0.3  # a swing is tracked if at most this part of it reaches the grid
# Lowest power and lowest fluctuation of which a percentage has a meaning.
POWER_W_MIN, STILL_W = 1000.0, 50.0


def calmer(window_s: int) -> Measure:
    """The figure: percentage by which the grid power fluctuates less than the load. The fluctuation
    is the rms change from each mean over window_s to the next.
    """

    def figure(result: Result) -> Attained:
        load_W, grid_W = [rms_change_W(power_W, window_s) for power_W in result.seconds_W]
        return less_pct(grid_W, load_W, STILL_W), None, load_W / 1000

    return figure


def rms_change_W(power_W: np.ndarray, window: int) -> float:
    """Rms change from each mean to the next. window: samples of a mean."""
    means = blocks(power_W, window).mean(axis=1, dtype=np.float64)
    return float(np.sqrt(np.mean(np.diff(means) ** 2)))


def swings(result: Result) -> Attained:
    """Tracked swings of the load in 90 days: the grid moved by at most TRACKED_PART of the load's
    movement. The number of all swings is the bound, and also the value without the system.
    """
    quarters = 90 / result.spec.days
    followed, total = [count * quarters for count in tracked(*result.seconds_W)]
    return followed, total, total


def of_ticks(load_and_grid_W: np.ndarray, tick_s: float) -> dict[str, float | None]:
    """Figures of the fluctuation and of the swings, in percent, and the fluctuation of the load in
    kW. They come from single ticks, because means over a second would hide fast swings. None: the
    load was still.
    """
    load_W, grid_W = [rms_change_W(power_W, round(2 / tick_s)) for power_W in load_and_grid_W]
    followed, total = tracked(*load_and_grid_W)
    return {
        "calmer_2s": less_pct(grid_W, load_W, STILL_W),
        "load_2s_kW": load_W / 1000,
        "tracked": 100 * followed / total if total else None,
    }


def kernel_2s(result: Result) -> Attained:
    """Percentage by which the grid power fluctuates less than the load, as means over 2 s. Only the
    minutes that ran with the kernel, on a day without an outage, count.
    """
    figures = _plain(result)
    return (figures["calmer_2s"], None, figures["load_2s_kW"]) if figures else UNKNOWN


def kernel_tracked(result: Result) -> Attained:
    """Percent of swings that are tracked in the minutes with the kernel, judged tick by tick."""
    figures = _plain(result)
    return (figures["tracked"] if figures else None), None, None


def _plain(result: Result) -> dict[str, float | None] | None:
    return next((minute["swings"] for minute in result.minutes if not minute["is_outage"]), None)


def tracked(load_W: np.ndarray, grid_W: np.ndarray) -> tuple[int, int]:
    """(tracked swings, all swings). Load and grid are samples of the same moments."""
    followed, turns = 0, _turns(load_W)
    for (begin, from_W), (end, to_W) in itertools.pairwise(turns):
        moved_W = float(np.ptp(grid_W[begin : end + 1]))
        followed += moved_W <= TRACKED_PART * abs(to_W - from_W)
    return followed, len(turns) - 1


def _turns(load_W: np.ndarray) -> list[tuple[int, float]]:
    """(sample, W) of each turn of the load. Two turns differ by at least SWING_PART of its highest
    power.
    """
    step_W = SWING_PART * float(load_W.max())
    turn_sample, turn_W, is_rising = 0, float(load_W[0]), True
    turns = [(turn_sample, turn_W)]
    for sample, power_W in enumerate(load_W.tolist()):
        if (power_W > turn_W) == is_rising:
            turn_sample, turn_W = sample, power_W
        elif abs(power_W - turn_W) >= step_W:
            turns.append((turn_sample, turn_W))
            turn_sample, turn_W, is_rising = sample, power_W, not is_rising
    return turns


def ramps_over(result: Result) -> Attained:
    """Changes of the import that exceed a ramp of the operator."""
    grid_W, rows = result.seconds_W[1], result.spec.ramps
    without = ramps.count(grid_W + result.battery_1s_W, rows)
    return float(ramps.count(grid_W, rows)), 0.0, float(without)


def peak_kW(result: Result) -> Attained:
    """Highest load, kW."""
    return float(result.seconds_W[0].max()) / 1000, None, None


def swing_5min(result: Result) -> Attained:
    """Largest swing within 5 minutes, in percent of the highest load."""
    load_W = result.seconds_W[0]
    largest_W = float(np.ptp(blocks(load_W, 300), axis=1).max())
    highest_W = float(load_W.max())
    return (100.0 * largest_W / highest_W if highest_W >= POWER_W_MIN else None), None, None


WITH_KERNEL = {"kernel_2s": kernel_2s, "kernel_tracked": kernel_tracked}
FIGURES: dict[str, Measure] = {
    **WITH_KERNEL,
    "calmer_2s": calmer(2),
    "calmer_60s": calmer(60),
    "calmer_300s": calmer(300),
    "swings": swings,
    "ramps_over": ramps_over,
    "peak_kW": peak_kW,
    "swing_5min": swing_5min,
}
