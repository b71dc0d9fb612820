"""Sentences about sizes are computed from the series of a run."""

from datetime import datetime

import numpy as np
import pytest
from test_systems import made

from hil.systems import command, sizing
from tests.tables import cases

DAYS = 7


def week(high_kW=300, **battery):
    """A week from a Monday: 100 kW, by day high_kW for 4 h, at the weekend 100 kW all day; PV of
    40 kW for 6 h.
    """
    site = {"load": {"kind": "constant", "power_W": 1}, "pv": {"rated_W": 50_000}}
    result = made(24 * DAYS, days=DAYS, site=site, start="2026-06-01")
    load_W = np.full((DAYS, 96), 100_000.0)
    load_W[:5, 40:56] = high_kW * 1000
    pv_W = np.zeros((DAYS, 96))
    pv_W[:, 32:56] = 40_000
    series = result.series._replace(load_W=load_W.ravel(), pv_W=pv_W.ravel())
    seconds_W = np.repeat(load_W.ravel(), 900)
    size = result.spec.size._replace(import_W=200_000, **battery)
    spec = result.spec._replace(size=size)
    return result._replace(
        series=series, spec=spec, seconds_W=np.array([seconds_W, seconds_W]), cap_W=150_000.0
    )


def test_the_sentences_count_load_sun_and_what_lies_above_a_limit():
    assert sizing.lines(week()) == [
        "1 units of 250 kW, 645 kWh, PV 50 kW, connection 200 kW",
        "load: mean 123.8 kW, highest quarter of an hour 300 kW, load factor 0.41",
        "load: busiest hour of the day 2.43 times the quietest, a day of the weekend 0.75 of a "
        "working day; 99 % of its steps of a minute are below 0 % of the highest",
        "battery: 2 times the mean load for 2.6 h, or 5.2 h of it; the schedule uses 483.8 kWh",
        "PV: 240 kWh a day, 8.1 % of the load's energy; from 240 kWh to 240 kWh, "
        "standard deviation 0 kWh",
        "above the connection of 200 kW: up to 60 kW, on the worst day 240 kWh in 4 h, and "
        "2,080 kWh of room to charge; the battery gives 250 kW and 483.8 kWh: enough",
        "above the cap of 150 kW: up to 110 kW, on the worst day 440 kWh in 4 h, and 1,080 kWh of "
        "room to charge; the battery gives 250 kW and 483.8 kWh: enough",
    ]


def test_a_cap_of_billed_hours_leaves_the_connection_to_the_others():
    result = week()
    billed = {**result.spec.tariff, "demand_hours": [12, 18]}
    result = result._replace(spec=result.spec._replace(tariff=billed))
    assert (
        "cap of 150 kW: up to 110 kW, on the worst day 340 kWh in 4 h" in sizing.lines(result)[-1]
    )


@pytest.mark.parametrize("battery", [{"rated_W": 100_000}, {"energy_Wh": 500_000}])
def test_a_battery_that_cannot_hold_a_limit_is_named(battery):
    assert sizing.lines(week(**battery))[-1].endswith(": not enough")
    assert sizing.lines(week(150))[-1] == "above the cap of 150 kW: nothing"


@cases("""
    start         latitude_deg  season
    "2026-01-05"  61            "winter"
    "2026-05-01"  52            "spring"
    "2026-07-06"  31            "summer"
    "2026-07-06"  -31           "winter"
    "2026-12-01"  52            "winter"
    "2026-11-29"  52            "autumn"
""")
def test_a_run_names_its_season(start, latitude_deg, season):
    result = made(24)
    spec = result.spec._replace(site={"weather": {"latitude_deg": latitude_deg}})
    result = result._replace(spec=spec._replace(start=datetime.fromisoformat(start)))
    document = command.document("test", "", result)
    assert (document["season"], document["start"]) == (season, start)
    assert (
        f"; 1 day of {season} from {start}, chain only, 1 s, seed 1" in command.lines(document)[2]
    )
