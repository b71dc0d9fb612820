"""Measures of a power that need its spectrum: the strongest spectral line, the content of a band,
and the share of a band in the energy of all changes. Each is computed in windows of time.
"""

import math
from typing import NamedTuple

import numpy as np

from controller.audit.samples import Block

# Zeros make each window 8 times as long. Then a line between two frequencies of the transform
# loses at most 0.3 % of its amplitude.
PADDING = 8


class Worst(NamedTuple):
    """The worst value of a measure and its place."""

    value: float  # W, W/s, or a share
    begin_s: float  # start of the change or of the window
    at_s: float  # time when the value was reached


class Measure:
    """Takes the blocks of one power and keeps its worst value. is_whole: the record is long enough
    to show that a rule is met.
    """

    _worst: Worst | None = None
    is_whole = True

    @property
    def worst(self) -> Worst | None:
        """The worst value, or None if the record has no whole window."""
        return self._worst

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """Take the power of a block."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish: the record has ended."""

    def keep_worst(self, value: float, begin_s: float, at_s: float) -> None:
        """Keep the value if it is the largest."""
        if self._worst is None or value > self._worst.value:
            self._worst = Worst(float(value), float(begin_s), float(at_s))


class Spectra(Measure):
    """Transforms Hann windows that overlap by half. The last window ends at the end of a segment.
    The mean of a window is subtracted first. `value` judges the transform of one window.
    """

    def __init__(self, window_s: float, low_Hz: float, high_Hz: float, step_s: float) -> None:
        self._count = max(2, round(window_s / step_s))
        self._hann = np.hanning(self._count + 1)[:-1]
        self._begin()
        size = 1 << (self._count * self.PADDED - 1).bit_length()
        turns_Hz = np.fft.rfftfreq(size, step_s)
        self._size, self._in_band = size, (turns_Hz >= low_Hz) & (turns_Hz <= high_Hz)

    PADDED = 1

    def _begin(self) -> None:
        self._kept, self._times_s, self._next = np.empty(0), np.empty(0), 0

    def feed(self, block: Block, power_W: np.ndarray) -> None:
        """See Measure."""
        if block.is_begin:
            self.close()
        self._kept = np.concatenate((self._kept, power_W))
        self._times_s = np.concatenate((self._times_s, block.times_s))
        while self._next + self._count <= len(self._kept):
            self._transform(self._next)
            self._next += self._count // 2
        forget = max(0, len(self._kept) - self._count)
        self._kept, self._times_s = self._kept[forget:], self._times_s[forget:]
        self._next -= forget

    def close(self) -> None:
        """Judge the last window, which ends at the end of the segment."""
        last = len(self._kept) - self._count
        if last >= 0 and last != self._next - self._count // 2:
            self._transform(last)
        self._begin()

    def _transform(self, first: int) -> None:
        part = self._kept[first : first + self._count]
        mean = float(self._hann @ part) / self._hann.sum()
        magnitudes = np.abs(np.fft.rfft(self._hann * (part - mean), self._size))
        begin_s, end_s = self._times_s[[first, first + self._count - 1]].tolist()
        self.keep_worst(self.value(magnitudes), begin_s, (begin_s + end_s) / 2)

    def value(self, magnitudes: np.ndarray) -> float:
        """The value of one window. magnitudes: absolute values of its transform."""
        raise NotImplementedError


class Line(Spectra):
    """Amplitude of the strongest line. The place of the worst value is the middle of its window."""

    PADDED = PADDING

    def value(self, magnitudes: np.ndarray) -> float:
        """See Spectra."""
        # If the samples are too far apart, no line is in the band. The rule is then refused.
        return 2 * float(magnitudes[self._in_band].max(initial=0)) / float(self._hann.sum())


class Content(Spectra):
    """Amplitude of a single line that has the energy of all lines of the band."""

    def value(self, magnitudes: np.ndarray) -> float:
        """See Spectra."""
        energy = float((magnitudes[self._in_band] ** 2).sum()) / (
            self._size * float(self._hann @ self._hann)
        )
        return 2 * math.sqrt(energy)


class Energy(Spectra):
    """Share of the band in the energy of all changes. The place of the worst value is the window
    with the most energy in the band.
    """

    _band_energy = _all_energy = 0.0

    def value(self, magnitudes: np.ndarray) -> float:
        """See Spectra."""
        powers = magnitudes**2
        in_band = float(powers[self._in_band].sum())
        self._band_energy += in_band
        self._all_energy += float(powers[1:].sum())
        return in_band

    @property
    def share(self) -> float:
        """The share of the band in the whole record."""
        return self._band_energy / self._all_energy if self._all_energy else 0.0
