"""A sag: the voltage of the grid leaves its range, and load tracking keeps its power.

Load tracking would answer a load that leaves in a sag, and then hold the grid at the power of the
sag. So the site would come back with less power than before, which grid operators forbid:

    voltage   ----.____.-------      the fast grid meter reads it
    tracking  follows | keeps its power, and the reference | follows

A sag ends a little later than the voltage says, because the meter of the load is behind. A lasting
one is no sag. Nothing counts sags.
"""

from array import array

from controller.core.base.words import Words

# Of nominal. The normal range of ERCOT and CAISO is 0.90 to 1.10 pu; noise must not end a sag.
LOW_PERMILLE, HIGH_PERMILLE, HYSTERESIS_PERMILLE = 900, 1100, 10
SAG_MS_MAX = 10_000  # longer than any that a code names
AFTER_MS = 200


class State(Words):
    """`age_ms`: since it began, 0: none. left_ms: of the time after it."""

    age_ms: int
    left_ms: int


class Sag:
    """`step` once a tick."""

    def __init__(self, tick_ms: int) -> None:
        self._tick_ms, self.state = tick_ms, State("i", [0, 0])

    def arrays(self) -> list[array]:
        """What carries over to the next tick."""
        return [self.state]

    def step(self, voltage_permille: int, elapsed_ticks: int) -> bool:
        """Whether load tracking keeps its power. voltage_permille: 0 if no meter reads it."""
        state, elapsed_ms = self.state, elapsed_ticks * self._tick_ms
        age_ms, left_ms = state
        inward = HYSTERESIS_PERMILLE * (age_ms > 0)
        is_normal = LOW_PERMILLE + inward <= voltage_permille <= HIGH_PERMILLE - inward
        if voltage_permille == 0 or is_normal:
            if age_ms or left_ms:
                state.age_ms, state.left_ms = 0, max(0, left_ms - elapsed_ms)
            return left_ms > elapsed_ms
        state.age_ms = min(SAG_MS_MAX, state.age_ms + elapsed_ms)
        state.left_ms = AFTER_MS if state.age_ms < SAG_MS_MAX else 0
        return state.left_ms > 0
