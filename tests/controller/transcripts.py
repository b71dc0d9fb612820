"""Texts beside the tests that read them: parts begin with "# title"; "..." is any text."""

import re
from pathlib import Path

import pytest


def each_part(test, name):
    """Run the test for each part of the text beside it; `lines` are those below its title."""
    text = (Path(test).parent / name).read_text(encoding="ascii")
    parts = [part.splitlines() for part in re.split(r"\n# ", text)[1:]]
    return pytest.mark.parametrize("lines", [pytest.param(part[1:], id=part[0]) for part in parts])


def form(text):
    """A regular expression of the text."""
    return re.escape(text).replace(r"\.\.\.", ".*")


def says(printed, text):
    """What is printed has the text, folded or not; "..." is any text of one line."""
    return bool(re.search(form(text), printed)) or text in " ".join(printed.split())
