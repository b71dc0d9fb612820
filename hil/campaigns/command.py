"""What every campaign's command has: `--json`, `--seed`, exit codes, and one line for a refusal."""

import sys

from hil.arguments import output_file, whole
from hil.results.run_result import INTERRUPTED, MET, NOT_MET

__all__ = ["INTERRUPTED", "MET", "NOT_MET", "NO_START", "WRONG_INPUT", "add", "add_seed", "refuse"]
WRONG_INPUT, NO_START = 2, 3


def add(commands, name, words, run):
    """Add a command to argparse's subparsers; returns its parser. run(arguments): the exit code."""
    parser = commands.add_parser(name, help=words)
    parser.add_argument(
        "--json", metavar="FILE", type=output_file(), help="write all figures there"
    )
    parser.set_defaults(run=run)
    return parser


def add_seed(parser):
    """What everything that is drawn follows from."""
    parser.add_argument(
        "--seed", metavar="NUMBER", type=whole(0, 2**31 - 1), default=1, help="(%(default)s)"
    )


def refuse(name, line, exit_code=WRONG_INPUT):
    """Print one line on stderr, headed with the command's name; returns the exit code."""
    print(f"{name}: {line}", file=sys.stderr)
    return exit_code
