"""`python -m hil runaway`: lead time of every row against false alarms, as a table, JSON and a
picture.
"""

import json
import pathlib
import sys

from hil import forks
from hil.arguments import folder, number, output_file, whole
from hil.campaigns.runaway import courses, report, running

RUNAWAYS, DAYS = 96, 6.0
RUNAWAYS_MAX, DAYS_MIN, DAYS_MAX = 10_000, 0.01, 1000.0
PROCESSES_MAX, SEED_MAX = 256, 2**31 - 1
SHARES = 20  # lines of progress at most


def add(commands):
    """Add `runaway` to argparse's subparsers."""
    command = commands.add_parser(
        "runaway", help="how early a thermal runaway is seen, and how often there is none"
    )
    command.set_defaults(run=run)
    command.add_argument(
        "--runaways",
        type=whole(0, RUNAWAYS_MAX),
        default=RUNAWAYS,
        metavar="NUMBER",
        help=f"true ones ({RUNAWAYS})",
    )
    command.add_argument(
        "--days",
        type=number(DAYS_MIN, DAYS_MAX),
        default=DAYS,
        metavar="DAYS",
        help=f"of operation with makers of false alarms ({DAYS:g})",
    )
    command.add_argument(
        "--seed",
        type=whole(0, SEED_MAX),
        default=1,
        metavar="NUMBER",
        help="of everything drawn (1)",
    )
    command.add_argument(
        "--loads",
        type=folder,
        metavar="FOLDER",
        help="of measured loads "
        f"({', '.join(sorted({name for name, _ in courses.LOAD_FILES}))}); "
        f"synthetic ones without it",
    )
    command.add_argument(
        "--processes", type=whole(1, PROCESSES_MAX), metavar="NUMBER", help="at once (one per core)"
    )
    command.add_argument(
        "--json", type=output_file(), metavar="FILE", help="write all figures there"
    )
    command.add_argument(
        "--png", type=output_file(".png"), metavar="FILE", help="draw the curve there"
    )


def run(arguments):
    """Run all courses and print the table; returns the exit code."""
    todo = courses.drawn(arguments.seed, arguments.runaways, arguments.days, arguments.loads)
    series = running.run(todo, arguments.seed, progress(todo), arguments.processes)
    doc = report.document(series, arguments.seed)
    print("\n".join(report.table(doc)))
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(doc, indent=1), encoding="utf-8")
    if arguments.png:
        report.draw(doc).savefig(arguments.png)
    return 0


def progress(todo, clock_s=forks.wall_s):
    """Say how many courses there are; returns tell(done, total), which says a line whenever a share
    more is done.

    clock_s: elapsed seconds, from which what is to go is estimated.
    """
    _say(
        f"{len(todo)} courses, {sum([course.duration_s for course in todo]) / 3600:.1f} h of "
        f"simulated operation"
    )
    begun_s, told = clock_s(), 0

    def tell(done, total):
        nonlocal told
        share = done * SHARES // total
        if share > told and done < total:
            _say(
                f"{done} of {total} courses, some "
                f"{(clock_s() - begun_s) / done * (total - done):.0f} s to go"
            )
        told = share

    return tell


def _say(line):
    print(f"runaway: {line}", file=sys.stderr, flush=True)
