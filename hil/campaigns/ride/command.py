"""`python -m hil ride`: sags inside the curves of five codes change nothing, those outside stop.

Byte mode in virtual time. Each case is played in a copy of a cabinet that runs.
"""

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from typing import Any

from controller.config.cabinet_config import Config
from controller.config.track_path import DELAY
from hil.campaigns.ride import codes, course
from hil.campaigns.ride.codes import CODES, Case
from hil.campaigns.rows import start
from hil.engine import coverage
from hil.engine.arguments import whole
from hil.results import words
from hil.runner import options, report
from hil.runner.cases import Runner

OUTSIDE_EVERY = 8  # each eighth case leaves its curve
OPTIONS: dict[str, dict[str, Any]] = {
    **options.CASES,
    **options.CABINET,
    "--count": options.value(whole(1, 100_000), "NUMBER", "cases of all codes (%(default)s)", 1000),
    "--code": {"choices": tuple(CODES), "help": "only this one"},
}
COLUMNS = (
    *("code", "cases", "sags", "inside", "stop", "island", "shed", "import back, s"),
    *("battery too, s", "V apart, pu", "outside", "stopped", "row 59d after, s"),
)


def run(arguments: Namespace) -> int:
    """Play, print and judge. Returns the exit code."""
    config = coverage.loaded(arguments.cabinet)
    source = start.REQUEST["source"]
    is_asked = source in [each.name for each in config.sources]
    if not is_asked:
        print(f"requests   none: the cabinet has no [source.{source}]")
    print(f"seed       {arguments.seed}\nmode       byte, {config.tick_ms} ms", flush=True)
    cases = drawn(arguments)
    if not is_asked:
        cases = [each._replace(request_kW=0) for each in cases]
    for request_kW in {each.request_kW for each in cases}:
        course.started(arguments.cabinet, arguments.seed, request_kW)  # the copies begin with it
    with Runner(arguments) as runner:
        found = runner.play(
            cases,
            lambda case: course.play(case, arguments.cabinet, arguments.seed),
            _line,
            lambda case: case.name,
        )
    document = {
        "seed": arguments.seed,
        "mode": f"byte, {config.tick_ms} ms",
        "mirrored": coverage.about(config),
        "cases": [{**case._asdict(), **each} for case, each in zip(cases, found)],
    }
    wrong = [each["case"] for each in found if each["faults"]]
    waves = sum([each.get("is_wave", False) for each in found])
    unproven = f"; in {waves} of them 90 % of before is not provable" if waves else ""
    closing = [
        *words.mirrored_lines(document),
        *table(cases, found),
        *_wave_notes(config, waves),
        *_notes(cases, found),
        report.verdict(report.counted(len(found), wrong, "cases as the codes ask") + unproven),
    ]
    return report.finish(arguments, document, closing, not wrong)


def drawn(arguments: Namespace) -> list[Case]:
    """The cases: the codes in turn."""
    names = [arguments.code] if arguments.code else [*CODES]
    return [
        codes.drawn(names[at % len(names)], at // len(names) + 1, arguments.seed, _is_outside(at))
        for at in range(arguments.count)
    ]


def _is_outside(at: int) -> bool:
    return at % OUTSIDE_EVERY == OUTSIDE_EVERY - 1


def _line(found: dict[str, Any]) -> str | None:
    """A case with a fault."""
    if not found["faults"]:
        return None
    stages = ", ".join([f"{name} at {at_s} s" for name, at_s in found["stages"]]) or "no stage"
    return f"{found['case']:12} {', '.join(found['faults'])}; {stages}"


def table(cases: Sequence[Case], found: Sequence[dict[str, Any]]) -> list[str]:
    """Lines: a row for each code."""
    both = list(zip(cases, found))
    names = [name for name in CODES if any([case.code == name for case in cases])]
    rows = [_row(name, [pair for pair in both if pair[0].code == name]) for name in names]
    return report.table(COLUMNS, rows)


def _row(name: str, pairs: Sequence[tuple[Case, dict[str, Any]]]) -> list[str]:
    inside = [each for case, each in pairs if case.outside_s is None]
    outside = [each for case, each in pairs if case.outside_s is not None]
    acts = Counter([act for each in inside for act in each["acts"]])
    stopped = [each for each in outside if not each["faults"]]
    told = [_told_s(case, each) for case, each in pairs if each in stopped]
    apart = [each["apart_pu"] for _, each in pairs if each["apart_pu"] is not None]
    return [
        name + " *" * codes.is_borrowed(name),
        str(len(pairs)),
        str(sum([len(case.sags) for case, _ in pairs])),
        str(len(inside)),
        *[str(acts[act]) for act in course.ACTS.values()],
        f"{max([each['back_s'] for each in inside], default=0.0):.2f}",
        f"{max([each['settled_s'] for each in inside], default=0.0):.2f}",
        f"{max(apart, default=0.0):.3f}",
        str(len(outside)),
        str(len(stopped)),
        f"{max(told, default=0.0):.2f}",
    ]


def _told_s(case: Case, found: dict[str, Any]) -> float:
    at_s = next(at_s for name, at_s in found["stages"] if name == course.TOLD)
    return float(at_s - (case.outside_s or 0.0))


def _wave_notes(config: Config, waves: int) -> list[str]:
    """Cases in which a slow meter leaves the share of before unproven."""
    delay_ms = config.control[DELAY]
    return [
        f"wave       in {waves} cases the path of {delay_ms} ms left the load's wave on the grid:",
        "           90 % of before is not provable there; what follows the wave counts as back",
    ] * bool(waves)


def _notes(cases: Sequence[Case], found: Sequence[dict[str, Any]]) -> list[str]:
    stages: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for case, each in zip(cases, found):
        stages[case.outside_s is None].update([name for name, _ in each["stages"]])
    inside, outside = (
        ", ".join([f"{name} x {count}" for name, count in each.most_common()]) or "none"
        for each in stages.values()
    )
    return [
        f"stages     inside: {inside}; outside: {outside}",
        f"*          its curve of the voltage is not known here: that of {codes.BORROWED}",
        "not played three equal phases alone; a sag of at most 8 s; the converter's own protection",
        "           is set to the curve, and its power falls with the voltage below 0.9 pu",
    ]


add = options.command(
    "ride",
    "sags of voltage and frequency by the ride-through curves of five codes",
    run,
    options.JSON | options.SEED | OPTIONS,
)
