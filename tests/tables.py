"""Parameters of a test, written as a text."""

import ast
import re
import sys

import pytest


def table(text):
    """[(cell, ...)] of rows that end with the line or " ; ", cells between " | ": a Python literal
    is its value, anything else a text.
    """
    lines = text.strip().replace(" ; ", "\n").splitlines()
    return [tuple([_value(cell.strip()) for cell in line.split("|")]) for line in lines]


def _value(text):
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def cases(text):
    """Parametrise a test: the first line names its arguments, each other one holds cases.

    A value is a Python expression in the names of the module. Two blanks end a value, ` | ` ends a
    case, two blanks and `#` begin a remark; `*` stands before an expression that gives several
    cases.
    """
    names, *lines = text.strip().splitlines()
    known, every = sys._getframe(1).f_globals, []
    for case in [case.strip() for line in lines for case in line.split("  #")[0].split(" | ")]:
        if case.startswith("*"):
            every += eval(case[1:], known)
        elif case:
            every.append([eval(word, known) for word in re.split(" {2,}", case)])
    return pytest.mark.parametrize(names.split(), every)
