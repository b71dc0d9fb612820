"""The plan of least cost against a linear program."""

from datetime import datetime

import highspy
import pytest
from hypothesis import given, settings, strategies as st
from test_tariff import tariff_of

from controller.planner import backtest, foresight, planning, tariff
from controller.planner.exact import BREAKS_PER_KWH, J_PER_KWH, Slot, Store, floors, plan

SLOT_S = 900.0
KWH = J_PER_KWH
POWERS_W = st.integers(-300, 600).map(lambda each: each * 1000.0)


@st.composite
def slots_of(draw):
    price = draw(st.integers(-100, 500)) / 1000
    feed_in = draw(st.integers(0, 200)) / 1000
    export_W = draw(st.sampled_from([0.0, 50e3, 400e3]))
    cap_W = draw(st.integers(0, 500)) * 1000.0
    return Slot(draw(POWERS_W), price, min(price, feed_in), cap_W, export_W)


@st.composite
def stores(draw):
    low, high, now = [draw(st.integers(*each)) * KWH for each in ((0, 40), (50, 300), (0, 350))]
    power_W = st.integers(10, 300).map(lambda each: each * 1000.0)
    wear, idle_W = draw(st.sampled_from([0.0, 0.01, 0.05])), draw(st.sampled_from([0.0, 900.0]))
    one_way = draw(st.sampled_from([1.0, 0.93]))
    now = max(now, 5 * KWH)
    return Store(low, high, now, draw(power_W), draw(power_W), one_way, wear, idle_W)


def least_cost(slots, store, end_per_kWh):
    """The same as a linear program."""
    solver = highspy.Highs()
    solver.silent()
    low_J, kWh_per_W = floors(slots, SLOT_S, store), SLOT_S / KWH
    high_kWh, at_kWh, cost = max(store.high_J, store.now_J) / KWH, store.now_J / KWH, 0.0
    for slot, floor_J in zip(slots, low_J[1:]):
        bought, sold, broken, given_, taken = [solver.addVariable(lb=0.0) for _ in range(5)]
        lost = solver.addVariable(lb=0.0, ub=max(0.0, -slot.net_W - slot.export_W))  # PV
        stored = solver.addVariable(lb=min(floor_J, high_kWh * KWH) / KWH, ub=high_kWh)
        for one, most_W in (
            (given_, store.discharge_W),
            (taken, store.charge_W),
            (sold, slot.export_W),
        ):
            solver.addConstr(one <= most_W)
        solver.addConstr(bought + broken - sold - lost == slot.net_W + taken - given_)
        solver.addConstr(bought <= slot.cap_W)
        moved = taken * (store.one_way * kWh_per_W) - given_ * (kWh_per_W / store.one_way)
        solver.addConstr(stored - at_kWh == moved - store.idle_W * kWh_per_W)
        cost += kWh_per_W * (
            slot.price_per_kWh * bought
            + BREAKS_PER_KWH * broken
            - slot.feed_in_per_kWh * sold
            + store.wear_per_kWh * given_
        )
        at_kWh = stored
    solver.minimize(cost - end_per_kWh * at_kWh)
    return solver.getObjectiveValue()


def cost_of(slots, found, store, end_per_kWh):
    """What the plan's net power costs."""
    cost = -end_per_kWh * found.stored_J[-1] / KWH
    for slot, power_W in zip(slots, found.power_W):
        grid_W = slot.net_W - power_W
        within_W, broken_W = min(grid_W, slot.cap_W), max(0.0, grid_W - slot.cap_W)
        bought_W, sold_W = max(0.0, within_W), min(slot.export_W, max(0.0, -grid_W))
        cost += (SLOT_S / KWH) * (
            slot.price_per_kWh * bought_W
            + BREAKS_PER_KWH * broken_W
            - slot.feed_in_per_kWh * sold_W
            + store.wear_per_kWh * max(0.0, power_W)
        )
    return cost


@settings(deadline=None, max_examples=150)
@given(st.lists(slots_of(), min_size=1, max_size=10), stores(), st.integers(0, 300))
def test_the_plan_costs_what_a_linear_program_costs(slots, store, end):
    slots = [
        slot._replace(
            price_per_kWh=abs(slot.price_per_kWh), feed_in_per_kWh=max(0.0, slot.feed_in_per_kWh)
        )
        for slot in slots
    ]
    found = plan(slots, SLOT_S, store, end / 1000)
    best = least_cost(slots, store, end / 1000)
    assert cost_of(slots, found, store, end / 1000) == pytest.approx(best, rel=1e-6, abs=1e-4)


