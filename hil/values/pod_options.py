"""`python -m hil pod FILE`: several cabinets on one connection, each answering its share."""

from argparse import Namespace
from typing import Any

from hil.engine import pod_command
from hil.engine.arguments import number, output_file, whole
from hil.engine.simulate import VirtualRig
from hil.values.rig import ValueRig

OPTIONS: dict[str, dict[str, Any]] = {
    "--for": {
        "dest": "seconds",
        "type": number(1, 31 * 86_400),
        "metavar": "SECONDS",
        "default": pod_command.DEFAULT_S,
        "help": "length of the run (%(default)g)",
    },
    "--seed": {"type": whole(0, 2**31 - 1), "metavar": "NUMBER", "default": 1, "help": "(1)"},
    "--soc": {
        "type": number(5, 95),
        "metavar": "PERCENT",
        "default": pod_command.DEFAULT_SOC_PCT,
        "help": "state of charge at the start (%(default)g)",
    },
    "--scenario": {
        "metavar": "NAME",
        "help": "its actions, on site and cabinet 1; load, charge and length are those of the pod",
    },
    "--compare": {
        "action": "store_true",
        "help": "run it again with each cabinet answering the whole load, and print both swings",
    },
    "--values": {
        "action": "store_true",
        "help": "value mode: without bytes on a wire, a tick of 100 ms, several times as fast",
    },
    "--json": {"type": output_file(), "metavar": "FILE", "help": "write all figures to FILE"},
    "--html": {"type": output_file(".html"), "metavar": "FILE", "help": "page with a picture"},
}


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser("pod", help="run several cabinets on one connection")
    parser.add_argument("file", metavar="FILE", help="a site's TOML file with [pod]")
    for option, settings in OPTIONS.items():
        parser.add_argument(option, **settings)
    parser.set_defaults(run=main)


def main(arguments: Namespace) -> int:
    """Run, write and print. Returns 0, or 1 when the observer saw a violation or an expectation of
    the scenario is not met.
    """
    order = {"seconds": arguments.seconds, "seed": arguments.seed, "soc_pct": arguments.soc}
    order |= {"values": arguments.values, "scenario": arguments.scenario}
    kind = ValueRig if arguments.values else VirtualRig
    doc = pod_command.played(order, arguments.file, arguments.html, kind)
    if arguments.compare:
        print("each cabinet answers the whole load:")
        doc["whole"] = pod_command.played(order | {"whole": True}, arguments.file, kind=kind)
    return pod_command.finished(doc, arguments.json)
