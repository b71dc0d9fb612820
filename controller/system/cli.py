"""Parts of every `firebreak` command: options, and an end with one line and an exit code."""

import argparse
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from controller.system.paths import RUN_DIRECTORY, STATE_DIRECTORY, plain, quoted


class Ended(Exception):
    """A command ends here: its exit code, and one line for the person."""

    def __init__(self, code: int, line: object) -> None:
        super().__init__(line)
        self.code = code


@contextlib.contextmanager
def ends(code: int, *errors: type[Exception], before: str = "", at: str = "") -> Iterator[None]:
    """Each of these errors ends the command. before: of the line; at: path of an error without."""
    try:
        yield
    except errors as error:
        raise Ended(code, before + plain(error, at)) from error


def option(*names: str, **settings: object) -> tuple[tuple, dict]:
    """An argument of a command, as argparse's add_argument takes it."""
    return names, settings


def whole(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number of this range, in ASCII digits alone."""

    def checked(text: str) -> int:
        if not re.fullmatch("-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            line = f"{quoted(text)}: allowed is a whole number from {low} to {high}"
            raise argparse.ArgumentTypeError(line)
        return int(text)

    return checked


def _hash(text: str) -> bytes:
    """An argparse type: a SHA-256 in hex, as bytes; it may be copied in groups."""
    digits = "".join(text.split())
    if not re.fullmatch("[0-9A-Fa-f]{64}", digits):
        raise argparse.ArgumentTypeError(f"{quoted(text)}: a hash is 64 hexadecimal digits")
    return bytes.fromhex(digits)


def with_nearest(message: str) -> str:
    """argparse's message about a wrong choice, with the nearest right one."""
    found = re.search(r"invalid choice: '(.*)'(?= \(choose from (.*)\))", message)
    if found is None:
        return message
    import difflib  # 5 ms that no right command needs

    choices = [each.strip("' ") for each in found[2].split(",")]
    near = difflib.get_close_matches(found[1], choices, 1, 0.5)
    return message if not near else message.replace(found[0], f"{found[0]}, nearest '{near[0]}'")


RUN_DIR = option("--run-dir", default=RUN_DIRECTORY, help="of the controller (%(default)s)")
STATE_DIR = option("--state-dir", default=STATE_DIRECTORY, help="what lasts (%(default)s)")

HEAD = option("--head", type=_hash, metavar="HEX", help="a noted hash that must be in the chain")


class Commands(Protocol):
    """The subparsers of argparse, to which a command is added."""

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser:
        """The parser of a new command."""


def add(commands: Commands, name: str, run: Callable, *options: tuple, **settings: object) -> None:
    """Add a command to argparse's subparsers. run: takes the arguments, returns the exit code."""
    parser = commands.add_parser(name, **settings)
    for names, each in options:
        parser.add_argument(*names, **each)
    parser.set_defaults(run=run)
