"""What the rules measure of units, their groups and fire areas.

Each function takes (site, rule) and returns a list of Items, or in words why there are none.
"""

from controller.siting import fields as f
from controller.siting import geometry, scopes
from controller.siting.items import Item, gap_item, of_models, said, sum_kWh, unsaid_kinds

# -- what the site is


def over_threshold(site, rule):
    """All stored energy against the lowest threshold of the technologies present."""
    words = f"{site.total_kWh:g} kWh, over {site.threshold_kWh:g}"
    return [Item(site.total_kWh > site.threshold_kWh, site.technologies, words=words)]


def volt_hours(site, rule):
    """Models whose energy was computed."""
    names = dict.fromkeys(
        [unit.model_name for unit in site.units if unit.model["energy_kWh"] is None]
    )
    return [Item(bool(names), tuple(names), words=f"{len(names)} model(s)")]


def near_exposure(site, rule):
    """The nearest exposure, if it is near."""
    if site.is_remote:
        return [Item(False)]
    if site.nearest_exposure is None or site.nearest_exposure[2].distance_m > rule.number:
        return unsaid_kinds(site, f.EXPOSED)
    unit, exposure, gap = site.nearest_exposure
    return [Item(True, (unit.name, exposure.name), gap=gap, words=f"{gap.distance_m:.3f} m")]


def walk_in(site, rule):
    """Models a person can go into."""
    return of_models(site.units, "walk_in")


def long_deployed(site, rule):
    """Days of a deployment."""
    days = site.facts["deployed_days"]
    return [
        Item(
            None if days is None else days > rule.number,
            fact="" if days is not None else "deployed_days",
            words=f"{days} d",
        )
    ]


def charging_place(site, rule):
    """Whether the units are charged or kept here."""
    return [said(site.facts["charging_location"], "", "charging_location")]


def tier_2(site, rule):
    """More energy than Tier 1, or more than one technology."""
    words = f"{site.total_kWh:g} kWh" + (", mixed" if len(site.technologies) > 1 else "")
    return [Item(site.total_kWh > rule.number or len(site.technologies) > 1, words=words)]


def fdny_medium(site, rule):
    """From the number on."""
    return [Item(site.total_kWh >= rule.number, words=f"{site.total_kWh:g} kWh")]


def fdny_large(site, rule):
    """Over the number."""
    return [Item(site.total_kWh > rule.number, words=f"{site.total_kWh:g} kWh")]


# -- groups, spacing, tests


def is_closer(gap):
    """Whether a distance is below that of row B5."""
    return gap.distance_m < f.SPACING_m - geometry.TOUCH_m


def is_tested(*units):
    """Whether every unit has a UL 9540A report."""
    return all([unit.model["ul_9540a_report"] is not None for unit in units])


def is_prepackaged(site, units):
    """Whether every unit is prepackaged, in an edition that knows it."""
    return site.edition == f.IFC_2018 and len(units) == 1 and bool(units[0].model["prepackaged"])


def group_energy(site, rule):
    """Energy of each group; a larger one is judged by its listing as prepackaged or by its test."""
    items = []
    for name, units in site.groups.items():
        energy_kWh = sum_kWh(units)
        by = ""
        if energy_kWh > rule.number + geometry.TOUCH_m:
            by = "B6" if is_prepackaged(site, units) else "B7a" if is_tested(*units) else ""
        items.append(Item(energy_kWh, (name,), by=by))
    return items


def prepackaged_energy(site, rule):
    """Energy of each prepackaged unit; a larger one is judged by its large-scale fire test."""
    items = []
    for units in site.groups.values():
        if is_prepackaged(site, units):
            is_over = units[0].energy_kWh > rule.number and is_tested(*units)
            items.append(Item(units[0].energy_kWh, (units[0].name,), by="B7a" if is_over else ""))
    return items or "no unit is listed as prepackaged"


def group_spacing(site, rule):
    """Distance of units of different groups; tighter pairs with a test are judged by it."""
    return [
        gap_item(a.name, b.name, gap, by="B7c" if is_closer(gap) and is_tested(a, b) else "")
        for a, b, gap in site.pairs
    ] or "one group"


def wall_spacing(site, rule):
    """Distance of units to the walls around."""
    return [
        gap_item(unit.name, area.name, gap, by="B7d" if is_closer(gap) and is_tested(unit) else "")
        for unit, area, gap in site.wall_gaps
    ]


