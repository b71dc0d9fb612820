"""`python -m hil covers FILE`: what the rig simulates of a cabinet, for `./flash.sh check`."""

from argparse import Namespace
from typing import Any

from controller.config import configuration
from hil.engine import coverage

DONE = 0


def add(commands: Any) -> None:
    """Add the command to the subparsers; it takes the command line of `firebreak check`."""
    parser = commands.add_parser("covers", help="what the rig simulates of a cabinet's file")
    parser.add_argument("file", nargs="?", metavar="FILE", help="cabinet.toml")
    parser.add_argument("--keys", action="store_true", help="as of `firebreak check`: no report")
    parser.add_argument("--state-dir", help="as of `firebreak check`: without effect here")
    parser.set_defaults(run=main)


def main(arguments: Namespace) -> int:
    """Print the report. Returns the exit code."""
    if arguments.file:
        found = coverage.lines(configuration.load(arguments.file))
        print(
            "\n".join(["", "RIG (./flash.sh rig --cabinet FILE)", *[f"  {line}" for line in found]])
        )
    return DONE
