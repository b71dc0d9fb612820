"""`firebreak start`, `stop`, `lock-out`, `test lamp` and `test power`: commands of a person to the
running controller.

Every user who may write to the controller's command socket may give these commands. For a lock-out,
a person must also prove his or her identity.
"""

import os
from argparse import Namespace
from collections.abc import Callable
from typing import TypeVar

from controller.console import person, run_words
from controller.hints import no_answer
from controller.journal import snapshot
from controller.journal.ring import JournalError
from controller.journal.snapshot import Snapshot
from controller.run import answer_words, operator_client, operator_commands
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, OPERATORS, WRONG_INPUT, plain, say

Consequence = Callable[[str], str]  # (run directory) -> the consequence in words
Answer = TypeVar("Answer")


def _closes(directory: str) -> str:
    sentence, now = run_words.of_start(directory)
    return sentence + (f"; now it {now}" if now else "")


# {command: (its number for the controller, a function that says what follows after a yes)}
ASKED = {
    "start": (operator_commands.RUN, _closes),
    "stop": (operator_commands.STOP, run_words.of_stop),
    "test lamp": (operator_commands.LAMP_TEST, None),
    "test power": (operator_commands.TEST_MODE, None),
}


@cli.command("start", cli.RUN_DIR)
@cli.command("stop", cli.RUN_DIR)
@cli.command("test lamp", cli.RUN_DIR)
def _ask(arguments: Namespace) -> int:
    number, consequence = ASKED[arguments.command]
    answer = sent(arguments, operator_client.ask, number)
    return _shown(arguments, answer, arguments.command, consequence)


@cli.command(
    "lock-out",
    cli.option("name", metavar="NAME", help="your name at the console, or your login name"),
    cli.option(
        "--end",
        action="store_true",
        help="end it: the person who began it, or any operator with the key out of RUN; the "
        "cabinet stays in standby until `start`",
    ),
    cli.RUN_DIR,
    cli.STATE_DIR,
)
def _lock_out(arguments: Namespace) -> int:
    title, consequence = f"lock-out by {arguments.name}", None
    if arguments.end:
        title, consequence = f"end of the {title}", lambda directory: run_words.START_IT
    prove(arguments, arguments.name)
    answer = sent(arguments, operator_client.lock_out, arguments.name, not arguments.end)
    return _shown(arguments, answer, title, consequence)


QUESTIONS = (
    "Is the key out of RUN, and is no person inside the cabinet? Type TEST: ",
    "When you turn the key to RUN, the contactors close and the cabinet runs at 5 %. It stops 60 s "
    "from now. Type TEST again: ",
)


@cli.command("test power", cli.RUN_DIR)
def _test_mode(arguments: Namespace) -> int:
    # This comes before the questions: a person should not go to the cabinet in vain.
    sent(arguments, operator_client.reach)
    for question in QUESTIONS:
        try:
            answer = input(question)
        except (EOFError, RuntimeError):  # the input has ended, or is closed
            answer = ""
        if answer.strip() != "TEST":
            say("test mode: not confirmed, nothing was done")
            return NOT_DONE
    return _ask(arguments)


def _shown(
    arguments: Namespace, answer: int | None, title: str, consequence: Consequence | None
) -> int:
    is_done = answer == operator_commands.ACCEPTED
    more = f": {consequence(arguments.run_dir)}" if is_done and consequence else ""
    print(f"{title}: {answer_words.text(answer)}{more}")
    return DONE if is_done else NOT_DONE


def newest(arguments: Namespace) -> Snapshot:
    """The newest tick of the controller. Ends the command if there is no journal."""
    before = f"{no_answer.silent(arguments.run_dir)}: "
    with cli.ends(NO_START, OSError, JournalError, before=before):
        return snapshot.read(os.path.join(arguments.run_dir, "journal"))


def prove(arguments: Namespace, name: str) -> None:
    """End the command unless a controller runs and `name` is proven."""
    person.prove(arguments, name, lambda: sent(arguments, operator_client.reach))


def sent(arguments: Namespace, ask: Callable[..., Answer], *details: object) -> Answer:
    """The answer of the controller to ask(path of its socket, *details). Ends the command if the
    controller cannot be asked.
    """
    before = f"{no_answer.silent(arguments.run_dir)}: "
    try:
        return ask(os.path.join(arguments.run_dir, "command.sock"), *details)
    except ValueError as error:
        raise cli.Ended(WRONG_INPUT, error) from error
    except PermissionError as error:
        line = f"only {OPERATORS} and the controller's user may: put sudo -u firebreak before it"
        raise cli.Ended(NO_START, f"{arguments.run_dir}: {line}") from error
    except OSError as error:
        raise cli.Ended(NO_START, before + plain(error, "command.sock")) from error
