"""The sender of a system: the box's planner, told what the file of the system says."""

import ast
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from test_systems import TABLE

import hil.systems
from controller.core.base.schedule_table import OPEN_W
from controller.planner import backtest
from hil.systems import round_trip, schedule_alone, sender, series as system_series, spec
from hil.systems.sender import LoadToCome, Sender
from hil.systems.series import BEFORE_DAYS, Series
from tests.tables import cases

DAYS, SLOTS = 3, 288
RISING_W = np.arange(SLOTS) * 100.0
FLAT_W = np.full(96, 300e3)
PAID = {"currency": "EUR", "demand_per_kW_month": [10.0]}


def series(load_W, pv_W=0.0, price=0.1):
    """A series of this load, and others that follow its length."""
    zeros = np.zeros(len(load_W))
    return Series(load_W, load_W, zeros + pv_W, zeros + price)


def chosen(schedule=(), **changes):
    return spec.of_table(TABLE | {"days": DAYS, "schedule": dict(schedule)} | changes, "test")


def made(own, before, schedule=(), **changes):
    return Sender(chosen(schedule, **changes), own, before)


def told_W(schedule):
    """The load that is told at slot 100 of a run with a rising load."""
    given = chosen(schedule)
    past = sender.past_of(given, series(FLAT_W), series(RISING_W))
    known = backtest.known_at(past, past.before + 100, 0.0, [0.0])
    return LoadToCome(given, past)(known).load_W


@pytest.mark.parametrize("given, low_part", [({}, 0.2), ({"start_soc_permille": 350}, 0.35)])
def test_a_load_that_yields_does_so_from_the_charge_of_the_file_or_the_default_of_the_box(
    given, low_part
):
    cap = {"role": "load_cap", "profile": "mqtt_load_cap", "lower_W_max": 50_000, **given}
    agreed = sender.site_of(chosen(device={"cap": cap})).yields
    assert agreed.most_W == 50_000 and agreed.low_part == low_part


def test_noticed_jobs_are_known_and_the_rest_is_not():
    assert told_W({}) == [] and told_W({"notice_min": 30}) == [10_000, 10_100]


def test_a_load_that_is_known_is_exact_and_an_error_is_a_part_of_it_by_the_seed():
    assert told_W({"is_load_known": True}) == list(RISING_W[100:])
    erring = {"is_load_known": True, "forecast_error_permille": 200}
    parts = np.random.default_rng(1).normal(size=188)
    assert told_W(erring) == pytest.approx(RISING_W[100:] * (1 + 0.2 * parts))
    assert told_W(erring) == told_W(erring)


@pytest.mark.parametrize("schedule, slots", (({}, [0, 4, 8]), ({"notice_min": 15}, range(9))))
def test_a_schedule_is_sent_each_hour_and_with_notices_in_each_slot(schedule, slots):
    one = made(series(RISING_W), series(FLAT_W), schedule)
    assert [slot for slot in range(9) if one.is_due(slot)] == list(slots)


def test_only_billed_hours_have_the_cap_that_the_days_before_teach():
    """Working days from 6 to 22 h count; 90 % of 500 kW elsewhere."""
    load_W = np.tile([100e3] * 72 + [150e3] * 4 + [100e3] * 20, BEFORE_DAYS)
    tariff = PAID | {"demand_hours": [6, 22]}
    rows = made(series(load_W), series(load_W), tariff=tariff).rows(0, 0.5)
    caps_W = [row.grid_cap_W for row in rows]
    assert set(caps_W[:24]) == set(caps_W[88:]) == {450_000}
    assert len(set(caps_W[24:88])) == 1 and 70_000 < caps_W[24] < 100_000


def test_the_peak_of_the_month_is_paid_already():
    """Half an hour above the cap: from then on no cap is below it."""
    load_W = np.tile([100e3] * 72 + [150e3] * 4 + [100e3] * 20, BEFORE_DAYS)
    one = made(series(load_W), series(load_W), tariff=PAID)
    assert one.rows(0, 0.5)[0].grid_cap_W < 130e3
    one.saw(0, 180e3)
    assert one.rows(4, 0.5)[0].grid_cap_W == 180_000 == one.cap_W


def test_prices_of_tomorrow_are_known_from_13_h_and_the_sun_is_that_of_yesterday():
    price = np.repeat([0.1, 0.2, 0.3], 96)
    pv_W = np.repeat([1e5, 2e5, 0.0], 96)
    one = made(series(np.full(SLOTS, 300e3), pv_W, price), series(FLAT_W))
    # only who knows that tomorrow is dearer charges today
    asked = [[row.battery_high_W for row in one.rows(slot, 0.5)] for slot in (147, 148)]
    assert [any(OPEN_W < each < 0 for each in day) for day in asked] == [False, True]


