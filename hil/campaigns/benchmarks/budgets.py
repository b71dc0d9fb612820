"""The budgets of the design (`budgets.toml`), and how a figure is held against one."""

import pathlib
from typing import NamedTuple

from drivers import toml_text


class Budget(NamedTuple):
    """`text` as the design says it. The limit: max(`fixed`, `factor` x rival), in the unit of the
    figure; "at least" budgets have `at_least`. `without`: why there may be no figure.
    """

    what: str
    text: str
    fixed: float = None
    factor: float = None
    at_least: bool = False
    without: str = "not among these results"


DATA = pathlib.Path(__file__).with_suffix(".toml")
BUDGETS = {key: Budget(**given) for key, given in toml_text.read(DATA).items()}


def limit(budget, rival_value):
    """The limit in the figure's unit; None when it needs a rival that was not there."""
    parts = [] if budget.fixed is None else [budget.fixed]
    if budget.factor is not None and rival_value is not None:
        parts.append(budget.factor * rival_value)
    return max(parts) if parts else None


def met(budget, value, bound):
    """True or False; None when there is nothing to judge by."""
    if bound is None or value is None:
        return None
    return value >= bound if budget.at_least else value <= bound
