"""The series of a system: load, PV and price of each quarter of an hour, without a battery."""

import calendar
import math
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from controller.planner.places import HOUR_SLOTS, SLOT_S, SLOTS_PER_DAY
from controller.series import jobs, prices as market, weather
from controller.series.money import other_currency
from controller.series.survey import LOW_W
from controller.series.times import zone_of
from hil.loads import stream
from hil.loads.trace import LoadError
from hil.site import cooling as site_cooling, description
from hil.site.site import Site
from hil.systems import prices
from hil.systems.spec import Inputs, Spec, Table

SAMPLE_S, KWH_PER_W_SLOT = 60, SLOT_S / 3.6e6
# A run has series for BEFORE_DAYS before its start, sampled every BEFORE_SAMPLE_S.
BEFORE_DAYS, BEFORE_SAMPLE_S = 14, 300
EARLIER = 1 << 30  # added to the seed of the run, for the days before the run
LEAP_DAY = 60  # number of 29 February in a leap year


class Series(NamedTuple):
    """Means of each quarter of an hour, without a battery. load_W: it_W with cooling and UPS."""

    it_W: np.ndarray
    load_W: np.ndarray
    pv_W: np.ndarray
    price: np.ndarray

    @property
    def net_W(self) -> np.ndarray:
        """Load less PV."""
        return self.load_W - self.pv_W