def test_an_event_is_a_limit_from_its_announcement_on():
    event = {"day": 1, "hour": 5, "hours": 1, "cap_W": 150e3, "announced_h": 1}
    one = made(series(FLAT_W), series(FLAT_W), event=[event])
    caps_W = [[row.grid_cap_W for row in one.rows(slot, 0.8)] for slot in (12, 16)]
    assert set(caps_W[0]) == {450_000}
    assert [at for at, each in enumerate(caps_W[1]) if each == 150_000] == [4, 5, 6, 7]


def test_without_trading_load_tracking_has_the_battery_for_itself():
    """A peak above nothing that is kept, and prices that would pay: no power is asked for."""
    load_W = np.tile([100e3] * 48 + [200e3] * 48, BEFORE_DAYS)
    given = series(load_W, 0.0, np.tile([0.05] * 48 + [0.5] * 48, BEFORE_DAYS))
    rows = made(given, given, {"is_trading": False}, tariff=PAID).rows(0, 0.5)
    assert {row[:3] for row in rows} == {(450_000, OPEN_W, OPEN_W)}


SMALL = {"battery": {"units": 2, "racks_per_unit": 1, "rated_W": 50_000, "energy_Wh": 100_000}}


def test_the_store_of_a_schedule_by_its_file():
    given = {"reserve_permille": 200, "high_permille": 800, "wear_per_kWh": 0.02}
    found = sender.store_of(chosen(given, soc_permille=400, **SMALL))
    efficiency = round_trip.efficiency(chosen(given, **SMALL).size, {})
    assert found == (7.2e7, 2.88e8, 1.44e8, 1e5, 1e5, efficiency**0.5, 0.02, 690.0)
    assert 0.88 < efficiency < 0.92
    assert sender.store_of(chosen({}, **SMALL, plant={"pcs_sleeps": 1})).idle_W == 120.0


def test_a_cap_of_the_file_is_the_connection_that_the_planner_knows():
    assert sender.site_of(chosen()).import_W == 500e3
    assert sender.site_of(chosen({"cap_W": 294e3})).import_W == pytest.approx(300e3)
    assert sender.site_of(chosen({"cap_W": 294e3}), is_capped=False).import_W == 500e3


def test_the_days_before_a_run_are_other_days_of_the_same_system():
    given = spec.load("berlin")._replace(days=1)
    own, before = system_series.series_of(given, {}), system_series.before_of(given, {})
    assert len(before.load_W) == len(before.price) == BEFORE_DAYS * 96
    assert 0.5 < before.load_W.mean() / own.load_W.mean() < 2
    alike = np.corrcoef(before.load_W[:96], own.load_W)[0, 1]
    assert alike < 0.8, "no run knows its own days: the same seed and weekday draw the same jobs"
    past = sender.past_of(given, before, own)
    assert past.start == datetime(2026, 4, 20) and past.load_W[past.before] == own.load_W[0]


def test_a_forecast_that_errs_costs_and_an_exact_one_does_not():
    load_W = np.tile([100e3] * 72 + [200e3] * 24, DAYS)
    given = {"spec": chosen(tariff=PAID), "series": series(load_W), "before": series(load_W)}
    result = type("Result", (), given)
    assert schedule_alone.loses(schedule_alone.EXACT)(result)[0] == 0.0
    erring = {"is_load_known": True, "forecast_error_permille": 300}
    assert schedule_alone.loses(erring)(result)[0] > 5


def test_the_lab_has_no_planner_of_its_own():
    """Rows of a schedule come from the box's planner; the rules are a rival in a back-test."""
    for path in Path(hil.systems.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {ast.unparse(each.func) for each in ast.walk(tree) if isinstance(each, ast.Call)}
        imported = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
        names = {f"{each.module}.{one.name}" for each in imported for one in each.names}
        if path.name != "rival_rules.py":
            assert not called & {"Row", "exact.plan", "planned", "rules.planned"}, path
        if path.name != "back_tests.py":
            assert not [each for each in names if "rival_rules" in each], path


def test_a_battery_that_load_tracking_has_for_itself_gets_no_schedule():
    """Munich's grid moved 75 % less at 300 s with one, and moves 97 % less without."""
    flat = series(FLAT_W)
    for is_trading in (True, False):
        one = made(flat, flat, {"is_trading": is_trading})
        assert [slot for slot in range(8) if one.is_due(slot)] == [0, 4] * is_trading


@cases("""ahead_h  warned
    None  [] | 2  [8, 9, 10, 11] | 1.75  []""")
def test_an_outage_is_warned_of_so_long_before_it_and_until_it_ends(ahead_h, warned):
    """An outage of an hour from 05:00 on, seen at 03:00."""
    changes = {} if ahead_h is None else {"warned_ahead_h": ahead_h}
    own = made(series(RISING_W), series(FLAT_W), outage_s=3600, outage_h=5, **changes)
    found = own._warned(12)
    assert [at for at, each in enumerate(found) if each] == warned and len(found) == 192


def test_the_hours_of_the_file_are_those_of_the_planner():
    site = sender.site_of(chosen({"always_h": 3, "warned_h": 5}))
    assert site.hours == (3, 5) and sender.site_of(chosen()).hours == (0, 4)
