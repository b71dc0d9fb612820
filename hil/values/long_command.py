"""`python -m hil long` plays hours to months in resumable parts on several processes.

A first pass in chain-only mode finds charge and temperature at the start of each part.
"""

import argparse
import functools
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from controller.config import configuration
from controller.sites import EXAMPLE
from controller.system import realtime
from hil.engine import forks
from hil.engine.arguments import number, output_file, whole
from hil.engine.refusals import InputError
from hil.loads import selection
from hil.results import figures, run_result, template
from hil.results.windows import ENERGIES
from hil.runner import cases, options
from hil.values import segment, speeds

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
SHORTEST_S, LONGEST_S = 60, 400 * 86_400
PART_S_MIN = 3600
WALL_S_MAX = 30 * 86_400
RESULTS = "results.jsonl"
# usual tick, ms; 0: the tick of the cabinet
MODES = {segment.VALUE: 100, segment.CHAIN: 1000, segment.BYTE: 0}


def duration(text: str) -> int:
    """The seconds in "90s", "15min", "24h" or "90d"."""
    for unit in sorted(UNITS_S, key=len, reverse=True):
        count = text.removesuffix(unit)
        if count != text and count.isdecimal():
            length_s = int(count) * UNITS_S[unit]
            if SHORTEST_S <= length_s <= LONGEST_S:
                return length_s
    raise argparse.ArgumentTypeError(
        f"{text}: allowed is a whole number with s, min, h or d, from 1 minute to 400 days"
    )


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser("long", help="hours to quarters without wires, in parts")
    option = parser.add_argument
    option("--cabinet", metavar="FILE", default=str(EXAMPLE), help="configuration (the example)")
    option("--mode", choices=tuple(MODES), default=segment.VALUE, help="(value)")
    option("--for", dest="seconds", type=duration, default=86_400, metavar="24h", help="length")
    option("--load", metavar="FILE", help="CSV as of `rig`, repeated (a training job)")
    option("--column", metavar="NAME", help="power column of the file")
    option("--scale", type=number(0.001, 1000), default=1.0, metavar="FACTOR", help="of the load")
    option("--seed", type=whole(0, 2**31 - 1), default=1, metavar="NUMBER", help="(1)")
    option("--soc", type=number(5, 95), metavar="PERCENT", help="at the start (the target)")
    option("--tick", type=whole(10, 100), metavar="MS", help="of the run (100; byte: its own)")
    option("--segments", type=whole(1, 10_000), metavar="N", help="parts (one per process)")
    option("--processes", type=whole(1, 1024), default=1, metavar="N", help="(1)")
    option("--json", type=output_file(), metavar="FILE", help="write all figures")
    option("--resume", metavar="DIR", help="keep the parts in DIR, go on there")
    parser.set_defaults(run=main, program="long")
    speeds.add(options.part(parser, "speeds"))


def main(arguments: argparse.Namespace) -> int:
    """Run the parts that are missing, then print. Returns the exit code."""
    if arguments.column and not arguments.load:
        raise InputError("--column describes a file: it needs --load FILE")
    order = order_of(arguments)
    began_s = forks.wall_s()
    with tempfile.TemporaryDirectory() as temporary:
        results = played(order, Path(arguments.resume or temporary), arguments.processes)
    document = summary(order, results) | {"wall_s": round(forks.wall_s() - began_s, 1)}
    if arguments.json:
        figures.write_json(arguments.json, document)
    print("\n".join(lines(document)))
    return run_result.NOT_MET if document["violations"] else run_result.MET


