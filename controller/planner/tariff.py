"""Computes the bill of a site: energy by price, demand charges and capacity tags.

A capacity tag bills the import in a few peak hours of a year. The billed run may be shorter than a
month. Then it pays the demand charge of each month in proportion to the part that it covers. Bills
are only for comparison, because no tariff here is a real contract.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from math import fsum, inf
from typing import Any, NamedTuple, Protocol

from controller.forms.field import (
    choice,
    integer,
    is_list,
    is_row,
    number,
    numbers,
    passing,
    some_of,
    tables,
    text,
)
from controller.forms.refusal import refuse
from controller.planner.exact import J_PER_KWH
from controller.system.local_days import later

W_PER_KW = 1000.0
MONTH_S = 30.4375 * 86_400
HOUR_S = 3600
WEEKDAYS, SUMMER = 5, (6, 7, 8, 9)
TAG_DAYS = 20  # a site saves power on 20 summer days, to include the days that set the tag

Month = tuple[int, int]


def _are_hours(value: Any, parts: int = 1) -> bool:
    return is_row(value, (HOURS, HOURS)) and not any([parts * hour % 1 for hour in value])


def _is_window(value: Any) -> bool:
    return _are_hours(value, 2) and value[0] not in (value[1], 24)


def _is_day(value: Any) -> bool:
    try:
        return date.fromisoformat(f"2024-{value}"[-10:]).isoformat().endswith(value)
    except (TypeError, ValueError):
        return False


MONEY = 0, 1e7  # of the currency that is worth least
HOURS, CHARGES_MAX = (0, 24), 4
ALL_DAYS, WORKING = "all", "working"
BILLED_HOURS = passing(
    lambda value: _is_window(value) or is_list(value, _is_window),
    "[first, end], half hours 0..24, as [6, 22], or [22, 6] past midnight, or a list of such spans",
    [],
)
CHARGE = {
    "name": text(),
    "per_kW_month": numbers(*MONEY, counts=(1, 12)),  # one number, or one for each month
    "interval_min": choice((15, 30, 60), 15),
    "hours": BILLED_HOURS,
    "days": choice((ALL_DAYS, WORKING, "weekend"), ALL_DAYS),
    "months": some_of(range(1, 13), []),  # by default all
}
SHORT = "demand_per_kW_month", "demand_interval_min", "demand_hours"
FIELDS = {
    "currency": text(),
    "adder_per_kWh": number(*MONEY, 0.0),
    "feed_in_per_kWh": number(*MONEY, 0.0),
    "carbon_per_t": number(*MONEY, 0.0),  # only the plan uses it, not the bill
    "fuel_per_kWh": number(*MONEY, 0.35),  # for each kWh that a generator set gives
    # short form of a single demand charge; if it has hours, it counts on working days only
    "demand_per_kW_month": CHARGE["per_kW_month"]._replace(default=[0.0]),
    "demand_interval_min": CHARGE["interval_min"],
    "demand_hours": BILLED_HOURS,
    "holidays": passing(
        lambda value: is_list(value, _is_day),
        'a list of days that count as Sundays, as "2026-12-25", or "12-25" for each year',
        [],
    ),
    "demand": tables(CHARGE, []),  # in place of the short form: each charge bills its own peak
    "tag_per_kW_year": number(*MONEY, 0.0),
    "tag_hours": integer(1, 100, 5),  # this many most expensive summer days set the tag
    # One hour of each such day counts. It lies in [first, end], and is known only afterwards.
    "tag_window": passing(
        lambda value: _are_hours(value) and value[0] < value[1],
        "[first, end], whole hours 0..24, the first below the end",
        [14, 18],
    ),
}


class Values(Protocol):
    """Numbers by slot: a list, or an array."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class Charge(NamedTuple):
    """One demand charge, as CHARGE describes it."""

    name: str
    per_kW_month: list[float]
    interval_min: int
    hours: list[Any]
    days: str
    months: list[int]
    holidays: Sequence[str] = ()

    @property
    def windows(self) -> list[Any]:
        """[first, end] of each span of billed hours."""
        hours = self.hours or [HOURS]
        return hours if isinstance(hours[0], Sequence) else [hours]

    def rate(self, month: int) -> float:
        """Money per kW of this month's peak, 0 in a month that the charge leaves out."""
        rates = self.per_kW_month
        return rates[(month - 1) % len(rates)] * (not self.months or month in self.months)

    def counts(self, is_working: bool, hour: float) -> bool:
        """True if this hour of such a day is billed in the months of the charge. Hours after
        midnight count to their own day.
        """
        is_in = [
            first <= hour < end if first < end else not end <= hour < first
            for first, end in self.windows
        ]
        return any(is_in) and (self.days == ALL_DAYS or is_working == (self.days == WORKING))

    def is_billed(self, time: datetime) -> bool:
        """True if the charge counts at this time."""
        is_month = not self.months or time.month in self.months
        hour = time.hour + time.minute / 60
        return is_month and self.counts(is_working(time.date(), self.holidays), hour)


def is_working(day: date, holidays: Sequence[str]) -> bool:
    """True for a working day. A holiday counts as a Sunday."""
    text = day.isoformat()
    return day.weekday() < WEEKDAYS and text not in holidays and text[5:] not in holidays


