"""`python -m hil rows`: options of the command, and the run of its test cases (courses)."""

import argparse
import difflib
from typing import Any

from controller.config import configuration
from controller.config.cabinet_config import Config
from controller.sites import EXAMPLE
from controller.system import realtime
from hil.campaigns.rows import measured, page, play, verdict
from hil.campaigns.rows.courses import COURSES, EVERY, STOPPED
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real import CHANNEL_B, NOT_DONE, REAL as IN_REAL, Campaign, STEP_ms
from hil.campaigns.rows.start import REQUEST
from hil.campaigns.rows.verdict import Outcome
from hil.engine import forks
from hil.engine.arguments import output_file, whole
from hil.runner import options, report
from hil.runner.cases import Runner

JOBS_MAX = 64
MEASURED = "save the figures of these cases for the hazard log (safety/hazards/measured.json)"
REAL = "real processes and real time: the controller on ptys and a CAN server"
DISARMED = "without the stage of each case: each must be found not met, or it proves nothing"


def main(arguments: argparse.Namespace) -> int:
    """Run the courses. Returns 0 if every one is met (--disarmed: if none is), else 1. Raises
    WrongOptionError or ConfigError.
    """
    wanted = arguments.only or list(COURSES if arguments.disarmed else EVERY)
    if refusal := _refusal(arguments, wanted):
        raise options.WrongOptionError(refusal)
    config = configuration.load(arguments.cabinet)
    _refuse_unknown(config, wanted)
    print(f"seed       {arguments.seed}", flush=True)
    return _run(config, arguments, wanted)


def _refusal(arguments: argparse.Namespace, wanted: list[str]) -> str | None:
    """Why these options exclude each other, or None."""
    if arguments.cabinet != str(EXAMPLE) and (arguments.real or arguments.measured):
        return "--cabinet: --real and --measured are of the example cabinet; leave one out"
    if arguments.real and arguments.dask:
        return "--real: in real processes the cases run on this machine; leave --dask out"
    if arguments.real and arguments.disarmed:
        return "--real: in real processes every required stage is armed; leave --disarmed out"
    if arguments.measured and (arguments.real or arguments.disarmed):
        return "--measured: its figures are of virtual time; leave --real and --disarmed out"
    wired = ", ".join(label for label in wanted if label in STOPPED)
    if arguments.disarmed and wired:
        return f"--disarmed: allowed are stages; {wired}: the wiring acts, armed or not"
    if arguments.real and all(label in NOT_DONE for label in wanted):
        return (
            f"--real: {wanted[0]} is not done in real processes: {NOT_DONE[wanted[0]]}; allowed is "
            f"any other than {', '.join(NOT_DONE)}"
        )
    return None


def _refuse_unknown(config: Config, wanted: list[str]) -> None:
    """Raise WrongOptionError if the cabinet lacks a device or source that these courses name."""
    courses = [EVERY[label] for label in wanted]
    acts = [act for course in courses for act in course.at_start + course.before + course.cause]
    named = {str(act.arguments["device"]) for act in acts if "device" in act.arguments}
    known = {CHANNEL_B, *[device.name for device in config.devices]}
    missing = sorted(named - known)
    if REQUEST["source"] not in [source.name for source in config.sources]:
        missing.append(f"source.{REQUEST['source']}")
    if missing:
        raise options.WrongOptionError(f"--cabinet: {config.path} has no {', '.join(missing)}")


def _run(config: Config, arguments: argparse.Namespace, wanted: list[str]) -> int:
    not_done, limits = None, Limits(config)
    if arguments.real:
        not_done = {label: NOT_DONE[label] for label in wanted if label in NOT_DONE}
        limits = Limits(config, STEP_ms)
    labels = [label for label in wanted if label not in (not_done or ())]
    runner = Runner(arguments)
    try:
        with runner:
            outcomes = _outcomes(runner, arguments, labels, limits)
    except KeyboardInterrupt as error:
        text = f"interrupted: {len(runner.done)} of {len(labels)} cases run"
        print(report.verdict(text))
        return report.refuse("rows", error, report.INTERRUPTED) if str(error) else 130
    report.write_json(arguments.json, page.document(outcomes, limits, arguments.seed, not_done))
    report.write(arguments.md, page.page(outcomes, limits, not_done))
    if arguments.measured:
        measured.keep(outcomes)
    for label, why in (not_done or {}).items():
        print(f"{label:11} not done: {why}")
    wrong = [
        outcome.course.label
        for outcome in outcomes
        if _is_wrong(outcome, limits, arguments.disarmed)
    ]
    text = "found not met" if arguments.disarmed else "met"
    left = f"; {len(not_done)} not done" if not_done else ""
    print(report.verdict(report.counted(len(outcomes), wrong, text) + left))
    return report.NOT_MET if wrong else report.MET


def _outcomes(
    runner: Runner, arguments: argparse.Namespace, labels: list[str], limits: Limits
) -> list[Outcome]:
    """Outcomes in the order of the labels. Each line is printed when its course ends."""
    courses = IN_REAL if arguments.real else EVERY

    def line(fields: dict[str, Any]) -> str:
        return page.line(Outcome.of(fields, courses), limits)

    if arguments.real:
        campaign = Campaign(limits, arguments.seed)
        played = runner.play(
            campaign.ordered(labels),
            lambda label: campaign.outcome(label).plain(),
            line,
            engine=campaign.on_threads,
        )
    else:
        realtime.freeze_collector()
        shared = () if arguments.dask else labels
        work = play.work(limits, shared, arguments.disarmed, arguments.seed)
        played = runner.play(play.ordered(labels), work, line)
    outcomes = [Outcome.of(fields, courses) for fields in played]
    return sorted(outcomes, key=lambda outcome: labels.index(outcome.course.label))


def _is_wrong(outcome: Outcome, limits: Limits, disarmed: bool) -> bool:
    """True for "not met". If disarmed: true for "met", or if all effects came without the stage."""
    if not disarmed:
        return not outcome.is_met
    course, result = outcome.course, outcome.result
    return outcome.is_met or verdict.comes_anyway(course, result, limits, outcome.wanted)


def _labels(text: str) -> list[str]:
    labels = [label.strip() for label in text.split(",")]
    for label in labels:
        if label not in EVERY:
            near = [known for known in EVERY if known.rstrip("abcdefg") == label]
            near = near or difflib.get_close_matches(label, EVERY, 1, 0.7)
            hint = f", did you mean {', '.join(near)}" if near else ""
            raise argparse.ArgumentTypeError(
                f"no case {label!r}{hint}; allowed: {', '.join(EVERY)}"
            )
    return list(dict.fromkeys(labels))


OPTIONS: options.Options = {
    **options.JSON,
    **options.SEED,
    **options.CABINET,
    "--only": {
        "metavar": "STAGE[,STAGE]",
        "action": "extend",
        "type": _labels,
        "help": "only these: stages as 21b, rows with the controller stopped as '12 stopped'",
    },
    "--md": options.value(output_file(), "FILE", "write the table there"),
    "--measured": options.flag(MEASURED),
    "--jobs": options.value(
        whole(1, JOBS_MAX), "NUMBER", "processes (%(default)s: one per core)", forks.cores()
    )
    | {"dest": "processes"},
    "--disarmed": options.flag(DISARMED),
    "--real": options.flag(REAL),
    **options.KEPT,
}
add = options.command(
    "rows", "trip every stage of the matrix; check its effects and times", main, OPTIONS
)
