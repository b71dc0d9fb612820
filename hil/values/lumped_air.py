"""The air of a cabinet with lumped batteries, by the model of the plant."""

import math
from collections.abc import Sequence

from hil.plant.cabinet import CONVERTER_SHARE
from hil.plant.climate import Climate
from hil.plant.config import CabinetConfig
from hil.plant.rack import GRADIENT_K
from hil.site import air_devices
from hil.site.part import SitePart
from hil.values.lumped import LumpedUnit


class LumpedAir:
    """parts: site devices of the cabinet. Call `step` once for each step of the batteries."""

    def __init__(
        self, config: CabinetConfig, batteries: Sequence[LumpedUnit], parts: Sequence[SitePart]
    ) -> None:
        self._batteries, self._parts, self._config = batteries, parts, config
        self.climate = Climate(config)
        self.heater_J = 0.0  # given by the heaters so far
        self._blow()

    def step(self, dt_s: float, outside_degC: float) -> float:
        """Advance by dt_s. Returns the power that heaters and cooling draw, W."""
        climate, batteries = self.climate, self._batteries
        batteries_W = math.fsum(
            [battery.air_W + CONVERTER_SHARE * battery.losses_W for battery in batteries]
        )
        climate.outside_degC = outside_degC
        climate.heater_W = heater_W = air_devices.heater_W(self._parts)
        climate.colder_K = air_devices.colder_K(self._parts)
        climate.step(dt_s, batteries_W, exchange_m3_per_s=0.0)
        self.heater_J += heater_W * dt_s
        self._blow()
        return heater_W + climate.hvac_draws_W

    def _blow(self) -> None:
        """Set temperature and flow of the air at the modules."""
        config = self._config
        for unit, battery in enumerate(self._batteries, 1):
            strength = config.weak_fan_permille / 1000 if unit == config.weak_fan_unit else 1.0
            battery.flow = strength * air_devices.flow(self._parts, unit)
            battery.module_air_degC = self.climate.air_degC + GRADIENT_K / 2
