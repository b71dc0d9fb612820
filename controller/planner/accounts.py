"""Accounts of a month: what the site paid, and what it would have paid in another way.

All come from finished quarters of an hour. A value that is unknown is that of the quarter before,
and the battery counts as idle there, so that a hole never looks like a saving. The caller keeps the
quarters of this month, and of the 42 days before now: 28 of the share, and 14 that a plan learns
from.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from controller.planner import backtest, exact, planning
from controller.planner.backtest import HOUR_SLOTS, Outcome, Past
from controller.planner.exact import J_PER_WH
from controller.planner.planning import SLOT_S, SLOTS_PER_DAY, Site
from controller.system.local_days import day_begin, number_of, slots_between

SHARE_DAYS = 28
LEAST_PART = 0.001  # of the bill: below it, what perfect foresight saves has no share
G_PER_KG = 1000.0


class Quarter(NamedTuple):
    """A finished quarter of an hour that began at `at`, an aware local time. None is unknown."""

    at: datetime
    load_W: float | None = None
    pv_W: float | None = None
    grid_W: float | None = None
    battery_W: float | None = None
    stored_Wh: float | None = None  # at its end
    price_per_kWh: float | None = None  # before adders
    planned_battery_W: float | None = None
    planned_grid_W: float | None = None
    forecast_load_W: float | None = None
    yesterday_load_W: float | None = None
    carbon_g_per_kWh: float | None = None
    lowered_W: float | None = None  # by which load_W, the wanted load, was lower on request


class Series(NamedTuple):
    """Quarters of an hour without a hole, from the whole hour `start` on."""

    start: datetime
    load_W: list[float]
    pv_W: list[float]
    grid_W: list[float]
    battery_W: list[float]
    stored_J: list[float]  # at the end of each
    price_per_kWh: list[float]
    carbon_g_per_kWh: list[float]  # NaN: never known
    errors_W: list[tuple[float, float] | None]  # of the load's forecast, and of yesterday's load
    lowered_W: list[float]


def series_of(quarters: Sequence[Quarter]) -> Series | None:
    """The quarters in order of time, holes filled; None while load, energy or prices are unknown
    in all of them.
    """
    by_index = {number_of(each.at): each for each in quarters}
    if not by_index:
        return None
    first, end = min(by_index), max(by_index) + 1
    first = min(-(-first // HOUR_SLOTS) * HOUR_SLOTS, end)
    rows = [by_index.get(at) for at in range(first, end)]
    load_W, pv_W = _column(rows, "load_W"), _column(rows, "pv_W")
    stored_Wh, price = _column(rows, "stored_Wh"), _column(rows, "price_per_kWh")
    if not rows or any([math.isnan(each[0]) for each in (load_W, stored_Wh, price)]):
        return None
    if math.isnan(pv_W[0]):  # a site without PV
        pv_W = [0.0] * len(rows)
    pairs = [_pair(*each) for each in zip(rows, load_W, pv_W)]
    return Series(
        planning.later(min(quarters).at, first - min(by_index)),
        *(load_W, pv_W, [each for each, _ in pairs], [each for _, each in pairs]),
        *([each * J_PER_WH for each in stored_Wh], price, _column(rows, "carbon_g_per_kWh")),
        [_errors_W(each) for each in rows],
        [(each and each.lowered_W) or 0.0 for each in rows],
    )


def _column(rows: Sequence[Quarter | None], name: str) -> list[float]:
    """The values; an unknown one is that before, and the first ones are the first known one."""
    found = [getattr(row, name, None) for row in rows]
    last = next((each for each in found if each is not None), math.nan)
    return [last := last if each is None else float(each) for each in found]


def _pair(row: Quarter | None, load_W: float, pv_W: float) -> tuple[float, float]:
    """Import and battery power of a quarter: one from the other, or an idle battery."""
    net_W = load_W - pv_W - ((row and row.lowered_W) or 0.0)
    grid_W, battery_W = (row.grid_W, row.battery_W) if row else (None, None)
    if battery_W is None:
        battery_W = 0.0 if grid_W is None or row is None or row.load_W is None else net_W - grid_W
    return net_W - battery_W if grid_W is None else grid_W, battery_W


def part(found: Series, first: int, end: int) -> tuple[Past, Outcome]:
    """Quarters first to end as a Past, and what the battery did in them."""
    begun_J = found.stored_J[max(0, first - 1)]
    own = slice(first, end)
    past = Past(
        planning.later(found.start, first),
        *(found.load_W[own], found.pv_W[own], found.price_per_kWh[own], 0),
    )
    given_J = sum([max(0.0, each) for each in found.battery_W[own]]) * SLOT_S
    lowered_W = found.lowered_W[own]
    hours = sum([each > 0 for each in lowered_W]) / HOUR_SLOTS
    more = given_J, sum(lowered_W) * SLOT_S, hours
    return past, Outcome(found.grid_W[own], found.stored_J[end - 1] - begun_J, *more)


def month_begin(found: Series) -> int:
    """The first quarter of the month of the newest one."""
    last = planning.later(found.start, len(found.load_W) - 1)
    return max(0, slots_between(found.start, day_begin(last.replace(day=1))))


def share(site: Site, found: Series) -> tuple[float | None, int]:
    """Share of perfect foresight in the last 28 days, permille, and days. None: less than a day is
    known, or foresight saves next to nothing. Half a second: once a night is enough.
    """
    end = len(found.load_W) // HOUR_SLOTS * HOUR_SLOTS
    days = min(SHARE_DAYS, end // SLOTS_PER_DAY)
    if not days:
        return None, 0
    first = end - days * SLOTS_PER_DAY
    past, done = part(found, first, end)
    best = backtest.optimum(site, past, found.stored_J[max(0, first - 1)])
    ways = done, best, backtest.without(past)
    cost, least, without = [backtest.cost(site, past, each) for each in ways]
    if without - least <= LEAST_PART * abs(without):
        return None, days
    return 1000 * (without - cost) / (without - least), days


def month(
    site: Site,
    found: Series,
    of_past: tuple[float | None, int],
    shadows: Sequence[Mapping[str, str | float]] = (),
) -> dict[str, Any]:
    """`month` of plan.json: this month so far, money with wear and with the energy gained since.
    of_past: `share`; shadows: `Shadows.costs`.
    """
    first, end = month_begin(found), len(found.load_W)
    past, done = part(found, first, end)
    none, carbon = backtest.without(past), found.carbon_g_per_kWh[first:]
    forecast_W, yesterday_W = errors_W([each for each in found.errors_W[first:] if each])
    return {
        "since": past.start.isoformat(),
        "cost": backtest.cost(site, past, done),
        "cost_without": backtest.cost(site, past, none),
        "peak_W": peak_W(site, past.start, done.grid_W),
        "peak_without_W": peak_W(site, past.start, none.grid_W),
        "share_permille": of_past[0],
        "share_days": of_past[1],
        "CO2_kg": _CO2_kg(done.grid_W, carbon),
        "CO2_without_kg": _CO2_kg(none.grid_W, carbon),
        "yielded_kWh": done.yielded_J / exact.J_PER_KWH,
        "yielded_h": done.yielded_h,
        "forecast_error_W": forecast_W,
        "yesterday_error_W": yesterday_W,
        "shadows": list(shadows),
    }


def peak_W(site: Site, start: datetime, grid_W: Sequence[float]) -> float:
    """The highest billed interval of quarters of one month."""
    peaks = backtest.Peaks(site)
    for at, each_W in enumerate(grid_W):
        peaks.see(planning.later(start, at), each_W)
    return peaks.of(start)


def errors_W(pairs: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """The mean of each of two errors."""
    if not pairs:
        return None, None
    forecast_W, yesterday_W = [sum(each) / len(pairs) for each in zip(*pairs)]
    return forecast_W, yesterday_W


def _CO2_kg(grid_W: Sequence[float], carbon_g_per_kWh: Sequence[float]) -> float | None:
    """Carbon of the import; None if it was never known."""
    if not carbon_g_per_kWh or math.isnan(carbon_g_per_kWh[0]):
        return None
    grams_W = sum([max(0.0, each) * grams for each, grams in zip(grid_W, carbon_g_per_kWh)])
    return grams_W * SLOT_S / (exact.J_PER_KWH * G_PER_KG)


def _errors_W(row: Quarter | None) -> tuple[float, float] | None:
    """Errors of the forecast of the load and of yesterday's load, where both are known."""
    own_W = (row.load_W, row.forecast_load_W, row.yesterday_load_W) if row else (None,) * 3
    load_W, forecast_W, yesterday_W = own_W
    if load_W is None or forecast_W is None or yesterday_W is None:
        return None
    return abs(forecast_W - load_W), abs(yesterday_W - load_W)
