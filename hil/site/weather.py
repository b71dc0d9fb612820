"""Sun and outside air at a site: a clear day at a latitude, or the hours of a file.

Elevation: Cooper's declination. Clear sky on a level surface: Haurwitz (1945), 1098 sin(h)
exp(-0.057 / sin(h)) W/m2.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

DAY_S, HOUR_S, YEAR_H = 86_400, 3600, 8760
WARMEST_S, WARMEST_DAY, YEAR_DAYS = 15 * HOUR_S, 200, 365


class Weather(NamedTuple):
    """day: of the year, from 1; time_of_day_s: local solar time when the run begins.

    mean_degC: of the year; season_K, swing_K: half of the swing of the air in a year and in a day.
    hours: (irradiance W/m2, air degC) for each hour of a year, which replaces that model.
    """

    latitude_deg: float = 45.0
    day: int = 172
    time_of_day_s: float = 0.0
    mean_degC: float = 15.0
    swing_K: float = 6.0
    season_K: float = 0.0
    hours: Sequence[tuple[float, float]] = ()

    def outside_degC(self, time_s: float) -> float:
        """Temperature of the outside air, degC. The model is warmest at 15 h and on 19 July."""
        if self.hours:
            return self._of_hours(time_s, 1)
        local_s = self.time_of_day_s + time_s
        day_cosine = math.cos(2 * math.pi * (local_s - WARMEST_S) / DAY_S)
        days = self.day + local_s / DAY_S - WARMEST_DAY
        year_cosine = math.cos(2 * math.pi * days / YEAR_DAYS)
        return self.mean_degC + self.season_K * year_cosine + self.swing_K * day_cosine

    def irradiance_W_per_m2(self, time_s: float) -> float:
        """Irradiance on a level surface, W/m2."""
        if self.hours:
            return self._of_hours(time_s, 0)
        sine = self._elevation_sine(self.time_of_day_s + time_s)
        return 1098.0 * sine * math.exp(-0.057 / sine) if sine > 0.01 else 0.0

    def _elevation_sine(self, time_s: float) -> float:
        day = self.day + time_s / DAY_S
        declination = math.radians(23.45) * math.sin(2 * math.pi * (284 + day) / 365)
        latitude = math.radians(self.latitude_deg)
        hour_cosine = math.cos(2 * math.pi * (time_s / DAY_S - 0.5))
        constant_part = math.sin(latitude) * math.sin(declination)
        return constant_part + math.cos(latitude) * math.cos(declination) * hour_cosine

    def _of_hours(self, time_s: float, column: int) -> float:
        """Value at this time, linear between the middles of two hours."""
        hour = (self.day - 1) * 24 + (self.time_of_day_s + time_s) / HOUR_S - 0.5
        first = math.floor(hour)
        before, after = (self.hours[index % YEAR_H][column] for index in (first, first + 1))
        return before + (after - before) * (hour - first)
