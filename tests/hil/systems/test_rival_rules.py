"""The rival of the planner: never beyond the store, never above the cap by choice, never dearer."""

import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from controller.core.base.schedule_table import OPEN_W
from controller.planner import backtest, planning
from controller.planner.exact import Slot, Store
from hil.systems import rival_rules as rules
from tests.controller.planner.test_planning import SITE

SLOT_S = 900.0
KWH = 3.6e6
STORE = Store(100 * KWH, 900 * KWH, 500 * KWH, 500e3, 500e3, math.sqrt(0.86))


def planned(net_kW, price, store=STORE, cap_kW=10_000):
    caps_kW = cap_kW if isinstance(cap_kW, list) else [cap_kW] * len(net_kW)
    every = zip(net_kW, price, caps_kW)
    slots = [Slot(1000.0 * own, each, 0.0, 1000.0 * most, 0.0) for own, each, most in every]
    return rules.planned(slots, SLOT_S, store)


DAY = st.lists(st.integers(-800, 800), min_size=24, max_size=24)
PRICE = st.lists(st.integers(-50, 400), min_size=24, max_size=24)


@settings(max_examples=60, deadline=None)
@given(DAY, PRICE, st.integers(0, 900), st.integers(100, 900))
def test_a_plan_keeps_to_the_store_and_its_powers(net_kW, price, cap_kW, now_kWh):
    store = STORE._replace(now_J=now_kWh * KWH)
    found = planned(net_kW, [each / 1000 for each in price], store, cap_kW)
    assert found.stored_J.min() >= store.low_J - 1 and found.stored_J.max() <= store.high_J + 1
    assert np.abs(found.power_W).max() <= 500e3 + 1
    grid_W = np.array(net_kW) * 1000 - found.power_W
    assert (grid_W[found.power_W > 1] >= -1).all(), "nothing is discharged into the grid"
    assert (grid_W[found.power_W < -1] <= cap_kW * 1000 + 1).all()


def test_a_peak_above_the_cap_is_filled_for_before():
    store = STORE._replace(now_J=100 * KWH)
    net_kW = [300] * 20 + [700] * 4
    found = planned(net_kW, [0.1] * 24, store, cap_kW=500)
    grid_kW = (np.array(net_kW) * 1000 - found.power_W) / 1000
    assert grid_kW.max() == pytest.approx(500)
    assert found.stored_J[20] == pytest.approx((100 + 200 / 0.86**0.5) * KWH)
    assert list(found.power_W[:14]) == [0.0] * 14, "as late as the room below the cap allows"


def test_the_cap_of_a_slot_holds_in_this_slot_alone():
    """The cap of 500 kW holds from slot 20 on: before it any power may charge."""
    store, net_kW = STORE._replace(now_J=100 * KWH), [450] * 20 + [700] * 4
    found = planned(net_kW, [0.1] * 24, store, [1000] * 20 + [500] * 4)
    assert found.power_W[20:] == pytest.approx(200_000)
    assert not found.power_W[:18].any() and found.power_W[19] == pytest.approx(-500_000)


def test_the_cheapest_slots_charge_for_the_dearest_later_ones():
    price = [0.05] * 8 + [0.1] * 8 + [0.3] * 8
    store = STORE._replace(now_J=100 * KWH)
    found = planned([400] * 24, price, store)
    charged_kWh = -found.power_W[:8].sum() * SLOT_S / KWH
    given_kWh = found.power_W[16:].sum() * SLOT_S / KWH
    assert given_kWh == pytest.approx(0.86 * charged_kWh)
    assert given_kWh == pytest.approx(800 * 0.86**0.5, rel=1e-3) and not found.power_W[8:16].any()


@pytest.mark.parametrize("ratio, trades", ((1.0, False), (1.2, False), (1.5, True)))
def test_nothing_is_traded_below_losses_and_wear(ratio, trades):
    found = planned([400] * 24, [0.1] * 12 + [0.1 * ratio] * 12, STORE._replace(now_J=100 * KWH))
    assert found.power_W.any() == trades


def test_surplus_of_pv_is_stored_before_the_grid_charges_and_used_when_energy_is_dearest():
    price = [0.1] * 20 + [0.11] * 4
    found = planned([-200] * 4 + [300] * 20, price, STORE._replace(now_J=100 * KWH))
    assert list(found.power_W[:4]) == [-200_000] * 4 and not found.power_W[4:20].any()
    assert found.power_W[20:].sum() * SLOT_S == pytest.approx(0.86 * 200 * KWH)


def test_the_dearest_slots_before_a_surplus_make_room_for_it():
    """Full at first; 200 kWh of surplus arrive in the last four slots."""
    price = [0.1] * 16 + [0.2] * 4 + [0.1] * 4
    found = planned([400] * 20 + [-200] * 4, price, STORE._replace(now_J=900 * KWH))
    assert found.power_W[20:] == pytest.approx(-200_000)
    assert found.power_W[16:20] == pytest.approx(400_000), "the dearest slots give first"


def test_the_reserve_is_what_later_slots_need_below_the_cap(monkeypatch):
    """Two hours of 80 kW above it on each of two days: 160 and 320 of 500 kWh, beside 60."""
    day_W, way = [100e3] * 72 + [200e3] * 8 + [100e3] * 16, rules.Rules(SITE)
    history = day_W * 7, [0.0] * 672, [0.1] * 672, [0.1] * 96
    monkeypatch.setattr(way, "_cap_W", 120e3)
    rows = way(planning.Known(datetime(2026, 6, 8), *history, SITE.store.high_J, [0.0]))
    assert len(rows) == 96 and {row.grid_cap_W for row in rows} == {120_000}
    assert [rows[at].reserve_permille for at in (0, 71, 79, 95)] == [760, 760, 440, 440]
    assert [row.battery_low_W for row in rows[72:80]] == [80_000] * 8
    assert rows[80].battery_low_W == rows[80].battery_high_W == OPEN_W


def test_as_a_way_to_plan_they_hold_the_cap_of_the_days_before():
    day_W, price = [100e3] * 72 + [200e3] * 8 + [100e3] * 16, [0.05] * 24 + [0.1] * 72
    past = backtest.Past(datetime(2026, 6, 1), day_W * 5, [0.0] * 480, price * 5, 3 * 96)
    done = backtest.followed(SITE, past, SITE.store.now_J, rules.Rules(SITE))
    costs = [backtest.cost(SITE, past, each) for each in (done, backtest.without(past))]
    assert costs[0] < costs[1] and max(done.grid_W) < 130e3
