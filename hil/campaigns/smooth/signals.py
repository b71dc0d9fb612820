"""Synthetic loads as the mean power of every tick: a tone, a square, and pink noise."""

import numpy as np

from hil.campaigns.smooth.simulator import TICK_S

LEVEL_W = 300_000.0
AMPLITUDE_W = 40_000.0
NOISE_W = 20_000.0  # rms
SECONDS, LEARNED_S = 300, 150  # of a signal, and from when on it is judged
SUBTICKS = 20  # points of a tick, whose mean it is
SINE_Hz, SQUARE_Hz = 2.5, 1
PINK, PINK_Hz = 0.5, 0.05  # amplitudes fall with frequency to this power, from this one on
NAMES = "sine2.5", "sq1", "pink"


def power_W(name: str, seed: int) -> np.ndarray:
    """Mean power of each tick, W; name: of NAMES; seed: of the noise."""
    if name == "pink":
        return LEVEL_W + _pink_W(np.random.default_rng([seed, *name.encode()]))
    points_s = (np.arange(round(SECONDS / TICK_S) * SUBTICKS) + 0.5) * TICK_S / SUBTICKS
    if name == "sq1":
        shape_W = np.where(SQUARE_Hz * points_s % 1 < 0.5, AMPLITUDE_W, -AMPLITUDE_W)
    else:
        shape_W = AMPLITUDE_W * np.sin(2 * np.pi * SINE_Hz * points_s)
    return LEVEL_W + shape_W.reshape(-1, SUBTICKS).mean(axis=1)


def _pink_W(draw: np.random.Generator) -> np.ndarray:
    count = round(SECONDS / TICK_S)
    parts = np.fft.rfft(draw.standard_normal(count))
    parts *= np.maximum(np.fft.rfftfreq(count, TICK_S), PINK_Hz) ** -PINK
    parts[0] = 0.0
    noise = np.fft.irfft(parts, count)
    return NOISE_W / noise.std() * noise
