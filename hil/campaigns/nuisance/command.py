"""`python -m hil nuisance`: an hour of every load in every condition, and the trips."""

import math
from argparse import Namespace
from collections import Counter
from typing import Any

from hil.campaigns.nuisance import courses
from hil.engine import coverage
from hil.engine.arguments import number
from hil.results import words
from hil.runner import options, report
from hil.runner.cases import Runner

CONFIDENCE = 0.95
CABINET_H = 24_000  # of 1000 cabinet-days
_CABINET = {"default": None, "help": "of the cabinet to simulate (that of the condition)"}
OPTIONS = options.CASES | {
    "--cabinet": options.CABINET["--cabinet"] | _CABINET,
    "--loads": options.LOADS["--loads"]
    | {"help": "folder of measured loads (without it: only the built-in job)"},
    "--hours": options.value(
        number(0.01, 24), "HOURS", "time of each load in each condition (%(default)g)", 1.0
    ),
    "--condition": {"choices": tuple(courses.CONDITIONS), "help": "only this one"},
}


def run(arguments: Namespace) -> int:
    """Play all courses; MET if every cabinet ran on."""
    files = courses.measured(arguments.loads) if arguments.loads else []
    todo = [
        courses.Course(
            condition, file, column, arguments.hours * 3600.0, arguments.seed, arguments.cabinet
        )
        for file, column in [(None, None), *files]
        for condition in _conditions(arguments)
    ]
    print(f"seed       {arguments.seed}\nhours      {len(todo) * arguments.hours:g}", flush=True)
    with Runner(arguments) as runner:
        played = runner.play(todo, _played, _line, name=lambda each: each.name)
    document = summary(played, arguments.hours) | {"seed": arguments.seed}
    if arguments.cabinet:
        document["mirrored"] = coverage.about(coverage.loaded(arguments.cabinet))
    found = report.verdict(report.counted(len(played), document["stopped"], "courses ran on"))
    closing = [*words.mirrored_lines(document), *table(document), found]
    return report.finish(arguments, document, closing, not document["stopped"])


def _conditions(arguments: Namespace) -> list[str]:
    """The chosen conditions. A cabinet of its own has those of the example cabinet."""
    if arguments.condition:
        return [arguments.condition]
    is_own = arguments.cabinet is not None
    return [
        name
        for name, (path, *_) in courses.CONDITIONS.items()
        if not is_own or path == courses.EXAMPLE
    ]


def _played(course: courses.Course) -> dict[str, Any]:
    return {"condition": course.condition, "load": course.load, **courses.run(course)}


def _line(course: dict[str, Any]) -> str:
    stages = Counter([f"{trip['stage']} {trip['scope']}" for trip in course["trips"]])
    words = ", ".join([f"{name} x {count}" for name, count in stages.items()]) or "nothing"
    words += "" if course["is_running"] else "; the cabinet does not run at the end"
    return f"{course['condition']:15} {course['load']:40} {words}"


def summary(played: list[dict[str, Any]], hours: float) -> dict[str, Any]:
    """The courses; per condition and in all: hours, trips of each kind, 95 % bound of the rate."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in played:
        groups.setdefault(each["condition"], []).append(each)
    return {
        "hours_each": hours,
        "groups": {name: _group(group, hours) for name, group in {**groups, "all": played}.items()},
        "stopped": [f"{each['condition']}: {each['load']}" for each in played if _is_bad(each)],
        "courses": sorted(played, key=lambda each: (each["condition"], each["load"])),
    }


def _is_bad(each: dict[str, Any]) -> bool:
    kinds = {courses.kind_of(trip["stage"]) for trip in each["trips"]}
    return "stops" in kinds or not each["is_running"]


def _group(played: list[dict[str, Any]], hours: float) -> dict[str, Any]:
    total_h = len(played) * hours
    counts = Counter([courses.kind_of(trip["stage"]) for each in played for trip in each["trips"]])
    return {"hours": total_h} | {
        kind: {
            "count": counts[kind],
            "per_1000_d_max": mean_max(counts[kind]) / total_h * CABINET_H,
        }
        for kind in courses.KINDS
    }


def mean_max(count: int) -> float:
    """The highest mean of a Poisson distribution that gives `count` or less with 1 - CONFIDENCE."""
    low, high = float(count), 10.0 + 2.0 * count
    while high - low > 1e-6:
        mean = (low + high) / 2
        terms = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1)]
        low, high = (mean, high) if sum(terms) > 1 - CONFIDENCE else (low, mean)
    return high


def table(document: dict[str, Any]) -> list[str]:
    """Lines: per condition the trips of each kind, and the upper bound of their rate."""
    columns = [f"{kind}, per 1000 d <" for kind in courses.KINDS]
    lines = [f"{'':15}{'hours':>8}" + "".join([f"{column:>24}" for column in columns])]
    for name, group in document["groups"].items():
        cells = [f"{group[k]['count']:10}{group[k]['per_1000_d_max']:14.0f}" for k in courses.KINDS]
        lines.append(f"{name:15}{group['hours']:8.1f}{''.join(cells)}")
    return lines


add = options.command(
    "nuisance", "rate of trips on a sound cabinet", run, options.JSON | options.SEED | OPTIONS
)
