"""Parts that all `firebreak` commands share: options, and an end with a line and an exit code."""

import argparse
import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from controller.system import regular_file
from controller.system.paths import (
    NO_START,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    plain,
    quoted,
)

Option = tuple[tuple[str, ...], dict[str, Any]]  # (names, settings) for add_argument of argparse
Run = Callable[[argparse.Namespace], int]


class Ended(Exception):
    """Ends a command, with its exit code and one line for the person."""

    def __init__(self, code: int, line: object):
        super().__init__(line)
        self.code = code


@contextlib.contextmanager
def ends(code: int, *errors: type[Exception], before: str = "", at: str = "") -> Iterator[None]:
    """Let these errors end the command.

    before: start of the line. at: path for an error that has none.
    """
    try:
        yield
    except errors as error:
        raise Ended(code, before + plain(error, at)) from error


@contextlib.contextmanager
def needs_doors(subject: str) -> Iterator[None]:
    """Let a missing library of the doors end the command."""
    try:
        yield
    except ModuleNotFoundError as error:
        lacks = (
            f"{subject}: {error.name} is not installed: pip install 'firebreak-controller[doors]'"
        )
        raise Ended(NO_START, lacks) from None


def check_folder(directory: str) -> None:
    """End the command if the folder is missing: a check of no files would prove nothing."""
    if not os.path.isdir(directory):
        line = f"--state-dir {directory or repr('')}: there is no such folder"
        raise Ended(WRONG_INPUT, line)


def write(path: str, text: str) -> None:
    """Write a file that a person has named. Ends the command if it cannot be written."""
    with (
        ends(NO_START, OSError, at=path),
        ends(WRONG_INPUT, FileNotFoundError, NotADirectoryError, IsADirectoryError, at=path),
        open(path, "w", encoding="utf-8") as file,
    ):
        file.write(text)


def as_json(facts: Any, indent: int | None = 1, allow_nan: bool = True) -> str:
    """Facts as JSON, as every command prints them. ValueError: a NaN that is not allowed."""
    return json.dumps(facts, indent=indent, allow_nan=allow_nan)


def show(
    is_json: bool, facts: Any, lines: Callable[[], Iterable[str]], indent: int | None = 1
) -> None:
    """Print facts as JSON or as lines."""
    print(as_json(facts, indent) if is_json else "\n".join(lines()))


def option(*names: str, **settings: object) -> Option:
    """An argument of a command, as add_argument of argparse takes it."""
    return names, settings


def whole(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number in this range, written in ASCII digits only."""

    def checked(text: str) -> int:
        if not re.fullmatch("-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            line = f"{quoted(text)}: allowed is a whole number from {low} to {high}"
            raise argparse.ArgumentTypeError(line)
        return int(text)

    return checked


def output_file(text: str, replaces: bool = False) -> str:
    """An argparse type: the path of a file to write. Every option that names one has this type."""
    try:
        regular_file.check_output(text, replaces)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{quoted(text)}: {error.strerror}") from None
    return text


def _hash(text: str) -> bytes:
    """An argparse type: a SHA-256 in hex (blanks are allowed), as bytes."""
    digits = "".join(text.split())
    if not re.fullmatch("[0-9A-Fa-f]{64}", digits):
        raise argparse.ArgumentTypeError(f"{quoted(text)}: a hash is 64 hexadecimal digits")
    return bytes.fromhex(digits)


def with_nearest(message: str) -> str:
    """The message of argparse about a wrong choice, with the nearest correct choice.

    The help replaces a long list of choices. The quotes depend on the version of Python.
    """
    match = re.search(r"invalid choice: '?(.*?)'? \(choose from (.*)\)", message)
    if match is None:
        return message
    import difflib  # takes 5 ms, and is needed only after a wrong command

    choices = [choice.strip("' ") for choice in match[2].split(",")]
    begun = [choice for choice in choices if choice.startswith(match[1])]
    near = begun or difflib.get_close_matches(match[1], choices, 1, 0.5)
    nearest = f", nearest '{near[0]}'" if near else ""
    allowed = (
        f"choose from {', '.join(choices)}"
        if len(choices) <= 12
        else f"--help lists {len(choices)}"
    )
    return message.replace(match[0], f"invalid choice: '{match[1]}'{nearest} ({allowed})")


RUN_DIR = option("--run-dir", default=RUN_DIRECTORY, help="of the controller (%(default)s)")
STATE_DIR = option("--state-dir", default=STATE_DIRECTORY, help="what lasts (%(default)s)")
JSON = option("--json", action="store_true", help="the same facts as JSON, units in the names")
JSON_FORMAT = option(
    "--json", dest="format", action="store_const", const="json", help="as --format json"
)
HEAD = option("--head", type=_hash, metavar="HEX", help="a noted hash that must be in the chain")


# command, or "group action": (its function, its options, settings of its parser)
_KNOWN: dict[str, tuple[Run, tuple[Option, ...], dict[str, Any]]] = {}
_GROUPS: dict[str, str] = {}  # {command with actions: metavar of the actions}


def command(name: str, *options: Option, **settings: object) -> Callable[[Run], Run]:
    """Register the decorated function, which returns the exit code, as the command of this name.

    A command with a run directory gets a state directory too, because a person gives both
    everywhere.
    """
    has_state = any("--state-dir" in names for names, _ in options)
    adds_state = RUN_DIR in options and not has_state
    all_options = (*options, STATE_DIR) if adds_state else options

    def keep(run: Run) -> Run:
        _KNOWN[name] = run, all_options, settings
        return run

    return keep


def group(name: str, metavar: str) -> None:
    """Register a command that has actions, each with its own `command("name action")`."""
    _GROUPS[name] = metavar


def add(commands: Any, name: str, **settings: object) -> None:
    """Add a known command to the subparsers of argparse."""
    parser = commands.add_parser(name.split()[-1], **settings)
    if name in _GROUPS:
        metavar = _GROUPS[name]
        actions = parser.add_subparsers(required=True, metavar=metavar, dest=metavar.lower())
        for action, (_, _, own) in _KNOWN.items():
            if action.startswith(f"{name} "):
                add(actions, action, **own)
        return
    run, options, _ = _KNOWN[name]
    for names, details in options:
        parser.add_argument(*names, **details)
    parser.set_defaults(run=run, command=name)
