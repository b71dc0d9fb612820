"""Measures (items.py) of the kind of site, of units and groups, and of the tests they need."""

from collections.abc import Callable

from controller.siting import fields as f, geometry
from controller.siting.items import (
    Item,
    Items,
    Measure,
    Rule,
    each_model,
    gap_item,
    of_models,
    sum_kWh,
    undeclared_kinds,
)
from controller.siting.site import Site
from controller.siting.things import Area, Unit

NO_TEST = "no unit needs a test"

# -- the kind of site


def over_threshold(site: Site, rule: Rule) -> Items:
    """All stored energy, compared with the lowest threshold of the technologies."""
    remark = f"{site.total_kWh:g} kWh, over {site.threshold_kWh:g}"
    return [Item(site.total_kWh > site.threshold_kWh, site.technologies, remark=remark)]


def volt_hours(site: Site, rule: Rule) -> Items:
    """Models whose energy is computed from voltage and capacity."""
    names = dict.fromkeys(
        unit.model_name for unit in site.units if unit.model["energy_kWh"] is None
    )
    return [Item(bool(names), tuple(names), remark=f"{len(names)} model(s)")]


def near_exposure(site: Site, rule: Rule) -> Items:
    """The nearest exposure, if it is within the distance of the rule."""
    if site.is_remote:
        return [Item(False)]
    nearest = site.nearest_exposure
    if nearest is None or nearest.gap.distance_m > rule.own_number:
        return undeclared_kinds(site, f.EXPOSED)
    unit, exposure, gap = nearest
    remark = geometry.short(gap.distance_m, site.lengths, 3)
    return [Item(True, (unit.name, exposure.name), gap=gap, remark=remark)]


def long_deployed(site: Site, rule: Rule) -> Items:
    """Days of a deployment."""
    days = site.facts["deployed_days"]
    if days is None:
        return [Item(None, fact="deployed_days", remark="None d")]
    return [Item(days > rule.own_number, remark=f"{days} d")]


def tier_2(site: Site, rule: Rule) -> Items:
    """More energy than Tier 1, or more than one technology."""
    remark = f"{site.total_kWh:g} kWh" + (", mixed" if len(site.technologies) > 1 else "")
    return [Item(site.total_kWh > rule.own_number or len(site.technologies) > 1, remark=remark)]


def fdny_class(is_reached: Callable[[float, float], bool]) -> Measure:
    """A measure: whether the stored energy of the site reaches the number of a class."""
    return lambda site, rule: [
        Item(is_reached(site.total_kWh, rule.own_number), remark=f"{site.total_kWh:g} kWh")
    ]


# -- groups and spacing


def is_closer(gap: geometry.Gap) -> bool:
    """True if a distance is below the limit of row B5."""
    return gap.distance_m < f.SPACING_m - geometry.TOUCH_m


def is_tested(*units: Unit) -> bool:
    """True if every unit has a UL 9540A report."""
    return all(unit.model["ul_9540a_report"] is not None for unit in units)


def is_prepackaged(site: Site, units: list[Unit]) -> bool:
    """True if a group is one prepackaged unit, in an edition that has a rule for this."""
    return site.edition == f.IFC_2018 and len(units) == 1 and bool(units[0].model["prepackaged"])


def group_energy(site: Site, rule: Rule) -> Items:
    """Energy of each group. B6 (prepackaged) or B7a (test) judges a group above the limit."""
    items = []
    for name, units in site.groups.items():
        energy_kWh, judge = sum_kWh(units), ""
        if energy_kWh > rule.own_number + geometry.TOUCH_m:
            judge = "B6" if is_prepackaged(site, units) else "B7a" if is_tested(*units) else ""
        items.append(Item(energy_kWh, (name,), judged_by=judge))
    return items


def prepackaged_energy(site: Site, rule: Rule) -> Items:
    """Energy of each prepackaged unit. B7a judges a tested unit above the limit."""
    alone = [units[0] for units in site.groups.values() if is_prepackaged(site, units)]
    larger = [unit for unit in alone if unit.energy_kWh > rule.own_number and is_tested(unit)]
    return [
        Item(unit.energy_kWh, (unit.name,), judged_by="B7a" if unit in larger else "")
        for unit in alone
    ] or "no unit is listed as prepackaged"


