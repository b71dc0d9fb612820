"""`python -m hil trials outage` plays outages of the grid at random moments."""

import math
from collections import Counter

from hil.campaigns.outage import course
from hil.campaigns.outage.course import Course
from hil.campaigns.trials import BYTE, Figures, Judged, Trial, count_option
from hil.engine import forks
from hil.engine.arguments import number
from hil.runner import options, report

PER_RUN = 10
# figure: (key, text, unit)
WORST = (
    ("dark_s", "gap of the load's supply", "s"),
    ("swing_W", "swing of the grid in 2 s after the return", "W"),
    ("beyond_W", "grid beyond its limit after the return (below 0: within)", "W"),
    ("needless_W", "shed although so much power was free", "W"),
)


class Outages(Trial):
    """This trial is met if every outage kept every promise."""

    summary = "the load through outages of the grid at random moments"
    mode = BYTE
    own_options = {
        **options.CABINET,
        **count_option(100_000, 200, "outages"),
        "--peak": options.value(
            number(1000, 1e7),
            "W",
            f"of the load ({course.CONVERTER_SHARE:.0%}% of what the converters carry)",
        ),
        "--open": options.value(
            number(0, 10), "SECONDS", "until the transfer switch opens (%(default)s)", 0.1
        ),
        "--transfer": options.value(
            number(0, 10), "SECONDS", "transfer time of the converter (%(default)s)", 0.02
        ),
    }

    def draw(self) -> list[Course]:
        """Runs of ten outages each. The last run has the rest."""
        arguments, total = self.arguments, self.arguments.count
        counts = [min(PER_RUN, total - first) for first in range(0, total, PER_RUN)]
        settings = arguments.peak, arguments.open, arguments.transfer
        return [
            Course(arguments.cabinet, arguments.seed, number, count, *settings)
            for number, count in enumerate(counts, 1)
        ]

    def name(self, case: Course) -> str:
        """See Trial."""
        return f"run {case.number}"

    def play(self, case: Course) -> Figures:
        """See Trial."""
        began_s = forks.cpu_s()
        return {"outages": course.play(case), "cpu_s": forks.cpu_s() - began_s}

    def line(self, outcome: Figures) -> str:
        """See Trial."""
        return "\n".join(map(line, outcome["outages"]))

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        outages = [outage for outcome in outcomes for outage in outcome["outages"]]
        document = {
            "cpu_s": round(math.fsum(outcome["cpu_s"] for outcome in outcomes), 1),
            "worst": worst(outages),
            "outages": sorted(outages, key=lambda outage: (outage["run"], outage["at_s"])),
        }
        wrong = [
            f"run {outage['run']} at {outage['at_s']} s" for outage in outages if outage["faults"]
        ]
        verdict = report.counted(len(outages), wrong, "outages kept every promise")
        return Judged(document, lines(document), verdict, not wrong)


def line(outage: Figures) -> str:
    """One outage as a line."""
    broken = ", ".join(outage["faults"]) or "ok"
    more = "; ".join([*outage["trips"], *[f"{n} stages at {at_s} s" for at_s, n in outage["shed"]]])
    return (
        f"run {outage['run']:3}, {outage['at_s']:9.3f} s, load {outage['load_W'] / 1000:5.0f} kW, "
        f"charge {outage['soc']:.0%}: gap {outage['dark_s'] * 1000:.0f} ms, {broken}"
        + (f" ({more})" if more else "")
    )


def worst(outages: list[Figures]) -> dict[str, Figures]:
    """{figure: its highest value, with the run and the moment of it}."""
    highest = {}
    for key, *_ in WORST:
        extreme = max(outages, key=lambda outage: outage[key])
        highest[key] = {name: extreme[name] for name in ("run", "at_s")} | {"value": extreme[key]}
    return highest


def lines(document: Figures) -> list[str]:
    """The closing lines of the report."""
    outages, cpu_s = document["outages"], document["cpu_s"]
    counts = Counter(fault for outage in outages for fault in outage["faults"])
    return [
        *[
            f"worst      {text}: {peak['value']:g} {unit}, run {peak['run']}, {peak['at_s']} s"
            for (_, text, unit), peak in zip(WORST, document["worst"].values())
        ],
        f"charge     {_range_text(outages, 'soc', 100)} % at the begin of an outage, load "
        f"{_range_text(outages, 'load_W', 1e-3)} kW",
        f"CPU        {cpu_s:.0f} s, {cpu_s / len(outages):.1f} s each",
        *[f"broken     {name}: {count}" for name, count in counts.most_common()],
    ]


def _range_text(outages: list[Figures], key: str, factor: float) -> str:
    values = [outage[key] * factor for outage in outages]
    return f"{min(values):.0f} .. {max(values):.0f}"
