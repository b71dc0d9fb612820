"""`python -m hil runaway`: lead time of every row against false alarms, as a table, JSON and a picture."""

import argparse
import json
import os
import sys

from hil.detection import courses, report, running

RUNAWAYS, DAYS = 96, 6.0
RUNAWAYS_MAX, DAYS_MIN, DAYS_MAX = 10_000, 0.01, 1000.0


def add(commands, number, seed):
    """Add `runaway` to argparse's subparsers; number(low, high) and seed: types of arguments."""
    command = commands.add_parser("runaway", help="how early a thermal runaway is seen, and how often there is none")
    command.set_defaults(run=run)
    command.add_argument("--runaways", type=number(0, RUNAWAYS_MAX), default=RUNAWAYS, metavar="NUMBER",
                         help=f"true ones ({RUNAWAYS})")
    command.add_argument("--days", type=number(DAYS_MIN, DAYS_MAX), default=DAYS, metavar="DAYS",
                         help=f"of operation with makers of false alarms ({DAYS:g})")
    command.add_argument("--seed", type=seed, default=1, metavar="NUMBER", help="of everything drawn (1)")
    command.add_argument("--loads", type=_folder, metavar="FOLDER", help="of measured loads "
                         f"({', '.join(sorted({name for name, _ in courses.LOAD_FILES}))}); synthetic ones without it")
    command.add_argument("--processes", type=number(1, 256), metavar="NUMBER", help="at once (one per core)")
    command.add_argument("--json", type=_file, metavar="FILE", help="write all figures there")
    command.add_argument("--png", type=_file, metavar="FILE", help="draw the curve there")


def _file(text):
    """A file that can be written when all courses have been run."""
    _folder(os.path.dirname(text) or ".")
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text} is a folder; allowed is a file")
    return text


def _folder(text):
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return text


def run(arguments):
    """Run all courses and print the table; returns the exit code."""
    todo = courses.drawn(arguments.seed, int(arguments.runaways), arguments.days, arguments.loads)
    series = running.run(todo, arguments.seed, _tell, arguments.processes and int(arguments.processes))
    doc = report.document(series, arguments.seed)
    print("\n".join(report.table(doc)))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(doc, file, indent=1)
    if arguments.png:
        report.draw(doc).savefig(arguments.png)
    return 0


def _tell(done, total):
    if sys.stderr.isatty():
        print(f"\r{done} of {total} courses", end="" if done < total else "\n", file=sys.stderr)
