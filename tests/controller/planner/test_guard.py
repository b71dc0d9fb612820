"""Never worse than no battery: no billed peak above the one without it, whatever the load does."""

import math
import random
from datetime import datetime

import pytest
from hypothesis import given, settings, strategies as st
from test_tariff import tariff_of

from controller.planner import accounts, backtest, guard, learnt, planning
from controller.planner.daily import Daily
from controller.planner.exact import J_PER_KWH, Store
from controller.planner.planning import SLOTS_PER_DAY, Known, Site

TARIFF = tariff_of(adder_per_kWh=0.05, demand_per_kW_month=[8.0])
STORE = Store(97 * J_PER_KWH, 580 * J_PER_KWH, 320 * J_PER_KWH, 250e3, 250e3, 0.94)
SITE = Site(STORE, 645 * J_PER_KWH, 500e3, 0.0, TARIFF)
OCTOBER = datetime(2026, 10, 1)


def load_W(draw, days, level):
    """A working day, weekends lower, noise; its level changes with October."""
    found, noise_W = [], 0.0
    for at in range(days * SLOTS_PER_DAY):
        day, slot = divmod(at, SLOTS_PER_DAY)
        noise_W = 0.97 * noise_W + draw.gauss(0, 8e3)
        wave = 60e3 * max(0.0, math.sin(2 * math.pi * (slot - 28) / SLOTS_PER_DAY))
        own_W = 260e3 + wave - 40e3 * (day % 7 >= 5) + noise_W
        found.append(max(50e3, own_W * (level if day >= 14 else 1.0)))
    return found


