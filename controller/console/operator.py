"""`firebreak start`, `stop`, `lock-out`, `lamp-test` and `test-mode`: what an operator may ask for
beside a reset.

Permitted to whoever may write to the command socket; a lock-out asks who it is, as the serial
console does.
"""

import functools
import os

from controller.console import person, run_words
from controller.run import operator_client, operator_commands
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, OPERATORS, WRONG_INPUT, plain, say


def add(commands) -> None:
    """Add `start`, `stop`, `lock-out`, `lamp-test` and `test-mode`."""
    for name, command, consequence in (
        ("start", operator_commands.RUN, _closes),
        ("stop", operator_commands.STOP, run_words.of_stop),
        ("lamp-test", operator_commands.LAMP_TEST, None),
    ):
        asked = functools.partial(
            _asked, command=command, what=name.replace("-", " "), consequence=consequence
        )
        cli.add(commands, name, asked, cli.RUN_DIR)
    cli.add(
        commands,
        "lock-out",
        _lock_out,
        cli.option("name", metavar="NAME", help="yours at the console, or your login name"),
        cli.option(
            "--end",
            action="store_true",
            help="end it: the person who began it, or anybody with the key out of RUN; the cabinet "
            "rests until `start`",
        ),
        cli.RUN_DIR,
        cli.STATE_DIR,
    )
    cli.add(commands, "test-mode", _test_mode, cli.RUN_DIR)


def _closes(directory):
    sentence, now = run_words.of_start(directory)
    return sentence + (f"; now it {now}" if now else "")


def _lock_out(arguments):
    what, consequence = f"lock-out by {arguments.name}", None
    if arguments.end:
        what, consequence = f"end of the {what}", lambda directory: run_words.START_IT
    person.prove(arguments, functools.partial(sent, arguments, operator_client.reach))
    answer = sent(arguments, operator_client.lock_out, arguments.name, not arguments.end)
    return _shown(arguments, answer, what, consequence)


QUESTIONS = (
    "The key is out of RUN, and nobody is inside the cabinet? Type TEST: ",
    "Turn the key to RUN afterwards: it closes and runs at 5 %, and stops 60 s from now. "
    "Type TEST again: ",
)


def _test_mode(arguments):
    sent(arguments, operator_client.reach)  # before anybody is asked to leave the cabinet
    for question in QUESTIONS:
        try:
            given = input(question)
        except (EOFError, RuntimeError):  # at its end, or closed
            given = ""
        if given.strip() != "TEST":
            say("test mode: not confirmed, nothing was done")
            return NOT_DONE
    return _asked(arguments, operator_commands.TEST_MODE, "test mode")


def _asked(arguments, command, what, consequence=None):
    answer = sent(arguments, operator_client.ask, command)
    return _shown(arguments, answer, what, consequence)


def _shown(arguments, answer, what, consequence=None):
    """Print an answer, return the exit code; consequence(run directory): what an accepted command
    leads to.
    """
    is_done = answer == operator_commands.ACCEPTED
    more = f": {consequence(arguments.run_dir)}" if is_done and consequence else ""
    print(f"{what}: {operator_commands.words(answer)}{more}")
    return DONE if is_done else NOT_DONE


def sent(arguments, ask, *details) -> int | None:
    """The answer of the command socket to ask(path, *details); ends the command without one."""
    before = f"no controller answers in {arguments.run_dir}: "
    try:
        return ask(os.path.join(arguments.run_dir, "command.sock"), *details)
    except ValueError as error:
        raise cli.Ended(WRONG_INPUT, error) from error
    except PermissionError as error:
        line = f"only {OPERATORS} and the controller's user may: put sudo -u firebreak before it"
        raise cli.Ended(NO_START, f"{arguments.run_dir}: {line}") from error
    except OSError as error:
        raise cli.Ended(NO_START, before + plain(error, "command.sock")) from error
