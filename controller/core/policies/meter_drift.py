"""Drift of the grid meter while its direction is tested, from symbol to symbol of the code.

PV under a cloud and the battery of another cabinet move the meter for seconds, which a symbol would
take for an answer. The naive way takes the slope within the symbol out, but the code's own step is
in that slope. The mean of a symbol holds no code, because one chip is up and the other down:

    drift in a chip     = (sum of both chips - that sum of the symbol before) / 4
    change of the meter = first chip - second chip + drift

So the drift does not depend on the draw, as Ville's inequality demands (meter_sign.py).
"""

from controller.core.base.words import Words

DRIFT_CODES = 2  # in a chip, at most: more is an edge
STEADY_PARTS = 10  # a drift beyond 1 / 10 of the code moves the area of a step: no path delay


class State(Words):
    """Sums of the levels of both chips of a symbol, W: of a right meter, and of a reversed one."""

    right_sum_W: int
    wrong_sum_W: int
    right_before_W: int  # of the symbol before
    wrong_before_W: int
    is_before: int  # the symbol before has no gap
    drift_W: int  # of a right meter, in a chip


class MeterDrift:
    """Both hypotheses: the meter is right, or reversed."""

    def __init__(self, code_W: int) -> None:
        """code_W: amplitude of the code."""
        self.state, self._most_W = State.zero(), DRIFT_CODES * code_W
        self._steady_W = code_W // STEADY_PARTS

    @property
    def is_steady(self) -> bool:
        """The path delay may be measured."""
        return abs(self.state.drift_W) <= self._steady_W

    def begin(self) -> None:
        """A test begins with nothing."""
        self.state[:] = State.zero()

    def add(self, right_W: int, wrong_W: int) -> None:
        """The level of a chip."""
        self.state.right_sum_W += right_W
        self.state.wrong_sum_W += wrong_W

    def removed_W(self, right_W: int, wrong_W: int) -> tuple[int, int]:
        """Both changes from the second chip to the first, W, without their drift."""
        state = self.state
        state.drift_W = self._drift_W(state.right_sum_W, state.right_before_W)
        wrong_drift_W = self._drift_W(state.wrong_sum_W, state.wrong_before_W)
        return right_W + state.drift_W, wrong_W + wrong_drift_W

    def _drift_W(self, of_symbol_W: int, before_W: int) -> int:
        drift_W = (of_symbol_W - before_W) // 4 if self.state.is_before else 0
        return drift_W if abs(drift_W) <= self._most_W else 0

    def begin_symbol(self) -> None:
        """Count the levels of both chips from 0."""
        self.state.right_sum_W = self.state.wrong_sum_W = 0

    def end_symbol(self, is_void: int) -> None:
        """is_void: with a gap, so that the next symbol is not compared with it."""
        state = self.state
        state.right_before_W, state.wrong_before_W = state.right_sum_W, state.wrong_sum_W
        state.is_before = not is_void
