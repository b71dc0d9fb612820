"""Makes a plan without the planner's process, for `firebreak plan --once`. The data come from the
feeds of the site file (prices, forecasts) and from CSV files. The plan has the form of plan.json.

Nothing is measured here. So the stored energy is assumed, and the peak of the month is unknown.
"""

import math
import os
from datetime import UTC, datetime, timedelta

from controller.console.moment import moment
from controller.planner import accounts, planning, report, site_file
from controller.planner.books import Quarter
from controller.planner.daily import Daily
from controller.planner.exact import J_PER_WH
from controller.planner.feeds import reading
from controller.planner.feeds.points import QUANTITIES, QUARTER_S, Feed, Span
from controller.planner.inputs import AHEAD, PAST, Given, Inputs, known
from controller.planner.planning import SLOTS_PER_DAY, Known
from controller.planner.site_file import Planner
from controller.series.refusal import SeriesError
from controller.state.base import Facts
from controller.state.plan_file import VERSION
from controller.system import clock

ENDINGS = (".csv", ".csv.gz")
PERMILLE = 1000
NO_PEAK = "the highest import of this month is unknown: the cap is learnt from the last days alone"
BY_FILE = "energy and power by the file: nothing is measured here"


class NoPlan(Exception):
    """No plan is possible, because something is missing. The text is one line."""


def planned(path: str, series: str | None, start: str | float, stored_permille: int) -> Facts:
    """The plan that begins at `start`, a text or UTC in s since 1970. series: a folder of CSV
    files, which are used before the feeds of the site file. Raises ConfigError or SeriesError for
    wrong input, and NoPlan.
    """
    planner = site_file.load(path)
    now_s = _moment_s(start, planner) if isinstance(start, str) else start
    feeds = planner.feeds
    if isinstance(start, str):  # the age of a file matters only for a plan that begins now
        feeds = tuple(feed._replace(max_age_s=math.inf) for feed in feeds)
    folder_feeds = _feeds_of_folder(series, planner, now_s) if series else ()
    inputs = Inputs(planner._replace(feeds=(*folder_feeds, *feeds))).read(now_s)
    stored_J = planner.site.full_J * stored_permille / PERMILLE
    knowledge = known(inputs, stored_J, accounts.peaks_W(planner.site, inputs.time, []))
    if knowledge is None:
        raise NoPlan("; ".join(inputs.doubts))
    return _content(path, planner, inputs, knowledge, now_s)


def _moment_s(text: str, planner: Planner) -> float:
    try:
        return moment(text, int(clock.utc_us()) / 1e6, planner.zone)
    except SeriesError as error:
        raise SeriesError(f"--at: {error}") from None


def _feeds_of_folder(folder: str, planner: Planner, now_s: float) -> tuple[Feed, ...]:
    """A feed for each file that is named after a kind of feed. Such a feed is never too old. Each
    file is read once here, because a wrong file must be refused.
    """
    zone, currency = planner.zone, planner.feeds[0].currency
    names = [(kind, f"{kind}{end}") for kind in QUANTITIES for end in ENDINGS]
    feeds = [
        Feed(
            name=f"series_{kind}",
            kind=kind,
            format="csv",
            max_age_s=math.inf,
            zone=zone,
            currency=currency,
            keys={"path": os.path.join(folder, name), "column": "", "unit": "", "time_is": ""},
        )
        for kind, name in names
        if os.path.isfile(os.path.join(folder, name))
    ]
    if not feeds:
        allowed = ", ".join(f"{kind}.csv" for kind in QUANTITIES)
        raise SeriesError(f"{folder}: has no series; allowed are {allowed}, also as .csv.gz")
    first = int(now_s // QUARTER_S) - PAST
    for feed in feeds:
        reading.read(feed, Span(first * QUARTER_S, PAST + AHEAD, now_s, -math.inf))
    return tuple(feeds)


def _content(path: str, planner: Planner, inputs: Given, knowledge: Known, now_s: float) -> Facts:
    daily = Daily(planner.site)
    plan = daily.planned(knowledge)
    made_at = datetime.fromtimestamp(now_s, planner.zone).replace(microsecond=0).isoformat()
    hour = datetime.fromtimestamp(now_s, UTC).replace(minute=0, second=0, microsecond=0)
    return {
        "version": VERSION,
        "at": made_at,
        "zone": str(planner.zone),
        "currency": planner.feeds[0].currency,
        "site": path,
        "made_at": made_at,
        "next_at": (hour + timedelta(hours=1)).astimezone(planner.zone).isoformat(),
        "habit": daily.habit.name,
        "cap_W": plan.cap_W,
        "stored_Wh": knowledge.stored_J / J_PER_WH,
        "full_Wh": planner.site.full_J / J_PER_WH,
        "sent": None,
        "waits": [],
        "doubts": report.lines([*inputs.doubts, NO_PEAK, BY_FILE]),
        "slots": report.slots(planner.site, knowledge, plan, inputs.carbon_g_per_kWh),
        "actual": report.actual(planner.site, _quarters(knowledge)),
        "month": report.no_month(datetime.fromtimestamp(now_s, planner.zone)),
    }


def _quarters(knowledge: Known) -> list[Quarter]:
    """The quarters of an hour of the last day, as far as the feeds know them. The power of the
    battery is unknown.
    """
    count = min(SLOTS_PER_DAY, len(knowledge.past_load_W), len(knowledge.past_price_per_kWh))
    past = zip(knowledge.past_load_W[-count:], knowledge.past_pv_W[-count:])
    prices = knowledge.past_price_per_kWh[-count:]
    return [
        Quarter(
            planning.later(knowledge.time, index - count), *powers_W, price_per_kWh=prices[index]
        )
        for index, powers_W in enumerate(past if count else ())
    ]