@settings(deadline=None, max_examples=150)
@given(st.lists(slots_of(), min_size=1, max_size=10), stores(), st.integers(0, 300))
def test_at_a_negative_price_the_net_power_is_sent(slots, store, end):
    """A linear program may charge and discharge at once there, and waste what it is paid for."""
    found = plan(slots, SLOT_S, store, end / 1000)
    wasted = sum([_wasted(slot, store) for slot in slots])
    over = cost_of(slots, found, store, end / 1000) - least_cost(slots, store, end / 1000)
    assert -1e-4 <= over <= wasted + 1e-3


def _wasted(slot, store):
    """The most that a slot earns by losses, or by PV that it does not take while it buys."""
    paid = max(0.0, -slot.price_per_kWh, -slot.feed_in_per_kWh)
    losses_W = (1 / store.one_way**2 - 1) * (store.charge_W + store.discharge_W)
    return paid * (losses_W + max(0.0, -slot.net_W)) * SLOT_S / KWH


def test_the_sun_is_stored_before_the_grid_charges_and_used_when_energy_is_dearest():
    store = Store(100 * KWH, 900 * KWH, 100 * KWH, 500e3, 500e3, 0.9, 0.01, 0.0)
    slots = [Slot(-200e3, 0.1, 0.0, 1e6, 0.0)] * 4 + [Slot(300e3, 0.1, 0.0, 1e6, 0.0)] * 16
    slots += [Slot(300e3, 0.11, 0.0, 1e6, 0.0)] * 4
    found = plan(slots, SLOT_S, store, 0.0)
    assert found.power_W[:4] == [-200e3] * 4 and not any(found.power_W[4:20])
    assert sum(found.power_W[20:]) * SLOT_S == pytest.approx(0.81 * 200 * KWH)


def least_bill(site, past, stored_J):
    """The cost of perfect foresight as a linear program: peaks are variables."""
    solver, store, start = highspy.Highs(), site.store, planning.later(past.start, past.before)
    solver.silent()
    net_W, price = backtest.without(past).grid_W, past.price_per_kWh[past.before :]
    share, kWh = len(net_W) * SLOT_S / tariff.MONTH_S, SLOT_S / KWH
    at_kWh, cost, grid = stored_J / KWH, 0.0, []
    for each_W, each in zip(net_W, price):
        bought, taken, given_ = [
            solver.addVariable(lb=0.0, ub=most_W)
            for most_W in (site.import_W, store.charge_W, store.discharge_W)
        ]
        stored = solver.addVariable(lb=store.low_J / KWH, ub=store.high_J / KWH)
        solver.addConstr(bought == each_W + taken - given_)
        moved = taken * (store.one_way * kWh) - given_ * (kWh / store.one_way)
        solver.addConstr(stored - at_kWh == moved)
        cost += kWh * (each * bought + store.wear_per_kWh * given_)
        at_kWh = stored
        grid.append(bought)
    for charge in tariff.charges(site.tariff):
        peak, count = solver.addVariable(lb=0.0), charge.interval_min // 15
        cost += peak * (charge.rate(start.month) / 1000 * share)
        for first in range(0, len(grid), count):
            if charge.is_billed(planning.later(start, first)):
                solver.addConstr(peak >= sum(grid[first : first + count]) * (1 / count))
    mean = sum(price) / len(price)
    solver.minimize(cost - mean * at_kWh)
    return solver.getObjectiveValue() + mean * stored_J / KWH


DEMAND = (
    {"name": "day", "per_kW_month": [9.0], "hours": [6, 22]},
    {"name": "night", "per_kW_month": [3.0], "hours": [22, 6]},
    {"name": "noon", "per_kW_month": [4.0], "hours": [11, 13], "days": "working"},
    {"name": "winter", "per_kW_month": [50.0], "months": [1]},
)


@pytest.mark.parametrize("names, part", [("1", 0.99), ("12", 0.98), ("14", 0.99), ("123", 0.94)])
def test_perfect_foresight_of_several_charges_saves_what_a_linear_program_saves(names, part):
    demand = [{**DEMAND[int(name) - 1]} for name in names]
    store = Store(20 * KWH, 120 * KWH, 60 * KWH, 60e3, 60e3, 0.95)
    site = planning.Site(store, 130 * KWH, 400e3, 0.0, tariff_of(demand=demand))
    day_W = [100e3] * 28 + [140e3] * 16 + [180e3] * 8 + [150e3] * 32 + [110e3] * 12
    load_W = [each * (1 + at % 7 / 100) for at, each in enumerate(day_W * 5)]
    price = [0.05 + 0.08 * (each > 120e3) for each in load_W]
    past = backtest.Past(datetime(2026, 6, 1), load_W, [0.0] * 480, price, 96)
    without = backtest.cost(site, past, backtest.without(past))
    found = backtest.cost(site, past, foresight.optimum(site, past, store.now_J))
    least = least_bill(site, past, store.now_J)
    assert least - 1e-6 <= found <= without
    assert without - found >= part * (without - least)
