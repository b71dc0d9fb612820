"""Figures of the schedule alone, to compare forecasts: slot by slot, without a controller."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from controller.planner import tariff
from hil.results.ratio import MONEY_MIN
from hil.systems.planner import Planner, store_of
from hil.systems.rules import OPEN_W, Store
from hil.systems.run import Result
from hil.systems.series import SLOT_S, SLOTS_PER_DAY, Series
from hil.systems.spec import Spec
from hil.systems.thermal import Found

MODE = "schedule alone, 15 min"
DAYS = 7
HARD = 0.1  # of the energy: no discharge below it
EXACT = {"is_load_known": True}
YESTERDAY = {"is_load_known": False}
ERRING = {"is_load_known": True, "forecast_error_permille": 150}
NOTICED, UNNOTICED = {"notice_min": 15}, {"notice_min": 0}


class Way(NamedTuple):
    """One way to plan. kept_J: energy that the battery gained; caps_W: highest import of a slot."""

    grid_W: np.ndarray
    kept_J: float
    caps_W: np.ndarray


def followed(spec: Spec, series: Series, changes: Mapping[str, Any]) -> Way:
    """The first days with these keys of the schedule."""
    count = min(DAYS * SLOTS_PER_DAY, len(series.load_W))
    spec = spec._replace(schedule={**spec.schedule, **changes})
    planner, store = Planner(spec, series), store_of(spec, spec.soc_permille / 1000)
    begun_J, grid_W = store.now_J, np.zeros(count)
    for slot in range(count):
        if planner.is_due(slot):
            rows, first = planner.rows(slot, store.now_J / store.energy_J), slot
        net_W = float(series.load_W[slot] - series.pv_W[slot])
        power_W = _power_W(rows[slot - first], net_W, store, spec)
        moved_J = power_W * (store.efficiency**0.5 if power_W < 0 else store.efficiency**-0.5)
        left_J = store.now_J - (moved_J + store.idle_W * (power_W == 0)) * SLOT_S
        store, grid_W[slot] = store._replace(now_J=left_J), net_W - power_W
    return Way(grid_W, store.now_J - begun_J, planner.caps_W[:count])


def _power_W(row: tuple[int, int, int, int], net_W: float, store: Store, spec: Spec) -> float:
    """The battery's power in a slot: request, cap, export limit, stored energy."""
    cap_W, low_W, high_W, reserve_permille = row
    power_W = float(max(low_W, 0) or (min(high_W, 0) if high_W != OPEN_W else 0))
    if power_W > 0 and store.now_J < reserve_permille / 1000 * store.energy_J:
        power_W = 0.0
    export_W = spec.size.control.get("grid_export_W_max", spec.size.export_W)
    power_W = min(max(power_W, net_W - cap_W), net_W + export_W)
    given_W = max(0.0, store.now_J - HARD * store.energy_J) * store.efficiency**0.5 / SLOT_S
    taken_W = max(0.0, store.energy_J - store.now_J) / store.efficiency**0.5 / SLOT_S
    return max(-store.charge_W, -taken_W, min(store.discharge_W, given_W, power_W))


def loses(changes: Mapping[str, Any]) -> Callable[[Result], Found]:
    """Part of the saving with an exact forecast of the load that is lost, percent."""

    def figure(result: Result) -> Found:
        spec, series = result.spec, result.series
        exact, other = (followed(spec, series, each) for each in (EXACT, changes))
        net_W = (series.load_W - series.pv_W)[: len(exact.grid_W)]
        costs = [_cost(spec, series, each) for each in (Way(net_W, 0.0, net_W), exact, other)]
        saved = costs[0] - costs[1]
        return (100 * (costs[2] - costs[1]) / saved if saved >= MONEY_MIN else None), None, None

    return figure


def _cost(spec: Spec, series: Series, way: Way) -> float:
    """The bill; energy that the battery gained or lost counts at the mean price."""
    price = series.price[: len(way.grid_W)]
    found = tariff.bill(spec.tariff, way.grid_W, SLOT_S, price, spec.start)
    worth = float(price.mean()) + spec.tariff["adder_per_kWh"]
    return found.total - way.kept_J / tariff.J_PER_KWH * worth


def noticed_kWh(result: Result) -> Found:
    """Import above the schedule's cap with notices of the jobs of the next slot; without them."""
    ways = [followed(result.spec, result.series, each) for each in (NOTICED, UNNOTICED)]
    over_kWh = [float(np.maximum(0, way.grid_W - way.caps_W).sum()) * SLOT_S for way in ways]
    return over_kWh[0] / tariff.J_PER_KWH, 0.0, over_kWh[1] / tariff.J_PER_KWH


FIGURES: dict[str, Callable[[Result], Found]] = {
    "yesterday_loses": loses(YESTERDAY),
    "error_loses": loses(ERRING),
    "noticed_kWh": noticed_kWh,
}
