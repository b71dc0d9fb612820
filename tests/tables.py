"""Parameters of a test, written as a text."""

import ast


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
