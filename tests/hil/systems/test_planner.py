"""The sender of the schedule: its forecasts, the import that it keeps to, and their worth."""

import numpy as np
import pytest
from test_systems import TABLE

from hil.systems import planner as planner_module, replay, round_trip, rules, spec
from hil.systems.planner import Planner
from hil.systems.rules import Store
from hil.systems.series import Series

DAYS, SLOTS = 3, 288


def planner(schedule=(), load_W=None, **changes):
    given = TABLE | {"days": DAYS, "schedule": dict(schedule)} | changes
    chosen = spec.of_table(given, "test")
    load_W = np.arange(SLOTS) * 100.0 if load_W is None else load_W
    return Planner(chosen, Series(load_W, load_W, np.zeros(SLOTS), np.full(SLOTS, 0.1)))


def test_the_load_of_now_fades_into_that_of_yesterday():
    """Yesterday's slot 4, at slot 100, had 400 W; now the load is 9600 W above yesterday's."""
    found_W = planner().forecast_W(100)
    assert len(found_W) == SLOTS - 100 and found_W[0] == pytest.approx(400 + 9600)
    assert found_W[16] == pytest.approx(2000 + 9600 / np.e)
    assert found_W[91] == pytest.approx(9500, abs=50)
    assert found_W[92] == pytest.approx(0, abs=50), "tomorrow is like yesterday too"


def test_noticed_jobs_are_known_and_the_rest_is_not():
    found_W = planner({"notice_min": 30}).forecast_W(100)
    assert list(found_W[:2]) == [10_000, 10_100]
    assert found_W[2] == pytest.approx(600 + 9600 * np.exp(-2 / 16))


def test_a_load_that_is_known_or_of_the_first_day_is_exact_and_an_error_is_of_the_seed():
    exact_W = np.arange(100, SLOTS) * 100.0
    assert list(planner({"is_load_known": True}).forecast_W(100)) == list(exact_W)
    assert list(planner().forecast_W(0)[:96]) == list(np.arange(96) * 100.0)
    # the last day of the run is repeated
    last_W = list(planner({"is_load_known": True}).forecast_W(200))
    assert last_W == [*np.arange(200, SLOTS) * 100.0, *np.arange(192, SLOTS) * 100.0]
    erring = {"is_load_known": True, "forecast_error_permille": 100}
    ratios = planner(erring).forecast_W(100) / exact_W
    assert np.std(ratios) == pytest.approx(0.1, rel=0.2)
    assert list(ratios) == list(planner(erring).forecast_W(100) / exact_W)


@pytest.mark.parametrize("schedule, slots", (({}, [0, 4, 8]), ({"notice_min": 15}, range(9))))
def test_a_schedule_is_sent_each_hour_and_with_notices_in_each_slot(schedule, slots):
    sender = planner(schedule)
    assert [slot for slot in range(9) if sender.is_due(slot)] == list(slots)


def test_only_billed_hours_have_the_cap():
    """Working days from 6 to 22 h count; 90 % of 500 kW elsewhere."""
    load_W = np.full(SLOTS, 300e3)
    tariff = {"currency": "EUR", "demand_hours": [6, 22]}
    rows = planner({"cap_permille": 900}, load_W, tariff=tariff).rows(0, 0.9)
    caps_W = [row[0] for row in rows]
    assert set(caps_W[:24]) == set(caps_W[88:]) == {450_000}
    assert len(set(caps_W[24:88])) == 1 and 270_000 < caps_W[24] < 300_000


@pytest.mark.whole
def test_a_forecast_with_an_error_costs_and_an_exact_one_does_not():
    load_W = np.tile([100e3] * 72 + [200e3] * 24, DAYS)
    tariff = {"currency": "EUR", "demand_per_kW_month": [10.0]}
    chosen = planner({"cap_permille": 700}, load_W, tariff=tariff)
    result = type("Result", (), {"spec": chosen.spec, "series": chosen.series})
    assert replay.loses(replay.EXACT)(result)[0] == 0.0
    assert replay.loses({"is_load_known": True, "forecast_error_permille": 300})(result)[0] > 5


# two units of 50 kW and 100 kWh together; 100 kW, and 300 kW in the last hour of each day
SMALL = {"battery": {"units": 2, "racks_per_unit": 1, "rated_W": 50_000, "energy_Wh": 100_000}}
PEAKS_W = np.where(np.arange(SLOTS) % 96 >= 92, 300e3, 100e3)


