"""RMS of a power within bands of frequency, from equally spaced samples; standard library only.

A Hann window is applied to the samples less their weighted mean. By Parseval's theorem the powers
of all frequencies add up to the weighted mean square. The rms of a band is the root of the sum of
its powers. A power on an edge counts half on each side. A sine of amplitude A inside a band gives A
/ sqrt 2.
"""

import cmath
import functools
import math


@functools.cache
def _turns(count: int) -> list[complex]:
    return [cmath.exp(-2j * cmath.pi * place / count) for place in range(count // 2)]


def transform(values: list) -> list:
    """Discrete Fourier transform of 2^n numbers, by halving (Cooley and Tukey)."""
    count = len(values)
    if count == 1:
        return values
    even = transform(values[::2])
    odd = [turn * value for turn, value in zip(_turns(count), transform(values[1::2]))]
    return [a + b for a, b in zip(even, odd)] + [a - b for a, b in zip(even, odd)]


def _of_real(values: list[float]) -> list[complex]:
    """The first half of the transform of 2^n real numbers, from a complex transform of half their
    count.
    """
    half = transform([complex(*pair) for pair in zip(values[::2], values[1::2])])
    turns = [*_turns(len(values)), -1]
    pairs = zip(turns, [*half, half[0]], [half[0], *half[::-1]])
    return [(a + b.conjugate() - 1j * turn * (a - b.conjugate())) / 2 for turn, a, b in pairs]


@functools.lru_cache(maxsize=4)
def _hann(count: int) -> list[float]:
    return [0.5 - 0.5 * math.cos(2 * math.pi * (place + 0.5) / count) for place in range(count)]


def powers(values: list) -> list[float]:
    """Mean square at each frequency k / (count x step), k = 0 .. count / 2. count: the next power
    of two; zeros fill up the samples.
    """
    window = _hann(len(values))
    mean = math.fsum(weight * value for weight, value in zip(window, values)) / math.fsum(window)
    weighted = [weight * (value - mean) for weight, value in zip(window, values)]
    count = max(2, 1 << (len(values) - 1).bit_length())
    amplitudes = _of_real(weighted + [0.0] * (count - len(values)))
    scale = 2 / (count * math.fsum(weight * weight for weight in window))
    return [scale * abs(amplitude) ** 2 for amplitude in amplitudes]


def rms(powers: list[float], step_s: float, low_Hz: float, high_Hz: float) -> float:
    """RMS between two frequencies. powers: result of `powers`. Place k covers k - 1/2 to k + 1/2,
    and counts by the part of it that lies inside the band.
    """
    places_per_Hz = 2 * (len(powers) - 1) * step_s
    low, high = low_Hz * places_per_Hz + 0.5, high_Hz * places_per_Hz + 0.5
    shares = [
        powers[place] * (min(high, place + 1) - max(low, place))
        for place in range(math.floor(low), math.ceil(high))
    ]
    return math.sqrt(math.fsum(shares))
