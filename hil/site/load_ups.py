"""The UPS of the load: double conversion. Its battery carries the load while the site is dark, and
is charged from the grid alone: an island needs its power for the load.
"""

from collections.abc import Mapping

from hil.site.part import SitePart

DEFAULTS = {"energy_Wh": 50_000.0, "efficiency_permille": 960.0, "recharge_permille": 100.0}


class LoadUps(SitePart):
    """parameters: rated_W, and any of DEFAULTS. `unserved_W`: load that stays without power."""

    kind, DEFAULTS = "load_ups", DEFAULTS
    draws_W = unserved_W = 0.0
    may_recharge = True

    def __init__(self, parameters: Mapping[str, float]) -> None:
        super().__init__(parameters)
        self.left_Wh = self.parameters["energy_Wh"]

    def needed_W(self, load_W: float) -> float:
        """Power for this load, losses included."""
        given = self.parameters
        return min(load_W, given["rated_W"]) / given["efficiency_permille"] * 1000

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        """load_W: of the load alone."""
        given = self.parameters
        carried_W, used_W = min(load_W, given["rated_W"]), self.needed_W(load_W)
        missing_Wh, hours = given["energy_Wh"] - self.left_Wh, dt_s / 3600
        if self.is_live:
            charge_W = given["recharge_permille"] * given["rated_W"] / 1000 * self.may_recharge
            charge_W = min(charge_W, missing_Wh / hours)
            self.draws_W = used_W + charge_W
            self.left_Wh += charge_W * hours
            self.unserved_W = load_W - carried_W
        else:
            taken_W = min(used_W, self.left_Wh / hours)
            self.left_Wh = max(0.0, self.left_Wh - taken_W * hours)
            self.draws_W = 0.0
            self.unserved_W = max(0.0, load_W - taken_W * given["efficiency_permille"] / 1000)

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        charge_permille = self.left_Wh / self.parameters["energy_Wh"] * 1000
        return {"charge_permille": charge_permille, "is_on_battery": not self.is_live}
