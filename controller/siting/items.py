"""What a rule measures is told in Items; an Item judges nothing."""

import math
from typing import NamedTuple

from controller.siting import geometry


class Item(NamedTuple):
    """value: a number, True or False, a text, or None with the missing fact. limit None: the rule's
    own number.

    names: the things measured, a pair of them for a distance; gap: where; by: the other rule that
    judges this instead.
    """

    value: object
    names: tuple = ()
    limit: float | None = None
    gap: geometry.Gap | None = None
    fact: str = ""
    by: str = ""
    words: str = ""


def said(value, name, fact):
    """An Item of a fact, missing when it is None."""
    return Item(
        value,
        (name,) if name else (),
        fact="" if value is not None else fact,
        words=value if isinstance(value, str) else "",
    )


def gap_item(first, second, gap, limit_m=None, by="", words=""):
    """An Item of a distance between two names."""
    return Item(gap.distance_m, (first, second), limit_m, gap, by=by, words=words)


def of_models(units, key):
    """One Item for each model of some units, of one of its keys."""
    names = dict.fromkeys([unit.model_name for unit in units])
    models = {unit.model_name: unit.model for unit in units}
    return [said(models[name][key], name, f"model.{name}.{key}") for name in names]


def unsaid_kinds(site, kinds):
    """One Item that misses what is said neither way about some kinds of exposure; none where all is
    said.
    """
    unsaid = site.unsaid(kinds)
    return (
        [Item(None, fact=f"exposures of kind {', '.join(unsaid)}, or these words in absent")]
        if unsaid
        else []
    )


def sum_kWh(units):
    """Of some units together."""
    return math.fsum([unit.energy_kWh for unit in units])
