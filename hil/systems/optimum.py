"""The bound of a system: the lowest bill that battery and PV allow with perfect foresight.

HiGHS solves a linear program over the slots of the run. The bill has energy by price, the highest
billed interval of each month, and capacity tags: a charge for the import in the grid's dearest
hours. The battery has its power, its energy and its best efficiency, and begins and ends with the
charge of the run. No run can do better, because the program has no auxiliaries, may leave PV
unused, and may use the widest band of charge that the run used.
"""

import os
import sys
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from controller.planner import tariff
from controller.planner.tariff import MONTH_S, W_PER_KW, Bill, Charge, charges
from hil.plant.cells import OCV_V
from hil.systems.run import Result
from hil.systems.series import SLOT_S
from hil.systems.sized import CELL_V

try:
    import highspy
except ImportError:  # a machine without the extra "lab"
    highspy = None  # type: ignore[assignment]

SLOT_H = SLOT_S / 3600
EFFICIENCY = 0.945  # round trip at the best power
MISSING = "no bound of the bill: it needs a package that is not here: .venv/bin/pip install highspy"


class Model(NamedTuple):
    """The linear program of a run. It has variables for each slot, in kW and kWh."""

    solver: Any
    result: Result
    bought: Any
    sold: Any


def bill(result: Result) -> Bill | None:
    """The lowest bill, without fuel. None: HiGHS is not installed."""
    if highspy is None:
        return None
    series, spec, model = result.series, result.spec, _model(result)
    price = (series.price + spec.tariff["adder_per_kWh"]) * SLOT_H
    # If the price is below the feed-in, the program must not buy and sell at once.
    feed_in = np.minimum(spec.tariff["feed_in_per_kWh"] * SLOT_H, price)
    cost = _dot(model.bought, price) - _dot(model.sold, feed_in)
    peaks = [month for charge in charges(spec.tariff) for month in _peaks(model, charge)]
    cost += _tags(model) + sum([peak * rate for rate, peak in peaks])
    return tariff.bill(spec.tariff, _solved_W(model, cost), SLOT_S, series.price, spec.start)


def _dot(variables: Any, factors: np.ndarray) -> Any:
    return sum([variable * float(factor) for variable, factor in zip(variables, factors)])


def _model(result: Result) -> Model:
    """The program with the balance of each slot and of the store, without its cost."""
    spec, pv_W = result.spec, np.maximum(result.series.pv_W, result.pv_W)
    solver, size, count = _solver(), spec.size, len(pv_W)
    power_kW = size.power_W / W_PER_KW
    begin, one_way = spec.soc_permille / 1000, EFFICIENCY**0.5
    low = min(spec.schedule["reserve_permille"] / 1000, begin, float(result.soc.min()))
    high = max(spec.schedule["high_permille"] / 1000, begin, float(result.soc.max()))
    whole_kWh = size.energy_Wh / W_PER_KW * OCV_V.at(high) / CELL_V
    charge, discharge = [solver.addVariables(count, lb=0.0, ub=power_kW) for _ in range(2)]
    stored = solver.addVariables(count, lb=low * whole_kWh, ub=high * whole_kWh)
    bought, sold = [solver.addVariables(count, lb=0.0) for _ in range(2)]
    spilled = [solver.addVariable(lb=0.0, ub=float(most_W) / W_PER_KW) for most_W in pv_W]
    needed_kW = (result.wanted_W - pv_W - result.genset_W) / W_PER_KW
    for slot in range(count):
        before = stored[slot - 1] if slot else begin * whole_kWh
        gained = charge[slot] * (one_way * SLOT_H) - discharge[slot] * (SLOT_H / one_way)
        solver.addConstr(stored[slot] - before == gained)
        balance = bought[slot] - sold[slot] - charge[slot] + discharge[slot] - spilled[slot]
        solver.addConstr(balance == float(needed_kW[slot]))
    solver.addConstr(stored[count - 1] >= min(begin, float(result.soc[-1])) * whole_kWh)
    return Model(solver, result, bought, sold)


def _solver() -> Any:
    """A solver that prints nothing. The first solver in a process writes a banner to file
    descriptor 1, so descriptor 1 is redirected meanwhile.
    """
    sys.stdout.flush()
    stdout_fd = os.dup(1)
    with open(os.devnull, "wb") as devnull:
        os.dup2(devnull.fileno(), 1)
        try:
            solver = highspy.Highs()
        finally:
            os.dup2(stdout_fd, 1)
            os.close(stdout_fd)
    solver.silent()
    return solver


def _solved_W(model: Model, cost: Any) -> np.ndarray:
    """The import of each slot at the lowest cost."""
    model.solver.minimize(cost)
    powers_W = np.array(model.solver.getSolution().col_value) * W_PER_KW
    bought, sold = [
        [variable.index for variable in variables] for variables in (model.bought, model.sold)
    ]
    return powers_W[bought] - powers_W[sold]


def _peaks(model: Model, charge: Charge) -> list[tuple[float, Any]]:
    """(money per kW, highest billed mean) of each month of a demand charge."""
    spec = model.result.spec
    slots = round(charge.interval_min * 60 / SLOT_S)
    rates: dict[tuple[int, int], float] = {}
    peaks: dict[tuple[int, int], Any] = {}
    bought, sold = model.bought, model.sold
    for first in range(0, len(bought) - slots + 1, slots):
        time = spec.start + timedelta(seconds=first * SLOT_S)
        month = time.year, time.month
        peak = peaks.setdefault(month, model.solver.addVariable(lb=0.0))
        rate = charge.rate(time.month) * slots * SLOT_S / MONTH_S
        rates[month] = rates.get(month, 0.0) + rate
        if charge.is_billed(time):
            total = sum([bought[slot] - sold[slot] for slot in range(first, first + slots)])
            model.solver.addConstr(peak >= total * (1 / slots))
    return list(zip(rates.values(), peaks.values()))


def _tags(model: Model) -> Any:
    spec, count = model.result.spec, len(model.bought)
    hours = tariff.hours_of_tags(spec.tariff, model.result.series.price, SLOT_S, spec.start)
    if not hours or not spec.tariff["tag_per_kW_year"]:
        return 0.0
    weight = spec.tariff["tag_per_kW_year"] * count * SLOT_S / (12 * MONTH_S) / len(hours) * SLOT_H
    slots = [slot for hour in hours for slot in range(4 * hour, 4 * hour + 4)]
    return sum([(model.bought[slot] - model.sold[slot]) * weight for slot in slots])
