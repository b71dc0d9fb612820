"""`python -m hil trials nuisance` plays loads on sound cabinets and counts the trips."""

import math
from collections import Counter

from hil.campaigns.nuisance import courses
from hil.campaigns.nuisance.courses import Course
from hil.campaigns.trials import BYTE, Figures, Judged, Trial
from hil.engine.arguments import number
from hil.runner import options, report

CONFIDENCE = 0.95
CABINET_H = 24_000  # hours in 1000 cabinet-days
_CABINET = {"default": None, "help": "of the cabinet to simulate (that of the condition)"}


class Nuisance(Trial):
    """This trial is met if no cabinet stopped."""

    summary = "rate of trips on a sound cabinet"
    mode = BYTE
    own_options = {
        "--cabinet": options.CABINET["--cabinet"] | _CABINET,
        "--loads": options.LOADS["--loads"]
        | {"help": "folder of measured loads (without it: only the built-in job)"},
        "--hours": options.value(
            number(0.01, 24), "HOURS", "time of each load in each condition (%(default)g)", 1.0
        ),
        "--condition": {"choices": tuple(courses.CONDITIONS), "help": "only this one"},
    }

    def draw(self) -> list[Course]:
        """Every load in every condition. A cabinet of --cabinet has the conditions of the example
        cabinet.
        """
        arguments = self.arguments
        conditions = (
            [arguments.condition]
            if arguments.condition
            else [
                name
                for name, (path, *_) in courses.CONDITIONS.items()
                if arguments.cabinet is None or path == courses.EXAMPLE
            ]
        )
        files = courses.measured(arguments.loads) if arguments.loads else []
        return [
            Course(
                condition, file, column, arguments.hours * 3600.0, arguments.seed, arguments.cabinet
            )
            for file, column in [(None, None), *files]
            for condition in conditions
        ]

    def play(self, case: Course) -> Figures:
        """See Trial."""
        return {"condition": case.condition, "load": case.load, **courses.run(case)}

    def line(self, outcome: Figures) -> str:
        """See Trial."""
        stages = Counter(f"{trip['stage']} {trip['scope']}" for trip in outcome["trips"])
        text = ", ".join(f"{name} x {count}" for name, count in stages.items()) or "nothing"
        text += "" if outcome["is_running"] else "; the cabinet does not run at the end"
        return f"{outcome['condition']:15} {outcome['load']:40} {text}"

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        hours = self.arguments.hours
        groups: dict[str, list[Figures]] = {}
        for outcome in outcomes:
            groups.setdefault(outcome["condition"], []).append(outcome)
        stopped = [
            f"{outcome['condition']}: {outcome['load']}" for outcome in outcomes if _is_bad(outcome)
        ]
        document = {
            "hours_each": hours,
            "groups": {
                name: _group(group, hours) for name, group in (groups | {"all": outcomes}).items()
            },
            "stopped": stopped,
            "courses": sorted(
                outcomes, key=lambda outcome: (outcome["condition"], outcome["load"])
            ),
        }
        verdict = report.counted(len(outcomes), stopped, "cases ran on")
        return Judged(document, table(document), verdict, not stopped)


def _is_bad(outcome: Figures) -> bool:
    kinds = {courses.kind_of(trip["stage"]) for trip in outcome["trips"]}
    return "stops" in kinds or not outcome["is_running"]


def _group(outcomes: list[Figures], hours: float) -> Figures:
    total_h = len(outcomes) * hours
    counts = Counter(
        courses.kind_of(trip["stage"]) for outcome in outcomes for trip in outcome["trips"]
    )
    return {"hours": total_h} | {
        kind: {
            "count": counts[kind],
            "per_1000_d_max": mean_max(counts[kind]) / total_h * CABINET_H,
        }
        for kind in courses.KINDS
    }


def mean_max(count: int) -> float:
    """The upper bound, at CONFIDENCE, of a Poisson distribution's mean if `count` events came."""
    low, high = float(count), 10.0 + 2.0 * count
    while high - low > 1e-6:
        mean = (low + high) / 2
        terms = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1)]
        low, high = (mean, high) if math.fsum(terms) > 1 - CONFIDENCE else (low, mean)
    return high


def table(document: Figures) -> list[str]:
    """Lines: for each condition, the trips of each kind, and the upper bound of their rate."""
    rows = [
        (name, f"{group['hours']:.1f}")
        + tuple(f"{group[k]['count']}, {group[k]['per_1000_d_max']:.0f}" for k in courses.KINDS)
        for name, group in document["groups"].items()
    ]
    heads = [f"{kind}, per 1000 d <" for kind in courses.KINDS]
    return report.table(("condition", "hours", *heads), rows)
