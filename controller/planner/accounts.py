"""Accounts of a month: the cost of the site, and its cost with other habits (ways to plan).

A shadow simulates this month with one habit. It begins with the energy that the battery really had,
plans each hour with the data known at that time, and follows its plan by the model of backtest.py.
Shadows only inform people; they choose nothing. After a restart they begin the month again.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controller.planner import backtest, exact, foresight, planning
from controller.planner.backtest import HOUR_SLOTS, Outcome, Past, SiteModel
from controller.planner.books import Series
from controller.planner.daily import Daily
from controller.planner.exact import Numbers
from controller.planner.planning import SLOT_S, SLOTS_PER_DAY, Habit, Site
from controller.system.local_days import day_begin, number_of, slots_between

SHARE_DAYS = 28  # days that `share` compares
# If perfect foresight saves less than this part of the bill, a share of its saving means nothing.
LEAST_PART = 0.001
G_PER_KG = 1000.0
HABITS = planning.HOLDS_CAP, planning.TRADES, planning.KNOWS_LOAD, planning.ENERGY_ONLY


def part(series: Series, first: int, end: int) -> tuple[Past, Outcome]:
    """(quarters of an hour from first to end as a Past, the outcome of the battery in them)."""
    begun_J = series.stored_J[max(0, first - 1)]
    span = slice(first, end)
    past = Past(
        planning.later(series.start, first),
        series.load_W[span],
        series.pv_W[span],
        series.price_per_kWh[span],
        0,
    )
    given_J = math.fsum([max(0.0, power_W) for power_W in series.battery_W[span]]) * SLOT_S
    lowered_W = series.lowered_W[span]
    hours = sum([power_W > 0 for power_W in lowered_W]) / HOUR_SLOTS
    gained_J, yielded_J = series.stored_J[end - 1] - begun_J, math.fsum(lowered_W) * SLOT_S
    return past, Outcome(series.grid_W[span], gained_J, given_J, yielded_J, hours)


def month_begin(series: Series) -> int:
    """Number of the first quarter of an hour in the month of the newest quarter."""
    last = planning.later(series.start, len(series.load_W) - 1)
    return max(0, slots_between(series.start, day_begin(last.replace(day=1))))


def share(site: Site, series: Series) -> tuple[float | None, int]:
    """(saving of the last days in permille of the saving by perfect foresight, number of days).
    None: less than a day is known, or foresight saves next to nothing. The computation takes half a
    second, so the planner does it once a night.
    """
    end = len(series.load_W) // HOUR_SLOTS * HOUR_SLOTS
    days = min(SHARE_DAYS, end // SLOTS_PER_DAY)
    if not days:
        return None, 0
    first = end - days * SLOTS_PER_DAY
    past, actual = part(series, first, end)
    best = foresight.optimum(site, past, series.stored_J[max(0, first - 1)])
    outcomes = actual, best, backtest.without(past)
    cost, least, without = [backtest.cost(site, past, outcome) for outcome in outcomes]
    if without - least <= LEAST_PART * abs(without):
        return None, days
    return 1000 * (without - cost) / (without - least), days


def month(
    site: Site,
    series: Series,
    past_share: tuple[float | None, int],
    shadows: Sequence[Mapping[str, str | float]] = (),
) -> dict[str, Any]:
    """`month` of plan.json: this month so far. Costs include wear and the energy gained since its
    start. past_share: result of `share`; shadows: result of `Shadows.costs`.
    """
    first, end = month_begin(series), len(series.load_W)
    past, actual = part(series, first, end)
    without_battery, carbon = backtest.without(past), series.carbon_g_per_kWh[first:]
    forecast_W, yesterday_W = errors_W([error_W for error_W in series.errors_W[first:] if error_W])
    return {
        "since": past.start.isoformat(),
        "cost": backtest.cost(site, past, actual),
        "cost_without": backtest.cost(site, past, without_battery),
        "peak_W": max(peaks_W(site, past.start, actual.grid_W)),
        "peak_without_W": max(peaks_W(site, past.start, without_battery.grid_W)),
        "share_permille": past_share[0],
        "share_days": past_share[1],
        "CO2_kg": _CO2_kg(actual.grid_W, carbon),
        "CO2_without_kg": _CO2_kg(without_battery.grid_W, carbon),
        "yielded_kWh": actual.yielded_J / exact.J_PER_KWH,
        "yielded_h": actual.yielded_h,
        "forecast_error_W": forecast_W,
        "yesterday_error_W": yesterday_W,
        "shadows": list(shadows),
    }


def peaks_W(site: Site, start: datetime, grid_W: Numbers) -> list[float]:
    """Highest interval that each demand charge bills. grid_W: quarters of one month."""
    peaks = backtest.Peaks(site)
    for slot, import_W in enumerate(grid_W):
        peaks.see(planning.later(start, slot), import_W)
    return peaks.of(start)


def errors_W(pairs: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Mean error of the forecast and mean error of yesterday's load."""
    if not pairs:
        return None, None
    forecast_W, yesterday_W = [math.fsum(errors) / len(pairs) for errors in zip(*pairs)]
    return forecast_W, yesterday_W


