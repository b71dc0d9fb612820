"""`firebreak reset CODE`: resets the latched rows of the cause-and-effect matrix that the operator
has seen on the page `alarms`. CODE stands for these rows.
"""

import argparse
from argparse import Namespace

from controller.console import operator
from controller.journal.history import scope_of
from controller.journal.snapshot import Snapshot
from controller.run import operator_client, operator_commands
from controller.state import base, rows
from controller.state.reset_code import FORM, TURN_KEY, code_of, command_of
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, quoted, say
from safety import matrix as m, signals as s

BY_ITSELF = "resets by itself when its cause is gone"
IS_A_START = (
    "After a reset this cabinet starts by itself: it closes its contactors once no row is active "
    "and the key is in RUN. To prevent that: firebreak stop first."
)


def _code_type(text: str) -> str:
    """An argparse type: CODE in upper or lower case."""
    if not FORM.fullmatch(text.upper()):
        raise argparse.ArgumentTypeError(
            f"{quoted(text)}: a code is 8 characters of 0-9 and A-F, as in the last line of "
            "firebreak alarms"
        )
    return text.upper()


@cli.command(
    "reset",
    cli.option(
        "code",
        nargs="?",
        type=_code_type,
        metavar="CODE",
        help="from the last line of `firebreak alarms`; without it nothing is reset",
    ),
    cli.RUN_DIR,
    cli.option("--key", action="store_true", help="the key is turned out of RUN"),
)
def _reset(arguments: Namespace) -> int:
    seen = operator.newest(arguments)
    if arguments.code is None or arguments.code != code_of(seen.causes):
        return _reset_nothing(arguments, seen)
    kind = operator_commands.KEY_RESET if arguments.key else operator_commands.REMOTE_RESET
    answer = operator.sent(arguments, operator_client.reset, kind, *seen.causes)
    print(f"reset of {', '.join(names(seen))}: {answer.words()}")
    return DONE if answer.is_done else NOT_DONE


def _reset_nothing(arguments: Namespace, seen: Snapshot) -> int:
    """Answer a reset with a missing code, or with the code of other rows than those in `seen`.
    Returns the exit code.
    """
    operator.sent(arguments, operator_client.reach)  # because a journal may outlive its controller
    if arguments.code is None:
        print("\n".join(_not_given(seen, arguments.key)))
    else:
        say(_changed(arguments.code, seen, arguments.key))
    return NOT_DONE


def names(seen: Snapshot) -> list[str]:
    """Active or latched stages of both channels: ["44c", "40b.rack2", "1a in channel B"]."""
    in_b = rows.channel_b(seen)
    return [*seen.standing, *([f"{in_b['stage']} in channel B"] if in_b else [])]


def lines(seen: Snapshot) -> list[str]:
    """Active or latched stages of both channels, one line each."""
    texts = [
        f"row {name.partition('.')[0]} {rows.words_of(name)[0]}, {scope_of(name)}; "
        f"{_reset_of(name)} reset"
        for name in seen.standing
    ]
    in_b = rows.channel_b(seen)
    if in_b:
        row = f"row {in_b['stage']} {in_b['name']}"
        texts.append(f"{row}, first out in channel B; {in_b['reset']} reset")
    return texts


def command_for(seen: Snapshot, with_key: bool) -> str | None:
    """The command that resets these rows. If it needs the key first, words that say so. None if no
    row needs a reset.
    """
    in_b = rows.channel_b(seen)
    needed = rows.needed([_reset_of(name) for name in seen.standing], in_b)
    if needed is None:
        return None
    code = code_of(seen.causes)
    by_key = with_key or needed == "key"
    return (code and command_of(code, by_key, rows.is_key_out(seen))) or TURN_KEY


def _not_given(seen: Snapshot, with_key: bool) -> list[str]:
    """The answer to a reset without a code. Such a reset changes nothing."""
    command, texts = command_for(seen, with_key), lines(seen)
    if command:
        start = [IS_A_START] if seen.inp[s.RUN_REQUEST] else []
        return [*texts, *start, f"Nothing was reset. To reset this: {command}"]
    if names(seen):
        return [*texts, f"Nothing was reset: the row {BY_ITSELF}."]
    return ["no row is active or latched: nothing to reset"]


def _changed(code: str, seen: Snapshot, with_key: bool) -> str:
    """The answer to a reset with a code that does not stand for the present rows."""
    command, now, end = command_for(seen, with_key), names(seen), ""
    if command:
        end = f"; to reset them: {command}"
    elif now:
        end = f", which {BY_ITSELF}"
    return f"the active rows have changed since {code}: now {', '.join(now) or 'none'}{end}"


def _reset_of(instance: str) -> str:
    return rows.RESETS[base.stage_of(instance)[m.S_LATCH]]
