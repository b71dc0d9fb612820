"""Parameters of a test, written as a text."""

import ast
import re
import sys

import pytest


def table(text):
    """[(cell, ...)] of rows by line or " ; ", cells by " | ": a literal's value, else a text."""
    lines = text.strip().replace(" ; ", "\n").splitlines()
    return [tuple([_value(cell.strip()) for cell in line.split("|")]) for line in lines]


def _value(text):
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def cases(text):
    """Names, then expressions. Two blanks part values, ` | ` cases; `  #`: a remark; `*`: many."""
    names, *lines = text.strip().splitlines()
    known, every = sys._getframe(1).f_globals, []
    for case in [case.strip() for line in lines for case in line.split("  #")[0].split(" | ")]:
        if case.startswith("*"):
            every += eval(case[1:], known)
        elif case:
            every.append([eval(word, known) for word in re.split(" {2,}", case)])
    return pytest.mark.parametrize(names.split(), every)
