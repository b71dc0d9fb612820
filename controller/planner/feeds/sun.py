"""Estimates PV power from irradiance, with a factor learnt from the last measured days.

The irradiance is that of a weather feed or of a clear sky. With a clear sky, the factor also
contains how clear the last days were.
"""

from collections.abc import Sequence
from math import asin, atan2, cos, exp, fsum, inf, nan, radians, sin

from controller.planner.feeds.points import QUARTER_S

J2000_S = 946_728_000  # 2000-01-01 12:00 UTC, s since 1970
DAY_S = 86_400
USUAL = 0.8  # part of the rated power at 1000 W/m2, before anything is measured (assumed)
LOW_W_PER_M2 = 50.0  # measurements below it are too uncertain to learn from (assumed)
LEARNT_SLOTS = 3 * 96  # three days
LEAST_SLOTS = 16  # slots of daylight that are needed to learn the factor


def clear_W_per_m2(at_s: float, latitude_deg: float, longitude_deg: float) -> float:
    """Irradiance of a clear sky on a level surface (Haurwitz 1945; position: the Astronomical
    Almanac's short form, within 0.01 degrees).
    """
    days = (at_s - J2000_S) / DAY_S
    mean, anomaly = 280.460 + 0.9856474 * days, radians(357.528 + 0.9856003 * days)
    ecliptic = radians(mean + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly))
    tilt = radians(23.439 - 4e-7 * days)
    declination = asin(sin(tilt) * sin(ecliptic))
    ascension = atan2(cos(tilt) * sin(ecliptic), cos(ecliptic))
    sidereal = radians(280.46062 + 360.98564737 * days + longitude_deg)
    latitude = radians(latitude_deg)
    sin_height = sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(
        sidereal - ascension
    )
    return 1098.0 * sin_height * exp(-0.057 / sin_height) if sin_height > 1e-3 else 0.0


def clear_sky(start_s: float, count: int, place: tuple[float, float]) -> list[float]:
    """Irradiance of a clear sky in the middle of each quarter of an hour."""
    return [clear_W_per_m2(start_s + (slot + 0.5) * QUARTER_S, *place) for slot in range(count)]


def estimated(
    measured_W: Sequence[float], sun_W_per_m2: Sequence[float], rated_W: float, default: float
) -> list[float]:
    """PV of each slot by its irradiance; NaN: unknown. default: part of the rated power at 1000
    W/m2 before anything is measured; NaN: none. A rated power of 0 sets no upper bound.
    """
    recent = list(zip(measured_W, sun_W_per_m2))[-LEARNT_SLOTS:]
    pairs = [
        (own_W, irradiance)
        for own_W, irradiance in recent
        if own_W == own_W and irradiance > LOW_W_PER_M2
    ]
    factor = default * rated_W / 1000 if rated_W else nan
    if len(pairs) >= LEAST_SLOTS:
        powers_W, irradiances = zip(*pairs)
        factor = fsum(powers_W) / fsum(irradiances)
    most_W = rated_W or inf
    # the power stands first, because then min keeps its NaN
    return [min(factor * irradiance, most_W) for irradiance in sun_W_per_m2]
