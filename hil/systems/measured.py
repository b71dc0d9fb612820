"""Months of measured series, from a folder beside the project (`data/README.md` there).

The load is the share of running GPUs of a cluster, times the capacity in a system's file. Each day
is a measured day of the same weekday. The sun is the irradiance of a typical year. Prices come from
an exchange. A month gets the year of its prices, so its weekdays match them.
"""

from datetime import datetime, timedelta
from functools import cache

import numpy as np

from controller.forms.refusal import ConfigError
from controller.planner.planning import SLOTS_PER_DAY
from controller.series import prices, table, weather
from controller.series.refusal import SeriesError
from hil.systems import pasts
from hil.systems.series import HOUR_SLOTS, SLOT_S, Series, prices_of
from hil.systems.spec import Spec

GPUS = "jobs/helios_gpus_1min.csv.gz", "running_gpu_num", 856
# Number of the first Monday in the file, from 0; days that are read; minutes of a day.
FIRST_DAY, DAYS, DAY_MIN = 3, 20, 1440
DE, NORDIC, PJM = "germany", "nordpool_system", "pjm_comed"
MARKETS = {"berlin": (DE, 2017), "north_america": (PJM, 2018)}
WEATHER = {"berlin": "sand_point_ak", "norway": "sand_point_ak", "nordic": "sand_point_ak"}
PV_PART = 0.85  # part of the rating at 1 kW/m2 (assumed)
# Load of Shanghai: a base, a part for all running GPUs, and jobs. A job is (weekdays, hour of its
# start, hour of its end, W).
BASE_W, PART_W = 4.55e6, 0.75e6
JOBS = (range(4), 10, 14, 2.8e6), (range(4, 5), 10, 13, 3.8e6)


def month(
    folder: str, system: tuple[str, str], month_number: int, days: int, seed: int, year: int | None
) -> pasts.Case:
    """A month of measured series. year: that of the prices. ConfigError: one line."""
    name = system[0]
    market, own_year = MARKETS.get(name, (NORDIC, 2018))
    first = datetime(year or own_year, month_number, 1)
    spec = pasts.spec_from(*system, first, days, seed)
    try:
        load_W = _load_W(folder, spec, name, seed)
        pv_W = load_W * 0
        if "pv" in spec.site:
            station = WEATHER.get(name, "greensboro_nc")
            pv_W = _sun(folder, station, spec) * spec.site["pv"]["rated_W"]
        is_fixed = spec.prices["kind"] == "time_of_use"
        price = prices_of(spec, {}) if is_fixed else _price(folder, market, spec)
    except SeriesError as error:
        raise ConfigError(f"--data: {error}") from None
    series = Series(load_W, load_W, pv_W, price)
    return pasts.of_series(spec, series, f"{first:%Y-%m}", *system)


def _load_W(folder: str, spec: Spec, name: str, seed: int) -> np.ndarray:
    """Load of each slot. Each day is a measured one of the same weekday; the seed shifts weeks."""
    busy, parts = _gpus(folder), []
    for day in range(spec.days):
        time = spec.start + timedelta(days=day)
        same = range(time.weekday(), len(busy), 7)
        part = busy[same[(day // 7 + seed) % 3 % len(same)]]
        parts.append(_with_jobs(part, time.weekday()) if name == "shanghai" else part)
    profile = np.concatenate(parts)
    load = spec.site["load"]
    return profile if name == "shanghai" else load["idle_W"] + load["capacity_W"] * profile


def _with_jobs(part: np.ndarray, weekday: int) -> np.ndarray:
    load_W = BASE_W + PART_W * part
    for days, first, end, job_W in JOBS:
        if weekday in days:
            load_W[first * HOUR_SLOTS : end * HOUR_SLOTS] += job_W
    return load_W


@cache
def _gpus(folder: str) -> np.ndarray:
    """Share of the GPUs that run, in a row for each day. A gap takes the value before it."""
    path, column, whole = GPUS
    with table.opened(f"{folder}/{path}") as rows:
        index = rows.at(column)
        running = np.array([float(cells[index]) for _, cells in rows])
    for gap in np.flatnonzero(running <= 0):
        running[gap] = running[gap - 1]
    shape = DAYS, SLOTS_PER_DAY, DAY_MIN // SLOTS_PER_DAY
    return running[: DAYS * DAY_MIN].reshape(shape).mean(axis=2)[FIRST_DAY:] / whole


def _price(folder: str, market: str, spec: Spec) -> np.ndarray:
    """Money per kWh of each slot."""
    path, count = f"{folder}/price/{market}_dayahead_hourly.csv.gz", spec.days * SLOTS_PER_DAY
    return np.array(prices.read(path, spec.start, "UTC", SLOT_S, count).per_kWh)


def _sun(folder: str, station: str, spec: Spec) -> np.ndarray:
    """PV power of each slot as a part of its rating."""
    path = f"{folder}/weather/{station}_tmy_hourly.csv.gz"
    hours = np.array(weather.read(path).ghi_W_per_m2)
    first = (spec.start.timetuple().tm_yday - 1) * 24
    return np.repeat(hours[(first + np.arange(spec.days * 24)) % 8760], HOUR_SLOTS) / 1000 * PV_PART
