"""Weather, PV and cooling against published values."""

import csv
import gzip
import statistics
from unittest import mock

import pytest

from hil.site import cooling
from hil.site.clouds import Clouds, Sky
from hil.site.pv import Pv
from hil.site.weather import Weather
from tests.tables import cases


@cases("""latitude_deg  day  hour  irradiance
    0   80   12  1037    # the sun at the zenith: 1098 exp(-0.057)
    60  172  12  822     # elevation 53.45 degrees
    60  355  12  76      # elevation 6.55 degrees
    45  172  0   0""")
def test_the_clear_sky_is_that_of_haurwitz(latitude_deg, day, hour, irradiance):
    one = Weather(latitude_deg, day, hour * 3600)
    assert one.irradiance_W_per_m2(0) == pytest.approx(irradiance, abs=7)


def test_a_summer_day_at_45_degrees_has_the_energy_of_a_clear_one():
    one = Weather()
    hours = [one.irradiance_W_per_m2(hour * 3600) for hour in range(24)]
    assert 7.5 < sum(hours) / 1000 < 9.0  # kWh/m2
    assert one.outside_degC(15 * 3600) == 21 and one.outside_degC(3 * 3600) == pytest.approx(9)


def test_hours_of_a_file_are_joined_in_their_middles():
    hours = [(100.0 * (hour % 2), float(hour)) for hour in range(8760)]
    one = Weather(day=1, hours=hours)
    assert one.irradiance_W_per_m2(5400) == 100 and one.outside_degC(5400) == 1
    assert one.irradiance_W_per_m2(7200) == 50 and one.outside_degC(7200) == 1.5
    assert Weather(day=365, time_of_day_s=86_399, hours=hours).outside_degC(1) == 8759 / 2


def test_clouds_cover_their_share_with_steep_edges_and_repeat_by_seed():
    one, again = Clouds(1, 0.4), Clouds(1, 0.4)
    shares = [one(second / 2) for second in range(200_000)]
    assert [again(second / 2) for second in range(2000)] == shares[:2000]
    assert Clouds(2, 0.4)(500.0) != shares[1000]
    dark = sum(share < 0.7 for share in shares) / len(shares)
    assert dark == pytest.approx(0.4, abs=0.06)
    assert 1.1 < max(shares) <= 1.15 and 0.25 <= min(shares) < 0.3
    steepest = max(abs(a - b) * 2 for a, b in zip(shares, shares[1:]))
    assert 0.1 < steepest <= 0.3  # per second
    assert statistics.mean(shares) < 0.85 and Clouds(1, 0)(5.0) == 1


def day_of(sky, day):
    """Share of the clear sky between 6 and 18 h."""
    return statistics.mean([sky(day * 86_400.0 + 60 * minute) for minute in range(360, 1080, 4)])


@pytest.mark.parametrize("index", [0.56, 0.64, 0.72])
def test_days_of_a_sky_differ_as_those_of_typical_years(index):
    sky = Sky(1, index)
    days = [day_of(sky, day) for day in range(300)]
    pairs = statistics.correlation(days[:-1], days[1:])
    assert statistics.mean(days) == pytest.approx(index, abs=0.03)
    assert 0.17 < statistics.stdev(days) < 0.25 and 0.2 < pairs < 0.5
    assert min(days) < 0.25 and max(days) > 0.95  # overcast and clear


def days_of(index):
    """(mean, standard deviation, correlation from a day to the next, share of overcast days)."""
    pairs = statistics.correlation(index[:-1], index[1:])
    overcast = sum([each < 0.4 for each in index]) / len(index)
    return statistics.mean(index), statistics.stdev(index), pairs, overcast


