"""The command line of `python -m hil bench stop|hint|rig`."""

import argparse

from controller.console.bench import add_output, measure, positive
from hil.benchmarks import hint, rig, stop

COUNT_MAX = 10_000


def add(commands, complain):
    """Add `bench` to the subcommands; complain(line) says what failed."""
    parser = commands.add_parser("bench", help="measure what needs the rig")
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    stops = kinds.add_parser("stop", help="emergency stops in real time, beside the host's own stalls")
    stops.add_argument("--count", type=_count, default=200, help=f"presses (200); each takes {stop.CYCLE_S:g} s")
    hints = kinds.add_parser("hint", help="from a hint to the set-point it changes, on the wire")
    hints.add_argument("--count", type=_count, default=200, help=f"hints (200); each takes {hint.CYCLE_S:g} s")
    whole = kinds.add_parser("rig", help="lateness with devices, memory, virtual speed, replay")
    whole.add_argument("--for", dest="seconds", type=positive, default=3600.0, help="in real time (3600)")
    for parser in (stops, hints, whole):
        add_output(parser)
        parser.add_argument("--seed", type=int, default=1, help="of plant, load and phases (1)")
    stops.set_defaults(run=lambda given: measure(
        given, lambda each: stop.run(each.count, each.seed, each.beside), complain))
    hints.set_defaults(run=lambda given: measure(
        given, lambda each: hint.run(each.count, each.seed, each.beside), complain))
    whole.set_defaults(run=lambda given: measure(
        given, lambda each: rig.run(each.seconds, each.seed, each.beside), complain))


def _count(text):
    if not text.isdecimal() or not 1 <= int(text) <= COUNT_MAX:
        raise argparse.ArgumentTypeError(f"{text}: allowed is a whole number from 1 to {COUNT_MAX}")
    return int(text)
