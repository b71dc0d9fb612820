"""`firebreak reset`: resets what the operator has seen, named by the code of `firebreak alarms`."""

import os

from controller.console import operator, reset_words
from controller.record import snapshot
from controller.record.journal import JournalError
from controller.run import operator_commands
from controller.state import reset_code
from controller.system.paths import DONE, NO_START, NOT_DONE, RUN_DIRECTORY, plain, say


def add(commands):
    """Add the command to argparse's subparsers."""
    resetting = commands.add_parser("reset")
    resetting.add_argument(
        "code",
        nargs="?",
        type=reset_words.code_given,
        metavar="CODE",
        help="of what you saw: the last line of `firebreak alarms`; without it nothing is reset",
    )
    resetting.add_argument("--run-dir", default=RUN_DIRECTORY)
    resetting.add_argument("--key", action="store_true", help="the key is turned out of RUN")
    resetting.set_defaults(run=_reset)


def _reset(arguments):
    try:
        seen = snapshot.read(os.path.join(arguments.run_dir, "journal"))
    except (OSError, JournalError) as error:
        say(f"no controller answers in {arguments.run_dir}: {plain(error)}")
        return NO_START
    if arguments.code is None or arguments.code != reset_code.code_of(seen.causes):
        return _reset_nothing(arguments, seen)
    kind = operator_commands.KEY_RESET if arguments.key else operator_commands.REMOTE_RESET
    answer, code = operator.sent(
        arguments, lambda path: operator_commands.reset(path, kind, *seen.causes)
    )
    if code is not None:
        return code
    print(f"reset of {', '.join(reset_words.names(seen))}: {answer.words()}")
    return DONE if answer.is_done else NOT_DONE


def _reset_nothing(arguments, seen):
    """A code is missing, or is of something else: nobody has seen what stands. seen:
    snapshot.Snapshot.
    """
    # what stood in a controller that is gone is no news
    _, code = operator.sent(arguments, operator_commands.reach)
    if code is not None:
        return code
    if arguments.code is None:
        print("\n".join(reset_words.not_given(seen, arguments.key)))
    else:
        say(reset_words.changed(arguments.code, seen, arguments.key))
    return NOT_DONE