@cases("""
    file             latitude_deg  index  expected
    "greensboro_nc"  36.1          0.72   (0.72, 0.22, 0.31, 0.11)
    "sand_point_ak"  55.3          0.56   (0.56, 0.25, 0.36, 0.35)
""")
def test_the_sky_has_the_days_of_typical_years(shared, file, latitude_deg, index, expected):
    with gzip.open(shared / f"data/weather/{file}_tmy_hourly.csv.gz", "rt", newline="") as rows:
        ghi = [float(row["ghi_W_per_m2"]) for row in csv.DictReader(rows)]
    clear = [
        sum([Weather(latitude_deg, day + 1, 3600 * hour).irradiance_W_per_m2(1800)
             for hour in range(24)]) for day in range(365)
    ]  # fmt: skip
    measured = [sum(ghi[24 * day : 24 * day + 24]) / clear[day] for day in range(365)]
    assert days_of(measured) == pytest.approx(expected, abs=0.01)
    skies = [Sky(seed, index) for seed in range(3)]
    found = [days_of([day_of(sky, day) for day in range(300)]) for sky in skies]
    means = [statistics.mean(each) for each in zip(*found)]
    assert means == pytest.approx(expected, abs=0.07)


def test_the_sky_is_beside_a_measured_roof(shared):
    """104 days of 2016 in Colorado, by the highest of 21 days at the same hour: kinder days than
    those of a typical year, with less memory.
    """
    with gzip.open(shared / "data/pv/serf_east_15min.csv.gz", "rt", newline="") as rows:
        power = [max(0.0, float(row["ac_power"] or 0)) for row in csv.DictReader(rows)]
    days = [power[96 * day : 96 * day + 96] for day in range(len(power) // 96)]
    clear = [sum(map(max, zip(*days[max(0, day - 10) : day + 11]))) for day in range(len(days))]
    measured = [sum(day) / best for day, best in zip(days, clear)]
    assert days_of(measured) == pytest.approx((0.70, 0.17, 0.22, 0.05), abs=0.01)


def test_a_front_takes_an_hour():
    sky = Sky(2, 0.64)
    sky.clouds = mock.Mock(return_value=1.0)
    changes = [abs(sky(at * 60.0) - sky(at * 60.0 + 30)) for at in range(20_000)]
    assert 0 < max(changes) < 1.5 * 30 / 3600


def test_the_year_has_its_seasons():
    one = Weather(day=200, mean_degC=10, season_K=12, swing_K=5)
    assert one.outside_degC(15 * 3600) == pytest.approx(27, abs=0.1)
    assert one.outside_degC(15 * 3600 + 182.5 * 86_400) == pytest.approx(-7, abs=0.2)


def test_an_inverter_follows_limit_heat_and_file():
    one = Pv({"rated_W": 100_000}, Weather(time_of_day_s=43_200, mean_degC=0, swing_K=0))
    for _ in range(100):
        one.step(0.0, 0.1, 0.0)
    # 45 degrees north, 68.5 degrees high: 961 W/m2, cells of 28.8 degC
    assert one.feeds_W == pytest.approx(0.961e5 * (1 - 0.004 * 3.8), rel=0.01)
    one.ask("limit_W", 20_000)
    one.step(0.0, 0.5, 0.0)
    assert 20_000 < one.feeds_W < 60_000
    file = Pv({"rated_W": 100_000}, measured=lambda t_s: 150_000 - 1e5 * t_s)
    powers_W = []
    for second in range(4):
        file.step(second, 10.0, 0.0)
        powers_W.append(round(file.feeds_W))
    assert powers_W == [100_000, 50_000, 0, 0]


@cases("""outside_degC  share
    -10  0.04 | 4  0.04  # free cooling
    10  0.04 + 1 / 12     # the best compressor
    20  0.04 + 16 / (0.45 * 285.15)
    35  0.04 + 31 / (0.45 * 285.15)""")
def test_cooling_costs_what_the_lift_costs(outside_degC, share):
    assert cooling.share_of_heat(12.0, outside_degC) == pytest.approx(share)
    one = cooling.Cooling()
    one.step(1.0, 100_000.0, outside_degC)
    assert one.power_W == pytest.approx(100_000 * share)
    for _ in range(120):
        one.step(1.0, 200_000.0, outside_degC)
    assert one.power_W == pytest.approx(100_000 * share * (2 - 0.368), rel=1e-3)
