"""The page `trend`. It draws each quantity of the last minutes as a line of characters. There is a
character for each of ten levels.
"""

from controller.console.pages.text import Parts, duration, folded, pages, scaled, source
from controller.state.base import Facts

LEVELS = "_.,-~=+*#@"
COLUMNS = 42
GAP = " "


def parts(facts: Facts) -> Parts:
    """The trend (state/trend.py) as the only part of a page."""
    header = f"{'':<11}{'':<{COLUMNS}}{'lowest':>9}{'highest':>9}{'now':>8}"
    rows = [_row(quantity) for quantity in facts["quantities"]]
    scale = f"{'':<11}{'-' + duration(facts['span_ms']):<{COLUMNS - 3}}now"
    return pages(facts, [[header, *rows, "", scale, *folded("", source(facts), 2)]])


def _row(quantity: Facts) -> str:
    known = [value for value in quantity["values"] if value is not None]
    drawn = "".join(_level(value, known) for value in quantity["values"]).rjust(COLUMNS)
    figures = (min(known), max(known), quantity["now"]) if known else (None,) * 3
    lowest, highest, now = [
        scaled(figure, quantity["divisor"], quantity["digits"]) for figure in figures
    ]
    return f"{quantity['name']:<11}{drawn}{lowest:>9}{highest:>9}{now:>8}"


def _level(value: int | None, known: list[int]) -> str:
    if value is None:
        return GAP
    low, high = min(known), max(known)
    return LEVELS[(value - low) * (len(LEVELS) - 1) // (high - low)] if high > low else LEVELS[0]
