"""The bill of a site for a run: energy by price, demand charge, and tags set in peak hours.

A run may be shorter than a month: the demand charge is then that of the run's part of each month.
Money is relative: no tariff here is a contract.
"""

import math
import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from controller.forms.field import choice, integer, number, numbers, text

Series = np.ndarray
W_PER_KW, J_PER_KWH = 1000.0, 3.6e6
MONTH_S = 30.4375 * 86_400
HOUR_S = 3600
WEEKDAYS, SUMMER = 5, (6, 7, 8, 9)

MONEY, HOURS = (0, 1000), (0, 24)
FIELDS = {
    "currency": text(),
    "adder_per_kWh": number(*MONEY, 0.0),
    "feed_in_per_kWh": number(*MONEY, 0.0),
    "fuel_per_kWh": number(*MONEY, 0.35),  # that a generator set gives
    "demand_per_kW_month": numbers(*MONEY, [0.0], (1, 12)),  # one number, or one for each month
    "demand_interval_min": choice((15, 30, 60), 15),
    "demand_hours": numbers(
        *HOURS, [], (0, 2)
    ),  # [first, end]: only these hours of working days count
    "tag_per_kW_year": number(*MONEY, 0.0),
    "tag_hours": integer(1, 100, 5),  # most expensive summer days that set the tag ...
    # ... each in one of these hours, [first, end], which is known afterwards only
    "tag_window": numbers(*HOURS, [14, 18], (2, 2)),
}


class Bill(NamedTuple):
    """Money of the run's time, by part. peak_W: highest billed mean of an interval."""

    energy: float
    demand: float
    tags: float
    peak_W: float

    @property
    def total(self) -> float:
        """All parts."""
        return self.energy + self.demand + self.tags


def bill(
    tariff: Mapping[str, Any],
    grid_W: Series,
    interval_s: float,
    price_per_kWh: Series,
    start: datetime,
) -> Bill:
    """grid_W: means over interval_s; price_per_kWh: before the adder; start: local time."""
    energy_kWh = grid_W * interval_s / J_PER_KWH
    bought = np.where(
        energy_kWh > 0,
        energy_kWh * (price_per_kWh + tariff["adder_per_kWh"]),
        energy_kWh * tariff["feed_in_per_kWh"],
    )
    demand, peak_W = _demand(tariff, grid_W, interval_s, start)
    return Bill(
        float(bought.sum()), demand, _tags(tariff, grid_W, interval_s, price_per_kWh, start), peak_W
    )


def _demand(
    tariff: Mapping[str, Any], grid_W: Series, interval_s: float, start: datetime
) -> tuple[float, float]:
    """(money, highest billed mean in W): the highest interval of each month, by its time."""
    per_interval = round(tariff["demand_interval_min"] * 60 / interval_s)
    count = len(grid_W) // per_interval
    means_W = grid_W[: count * per_interval].reshape(count, per_interval).mean(axis=1)
    length_s = per_interval * interval_s
    times = [start + timedelta(seconds=length_s * at) for at in range(count)]
    rates = tariff["demand_per_kW_month"]
    money = highest_W = 0.0
    for month in sorted({(each.year, each.month) for each in times}):
        own = [at for at, each in enumerate(times) if (each.year, each.month) == month]
        billed = [at for at in own if is_billed(times[at], tariff["demand_hours"])]
        peak_W = max([0.0, *[float(means_W[at]) for at in billed]])
        rate = rates[(month[1] - 1) % len(rates)]
        money += rate * peak_W / W_PER_KW * len(own) * length_s / MONTH_S
        highest_W = max(highest_W, peak_W)
    return money, highest_W


def is_billed(time: datetime, hours: list[int]) -> bool:
    """The demand charge counts at this time. hours: `demand_hours` of the tariff."""
    return not hours or (time.weekday() < WEEKDAYS and hours[0] <= time.hour < hours[1])


def _tags(
    tariff: Mapping[str, Any],
    grid_W: Series,
    interval_s: float,
    price_per_kWh: Series,
    start: datetime,
) -> float:
    """The mean import in the hours that set the tags, for the run's part of a year."""
    rate = tariff["tag_per_kW_year"]
    hours = hours_of_tags(tariff, price_per_kWh, interval_s, start)
    if not rate or not hours:
        return 0.0
    per_hour = round(HOUR_S / interval_s)
    means_W = [float(grid_W[at * per_hour : (at + 1) * per_hour].mean()) for at in hours]
    share = len(grid_W) * interval_s / (12 * MONTH_S)
    return rate * max(0.0, sum(means_W) / len(means_W)) / W_PER_KW * share


def hours_of_tags(
    tariff: Mapping[str, Any], price_per_kWh: Series, interval_s: float, start: datetime
) -> list[int]:
    """Hours since the start that set the tags: one of the window of the dearest working days, drawn
    from the date.
    """
    per_hour = round(HOUR_S / interval_s)
    count = len(price_per_kWh) // per_hour
    prices = price_per_kWh[: count * per_hour].reshape(count, per_hour).mean(axis=1)
    times = [start + timedelta(hours=at) for at in range(count)]
    dearest: dict[date, float] = {}
    for at, time in enumerate(times):
        if may_set_tag(tariff, time):
            dearest[time.date()] = max(dearest.get(time.date(), -math.inf), prices[at])
    days = sorted(dearest, key=lambda day: -dearest[day])[: tariff["tag_hours"]]
    hours = {day: _drawn_hour(tariff["tag_window"], day) for day in days}
    return [at for at, time in enumerate(times) if hours.get(time.date()) == time.hour]


def _drawn_hour(window: Sequence[float], day: date) -> int:
    first, end = map(int, window)
    return random.Random(f"{day}/tag").randrange(first, end)


def may_set_tag(tariff: Mapping[str, Any], time: datetime) -> bool:
    """This hour may set the tag. The window is known in advance, the days and the hour are not."""
    first, end = tariff["tag_window"]
    return (
        tariff["tag_per_kW_year"] > 0
        and time.month in SUMMER
        and time.weekday() < WEEKDAYS
        and first <= time.hour < end
    )
