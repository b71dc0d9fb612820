"""`python -m hil long`: hours to quarters, in parts over several processes, resumable. A pass in
chain-only mode gives charge and temperature at the begin of each part; a part that is done has a
file.
"""

import argparse
import functools
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from controller.config import configuration
from controller.sites import EXAMPLE
from controller.system import realtime
from hil.engine import forks
from hil.engine.arguments import number, output_file, whole
from hil.engine.refusals import InputError
from hil.loads import selection
from hil.results import figures, run_result, template
from hil.runner import options
from hil.values import segment, speeds

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
SHORTEST_S, LONGEST_S = 60, 400 * 86_400
PART_S_MIN = 3600
WALL_S_MAX = 30 * 86_400
ORDER_FILE = "order.json"
MODES = {segment.VALUE: 100, segment.CHAIN: 1000, segment.BYTE: 0}  # usual tick, ms; 0: its own
ENERGIES = ("import", "export", "charge", "discharge")


def duration(text: str) -> int:
    """Seconds of "90s", "15min", "24h" or "90d"."""
    for unit in sorted(UNITS_S, key=len, reverse=True):
        count = text.removesuffix(unit)
        if count != text and count.isdecimal():
            found_s = int(count) * UNITS_S[unit]
            if SHORTEST_S <= found_s <= LONGEST_S:
                return found_s
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
    option("--load", metavar="FILE", help="CSV as of `rig`, again and again (a training job)")
    option("--column", metavar="NAME", help="power column of the file")
    option("--scale", type=number(0.001, 1000), default=1.0, metavar="FACTOR", help="of the load")
    option("--seed", type=whole(0, 2**31 - 1), default=1, metavar="NUMBER", help="(1)")
    option("--soc", type=number(5, 95), metavar="PERCENT", help="at the start (the target)")
    option("--tick", type=whole(10, 100), metavar="MS", help="of the run (100; byte: its own)")
    option("--segments", type=whole(1, 10_000), metavar="N", help="parts (one per process)")
    option("--processes", type=whole(1, 1024), default=1, metavar="N", help="(1)")
    option("--skip-quiet", action="store_true", help="skip the kernel while nothing happens")
    option("--json", type=output_file(), metavar="FILE", help="write all figures to FILE")
    option("--resume", metavar="DIR", help="keep the parts in DIR and go on where it ended")
    parser.set_defaults(run=main, program="long")
    speeds.add(options.part(parser, "speeds"))


def main(arguments: argparse.Namespace) -> int:
    """Run what is missing, then print. Returns the exit code."""
    if arguments.skip_quiet and arguments.mode != segment.VALUE:
        raise InputError("--skip-quiet skips the kernel of value mode: it needs --mode value")
    if arguments.column and not arguments.load:
        raise InputError("--column describes a file: it needs --load FILE")
    order = order_of(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.resume or temporary)
        _claim(folder, order)
        began_s = forks.wall_s()
        parts = list(_parts(order, folder))
        results = _results(order, parts, folder, arguments.processes)
        results.sort(key=lambda each: each["begin_s"])
    document = summary(order, results) | {"wall_s": round(forks.wall_s() - began_s, 1)}
    if arguments.json:
        figures.write_json(arguments.json, document)
    print("\n".join(lines(document)))
    return run_result.NOT_MET if document["violations"] else run_result.MET


def order_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The order of a run: plain values."""
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
        "skip_quiet": arguments.skip_quiet,
    }


def _claim(folder: Path, order: dict) -> None:
    """Write the order into the folder, or compare it with the one that began there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ORDER_FILE
    if not path.exists():
        if any(folder.iterdir()):
            raise InputError(f"--resume {folder}: allowed is a new folder, or one of a long run")
        path.write_text(json.dumps(order))
        return
    before = json.loads(path.read_text())
    differing = [key for key in order if order[key] != before.get(key)]
    if differing:
        raise InputError(
            f"--resume {folder}: begun with other {', '.join(differing)}; "
            f"allowed are the options of its start"
        )


