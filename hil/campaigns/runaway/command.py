"""`python -m hil runaway`: lead time of every row against false alarms: table, JSON, picture."""

import sys

from hil.campaigns import command
from hil.campaigns.report import write_json
from hil.campaigns.runaway import courses, report, watching
from hil.engine import forks
from hil.engine.arguments import folder, number, output_file, whole

RUNAWAYS, DAYS = 96, 6.0
RUNAWAYS_MAX, DAYS_MIN, DAYS_MAX = 10_000, 0.01, 1000.0
PROCESSES_MAX = 256
SHARES = 20  # lines of progress at most
OPTIONS = {
    "--runaways": {
        "type": whole(0, RUNAWAYS_MAX),
        "default": RUNAWAYS,
        "metavar": "NUMBER",
        "help": "count of true runaways (%(default)s)",
    },
    "--days": {
        "type": number(DAYS_MIN, DAYS_MAX),
        "default": DAYS,
        "metavar": "DAYS",
        "help": "operation with causes of false alarms (%(default)g)",
    },
    "--loads": {
        "type": folder,
        "metavar": "FOLDER",
        "help": f"folder of measured loads ({courses.LOAD_NAMES}); default: synthetic loads",
    },
    "--processes": {
        "type": whole(1, PROCESSES_MAX),
        "metavar": "NUMBER",
        "help": "at once (one per core)",
    },
    "--png": {"type": output_file(".png"), "metavar": "FILE", "help": "draw the curve to FILE"},
}


def add(commands):
    """Add `runaway` to argparse's subparsers."""
    words = "lead time of each row before a thermal runaway, and its false alarms"
    command.add(commands, "runaway", words, run, command.JSON | command.SEED | OPTIONS)


def run(arguments):
    """Run all courses and print the table; returns the exit code."""
    todo = courses.drawn(arguments.seed, arguments.runaways, arguments.days, arguments.loads)
    series = watching.run(todo, arguments.seed, progress(todo), arguments.processes)
    doc = report.document(series, arguments.seed)
    print("\n".join(report.table(doc)))
    write_json(arguments.json, doc)
    if arguments.png:
        report.draw(doc).savefig(arguments.png)
    return command.MET


def progress(todo, clock_s=forks.wall_s):
    """Print the count of courses; returns show(done, total), which prints the progress.

    clock_s: elapsed seconds, for the estimate of the remaining time.
    """
    hours = sum([course.duration_s for course in todo]) / 3600
    _say(f"{len(todo)} courses, {hours:.1f} h of simulated operation")
    begun_s, shares = clock_s(), 0

    def show(done, total):
        nonlocal shares
        if done * SHARES // total > shares and done < total:
            left_s = (clock_s() - begun_s) / done * (total - done)
            _say(f"{done} of {total} courses, about {left_s:.0f} s left")
        shares = done * SHARES // total

    return show


def _say(line):
    print(f"runaway: {line}", file=sys.stderr, flush=True)
