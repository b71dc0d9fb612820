"""The bill: energy at its price, the highest interval of a month, hours that set tags."""

from datetime import datetime

import numpy as np
import pytest

from controller.forms.reading import read
from controller.forms.refusal import ConfigError
from controller.planner import places, tariff
from tests.tables import cases

START = datetime(2026, 6, 1)  # a Monday
QUARTERS_PER_DAY = 96
PLAIN = {"currency": "EUR"}


def tariff_of(**changes):
    return read("test", (), PLAIN | changes, tariff.FIELDS)


def bill_of(grid_kW, price=0.1, days=30, **changes):
    grid_W = np.resize(np.array(grid_kW, float) * 1000, days * QUARTERS_PER_DAY)
    series = np.full(len(grid_W), price) if np.isscalar(price) else price
    return tariff.bill(tariff_of(**changes), grid_W, 900, series, START)


def test_energy_costs_its_price_and_the_adder_and_export_pays_the_feed_in():
    assert bill_of([100]).energy == pytest.approx(100 * 720 * 0.1)
    assert bill_of([100], adder_per_kWh=0.05).energy == pytest.approx(100 * 720 * 0.15)
    assert bill_of([100, -100], feed_in_per_kWh=0.02).energy == pytest.approx(100 * 360 * 0.08)


def test_what_a_file_leaves_out_costs_nothing():
    assert tariff_of() == {
        "currency": "EUR", "adder_per_kWh": 0.0, "feed_in_per_kWh": 0.0, "fuel_per_kWh": 0.35,
        "demand_per_kW_month": [0.0], "demand_interval_min": 15, "demand_hours": [], "demand": [],
        "tag_per_kW_year": 0.0, "tag_hours": 5, "tag_window": [14, 18], "carbon_per_t": 0.0,
        "holidays": [],
    }  # fmt: skip
    for key, low, high in (("adder_per_kWh", 0, 10_000_000), ("tag_hours", 1, 100)):
        assert tariff_of(**{key: low})[key] == low and tariff_of(**{key: high})[key] == high
        for value in (low - 1, high + 1):
            with pytest.raises(ConfigError, match=key):
                tariff_of(**{key: value})


def test_small_powers_and_exports_alone_are_billed_exactly():
    assert bill_of([2], days=1).energy == pytest.approx(4.8, rel=1e-9)
    found = bill_of([-100], demand_per_kW_month=[10.0], tag_per_kW_year=60.0)
    assert found == (0.0, 0.0, 0.0, (0.0,))


@cases("""
    day  hour  counts
    5  6  True | 5  21  True | 5  22  False | 5  5  False | 6  12  False | 8  6  True
""")
def test_billed_hours_are_of_working_days(day, hour, counts):
    """5 June 2026 is a Friday."""
    for hours, expected in (([6, 22], counts), ([], True)):
        (charge,) = tariff.charges(tariff_of(demand_hours=hours))
        assert charge.is_billed(datetime(2026, 6, day, hour, 59)) == expected


@cases("""
    minutes  hours  peak_kW
    15  []  400 | 30  []  250 | 60  []  175 | 15  [6, 22]  400 | 15  [0, 1]  400 | 15  [1, 6]  100
""")
def test_the_highest_interval_of_the_billed_hours_counts(minutes, hours, peak_kW):
    day = [400, *[100] * 31] * 3  # the peaks begin at 0, 8 and 16 h
    found = bill_of(
        day, demand_per_kW_month=[10.0], demand_interval_min=minutes, demand_hours=hours
    )
    assert found.peak_W == peak_kW * 1000
    assert found.demand == pytest.approx(10 * peak_kW * 30 / 30.4375)


def test_each_month_has_its_own_rate_and_peak():
    rates = [0.0] * 5 + [10.0, 20.0] + [0.0] * 5
    grid = [100] * (30 * QUARTERS_PER_DAY) + [200] * (31 * QUARTERS_PER_DAY)
    found = bill_of(grid, days=61, demand_per_kW_month=rates)
    assert found.demand == pytest.approx((10 * 100 * 30 + 20 * 200 * 31) / 30.4375)


