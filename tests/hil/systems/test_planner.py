"""The sender of the schedule: its forecasts, the import that it keeps to, and their worth."""

import numpy as np
import pytest
from test_systems import TABLE

from hil.systems import replay, spec
from hil.systems.planner import Planner
from hil.systems.series import Series

DAYS, SLOTS = 3, 288


def planner(schedule=(), load_W=None, **changes):
    given = TABLE | {"days": DAYS, "schedule": dict(schedule)} | changes
    chosen = spec.of_table(given, "test")
    load_W = np.arange(SLOTS) * 100.0 if load_W is None else load_W
    return Planner(chosen, Series(load_W, load_W, np.zeros(SLOTS), np.full(SLOTS, 0.1)))


def test_the_load_of_now_fades_into_that_of_yesterday():
    """At slot 100 yesterday's slot 4 had 400 W; now the load is 9600 W above yesterday's."""
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


def test_a_forecast_with_an_error_costs_and_an_exact_one_does_not():
    load_W = np.tile([100e3] * 72 + [200e3] * 24, DAYS)
    tariff = {"currency": "EUR", "demand_per_kW_month": [10.0]}
    chosen = planner({"cap_permille": 700}, load_W, tariff=tariff)
    result = type("Result", (), {"spec": chosen.spec, "series": chosen.series})
    assert replay.loses(replay.EXACT)(result)[0] == 0.0
    assert replay.loses({"is_load_known": True, "forecast_error_permille": 300})(result)[0] > 5
