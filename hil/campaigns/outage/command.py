"""`python -m hil outage`: outages at random moments; `--until-empty`: islands until empty.

Exit codes: 0 every outage kept every promise, 1 not, 2 wrong input, 130 interrupted.
"""

import argparse
from collections import Counter
from typing import Any

from hil.campaigns.outage import course, islands
from hil.campaigns.outage.course import Course
from hil.engine import coverage, forks
from hil.engine.arguments import number, whole
from hil.results import words
from hil.runner import options, report
from hil.runner.cases import Runner

PER_RUN = 10
MODE = "byte"
OPTIONS: dict[str, dict[str, Any]] = {
    **options.CASES,
    **options.CABINET,
    "--count": options.value(whole(1, 100_000), "NUMBER", "outages (%(default)s)", 200),
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
    "--until-empty": options.flag("instead: five islands until the backup reserve, in value mode"),
}
# figure: (key, text, unit)
WORST = (
    ("dark_s", "gap of the load's supply", "s"),
    ("swing_W", "swing of the grid in 2 s after the return", "W"),
    ("beyond_W", "grid beyond its limit after the return (below 0: within)", "W"),
    ("needless_W", "shed although so much power was free", "W"),
)


def run(arguments: argparse.Namespace) -> int:
    """Play, print and judge. Returns the exit code."""
    if arguments.until_empty:
        return islands.run(arguments)
    config = coverage.loaded(arguments.cabinet)
    print(f"seed       {arguments.seed}\nmode       {MODE}, {config.tick_ms} ms", flush=True)
    runs, is_cut = _played(arguments)
    cpu_s = sum([each["cpu_s"] for each in runs])
    found = [outage for each in runs for outage in each["outages"]]
    document = {
        "seed": arguments.seed,
        "mode": f"{MODE}, {config.tick_ms} ms",
        "mirrored": coverage.about(config),
        "cpu_s": round(cpu_s, 1),
        "worst": worst(found),
        "outages": sorted(found, key=lambda each: (each["run"], each["at_s"])),
    }
    closing = [*words.mirrored_lines(document), *lines(document)]
    is_kept = not any(each["faults"] for each in found)
    exit_code = report.finish(arguments, document, closing, is_kept)
    return report.INTERRUPTED if is_cut else exit_code


def _courses(arguments: argparse.Namespace) -> list[Course]:
    counts = [PER_RUN] * (arguments.count // PER_RUN)
    left = arguments.count % PER_RUN
    given = arguments.peak, arguments.open, arguments.transfer
    return [
        Course(arguments.cabinet, arguments.seed, place, count, *given)
        for place, count in enumerate([*counts, *[left] * bool(left)], 1)
    ]


def _played(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], bool]:
    """(runs, interrupted): Ctrl-C ends it with the outages of whole runs."""
    runner = Runner(arguments)
    try:
        with runner:
            return runner.play(
                _courses(arguments), _run, _shown, lambda one: f"run {one.number}"
            ), False
    except KeyboardInterrupt:
        return runner.done, True


def _run(one: Course) -> dict[str, Any]:
    began_s = forks.cpu_s()
    return {"outages": course.play(one), "cpu_s": forks.cpu_s() - began_s}


def _shown(run: dict[str, Any]) -> str:
    return "\n".join(map(line, run["outages"]))


def line(outage: dict[str, Any]) -> str:
    """One outage."""
    broken = ", ".join(outage["faults"]) or "ok"
    more = "; ".join([*outage["trips"], *[f"{n} stages at {at} s" for at, n in outage["shed"]]])
    return (
        f"run {outage['run']:3}, {outage['at_s']:9.3f} s, load {outage['load_W'] / 1000:5.0f} kW, "
        f"charge {outage['soc']:.0%}: gap {outage['dark_s'] * 1000:.0f} ms, {broken}"
        + f" ({more})"
        * bool(more)
    )


def worst(outages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """{figure: its highest value with the run and the moment}."""
    found = {}
    for key, *_ in WORST if outages else ():
        one = max(outages, key=lambda each: each[key])
        found[key] = {name: one[name] for name in ("run", "at_s")} | {"value": one[key]}
    return found


def lines(document: dict[str, Any]) -> list[str]:
    """The closing lines."""
    outages = document["outages"]
    counts = Counter([fault for each in outages for fault in each["faults"]])
    wrong = [f"run {each['run']} at {each['at_s']} s" for each in outages if each["faults"]]
    cpu_s = document["cpu_s"]
    return [
        *[
            f"worst      {text}: {at['value']:g} {unit}, run {at['run']}, {at['at_s']} s"
            for key, text, unit in WORST
            for at in [document["worst"].get(key)]
            if at
        ],
        f"charge     {_range(outages, 'soc', 100)} % at the begin of an outage, load "
        f"{_range(outages, 'load_W', 1e-3)} kW",
        f"CPU        {cpu_s:.0f} s, {cpu_s / max(1, len(outages)):.1f} s each",
        *[f"broken     {name}: {count}" for name, count in counts.most_common()],
        report.verdict(report.counted(len(outages), wrong, "outages kept every promise")),
    ]


def _range(outages: list[dict[str, Any]], key: str, factor: float) -> str:
    values = [each[key] * factor for each in outages] or [0.0]
    return f"{min(values):.0f} .. {max(values):.0f}"


add = options.command(
    "outage",
    "the load through outages of the grid, at random moments or until empty",
    run,
    options.JSON | options.SEED | OPTIONS,
)
