"""Computes the figures that grid rules limit: 5 s range, 15 s change, line, 1 s ramp.

A line is the strongest line of the spectrum. Powers are means of a tick, W. The filter has one
pole, unless two are asked for. ERCOT limits the range; IESO limits the change and lines (both read
in a curated list, 2026). NVIDIA's test T4 limits the ramp (second-hand).
"""

import math

import numpy as np

from controller.audit.measures import Range, settling_s
from controller.audit.samples import Block
from hil.campaigns.smooth import metrics
from hil.campaigns.smooth.simulator import TICK_S

LOW_Hz = 0.1  # power below it does not count in the 5 s range
FROM_S = 10  # the figures begin here
BAND_Hz = [LOW_Hz, 55.0]  # band of ERCOT's rule
RANGE_S, CHANGE_S, RAMP_S, LINE_S = 5, 15, 1, 60
DIGITS = {"range_5s": 1, "change_15s": 1, "line": 2, "t4": 1}  # {figure: printed decimals}


def high_passed_W(power_W: np.ndarray) -> np.ndarray:
    """Power above LOW_Hz. The power before the first tick counts as that of the first tick."""
    keep = float(np.exp(-2 * np.pi * LOW_Hz * TICK_S))
    filtered_W, above, before = np.empty(len(power_W)), 0.0, float(power_W[0])
    for index, power in enumerate(power_W.tolist()):
        above = keep * (above + power - before)
        before = power
        filtered_W[index] = above
    return filtered_W


def largest_range_W(power_W: np.ndarray, within_s: float) -> float:
    """The largest range within any span of within_s."""
    return metrics.largest_range_W(power_W, round(within_s / TICK_S))


def range_5s_W(power_W: np.ndarray) -> float:
    """The largest range in 5 s of the power above LOW_Hz, from FROM_S on."""
    return largest_range_W(high_passed_W(power_W)[round(FROM_S / TICK_S) :], RANGE_S)


def ercot_range_W(power_W: np.ndarray, poles: int = 1) -> float:
    """The largest range in 5 s by ERCOT's rule, whose text does not say how many poles. The power
    before the first tick counts as that of the first tick.
    """
    measure = Range(RANGE_S, BAND_Hz, TICK_S, poles)
    before = np.full(math.ceil(settling_s(BAND_Hz) / TICK_S), power_W[0])
    all_W = np.concatenate((before, power_W))
    measure.feed(Block(True, np.arange(len(all_W)) * TICK_S, {}), all_W)
    assert measure.worst is not None
    return measure.worst.value


def line_W(power_W: np.ndarray) -> float:
    """Amplitude of the strongest line from LOW_Hz up, in half overlapping Hann windows of 60 s."""
    ticks = min(round(LINE_S / TICK_S), len(power_W))
    shape = np.hanning(ticks)
    lowest = int(np.ceil(LOW_Hz * ticks * TICK_S))
    strongest = 0.0
    for first in range(0, len(power_W) - ticks + 1, max(1, ticks // 2)):
        part = power_W[first : first + ticks]
        spectrum = np.abs(np.fft.rfft(shape * (part - part.mean())))[lowest:]
        strongest = max(strongest, 2 * float(spectrum.max()) / float(shape.sum()))
    return strongest


def figures_pct(power_W: np.ndarray, peak_W: float) -> dict:
    """{figure: % of the load's peak} from FROM_S on; None: the load is too short."""
    judged_W = power_W[round(FROM_S / TICK_S) :]
    ramp = round(RAMP_S / TICK_S)
    if len(judged_W) < ramp + 1 or not peak_W:
        return dict.fromkeys(DIGITS)
    found_W = (
        range_5s_W(power_W),
        largest_range_W(judged_W, CHANGE_S),
        line_W(judged_W),
        float(np.abs(judged_W[ramp:] - judged_W[:-ramp]).max()),
    )
    return {name: 100 * each_W / peak_W for name, each_W in zip(DIGITS, found_W)}


def pairs(of_grid: dict, of_load: dict) -> list[str]:
    """Each figure as "grid/load"; "-" for a load that is too short."""
    return [
        "-" if of_grid[name] is None else f"{of_grid[name]:.{digits}f}/{of_load[name]:.{digits}f}"
        for name, digits in DIGITS.items()
    ]
