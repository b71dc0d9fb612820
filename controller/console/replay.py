"""`firebreak replay FILE`: runs the inputs of a journal through the controller's core again, and
compares every output byte with the journal.
"""

from argparse import Namespace

from controller.journal import replay
from controller.journal.ring import JournalError
from controller.system import cli
from controller.system.paths import WRONG_INPUT


@cli.command("replay", cli.option("file"))
def _replay(arguments: Namespace) -> int:
    try:
        with cli.ends(WRONG_INPUT, JournalError):
            outcome = replay.replay(arguments.file, replay.core_of)
    except ValueError as error:
        line = f"{arguments.file}: written by another version of this program: {error}"
        raise cli.Ended(WRONG_INPUT, line) from error
    print("\n".join(outcome.lines()))
    return outcome.exit_code
