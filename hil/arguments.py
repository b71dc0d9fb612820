"""Types of the arguments of `python -m hil`: what cannot be is said in one line, before anything is
run.
"""

import argparse
import math
import os


def whole(low, high):
    """A whole number from low to high."""

    def parse(text):
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(
                f"{text}: allowed is a whole number from {low} to {high}"
            )
        return int(text)

    return parse


def number(low, high):
    """A number from low to high."""

    def parse(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{text}: allowed is a number from {low:g} to {high:.10g}"
            )
        return value

    return parse


def folder(text):
    """A folder that there is."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return text


def output_file(*endings):
    """A file that can be written, "" for none; endings: the allowed ones, any if none are given."""

    def parse(text):
        if not text:
            return text
        folder(os.path.dirname(text) or ".")
        if os.path.isdir(text):
            raise argparse.ArgumentTypeError(f"{text} is a folder; allowed is a file")
        if endings and not text.endswith(endings):
            raise argparse.ArgumentTypeError(f"{text}: allowed endings are {', '.join(endings)}")
        existed = os.path.lexists(text)
        try:
            open(text, "ab").close()
        except OSError:
            raise argparse.ArgumentTypeError(f"{text}: cannot be written") from None
        if not existed:
            os.unlink(text)
        return text

    return parse