def order_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of a run as plain values: the `order` of other functions."""
    config = configuration.load(arguments.cabinet)
    tick_ms = arguments.tick or MODES[arguments.mode] or config.tick_ms
    count = arguments.segments or min(arguments.processes, arguments.seconds // PART_S_MIN) or 1
    soc = arguments.soc or config.control["soc_target_permille"] / 10
    return {
        "cabinet": os.path.abspath(arguments.cabinet),
        "mode": arguments.mode,
        "for_s": arguments.seconds,
        "file": arguments.load and os.path.abspath(arguments.load),
        "column": arguments.column,
        "scale": arguments.scale,
        "seed": arguments.seed,
        "peak_W": selection.peak_W(config) * arguments.scale,
        "soc": soc / 100,
        "tick_ms": tick_ms,
        "segments": 1 if arguments.mode == segment.CHAIN else count,
    }


def played(order: dict[str, Any], folder: Path, processes: int) -> list[dict[str, Any]]:
    """Results of all parts, in order. folder: keeps the results and the windows of each part."""
    path = folder / RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists() and any(folder.iterdir()):
        raise InputError(f"--resume {folder}: allowed is a new folder, or one of a long run")
    about = {"program": "long", "resume": str(path), "processes": processes}
    engine = functools.partial(cases.on_processes, wall_s_max=WALL_S_MAX)
    with cases.Runner(argparse.Namespace(**order | about)) as runner:
        count, for_s = order["segments"], order["for_s"]
        begins_s = [for_s * number // count for number in range(count)]
        leads_s = [min(segment.LEAD_S, begin_s) for begin_s in begins_s]
        marks_s = [begin_s - lead_s for begin_s, lead_s in zip(begins_s[1:], leads_s[1:])]
        states = [(order["soc"], None)]
        if marks_s:
            find, name = functools.partial(_states, order), "a pass in chain-only mode"
            states += runner.play([marks_s], find, name=lambda _: name)[0]
        parts = [
            {"number": number, "begin_s": begin_s, "end_s": end_s, "lead_s": lead_s}
            | {"soc": soc, "degC": degC}
            for number, (begin_s, end_s, lead_s, (soc, degC)) in enumerate(
                zip(begins_s, [*begins_s[1:], for_s], leads_s, states)
            )
        ]
        part = functools.partial(_part, order, folder)
        return runner.play(parts, part, name=lambda job: f"part {job['number']}", engine=engine)


def _states(order: dict, marks_s: list[int]) -> list[tuple]:
    """(SOC, degC) at these times, from a pass in chain-only mode."""
    part = {"begin_s": 0, "end_s": marks_s[-1], "soc": order["soc"], "degC": None}
    chain = {**order, "mode": segment.CHAIN, "marks_s": marks_s}
    marks = {0: (order["soc"], None)} | segment.run(chain, part, None)["marks"]
    return [marks[at_s] for at_s in marks_s]


def _part(order: dict, folder: Path, part: dict) -> dict:
    """Run one part in its process."""
    realtime.freeze_collector()  # nothing here makes reference cycles
    files = folder / f"part_{part['number']:04d}"
    files.mkdir(exist_ok=True)
    return segment.run(order, part, files)


def summary(order: dict, results: list[dict]) -> dict[str, Any]:
    """The document of a run: figures of all parts together, and of each part."""
    last = results[-1]
    jumps = [
        abs(before["soc_permille_end"] - after["soc_permille_begin"])
        for before, after in zip(results, results[1:])
    ]
    return {
        "mode": last["mode"],
        "order": order,
        **{f"{name}_Wh": math.fsum(part[f"{name}_Wh"] for part in results) for name in ENERGIES},
        "import_15min_W_max": max([part["import_15min_W_max"] for part in results]),
        "grid_W_max": max([part["grid_W_max"] for part in results]),
        "degC_max": max([part["degC_max"] for part in results]),
        "soc_permille_end": last["soc_permille_end"],
        "soc_jump_permille_max": max(jumps, default=0.0),
        "trips": [trip for part in results for trip in part["trips"]],
        "violations": [text for part in results for text in part["violations"]],
        "cpu_s": math.fsum(part["cpu_s"] for part in results),
        "parts": results,
    }


def lines(document: dict[str, Any]) -> list[str]:
    """The closing lines. Each figure names its mode."""
    energies = ", ".join([f"{name} {document[f'{name}_Wh'] / 1000:.1f}" for name in ENERGIES])
    return template.rendered("long.txt", doc=document, energies=energies).splitlines()
