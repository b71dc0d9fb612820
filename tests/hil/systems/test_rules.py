"""Rules for a schedule: never beyond the store, never above the cap by choice, never dearer."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hil.systems import rules
from hil.systems.rules import Store

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


@pytest.mark.parametrize("saving, trades", ((0.40, True), (0.42, False)))
def test_a_kWh_spares_the_least_part_of_its_price_or_stays(saving, trades):
    """0.1 against 0.2 with losses of 14 %: 41.9 % are spared."""
    store = STORE._replace(now_J=100 * KWH, saving=saving)
    assert planned([400] * 24, [0.1] * 12 + [0.2] * 12, store).power_W.any() == trades


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
