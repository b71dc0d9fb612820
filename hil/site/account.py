"""Energies of a site and its highest import, added up step by step."""

import math

from hil.site.parts import FEEDING

QUARTER_S = 900.0
FLOWS = (
    "load",
    "other",
    "auxiliaries",
    "imported",
    "exported",
    *FEEDING,
    "discharged",
    "charged",
    "unserved",
    "shed",
    "lowered",
    "burnt",
    "withheld",
)


class Account:
    """energy_J: for each of FLOWS. shed: load that contacts switched off; lowered: load that a
    scheduler gave up by agreement; burnt, withheld: by the power smoothing of racks.

    import_W_max: highest mean of a step; quarter_W_max: highest mean of a finished quarter hour.
    """

    def __init__(self) -> None:
        self.energy_J = dict.fromkeys(FLOWS, 0.0)
        self.import_W_max = self.quarter_W_max = 0.0
        self._quarter_s = self._quarter_J = 0.0

    def add_grid(self, power_W: float, dt_s: float) -> None:
        """Add the power of the connection in this step."""
        self.energy_J["imported" if power_W > 0 else "exported"] += abs(power_W) * dt_s
        self.import_W_max = max(self.import_W_max, power_W)
        self._quarter_s += dt_s
        self._quarter_J += power_W * dt_s
        if self._quarter_s >= QUARTER_S - 1e-6:
            self.quarter_W_max = max(self.quarter_W_max, self._quarter_J / self._quarter_s)
            self._quarter_s = self._quarter_J = 0.0

    def highest_quarter_W(self) -> float:
        """The highest mean of a quarter hour, W. The unfinished last quarter counts too."""
        begun_W = self._quarter_J / self._quarter_s if self._quarter_s else 0.0
        return max(self.quarter_W_max, begun_W)

    def error_J(self) -> float:
        """Energy that came in minus energy that went out; 0 except for rounding."""
        energy_J = self.energy_J
        inflows = ("imported", *FEEDING, "discharged")
        outflows = ("load", "other", "auxiliaries", "exported", "charged")
        return math.fsum(energy_J[flow] for flow in inflows) - math.fsum(
            energy_J[flow] for flow in outflows
        )
