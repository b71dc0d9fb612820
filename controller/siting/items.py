"""An Item is one measured thing; a measure takes (site, rule) and returns a list of Items, or in
words why there are none. Neither judges.
"""

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


def fact_item(value, name: str, fact: str):
    """An Item of a fact of the file, missing when it is None."""
    return Item(
        value,
        (name,) if name else (),
        fact="" if value is not None else fact,
        words=value if isinstance(value, str) else "",
    )


def gap_item(
    first: str, second: str, gap, limit_m: float | None = None, by: str = "", words: str = ""
):
    """An Item of a distance between two names."""
    return Item(gap.distance_m, (first, second), limit_m, gap, by=by, words=words)


def of_models(units: list | tuple, key: str) -> list:
    """One Item for each model of some units, of one of its keys."""
    models = {unit.model_name: unit.model for unit in units}
    return [fact_item(model[key], name, f"model.{name}.{key}") for name, model in models.items()]


def each_model(key: str, chosen=lambda site: site.units, none=()):
    """A measure: one key of each model of the chosen units."""
    return lambda site, rule: of_models(chosen(site), key) or none


def each_area(key: str, is_asked=lambda area: True, none: str = "no area"):
    """A measure: one key of each area that holds a unit."""
    return lambda site, rule: (
        [
            fact_item(area.facts[key], area.name, f"area.{area.name}.{key}")
            for area in site.used_areas
            if is_asked(area)
        ]
        or none
    )


def of_site(key: str):
    """A measure: one key of the top of the file."""
    return lambda site, rule: [fact_item(site.facts[key], "", key)]


def of_table(name: str, key: str):
    """A measure: one key of [fence] or [la_r3]."""
    label = name if name == "fence" else ""
    return lambda site, rule: [
        fact_item((getattr(site, name) or {}).get(key), label, f"{name}.{key}")
    ]


def undeclared_kinds(site, kinds: tuple) -> list:
    """One Item that lacks the kinds of exposure that are neither drawn nor declared absent; none
    where there are none.
    """
    kinds = site.undeclared(kinds)
    fact = f"exposures of kind {', '.join(kinds)}, or these words in absent"
    return [Item(None, fact=fact)] if kinds else []


def sum_kWh(units: list) -> float:
    """Energy of some units together."""
    return math.fsum([unit.energy_kWh for unit in units])
