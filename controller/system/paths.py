"""Lists folders, users and exit codes of the `firebreak` command, and cleans texts for messages."""

import json
import os
import sys
from collections.abc import Callable

RUN_DIRECTORY, STATE_DIRECTORY = "/run/firebreak", "/var/lib/firebreak"
# Members of the group `firebreak` read the run folder. Each other group may write to one socket.
SERVICE, SENDERS, OPERATORS = "firebreak", "firebreak-hints", "firebreak-operators"
GATEWAY = "firebreak-upstream"
ROOT = 0  # user number
QUOTED_CHARACTERS = 40
DONE, NOT_DONE, WRONG_INPUT, NO_START = range(4)
INTERRUPTED = 130  # 128 + SIGINT, as in shells


Say = Callable[[str], object]  # takes a line
AnyPath = str | os.PathLike[str]


class WrongInput(Exception):
    """Refused input of a person. The text is one line."""


class OutputError(Exception):
    """The standard output cannot be written. It is no OSError, because commands handle those."""


def plain(error: BaseException, path: str = "") -> str:
    """An error in words: "PATH: No such file or directory". path: used if the error has none."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename or path or repr('')}: {error.strerror}"


def why(error: BaseException) -> str:
    """An error in words, without its number and path."""
    return getattr(error, "strerror", None) or str(error)


def ascii_only(text: str) -> str:
    """The text for an ASCII terminal or page: "?" instead of every other character."""
    return str(text).encode("ascii", "replace").decode("ascii")


def escaped(text: str) -> str:
    """The text in ASCII, with escapes for other characters."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


def printable(text: str) -> str:
    """Foreign text as one line of printable ASCII, with "?" for every other character."""
    return "".join(symbol if " " <= symbol <= "~" else "?" for symbol in text)


def one_line(text: str) -> str:
    """The text with escapes instead of characters that are not printable, such as a line end."""
    return "".join(symbol if symbol.isprintable() else ascii(symbol)[1:-1] for symbol in text)


def quoted(text: str) -> str:
    """Typed text for a line that refuses it: in quotes, as one line of ASCII, shortened."""
    return json.dumps(text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "...")


def say(line: object) -> None:
    """Print one line of ASCII on standard error, for the person who gave the command."""
    print(escaped(f"firebreak: {line}"), file=sys.stderr, flush=True)
