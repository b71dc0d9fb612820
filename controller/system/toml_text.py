"""The only reader of TOML files that people write.

The library takes 1.6 GB for 40 kB of dotted keys, recurses for every bracket, and converts numbers
of any length. So a text is scanned first, in time and memory that grow only with its length.
"""

import re
import tomllib
from typing import Any

from controller.system.paths import AnyPath

BYTES_MAX = 262_144  # ten times the longest shipped file
DEPTH_MAX = 16  # brackets within brackets; parts of a dotted key
DIGITS_MAX = 4000  # Python converts up to 4300
HEX_DIGITS_MAX = 3000  # Python reads more, but cannot print such a number in a refusal
ENTRIES_MAX = 50_000  # keys and their parts, tables, elements: at most 50 MB

# Strings and comments are skipped, because their brackets do not nest. A string without an end goes
# to the end of its line or of the text. A string of several lines may end in two more quotes. The
# pattern is possessive: it scans no text twice.
_TOKEN = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+"{0,5}+'''
    r"|'''(?:[^']|'(?!''))*+'{0,5}+"
    r"""|"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?|#[^\n]*+"""
    rf"|(?P<long>\b(?:[0-9][0-9_]{{{DIGITS_MAX},}}+|0[xob][0-9a-fA-F_]{{{HEX_DIGITS_MAX},}}+))"
    r"|(?P<mark>[\[\]{}=,.\n])",
    re.DOTALL,
)
_OPENS, _CLOSES = "[{", "]}"


class TomlError(ValueError):
    """A text is not TOML, or exceeds a limit. The message does not name the file."""


def read(path: AnyPath) -> dict[str, Any]:
    """The tables of a file. Raises OSError, TomlError."""
    return loads(file_text(path))


def file_text(path: AnyPath) -> str:
    """The text of a file. Raises OSError, TomlError."""
    with open(path, "rb") as file:
        return text_of(file.read(BYTES_MAX + 1))


def text_of(data: bytes, bytes_max: int = BYTES_MAX) -> str:
    """The text of the bytes of a file. Raises TomlError."""
    if len(data) > bytes_max:
        raise TomlError(f"has more than {bytes_max} bytes")
    try:
        return data.decode("utf-8-sig")  # some editors write a byte order mark first
    except UnicodeDecodeError as error:
        raise TomlError(f"not TOML: byte {error.start + 1} is not UTF-8") from None


def loads(text: str, bytes_max: int = BYTES_MAX) -> dict[str, Any]:
    """The tables of a text. Raises TomlError."""
    if len(text) > bytes_max:
        raise TomlError(f"has more than {bytes_max} characters")
    _check(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"not TOML: {str(error).splitlines()[0]}") from None
    except (RecursionError, ValueError):  # not reached if _check is right about the library
        raise TomlError("not usable TOML") from None


def _check(text: str) -> None:
    """Raise TomlError for a text that must not be given to the library."""
    depth = parts = entries = 0
    for token in _TOKEN.finditer(text):
        if token["long"]:
            raise TomlError("not usable TOML: a number is too long")
        mark = token["mark"]
        if mark is None:
            continue
        parts = parts + 1 if mark == "." else 0
        entries += mark in "=,[" or parts > 1  # a number has only one dot
        depth += (mark in _OPENS) - (mark in _CLOSES)
        if max(depth, parts) > DEPTH_MAX:
            raise TomlError("not usable TOML: nested too deeply")
        if entries > ENTRIES_MAX:
            raise TomlError(f"not usable TOML: more than {ENTRIES_MAX} entries")
