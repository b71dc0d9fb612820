"""The UPS of the load, with double conversion. The UPS carries the load while the site is dark.

Only the grid charges the battery again, because an island needs its power for the load. Load above
the rating of the UPS passes by it.
"""

from collections.abc import Mapping

from hil.site.part import SitePart

WALK_IN_S = 30.0  # within this time the charge rises to its full power
TAPER_S = 30.0  # time constant of the end of the charge, as at constant voltage
BRIDGING_S_MAX = 86_400.0  # highest value on its display
DEFAULTS = {"energy_Wh": 50_000.0, "efficiency_permille": 960.0, "recharge_permille": 100.0}


class LoadUps(SitePart):
    """parameters: rated_W, and any of DEFAULTS. `unserved_W`: load that gets no power."""

    kind, DEFAULTS = "load_ups", DEFAULTS
    draws_W = unserved_W = carried_W = 0.0
    may_recharge = True
    _charges_s = 0.0

    def __init__(self, parameters: Mapping[str, float]) -> None:
        super().__init__(parameters)
        self.left_Wh = self.parameters["energy_Wh"]

    def needed_W(self, load_W: float) -> float:
        """Power that the UPS draws for this load, losses included, W."""
        carried_W = min(load_W, self.parameters["rated_W"])
        return carried_W / self.parameters["efficiency_permille"] * 1000 + load_W - carried_W

    def beside_W(self, load_W: float) -> float:
        """The part of the load that the UPS does not carry, W."""
        return max(0.0, load_W - self.parameters["rated_W"])

    def _move(self, dt_s: float) -> None:
        # the power of the load alone, without losses and charge
        parameters, load_W = self.parameters, self.load_W
        self.carried_W = min(load_W, parameters["rated_W"])
        missing_Wh, hours = parameters["energy_Wh"] - self.left_Wh, dt_s / 3600
        if self.is_live:
            self._charges_s = (self._charges_s + dt_s) * self.may_recharge
            walk_in_share = min(1.0, self._charges_s / WALK_IN_S)
            charge_W = (
                walk_in_share * parameters["recharge_permille"] * parameters["rated_W"] / 1000
            )
            charge_W = min(charge_W, missing_Wh * 3600 / max(TAPER_S, dt_s))
            self.draws_W = self.needed_W(load_W) + charge_W
            self.left_Wh += charge_W * hours
            self.unserved_W = 0.0
        else:
            self._charges_s = 0.0
            taken_W = min(self.needed_W(load_W) - self.beside_W(load_W), self.left_Wh / hours)
            self.left_Wh = max(0.0, self.left_Wh - taken_W * hours)
            self.draws_W = 0.0
            self.carried_W = taken_W * parameters["efficiency_permille"] / 1000
            self.unserved_W = max(0.0, load_W - self.carried_W)

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        parameters = self.parameters
        can_give_Wh = self.left_Wh * parameters["efficiency_permille"] / 1000
        return {
            "state_code": not self.is_live,
            "charge_permille": self.left_Wh / parameters["energy_Wh"] * 1000,
            "bridging_s": min(BRIDGING_S_MAX, can_give_Wh * 3600 / max(1.0, self.carried_W)),
            "load_W": self.carried_W,
        }