def group_spacing(site: Site, rule: Rule) -> Items:
    """Distance of units of different groups. B7c judges a closer pair that is tested."""
    return [
        gap_item(a, b, gap, judged_by="B7c" if is_closer(gap) and is_tested(a, b) else "")
        for a, b, gap in site.pairs
    ] or "one group"


def container_spacing(site: Site, rule: Rule) -> Items:
    """Distance of units of all groups."""
    return [gap_item(*pair) for pair in site.all_pairs] or "one unit"


def wall_spacing(site: Site, rule: Rule) -> Items:
    """Distance of units to the walls of their area. B7d judges a closer unit that is tested."""
    return [
        gap_item(unit, area, gap, judged_by="B7d" if is_closer(gap) and is_tested(unit) else "")
        for unit, area, gap in site.wall_gaps
    ]


def side_by_side(site: Site, rule: Rule) -> Items:
    """Neighbours that both exceed the size of a group and are closer than the spacing."""
    units = [
        unit
        for a, b, gap in site.all_pairs
        if min(a.energy_kWh, b.energy_kWh) > f.GROUP_kWh and is_closer(gap)
        for unit in (a, b)
    ]
    return of_models(units, "ul_9540a_report") or "no such pair is so close"


# -- units that need a test of their manufacturer


def _larger(site: Site) -> list[Unit]:
    """Units of groups above the allowed size. Only a test allows such groups."""
    larger: list[Unit] = []
    for units in site.groups.values():
        most_kWh = f.PREPACKAGED_kWh if is_prepackaged(site, units) else f.GROUP_kWh
        larger += units if sum_kWh(units) > most_kWh + geometry.TOUCH_m else []
    return larger


def _relying(site: Site) -> list[Unit]:
    """Units that need a test: their group is too large, or a neighbour or a wall is too close."""
    names = {unit.name for unit in _larger(site)}
    names |= {unit.name for a, b, gap in site.pairs if is_closer(gap) for unit in (a, b)}
    if site.place == f.INDOORS:
        names |= {unit.name for unit, _, gap in site.wall_gaps if is_closer(gap)}
    return [unit for unit in site.units if unit.name in names]


def _relying_tested(site: Site) -> list[Unit]:
    return [unit for unit in _relying(site) if is_tested(unit)]


def relying(key: str) -> Measure:
    """A measure of one key of the models of units that need a test."""
    return each_model(key, _relying, "no unit is larger or closer")


def tested(of_test: str) -> Measure:
    """A measure of a key `ul_9540a_...` of the models of units that need a test and have it."""
    return each_model(f"ul_9540a_{of_test}", _relying_tested, NO_TEST)


def _tested_item(
    first: Unit, second: Unit | Area, gap: geometry.Gap, units: list[Unit], key: str
) -> Item:
    """A distance whose limit is the widest spacing in the tests of `units`.

    If a test has no spacing, this fact is missing.
    """
    for unit in units:
        if unit.model[key] is None:
            return Item(None, (first.name, second.name), fact=f"model.{unit.model_name}.{key}")
    return gap_item(first, second, gap, max(unit.model[key] for unit in units))


def tested_spacing(site: Site, rule: Rule) -> Items:
    """Distance of neighbours that need a test. The limit is the wider spacing in their reports."""
    names = {unit.name for unit in _relying_tested(site)}
    larger = {unit.name for unit in _larger(site)}
    items = []
    for a, b, gap in site.all_pairs:
        of_test = [unit for unit in (a, b) if unit.name in names]
        # a group of allowed size counts as one unit
        if of_test and (a.group != b.group or a.name in larger):
            items.append(_tested_item(a, b, gap, of_test, "ul_9540a_spacing_m"))
    return items or NO_TEST


def tested_wall_spacing(site: Site, rule: Rule) -> Items:
    """Distance to the walls of units that need a test. The limit is in their report."""
    names = {unit.name for unit in _relying_tested(site)}
    return [
        _tested_item(unit, area, gap, [unit], "ul_9540a_wall_spacing_m")
        for unit, area, gap in site.wall_gaps
        if unit.name in names
    ] or NO_TEST
