"""The command line of `python -m hil rows`."""

import argparse
import contextlib
import difflib
import json
import pathlib
import sys

from controller.site import config as configs
from controller.sites import EXAMPLE
from controller.system import realtime
from hil import forks
from hil.arguments import output_file, whole
from hil.campaigns.rows import page, real_page, verdict
from hil.campaigns.rows.campaign import EVERY, run
from hil.campaigns.rows.courses import COURSES
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real import Campaign
from hil.campaigns.rows.real_courses import NOT_DONE
from hil.campaigns.rows.stopped import STOPPED
from hil.results.run_result import INTERRUPTED

MET, NOT_MET, WRONG_INPUT = 0, 1, 2
SEED_MAX = 2**31 - 1
JOBS_MAX = 64


def add(commands):
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "rows", help="bring every stage of the matrix about: its times against its own chain"
    )
    parser.add_argument(
        "--only",
        metavar="STAGE[,STAGE]",
        type=_labels,
        help="these alone: stages as 21b, rows with the controller stopped as '12 stopped'",
    )
    parser.add_argument(
        "--json", metavar="FILE", type=output_file(), help="write all figures there"
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
        "--seed", metavar="NUMBER", type=whole(0, SEED_MAX), default=1, help="(%(default)s)"
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
    parser.set_defaults(run=main)


def main(arguments):
    """Returns 0 when every course is met (with --disarmed: none), else 1. Raises ConfigError,
    RigError, OSError.
    """
    if arguments.real:
        return _real(arguments)
    wired = [label for label in arguments.only or () if label in STOPPED]
    if arguments.disarmed and wired:
        return _refuse(
            f"--disarmed: allowed are stages; {', '.join(wired)}: the wiring acts, armed or not"
        )
    print(f"seed       {arguments.seed}", flush=True)
    config = configs.load(str(EXAMPLE))
    limits, rows = Limits(config), []
    realtime.freeze_collector()
    labels = arguments.only or list(COURSES if arguments.disarmed else EVERY)
    for row in run(config, labels, arguments.jobs, arguments.disarmed, arguments.seed):
        rows.append(row)
        print(page.line(row, limits), flush=True)
    rows.sort(key=lambda row: labels.index(row.course.label))
    _write(
        arguments.json,
        lambda: json.dumps(page.document(rows, limits, arguments.seed), indent=1) + "\n",
    )
    _write(arguments.md, lambda: page.page(rows, limits))
    wrong = [row.course.label for row in rows if _is_wrong(row, limits, arguments.disarmed)]
    print(_verdict(rows, wrong, "found not met" if arguments.disarmed else "met"))
    return NOT_MET if wrong else MET


def _real(arguments):
    """The courses in the rig of real processes; a campaign that is interrupted writes nothing."""
    wanted = arguments.only or list(EVERY)
    labels = [label for label in wanted if label not in NOT_DONE]
    if arguments.disarmed:
        return _refuse(
            "--real: a controller's own process has every required stage armed; leave "
            "--disarmed out"
        )
    if not labels:
        return _refuse(
            f"--real: {wanted[0]} is not done in real processes: "
            f"{NOT_DONE[wanted[0]]}; allowed is any "
            f"other than {', '.join(NOT_DONE)}"
        )
    print(f"seed       {arguments.seed}", flush=True)
    campaign = Campaign(
        configs.load(str(EXAMPLE)),
        arguments.jobs,
        arguments.seed,
        lambda line: print(line, flush=True),
    )
    found = []
    try:
        with contextlib.closing(campaign.run(labels)) as courses:
            for ended in courses:
                found.append(ended)
                print(page.line(ended.row, campaign.limits), flush=True)
    except KeyboardInterrupt:
        print(f"verdict    interrupted: {len(found)} of {len(labels)} courses run")
        return INTERRUPTED
    found.sort(key=lambda ended: wanted.index(ended.row.course.label))
    not_done = {label: NOT_DONE[label] for label in wanted if label in NOT_DONE}
    _write(
        arguments.json,
        lambda: (
            json.dumps(
                real_page.document(found, campaign.limits, arguments.seed, not_done), indent=1
            )
            + "\n"
        ),
    )
    _write(arguments.md, lambda: real_page.markdown(found, campaign.limits, not_done))
    return _told([ended.row for ended in found], not_done)


def _told(rows, not_done):
    """Print what is not done and the verdict; returns the exit code."""
    for label, why in not_done.items():
        print(f"{label:11} not done: {why}")
    wrong = [row.course.label for row in rows if not row.is_met]
    print(_verdict(rows, wrong, "met") + (f"; {len(not_done)} not done" if not_done else ""))
    return NOT_MET if wrong else MET


def _verdict(rows, wrong, word):
    return f"verdict    {len(rows) - len(wrong)} of {len(rows)} {word}" + (
        f"; not: {', '.join(wrong)}" if wrong else ""
    )


def _refuse(line):
    print(f"rows: {line}", file=sys.stderr)
    return WRONG_INPUT


def _is_wrong(row, limits, disarmed):
    """Not met; with the stages not armed: met, or nothing but the stage is missing."""
    if not disarmed:
        return not row.is_met
    return row.is_met or verdict.comes_anyway(row.course, row.result, limits, row.wanted)


def _write(path, content):
    if path:
        pathlib.Path(path).write_text(content(), encoding="ascii")


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
