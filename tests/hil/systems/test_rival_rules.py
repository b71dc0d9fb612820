"""The rival of the planner: never beyond the store, never above the cap by choice, never dearer."""

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from controller.planner import backtest
from hil.systems import rival_rules as rules
from hil.systems.rival_rules import Store
from tests.controller.planner.test_planning import SITE

SLOT_S = 900.0
KWH = 3.6e6
STORE = Store(1000 * KWH, 100 * KWH, 900 * KWH, 500 * KWH, 500e3, 500e3)


def planned(net_kW, price, store=STORE, cap_kW=10_000):
    net_W = np.array(net_kW, float) * 1000
    caps_W = np.full(len(net_W), cap_kW * 1000.0)
    return rules.plan(net_W, np.array(price, float), SLOT_S, store, caps_W)


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
    assert found.stored_J[19] == pytest.approx((100 + 200 / 0.86**0.5) * KWH)
    assert list(found.power_W[:14]) == [0.0] * 14, "as late as the room below the cap allows"


def test_the_cap_of_a_slot_holds_in_this_slot_alone():
    """The cap of 500 kW holds from slot 20 on: before it any power may charge."""
    caps_W = np.array([1000.0] * 20 + [500.0] * 4) * 1000
    store, net_W = STORE._replace(now_J=100 * KWH), np.array([450.0] * 20 + [700.0] * 4) * 1000
    found = rules.plan(net_W, np.full(24, 0.1), SLOT_S, store, caps_W)
    assert found.grid_W[20:] == pytest.approx(500_000)
    assert not found.power_W[:18].any() and found.grid_W[19] == pytest.approx(950_000)


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


def test_slots_ask_for_the_power_and_keep_what_later_ones_need():
    found = planned([400] * 24, [0.05] * 12 + [0.3] * 12)
    rows = rules.slots(found, STORE, np.full(24, 600e3))
    charging = [row for row, power_W in zip(rows, found.power_W) if power_W < 0]
    giving = [row for row, power_W in zip(rows, found.power_W) if power_W > 0]
    assert charging and all(row[1] == rules.OPEN_W and row[2] < 0 for row in charging)
    assert giving and all(row[1] > 0 and row[2] == rules.OPEN_W for row in giving)
    assert all(row[0] == 600_000 and 100 <= row[3] <= 900 for row in rows)


def test_a_slot_that_stores_surplus_asks_for_no_power_and_forbids_to_give_it_back():
    found = planned([-200] * 4 + [300] * 20, [0.1] * 24, STORE._replace(now_J=100 * KWH))
    rows = rules.slots(found, STORE, np.full(24, 600e3))
    assert [row[1:3] for row in rows[:4]] == [(rules.OPEN_W, 0)] * 4


def test_the_bands_of_the_slots_by_hand():
    """No power; from the grid; by 1000 W at most, so from PV; discharge; a full reserve."""
    found = rules.Plan(
        np.array([0.0, -5000.4, -5000.0, 7000.6, 1.0]),
        np.array([1000.0, 1001.0, 1000.0, 500.0, 0.0]),
        np.zeros(5),
        np.array([0.0, 5.0, 20.0, 79.9, 85.0]) * KWH,
    )
    store = Store(100 * KWH, 10 * KWH, 90 * KWH, 50 * KWH, 40e3, 30e3)
    assert rules.slots(found, store, np.array([400.6, 1, 2, 3, 4])) == [
        (401, rules.OPEN_W, rules.OPEN_W, 100),
        (1, rules.OPEN_W, -5000, 150),
        (2, rules.OPEN_W, 0, 300),
        (3, 7001, rules.OPEN_W, 899),
        (4, 1, rules.OPEN_W, 900),
    ]


def test_as_a_way_to_plan_they_hold_the_cap_of_the_days_before():
    day_W, price = [100e3] * 72 + [200e3] * 8 + [100e3] * 16, [0.05] * 24 + [0.1] * 72
    past = backtest.Past(datetime(2026, 6, 1), day_W * 5, [0.0] * 480, price * 5, 3 * 96)
    done = backtest.followed(SITE, past, SITE.store.now_J, rules.Rules(SITE))
    costs = [backtest.cost(SITE, past, each) for each in (done, backtest.without(past))]
    assert costs[0] < costs[1] and max(done.grid_W) < 130e3