def _CO2_kg(grid_W: Numbers, carbon_g_per_kWh: Numbers) -> float | None:
    """Carbon of the import; None if it was never known."""
    if not carbon_g_per_kWh or math.isnan(carbon_g_per_kWh[0]):
        return None
    grams_W = math.fsum(
        [max(0.0, power_W) * grams for power_W, grams in zip(grid_W, carbon_g_per_kWh)]
    )
    return grams_W * SLOT_S / (exact.J_PER_KWH * G_PER_KG)


class Shadows:
    """One shadow for each habit. `step` simulates one hour of each, so that the process can renew
    its heartbeat between two steps.
    """

    def __init__(self, site: Site):
        self.site = site  # may change from hour to hour
        # numbers of quarters: the month's first, and the next to simulate
        self._first = self._done = 0
        self._own: dict[str, _Shadow] = {}

    def step(self, series: Series, price_per_kWh: Numbers) -> bool:
        """Simulate one more hour of each shadow. False: no hour was left. price_per_kWh: from the
        end of the newest quarter on.
        """
        begin = number_of(series.start)
        first = max(HOUR_SLOTS, month_begin(series))
        if begin + first != self._first:
            self._first = self._done = begin + first
            self._own = {
                habit.name: _Shadow(self.site, habit, series.stored_J[first - 1])
                for habit in HABITS
            }
        slot = self._done - begin
        end = -(-(slot + 1) // HOUR_SLOTS) * HOUR_SLOTS
        if end > len(series.load_W):
            return False
        prices = [*series.price_per_kWh, *price_per_kWh]
        past = Past(series.start, series.load_W, series.pv_W, prices, 0)
        for shadow in self._own.values():
            shadow.hour(self.site, past, slot, end)
        self._done = begin + end
        return True

    def costs(self, series: Series) -> list[dict[str, str | float]]:
        """The cost of this month until the last hour of `step`: as run, no battery, by habit."""
        if self._done == self._first:
            return []
        begin = number_of(series.start)
        past, actual = part(series, self._first - begin, self._done - begin)
        outcomes = {"as run": actual, "no battery": backtest.without(past)}
        outcomes |= {name: shadow.outcome() for name, shadow in self._own.items()}
        return [
            {"name": name, "cost": backtest.cost(self.site, past, outcome)}
            for name, outcome in outcomes.items()
        ]


class _Shadow(SiteModel):
    def __init__(self, site: Site, habit: Habit, stored_J: float):
        super().__init__(site, stored_J)
        self._daily = Daily(site, habit)

    def hour(self, site: Site, past: Past, first: int, end: int) -> None:
        """Plan at the first of these quarters, and follow the plan until the end."""
        self._site = self._daily.site = self._daily.usual = site
        self.follow(past, first, end, self._daily.rows(self.known(past, first)))