def side_by_side(site, rule):
    """Units over the size of a group that stand closer than the spacing, whatever their groups."""
    units = {}
    for a, b, gap in site.all_pairs:
        if min(a.energy_kWh, b.energy_kWh) > f.GROUP_kWh and is_closer(gap):
            units |= {a.name: a, b.name: b}
    return of_models(units.values(), "ul_9540a_report") or "none so close"


# -- energy of a fire area


def _by_technology(units):
    return {
        each: sum_kWh([unit for unit in units if unit.technology == each])
        for each in dict.fromkeys([unit.technology for unit in units])
    }


def _mixed_limit_kWh(units):
    """The smallest maximum of several technologies; None for one, or where all are unlimited."""
    technologies = {unit.technology for unit in units}
    limits = [
        f.TECHNOLOGIES[each][1] for each in technologies if f.TECHNOLOGIES[each][1] is not None
    ]
    return min(limits) if len(technologies) > 1 and limits else None


def _over(site):
    """Fire areas over a maximum."""
    found = []
    for name, units in site.fire_areas.items():
        sums = _by_technology(units)
        limits = {each: f.TECHNOLOGIES[each][1] for each in sums}
        mixed_kWh = _mixed_limit_kWh(units)
        if any(
            [
                limits[each] is not None and sums[each] > limits[each] + geometry.TOUCH_m
                for each in sums
            ]
        ) or (mixed_kWh is not None and sum_kWh(units) > mixed_kWh + geometry.TOUCH_m):
            found.append(name)
    return found


def _granted(site, name):
    """What lets a fire area be over its maximum; empty when nothing does."""
    areas = site.areas_of_fire_area.get(name, ())
    if areas and all([area.facts["group_H"] for area in areas]):
        return "Group H"
    analysis = site.facts["hazard_mitigation_analysis"]
    tests = [unit.model["large_scale_fire_test"] for unit in site.fire_areas[name]]
    return f"{analysis}, {tests[0]}" if analysis and all(tests) else ""


def area_energy(site, rule):
    """Energy of each technology in each fire area."""
    over, items = _over(site), []
    for name, units in site.fire_areas.items():
        for technology, energy_kWh in _by_technology(units).items():
            limit_kWh = f.TECHNOLOGIES[technology][1]
            if limit_kWh is not None:
                by = (
                    "B12"
                    if energy_kWh > limit_kWh and name in over and _granted(site, name)
                    else ""
                )
                items.append(Item(energy_kWh, (name, technology), limit_kWh, by=by))
    return items or "the technology has no maximum"


def mixed_energy(site, rule):
    """Energy of fire areas with more than one technology."""
    items = []
    for name, units in site.fire_areas.items():
        limit_kWh, energy_kWh = _mixed_limit_kWh(units), sum_kWh(units)
        if limit_kWh is not None:
            by = "B12" if energy_kWh > limit_kWh and _granted(site, name) else ""
            items.append(Item(energy_kWh, (name,), limit_kWh, by=by))
    return items or "one technology in each fire area, or none with a maximum"


def over_maximum(site, rule):
    """What lets a fire area be over its maximum."""
    return [
        said(_granted(site, name) or None, name, _lacking(site, name)) for name in _over(site)
    ] or "no fire area is over its maximum"


def _lacking(site, name):
    """The facts of which one would let a fire area be over its maximum, or make several of it."""
    areas = site.areas_of_fire_area.get(name, ())
    ways = ["hazard_mitigation_analysis and large_scale_fire_test"]
    ways += [" and ".join([f"area.{area.name}.group_H" for area in areas])] if areas else []
    unrated = (
        [area.name for area in areas if area.facts["fire_rating_h"] is None]
        if len(areas) > 1
        else []
    )
    return ", or ".join(ways + [f"area.{each}.fire_rating_h" for each in unrated])


def analysis(site, rule):
    """The hazard mitigation analysis, where something calls for it."""
    causes = ["technology without a line of its own"] if "other" in site.technologies else []
    causes += ["mixed technologies"] if len(site.technologies) > 1 else []
    causes += ["over the maximum"] if _over(site) and not scopes.sized(site) else []
    if not causes:
        return "nothing calls for it"
    return [said(site.facts["hazard_mitigation_analysis"], causes[0], "hazard_mitigation_analysis")]


# -- dwellings