def charges(tariff: Mapping[str, Any]) -> tuple[Charge, ...]:
    """The demand charges of a tariff, at least one: the short form gives one, perhaps of rate 0."""
    free = tariff["holidays"]
    if tariff["demand"]:
        return tuple([Charge(**charge, holidays=free) for charge in tariff["demand"]])
    rates, minutes, hours = [tariff[key] for key in SHORT]
    days = WORKING if hours else ALL_DAYS
    return (Charge("", rates, minutes, hours, days, months=[], holidays=free),)


def check(file: str, tariff: Mapping[str, Any]) -> None:
    """Refuse demand charges in two forms, or too many. Raises ConfigError."""
    path, count = ("tariff", "demand"), len(tariff["demand"])
    short = [key for key in SHORT if tariff[key] != FIELDS[key].default]
    if count and short:
        refuse(file, path, f"is beside {short[0]}", "one of the two forms")
    names = [charge["name"] for charge in tariff["demand"]]
    if len({*names}) < count:
        refuse(file, path, "has a name twice", "a name of its own for each charge")
    if count > CHARGES_MAX:
        refuse(file, path, f"has {count} charges", f"at most {CHARGES_MAX}")


class Bill(NamedTuple):
    """Money of a run, by part. peaks_W: highest billed mean of an interval, for each charge."""

    energy: float
    demand: float
    tags: float
    peaks_W: tuple[float, ...]

    @property
    def peak_W(self) -> float:
        """The highest peak of all charges."""
        return max(self.peaks_W)

    @property
    def total(self) -> float:
        """All parts."""
        return self.energy + self.demand + self.tags


def bill(
    tariff: Mapping[str, Any],
    grid_W: Values,
    interval_s: float,
    price_per_kWh: Values,
    start: datetime,
) -> Bill:
    """The bill. grid_W: means over interval_s; price_per_kWh: without adder; start: local time."""
    adder, feed_in = tariff["adder_per_kWh"], tariff["feed_in_per_kWh"]
    energy = fsum(
        [
            float(power_W) * (float(price) + adder if power_W > 0 else feed_in)
            for power_W, price in zip(grid_W, price_per_kWh, strict=True)
        ]
    )
    parts = [_demand(charge, grid_W, interval_s, start) for charge in charges(tariff)]
    money, peaks_W = zip(*parts)
    tags = _tags(tariff, grid_W, interval_s, price_per_kWh, start)
    return Bill(energy * interval_s / J_PER_KWH, fsum(money), tags, peaks_W)


def _demand(
    charge: Charge, grid_W: Values, interval_s: float, start: datetime
) -> tuple[float, float]:
    """(money, highest billed mean in W). Each month in the run pays its own highest interval."""
    length_s = charge.interval_min * 60
    means_W = means(grid_W, round(length_s / interval_s))
    peaks_W, spans_s = dict[Month, float](), dict[Month, float]()
    for interval, mean_W in enumerate(means_W):
        time = later(start, length_s * interval)
        month = time.year, time.month
        spans_s[month] = spans_s.get(month, 0.0) + length_s
        if charge.is_billed(time):
            peaks_W[month] = max(peaks_W.get(month, 0.0), mean_W)
    money = fsum(
        [
            charge.rate(month[1]) * peak_W / W_PER_KW * spans_s[month] / MONTH_S
            for month, peak_W in sorted(peaks_W.items())
        ]
    )
    return money, max(peaks_W.values(), default=0.0)


def means(values: Values, count: int) -> list[float]:
    """The mean of each whole group of `count` values."""
    ends = range(count, len(values) + 1, count)
    return [float(fsum(values[end - count : end])) / count for end in ends]


def _tags(
    tariff: Mapping[str, Any],
    grid_W: Values,
    interval_s: float,
    price_per_kWh: Values,
    start: datetime,
) -> float:
    """Money for the mean import in the hours that set the tags, for the run's part of a year."""
    rate = tariff["tag_per_kW_year"]
    hours = hours_of_tags(tariff, price_per_kWh, interval_s, start)
    if not rate or not hours:
        return 0.0
    means_W = means(grid_W, round(HOUR_S / interval_s))
    mean_W = fsum([means_W[hour] for hour in hours]) / len(hours)
    share = len(grid_W) * interval_s / (12 * MONTH_S)
    return rate * max(0.0, mean_W) / W_PER_KW * share


def hours_of_tags(
    tariff: Mapping[str, Any], price_per_kWh: Values, interval_s: float, start: datetime
) -> list[int]:
    """Hours since the start that set the tags: one hour of the window on each of the most expensive
    working days. The hour is drawn at random, with the date as the seed.
    """
    prices = means(price_per_kWh, round(HOUR_S / interval_s))
    times = [later(start, HOUR_S * hour) for hour in range(len(prices))]
    dearest: dict[date, float] = {}
    for time, price in zip(times, prices):
        if may_set_tag(tariff, time):
            dearest[time.date()] = max(dearest.get(time.date(), -inf), price)
    days = sorted(dearest, key=lambda day: -dearest[day])[: tariff["tag_hours"]]
    window = tariff["tag_window"]
    hours = {day: random.Random(f"{day}/tag").randrange(*window) for day in days}
    return [hour for hour, time in enumerate(times) if hours.get(time.date()) == time.hour]


def may_set_tag(tariff: Mapping[str, Any], time: datetime) -> bool:
    """True if this hour may set the tag. Only the window is known in advance."""
    first, end = tariff["tag_window"]
    return (
        tariff["tag_per_kW_year"] > 0
        and time.month in SUMMER
        and is_working(time.date(), tariff["holidays"])
        and first <= time.hour < end
    )
