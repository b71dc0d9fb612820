"""The frequencies of the cases: a dip and a rise as grids record them, drawn ones, and bad ones."""

import math
import random
from typing import NamedTuple

import numpy as np

from controller.series import table
from controller.series.refusal import SeriesError

NOMINAL_HZ, NOISE_S = 50.0, 0.1
NEAR_HZ = 5.0  # a file has no frequency farther from nominal
BEGIN_S, END_S = 10.0, 20.0  # calm time before and after a deviation
WANDER_HZ, WANDER_S = 0.002, 7.0  # a real grid is never still
DRAWN = 20
RECORDED, NOISY, STEPPING, STUCK = "recorded", "noisy", "stepping", "stuck"


class Case(NamedTuple):
    """times_s, off_Hz: corners of the deviation from nominal. stuck_s: from then on the meter
    repeats one value. after_s: how long the return of the energy is watched.
    """

    name: str
    times_s: tuple[float, ...]
    off_Hz: tuple[float, ...]
    noise_Hz: float = 0.0
    stuck_s: float = math.inf
    after_s: float = 0.0

    @property
    def end_s(self) -> float:
        """The end of the deviation and of the calm after it."""
        return self.times_s[-1]

    def frequency_Hz(self, t_s: float) -> float:
        """The frequency that the grid meter sees."""
        t_s = min(t_s, self.stuck_s)
        wander_Hz = WANDER_HZ * math.sin(2 * math.pi * t_s / WANDER_S)
        rng = random.Random(f"{self.name}/{int(t_s / NOISE_S)}")
        off_Hz = float(np.interp(t_s, self.times_s, self.off_Hz))
        return NOMINAL_HZ + off_Hz + wander_Hz + rng.gauss(0.0, 1.0) * self.noise_Hz


def drawn(number: int, seed: int) -> Case:
    """A deviation of a size, a speed and a length that the seed draws."""
    uniform = random.Random(f"{seed}/frequency {number}").uniform
    depth_Hz = uniform(0.1, 1.0) * (-1) ** number
    down_s, held_s, back_s = uniform(1, 15), uniform(0, 20), uniform(20, 90)
    corners = np.cumsum([BEGIN_S, down_s, held_s, back_s, END_S])
    return Case(f"drawn {number}", (0.0, *corners), (0.0, 0.0, depth_Hz, depth_Hz, 0.0, 0.0))


def built_in() -> Case:
    """A dip of 0.8 Hz within 8 s that recovers in 60 s, and a rise of 0.5 Hz."""
    t_s = np.arange(0.0, 200.0, NOISE_S)
    off_Hz = -0.8 * _event(t_s - BEGIN_S, 8.0) + 0.5 * _event(t_s - 100.0, 5.0)
    return Case(RECORDED, tuple(t_s), tuple(off_Hz))


def _event(t_s: np.ndarray, rise_s: float) -> np.ndarray:
    """0, then up to 1 within rise_s, then back with a time constant of 20 s."""
    return np.where(t_s < rise_s, np.clip(t_s / rise_s, 0, 1), np.exp(-(t_s - rise_s) / 20))


def of_file(path: str) -> Case:
    """The case of a file with the columns t_s and frequency_Hz. SeriesError: one line."""
    with table.opened(path) as series:
        places = series.at("t_s"), series.at("frequency_Hz")
        rows = [
            [table.number(row[place], series.has_comma) for place in places] for _, row in series
        ]
    times_s, values_Hz = zip(*rows) if rows else ((), ())
    off_Hz = tuple(value_Hz - NOMINAL_HZ for value_Hz in values_Hz)
    is_rising = len(rows) > 1 and times_s[0] >= 0 and all(np.diff(times_s) > 0)
    if not is_rising or not all(abs(deviation_Hz) < NEAR_HZ for deviation_Hz in off_Hz):
        near = f"{NOMINAL_HZ - NEAR_HZ:g} to {NOMINAL_HZ + NEAR_HZ:g} Hz"
        raise SeriesError(f"{path}: allowed are times that rise from 0 on, and {near}")
    return Case(RECORDED, times_s, off_Hz)


def bad() -> list[Case]:
    """A noisy, a stepping and a stuck frequency."""
    dip = (0.0, BEGIN_S, BEGIN_S + 5, 60.0, 90.0, 110.0), (0.0, 0.0, -0.3, -0.3, 0.0, 0.0)
    levels_Hz = (0.0, -0.2, -0.5, 0.3, -0.3, 0.2, -0.4, 0.4, -0.1, 0.0)
    edges_s = [BEGIN_S + 5.0 * number + part for number in range(9) for part in (0.0, 0.01)]
    held_Hz = [level_Hz for pair in zip(levels_Hz, levels_Hz[1:]) for level_Hz in pair]
    return [
        Case(NOISY, *dip, noise_Hz=0.01),
        Case(STEPPING, (0.0, *edges_s, 80.0), (0.0, *held_Hz, 0.0)),
        Case(STUCK, *dip, stuck_s=30.0),
    ]
