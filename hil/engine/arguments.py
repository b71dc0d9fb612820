"""Types of the arguments of `python -m hil`: what cannot be is said in one line, before anything is
run.
"""

import argparse
import contextlib
import math
import os


def whole(low, high):
    """A whole number from low to high."""
    return _within(low, high, lambda text: int(text) if text.isdecimal() else math.nan, "whole ")


def number(low, high):
    """A number from low to high."""
    return _within(low, high, float, "")


def _within(low, high, convert, kind):
    def parse(text):
        value = math.nan
        with contextlib.suppress(ValueError):
            value = convert(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{text}: allowed is a {kind}number from {low:g} to {high:.10g}"
            )
        return value

    return parse


def folder(text):
    """A folder that there is."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return text


def output_file(*endings, or_none=False):
    """A file that can be written; endings: the allowed ones, any if none are given; or_none: ""
    says that no file is wanted.
    """

    def parse(text):
        if not text and or_none:
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
            raise argparse.ArgumentTypeError(
                f"{text or 'an empty name'}: cannot be written"
            ) from None
        if not existed:
            os.unlink(text)
        return text

    return parse
