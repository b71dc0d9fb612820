"""`run --year`: four weeks, one a season, weighted to a year.

The default run of a system has one season, and savings fall out of season. Here each week has its
own sun, air, load and, where they are built in, prices; the year is 13 times their sum and a rest.
"""

import argparse
from datetime import datetime
from typing import Any

from hil.results import run_result
from hil.runner import report
from hil.runner.cases import Runner
from hil.systems import optimum, plays, run
from hil.systems.figures import bills
from hil.systems.run import Result
from hil.systems.series import SLOT_S
from hil.systems.spec import Spec

SEASONS = {"winter": (1, 12), "spring": (4, 13), "summer": (7, 13), "autumn": (10, 12)}
DAYS, WEIGHT = 7, 365.25 / 7 / 4
KWH_PER_W_SLOT = SLOT_S / 3.6e6


def weeks(spec: Spec) -> dict[str, Spec]:
    """The system in a week of each season of its year; without its outages and events."""
    return {
        season: spec.begun(datetime(spec.start.year, *day))._replace(
            days=DAYS, outages=[], events=[]
        )
        for season, day in SEASONS.items()
    }


def week(season: str, result: Result) -> dict[str, Any]:
    """Money and energy of a week. saved: by the battery; best: with perfect foresight."""
    with_it, without, bare = bills(result)
    given_kWh = float(result.battery_W.clip(min=0).sum()) * KWH_PER_W_SLOT
    wear = given_kWh * result.spec.schedule["wear_per_kWh"]
    kept = _kept(result)
    return {
        "season": season,
        "bare": bare.total,
        "bill": with_it.total - kept,
        "without_battery": without.total,
        "saved": without.total - with_it.total + kept,
        "best": optimum.saving(result),
        "wear": wear,
        "given_kWh": given_kWh,
        "peak_kW": with_it.peak_W / 1000,
        "peak_without_kW": without.peak_W / 1000,
    }


def _kept(result: Result) -> float:
    """Worth of the energy that the battery gained over the week, at the mean price."""
    spec = result.spec
    gained_kWh = (float(result.soc[-1]) - spec.soc_permille / 1000) * spec.size.energy_Wh / 1000
    return gained_kWh * (float(result.series.price.mean()) + spec.tariff["adder_per_kWh"])


def document(spec: Spec, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The weeks and the year."""
    keys = ("bare", "bill", "without_battery", "saved", "best", "wear", "given_kWh")
    year = {key: WEIGHT * sum([each[key] for each in found]) for key in keys}
    return {"name": spec.name, "currency": spec.tariff["currency"], "weeks": found, "year": year}


COLUMNS = "  {:<10}{:>14}{:>14}{:>12}{:>8}{:>12}{:>10}{:>10}{:>12}"
HEAD = ("season", "no battery", "with it", "saved", "%", "optimum", "share %", "wear", "peak kW")


def lines(document: dict[str, Any]) -> list[str]:
    """The seasons as a table, and the year in a sentence."""
    year, currency = document["year"], document["currency"]
    rest = year["saved"] - year["wear"]
    return [
        "",
        f"{document['name']}: a year from four weeks, {currency}",
        COLUMNS.format(*HEAD),
        *[_line(each["season"], each) for each in document["weeks"]],
        _line("year", year),
        f"  saved less wear {rest:,.0f} {currency} a year; optimum: perfect foresight at the best "
        f"efficiency, so it cannot be reached",
    ]


def _line(name: str, found: dict[str, Any]) -> str:
    without, best = found["without_battery"], found["best"]
    part = 100 * found["saved"] / without if without else 0.0
    share = f"{100 * found['saved'] / best:.0f}" if best > 0 else "-"
    peak = f"{found['peak_kW']:,.0f}" if "peak_kW" in found else ""
    money = [f"{found[key]:,.0f}" for key in ("without_battery", "bill", "saved")]
    values = [*money, f"{part:.1f}", f"{best:,.0f}", share, f"{found['wear']:,.0f}", peak]
    return COLUMNS.format(name, *values).rstrip()


def main(jobs: list[tuple[str, str]], inputs: dict[str, Any], arguments: argparse.Namespace) -> int:
    """Play and print a week of each season of each system. Returns the exit code."""
    chosen = [plays.chosen(*job, inputs) for job in jobs if not job[1]]
    parts = [(each, *of_week) for each in chosen for of_week in weeks(each).items()]
    with Runner(arguments) as runner:
        found = runner.play(
            parts, lambda part: week(part[1], run.run(part[2], inputs)), name=_name_of
        )
    count = len(SEASONS)
    documents = [
        document(each, found[at * count : (at + 1) * count]) for at, each in enumerate(chosen)
    ]
    for each in documents:
        print("\n".join(lines(each)))
    report.write_json(arguments.json, documents)
    is_worse = any(each["year"]["saved"] < each["year"]["wear"] for each in documents)
    return run_result.NOT_MET if is_worse else run_result.MET


def _name_of(part: tuple[Spec, str, Spec]) -> str:
    return f"{part[0].name} {part[1]}"
