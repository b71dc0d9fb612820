"""The page `trend`. It draws each quantity of the last minutes as a line of characters, which stand
for ten levels.
"""

from controller.console.pages.text import Parts, duration, folded, pages, source
from controller.state.base import Facts

LEVELS = "_.,-~=+*#@"
COLUMNS = 42
GAP = " "


def parts(facts: Facts) -> Parts:
    """The trend (state/trend.py) as the only part of a page."""
    head_line = f"{'':<11}{'':<{COLUMNS}}{'lowest':>9}{'highest':>9}{'now':>8}"
    rows = [_row(quantity) for quantity in facts["quantities"]]
    scale = f"{'':<11}{'-' + duration(facts['span_ms']):<{COLUMNS - 3}}now"
    return pages(facts, [[head_line, *rows, "", scale, *folded("", source(facts), 2)]])


def _row(quantity: Facts) -> str:
    known = [value for value in quantity["values"] if value is not None]
    drawn = "".join(_level(value, known) for value in quantity["values"]).rjust(COLUMNS)
    if not known:
        return f"{quantity['name']:<11}{drawn}{'-':>9}{'-':>9}{'-':>8}"
    numbers = [
        f"{value / quantity['divisor']:.{quantity['digits']}f}" if value is not None else "-"
        for value in (min(known), max(known), quantity["now"])
    ]
    return f"{quantity['name']:<11}{drawn}{numbers[0]:>9}{numbers[1]:>9}{numbers[2]:>8}"


def _level(value: int | None, known: list[int]) -> str:
    if value is None:
        return GAP
    low, high = min(known), max(known)
    return LEVELS[(value - low) * (len(LEVELS) - 1) // (high - low)] if high > low else LEVELS[0]
