"""`python -m hil pod FILE` runs several cabinets on one connection. Each answers its share."""

from argparse import Namespace
from typing import Any

from hil.engine import pod_command
from hil.engine.arguments import output_file, run_options
from hil.engine.pod_command import DEFAULT_S, DEFAULT_SOC_PCT
from hil.engine.simulate import VirtualRig
from hil.values.rig import ValueRig

SCENARIO = "its actions, on site and cabinet 1; load, charge and length are those of the pod"
COMPARE = "run it again with each cabinet answering the whole load, and print both swings"
VALUES = "value mode: without bytes on a wire, a tick of 100 ms, several times as fast"


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser("pod", help="run several cabinets on one connection")
    option = parser.add_argument
    option("file", metavar="FILE", help="a site's TOML file with [pod]")
    run_options(option, f"{DEFAULT_S:g}", f"{DEFAULT_SOC_PCT:g}")
    option("--scenario", metavar="NAME", help=SCENARIO)
    option("--compare", action="store_true", help=COMPARE)
    option("--values", action="store_true", help=VALUES)
    option("--html", type=output_file(".html"), metavar="FILE", help="page with a picture")
    parser.set_defaults(run=main, seconds=DEFAULT_S, seed=1, soc=DEFAULT_SOC_PCT)


def main(arguments: Namespace) -> int:
    """Run, write and print. Returns 1 if there is a violation or an expectation is not met."""
    order = {"seconds": arguments.seconds, "seed": arguments.seed, "soc_pct": arguments.soc}
    order |= {"values": arguments.values, "scenario": arguments.scenario}
    kind = ValueRig if arguments.values else VirtualRig
    doc = pod_command.played(order, arguments.file, arguments.html, kind)
    if arguments.compare:
        print("each cabinet answers the whole load:")
        doc["whole"] = pod_command.played(order | {"whole": True}, arguments.file, kind=kind)
    return pod_command.finished(doc, arguments.json)
