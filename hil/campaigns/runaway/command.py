"""`python -m hil trials runaway`: how early rows of the matrix warn of a thermal runaway.

The rows are those of the cause-and-effect matrix. The trial also measures how often each row gives
a false alarm.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hil.campaigns.runaway import courses, metrics, watching
from hil.campaigns.runaway.courses import Course
from hil.campaigns.trials import Figures, Judged, Trial
from hil.engine.arguments import number, whole
from hil.engine.simulate import VirtualRig
from hil.runner import options, report

HONESTY = (
    "Simulated: a plant model with assumed sensor faults, not field data. The rates of the "
    "makers of false alarms are assumptions (courses.TABLE). Gas mixes at once in 3 m3, and no "
    "row acts on the cabinet."
)
DAY_H = 24.0
# Rows of the matrix. Each is a column of the last printed table.
BY_MAKER = ("row 7", "row 22", "row 23", "row 26", "row 53")
COLUMNS = (
    "detector",
    "missed",
    "lead, median, s",
    "lead, 5 %, s",
    "false alarms by events, per 1000 d",
    "only load, per 1000 d",
)
DIGITS = 0, 0, 2, 0  # digits after the point, in the last four columns
Pair = tuple[Course, Figures]  # a simulated case and its result


class Runaway(Trial):
    """This trial only measures. It has no requirement, so its verdict is always "met"."""

    summary = "lead time of each row before a thermal runaway, and its false alarms"
    mode = "the plant alone, the kernel's features at 1 s; no row acts"
    own_options = {
        "--runaways": options.value(
            whole(0, 10_000), "NUMBER", "count of true runaways (%(default)s)", 96
        ),
        "--days": options.value(
            number(0.01, 1000.0), "DAYS", "operation with causes of false alarms (%(default)g)", 6.0
        ),
        "--loads": options.LOADS["--loads"]
        | {"help": f"folder of measured loads ({courses.LOAD_NAMES}); default: synthetic loads"},
    }

    def draw(self) -> list[Course]:
        """The true runaways, then the cases with causes of false alarms."""
        arguments = self.arguments
        drawn = courses.drawn(arguments.seed, arguments.runaways, arguments.days, arguments.loads)
        self.start({course.base for course in drawn})
        return drawn

    def rig(self, key: str) -> VirtualRig:
        """See Trial. key: of courses.BASES."""
        return watching.started(key, self.arguments.seed)

    def name(self, case: Course) -> str:
        """A course has a seed of its own, which is its name."""
        return f"case {case.seed}"

    def play(self, case: Course) -> Figures:
        """See Trial."""
        series = watching.watch(self.started(case.base), case)
        return {
            "seconds": len(series.values),
            "runaway_s": series.runaway_s,
            "begins": metrics.begins(series, case),
        }

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        pairs = list(zip(self.cases, outcomes))
        hours = Counter[str]()
        for case, outcome in pairs:
            hours[case.kind] += outcome["seconds"] / 3600
        document = {
            "about": HONESTY,
            "hours": {kind: round(hour, 2) for kind, hour in hours.items()},
            "rates_per_1000_d": courses.RATES,
            "detectors": judged(pairs),
        }
        return Judged(document, table(document), f"{len(outcomes)} cases judged", True)


def judged(pairs: Sequence[Pair]) -> dict[str, Figures]:
    """{detector: {leads, false_alarms}}."""
    return {
        name: {"leads": _leads(name, pairs), "false_alarms": _false_alarms(name, pairs)}
        for name in pairs[0][1]["begins"]
    }


def _leads(name: str, pairs: Sequence[Pair]) -> Figures:
    """Lead times of the runaways that start slowly. A missed one counts as 0 s."""
    leads_s = []
    for course, outcome in pairs:
        end_s = outcome["runaway_s"]
        if course.kind in courses.SLOW and end_s is not None:
            before = [at_s for at_s in outcome["begins"][name] if courses.FAULT_S < at_s < end_s]
            leads_s.append(end_s - min(before, default=end_s))
    return {
        "of": len(leads_s),
        "missed": leads_s.count(0),
        "median_s": float(np.median(leads_s)) if leads_s else None,
        "p5_s": float(np.percentile(leads_s, 5)) if leads_s else None,
    }


def _false_alarms(name: str, pairs: Sequence[Pair]) -> Figures:
    """Expected false alarms in 1000 cabinet-days. makers: for each cause, the number of alarms and
    of events (`of`). The load alone and sensor noise have no events, so `of` counts their hours.
    """
    alarms, of = Counter[str](), Counter[str]()
    for course, outcome in pairs:
        begins = outcome["begins"][name]
        if course.kind == "load":
            for kind in ("load", f"noise {course.noise_K} K"):
                alarms[kind] += len(begins)
                of[kind] += outcome["seconds"] / 3600
        elif course.rack is None:
            for at_s in course.events:
                end_s = at_s + courses.WINDOW_S[course.kind]
                alarms[course.kind] += any(at_s < begin_s <= end_s for begin_s in begins)
                of[course.kind] += 1
    # per_1000_d: alarms per event (or hour), times the events (or hours) in 1000 cabinet-days
    makers = {
        kind: {
            "alarms": alarms[kind],
            "of": of[kind],
            "per_1000_d": alarms[kind] * courses.RATES.get(kind, 1000 * DAY_H) / of[kind],
        }
        for kind in of
    }
    events = [maker["per_1000_d"] for kind, maker in makers.items() if kind in courses.RATES]
    return {"events_per_1000_d": math.fsum(events), "makers": makers}


def table(doc: Figures) -> list[str]:
    """The lines of two tables: every detector, then the alarms of some rows by their causes."""
    detectors = doc["detectors"]
    shown = [detectors[name]["false_alarms"]["makers"] for name in BY_MAKER]
    by_maker = [
        (kind, *[f"{makers[kind]['alarms']}/{makers[kind]['of']:.4g}" for makers in shown])
        for kind in shown[0]
    ]
    return [
        ", ".join(f"{kind} {hours:g} h" for kind, hours in doc["hours"].items()),
        doc["about"],
        *report.table(COLUMNS, [(name, *_cells(detector)) for name, detector in detectors.items()]),
        "",
        *report.table(("alarms of events, load and noise of hours", *BY_MAKER), by_maker),
    ]


def _cells(detector: Figures) -> list[str]:
    leads, false = detector["leads"], detector["false_alarms"]
    load = false["makers"].get("load", {"per_1000_d": None})
    figures = leads["median_s"], leads["p5_s"], false["events_per_1000_d"], load["per_1000_d"]
    texts = [
        "-" if figure is None else f"{figure:.{digits}f}" for figure, digits in zip(figures, DIGITS)
    ]
    return [f"{leads['missed']} of {leads['of']}", *texts]
