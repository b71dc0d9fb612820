"""`python -m hil runaway`: lead time of every row against false alarms: table, JSON, picture."""

import argparse
import sys

from hil.campaigns.runaway import courses, report as results, watching
from hil.engine.arguments import number, output_file, whole
from hil.runner import options, report

OPTIONS = options.CASES | {
    "--runaways": options.value(
        whole(0, 10_000), "NUMBER", "count of true runaways (%(default)s)", 96
    ),
    "--days": options.value(
        number(0.01, 1000.0), "DAYS", "operation with causes of false alarms (%(default)g)", 6.0
    ),
    "--loads": options.LOADS["--loads"]
    | {"help": f"folder of measured loads ({courses.LOAD_NAMES}); default: synthetic loads"},
    "--png": options.value(output_file(".png"), "FILE", "draw the curve to FILE"),
}


def run(arguments: argparse.Namespace) -> int:
    """Run all courses and print the table; returns the exit code."""
    todo = courses.drawn(arguments.seed, arguments.runaways, arguments.days, arguments.loads)
    hours = sum([course.duration_s for course in todo]) / 3600
    words = f"{len(todo)} courses, {hours:.1f} h of simulated operation"
    print(f"runaway: {words}", file=sys.stderr, flush=True)
    doc = results.document(watching.run(todo, arguments), arguments.seed)
    exit_code = report.finish(arguments, doc, results.table(doc), True)
    if arguments.png:
        results.draw(doc).savefig(arguments.png)
    return exit_code


add = options.command(
    "runaway",
    "lead time of each row before a thermal runaway, and its false alarms",
    run,
    options.JSON | options.SEED | OPTIONS,
)
