"""Computes the bounds of figures: the results of an ideal battery with perfect foresight.

The ideal battery has no losses; only the bound of the energy's cost counts losses. No real run can
be better than a bound.
"""

from datetime import timedelta

import numpy as np

from controller.planner import backtest, cap, foresight, tariff
from controller.planner.exact import Store
from hil.systems.run import Result
from hil.systems.sender import J_PER_WH, Sender
from hil.systems.series import SLOT_S, blocks
from hil.systems.spec import Spec

HALVINGS = 24  # 16 MW, halved so often, is less than 1 W


def _store(spec: Spec) -> Store:
    """The battery without losses and reserves."""
    size = spec.size
    energy_J, power_W = size.energy_Wh * J_PER_WH, float(size.power_W)
    soc = spec.soc_permille / 1000
    return Store(0.0, energy_J, soc * energy_J, power_W, power_W, 1.0)


def net_W(result: Result) -> np.ndarray:
    """The least power that grid and battery must feed together in each slot. The series of the
    planner are sampled once a minute and differ from the run, so the lower power counts.
    """
    series = result.series
    load_W = np.minimum(series.load_W, result.load_W)
    return load_W - np.maximum(series.pv_W, result.pv_W) - result.genset_W


def lowest_import_W(spec: Spec, net_W: np.ndarray) -> float:
    """Lower bound of the highest mean of a slot. net_W: as `net_W` returns it."""
    span = cap.Span(net_W.tolist(), [(True,)] * len(net_W), 0.0)
    return _lowest_of_span_W(spec, span, SLOT_S)


def lowest_billed_W(spec: Spec, net_W: np.ndarray) -> float:
    """Lower bound of the highest billed mean, for each demand charge alone. net_W: as `net_W`
    returns it.
    """
    return max([_lowest_W(spec, net_W, charge) for charge in tariff.charges(spec.tariff)])


def _lowest_W(spec: Spec, net_W: np.ndarray, charge: tariff.Charge) -> float:
    slots = round(charge.interval_min * 60 / SLOT_S)
    net_W = blocks(net_W, slots).mean(axis=1)
    length_s = slots * SLOT_S
    times = [spec.start + timedelta(seconds=length_s * index) for index in range(len(net_W))]
    billed = [(charge.is_billed(time),) for time in times]
    span = cap.Span(net_W.tolist(), billed, float(spec.size.import_W))
    return _lowest_of_span_W(spec, span, length_s)


def _lowest_of_span_W(spec: Spec, span: cap.Span, slot_s: float) -> float:
    return cap.lowest(
        span, slot_s, _store(spec), least_W=0.0, caps_W=[0.0], charge=0, halvings=HALVINGS
    )


def lowest_energy_cost(result: Result) -> float:
    """Lower bound of the cost of the energy, with the energy that the battery gained or lost.
    A plan with perfect foresight minimizes this cost alone, without wear. The charge band and
    the losses are those of the planner's site.
    """
    sender = Sender(result.spec, result.series, result.before)
    site, past = sender.site, sender.past
    alone = {"demand_per_kW_month": [0.0], "demand": [], "tag_per_kW_year": 0.0}
    store = site.store._replace(wear_per_kWh=0.0)
    site = site._replace(tariff={**site.tariff, **alone}, store=store)
    return backtest.cost(site, past, foresight.optimum(site, past, store.now_J))
