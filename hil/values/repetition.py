"""The autocorrelation of load tracking with numpy: equal results in a third of the time."""

import numpy as np

from controller.core.control import Control
from controller.core.tracking.guess import Guess
from controller.core.tracking.repetition import LAG_MAX, MEMORY_BITS, Repetition
from controller.core.tracking.samples import Samples


class QuickRepetition(Repetition):
    """Computes a Repetition, the autocorrelation of the load, with numpy. It starts empty."""

    def __init__(self, samples: Samples, sample_ms: int) -> None:
        super().__init__(samples, sample_ms)
        self._sums = np.frombuffer(self.correlation, np.int64)
        self._changes, self._moves = np.empty_like(self._sums), np.empty_like(self._sums)

    def _correlate(self) -> None:
        samples = np.frombuffer(self._samples.every(self._step, LAG_MAX + 3), np.int32)
        moves = self._moves
        changes = np.subtract(samples[:-1], samples[1:], out=self._changes)
        np.multiply(changes, changes[0], out=moves)
        moves -= self._sums
        moves >>= MEMORY_BITS
        self._sums += moves


def quicken(control: Control) -> None:
    """Let load tracking use QuickRepetition. Call this before the first step."""
    guess: Guess = control.functions["track"].guess
    guess.repetition = QuickRepetition(guess.samples, guess._sample_ms)
