"""`python -m hil long speeds` measures the speed of each mode on this machine.

All modes take turns in short rounds, so that other work slows all alike. The table has the medians.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

from controller.config import configuration
from controller.sites import EXAMPLE, FOLDER
from controller.system import realtime
from hil.engine import forks
from hil.engine.arguments import output_file, whole
from hil.results import figures, run_result
from hil.values import segment
from hil.values.chain_only import ChainOnly

THREE_UNITS = FOLDER / "three_units" / "cabinet.toml"
FILES = {"1 unit": EXAMPLE, "3 units": THREE_UNITS}
BYTE_20 = "byte, 20 ms"
ROWS = {  # {mode: (keys of its order, length of a round in s)}
    BYTE_20: ({"mode": segment.BYTE, "tick_ms": 20}, 10),
    "byte, 100 ms": ({"mode": segment.BYTE, "tick_ms": 100}, 15),
    "value, 20 ms": ({"mode": segment.VALUE, "tick_ms": 20}, 15),
    "value, 100 ms": ({"mode": segment.VALUE, "tick_ms": 100}, 60),
    "chain only, 100 ms": ({"mode": segment.CHAIN, "tick_ms": 100}, 400),
    "chain only, 1 s": ({"mode": segment.CHAIN, "tick_ms": 1000}, 4000),
}
START_S = 100.0  # by then start, meter test and recovery of the limits are over
QUARTER_S = 90 * 86_400


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser("speeds", help="how fast each mode is")
    parser.add_argument("--rounds", type=whole(1, 100), default=5, metavar="N", help="(5)")
    parser.add_argument("--json", type=output_file(), metavar="FILE", help="write them")
    parser.set_defaults(run=main, program="long speeds")


def main(arguments: argparse.Namespace) -> int:
    """Print the table. Returns the exit code."""
    table = measured(arguments.rounds)
    print("\n".join(lines(table)))
    if arguments.json:
        figures.write_json(arguments.json, {"rows": table})
    return run_result.MET


def measured(rounds: int) -> list[dict[str, Any]]:
    """[{mode, units, speed, times_byte, quarter_h}] in the order of the table."""
    runners = {
        (mode, units): (_runner(file, order), length_s)
        for units, file in FILES.items()
        for mode, (order, length_s) in ROWS.items()
    }
    realtime.freeze_collector()  # as every run does
    measurements: dict = {key: [] for key in runners}
    for _ in range(rounds):
        for key, (run, length_s) in runners.items():
            began_s = forks.cpu_s()
            run(length_s)
            measurements[key].append(length_s / (forks.cpu_s() - began_s))
    speeds = {key: statistics.median(samples) for key, samples in measurements.items()}
    return [
        {
            "mode": mode,
            "units": units,
            "speed": speed,
            "times_byte": speed / speeds[BYTE_20, units],
            "quarter_h": QUARTER_S / speed / 3600,
        }
        for (mode, units), speed in speeds.items()
    ]


def _runner(file: Any, order: dict) -> Callable[[float], object]:
    """A function of (length in s) that continues a run, which has already started."""
    order = {"cabinet": str(file), "seed": 1, "file": None, **order}
    config, soc, tick_ms = configuration.load(str(file), tick_ms=100), 0.55, order["tick_ms"]
    order["peak_W"] = 284_000.0 * config.units
    if order["mode"] != segment.CHAIN:
        part = {"begin_s": 0, "lead_s": 0, "soc": soc, "degC": None}
        rig = segment.rig_of(order, part, segment.Windows()).run(START_S)
        return lambda length_s: rig.run(rig.now_us / 1e6 + length_s)
    chain = ChainOnly(config, segment.load_of(order), soc, tick_ms=tick_ms)

    def steps(length_s: float) -> None:
        for _ in range(round(length_s * 1000) // tick_ms):
            chain.step()

    return steps


def lines(table: list[dict[str, Any]]) -> list[str]:
    """The table as lines of text."""
    row_of = "{mode:60}{units:>8}{speed:9.0f}{times_byte:8.1f}{quarter_h:16.2f}".format_map
    head = f"{'mode':60}{'units':>8}{'speed':>9}{'x byte':>8}{'quarter, CPU h':>16}"
    note = "speed: simulated s per CPU s, median of rounds"
    return [head, *map(row_of, table), note]
