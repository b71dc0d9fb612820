"""Spectra that nobody tuned for: tones, pairs, noise bands, squares, steps and telegraphs."""

from collections.abc import Callable

import numpy as np

from hil.campaigns.smooth.simulator import TICK_S

LEVEL_W, AMPLITUDE_W = 300_000.0, 60_000.0
LOW_Hz, HIGH_Hz = 0.1, 24.0
SECONDS, SUBTICKS = 72, 20


def _frequency(draw: np.random.Generator, high_Hz: float = HIGH_Hz) -> float:
    """Uniform on a logarithmic scale."""
    return float(np.exp(draw.uniform(np.log(LOW_Hz), np.log(high_Hz))))


def _tone(draw: np.random.Generator, t_s: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * (_frequency(draw) * t_s + draw.random()))


def _pair(draw: np.random.Generator, t_s: np.ndarray) -> np.ndarray:
    share = draw.uniform(0.2, 0.8)
    return share * _tone(draw, t_s) + (1 - share) * _tone(draw, t_s)


def _noise_band(draw: np.random.Generator, t_s: np.ndarray) -> np.ndarray:
    low_Hz, high_Hz = sorted((_frequency(draw), _frequency(draw)))
    at_Hz = np.fft.rfftfreq(len(t_s), t_s[1] - t_s[0])
    parts = np.fft.rfft(draw.standard_normal(len(t_s)))
    is_in = (at_Hz >= low_Hz) & (at_Hz <= max(high_Hz, 1.05 * low_Hz))
    noise = np.fft.irfft(parts * is_in, len(t_s))
    return noise / np.abs(noise).max()


def _square(draw: np.random.Generator, t_s: np.ndarray) -> np.ndarray:
    return np.sign(_tone(draw, t_s))


def _square_and_tone(draw: np.random.Generator, t_s: np.ndarray) -> np.ndarray:
    share = draw.uniform(0.2, 0.8)
    return share * _square(draw, t_s) + (1 - share) * _tone(draw, t_s)


def _steps(draw: np.random.Generator, t_s: np.ndarray) -> np.ndarray:
    mean_s = 1 / _frequency(draw)
    ends_s = np.cumsum(draw.exponential(mean_s, int(2 * SECONDS / mean_s) + 50))
    return draw.uniform(-1, 1, len(ends_s))[np.searchsorted(ends_s, t_s)]


def _telegraph(draw: np.random.Generator, t_s: np.ndarray) -> np.ndarray:
    mean_s = 1 / _frequency(draw)
    ends_s = np.cumsum(draw.exponential(mean_s, int(2 * SECONDS / mean_s) + 50))
    return np.where(np.searchsorted(ends_s, t_s) % 2, 1.0, -1.0)


KINDS: dict[str, Callable] = {
    "tone": _tone,
    "pair": _pair,
    "noise band": _noise_band,
    "square": _square,
    "square+tone": _square_and_tone,
    "steps": _steps,
    "telegraph": _telegraph,
}
SMOOTH = ("tone", "pair", "noise band")


def power_W(kind: str, number: int, seed: int) -> np.ndarray:
    """Mean power of each tick, W."""
    draw = np.random.default_rng([seed, number, *kind.encode()])
    points_s = (np.arange(round(SECONDS / TICK_S) * SUBTICKS) + 0.5) * TICK_S / SUBTICKS
    shape = KINDS[kind](draw, points_s)
    return LEVEL_W + AMPLITUDE_W * shape.reshape(-1, SUBTICKS).mean(axis=1)
