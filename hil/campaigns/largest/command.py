"""`python -m hil largest`: the largest site under each operator's rule, by path and buffer."""

import argparse

from hil.campaigns.largest import course
from hil.campaigns.nuisance import courses
from hil.campaigns.smooth import command as smooth, loads
from hil.engine.arguments import number
from hil.loads.trace import LoadError
from hil.runner import options, report
from hil.runner.cases import Runner

OPTIONS = {
    **options.CASES,
    **options.LOADS,
    "--only": {"nargs": "+", "metavar": "NAME", "help": "loads whose name contains one of these"},
    "--delays": options.value(smooth.paths, "MS,MS", "path delays (100f,55)", ("100f", "55")),
    "--capacitor": options.value(
        number(0, 1e6), "J", "at the racks, per kW of the load's peak (%(default)s)", 54.0
    ),
    "--meter": {
        "choices": (course.RACKS, course.FEED),
        "default": course.RACKS,
        "help": "where the load meter of a site with capacitors is (%(default)s)",
    },
    "--floor": options.value(number(0, 100), "PERCENT", "power smoothing of the GPUs: floor", 0.0),
    "--ramp": options.value(number(0, 1e6), "PERCENT", "its change per s (no limit)", 0.0),
    "--hysteresis": options.value(number(0, 1e6), "S", "its time at the floor (2)", 2.0),
}
WIDTH, WHOLE_MW, ANY_MW = 14, 100, 1e5


def cases(arguments: argparse.Namespace) -> list[course.Case]:
    """NERC's ramp, the built-in job, and measured loads. LoadError."""
    found: list[loads.Source | None] = [None, loads.Source("", "training")]
    if arguments.loads:
        found += [loads.Source(*each) for each in courses.measured(arguments.loads)]
    given = arguments.capacitor, arguments.floor, arguments.ramp, arguments.hysteresis
    racks = course.Racks(*given, arguments.meter)
    every = [course.Case(source, arguments.delays, racks) for source in found]
    chosen = [
        each
        for each in every
        if not arguments.only or any(part in each.name for part in arguments.only)
    ]
    if not chosen:
        allowed = ", ".join([each.name for each in every])
        raise LoadError(f"--only {' '.join(arguments.only)}: allowed are parts of {allowed}")
    return chosen


def run(arguments: argparse.Namespace) -> int:
    """Play all and print one table for each load."""
    todo = cases(arguments)
    print("\n".join(_head(todo[0].racks)), flush=True)
    with Runner(arguments) as runner:
        rows = runner.play(todo, course.played, table, lambda case: f"load {case.name}")
    document = {"racks": todo[0].racks._asdict(), "rows": rows}
    return report.finish(arguments, document, [report.verdict(f"{len(rows)} loads judged")], True)


def _head(racks: course.Racks) -> list[str]:
    smoothing = f"floor {racks.floor_pct:g} %, {racks.ramp_pct_per_s:g} % per s"
    return [
        "largest    site in MW, by the load's peak, that passes each rule, from 10 s on; "
        "(?): nobody here has read the rule in its document",
        f"racks      racks, + c: capacitor of {racks.J_per_kW:g} J per kW, load meter at the "
        f"{racks.meter}; power smoothing "
        + (f"{smoothing}, {racks.hysteresis_s:g} s" if racks.floor_pct else "off"),
        "columns    alone: no battery; racks: no battery; a path delay: load tracking",
    ]


def table(row: dict) -> str:
    """The table of one load: a line for each rule, a column for each way."""
    ways = row["ways"]
    lines = [f"\n{row['load']}, {row['kind']}, {row['seconds']:.0f} s"]
    lines.append(f"{'':26}" + "".join([f"{way:>{WIDTH}}" for way in ways]))
    for rule in course.chosen_rules():
        cells = [_cell(found[rule.title], rule.from_MW) for found in ways.values()]
        lines.append(f"{rule.title:26}" + "".join([f"{each:>{WIDTH}}" for each in cells]))
    return "\n".join(lines)


def _cell(size_MW: float | None, from_MW: float) -> str:
    """none: no size passes; below: only a site that the rule does not apply to."""
    if size_MW is None:
        return "-"
    if size_MW == from_MW:
        return f"below {size_MW:g}" if size_MW else "none"
    if size_MW >= ANY_MW:
        return "any"
    return f"{size_MW:.3g}" if size_MW < WHOLE_MW else f"{size_MW:.0f}"


add = options.command(
    "largest",
    "the largest site that each operator's rule allows, by path delay and buffer",
    run,
    options.JSON | OPTIONS,
)
