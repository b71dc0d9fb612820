"""`firebreak replay FILE`: runs a journal through the core again and compares every byte."""

from controller.record import replay
from controller.system import cli
from controller.system.paths import WRONG_INPUT


def add(commands) -> None:
    """Add the command to argparse's subparsers."""
    cli.add(commands, "replay", _replay, cli.option("file"))


def _replay(arguments):
    try:
        return replay.run(arguments.file, replay.core_of)
    except ValueError as error:
        raise cli.Ended(
            WRONG_INPUT, f"{arguments.file}: written by another version of this program: {error}"
        ) from error
