"""Detects a voltage sag of the grid, during which load tracking keeps its power.

If a load disconnects in a sag, load tracking would follow it, and then hold the grid at the power
of the sag. After the sag the site would draw less power than before, which grid operators forbid.
So load tracking waits:

    voltage   ----.____.-------      the fast grid meter reads it
    tracking  follows | keeps its power, and the reference | follows

A sag ends AFTER_MS after the voltage has come back, because the load meter reports later. A
deviation of SAG_MS_MAX or longer does not count as a sag.
"""

from controller.core.base.words import Words

# Permille of nominal: the normal range of ERCOT and CAISO. The hysteresis keeps noise from ending a
# sag.
LOW_PERMILLE, HIGH_PERMILLE, HYSTERESIS_PERMILLE = 900, 1100, 10
SAG_MS_MAX = 10_000  # longer than any sag in a grid code
AFTER_MS = 200


class State(Words):
    """age_ms: time since the sag began, 0 without a sag; left_ms: time until tracking follows
    again.
    """

    age_ms: int
    left_ms: int


class Sag:
    """Detects a sag. Call `step` once a tick."""

    def __init__(self, tick_ms: int) -> None:
        self._tick_ms, self.state = tick_ms, State("i", [0, 0])

    def step(self, voltage_permille: int, elapsed_ticks: int) -> bool:
        """True while load tracking keeps its power. voltage_permille: 0 if no meter reads it."""
        state, elapsed_ms = self.state, elapsed_ticks * self._tick_ms
        age_ms, left_ms = state
        inward = HYSTERESIS_PERMILLE if age_ms else 0
        is_normal = LOW_PERMILLE + inward <= voltage_permille <= HIGH_PERMILLE - inward
        if voltage_permille == 0 or is_normal:
            if age_ms or left_ms:
                state.age_ms, state.left_ms = 0, max(0, left_ms - elapsed_ms)
            return left_ms > elapsed_ms
        state.age_ms = min(SAG_MS_MAX, state.age_ms + elapsed_ms)
        state.left_ms = AFTER_MS if state.age_ms < SAG_MS_MAX else 0
        return state.left_ms > 0
