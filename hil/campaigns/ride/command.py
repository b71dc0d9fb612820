"""`python -m hil trials ride` plays sags of voltage and frequency by grid codes' curves.

A sag inside the curve must change nothing; a sag outside must stop the power. Each case is played
in a copy of a running cabinet.
"""

from collections import Counter
from collections.abc import Sequence

from controller.config.cabinet_config import Config
from controller.config.track_path import DELAY
from hil.campaigns.ride import codes, course
from hil.campaigns.ride.codes import CODES, Case
from hil.campaigns.rows import start
from hil.campaigns.trials import BYTE, Figures, Judged, Trial, count_option
from hil.engine.simulate import VirtualRig
from hil.runner import options, report

OUTSIDE_EVERY = 8  # each eighth case leaves its curve
COLUMNS = (
    "code",
    "cases",
    "sags",
    "inside",
    "stop",
    "island",
    "shed",
    "import back, s",
    "battery too, s",
    "V apart, pu",
    "outside",
    "stopped",
    "row 59d after, s",
)


class Ride(Trial):
    """This trial is met if each case went as its code asks."""

    summary = "sags of voltage and frequency by the ride-through curves of five codes"
    mode = BYTE
    own_options = {**options.CABINET, **count_option(100_000, 1000, "cases of all codes")}

    def draw(self) -> list[Case]:
        """Cases of the codes in turn. A cabinet without the source of requests plays no request."""
        arguments, source = self.arguments, start.REQUEST["source"]
        names = [*CODES]
        cases = []
        for index in range(arguments.count):
            turn, place = divmod(index, len(names))
            is_outside = (index + 1) % OUTSIDE_EVERY == 0
            cases.append(codes.drawn(names[place], turn + 1, arguments.seed, is_outside))
        if source not in [declared.name for declared in self.config.sources]:
            print(f"requests   none: the cabinet has no [source.{source}]")
            cases = [case._replace(request_kW=0) for case in cases]
        self.start({case.request_kW for case in cases})
        return cases

    def rig(self, key: int) -> VirtualRig:
        """See Trial. key: the request, kW."""
        return course.started(self.config, self.arguments.seed, key)

    def play(self, case: Case) -> Figures:
        """See Trial."""
        return course.play(case, self.started(case.request_kW))

    def line(self, outcome: Figures) -> str | None:
        """A line for a case with faults."""
        if not outcome["faults"]:
            return None
        stages = ", ".join(f"{name} at {at_s} s" for name, at_s in outcome["stages"]) or "no stage"
        return f"{outcome['case']:12} {', '.join(outcome['faults'])}; {stages}"

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        wrong = [outcome["case"] for outcome in outcomes if outcome["faults"]]
        waves = sum(outcome.get("is_wave", False) for outcome in outcomes)
        unproven = f"; in {waves} of them 90 % of before is not provable" if waves else ""
        lines = [
            *table(self.cases, outcomes),
            *_wave_notes(self.config, waves),
            *_notes(self.cases, outcomes),
        ]
        verdict = report.counted(len(outcomes), wrong, "cases as the codes ask") + unproven
        document = {
            "cases": [{**case._asdict(), **outcome} for case, outcome in zip(self.cases, outcomes)]
        }
        return Judged(document, lines, verdict, not wrong)


def table(cases: Sequence[Case], outcomes: Sequence[Figures]) -> list[str]:
    """A table as lines, with a row for each code."""
    by_code: dict[str, list[tuple[Case, Figures]]] = {name: [] for name in CODES}
    for case, outcome in zip(cases, outcomes):
        by_code[case.code].append((case, outcome))
    rows = [_row(name, pairs) for name, pairs in by_code.items() if pairs]
    return report.table(COLUMNS, rows)


def _row(name: str, pairs: Sequence[tuple[Case, Figures]]) -> list[str]:
    inside = [outcome for case, outcome in pairs if case.outside_s is None]
    outside = [pair for pair in pairs if pair[0].outside_s is not None]
    acts = Counter(act for outcome in inside for act in outcome["acts"])
    trips_s = [_trip_s(*pair) for pair in outside if not pair[1]["faults"]]
    errors_pu = [outcome["apart_pu"] for _, outcome in pairs if outcome["apart_pu"] is not None]
    return [
        name + " *" * codes.is_borrowed(name),
        str(len(pairs)),
        str(sum(len(case.sags) for case, _ in pairs)),
        str(len(inside)),
        *[str(acts[act]) for act in course.ACTS.values()],
        f"{max([outcome['back_s'] for outcome in inside], default=0.0):.2f}",
        f"{max([outcome['settled_s'] for outcome in inside], default=0.0):.2f}",
        f"{max(errors_pu, default=0.0):.3f}",
        str(len(outside)),
        str(len(trips_s)),
        f"{max(trips_s, default=0.0):.2f}",
    ]


def _trip_s(case: Case, outcome: Figures) -> float:
    at_s = next(at_s for name, at_s in outcome["stages"] if name == course.TRIP_STAGE)
    return float(at_s - (case.outside_s or 0.0))


def _wave_notes(config: Config, waves: int) -> list[str]:
    """Lines about cases in which a slow meter cannot prove that the power came back."""
    if not waves:
        return []
    path = f"the path of {config.control[DELAY]} ms"
    return [
        f"wave       in {waves} cases {path} left the load's wave on the grid:",
        "           90 % of before is not provable there; what follows the wave counts as back",
    ]


def _notes(cases: Sequence[Case], outcomes: Sequence[Figures]) -> list[str]:
    inside, outside = Counter[str](), Counter[str]()
    for case, outcome in zip(cases, outcomes):
        counts = inside if case.outside_s is None else outside
        counts.update(name for name, _ in outcome["stages"])
    return [
        f"stages     inside: {_counted(inside)}; outside: {_counted(outside)}",
        f"*          its curve of the voltage is not known here: that of {codes.BORROWED}",
        "not played three equal phases alone; a sag of at most 8 s; the converter's own protection",
        "           is set to the curve, and its power falls with the voltage below 0.9 pu",
    ]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} x {count}" for name, count in counts.most_common()) or "none"
