"""Judges schedules alone, in slots and without a controller, to compare forecasts."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from controller.core.base.schedule_table import Slot as Row
from controller.planner import backtest
from controller.planner.planning import SLOT_S, Known, Site
from controller.planner.tariff import J_PER_KWH
from hil.results.ratio import MONEY_MIN
from hil.systems import sender
from hil.systems.run import Result
from hil.systems.series import SLOTS_PER_DAY, Series
from hil.systems.spec import Spec
from hil.systems.thermal import Attained, Measure

MODE = "schedule alone, 15 min"
DAYS = 7
EXACT = {"is_load_known": True}
YESTERDAY = {"is_load_known": False, "notice_min": 0}
ERRING = {"is_load_known": True, "forecast_error_permille": 150}
UNNOTICED = {"notice_min": 0}


class Way(NamedTuple):
    """One way to plan: its site, its past slots and its outcome."""

    site: Site
    past: backtest.Past
    done: backtest.Outcome
    over_kWh: float  # import above the caps of the schedule


def followed(spec: Spec, series: Series, before: Series, changes: Mapping[str, Any]) -> Way:
    """Plan the first days with these changes of the table [schedule], and follow the plans."""
    spec = spec._replace(schedule={**spec.schedule, **changes}, events=[])
    count, caps_W = min(DAYS * SLOTS_PER_DAY, len(series.load_W)), dict[int, float]()
    own = sender.Sender(spec, Series(*[column[:count] for column in series]), before)

    def way(known: Known) -> list[Row]:
        rows = own.way(known)
        caps_W.update(enumerate(own.caps_W, len(known.past_load_W)))
        return rows

    done = own.alone(way)
    over_W = [
        max(0.0, grid_W - caps_W[slot]) for slot, grid_W in enumerate(done.grid_W, own.past.before)
    ]
    return Way(own.site, own.past, done, math.fsum(over_W) * SLOT_S / J_PER_KWH)


def loses(changes: Mapping[str, Any]) -> Measure:
    """Percent of the saving that these changes lose. The saving is that of an exact forecast."""

    def figure(result: Result) -> Attained:
        inputs = result.spec, result.series, result.before
        exact, changed = (followed(*inputs, schedule) for schedule in (EXACT, changes))
        outcomes = backtest.without(exact.past), exact.done, changed.done
        costs = [backtest.cost(exact.site, exact.past, outcome) for outcome in outcomes]
        saved = costs[0] - costs[1]
        return (100 * (costs[2] - costs[1]) / saved if saved >= MONEY_MIN else None), None, None

    return figure


def noticed_kWh(result: Result) -> Attained:
    """Import above the schedule's caps: with the notices that the sender gets, and without them."""
    inputs = result.spec, result.series, result.before
    noticed, unnoticed = [followed(*inputs, schedule).over_kWh for schedule in ({}, UNNOTICED)]
    return noticed, 0.0, unnoticed


FIGURES: dict[str, Measure] = {
    "yesterday_loses": loses(YESTERDAY),
    "error_loses": loses(ERRING),
    "noticed_kWh": noticed_kWh,
}