@pytest.mark.parametrize("level, interval_min", [(0.75, 15), (0.6, 60), (1.2, 15)])
def test_a_month_whose_load_changes_pays_no_higher_peak(level, interval_min):
    draw, days = random.Random(1), 17
    site = SITE._replace(tariff=TARIFF | {"demand_interval_min": interval_min})
    price = [0.08 + 0.05 * math.sin(2 * math.pi * (at % 96 - 50) / 96) for at in range(days * 96)]
    none = [0.0] * len(price)
    past = backtest.Past(datetime(2026, 9, 17), load_W(draw, days, level), none, price, 14 * 96)
    way = Daily(site)
    done = backtest.followed(site, past, STORE.now_J, lambda known: way.planned(known).rows)
    (own_W,), (without_W,) = [
        accounts.peaks_W(site, OCTOBER, each.grid_W) for each in (done, backtest.without(past))
    ]
    assert done.given_J > 0 and own_W <= without_W + 1


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0, 400e3), st.floats(-0.2, 0.4), st.integers(0, 95))
def test_a_charge_stays_below_what_the_month_has_paid(seed, peak_W, dear, slot):
    """Also where the price is negative and the load is not the one foreseen."""
    draw = random.Random(seed)
    load, price = load_W(draw, 2, 1.0), [draw.uniform(-0.1, 0.1) + dear for _ in range(192)]
    time = datetime(2026, 10, 3, slot // 4, slot % 4 * 15)
    stored_J = draw.uniform(STORE.low_J / 2, STORE.high_J)
    known = Known(time, load, [0.0] * 192, price, price, stored_J, [peak_W])
    paid_W = max(peak_W, *load)
    assert guard.charge_to_W(TARIFF, time, planning.past_of(SITE, known), [peak_W]) == [paid_W]
    for habit in (planning.HOLDS_CAP, planning.TRADES):
        caps_W = learnt.caps_of(SITE, known, habit)
        found = planning.planned(SITE, known, caps_W, habit)
        for each, power_W, row in zip(found.slots, found.plan.power_W, found.rows):
            if power_W < 0:
                assert each.net_W - power_W <= max(min(found.cap_W, paid_W), each.net_W) + 1
            net_W = draw.uniform(0, 500e3)
            own_W = backtest.power_W(row, net_W, stored_J, SITE)
            assert own_W >= 0 or net_W - own_W <= max(paid_W, each.net_W) + 1


def test_the_paid_peak_is_that_of_whole_intervals_of_this_month():
    load = [900e3] * 96 + [100e3, 300e3, 100e3, 100e3] * 2 + [500e3]
    past, time = (load, [(True,)] * len(load)), datetime(2026, 10, 1, 2, 15)
    for interval_min, paid_W in ((15, 500e3), (30, 200e3), (60, 150e3)):
        tariff = TARIFF | {"demand_interval_min": interval_min}
        assert guard.charge_to_W(tariff, time, past, [0.0]) == [paid_W]
    assert guard.charge_to_W(TARIFF, time, (load, [(False,)] * len(load)), [7.0]) == [7.0]
    assert guard.charge_to_W(TARIFF | {"demand_per_kW_month": [0.0]}, time, past, [0.0]) == [
        math.inf
    ]


def test_carbon_has_a_price_where_the_site_gives_one():
    known = Known(
        OCTOBER, [1.0], [0.0], [0.1], [0.1] * 4, 0.0, [0.0], carbon_g_per_kWh=[400.0, 200.0]
    )
    site = SITE._replace(tariff=TARIFF | {"carbon_per_t": 100.0})
    assert [planning.adder(site, known, at) for at in range(3)] == [0.09, 0.07, 0.07]
    assert (
        planning.adder(SITE, known, 0)
        == 0.05
        == planning.adder(site, known._replace(carbon_g_per_kWh=()), 0)
    )


def test_each_charge_lets_the_battery_charge_up_to_its_own_paid_peak():
    demand = [
        {"name": "noon", "per_kW_month": [9.0], "hours": [12, 14], "interval_min": 60},
        {"name": "rest", "per_kW_month": [1.0], "hours": [14, 12]},
        {"name": "winter", "per_kW_month": [5.0], "months": [1]},
    ]
    load = [100e3, 200e3, 100e3, 100e3] * 12 + [300e3, 500e3, 300e3, 300e3] * 2 + [100e3] * 8
    site = SITE._replace(tariff=tariff_of(demand=demand))
    time, none = datetime(2026, 10, 1, 16), [0.0] * len(load)
    known = Known(time, load, none, none, none, 0.0, [320e3, 210e3, 0.0])
    past = planning.past_of(site, known)
    assert guard.charge_to_W(site.tariff, time, past, [0.0] * 3) == [350e3, 200e3, math.inf]
    assert guard.charge_to_W(site.tariff, time, past, known.peaks_W) == [350e3, 210e3, math.inf]


def test_only_a_cap_above_the_last_days_lets_a_charge_pass_what_is_paid():
    """The rest of the day rises for the noon: the battery charges up to that cap."""
    load = ([100e3] * 48 + [200e3] * 8 + [100e3] * 40) * 3
    demand = [
        {"name": "noon", "per_kW_month": [9.0], "hours": [12, 14]},
        {"name": "rest", "per_kW_month": [1.0], "hours": [14, 12]},
    ]
    site = SITE._replace(tariff=tariff_of(demand=demand))
    none, price = [0.0] * len(load), [0.1] * len(load)
    known = Known(datetime(2026, 10, 4), load, none, price, price, STORE.low_J, [0.0, 0.0])
    for rest_W, to_W in ((99e3, 100e3), (104e3, 104e3)):
        found = planning.planned(site, known, [190e3, rest_W], planning.TRADES)
        assert {slot.charge_to_W for slot in found.slots} == {200e3, to_W}


def test_the_peaks_of_the_month_have_the_length_of_each_charge():
    tables = [{"name": str(at), "per_kW_month": [1.0], "interval_min": at} for at in (60, 15, 30)]
    peaks = backtest.Peaks(SITE._replace(tariff=tariff_of(demand=tables)))
    for at, each_W in enumerate([100e3, 300e3, 200e3, 0.0, 90e3, 90e3, 90e3]):
        peaks.see(planning.later(OCTOBER, at), each_W)
    assert peaks.of(OCTOBER) == [150e3, 300e3, 200e3]
    assert peaks.of(datetime(2026, 11, 1)) == [0.0] * 3
