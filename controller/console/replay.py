"""`firebreak replay FILE`: runs a journal through the core again and compares every byte."""

from controller.record import replay
from controller.system.paths import WRONG_INPUT, say


def add(commands):
    """Add the command to argparse's subparsers."""
    replaying = commands.add_parser("replay")
    replaying.add_argument("file")
    replaying.set_defaults(run=_replay)


def _replay(arguments):
    try:
        return replay.run(arguments.file, replay.core_of)
    except ValueError as error:
        say(f"{arguments.file}: written by another version of this program: {error}")
        return WRONG_INPUT