def blocks(values: np.ndarray, count: int) -> np.ndarray:
    """Rows of `count` consecutive values each. The rest at the end is left out."""
    return values[: len(values) // count * count].reshape(-1, count)


def series_of(spec: Spec, inputs: Inputs, sample_s: int = SAMPLE_S) -> Series:
    """The series of a system, from a separate site that steps once a sample."""
    count = spec.days * SLOTS_PER_DAY
    site = site_of(spec, inputs)
    assert site.load is not None, "the file of a system has [load]"
    steps = count * SLOT_S // sample_s
    powers = np.zeros((3, steps))
    cooling = site.cooling
    for step in range(steps):
        now_s = (step + 0.5) * sample_s
        it_W = site.load(now_s)
        cool_W = 0.0
        if cooling is not None:
            degC = site.weather.outside_degC(now_s)
            cool_W = it_W * site_cooling.share_of_heat(cooling.water_degC, degC)
        pv_W = 0.0
        for part in site.parts:
            if part.GIVES_WAY:
                part.step(now_s, sample_s, it_W)
                pv_W += part.feeds_W
        fed_W = site.load_ups.needed_W(it_W) if site.load_ups else it_W
        powers[:, step] = it_W, fed_W + cool_W, pv_W
    means = powers.reshape(3, count, SLOT_S // sample_s).mean(axis=2)
    return Series._make([*means, prices_of(spec, inputs)])


def before_of(spec: Spec, inputs: Inputs) -> Series:
    """The days before a run, from which a planner learns. These days have their own sun, air,
    working days and random draws. A file of powers has no earlier days, so its first days are
    taken. Prices before the start of a file are unknown.
    """
    start = spec.start - timedelta(days=BEFORE_DAYS)
    earlier = spec.from_day(start, BEFORE_DAYS, spec.seed ^ EARLIER)
    known = {key: option for key, option in inputs.items() if key != "prices"}
    series = series_of(earlier, known, BEFORE_SAMPLE_S)
    return series._replace(price=series.price[:0]) if inputs.get("prices") else series


def prices_of(spec: Spec, inputs: Inputs) -> np.ndarray:
    """Money per kWh of each slot, without adders. LoadError: one line about --prices."""
    if inputs.get("prices"):
        return np.array(_of_market(spec, inputs).per_kWh)
    hours = spec.days * 24
    if spec.prices["kind"] == "time_of_use":
        hourly = prices.time_of_use(spec.prices, spec.start, hours)
    else:
        hourly = prices.built_in(spec.seed, spec.start, hours, spec.prices["day"])
    return np.repeat(hourly, HOUR_SLOTS)


def _of_market(spec: Spec, inputs: Inputs) -> market.Prices:
    slots = spec.days * SLOTS_PER_DAY
    return market.read(inputs["prices"], spec.start, spec.zone, SLOT_S, slots)


def remarks(spec: Spec, inputs: Inputs) -> list[str]:
    """A line for each file that a run must change to use it, or that may be wrong."""
    run_s = float(spec.days * SLOTS_PER_DAY * SLOT_S)
    notes = {}
    start_s = spec.start.replace(tzinfo=zone_of(spec.zone)).timestamp()
    rated_W = {"load": spec.size.import_W, "pv": spec.site.get("pv", {}).get("rated_W", math.inf)}
    for name in ("load", "pv"):
        if inputs.get(name):
            arguments = inputs[name], inputs.get(f"{name}_column"), run_s, rated_W[name], start_s
            notes[name] = stream.remarks(*arguments, zone=spec.zone)
    if inputs.get("jobs"):
        file_jobs = jobs_of(inputs["jobs"])
        late = sum([at_s >= run_s for at_s, *_ in file_jobs])
        notes["jobs"] = [f"{late} begin after the {run_s:g} s of the run"] if late else []
        if max([power_W for *_, power_W in file_jobs]) < LOW_W:
            notes["jobs"].append(f"no job takes {LOW_W:g} W: is the unit of power_W right?")
    if inputs.get("prices"):
        market_prices = _of_market(spec, inputs)
        currency = spec.tariff["currency"]
        notes["prices"] = market_prices.doubts + (
            [f"{market_prices.column}: the tariff is in {currency}"]
            if other_currency(market_prices.column, currency)
            else []
        )
    if inputs.get("weather"):
        notes["weather"] = weather.read(inputs["weather"]).doubts
    return [f"--{key} {inputs[key]}: {'; '.join(texts)}" for key, texts in notes.items() if texts]


def site_of(spec: Spec, inputs: Inputs) -> Site:
    """The site of a system, with files in place of the built-in series."""
    tables = {
        key: dict(setting) if isinstance(setting, dict) else setting
        for key, setting in spec.site.items()
    }
    for section in ("load", "pv", "weather"):
        if inputs.get(section):
            if section == "pv" and section not in tables:
                raise LoadError(f"--pv: {spec.name} has no PV: allowed where the system has it")
            tables[section] = _of_file(tables.get(section, {}), section, inputs, spec)
    if inputs.get("jobs"):
        if tables["load"]["kind"] != "queue":
            raise LoadError(f"--jobs: {spec.name} has no queue: allowed where the load is one")
        queued = jobs_of(inputs["jobs"], tables["load"]["capacity_W"])
        tables["load"] = {**tables["load"], "jobs": queued}
    outages = outages_of(spec)
    if outages:
        tables["connection"] = {**tables.get("connection", {}), "outages": outages}
    checked = description.of_table({"name": spec.name, **tables}, spec.name, ("site",))
    return description.built(checked, spec.seed, "")


def jobs_of(path: str | Path, capacity_W: float = math.inf) -> list[list[float]]:
    """[at_s, for_s, power_W] of each job of a CSV file. capacity_W: of the queue. LoadError."""
    queue = jobs.read(path)
    for job in queue:
        if job.power_W > capacity_W:
            raise LoadError(
                f"{path}: line {job.line}: power_W = {job.power_W:g}: allowed is at most "
                f"{capacity_W:g}, the capacity of the queue"
            )
    return [[job.at_s, job.for_s, job.power_W] for job in queue]


def _begin(start: datetime) -> Table:
    """The start of the run in a year of 365 days."""
    day = start.timetuple().tm_yday
    is_after_leap_day = calendar.isleap(start.year) and day > LEAP_DAY - 1
    since_midnight = start - start.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day": day - is_after_leap_day, "time_of_day_s": since_midnight.total_seconds()}


def outages_of(spec: Spec) -> list[list[int]]:
    """[at_s, for_s] of each outage: spec.outages, or else the one of the system's file."""
    if spec.outages is not None:
        return spec.outages
    return [[outage_at_s(spec), spec.outage_s]] if spec.outage_s else []


def outage_at_s(spec: Spec) -> int:
    """The second in which the grid is lost. The file states it, or the seed draws it, if possible
    after the first day.
    """
    if spec.outage_h is not None:
        return round(spec.outage_h * 3600)
    last_s = max(0, spec.days * SLOTS_PER_DAY * SLOT_S - 2 * spec.outage_s)
    first_s = min(SLOTS_PER_DAY * SLOT_S, last_s)
    return random.Random(f"{spec.seed}/outage").randint(first_s, last_s)


def _of_file(table: Table, section: str, inputs: Inputs, spec: Spec) -> Table:
    source = {"file": inputs[section], "column": inputs.get(f"{section}_column"), "zone": spec.zone}
    if section == "weather":
        return {"file": inputs[section], **_begin(spec.start)}
    if section == "load":
        return {"kind": "file", **source}
    return {"rated_W": table["rated_W"], **source}
