"""The command line of `python -m hil rows`."""

import argparse
import difflib
import json
import pathlib
import sys

from controller import config as configs
from controller import realtime
from hil import forks
from hil.arguments import output_file, whole
from hil.rows import page, verdict
from hil.rows.campaign import EVERY, run
from hil.rows.courses import COURSES
from hil.rows.limits import Limits
from hil.rows.stopped import STOPPED

EXAMPLE = pathlib.Path(configs.__file__).parent / "sites" / "example" / "cabinet.toml"
MET, NOT_MET, WRONG_INPUT = 0, 1, 2
SEED_MAX = 2**31 - 1
JOBS_MAX = 64


def add(commands):
    """Add the command to the subparsers."""
    parser = commands.add_parser("rows", help="bring every stage of the matrix about: its times against its own chain")
    parser.add_argument("--only", metavar="STAGE[,STAGE]", type=_labels,
                        help="these alone: stages as 21b, rows with the controller stopped as '12 stopped'")
    parser.add_argument("--json", metavar="FILE", type=output_file(), help="write all figures there")
    parser.add_argument("--md", metavar="FILE", type=output_file(), help="write the table there")
    parser.add_argument("--jobs", metavar="NUMBER", type=whole(1, JOBS_MAX), default=forks.cores(),
                        help="processes (%(default)s: one per core)")
    parser.add_argument("--seed", metavar="NUMBER", type=whole(0, SEED_MAX), default=1, help="(%(default)s)")
    parser.add_argument("--disarmed", action="store_true",
                        help="with the stages not armed: each must be found not met, or the course shows nothing")
    parser.set_defaults(run=main)


def main(arguments):
    """Returns 0 when every course is met (with --disarmed: none), else 1. Raises ConfigError, OSError."""
    wired = [label for label in arguments.only or () if label in STOPPED]
    if arguments.disarmed and wired:
        why = "the wiring acts, armed or not"
        print(f"rig: --disarmed: allowed are stages; {', '.join(wired)}: {why}", file=sys.stderr)
        return WRONG_INPUT
    print(f"seed       {arguments.seed}", flush=True)
    config = configs.load(str(EXAMPLE))
    limits, rows = Limits(config), []
    realtime.freeze_collector()
    labels = arguments.only or list(COURSES if arguments.disarmed else EVERY)
    for row in run(config, labels, arguments.jobs, arguments.disarmed, arguments.seed):
        rows.append(row)
        print(page.line(row, limits), flush=True)
    rows.sort(key=lambda row: labels.index(row.course.label))
    _write(arguments.json, lambda: json.dumps(page.document(rows, limits, arguments.seed), indent=1) + "\n")
    _write(arguments.md, lambda: page.page(rows, limits))
    wrong = [row.course.label for row in rows if _is_wrong(row, limits, arguments.disarmed)]
    print(f"verdict    {len(rows) - len(wrong)} of {len(rows)} {'found not met' if arguments.disarmed else 'met'}"
          + (f"; not: {', '.join(wrong)}" if wrong else ""))
    return NOT_MET if wrong else MET


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
            raise argparse.ArgumentTypeError(f"no course {label!r}{hint}; there are {', '.join(EVERY)}")
    return list(dict.fromkeys(labels))

