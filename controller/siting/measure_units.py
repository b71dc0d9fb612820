"""Measures of what the site is, and of units, their groups and the tests they rely on."""

from controller.siting import fields as f, geometry
from controller.siting.items import Item, each_model, gap_item, of_models, sum_kWh, undeclared_kinds

NO_TEST = "no test is relied upon"

# -- what the site is


def over_threshold(site, rule) -> list:
    """All stored energy against the lowest threshold of the technologies present."""
    words = f"{site.total_kWh:g} kWh, over {site.threshold_kWh:g}"
    return [Item(site.total_kWh > site.threshold_kWh, site.technologies, words=words)]


def volt_hours(site, rule) -> list:
    """Models whose energy was computed."""
    names = dict.fromkeys(
        [unit.model_name for unit in site.units if unit.model["energy_kWh"] is None]
    )
    return [Item(bool(names), tuple(names), words=f"{len(names)} model(s)")]


def near_exposure(site, rule) -> list:
    """The nearest exposure, if it is near."""
    if site.is_remote:
        return [Item(False)]
    if site.nearest_exposure is None or site.nearest_exposure[2].distance_m > rule.number:
        return undeclared_kinds(site, f.EXPOSED)
    unit, exposure, gap = site.nearest_exposure
    return [
        Item(
            True,
            (unit.name, exposure.name),
            gap=gap,
            words=geometry.short(gap.distance_m, site.lengths, 3),
        )
    ]


def long_deployed(site, rule) -> list:
    """Days of a deployment."""
    days = site.facts["deployed_days"]
    if days is None:
        return [Item(None, fact="deployed_days", words="None d")]
    return [Item(days > rule.number, words=f"{days} d")]


def tier_2(site, rule) -> list:
    """More energy than Tier 1, or more than one technology."""
    words = f"{site.total_kWh:g} kWh" + (", mixed" if len(site.technologies) > 1 else "")
    return [Item(site.total_kWh > rule.number or len(site.technologies) > 1, words=words)]


def fdny_class(is_reached):
    """A measure: whether all stored energy reaches the number of a class."""
    return lambda site, rule: [
        Item(is_reached(site.total_kWh, rule.number), words=f"{site.total_kWh:g} kWh")
    ]


# -- groups and spacing


def is_closer(gap) -> bool:
    """Whether a distance is below that of row B5."""
    return gap.distance_m < f.SPACING_m - geometry.TOUCH_m


def is_tested(*units) -> bool:
    """Whether every unit has a UL 9540A report."""
    return all([unit.model["ul_9540a_report"] is not None for unit in units])


def is_prepackaged(site, units: list) -> bool:
    """Whether every unit is prepackaged, in an edition that knows it."""
    return site.edition == f.IFC_2018 and len(units) == 1 and bool(units[0].model["prepackaged"])


def group_energy(site, rule) -> list:
    """Energy of each group; a larger one is judged by its listing as prepackaged or by its test."""
    items = []
    for name, units in site.groups.items():
        energy_kWh, by = sum_kWh(units), ""
        if energy_kWh > rule.number + geometry.TOUCH_m:
            by = "B6" if is_prepackaged(site, units) else "B7a" if is_tested(*units) else ""
        items.append(Item(energy_kWh, (name,), by=by))
    return items


def prepackaged_energy(site, rule) -> str | list:
    """Energy of each prepackaged unit; a larger one is judged by its large-scale fire test."""
    alone = [units[0] for units in site.groups.values() if is_prepackaged(site, units)]
    return [
        Item(
            unit.energy_kWh,
            (unit.name,),
            by="B7a" if unit.energy_kWh > rule.number and is_tested(unit) else "",
        )
        for unit in alone
    ] or "no unit is listed as prepackaged"


def group_spacing(site, rule) -> str | list:
    """Distance of units of different groups; tighter pairs with a test are judged by it."""
    return [
        gap_item(a.name, b.name, gap, by="B7c" if is_closer(gap) and is_tested(a, b) else "")
        for a, b, gap in site.pairs
    ] or "one group"


def container_spacing(site, rule):
    """Distance of units, whatever their groups."""
    return [gap_item(a.name, b.name, gap) for a, b, gap in site.all_pairs] or "one unit"


def wall_spacing(site, rule) -> list:
    """Distance of units to the walls around."""
    return [
        gap_item(unit.name, area.name, gap, by="B7d" if is_closer(gap) and is_tested(unit) else "")
        for unit, area, gap in site.wall_gaps
    ]


def side_by_side(site, rule) -> str | list:
    """Units over the size of a group and closer than the spacing, whatever their groups."""
    units = [
        unit
        for a, b, gap in site.all_pairs
        if min(a.energy_kWh, b.energy_kWh) > f.GROUP_kWh and is_closer(gap)
        for unit in (a, b)
    ]
    return of_models(units, "ul_9540a_report") or "none so close"


# -- units that rely on a test of their maker


def _larger(site):
    """Units of groups over the size that only a test allows."""
    found = []
    for units in site.groups.values():
        most_kWh = f.PREPACKAGED_kWh if is_prepackaged(site, units) else f.GROUP_kWh
        found += units if sum_kWh(units) > most_kWh + geometry.TOUCH_m else []
    return found


def _relying(site):
    """Units that are allowed only by a test: larger than a group may be, or closer to a neighbour
    or a wall.
    """
    names = {unit.name for unit in _larger(site)}
    names |= {unit.name for a, b, gap in site.pairs if is_closer(gap) for unit in (a, b)}
    if site.place == f.INDOORS:
        names |= {unit.name for unit, _, gap in site.wall_gaps if is_closer(gap)}
    return [unit for unit in site.units if unit.name in names]


def _relying_tested(site):
    return [unit for unit in _relying(site) if is_tested(unit)]


def relying(key: str):
    """A measure: one key of the models of units that rely on a test."""
    return each_model(key, _relying, "nothing larger or closer")


def tested(key: str):
    """A measure: one key of those models whose units have the test."""
    return each_model(key, _relying_tested, NO_TEST)


def _tested_item(first, second, gap, units, key):
    """Distance against the widest of the tests of some units; missing where one does not say."""
    for unit in units:
        if unit.model[key] is None:
            return Item(None, (first, second), fact=f"model.{unit.model_name}.{key}")
    return gap_item(first, second, gap, max([unit.model[key] for unit in units]))


def tested_spacing(site, rule) -> str | list:
    """Distance of neighbours that rely on a test, against the wider spacing of their reports."""
    names = {unit.name for unit in _relying_tested(site)}
    larger = {unit.name for unit in _larger(site)}
    items = []
    for a, b, gap in site.all_pairs:
        of_test = [unit for unit in (a, b) if unit.name in names]
        # a group that is no larger than it may be is one thing
        if of_test and (a.group != b.group or a.name in larger):
            items.append(_tested_item(a.name, b.name, gap, of_test, "ul_9540a_spacing_m"))
    return items or NO_TEST


def tested_wall_spacing(site, rule) -> str | list:
    """Distance to the walls of units that rely on a test, against their report."""
    names = {unit.name for unit in _relying_tested(site)}
    return [
        _tested_item(unit.name, area.name, gap, (unit,), "ul_9540a_wall_spacing_m")
        for unit, area, gap in site.wall_gaps
        if unit.name in names
    ] or NO_TEST
