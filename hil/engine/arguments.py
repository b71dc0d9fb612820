"""Checks the arguments of `python -m hil` and refuses a wrong value before anything runs."""

import argparse
import contextlib
import math
import os
from collections.abc import Callable
from typing import Any

from controller.sites import EXAMPLE
from controller.system import cli

Option = Callable[..., object]  # the method add_argument of a parser
LENGTH_S_MAX, SEED_MAX = 31 * 86_400, 2**31 - 1
# option of the rig, and of each campaign that can play any cabinet
CABINET: dict[str, dict[str, Any]] = {
    "--cabinet": {
        "metavar": "FILE",
        "default": str(EXAMPLE),
        "help": "cabinet.toml of the cabinet to simulate (the example)",
    }
}


def whole(low: int, high: int) -> Callable[[str], float]:
    """A whole number from low to high."""
    return _within(low, high, lambda text: int(text) if text.isdecimal() else math.nan, "whole ")


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from low to high."""
    return _within(low, high, float, "")


def _within(
    low: float, high: float, convert: Callable[[str], float], kind: str
) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = math.nan
        with contextlib.suppress(ValueError):
            value = convert(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{text}: allowed is a {kind}number from {low:g} to {high:.10g}"
            )
        return value

    return parse


def run_options(option: Option, length: str, charge: str) -> None:
    """Add the options of a run: length, seed, charge, file of figures. The arguments `length` and
    `charge` say in words which default applies.
    """
    seconds, percent = number(1, LENGTH_S_MAX), number(5, 95)
    text = f"length of the run ({length})"
    option("--for", dest="seconds", type=seconds, metavar="SECONDS", help=text)
    text = "seed of plant, load and faults (1)"
    option("--seed", type=whole(0, SEED_MAX), metavar="NUMBER", help=text)
    text = f"state of charge at the start ({charge})"
    option("--soc", type=percent, metavar="PERCENT", help=text)
    option("--json", type=output_file(), metavar="FILE", help="write all figures to FILE")


def folder(text: str) -> str:
    """An existing folder."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text}: no such folder; allowed is an existing folder")
    return text


def output_file(
    *endings: str, or_none: bool = False, replaces: bool = False
) -> Callable[[str], str]:
    """Parser for the path of an output file. endings: the allowed endings of its name; without
    them, every ending is allowed. or_none: an empty text is also allowed and means no file.
    replaces: the command puts a new file in place of this one, instead of opening it.
    """

    def parse(text: str) -> str:
        if not text and or_none:
            return text
        cli.output_file(text, replaces)
        folder(os.path.dirname(text) or ".")
        if os.path.isdir(text):
            raise argparse.ArgumentTypeError(f"{text} is a folder; allowed is a file")
        if endings and not text.endswith(endings):
            raise argparse.ArgumentTypeError(f"{text}: allowed endings are {', '.join(endings)}")
        existed = os.path.lexists(text)
        try:
            open(text, "ab").close()
        except OSError:
            line = f"{text or 'an empty name'}: cannot be written"
            raise argparse.ArgumentTypeError(line) from None
        if not existed:
            os.unlink(text)
        return text

    return parse