def _parts(order: dict, folder: Path) -> Iterator[dict[str, Any]]:
    """The parts, with state of charge and temperature at their begin."""
    count, for_s = order["segments"], order["for_s"]
    begins_s = [for_s * at // count for at in range(count)]
    states = {0: (order["soc"], None)} | (_states(order, begins_s, folder) if count > 1 else {})
    for at, (begin_s, end_s) in enumerate(zip(begins_s, [*begins_s[1:], for_s])):
        lead_s = min(segment.LEAD_S, begin_s)
        soc, degC = states[begin_s - lead_s]
        times = {"number": at, "begin_s": begin_s, "end_s": end_s, "lead_s": lead_s}
        yield times | {"soc": soc, "degC": degC}


def _states(order: dict, begins_s: list[int], folder: Path) -> dict[int, tuple]:
    """{time: (SOC, degC)} of the lead of each part but the first, by a chain-only pass."""
    path = folder / "states.json"
    if not path.exists():
        marks_s = [begin_s - min(segment.LEAD_S, begin_s) for begin_s in begins_s[1:]]
        part = {"begin_s": 0, "end_s": marks_s[-1], "soc": order["soc"], "degC": None}
        chain = {**order, "mode": segment.CHAIN, "marks_s": marks_s}
        found = segment.run(chain, part, None)["marks"]
        _write(path, {str(at_s): state for at_s, state in found.items()})
    return {int(at_s): tuple(state) for at_s, state in json.loads(path.read_text()).items()}


def _results(order: dict, parts: list[dict], folder: Path, processes: int) -> list[dict]:
    """Results of all parts: those that are done from their files, the others are run now."""
    done = [json.loads(_file(folder, p).read_text()) for p in parts if _file(folder, p).exists()]
    left = [part for part in parts if not _file(folder, part).exists()]
    left_time = TimeRemainingColumn(elapsed_when_finished=True)
    columns, screen = (
        (TextColumn("{task.description}"), BarColumn(), left_time),
        Console(stderr=True),
    )
    with Progress(*columns, console=screen, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"{segment.mode_words(order)}", total=len(parts))
        progress.advance(task, len(done))
        played = forks.values(left, functools.partial(_part, order, folder), processes, WALL_S_MAX)
        for result in played:
            progress.advance(task)
            done.append(result)
    return done


def _part(order: dict, folder: Path, part: dict) -> dict:
    """Run one part in its process; its file appears when it is whole."""
    realtime.freeze_collector()  # nothing here makes reference cycles
    files = folder / f"part_{part['number']:04d}"
    files.mkdir(exist_ok=True)
    result = segment.run(order, part, files)
    _write(_file(folder, part), result)
    return result


def _file(folder: Path, part: dict) -> Path:
    return folder / f"part_{part['number']:04d}.json"


def _write(path: Path, content: dict) -> None:
    half = path.with_suffix(".half")
    half.write_text(json.dumps(content))
    half.rename(path)


def summary(order: dict, results: list[dict]) -> dict[str, Any]:
    """The document of a run: figures of all parts together, and each part."""
    last = results[-1]
    jumps = [
        abs(before["soc_permille_end"] - after["soc_permille_begin"])
        for before, after in zip(results, results[1:])
    ]
    return {
        "mode": last["mode"],
        "order": order,
        **{f"{name}_Wh": sum([each[f"{name}_Wh"] for each in results]) for name in ENERGIES},
        "import_15min_W_max": max([each["import_15min_W_max"] for each in results]),
        "grid_W_max": max([each["grid_W_max"] for each in results]),
        "degC_max": max([each["degC_max"] for each in results]),
        "soc_permille_end": last["soc_permille_end"],
        "soc_jump_permille_max": max(jumps, default=0.0),
        "trips": [trip for each in results for trip in each["trips"]],
        "violations": [text for each in results for text in each["violations"]],
        "cpu_s": sum([each["cpu_s"] for each in results]),
        "parts": results,
    }


def lines(document: dict[str, Any]) -> list[str]:
    """The closing lines; each figure names its mode."""
    energies = ", ".join([f"{name} {document[f'{name}_Wh'] / 1000:.1f}" for name in ENERGIES])
    return template.rendered("long.txt", doc=document, energies=energies).splitlines()
