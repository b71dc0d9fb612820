"""Makes months for back-tests from a system's built-in series or a folder of CSV files.

Each month has the days before it, from which a planner learns.
"""

import calendar
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from controller.core.base.schedule_table import Slot as Row
from controller.forms.field import table
from controller.forms.reading import read, tables_of
from controller.forms.refusal import ConfigError
from controller.planner import inputs, site_file, tariff
from controller.planner.backtest import Past, Way
from controller.planner.feeds import points, rows
from controller.planner.planning import SLOTS_PER_DAY, Known, Site, later
from controller.series.refusal import SeriesError
from controller.system.local_days import before_at, day_begin, slots_between
from hil.systems import sender, series, spec as specs
from hil.systems.series import BEFORE_DAYS

LOW_PART = 0.3  # below this part of the full energy the load is lowered at once
DAYS_MIN = 7  # a month with fewer days is not judged
KINDS = {"load": True, "prices": False, "pv": False}  # {file of a folder: whether it is needed}
NO_KEYS = {"column": "", "unit": ""}


class Case(NamedTuple):
    """One month. is_told: the planner knows the load to come; doubts: lines about its series."""

    name: str
    label: str
    site: Site
    past: Past
    currency: str
    is_told: bool = False
    doubts: tuple[str, ...] = ()

    def yielding(self, percent: float | None) -> "Case":
        """The month with a load that can be lowered. percent: of its highest value in the days
        before.
        """
        if not percent:
            return self
        most_W = percent / 100 * max(self.past.load_W[: self.past.before])
        yields = self.site.yields._replace(most_W=most_W, low_part=LOW_PART)
        return self._replace(site=self.site._replace(yields=yields))

    def billed(self, tariff: dict[str, Any] | None) -> "Case":
        """The month with another tariff."""
        if tariff is None:
            return self
        site = self.site._replace(tariff=tariff)
        return self._replace(site=site, currency=tariff["currency"])

    def with_known_load(self, way: Way) -> Way:
        """A way to plan that also gets the load to come, if `is_told`."""
        if not self.is_told:
            return way
        load_W = self.past.load_W

        def rows_of(known: Known) -> list[Row]:
            start = len(known.past_load_W)
            return way(known._replace(load_W=load_W[start : start + 2 * SLOTS_PER_DAY]))

        return rows_of


def tariff_of(path: str) -> dict[str, Any]:
    """The tariff of a file with only the table [tariff]. Raises ConfigError."""
    form = {"tariff": table(tariff.FIELDS)}
    tariff_table: dict[str, Any] = read(path, (), tables_of(path, "a [tariff]"), form)["tariff"]
    tariff.check(path, tariff_table)
    return tariff_table


def spec_from(name: str, variant: str, first: datetime, days: int, seed: int) -> specs.Spec:
    """A system without events that begins BEFORE_DAYS before the first day that is judged."""
    start = first - timedelta(days=BEFORE_DAYS)
    return specs.load(name, variant).from_day(start, BEFORE_DAYS + days, seed)


def built_in(name: str, variant: str, month: int, days: int, seed: int) -> Case:
    """A month of the built-in series of a system."""
    first = datetime(specs.load(name, variant).start.year, month, 1)
    spec = spec_from(name, variant, first, days, seed)
    return of_series(spec, series.series_of(spec, {}), f"{first:%Y-%m}", name, variant)


def of_series(
    spec: specs.Spec, site_series: series.Series, label: str, name: str, variant: str
) -> Case:
    """A case made of series that begin at spec.start."""
    load_W, pv_W, price = [column.tolist() for column in site_series[1:]]
    past = Past(spec.start, load_W, pv_W, price, BEFORE_DAYS * SLOTS_PER_DAY)
    return Case(
        f"{name}/{variant}".rstrip("/"),
        label,
        sender.site_of(spec, False),
        past,
        spec.tariff["currency"],
        spec.schedule["is_load_known"],
    )


def of_folder(site: str, folder: str, days: int) -> list[Case]:
    """All months that load.csv, prices.csv and pv.csv of a folder cover. ConfigError: one line."""
    planner = site_file.load(site)
    points_of = {
        kind: _points(planner, Path(folder), kind, needed) for kind, needed in KINDS.items()
    }
    load = points_of["load"]
    assert load is not None, "it is needed"
    spans = _months(load.utc_s[0], load.utc_s[-1] + load.step_s[-1], planner.zone, days)
    cases = [_month(planner, points_of, first, end) for first, end in spans]
    if not cases:
        raise ConfigError(
            f"{folder}: load.csv covers no {DAYS_MIN} days of one month after {BEFORE_DAYS} days "
            f"of history: needed are {BEFORE_DAYS + DAYS_MIN} days"
        )
    return cases


def _points(
    planner: site_file.Planner, folder: Path, kind: str, is_needed: bool
) -> points.Points | None:
    names = [folder / f"{kind}{ending}" for ending in (".csv", ".csv.gz")]
    path = next((candidate for candidate in names if candidate.is_file()), None)
    feeds = [feed for feed in planner.feeds if feed.kind == kind]
    if path is None:
        if is_needed or feeds or (kind == "pv" and planner.pv_rated_W):
            raise ConfigError(f"{names[0]}: no such file: the site file has {kind}")
        return None
    feed = [*feeds, *planner.feeds][0]._replace(kind=kind, format="csv", keys=NO_KEYS)
    try:
        return rows.read(str(path), feed, math.inf)
    except SeriesError as error:
        raise ConfigError(f"{path}: {error}") from None


def _months(
    start_s: float, end_s: float, zone: tzinfo, days: int
) -> Iterator[tuple[datetime, datetime]]:
    """(start, end) of the first days, at most `days`, of each month with a history before it."""
    start, end = (datetime.fromtimestamp(time_s, zone) for time_s in (start_s, end_s))
    day = day_begin(start, BEFORE_DAYS + 1)
    if day - timedelta(days=1 + BEFORE_DAYS) == start:
        day -= timedelta(days=1)
    while day < end:
        length = calendar.monthrange(day.year, day.month)[1] - day.day + 1
        last = min(day + timedelta(days=min(days, length)), end.replace(hour=0, minute=0, second=0))
        if last - day >= timedelta(days=DAYS_MIN):
            yield day, last
        day = (day + timedelta(days=length)).replace(day=1)


def _month(
    planner: site_file.Planner,
    read: dict[str, points.Points | None],
    first: datetime,
    end: datetime,
) -> Case:
    """The case of one month. A hole takes the values of the day before, as in the planner."""
    start = first - timedelta(days=BEFORE_DAYS)
    before, count = (slots_between(start, moment) for moment in (first, end))
    columns, doubts = [], []
    for kind, known in read.items():
        column = [0.0] * count
        if known is not None:
            column = points.slots(known, start.astimezone(UTC).timestamp(), count)
            holes = sum(map(math.isnan, column))
            doubts += [f"{kind}: {holes} of {count} quarters unknown"] if holes > 0 else []
            column = inputs.filled(column, before_at(start))
        if math.isnan(column[0]):
            raise ConfigError(f"{kind}.csv: knows nothing from {start:%Y-%m-%d} to {end:%Y-%m-%d}")
        columns.append(column)
    load_W, prices, pv_W = columns
    return Case(
        name="site",
        label=f"{first:%Y-%m}",
        site=planner.site,
        past=Past(start, load_W, pv_W, prices, before),
        currency=planner.site.tariff["currency"],
        doubts=tuple(doubts),
    )


def begin_of(past: Past) -> datetime:
    """The first judged slot."""
    return later(past.start, past.before)
