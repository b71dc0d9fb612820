"""The transfer switch of a site.

The switch opens when the grid is lost, and calls the generator set. The switch closes again,
synchronised, when the grid has been present for a while.
"""

from hil.site.part import SitePart

DEFAULTS = {"open_s": 0.1, "call_s": 1.0, "return_s": 30.0}
_EPSILON_S = 1e-9  # sums of steps of 10 ms are not exact in binary


class TransferSwitch(SitePart):
    """The site sets `is_grid_present`. The switch decides `is_on_grid` and `calls`."""

    kind, DEFAULTS = "transfer_switch", DEFAULTS
    is_grid_present = is_on_grid = True
    calls = False
    is_stuck = False  # fault: the switch neither opens nor closes
    _away_s = _back_s = 0.0

    def _move(self, dt_s: float) -> None:
        parameters = self.parameters
        self._away_s = 0.0 if self.is_grid_present else self._away_s + dt_s
        self._back_s = self._back_s + dt_s if self.is_grid_present else 0.0
        if self.is_stuck:
            return
        if self._away_s and self._away_s + _EPSILON_S >= parameters["open_s"]:
            self.is_on_grid = False
        elif not self.is_on_grid and self._back_s >= parameters["return_s"]:
            self.is_on_grid = True
        self.calls = not self.is_on_grid and (self.calls or self._away_s >= parameters["call_s"])

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"is_on_grid": self.is_on_grid, "is_grid_present_ok": self.is_grid_present}
