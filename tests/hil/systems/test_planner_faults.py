"""What a planner saves that is dead, late or wrong: each fault on a short past."""

import functools
from datetime import datetime, timedelta

import pytest

from controller.planner import backtest
from controller.planner.daily import Daily
from controller.planner.planning import Known
from hil.systems import faults, pasts

NOW = datetime(2026, 4, 6, 12)
KNOWN = Known(NOW, [1e5] * 8, [0.0] * 8, [*range(8)], [*range(8, 16)], 0.0)


@functools.cache
def case():
    """A past of which three days are to come."""
    whole = pasts.built_in("berlin", "", 5, 7, 1)
    count = whole.past.before + 3 * 96
    names = "load_W", "pv_W", "price_per_kWh"
    series = {name: getattr(whole.past, name)[:count] for name in names}
    return whole._replace(past=whole.past._replace(**series))


def seen(fault, calls=1, known=KNOWN):
    """What the way to plan is told, and what comes of it, through this fault."""
    told = []
    way = faults.FAULTS[fault](lambda known: told.append(known) or [len(told)] * 8, case())
    return told, [way(known) for _ in range(calls)]


def test_a_late_schedule_is_that_of_the_hour_before():
    assert seen("late 1 h", 3)[1] == [[1] * 8, [1] * 4, [2] * 4]


@pytest.mark.parametrize(
    "fault, past, to_come, hours",
    [
        ("prices 1 h", [0, 0, 0, 0, *range(4)], [*range(4, 16)], 0),
        ("clock +1 h", [*range(4, 12)], [*range(12, 16)], 1),
        ("clock -1 h", [0, 0, 0, 0, *range(4)], [*range(4, 16)], -1),
    ],
)
def test_prices_and_time_are_those_of_another_hour(fault, past, to_come, hours):
    (known,), _ = seen(fault)
    assert known.past_price_per_kWh == past and known.price_per_kWh == to_come
    assert known.time == NOW + timedelta(hours=hours) and known.stored_J == KNOWN.stored_J


def test_a_dead_planner_is_dead_for_the_rest_and_the_load_is_mirrored_at_its_mean():
    past = case().past
    count, end = past.before, len(past.load_W)
    assert seen("dead", known=KNOWN._replace(past_load_W=[0.0] * count))[1] == [[1] * 8]
    assert seen("dead", known=KNOWN._replace(past_load_W=[0.0] * end))[1] == [[]]
    (known,), _ = seen("load mirrored", known=KNOWN._replace(load_W=[2e5] * 96 + [1e5] * 96))
    assert known.load_W == [1e5] * 96 + [2e5] * 96


@pytest.mark.whole
def test_each_fault_costs_and_none_lifts_the_connection():
    site, past = case().site, case().past
    stored_J = 0.5 * site.full_J
    found = faults.saved(case(), stored_J)
    daily = Daily(site)
    done = backtest.followed(site, past, stored_J, lambda known: daily.planned(known).rows)
    without = backtest.cost(site, past, backtest.without(past))
    saved = without - backtest.cost(site, past, done)
    assert set(found) == set(faults.FAULTS) and found["dead"] < saved
    assert max(found.values()) < 1.05 * saved and min(found.values()) > -0.02 * without


def test_alone_the_box_bills_no_higher_peak_with_a_fallback_that_the_load_reaches():
    site, past, low_J = case().site, case().past, 0.15 * case().site.full_J
    peak_W = max(backtest.without(past).grid_W)

    def highest_W(**fallback):
        return max(backtest.followed(site, past, low_J, lambda known: [], **fallback).grid_W)

    for part in (0.5, 0.9, 1.0):
        assert highest_W(alone_W=part * peak_W) <= peak_W + 1
    assert highest_W() > 1.05 * peak_W, "without one it charges at the rated power"


def test_a_fault_that_costs_too_much_is_marked():
    row = {"name": "berlin", "label": "2017-01", "bill": 1000.0, "rules": 50.0, "saved": 60.0}
    row["faults"] = dict.fromkeys(faults.FAULTS, 30.0) | {"dead": -2.5, "late 1 h": 29.9}
    assert faults.lines([row])[2].split()[2:6] == ["5.00", "6.00", "-0.25", "!2.99"]
    row["faults"]["dead"] = -2.6
    assert not faults.is_good(row, "dead") and faults.is_good(row, "clock -1 h")
