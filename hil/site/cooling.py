"""The cooling of the load. Fans and pumps take a fixed share of the heat.

While the outside air is colder than the water by APPROACH_K, the air cools the water without a
compressor. Otherwise a compressor lifts the heat to outside temperature + APPROACH_K, with CARNOT
times the efficiency of Carnot, which is usual for chillers.
"""

from hil.site.part import SitePart, towards

FANS_SHARE = 0.04
APPROACH_K, CARNOT, COP_MAX = 8.0, 0.45, 12.0
KELVIN = 273.15
TIME_CONSTANT_S = 120.0  # water in the pipes


class Cooling:
    """`power_W`: electric power of the cooling, which follows the heat of the load with a lag."""

    def __init__(self, water_degC: float = 12.0) -> None:
        self.water_degC = water_degC
        self.power_W = 0.0
        self._has_begun = False

    def step(self, dt_s: float, heat_W: float, outside_degC: float, is_live: bool = True) -> None:
        """Advance by dt_s. A run begins in a steady state. Without voltage the cooling stops, and
        later restarts from 0 W.
        """
        wanted_W = heat_W * share_of_heat(self.water_degC, outside_degC)
        before_W = self.power_W if self._has_begun else wanted_W
        self._has_begun = True
        self.power_W = is_live * towards(before_W, wanted_W, dt_s, TIME_CONSTANT_S)


def share_of_heat(water_degC: float, outside_degC: float) -> float:
    """Electric power of the cooling for each watt of heat that it removes."""
    if outside_degC + APPROACH_K <= water_degC:
        return FANS_SHARE
    lift_K = outside_degC + APPROACH_K - water_degC
    return FANS_SHARE + 1.0 / min(COP_MAX, CARNOT * (water_degC + KELVIN) / lift_K)


class Chiller(SitePart):
    """A chiller, whose water has 12 degC, and 8 degC during pre-cooling."""

    kind = "chiller"
    NORMAL_ddegC, COLD_ddegC, TIME_CONSTANT_S = 120.0, 80.0, 300.0
    supply_ddegC = NORMAL_ddegC

    @property
    def colder_K(self) -> float:
        """How far the water is below its usual temperature, K."""
        return (self.NORMAL_ddegC - self.supply_ddegC) / 10.0

    def _move(self, dt_s: float) -> None:
        wanted_ddegC = self.COLD_ddegC if self.asked.get("pre_cool") else self.NORMAL_ddegC
        self.supply_ddegC = towards(self.supply_ddegC, wanted_ddegC, dt_s, self.TIME_CONSTANT_S)

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"supply_temperature_ddegC": self.supply_ddegC, "is_ready_ok": True}
