"""Peak shaving: the grid's mean import over the metering interval stays below a limit. The battery
discharges the missing power, or charges less.

The controller does not know when an interval of the meter begins, so the limit holds for a sliding
window. Import is counted in slots, each a part of the interval. The energy that is left of the
window may be used up in the time of one slot. At the start every slot counts as at the limit, so
that a restart never allows more. While the grid meter is silent, its import counts as the limit.
"""

from array import array

from controller.core import contract
from controller.core.answers import WIDE_W, grid_obligation
from controller.core.contract import Function, Setup, View

SLOTS = 30
OFF_W = 100_000_000
PEAK_SHAVING = 306  # reason code
RANK = (10, "peak_shaving")

# Ticks of the present slot, its place, import of all slots, W ticks.
S_TICKS, S_SLOT, S_TOTAL = range(3)
S_IMPORT = 3  # import of the present slot and of SLOTS before it, W ticks


class PeakShaving(Function):
    """Obliges the battery; off while the limit is OFF_W."""

    NAME, STAGE = "peak_shaving", contract.BOUND
    PARAMETERS = (
        # Mean import that is not exceeded in any interval; at the end of its range it is off.
        ("peak_import_W_max", "W", 0, OFF_W, OFF_W, "down"),
        ("peak_interval_s", "s", 60, 3600, 900, "fixed"),
    )
    TEXTS = {
        PEAK_SHAVING: (
            "peak shaving",
            "The mean import of the metering interval may not exceed its limit.",
            "Nothing if it is met. If power is short, reduce the load.",
        )
    }

    def __init__(self, setup: Setup):
        settings = setup.settings
        self._limit_W = settings["peak_import_W_max"]
        self._quantum_W = settings["setpoint_quantum_W"]
        self._slot_ticks = settings["peak_interval_s"] * 1000 // (SLOTS * setup.tick_ms)
        full = self._limit_W * self._slot_ticks if self._limit_W < OFF_W else 0
        self.state = array("q", [0, 0, SLOTS * full, 0] + [full] * SLOTS)

    def step(self, view: View, elapsed_ticks: int) -> tuple:
        """The obligation that keeps the import within what the window still allows."""
        if self._limit_W == OFF_W:
            return ()
        import_W = self._limit_W if view.grid_W is None else max(0, view.grid_W)
        self._count(import_W, elapsed_ticks)
        if view.connection_W is None:
            return ()
        imported, exported = (self._allowed_W(), PEAK_SHAVING), (WIDE_W, PEAK_SHAVING)
        return (grid_obligation(RANK, view.connection_W, imported, exported, self._quantum_W),)

    def _count(self, import_W: int, elapsed_ticks: int) -> None:
        state, slot_ticks = self.state, self._slot_ticks
        left = min(elapsed_ticks, (SLOTS + 1) * slot_ticks)
        while left:
            ticks = min(left, slot_ticks - state[S_TICKS])
            left -= ticks
            state[S_TICKS] += ticks
            state[S_TOTAL] += import_W * ticks
            state[S_IMPORT + state[S_SLOT]] += import_W * ticks
            if state[S_TICKS] == slot_ticks:
                state[S_TICKS], state[S_SLOT] = 0, self._oldest()
                state[S_TOTAL] -= state[S_IMPORT + state[S_SLOT]]
                state[S_IMPORT + state[S_SLOT]] = 0

    def _oldest(self) -> int:
        return (self.state[S_SLOT] + 1) % (SLOTS + 1)

    def _allowed_W(self) -> int:
        """The leaving slot's import plus the rest of the window's energy, over a slot's time, W."""
        state, slot_ticks = self.state, self._slot_ticks
        leaving = state[S_IMPORT + self._oldest()]
        window = state[S_TOTAL] - leaving * state[S_TICKS] // slot_ticks
        return max(0, leaving + self._limit_W * SLOTS * slot_ticks - window) // slot_ticks
