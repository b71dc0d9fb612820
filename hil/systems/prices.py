"""Makes the prices of energy per hour: by time of use, or drawn from a seed.

The built-in price has the shape of a day-ahead market: two peaks on working days, and a low noon
while the sun shines. The noise lasts for hours. In some hours the price is below zero.
"""

import math
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

KWH_PER_MWH = 1000.0
# Built-in prices (assumed): mean, swing and noise in money per MWh. Noise decays over HOURS_KEPT
# hours.
MEAN, SWING, NOISE, HOURS_KEPT = 45.0, 18.0, 9.0, 8.0
PEAK_HOURS, NOON = (8, 19), 13


def built_in(seed: object, start: datetime, hours: int, day: Sequence[float] = ()) -> np.ndarray:
    """Money per kWh of each hour, from a seed. day: means of a day, money per MWh."""
    draw, noise, prices = random.Random(f"{seed}/prices"), 0.0, []
    kept = math.exp(-1 / HOURS_KEPT)
    for hour in range(hours):
        time = start + timedelta(hours=hour)
        noise = noise * kept + draw.gauss(0.0, NOISE) * math.sqrt(1 - kept * kept)
        prices.append((day[time.hour] if day else MEAN + SWING * _shape(time)) + noise)
    return np.array(prices) / KWH_PER_MWH


def _shape(time: datetime) -> float:
    """Shape of a day, about -1.5 .. 1.5 (assumed): peaks in the morning and in the evening, low
    values at night and at noon in summer.
    """
    peaks = math.fsum([math.exp(-(((time.hour - hour) / 2.5) ** 2)) for hour in PEAK_HOURS])
    is_summer = 4 <= time.month <= 9
    sun = math.exp(-(((time.hour - NOON) / 2.5) ** 2)) * (1.4 if is_summer else 0.4)
    week = 1.0 if time.weekday() < 5 else 0.5
    night = 0.6 if time.hour < 6 else 0.0
    return 1.6 * peaks * week - sun - night - (0.3 if week < 1 else 0.0)


def time_of_use(table: Mapping[str, Any], start: datetime, hours: int) -> np.ndarray:
    """Money per kWh of each hour. table: valley, flat, peak (money per kWh), valley_hours and
    peak_hours ([[first, end], ...]), summer_peak_hours for July to September.
    """
    return np.array([_price(table, start + timedelta(hours=hour)) for hour in range(hours)])


def _price(table: Mapping[str, Any], time: datetime) -> float:
    is_summer = time.month in (7, 8, 9)
    peaks = table["summer_peak_hours" if is_summer else "peak_hours"]
    for name, spans in (("peak", peaks), ("valley", table["valley_hours"])):
        if any(_is_within(time.hour, *span) for span in spans):
            return float(table[name])
    return float(table["flat"])


def _is_within(hour: int, first: int, end: int) -> bool:
    return first <= hour < end if first < end else hour >= first or hour < end
