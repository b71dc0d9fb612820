"""PV: from the irradiance to the power of an inverter."""

from collections.abc import Callable, Mapping

from hil.site.clouds import Clouds, Sky
from hil.site.part import SitePart, towards
from hil.site.weather import Weather

FULL_W_PER_M2 = 1000.0
# Rise of the cell temperature above the air, for each W/m2 of irradiance. Relative change of the
# power for each kelvin of the cell above 25 degC.
ROSS_K_PER_W_PER_M2, PER_K = (0.03, -0.004)


class Pv(SitePart):
    """An inverter that follows its limit within a second. measured: t_s -> W from a file, which
    replaces the sun.
    """

    kind, text, FEEDS, GIVES_WAY = "pv", "PV", True, True
    UNHEARD_S, TIME_CONSTANT_S = 60.0, 0.5

    def __init__(
        self,
        parameters: Mapping[str, float],
        weather: Weather | None = None,
        seed: object = 0,
        measured: Callable[[float], float] | None = None,
    ):
        super().__init__(parameters)
        self._weather = weather or Weather()
        index, cover = [
            parameters.get(f"{name}_permille", 0) / 1000 for name in ("clear_index", "cloud_cover")
        ]
        self._clouds = Sky(seed, index) if index else Clouds(seed, cover)
        self._measured = measured
        self.available_W = 0.0

    def begin_at(self, begin_s: float) -> None:
        """See SitePart."""
        measured = self._measured
        if measured:
            self._measured = lambda t_s: measured(begin_s + t_s)

    def _move(self, dt_s: float) -> None:
        rated_W = self.parameters["rated_W"]
        possible_W = self._measured(self.time_s) if self._measured else self._of_sun_W()
        self.available_W = max(0.0, min(rated_W, possible_W))
        wanted_W = min(self.available_W, self.asked.get("limit_W", rated_W))
        self.feeds_W = towards(self.feeds_W, wanted_W, dt_s, self.TIME_CONSTANT_S)
        if not self.is_live:
            self.feeds_W = 0.0

    def _of_sun_W(self) -> float:
        weather, time_s = self._weather, self.time_s
        irradiance_W_per_m2 = weather.irradiance_W_per_m2(time_s) * self._clouds(time_s)
        cell_degC = weather.outside_degC(time_s) + ROSS_K_PER_W_PER_M2 * irradiance_W_per_m2
        temperature_factor = 1 + PER_K * (cell_degC - 25.0)
        return self.parameters["rated_W"] * irradiance_W_per_m2 / FULL_W_PER_M2 * temperature_factor

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"power_W": self.feeds_W, "available_W": self.available_W}
