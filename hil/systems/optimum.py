"""The bound of a system: the lowest bill that its battery and its PV allow when all is known.

A linear program over the slots of the run, by HiGHS: energy by price, the highest billed interval
of each month, tags; power, energy and losses of the battery at its best efficiency, and as much
energy at the end as at the begin. What a sender without foresight saves is a share of this.
"""

from datetime import timedelta

import highspy
import numpy as np

from controller.planner import tariff
from controller.planner.tariff import MONTH_S, W_PER_KW
from hil.systems.run import Result
from hil.systems.series import SLOT_S

SLOT_H = SLOT_S / 3600
EFFICIENCY = 0.945  # of a round trip at its best power


def saving(result: Result) -> float:
    """Money that the battery saves with perfect foresight, against the site without it."""
    series, spec = result.series, result.spec
    net_W = series.load_W - series.pv_W - result.genset_W
    without = tariff.bill(spec.tariff, net_W, SLOT_S, series.price, spec.start)
    best = tariff.bill(spec.tariff, grid_W(result, net_W), SLOT_S, series.price, spec.start)
    return without.total - best.total


def grid_W(result: Result, net_W: np.ndarray) -> np.ndarray:
    """The import of each slot with the lowest bill. net_W: load less PV."""
    spec, count = result.spec, len(net_W)
    size, solver = spec.size, highspy.Highs()
    solver.silent()
    power_kW = size.units * size.rated_W / W_PER_KW
    energy_kWh, one_way = size.energy_Wh / W_PER_KW, EFFICIENCY**0.5
    low, high = spec.schedule["reserve_permille"] / 1000, spec.schedule["high_permille"] / 1000
    soc = spec.soc_permille / 1000
    charge, discharge = [solver.addVariables(count, lb=0.0, ub=power_kW) for _ in range(2)]
    stored = solver.addVariables(
        count, lb=min(low, soc) * energy_kWh, ub=max(high, soc) * energy_kWh
    )
    bought, sold = [solver.addVariables(count, lb=0.0) for _ in range(2)]
    for at in range(count):
        before = stored[at - 1] if at else soc * energy_kWh
        gained = charge[at] * (one_way * SLOT_H) - discharge[at] * (SLOT_H / one_way)
        solver.addConstr(stored[at] - before == gained)
        balance = bought[at] - sold[at] - charge[at] + discharge[at]
        solver.addConstr(balance == float(net_W[at]) / W_PER_KW)
    solver.addConstr(stored[count - 1] >= soc * energy_kWh)
    price = (result.series.price + spec.tariff["adder_per_kWh"]) * SLOT_H
    # a price below the feed-in is no reason to buy and sell at once
    feed_in = np.minimum(spec.tariff["feed_in_per_kWh"] * SLOT_H, price)
    cost = sum(
        [bought[at] * float(price[at]) - sold[at] * float(feed_in[at]) for at in range(count)]
    )
    cost += _demand(solver, result, bought, sold) + _tags(result, bought, sold)
    solver.minimize(cost)
    values = np.array(solver.getSolution().col_value)
    return (values[3 * count : 4 * count] - values[4 * count : 5 * count]) * W_PER_KW


def _demand(solver, result, bought, sold):  # type: ignore[no-untyped-def]
    spec, per = result.spec, round(result.spec.tariff["demand_interval_min"] * 60 / SLOT_S)
    rates, hours = spec.tariff["demand_per_kW_month"], spec.tariff["demand_hours"]
    peaks, cost = {}, 0.0
    for first in range(0, len(bought) - per + 1, per):
        time = spec.start + timedelta(seconds=first * SLOT_S)
        month = time.year, time.month
        if month not in peaks:
            peaks[month] = solver.addVariable(lb=0.0)
        rate = rates[(time.month - 1) % len(rates)]
        cost += peaks[month] * (rate * per * SLOT_S / MONTH_S)
        if tariff.is_billed(time, hours):
            mean = sum([bought[at] - sold[at] for at in range(first, first + per)]) * (1 / per)
            solver.addConstr(peaks[month] >= mean)
    return cost


def _tags(result, bought, sold):  # type: ignore[no-untyped-def]
    spec = result.spec
    hours = tariff.hours_of_tags(spec.tariff, result.series.price, SLOT_S, spec.start)
    if not hours or not spec.tariff["tag_per_kW_year"]:
        return 0.0
    share = len(bought) * SLOT_S / (12 * MONTH_S)
    weight = spec.tariff["tag_per_kW_year"] * share / len(hours) * SLOT_H
    return sum(
        [(bought[at] - sold[at]) * weight for hour in hours for at in range(4 * hour, 4 * hour + 4)]
    )
