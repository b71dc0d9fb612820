"""`python -m hil smooth`: how smooth load tracking makes the grid, as a table, JSON and a page."""

import argparse

from hil.campaigns import command, verdict
from hil.campaigns.nuisance import courses
from hil.campaigns.report import write, write_json
from hil.campaigns.smooth import cells, expected, loads, page, rig, robust, steps, tones
from hil.campaigns.smooth.paths import PATHS
from hil.engine import forks
from hil.engine.arguments import folder, output_file, whole
from hil.loads.trace import LoadError

WALL_S_MAX = 3600  # of one load: a guard only


def paths(text: str) -> tuple:
    """Names of PATHS, parted by commas."""
    names = tuple(text.split(","))
    wrong = [name for name in names if name not in PATHS]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]}: allowed are {', '.join(PATHS)}")
    return names


OPTIONS = {
    "--loads": {
        "type": folder,
        "metavar": "FOLDER",
        "help": "of measured loads; synthetic ones alone without it",
    },
    "--delays": {
        "type": paths,
        "default": ("100", "170"),
        "metavar": "MS,MS",
        "help": f"path delays of {', '.join(PATHS)} (100,170); f: with a meter of 20 ms",
    },
    "--only": {"nargs": "+", "metavar": "NAME", "help": "loads whose name contains one of these"},
    "--signals": {"action": "store_true", "help": "tones, squares, noise and steps as well"},
    "--robust": {"action": "store_true", "help": "wrong delay, noise, lost samples as well"},
    "--rig": {"action": "store_true", "help": "some loads in the byte-accurate rig as well"},
    "--seeds": {
        "type": whole(1, 10_000),
        "default": 200,
        "metavar": "NUMBER",
        "help": "of --robust (%(default)s)",
    },
    "--html": {"type": output_file(), "metavar": "FILE", "help": "write a page there"},
    "--processes": {"type": whole(1, 256), "metavar": "NUMBER", "help": "at once (one per core)"},
}


def add(commands: argparse._SubParsersAction) -> None:
    """Add `smooth` to argparse's subparsers."""
    words = "how smooth load tracking makes the grid beside each load"
    command.add(commands, "smooth", words, run, command.JSON | command.SEED | OPTIONS)


def sources(arguments: argparse.Namespace) -> list:
    """The loads. LoadError if a file has no power column, or --only names none."""
    found = [loads.Source("", name) for name in loads.BUILT_IN]
    if arguments.loads:
        found += [loads.Source(*each) for each in courses.measured(arguments.loads)]
    chosen = [
        each
        for each in found
        if not arguments.only or any(part in each.name for part in arguments.only)
    ]
    if not chosen:
        allowed = ", ".join([each.name for each in found])
        raise LoadError(f"--only {' '.join(arguments.only)}: allowed are parts of {allowed}")
    return chosen


def run(arguments: argparse.Namespace) -> int:
    """Play all; MET if every figure is as the study expects and as the targets ask."""
    processes = arguments.processes or forks.cores()
    print(f"seed       {arguments.seed}", flush=True)
    document = {"seed": arguments.seed, "delays": list(arguments.delays)}
    document["rows"] = _rows(arguments, processes)
    if arguments.signals:
        document["signals"] = tones.run(arguments.delays, arguments.seed, processes)
        document["steps"] = steps.run(arguments.delays, processes)
    if arguments.robust:
        document["robust"] = robust.run(arguments.loads, arguments.seeds, arguments.seed, processes)
    if arguments.rig:
        document["rig"] = rig.run(sources(arguments), arguments.seed, processes)
    missed = document["missed"] = misses(document)
    for line in missed:
        print(f"off        {line}")
    print(verdict.line(f"{len(missed)} figures are off"))
    write(arguments.html, page.text(document))
    for row in document["rows"]:
        del row["picture"]
    write_json(arguments.json, document)
    return verdict.exit_code(not missed)


def _rows(arguments: argparse.Namespace, processes: int) -> list:
    todo = [cells.Cell(each, arguments.delays, arguments.seed) for each in sources(arguments)]
    rows = []
    print(HEAD, flush=True)
    for found in forks.values(todo, cells.played, processes, WALL_S_MAX):
        for row in found:
            print(table_line(row), flush=True)
        rows += found
    return sorted(
        rows, key=lambda row: (arguments.delays.index(row["path"]), row["load"], row["kind"])
    )


HEAD = (
    f"{'':38}{'kind':6}{'ms':>5}{'scale':>7}  2 s rms, % of the load: ours, plain, predictor,"
    " held back; ours: 2 s p99, 10 s rms, 300 s range less, charge, worst gain"
)


def table_line(row: dict) -> str:
    """One row of the table."""
    ours = row["ways"]["ours"]
    rms = [_pct(row["ways"][way]["residual_pct"]["2"], "rms") for way in cells.WAYS]
    p99, ten_s = _pct(ours["residual_pct"]["2"], "p99"), _pct(ours["residual_pct"]["10"], "rms")
    less = ours["range_300s_less_pct"]
    low, high = ours["soc_pct"]
    gain = ours["worst_gain"]
    return (
        f"{row['load']:38}{row['kind']:6}{row['path']:>5}{row['scale']:7.4g} {''.join(rms)} |{p99}"
        f"{ten_s}{'-' if less is None else format(-less, '.0f'):>6} %  {low:.1f} to {high:.1f} %"
        + (f"  {gain[0]:.2f} at {gain[1]:.2g} Hz" if gain else "")
        + ("  first hour" if row["is_cut"] else "")
        + (f"  {row['rows_refused']} rows refused" if row["rows_refused"] else "")
    )


def _pct(residual: dict | None, figure: str) -> str:
    return f"{residual[figure]:7.1f}" if residual else f"{'-':>7}"


def misses(document: dict) -> list:
    """Lines: what is worse than expected."""
    return [
        f"{row['load']}, {row['kind']}, {row['path']} ms: {each['figure']} {each['measured']:.1f}, "
        f"expected {each['expected']:g}"
        for row in document["rows"]
        for each in expected.compared(row)
        if not each["is_met"]
    ] + [
        text
        for part in ("signals", "steps", "robust")
        for row in document.get(part, ())
        for text in row["missed"]
    ]
