"""Butterworth band filters for the audit. They assume that straight lines join the samples. Under
this assumption the output is exact.

Partial fractions split the transfer function of a band into poles. The output is the sum of the
responses of all poles to the changes between samples.
"""

import math

import numpy as np

TINY = 1e-16
# If the upper edge of a band is above this share of half the sample rate, the filter has no upper
# edge.
NYQUIST_SHARE = 0.9
BUTTERWORTH = {1: (-1.0,), 2: (complex(-1, 1) / math.sqrt(2), complex(-1, -1) / math.sqrt(2))}


def decayed(values: np.ndarray, share: complex) -> np.ndarray:
    """The array with sums[k] = values[k] + share * sums[k - 1]. It is computed from sums of 1, 2,
    4, 8 ... values, because a Python loop over the samples would be slow.
    """
    sums, reach = values.copy(), 1
    while reach < len(sums) and abs(share) > TINY:
        sums[reach:] += share * sums[:-reach]
        share, reach = share * share, 2 * reach
    return sums


class Pole:
    """The response of one pole to changes. The response is 0 at the start of a segment."""

    def __init__(self, pole_per_s: complex, weight: complex, step_s: float) -> None:
        turns = pole_per_s * step_s
        self._share = np.exp(turns)
        self._gain = weight * (self._share - 1) / turns
        self._out = 0.0 * weight

    def feed(self, is_begin: bool, changes: np.ndarray) -> np.ndarray:
        """The response after each change."""
        added = self._gain * changes
        if not is_begin:
            added[0] += self._share * self._out
        response = decayed(added, self._share)
        self._out = response[-1]
        return response.real


class Band:
    """A band filter with n = `poles` poles at each edge. Without a band, the values pass unchanged.

    The transfer function is H(s) = s^n W / product(s - p) over all poles p. W is the product of the
    absolute values of the upper poles. The weight of a pole is the residue of H(s) / s there.
    """

    def __init__(self, band_Hz: list[float] | None, step_s: float, poles: int = 1) -> None:
        self._parts: list[Pole] = []
        self._last = 0.0
        low_Hz, high_Hz = band_Hz or (0.0, 0.0)
        is_seen = high_Hz < NYQUIST_SHARE / (2 * step_s)
        lows, highs = (
            [2 * math.pi * edge_Hz * root for root in BUTTERWORTH[poles]]
            for edge_Hz in (low_Hz, high_Hz)
        )
        all_poles = [*lows, *highs] if is_seen else lows
        height = math.prod([abs(high) for high in highs]) if is_seen else 1.0
        for index, pole in enumerate(all_poles if band_Hz else ()):
            if pole.imag >= 0:  # the response of its conjugate has the same real part: weight 2
                product = math.prod(
                    [pole - other_pole for other_pole in all_poles[:index] + all_poles[index + 1 :]]
                )
                pair = 2 if pole.imag else 1
                weight = pair * height * pole ** (poles - 1) / product
                self._parts.append(Pole(pole, weight, step_s))

    def feed(self, is_begin: bool, values: np.ndarray) -> np.ndarray:
        """The filtered values."""
        if not self._parts:
            return values
        changes = np.diff(values, prepend=values[0] if is_begin else self._last)
        self._last = float(values[-1])
        return np.sum([part.feed(is_begin, changes) for part in self._parts], axis=0)
