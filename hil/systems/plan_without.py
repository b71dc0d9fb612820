"""`hil plan --without PART` measures the worth of a planner's part by leaving it out.

A part is switched off by replacing its function in the process of the case, never by a setting of
the product. Each month is planned as it was, and three times with a bad load. The load falls by a
quarter, or rises by a seventh, or one day has a fifth more. The month's name draws the day.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

from controller.planner import backtest, forecast, foresight, guard, habits, planning
from controller.planner.daily import Daily
from controller.planner.planning import SLOTS_PER_DAY, Habit, Known, Planned, Site
from hil.runner.cases import Runner
from hil.systems import back_tests
from hil.systems.pasts import Case

FALL, RISE, DAY = 0.75, 1.15, 1.2
DRAWN_DAYS = 10  # a bad load begins on one of the first days of a month
_PLANNED, _HABIT_OF = planning.planned, habits.habit_of
Row = dict[str, Any]  # figures of a month, or of a part


def _with(**changes: Any) -> Callable[..., Planned]:
    def planned(site: Site, known: Known, caps_W: Sequence[float], habit: Habit) -> Planned:
        return _PLANNED(site, known, caps_W, habit._replace(**changes))

    return planned


def _one_habit(replaced: Habit, instead: Habit) -> Callable[[Site, Known], Habit]:
    def habit_of(site: Site, known: Known) -> Habit:
        own = _HABIT_OF(site, known)
        return instead if own == replaced else own

    return habit_of


PARTS: dict[str, tuple[Any, str, Any]] = {  # {part: (module, name in it, replacement)}
    "guard": (guard, "charge_to_W", lambda *arguments: [math.inf] * len(arguments[3])),
    "holds_cap": (habits, "habit_of", _one_habit(planning.HOLDS_CAP, planning.TRADES)),
    "trades": (habits, "habit_of", _one_habit(planning.TRADES, planning.HOLDS_CAP)),
    "fading": (forecast, "FADES_SLOTS", 1e-9),
    "need": (planning, "_floored", lambda site, time, past, slots, caps_W: slots),
    "look": (planning, "planned", _with(looks=0)),
    "kept": (planning, "planned", _with(kept=0.0)),
}


class Job(NamedTuple):
    """A month that is planned with each of the parts off in turn."""

    case: Case
    bad: str  # the kind of bad load; "": the load as it was
    parts: Sequence[str]


def run(works: Mapping[str, Callable[[], Case]], parts: Sequence[str], runner: Runner) -> list[Row]:
    """Print and return a row for each part and kind of month."""
    jobs = [Job(bad_load(work(), bad), bad, parts) for work in works.values() for bad in ("", *BAD)]
    months = runner.play(
        jobs, played, name=lambda job: f"{job.case.name} {job.case.label} {job.bad}"
    )
    rows = [
        row
        for part in parts
        for is_bad in (False, True)
        for row in _rows(part, is_bad, [month for month in months if bool(month["bad"]) == is_bad])
    ]
    print(
        "without      months         of foresight   of one system   worst month, permille of bill"
    )
    for row in rows:
        print(_line(row), flush=True)
    return rows


def _from_a_day_on(factor: float, load_W: list[float], draw: random.Random) -> list[float]:
    begin = draw.randrange(DRAWN_DAYS) * SLOTS_PER_DAY
    return [*load_W[:begin], *[factor * power_W for power_W in load_W[begin:]]]


def _one_day(load_W: list[float], draw: random.Random) -> list[float]:
    begin = draw.randrange(len(load_W) // SLOTS_PER_DAY) * SLOTS_PER_DAY
    end = begin + SLOTS_PER_DAY
    day = [DAY * power_W for power_W in load_W[begin:end]]
    return [*load_W[:begin], *day, *load_W[end:]]


BAD: dict[str, Callable[[list[float], random.Random], list[float]]] = {
    "falls": partial(_from_a_day_on, FALL),
    "rises": partial(_from_a_day_on, RISE),
    "one day": _one_day,
}


def bad_load(case: Case, bad: str) -> Case:
    """The month with this bad load; "" leaves it as it was. The month's name is the seed."""
    if not bad:
        return case
    past, draw = case.past, random.Random(f"{case.name} {case.label} {bad}")
    load_W = list(past.load_W)
    load_W[past.before :] = BAD[bad](load_W[past.before :], draw)
    return case._replace(past=past._replace(load_W=load_W))


def played(job: Job) -> Row:
    """Savings of the battery with all parts, without each part, and with perfect foresight."""
    case, site = job.case, job.case.site
    best = foresight.optimum(site, case.past, back_tests.BEGIN * site.full_J)
    saved = {"": _saved(case)}
    for name in job.parts:
        with mock.patch.object(*PARTS[name]):
            saved[name] = _saved(case)
    return {
        "name": case.name,
        "label": case.label,
        "bad": job.bad,
        "currency": case.currency,
        "best": back_tests.beside_none(case, best)["saved"],
        "bill": backtest.cost(site, case.past, backtest.without(case.past)),
        "saved": saved,
    }


def _saved(case: Case) -> float:
    outcome = back_tests.followed(case, Daily(case.site).rows)
    return back_tests.beside_none(case, outcome)["saved"]


def _rows(part: str, is_bad: bool, months: Sequence[Row]) -> Iterator[Row]:
    """One row about a part. points: weighted change of the saving without the part, in percent of
    perfect foresight. least, most: this change of the systems that lose and gain most. permille:
    saving in the worst month, as a share of the bill, with all parts and without this one.
    """
    if not months:
        return
    by_system = {name: _points(part, [month for month in months if month["name"] == name])
                 for name in dict.fromkeys([month["name"] for month in months])}  # fmt: skip
    worst = [
        min([1000 * month["saved"][off] / month["bill"] for month in months]) for off in ("", part)
    ]
    yield {
        "part": part,
        "months": f"{'bad' if is_bad else 'as were'} {len(months)}",
        "points": _points(part, months),
        "least": min(by_system.items(), key=lambda pair: pair[1]),
        "most": max(by_system.items(), key=lambda pair: pair[1]),
        "permille": worst,
    }


def _points(part: str, months: Sequence[Row]) -> float:
    rates = [back_tests.EUR.get(month["currency"], 1.0) for month in months]
    less = math.fsum([rate * (month["saved"][part] - month["saved"][""])
                for rate, month in zip(rates, months)])  # fmt: skip
    best = math.fsum([rate * month["best"] for rate, month in zip(rates, months)])
    return 100 * less / best if best > 0 else 0.0


def _line(row: Row) -> str:
    (loser, least), (winner, most), (with_all, without) = row["least"], row["most"], row["permille"]
    return (
        f"{row['part']:13}{row['months']:12} {row['points']:+6.2f} points   "
        f"{least:+.1f} {loser} .. {most:+.1f} {winner}   {without:.1f}, with all {with_all:.1f}"
    )
