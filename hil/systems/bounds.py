"""Bounds that power, energy and arithmetic set to a figure: a battery without losses, whose owner
knows the future.

A bound is never below what a real run can reach; a kind one only says less.
"""

from datetime import timedelta

import numpy as np

from controller.planner import cap, tariff
from controller.planner.exact import Store
from hil.systems.run import Result
from hil.systems.sender import J_PER_WH
from hil.systems.series import KWH_PER_W_SLOT, SLOT_S, blocks
from hil.systems.spec import Spec

HALVINGS = 24  # what is found is above the bound by less than 1 W in 16 MW


def _store(spec: Spec) -> Store:
    """The battery without losses and reserves."""
    size = spec.size
    energy_J, power_W = size.energy_Wh * J_PER_WH, float(size.power_W)
    soc = spec.soc_permille / 1000
    return Store(0.0, energy_J, soc * energy_J, power_W, power_W, 1.0)


def net_W(result: Result) -> np.ndarray:
    """Power that grid and battery feed together, at least, of each slot. The series of the planner
    are sampled once a minute and differ from the run: the kinder of both counts.
    """
    series = result.series
    load_W = np.minimum(series.load_W, result.load_W)
    return load_W - np.maximum(series.pv_W, result.pv_W) - result.genset_W


def lowest_import_W(spec: Spec, net_W: np.ndarray) -> float:
    """Highest mean of a slot, at least. net_W: of each slot, what the battery does not feed."""
    span = cap.Span(net_W.tolist(), [(True,)] * len(net_W), 0.0)
    return cap.lowest(span, SLOT_S, _store(spec), halvings=HALVINGS)


def lowest_billed_W(spec: Spec, net_W: np.ndarray) -> float:
    """Highest mean of a billed interval, at least: each demand charge alone. net_W: as above."""
    return max([_lowest_W(spec, net_W, each) for each in tariff.charges(spec.tariff)])


def _lowest_W(spec: Spec, net_W: np.ndarray, charge: tariff.Charge) -> float:
    slots = round(charge.interval_min * 60 / SLOT_S)
    net_W = blocks(net_W, slots).mean(axis=1)
    length_s = slots * SLOT_S
    times = [spec.start + timedelta(seconds=length_s * at) for at in range(len(net_W))]
    billed = [(charge.is_billed(each),) for each in times]
    span = cap.Span(net_W.tolist(), billed, float(spec.size.import_W))
    return cap.lowest(span, length_s, _store(spec), halvings=HALVINGS)


def lowest_energy_cost(spec: Spec, net_W: np.ndarray, price: np.ndarray) -> float | None:
    """Cost of the energy, at least: bought in the cheapest slots, as far as the battery's power
    moves it there. None where feed-in is paid. price: per kWh, without adders.
    """
    given = spec.tariff
    if given["feed_in_per_kWh"]:
        return None
    power_W = spec.size.power_W
    first_W = spec.size.energy_Wh * J_PER_WH * spec.soc_permille / 1000 / SLOT_S
    least_W = np.maximum(0.0, net_W - power_W)
    left_W = max(0.0, float(net_W.sum()) - first_W - float(least_W.sum()))
    price = price + given["adder_per_kWh"]
    order = np.argsort(price)
    room_W = np.maximum(0.0, net_W + power_W)[order] - least_W[order]
    taken_W = np.diff(np.minimum(room_W.cumsum(), left_W), prepend=0.0)
    bought_W = least_W.copy()
    bought_W[order] += taken_W
    negative = np.minimum(0.0, price) * np.maximum(0.0, net_W + power_W - bought_W)
    return float((bought_W * price + negative).sum()) * KWH_PER_W_SLOT