def test_tags_are_set_in_a_drawn_hour_of_the_dearest_working_days():
    price = np.full(30 * QUARTERS_PER_DAY, 0.1)
    for day, hour in ((0, 16), (2, 14), (3, 18), (5, 16)):  # outside the window; a Saturday
        price[day * 96 + hour * 4 : day * 96 + hour * 4 + 4] = 0.5 + day / 100
    chosen = tariff_of(tag_per_kW_year=60.0, tag_hours=2)
    hours = tariff.hours_of_tags(chosen, price, 900, START)
    assert [hour // 24 for hour in hours] == [0, 2]
    assert all(14 <= hour % 24 < 18 for hour in hours)
    many = tariff.hours_of_tags({**chosen, "tag_hours": 20}, price, 900, START)
    assert len({hour % 24 for hour in many}) == 4  # not the dearest, nor the same each day
    found = bill_of([300], price, tag_per_kW_year=60.0, tag_hours=2)
    assert found.tags == pytest.approx(60 * 300 * 30 / 365.25)
    assert found.total == found.energy + found.demand + found.tags


def test_a_tag_counts_the_four_quarters_of_its_hour():
    """The dearest hour of the window is that of the first day; quarters beside it are higher."""
    price, grid = np.full(5 * QUARTERS_PER_DAY, 0.1), np.full(5 * QUARTERS_PER_DAY, 900.0)
    price[64:68], grid[64:68] = 1.0, [100, 200, 300, 400]
    given = {"tag_per_kW_year": 365.25, "tag_hours": 1, "tag_window": [16, 17]}
    assert bill_of(grid, price, days=5, **given).tags == pytest.approx(250 * 5)
    assert bill_of([100], days=5, **{**given, "tag_window": [0, 1]}).tags > 0
    winter = tariff.bill(
        tariff_of(tag_per_kW_year=60.0), np.full(96, 1e5), 900, np.full(96, 0.1),
        datetime(2026, 1, 5),
    )  # fmt: skip
    assert winter.tags == 0.0


def test_the_highest_interval_is_that_of_all_months():
    grid = [200] * (30 * QUARTERS_PER_DAY) + [100] * (31 * QUARTERS_PER_DAY)
    assert bill_of(grid, days=61).peak_W == 200_000


@cases("""
    month  day  hour  rate  may
    6  1  14  60  True | 6  1  17  60  True | 6  1  13  60  False | 6  1  18  60  False
    6  6  16  60  False
    5  29  16  60  False | 10  1  16  60  False | 6  1  16  0  False
""")
def test_a_tag_may_be_set_in_its_window_of_working_days_in_summer(month, day, hour, rate, may):
    chosen = tariff_of(tag_per_kW_year=float(rate))
    assert tariff.may_set_tag(chosen, datetime(2026, month, day, hour, 45)) == may


DAY, NIGHT = (
    {"name": "day", "per_kW_month": [9.0], "hours": [6, 22]},
    {"name": "night", "per_kW_month": [3.0], "hours": [22, 6], "interval_min": 60},
)
WINDOW = {"name": "window", "per_kW_month": [12.0], "hours": [16, 20], "days": "working"}


TWICE = WINDOW | {"hours": [[7, 12], [17, 20]]}
HALF = WINDOW | {"hours": [16.5, 19.5]}  # the hour is asked at its last minute


def named(count):
    return [DAY | {"name": f"{at}"} for at in range(count)]


def charges_of(*tables):
    return tariff.charges(tariff_of(demand=list(tables)))


@cases("""
    table  month  day  hour  counts
    NIGHT  6  5  21  False | NIGHT  6  5  22  True | NIGHT  6  6  5  True | NIGHT  6  6  6  False
    DAY  6  6  5  False | DAY  6  6  6  True | DAY  6  7  21  True | DAY  6  7  22  False
    WINDOW  6  5  16  True | WINDOW  6  5  20  False | WINDOW  6  6  16  False
    WINDOW|{"days":"weekend"}  6  6  16  True | WINDOW|{"days":"weekend"}  6  8  16  False
    WINDOW|{"months":[5,7]}  6  5  16  False | WINDOW|{"months":[6]}  6  5  16  True
    TWICE  6  5  6  False | TWICE  6  5  7  True | TWICE  6  5  12  False | TWICE  6  5  19  True
    TWICE  6  5  20  False | TWICE  6  6  8  False | HALF  6  5  16  True | HALF  6  5  19  False
""")
def test_a_charge_counts_in_its_hours_days_and_months(table, month, day, hour, counts):
    """5 June 2026 is a Friday."""
    (charge,) = charges_of(table)
    assert charge.is_billed(datetime(2026, month, day, hour, 59)) == counts


def test_each_charge_is_billed_by_its_own_intervals_hours_and_months():
    """400 kW in the first quarter of the night, 300 in the first of the day, else 100."""
    day = [400, *[100] * 23, 300, *[100] * 71]
    found = bill_of(day, demand=[DAY, NIGHT, WINDOW | {"months": [7]}])
    assert found.peaks_W == (300e3, 175e3, 0.0) and found.peak_W == 300e3
    assert found.demand == pytest.approx((9 * 300 + 3 * 175) * 30 / 30.4375)
    summer = WINDOW | {"months": [7], "per_kW_month": [float(at) for at in range(12)]}
    (charge,) = charges_of(summer)
    assert [charge.rate(month) for month in (6, 7, 8)] == [0, 6.0, 0]


def test_the_short_form_is_one_charge_of_working_days():
    (charge,) = tariff.charges(tariff_of(demand_per_kW_month=[8.0], demand_hours=[6, 22]))
    assert charge[1:] == ([8.0], 15, [6, 22], "working", [], [])
    assert tariff.charges(tariff_of())[0][1:] == ([0.0], 15, [], "all", [], [])


@cases("""
    changes  line
    {"demand":[DAY],"demand_per_kW_month":[8.0]}  "is beside demand_per_kW_month; allowed one of"
    {"demand":[DAY],"demand_hours":[6,22]}  "is beside demand_hours; allowed one of the two forms"
    {"demand":named(5)}  "has 5 charges; allowed at most 4"
    {"demand":[DAY,NIGHT,DAY]}  "has a name twice; allowed a name of its own for each charge"
""")
def test_two_forms_and_too_many_charges_are_refused(changes, line):
    with pytest.raises(ConfigError) as found:
        tariff.check("a.toml", tariff_of(**changes))
    assert str(found.value).startswith(f"a.toml:tariff.demand: {line}")


def test_two_windows_of_one_charge_bill_one_peak():
    """300 kW at 10:00 and 290 kW at 18:00 of a Friday cost the higher one alone."""
    day = [100] * 40 + [300] * 4 + [100] * 28 + [290] * 4 + [100] * 20
    both = bill_of(day, demand=[TWICE])
    assert both.peaks_W == (300e3,) and both.demand == bill_of(day, demand=[DAY]).demand * 12 / 9
    assert bill_of(day, demand=[TWICE | {"hours": [[17, 20]]}]).peaks_W == (290e3,)


@cases("""
    day  hour  minute  billed
    4  16  29  False | 4  16  30  True | 4  19  29  True | 4  19  30  False
    5  17  0  False | 8  17  0  False | 9  17  0  True
""")
def test_half_hours_and_holidays(day, hour, minute, billed):
    """Friday 5 June 2026 is a holiday by its date, Monday 8 June one of each year."""
    chosen = tariff_of(demand=[HALF], holidays=["2026-06-05", "06-08"], tag_per_kW_year=60.0)
    time = datetime(2026, 6, day, hour, minute)
    (charge,) = tariff.charges(chosen)
    assert charge.is_billed(time) == billed
    (place,) = places.of(time, 0, 1, chosen["holidays"])
    assert place.bills([charge]) == (billed and minute % 15 == 0 or minute == 29 and hour == 19,)
    assert tariff.may_set_tag(chosen, time) == (day in (4, 9) and hour < 18)


@pytest.mark.parametrize(
    "day", ["2026-02-29", "13-01", "Christmas", "", 25, "x2026-12-25", "20261225", "-25", "2-25"]
)
def test_a_holiday_is_a_day(day):
    with pytest.raises(ConfigError) as found:
        tariff_of(holidays=["02-29", "2026-12-25", day])
    assert "allowed a list of days that count as Sundays" in str(found.value)


def test_four_charges_are_allowed():
    tariff.check("a.toml", tariff_of(demand=named(4)))


@pytest.mark.parametrize("window", [[18, 14], [14, 14], [14.2, 14.8], [14.5, 15.5], [14], [0, 25]])
def test_a_window_of_tags_has_whole_hours(window):
    with pytest.raises(ConfigError) as found:
        tariff_of(tag_window=window)
    assert "allowed [first, end], whole hours 0..24, the first below the end" in str(found.value)


@pytest.mark.parametrize(
    "hours",
    [
        [24, 0],
        [24, 6],
        [6, 6],
        [6.2, 6.8],
        [6, 25],
        [[6, 12], [16, 16]],
        [[6, 12], 16],
        [[6.25, 9]],
    ],
)
def test_billed_hours_are_half_hours_and_some(hours):
    with pytest.raises(ConfigError) as found:
        tariff_of(demand_hours=hours)
    assert "allowed [first, end], half hours 0..24, as [6, 22]" in str(found.value)
