"""Rules for a schedule: never beyond the store, never above the cap by choice, never dearer."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hil.systems import rules
from hil.systems.rules import Store
from tests.tables import table

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


# Slots of an hour, in kW and kWh. A battery of 100 kWh, of which 10 to 90 are used, 40 kW in, 30 kW
# out, 90 % each way, wear of 0.01 a kWh. Of each case: net power, price, cap, what differs; then
# power, stored and needed energy.
SMALL = {"energy_J": 100, "low_J": 10, "high_J": 90, "now_J": 10, "charge_W": 40, "discharge_W": 30}
SMALL |= {"efficiency": 0.81, "wear_per_kWh": 0.01}
PLANS = """
[20, 20, 20, 20] | [0.3, 0.14, 0.02, 0.01] | 1000 | {"now_J": 90} | \
    [20, 20, 20, 0] | [67.78, 45.56, 23.33, 23.33] | 0
[20, 20, 20] | [0.3, 0.14, 0.01] | 1000 | {"now_J": 60} | [20, 20, 0] | [37.78, 15.56, 15.56] | 0
[20, 20, 20] | [0.14, 0.3, 0.2] | 1000 | {"now_J": 40} | [-40, 20, 20] | [76, 53.78, 31.56] | 0
[10, 10, 50, 10] | [0.1, 0.1, 0.1, 0.1] | 30 | {} | \
    [-4.69, -20, 20, 0] | [14.22, 32.22, 10, 10] | [14.22, 22.22, 0, 0]
[10, 10, 50, 10] | [0.1, 0.1, 0.1, 0.1] | 30 | {"high_J": 20} | \
    [0, -11.11, 9, 0] | [10, 20, 10, 10] | [10, 10, 0, 0]
[10, 10, 80, 10] | [0.1, 0.1, 0.1, 0.1] | 30 | {"now_J": 60} | \
    [10, 5, 30, 0] | [48.89, 43.33, 10, 10] | [33.33, 33.33, 0, 0]
[20, 20, 20, 57, 57] | [0.1, 0.1, 0.1, 0.1, 0.1] | 30 | {} | \
    [-10, -10, -10, 24.3, 0] | [19, 28, 37, 10, 10] | [19, 27, 27, 0, 0]
[60, 10, 60, 10, 60] | [0.1, 0.1, 0.1, 0.1, 0.1] | 30 | {"now_J": 40} | \
    [27, -20, 16.2, -20, 16.2] | [10, 28, 10, 28, 10] | [10, 28, 10, 18, 0]
[50, 20, 50] | [0.1, 0.1, 0.1] | [60, 60, 40] | {} | \
    [0, -12.35, 10] | [10, 21.11, 10] | [10, 11.11, 0]
[20, 20, 20, 20] | [0.1, 0.05, 0.2, 0.1] | 1000 | {"now_J": 11, "idle_W": 1} | \
    [0, -40, 20, 9.7] | [10, 45, 21.78, 10] | 0
[20, 20, 20, 20] | [0.1, 0.05, 0.2, 0.02] | 1000 | {"now_J": 12, "idle_W": 1} | \
    [0, -25.8, 20, -1.11] | [11, 33.22, 10, 10] | 0
[20, 20, 20] | [0.2, 0.1, 0.15] | 1000 | {"now_J": 5} | [-5.56, -24.69, 20] | [10, 32.22, 10] | 0
[20, 20, -40, 20] | [0.1, 0.2, 0.1, 0.01] | 1000 | {"now_J": 90} | \
    [20, 20, -40, 0] | [67.78, 45.56, 81.56, 81.56] | 0
[20, -60, -5, 20] | [0.1, 0.1, 0.1, 0.3] | 1000 | {} | \
    [-24.69, -40, -5, 20] | [32.22, 68.22, 72.72, 50.5] | 0
[-30, 20] | [0.1, 0.2] | 1000 | {"now_J": 95} | [0, 20] | [95, 72.78] | 0
[20, 20, 20, 20] | [0.1, 0.05, 0.2, 0.3] | 1000 | {} | \
    [-9.38, -40, 20, 20] | [18.44, 54.44, 32.22, 10] | 0
[20, 20, 20, 20] | [0.05, 0.3, 0.06, 0.3] | 1000 | {"high_J": 40} | \
    [-33.33, 20, -16.05, 20] | [40, 17.78, 32.22, 10] | 0
[20, 20, 20] | [0.05, 0.06, 0.3] | 25 | {} | [-5, -5, 8.1] | [14.5, 19, 10] | 0
[20, 20] | [0.1, 0.136] | 1000 | {} | [-24.69, 20] | [32.22, 10] | 0
[20, 20] | [0.1, 0.135] | 1000 | {} | [0, 0] | [10, 10] | 0
[20, 20] | [0.25, 1.0] | 1000 | {"efficiency": 0.5, "wear_per_kWh": 0.25} | [0, 0] | [10, 10] | 0
[20, 20] | [0.25, 1.0] | 1000 | {"efficiency": 0.5, "saving": 0.5} | [-40, 20] | [38.28, 10] | 0
"""


@pytest.mark.parametrize(
    "net_kW, price, cap_kW, changes, power_kW, stored_kWh, needed_kWh", table(PLANS)
)
def test_a_plan_by_hand(net_kW, price, cap_kW, changes, power_kW, stored_kWh, needed_kWh):
    given_ = {
        name: value * {"J": KWH, "W": 1000}.get(name.rpartition("_")[2], 1)
        for name, value in (SMALL | changes).items()
    }
    caps_W = np.zeros(len(net_kW)) + np.array(cap_kW) * 1000.0
    net_W = np.array(net_kW) * 1000.0
    found = rules.plan(net_W, np.array(price), 3600.0, Store(**given_), caps_W)
    assert found.power_W / 1000 == pytest.approx(power_kW, abs=0.006)
    assert found.stored_J / KWH == pytest.approx(stored_kWh, abs=0.006)
    assert found.needed_J / KWH == pytest.approx(np.zeros(len(net_kW)) + needed_kWh, abs=0.006)
    assert found.grid_W == pytest.approx(net_W - found.power_W)


def test_without_trading_the_battery_keeps_cap_surplus_and_floor_alone():
    caps_W, price = np.full(4, 30e3), np.array([0.3, 0.05, 0.3, 0.3])
    store = STORE._replace(now_J=500 * KWH, discharge_W=30e3)
    net_W = np.array([20e3, 20e3, 40e3, -10e3])
    found = rules.plan(net_W, price, 3600.0, store, caps_W, is_trading=False)
    assert found.power_W.tolist() == pytest.approx([0, 0, 10e3, -10e3])


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
