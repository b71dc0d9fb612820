"""Synthetic loads: tones, squares, noise and random steps, as the mean power of every tick.

Names: sine0.35 has 0.35 Hz, tones.3+2.5 has two tones, sq.2+2.2 is a square with a tone on it.
noise1-5 is flat between 1 and 5 Hz, rsteps.3 has random levels that last 0.3 s on the mean.
"""

from collections.abc import Callable

import numpy as np

from hil.campaigns.smooth.simulator import TICK_S

LEVEL_W = 300_000.0
AMPLITUDE_W = 40_000.0
NOISE_W = 20_000.0  # rms
SECONDS, LEARNED_S = 300, 150  # of a signal, and from when on it is judged
SUBTICKS = 20  # points of a tick, whose mean it is
SINES_Hz = (0.1, 0.35, 1, 1.5, 2.5, 4, 5, 7, 10)
TONES = ((0.1, 1.5, 40e3, 20e3), (0.3, 2.5, 40e3, 20e3), (0.7, 3.1, 30e3, 30e3))
SQUARES_Hz = (0.05, 0.1, 0.2, 0.5, 1, 2.5, 4)
NOISES_Hz = {"noise.1-1": (0.1, 1), "noise1-5": (1, 5), "noise.1-10": (0.1, 10)}
COLOURS = {"pink": 0.5, "white": 0.0, "red": 1.0}  # power of frequency by which amplitudes fall
COLOUR_Hz = 0.05  # below it they fall no further
RANDOM_STEPS_s = (5, 1, 0.3)
CHIRP_Hz = 0.05, 5.0


def _short(number: float) -> str:
    return f"{number:g}".removeprefix("0")


def _ticks_W(shape: Callable) -> np.ndarray:
    """Means of the ticks of shape(seconds), LEVEL_W beside it."""
    points_s = (np.arange(round(SECONDS / TICK_S) * SUBTICKS) + 0.5) * TICK_S / SUBTICKS
    return LEVEL_W + shape(points_s).reshape(-1, SUBTICKS).mean(axis=1)


def _tone(at_Hz: float, amplitude_W: float = AMPLITUDE_W) -> Callable:
    return lambda t_s: amplitude_W * np.sin(2 * np.pi * at_Hz * t_s)


def _square(at_Hz: float) -> Callable:
    return lambda t_s: np.where(at_Hz * t_s % 1 < 0.5, AMPLITUDE_W, -AMPLITUDE_W)


def _sum(*shapes: Callable) -> Callable:
    return lambda t_s: sum(shape(t_s) for shape in shapes)


def _chirp(t_s: np.ndarray) -> np.ndarray:
    low, high = CHIRP_Hz
    turns = low * t_s + (high - low) * t_s**2 / (2 * SECONDS)
    return AMPLITUDE_W * np.sin(2 * np.pi * turns)


def periodic() -> dict:
    """{name: shape} of the signals that repeat themselves; shape(seconds) is W beside LEVEL_W."""
    shapes = {f"sine{at:g}": _tone(at) for at in SINES_Hz}
    for low, high, low_W, high_W in TONES:
        name = f"tones{_short(low)}+{_short(high)}"
        shapes[name] = _sum(_tone(low, low_W), _tone(high, high_W))
    shapes["sq.2+2.2"] = _sum(_square(0.2), _tone(2.2, 15e3))
    return shapes | {f"sq{at:g}": _square(at) for at in SQUARES_Hz}


PERIODIC = periodic()
STEPS_s = {f"rsteps{_short(mean_s)}": mean_s for mean_s in RANDOM_STEPS_s}
NAMES = *PERIODIC, *NOISES_Hz, *COLOURS, *STEPS_s, "chirp"


def power_W(name: str, seed: int) -> np.ndarray:
    """Mean power of each tick, W; name: of NAMES; seed: of the noise and the random steps."""
    if name in NOISES_Hz:
        return _coloured(seed, name, 0.0, NOISES_Hz[name])
    if name in COLOURS:
        return _coloured(seed, name, COLOURS[name], (0.0, np.inf))
    if name in STEPS_s:
        return _steps(seed, name)
    return _ticks_W(_chirp if name == "chirp" else PERIODIC[name])


def _draw(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def _coloured(seed: int, name: str, fall: float, band_Hz: tuple) -> np.ndarray:
    """Gaussian noise in a band; its amplitudes fall with frequency to the power `fall`."""
    count = round(SECONDS / TICK_S)
    at_Hz = np.fft.rfftfreq(count, TICK_S)
    parts = np.fft.rfft(_draw(seed, name).standard_normal(count))
    parts *= np.maximum(at_Hz, COLOUR_Hz) ** -fall
    parts[(at_Hz < band_Hz[0]) | (at_Hz > band_Hz[1])] = 0.0
    parts[0] = 0.0
    noise = np.fft.irfft(parts, count)
    return LEVEL_W + NOISE_W / noise.std() * noise


def _steps(seed: int, name: str) -> np.ndarray:
    draw, mean_s = _draw(seed, name), STEPS_s[name]
    ends_s = np.cumsum(draw.exponential(mean_s, int(2 * SECONDS / mean_s) + 50))
    levels_W = draw.uniform(-2 * NOISE_W, 2 * NOISE_W, len(ends_s))
    return _ticks_W(lambda t_s: levels_W[np.searchsorted(ends_s, t_s)])
