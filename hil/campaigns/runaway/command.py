"""`python -m hil runaway`: lead time of every row against false alarms: table, JSON, picture."""

import sys

from hil.campaigns.runaway import courses, report as results, watching
from hil.engine import forks
from hil.engine.arguments import number, output_file, whole
from hil.runner import options, report

RUNAWAYS, DAYS = 96, 6.0
RUNAWAYS_MAX, DAYS_MIN, DAYS_MAX = 10_000, 0.01, 1000.0
SHARES = 20  # lines of progress at most
OPTIONS = options.CASES | {
    "--runaways": options.value(
        whole(0, RUNAWAYS_MAX), "NUMBER", "count of true runaways (%(default)s)", RUNAWAYS
    ),
    "--days": options.value(
        number(DAYS_MIN, DAYS_MAX),
        "DAYS",
        "operation with causes of false alarms (%(default)g)",
        DAYS,
    ),
    "--loads": options.LOADS["--loads"]
    | {"help": f"folder of measured loads ({courses.LOAD_NAMES}); default: synthetic loads"},
    "--png": options.value(output_file(".png"), "FILE", "draw the curve to FILE"),
}


def run(arguments):
    """Run all courses and print the table; returns the exit code."""
    todo = courses.drawn(arguments.seed, arguments.runaways, arguments.days, arguments.loads)
    series = watching.run(todo, arguments, progress(todo))
    doc = results.document(series, arguments.seed)
    exit_code = report.finish(arguments, doc, results.table(doc), True)
    if arguments.png:
        results.draw(doc).savefig(arguments.png)
    return exit_code


def progress(todo, clock_s=forks.wall_s):
    """Print the count of courses; returns a function to call after each: it prints the progress.

    clock_s: elapsed seconds, for the estimate of the remaining time.
    """
    hours = sum([course.duration_s for course in todo]) / 3600
    _say(f"{len(todo)} courses, {hours:.1f} h of simulated operation")
    begun_s, shares, done, total = clock_s(), 0, 0, len(todo)

    def show(_):
        nonlocal shares, done
        done += 1
        if done * SHARES // total > shares and done < total:
            left_s = (clock_s() - begun_s) / done * (total - done)
            _say(f"{done} of {total} courses, about {left_s:.0f} s left")
        shares = done * SHARES // total

    return show


def _say(line):
    print(f"runaway: {line}", file=sys.stderr, flush=True)


add = options.command(
    "runaway",
    "lead time of each row before a thermal runaway, and its false alarms",
    run,
    options.JSON | options.SEED | OPTIONS,
)
