"""The command line of `python -m hil rows`."""

import argparse
import contextlib
import difflib

from controller.config import configuration
from controller.sites import EXAMPLE
from controller.system import realtime
from hil.campaigns import command, report, verdict as verdicts
from hil.campaigns.rows import measured, page, verdict
from hil.campaigns.rows.courses import COURSES
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.play import run
from hil.campaigns.rows.real import NOT_DONE, Campaign, STEP_ms
from hil.campaigns.rows.stopped import EVERY, STOPPED
from hil.engine import forks
from hil.engine.arguments import output_file, whole

JOBS_MAX = 64
MEASURED = "save the figures of these courses for the hazard log (safety/hazards/measured.json)"
REAL = "real processes and real time: the controller on ptys and a CAN server"
DISARMED = "without the stage of each course: each must be found not met, or it proves nothing"


def add(commands):
    """Add the command to the subparsers."""
    words = "trip every stage of the matrix; check its effects and times"
    options = {
        "--only": {
            "metavar": "STAGE[,STAGE]",
            "action": "extend",
            "type": _labels,
            "help": "only these: stages as 21b, rows with the controller stopped as '12 stopped'",
        },
        "--md": {"metavar": "FILE", "type": output_file(), "help": "write the table there"},
        "--measured": {"action": "store_true", "help": MEASURED},
        "--jobs": {
            "metavar": "NUMBER",
            "type": whole(1, JOBS_MAX),
            "default": forks.cores(),
            "help": "processes (%(default)s: one per core)",
        },
        "--disarmed": {"action": "store_true", "help": DISARMED},
        "--real": {"action": "store_true", "help": REAL},
    }
    command.add(commands, "rows", words, main, command.JSON | command.SEED | options)


def main(arguments):
    """Returns 0 if every course is met (with --disarmed: none), else 1.

    Raises ConfigError, RigError, OSError.
    """
    wanted = arguments.only or list(COURSES if arguments.disarmed else EVERY)
    refusal = _refusal(arguments, wanted)
    if refusal:
        return command.refuse("rows", refusal)
    print(f"seed       {arguments.seed}", flush=True)
    config = configuration.load(str(EXAMPLE))
    try:
        return _run(config, arguments, wanted)
    except Interrupted as interrupted:
        print(verdicts.line(interrupted))
        return command.INTERRUPTED


class Interrupted(Exception):
    """A campaign was interrupted and writes nothing; text of the verdict."""


def _refusal(arguments, wanted):
    """Refusal of options that exclude each other, or None."""
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


def _run(config, arguments, wanted):
    seed, not_done = arguments.seed, None
    if arguments.real:
        not_done = {label: NOT_DONE[label] for label in wanted if label in NOT_DONE}
        labels = [label for label in wanted if label not in not_done]
        limits = Limits(config, STEP_ms)
        courses = Campaign(limits, arguments.jobs, seed).run(labels)
    else:
        labels, limits = wanted, Limits(config)
        realtime.freeze_collector()
        courses = run(limits, labels, arguments.jobs, arguments.disarmed, seed)
    rows = _printed(courses, labels, limits)
    report.write_json(arguments.json, page.document(rows, limits, seed, not_done))
    report.write(arguments.md, page.page(rows, limits, not_done))
    if arguments.measured:
        measured.keep(rows)
    for label, why in (not_done or {}).items():
        print(f"{label:11} not done: {why}")
    wrong = [row.course.label for row in rows if _is_wrong(row, limits, arguments.disarmed)]
    words = "found not met" if arguments.disarmed else "met"
    left = f"; {len(not_done)} not done" if not_done else ""
    print(verdicts.line(verdicts.counted(len(rows), wrong, words) + left))
    return verdicts.exit_code(not wrong)


def _printed(courses, labels, limits):
    """Rows in the order of the labels, each line printed as its course ends. Raises Interrupted."""
    rows = []
    try:
        with contextlib.closing(courses):
            for row in courses:
                rows.append(row)
                print(page.line(row, limits), flush=True)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {len(rows)} of {len(labels)} courses run") from None
    return sorted(rows, key=lambda row: labels.index(row.course.label))


def _is_wrong(row, limits, disarmed):
    """True for "not met". If disarmed, True for "met", or if only the stage itself is missing."""
    if not disarmed:
        return not row.is_met
    return row.is_met or verdict.comes_anyway(row.course, row.result, limits, row.wanted)


def _labels(text):
    labels = [label.strip() for label in text.split(",")]
    for label in labels:
        if label not in EVERY:
            near = [each for each in EVERY if each.rstrip("abcdefg") == label]
            near = near or difflib.get_close_matches(label, EVERY, 1, 0.7)
            hint = f", did you mean {', '.join(near)}" if near else ""
            raise argparse.ArgumentTypeError(
                f"no course {label!r}{hint}; allowed: {', '.join(EVERY)}"
            )
    return list(dict.fromkeys(labels))
