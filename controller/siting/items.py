"""Defines a Rule of the siting audit, and an Item: one value or fact that a rule judges.

A measure is a function that returns the Items of a rule, or the reason why there are none.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from controller.siting import scopes
from controller.siting.geometry import Gap
from controller.siting.site import Site
from controller.siting.things import Area, Exposure, Unit

# values of `sense`, also in the JSON of the report
AT_LEAST, AT_MOST, STATED, SCOPE = ">=", "<=", "said", "scope"


class Rule(NamedTuple):
    """One rule.

    sense: AT_LEAST or AT_MOST a number; STATED: a fact; SCOPE: the rule only classifies a site.
    clauses: {edition: (clause, confidence)}; (?) marks an unconfirmed clause. number None: the
    measure gives each Item a limit. kinds: kinds of exposures to which the rule applies.
    """

    id: str
    what: str
    measure: "Measure"
    sense: str
    number: float | None = None
    unit: str = ""
    kinds: tuple[str, ...] = ()
    scope: scopes.Scope = scopes.EVERYWHERE
    clauses: dict[str, tuple[str, str]] = {}

    @property
    def own_number(self) -> float:
        """The number of the rule. ValueError if it has none."""
        if self.number is None:
            raise ValueError(f"rule {self.id} has no number")
        return self.number


class Item(NamedTuple):
    """One measured value or fact.

    value: None if a fact is missing. limit: None means that the number of the rule is the limit.
    names: the measured objects. gap: only of a distance. judged_by: another rule that judges this
    Item.
    """

    value: Any
    names: tuple[str, ...] = ()
    limit: float | None = None
    gap: Gap | None = None
    fact: str = ""
    judged_by: str = ""
    remark: str = ""


Items = list[Item] | str
Measure = Callable[[Site, Rule], Items]


def fact_item(value: Any, name: str, fact: str) -> Item:
    """An Item for a fact of the file. A value of None is a missing fact."""
    return Item(
        value,
        (name,) if name else (),
        fact="" if value is not None else fact,
        remark=value if isinstance(value, str) else "",
    )


def gap_item(
    first: Unit,
    second: Unit | Area | Exposure,
    gap: Gap,
    limit_m: float | None = None,
    judged_by: str = "",
    remark: str = "",
) -> Item:
    """An Item of a distance."""
    names = (first.name, second.name)
    return Item(gap.distance_m, names, limit_m, gap, judged_by=judged_by, remark=remark)


def of_models(units: Iterable[Unit], key: str) -> list[Item]:
    """One Item for each model of these units, with one key of the model."""
    models = {unit.model_name: unit.model for unit in units}
    return [fact_item(model[key], name, f"model.{name}.{key}") for name, model in models.items()]


def each_model(
    key: str, chosen: Callable[[Site], Iterable[Unit]] = lambda site: site.units, none: str = ""
) -> Measure:
    """A measure of one key of each model of the chosen units."""
    return lambda site, rule: of_models(chosen(site), key) or none


def each_area(
    key: str, is_chosen: Callable[[Area], bool] = lambda area: True, none: str = "no area"
) -> Measure:
    """A measure of one key of each area that has a unit."""
    return lambda site, rule: (
        [
            fact_item(area.facts[key], area.name, f"area.{area.name}.{key}")
            for area in site.used_areas
            if is_chosen(area)
        ]
        or none
    )


def of_site(key: str) -> Measure:
    """A measure of one key at the top of the file."""
    return lambda site, rule: [fact_item(site.facts[key], "", key)]


def of_table(name: str, key: str) -> Measure:
    """A measure of one key of [fence] or [la_r3]."""
    label = name if name == "fence" else ""
    return lambda site, rule: [
        fact_item((getattr(site, name) or {}).get(key), label, f"{name}.{key}")
    ]


def undeclared_kinds(site: Site, kinds: tuple[str, ...]) -> list[Item]:
    """[one Item] with the kinds that the file neither has nor declares absent, or []."""
    undeclared = site.undeclared(kinds)
    fact = f"exposures of kind {', '.join(undeclared)}, or these words in absent"
    return [Item(None, fact=fact)] if undeclared else []


def sum_kWh(units: Iterable[Unit]) -> float:
    """Energy of some units together."""
    return math.fsum(unit.energy_kWh for unit in units)
