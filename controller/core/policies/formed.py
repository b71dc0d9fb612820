"""The set-point of converters that form the voltage of an island: their own measured power.

Such a converter ignores its set-point. The naive way sends 0. When the transfer switch closes, the
converter follows this set-point again, and the grid must take over the battery's whole power at
once.

    island   set-point = power of the converters that have shown that they form (../units.py)
    return   the set-point falls no faster than the rated power in FALL_S or setpoint_ramp_W_per_s,
             until tracking, schedule or reserve ask for at least this power. Without this
             obligation each of them may ask for 0 at once
    charge   charging first grows for SHOW_MS. Otherwise the grid meter stays at 0 W and shows no
             grid, and site_balance.py keeps the generator set running
"""

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W, Answer, BaseRequest, Obligation
from controller.core.base.words import Words
from controller.core.policies.contract import BASE, Found, Function, Known, Setup

FALL_S, SHOW_MS = 30, 2000
# Ranks. ONLY: no other power is possible in an island. AT_LEAST: lower than all other obligations.
ONLY, AT_LEAST = (60, "formed"), (5, "formed")


class State(Words):
    """The rest of an island's set-point, which falls to 0 after the return to the grid."""

    sign: int  # sign of that set-point; 0: nothing is left
    left_W: int
    show_ms: int  # time for which a charge still grows


class Formed(Function):
    """Follows the power of forming converters. Its obligation is added after the available power
    was computed, so it does not narrow that power for other functions.
    """

    state: State
    NAME, STAGE = "formed", BASE
    READS = ("is_forming", "is_off_grid", "setpoint_W", "shown_W")
    WRITES = ("formed_W",)
    TEXTS = reasons.texts("""
        FORMED | converter forms | In an island the set-point follows the converters' power. Back on
          the grid it leaves it without a step. | Nothing.
    """)

    def __init__(self, setup: Setup):
        self.state = State.zero()
        self._tick_ms = setup.tick_ms
        fall_W_per_s = min(setup.rated_W // FALL_S, setup.settings["setpoint_ramp_W_per_s"])
        self._fall_W = max(1, fall_W_per_s * setup.tick_ms // 1000)

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[Answer, ...]:
        """Request and obligation in an island. Back on the grid: an obligation, until the rest of
        the set-point is 0.
        """
        state, code = self.state, reasons.FORMED
        findings.formed_W = known.shown_W if findings.is_forming else None
        if findings.formed_W is not None:
            state.left_W = power_W = findings.formed_W
            state.sign = (power_W > 0) - (power_W < 0)
            state.show_ms = SHOW_MS if power_W < 0 else 0
            return BaseRequest(power_W, code), Obligation(ONLY, power_W, code, power_W, code)
        is_over = state.sign * state.left_W < min(1, state.sign * findings.setpoint_W)
        fall_W = self._fall_W * elapsed_ticks
        state.left_W -= fall_W if state.show_ms > 0 else state.sign * fall_W
        state.show_ms = max(0, state.show_ms - elapsed_ticks * self._tick_ms)
        if findings.is_off_grid or is_over or not state.sign:
            state.sign = state.left_W = 0
            return ()
        low_W, high_W = (state.left_W, WIDE_W) if state.sign > 0 else (-WIDE_W, state.left_W)
        return (Obligation(AT_LEAST, low_W, code, high_W, code),)
