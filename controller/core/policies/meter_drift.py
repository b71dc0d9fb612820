"""Drift of the grid meter while its direction is tested, from symbol to symbol of the code.

PV under a cloud and the battery of another cabinet move the meter for seconds. The mean of a symbol
holds no code, because one chip is up and the other down. So the drift does not depend on the draw,
as Ville's inequality demands (meter_sign.py).
"""

DRIFT_CODES = 2  # in a chip, at most: more is an edge
STEADY_PARTS = 10  # a drift beyond 1 / 10 of the code moves the area of a step: no path delay

(W_RIGHT_SUM_W, W_WRONG_SUM_W, W_RIGHT_BEFORE_W, W_WRONG_BEFORE_W, W_IS_BEFORE, W_DRIFT_W) = range(
    6
)
WORDS = 6


class MeterDrift:
    """Both hypotheses: the meter is right, or reversed."""

    def __init__(self, words: memoryview, code_W: int) -> None:
        """words: WORDS of them, as 64-bit integers; code_W: amplitude of the code."""
        self._words, self._most_W = words, DRIFT_CODES * code_W
        self._steady_W = code_W // STEADY_PARTS

    @property
    def is_steady(self) -> bool:
        """The path delay may be measured."""
        return abs(self._words[W_DRIFT_W]) <= self._steady_W

    def begin(self) -> None:
        """A test begins with nothing."""
        for word in range(WORDS):
            self._words[word] = 0

    def add(self, right_W: int, wrong_W: int) -> None:
        """The level of a chip."""
        self._words[W_RIGHT_SUM_W] += right_W
        self._words[W_WRONG_SUM_W] += wrong_W

    def removed_W(self, right_W: int, wrong_W: int) -> tuple[int, int]:
        """Both changes from the second chip to the first, W, without their drift."""
        words = self._words
        words[W_DRIFT_W] = self._drift_W(W_RIGHT_SUM_W, W_RIGHT_BEFORE_W)
        wrong_drift_W = self._drift_W(W_WRONG_SUM_W, W_WRONG_BEFORE_W)
        return right_W + words[W_DRIFT_W], wrong_W + wrong_drift_W

    def _drift_W(self, of_symbol: int, before: int) -> int:
        words = self._words
        drift_W = (words[of_symbol] - words[before]) // 4 if words[W_IS_BEFORE] else 0
        return drift_W if abs(drift_W) <= self._most_W else 0

    def begin_symbol(self) -> None:
        """Count the levels of both chips from 0."""
        self._words[W_RIGHT_SUM_W] = self._words[W_WRONG_SUM_W] = 0

    def end_symbol(self, is_void: int) -> None:
        """is_void: with a gap, so that the next symbol is not compared with it."""
        words = self._words
        words[W_RIGHT_BEFORE_W], words[W_WRONG_BEFORE_W] = (
            words[W_RIGHT_SUM_W],
            words[W_WRONG_SUM_W],
        )
        words[W_IS_BEFORE] = not is_void
