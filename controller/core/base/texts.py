"""Tables that are written as a text: one row a line, with bars between the cells."""

import re
from textwrap import dedent

Text = tuple[str, str, str]  # name, sentence, remedy of a code


def table(text: str) -> list[list[str]]:
    """The cells of each row. A line that begins with a space continues the line before. A line
    that begins with # is a remark.
    """
    rows = [" ".join(entry.split()) for entry in re.split(r"\n(?! )", dedent(text).strip())]
    return [[cell.strip() for cell in row.split("|")] for row in rows if row and row[0] != "#"]


def of_codes(codes: dict[str, int], text: str) -> dict[int, Text]:
    """Text of each code. codes: {name in the first cell: code}."""
    return {codes[key]: (name, sentence, remedy) for key, name, sentence, remedy in table(text)}
