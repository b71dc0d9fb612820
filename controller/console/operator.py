"""`firebreak start`, `stop`, `lock-out`, `lamp-test` and `test-mode`: what an operator may ask for
beside a reset.

Who may is who may write to the command socket; the serial console asks for a login first.
"""

import os

from controller.console import run_words
from controller.run import operator_commands
from controller.system.paths import DONE, NO_START, NOT_DONE, RUN_DIRECTORY, WRONG_INPUT, plain, say


def add(commands):
    """Add `start`, `stop`, `lock-out`, `lamp-test` and `test-mode`."""
    start = commands.add_parser("start")
    stop = commands.add_parser("stop")
    lock = commands.add_parser("lock-out")
    lock.add_argument(
        "name", metavar="NAME", help="yours: 1 .. 16 of a-z, 0-9 and _, a letter first"
    )
    lock.add_argument(
        "--end",
        action="store_true",
        help="end it: by whom began it, or with the key out of RUN; it rests then until `start`",
    )
    lamps = commands.add_parser("lamp-test")
    test = commands.add_parser("test-mode")
    for parser, run in (
        (start, _start),
        (stop, _stop),
        (lock, _lock_out),
        (lamps, _lamp_test),
        (test, _test_mode),
    ):
        parser.add_argument("--run-dir", default=RUN_DIRECTORY)
        parser.set_defaults(run=run)


def _start(arguments):
    def comes_to(directory):
        sentence, now = run_words.of_start(directory)
        return sentence + (f"; now it {now}" if now else "")

    return _told(
        arguments,
        lambda path: operator_commands.ask(path, operator_commands.RUN),
        "start",
        comes_to,
    )


def _stop(arguments):
    return _told(
        arguments,
        lambda path: operator_commands.ask(path, operator_commands.STOP),
        "stop",
        run_words.of_stop,
    )


def _lock_out(arguments):
    return _told(
        arguments,
        lambda path: operator_commands.lock_out(path, arguments.name, not arguments.end),
        f"{'end of the lock-out' if arguments.end else 'lock-out'} by {arguments.name}",
        (lambda directory: run_words.START_IT) if arguments.end else None,
    )


def _lamp_test(arguments):
    return _told(
        arguments,
        lambda path: operator_commands.ask(path, operator_commands.LAMP_TEST),
        "lamp test",
    )


QUESTIONS = (
    "The key is out of RUN, and nobody is inside the cabinet? Type TEST: ",
    "Turn the key to RUN afterwards: it closes and runs at 5 %, and stops 60 s from now. "
    "Type TEST again: ",
)


def _test_mode(arguments):
    # nobody is asked to leave the cabinet for a controller that is not there
    _, code = sent(arguments, operator_commands.reach)
    if code is not None:
        return code
    for question in QUESTIONS:
        try:
            given = input(question)
        except (EOFError, RuntimeError):  # at its end, or closed
            given = ""
        if given.strip() != "TEST":
            say("test mode: not confirmed, nothing was done")
            return NOT_DONE
    return _told(
        arguments,
        lambda path: operator_commands.ask(path, operator_commands.TEST_MODE),
        "test mode",
    )


def _told(arguments, ask, what, comes_to=None):
    """Ask, print the answer, return the exit code; comes_to(run directory): what it comes to once
    it is accepted.
    """
    answer, code = sent(arguments, ask)
    if code is not None:
        return code
    is_done = answer == operator_commands.ACCEPTED
    print(
        f"{what}: "
        f"{operator_commands.words(answer)}"
        + (f": {comes_to(arguments.run_dir)}" if is_done and comes_to else "")
    )
    return DONE if is_done else NOT_DONE


def sent(arguments, ask):
    """(what `ask` of the command socket says, None), or (None, exit code) when it could not and
    that is said.
    """
    try:
        return ask(os.path.join(arguments.run_dir, "command.sock")), None
    except ValueError as error:
        say(error)
        return None, WRONG_INPUT
    except PermissionError:
        say(
            f"{arguments.run_dir}: only the controller's user may do that: put sudo -u firebreak "
            f"before it"
        )
    except OSError as error:
        say(f"no controller answers in {arguments.run_dir}: {plain(error, 'command.sock')}")
    return None, NO_START
