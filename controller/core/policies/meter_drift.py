"""Drift of the grid meter while its direction is tested, from symbol to symbol of the code.

PV under a cloud and the battery of another cabinet move the meter for seconds, which a symbol would
take for an answer. The naive way takes the slope within the symbol out, but the code's own step is
in that slope. The mean of a symbol holds no code, because one chip is up and the other down:

    drift in a chip     = (sum of both chips - that sum of the symbol before) / 4
    change of the meter = first chip - second chip + drift

A ramp or an edge within a symbol shows in the next mean too, and its drift is wrong. A load meter
takes most of them out. Without one a symbol is void, unless its drift is small or that of both
symbols before.

Neither the drift nor what is void depends on the draw, as Ville's inequality demands
(meter_sign.py).
"""

from controller.core.base.words import Words

DRIFT_CODES = 2  # in a chip, at most: more is an edge
SMALL_PARTS = 4  # a drift of 1 / 4 of the code leaves a match, wherever in the symbol it is
STEADY_PARTS = 10  # a drift beyond 1 / 10 of the code moves the area of a step: no path delay


class State(Words):
    """Sums of the levels of both chips of a symbol, W: of a right meter, and of a reversed one."""

    right_sum_W: int
    wrong_sum_W: int
    right_before_W: int  # of the symbol before
    wrong_before_W: int
    alike: int  # symbols before, without a gap, up to the one whose drift was another
    drift_W: int  # of a right meter, in a chip


class MeterDrift:
    """Both hypotheses: the meter is right, or reversed."""

    def __init__(self, code_W: int, load_fitted: int) -> None:
        """code_W: amplitude of the code."""
        self.state, self._most_W = State.zero(), DRIFT_CODES * code_W
        self._steady_W, self._small_W = code_W // STEADY_PARTS, code_W // SMALL_PARTS
        self._alike = 1 if load_fitted else 3

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

    def removed_W(self, right_W: int, wrong_W: int) -> tuple[int, int] | None:
        """Both changes from the second chip to the first, W, without their drift. None: void."""
        state, before_W = self.state, self.state.drift_W
        state.drift_W = self._drift_W(state.right_sum_W, state.right_before_W)
        if abs(state.drift_W - before_W) > self._small_W:
            state.alike = min(state.alike, 1)
        if abs(state.drift_W) > self._small_W and state.alike < self._alike:
            return None
        wrong_drift_W = self._drift_W(state.wrong_sum_W, state.wrong_before_W)
        return right_W + state.drift_W, wrong_W + wrong_drift_W

    def _drift_W(self, of_symbol_W: int, before_W: int) -> int:
        drift_W = (of_symbol_W - before_W) // 4 if self.state.alike else 0
        return drift_W if abs(drift_W) <= self._most_W else 0

    def begin_symbol(self) -> None:
        """Count the levels of both chips from 0."""
        self.state.right_sum_W = self.state.wrong_sum_W = 0

    def end_symbol(self, is_void: int) -> None:
        """is_void: with a gap, so that the next symbol is not compared with it."""
        state = self.state
        state.right_before_W, state.wrong_before_W = state.right_sum_W, state.wrong_sum_W
        state.alike = 0 if is_void else min(state.alike + 1, self._alike)
