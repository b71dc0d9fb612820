"""`python -m hil meter-sign`: trials of the coded step by load and wiring, as a table and JSON."""

import statistics
from collections import Counter

from controller.core.policies.meter_sign import ERROR_PARTS, PROVEN, REVERSED
from hil import forks
from hil.arguments import folder, whole
from hil.campaigns import command, verdict
from hil.campaigns.meter_sign import trials
from hil.campaigns.report import write_json

OPTIONS = {
    "--trials": {
        "type": whole(1, 1_000_000),
        "default": 100,
        "metavar": "NUMBER",
        "help": "of each load, wiring, with and without a load meter (%(default)s)",
    },
    "--loads": {
        "type": folder,
        "metavar": "FOLDER",
        "help": "of measured loads; synthetic ones alone without it",
    },
    "--processes": {"type": whole(1, 256), "metavar": "NUMBER", "help": "at once (one per core)"},
}


def add(commands):
    """Add `meter-sign` to argparse's subparsers."""
    words = "how surely the coded step finds a reversed grid meter"
    command.add(commands, "meter-sign", words, run, command.JSON | command.SEED | OPTIONS)


def run(arguments):
    """Try all; MET if no trial decided wrongly."""
    traces = trials.measured(arguments.loads) if arguments.loads else {}
    cells = [
        (load, wiring, is_beside)
        for load in (*trials.SYNTHETIC, *traces)
        for wiring in trials.WIRINGS
        for is_beside in (True, False)
    ]

    def tried(cell):
        seeds = [f"{arguments.seed}/{cell}/{count}" for count in range(arguments.trials)]
        results = [trials.result_of(trials.Trial(*cell, seed), traces) for seed in seeds]
        names = dict(zip(("load", "wiring", "load_meter"), cell))
        return names | _figures(results, names["wiring"])

    found = forks.values(cells, tried, arguments.processes or forks.cores())
    rows = sorted(found, key=lambda row: cells.index(tuple(row.values())[:3]))
    wrong, count = sum([row["wrong"] for row in rows]), len(rows) * arguments.trials
    print("\n".join([f"seed       {arguments.seed}", *map(_line, rows)]))
    print(verdict.line(f"{wrong} of {count} trials decided wrongly, allowed is 1 in 10 000"))
    write_json(
        arguments.json,
        {"seed": arguments.seed, "trials": arguments.trials, "wrong": wrong, "rows": rows},
    )
    return verdict.exit_code(wrong * ERROR_PARTS <= count)


def _figures(results, wiring):
    """{result: how many, "wrong": how many, "median_s": until a decision or None} of a cell."""
    found = Counter([trials.RESULTS[code] for code, _ in results])
    decided = [ticks for code, ticks in results if code in (PROVEN, REVERSED)]
    wrong = len([code for code, _ in results if code in trials.WRONG[wiring]])
    median_s = statistics.median(decided) * trials.TICK_MS / 1000 if decided else None
    return {name: found[name] for name in trials.RESULTS} | {"wrong": wrong, "median_s": median_s}


def _line(row):
    after = f", after {row['median_s']:.1f} s" if row["median_s"] else ""
    counts = ", ".join([f"{row[name]} {name}" for name in trials.RESULTS if row[name]])
    meter = "load meter" if row["load_meter"] else "without   "
    return f"{row['load']:20} {meter} {row['wiring']:12} {counts}{after}"
