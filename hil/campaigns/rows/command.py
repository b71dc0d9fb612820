"""The command line of `python -m hil rows`."""

import argparse
import contextlib
import difflib

from controller.site import config as configs
from controller.sites import EXAMPLE
from controller.system import realtime
from hil import forks
from hil.arguments import output_file, whole
from hil.campaigns import command, report
from hil.campaigns import verdict as verdicts
from hil.campaigns.rows import page, real_page, verdict
from hil.campaigns.rows.campaign import EVERY, run
from hil.campaigns.rows.courses import COURSES
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real import Campaign
from hil.campaigns.rows.real_courses import NOT_DONE
from hil.campaigns.rows.stopped import STOPPED

JOBS_MAX = 64


def add(commands):
    """Add the command to the subparsers."""
    words = "bring every stage of the matrix about: its times against its own chain"
    parser = command.add(commands, "rows", words, main)
    command.add_seed(parser)
    parser.add_argument(
        "--only",
        metavar="STAGE[,STAGE]",
        type=_labels,
        help="these alone: stages as 21b, rows with the controller stopped as '12 stopped'",
    )
    parser.add_argument("--md", metavar="FILE", type=output_file(), help="write the table there")
    parser.add_argument(
        "--jobs",
        metavar="NUMBER",
        type=whole(1, JOBS_MAX),
        default=forks.cores(),
        help="processes (%(default)s: one per core)",
    )
    parser.add_argument(
        "--disarmed",
        action="store_true",
        help="with the stages not armed: each must be found not met, or the course shows nothing",
    )
    parser.add_argument(
        "--real",
        action="store_true",
        help="in real processes and real time: the controller's own on ptys and a CAN server",
    )


def main(arguments):
    """Returns 0 when every course is met (with --disarmed: none), else 1. Raises ConfigError,
    RigError, OSError.
    """
    wanted = arguments.only or list(COURSES if arguments.disarmed else EVERY)
    refusal = _refusal(arguments, wanted)
    if refusal:
        return command.refuse("rows", refusal)
    print(f"seed       {arguments.seed}", flush=True)
    try:
        return (_real if arguments.real else _virtual)(arguments, wanted)
    except Interrupted as interrupted:
        print(verdicts.line(interrupted))
        return command.INTERRUPTED


class Interrupted(Exception):
    """A campaign did not come to its end, and writes nothing; words of the verdict."""


def _refusal(arguments, wanted):
    """Why these options do not go together; None when they do."""
    wired = [label for label in wanted if label in STOPPED]
    if arguments.real and arguments.disarmed:
        return (
            "--real: a controller's own process has every required stage armed; leave --disarmed "
            "out"
        )
    if arguments.disarmed and wired:
        return f"--disarmed: allowed are stages; {', '.join(wired)}: the wiring acts, armed or not"
    if arguments.real and all(label in NOT_DONE for label in wanted):
        return (
            f"--real: {wanted[0]} is not done in real processes: {NOT_DONE[wanted[0]]}; allowed is "
            f"any other than {', '.join(NOT_DONE)}"
        )
    return None


def _virtual(arguments, labels):
    config = configs.load(str(EXAMPLE))
    limits = Limits(config)
    realtime.freeze_collector()
    courses = run(config, labels, arguments.jobs, arguments.disarmed, arguments.seed)
    rows = list(_told(courses, len(labels), lambda row: row, limits))
    rows.sort(key=lambda row: labels.index(row.course.label))
    report.write_json(arguments.json, page.document(rows, limits, arguments.seed))
    report.write(arguments.md, page.page(rows, limits))
    wrong = [row.course.label for row in rows if _is_wrong(row, limits, arguments.disarmed)]
    words = "found not met" if arguments.disarmed else "met"
    print(verdicts.line(verdicts.counted(len(rows), wrong, words)))
    return verdicts.exit_code(not wrong)


def _real(arguments, wanted):
    """The courses in the rig of real processes."""
    not_done = {label: NOT_DONE[label] for label in wanted if label in NOT_DONE}
    labels = [label for label in wanted if label not in not_done]
    config = configs.load(str(EXAMPLE))
    campaign = Campaign(
        config, arguments.jobs, arguments.seed, lambda line: print(line, flush=True)
    )
    limits, courses = campaign.limits, campaign.run(labels)
    found = list(_told(courses, len(labels), lambda ended: ended.row, limits))
    found.sort(key=lambda ended: wanted.index(ended.row.course.label))
    document = real_page.document(found, limits, arguments.seed, not_done)
    report.write_json(arguments.json, document)
    report.write(arguments.md, real_page.markdown(found, limits, not_done))
    for label, why in not_done.items():
        print(f"{label:11} not done: {why}")
    wrong = [ended.row.course.label for ended in found if not ended.row.is_met]
    left = f"; {len(not_done)} not done" if not_done else ""
    print(verdicts.line(verdicts.counted(len(found), wrong, "met") + left))
    return verdicts.exit_code(not wrong)


def _told(courses, total, row_of, limits):
    """Generator of what `courses` gives, each with its line printed. Raises Interrupted."""
    done = 0
    try:
        with contextlib.closing(courses):
            for each in courses:
                done += 1
                print(page.line(row_of(each), limits), flush=True)
                yield each
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {done} of {total} courses run") from None


def _is_wrong(row, limits, disarmed):
    """Not met; with the stages not armed: met, or nothing but the stage is missing."""
    if not disarmed:
        return not row.is_met
    return row.is_met or verdict.comes_anyway(row.course, row.result, limits, row.wanted)


def _labels(text):
    labels = [label.strip() for label in text.split(",")]
    for label in labels:
        if label not in EVERY:
            near = difflib.get_close_matches(label, EVERY, 1, 0.3)
            hint = f", did you mean {near[0]}" if near else ""
            raise argparse.ArgumentTypeError(
                f"no course {label!r}{hint}; there are {', '.join(EVERY)}"
            )
    return list(dict.fromkeys(labels))
