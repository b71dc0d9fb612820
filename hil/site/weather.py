"""Sun and outside air at a site: of a clear day at a latitude, or of a file by the hour. Elevation:
Cooper's declination; clear sky on a level surface: Haurwitz (1945), 1098 sin(h) exp(-0.057 /
sin(h)) W/m2.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

DAY_S, HOUR_S, YEAR_H = 86_400, 3600, 8760
WARMEST_S = 15 * HOUR_S


class Weather(NamedTuple):
    """day: of the year, from 1; time_of_day_s: local solar time at the begin; hours: (irradiance
    W/m2, air degC) of a year instead of the model.
    """

    latitude_deg: float = 45.0
    day: int = 172
    time_of_day_s: float = 0.0
    mean_degC: float = 15.0
    swing_K: float = 6.0
    hours: Sequence[tuple[float, float]] = ()

    def outside_degC(self, time_s: float) -> float:
        """Temperature of the outside air; in the model highest at 15 h."""
        if self.hours:
            return self._of_hours(time_s, 1)
        phase = 2 * math.pi * (self.time_of_day_s + time_s - WARMEST_S) / DAY_S
        return self.mean_degC + self.swing_K * math.cos(phase)

    def irradiance_W_per_m2(self, time_s: float) -> float:
        """Irradiance on a level surface."""
        if self.hours:
            return self._of_hours(time_s, 0)
        sine = self._elevation_sine(self.time_of_day_s + time_s)
        return 1098.0 * sine * math.exp(-0.057 / sine) if sine > 0.01 else 0.0

    def _elevation_sine(self, time_s: float) -> float:
        day = self.day + time_s / DAY_S
        declination = math.radians(23.45) * math.sin(2 * math.pi * (284 + day) / 365)
        latitude = math.radians(self.latitude_deg)
        turned = math.cos(2 * math.pi * (time_s / DAY_S - 0.5))
        level = math.sin(latitude) * math.sin(declination)
        return level + math.cos(latitude) * math.cos(declination) * turned

    def _of_hours(self, time_s: float, column: int) -> float:
        """Linear between the middles of the hours."""
        hour = (self.day - 1) * 24 + (self.time_of_day_s + time_s) / HOUR_S - 0.5
        first = math.floor(hour)
        before, after = (self.hours[each % YEAR_H][column] for each in (first, first + 1))
        return before + (after - before) * (hour - first)
