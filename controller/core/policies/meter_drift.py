"""Removes the drift of the grid meter from the test of its direction (meter_sign.py).

In this test the battery steps by a code. A symbol of the code has two chips: in one the battery
gives more power, in the other less. PV under a cloud and the battery of another cabinet move the
meter for seconds. The test would take this movement for an answer to the code. The naive way
removes the slope within the symbol, but this slope contains the code's own step. The sum of both
chips contains no code, because one chip is up and the other down:

    drift in a chip     = (sum of both chips - sum of the previous symbol's chips) / 4
    change of the meter = first chip - second chip + drift

A ramp or an edge within a symbol also changes the next sum, and makes its drift wrong. A load meter
removes most ramps and edges. Without a load meter a symbol is void, unless its drift is small or
similar to the drift of the two previous symbols.

Ville's inequality (meter_statistics.py) demands that neither the drift nor the void symbols depend
on the random code.
"""

from controller.core.base.words import Words

DRIFT_CODES = 2  # largest drift in a chip, in amplitudes of the code; a larger one is an edge
SMALL_PARTS = 4  # a drift up to 1/4 of the code does not turn a match into a miss
STEADY_PARTS = 10  # above 1/10 of the code a drift makes the measured path delay wrong


class State(Words):
    """Sums of the levels of both chips of a symbol, W, for a right and for a reversed meter."""

    right_sum_W: int
    wrong_sum_W: int
    right_before_W: int  # right_sum_W of the previous symbol
    wrong_before_W: int
    alike: int  # number of preceding symbols without a gap and with a similar drift
    drift_W: int  # drift of a right meter in a chip


class MeterDrift:
    """Finds and removes the drift for both hypotheses: the meter is right, or reversed."""

    def __init__(self, code_W: int, load_fitted: int) -> None:
        """code_W: amplitude of the code."""
        self.state, self._most_W = State.zero(), DRIFT_CODES * code_W
        self._steady_W, self._small_W = code_W // STEADY_PARTS, code_W // SMALL_PARTS
        self._alike = 1 if load_fitted else 3

    @property
    def is_steady(self) -> bool:
        """True if the drift is so small that the path delay may be measured."""
        return abs(self.state.drift_W) <= self._steady_W

    def begin(self) -> None:
        """Forget everything at the start of a test."""
        self.state[:] = State.zero()

    def add(self, right_W: int, wrong_W: int) -> None:
        """Add the level of a chip."""
        self.state.right_sum_W += right_W
        self.state.wrong_sum_W += wrong_W

    def removed_W(self, right_W: int, wrong_W: int) -> tuple[int, int] | None:
        """Change from the second chip to the first without drift, W, for a right and for a reversed
        meter. None if the symbol is void.
        """
        state, before_W = self.state, self.state.drift_W
        state.drift_W = self._drift_W(state.right_sum_W, state.right_before_W)
        if abs(state.drift_W - before_W) > self._small_W:
            state.alike = min(state.alike, 1)
        if abs(state.drift_W) > self._small_W and state.alike < self._alike:
            return None
        wrong_drift_W = self._drift_W(state.wrong_sum_W, state.wrong_before_W)
        return right_W + state.drift_W, wrong_W + wrong_drift_W

    def _drift_W(self, symbol_W: int, before_W: int) -> int:
        drift_W = (symbol_W - before_W) // 4 if self.state.alike else 0
        return drift_W if abs(drift_W) <= self._most_W else 0

    def begin_symbol(self) -> None:
        """Count the levels of both chips from 0."""
        self.state.right_sum_W = self.state.wrong_sum_W = 0

    def end_symbol(self, is_void: int) -> None:
        """End a symbol. is_void: a tick is missing, so the next symbol is not compared with it."""
        state = self.state
        state.right_before_W, state.wrong_before_W = state.right_sum_W, state.wrong_sum_W
        state.alike = 0 if is_void else min(state.alike + 1, self._alike)