@pytest.mark.parametrize(
    "schedule, cap_W",
    [
        ({}, 300_000),
        ({"cap_permille": 900}, 270_000),
        ({"cap_W": 280_000}, 280_000),
        # 90 to 15 % give 69.6 kWh, less what the converters draw in this hour; 2 % margin
        ({"cap_W": 10_000}, 234_070.3),
        ({"cap_permille": 100, "reserve_permille": 400}, 258_269.5),
        # nothing to give: never above the highest load
        ({"cap_W": 10_000, "reserve_permille": 499, "high_permille": 500}, 300_000),
    ],
)
def test_the_cap_is_as_asked_or_what_the_battery_holds(schedule, cap_W):
    assert planner(schedule, PEAKS_W, **SMALL).cap_W == pytest.approx(cap_W, abs=0.1)


def test_the_store_of_a_schedule_by_its_file():
    given = {"reserve_permille": 200, "high_permille": 800}
    given |= {"wear_per_kWh": 0.02, "saving_permille": 100}
    found = planner_module.store_of(planner(given, PEAKS_W, **SMALL).spec, 0.4)
    efficiency = round_trip.efficiency(planner(given, PEAKS_W, **SMALL).spec.size, {})
    assert found == Store(3.6e8, 7.2e7, 2.88e8, 1.44e8, 1e5, 1e5, efficiency, 0.02, 690.0, 0.1)
    assert 0.88 < efficiency < 0.92
    sleeping = planner({}, PEAKS_W, **SMALL, plant={"pcs_sleeps": 1}).spec
    assert planner_module.store_of(sleeping, 0.4).idle_W == 120.0


HELD = Store(100 * 3.6e6, 10 * 3.6e6, 90 * 3.6e6, 50 * 3.6e6, 40e3, 30e3, 0.81)


@pytest.mark.parametrize(
    "now_kWh, idle_kW, rooms_kW, is_held",
    [
        # 9 kW for a quarter of an hour take 2.5 kWh, 40 kW give 9 kWh
        (50, 0, [-30.0], True),
        (50, 0, [-30.001], False),
        (15, 0, [-9, -9], True),
        (15, 0, [-9, -9, -9], False),
        (15, 0, [-9, -9, 10, -8.1], True),
        (15, 0, [-9, -9, 10, -8.2], False),
        (50, 0, [100, *[-27] * 6], True),
        (50, 0, [100, *[-27] * 7], False),
        (89, 0, [100, *[-27] * 10], True),
        (89, 0, [100, *[-27] * 11], False),
        (15, 4, [0] * 5, True),
        (15, 4, [0] * 6, False),
    ],
)
def test_a_battery_holds_a_cap_as_long_as_its_energy_lasts(now_kWh, idle_kW, rooms_kW, is_held):
    store = HELD._replace(now_J=now_kWh * 3.6e6, idle_W=idle_kW * 1000)
    assert planner_module._is_held(store, np.array(rooms_kW) * 1000.0) == is_held


def test_the_first_slot_of_the_second_day_has_no_load_of_now_to_compare():
    """Yesterday's first slot had 0 W. The last slot of the run is not known."""
    assert planner().forecast_W(96)[0] == 0.0
    assert planner().forecast_W(97)[0] == pytest.approx(100 + 9600)
    assert planner().forecast_W(95)[0] == 9500.0


def test_an_error_of_the_forecast_is_a_part_of_the_load():
    found_W = planner({"is_load_known": True, "forecast_error_permille": 200}).forecast_W(100)
    parts = np.random.default_rng(1).normal(size=188)
    assert found_W == pytest.approx(np.arange(100, SLOTS) * 100.0 * (1 + 0.2 * parts))


def test_prices_of_tomorrow_are_known_from_13_h_and_the_sun_is_that_of_yesterday():
    load_W, price = np.full(SLOTS, 300e3), np.repeat([0.1, 0.2, 0.3], 96)
    chosen = spec.of_table(TABLE | {"days": DAYS, "schedule": {}}, "test")
    pv_W = np.repeat([1e5, 2e5, 0.0], 96)
    sender = Planner(chosen, Series(load_W, load_W, pv_W, price))
    # only who knows that tomorrow is dearer charges today
    asked = [[row[2] for row in sender.rows(slot, 0.5)] for slot in (96 + 51, 96 + 52)]
    assert [any(rules.OPEN_W < each < 0 for each in day) for day in asked] == [False, True]
    assert set(sender.forecast_W(100)) == {200e3} and set(sender.forecast_W(200)) == {100e3}
    assert set(sender.forecast_W(4)) == {200e3}
