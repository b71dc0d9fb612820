"""What the rules measure of units that rely on a test of their maker."""

from controller.siting import fields as f
from controller.siting import geometry
from controller.siting.items import Item, gap_item, of_models, sum_kWh
from controller.siting.measure_units import is_closer, is_prepackaged, is_tested


def _larger(site):
    """Units of groups over the size that only a test allows."""
    found = []
    for units in site.groups.values():
        most_kWh = f.PREPACKAGED_kWh if is_prepackaged(site, units) else f.GROUP_kWh
        found += units if sum_kWh(units) > most_kWh + geometry.TOUCH_m else []
    return found


def _relying(site):
    """Units that stand there only by a test: larger than a group may be, or closer to a neighbour
    or a wall.
    """
    names = {unit.name for unit in _larger(site)}
    for a, b, gap in site.pairs:
        names |= {a.name, b.name} if is_closer(gap) else set()
    if site.place == f.INDOORS:
        names |= {unit.name for unit, _, gap in site.wall_gaps if is_closer(gap)}
    return [unit for unit in site.units if unit.name in names]


def _for_relying(key):
    def measure(site, rule):
        return of_models(_relying(site), key) or "nothing larger or closer"

    return measure


def _for_tested(key):
    def measure(site, rule):
        return of_models([unit for unit in _relying(site) if is_tested(unit)], key) or (
            "no test is relied upon"
        )

    return measure


test_report = _for_relying("ul_9540a_report")
fire_test = _for_relying("large_scale_fire_test")
test_edition = _for_tested("ul_9540a_edition")
wall_rise = _for_tested("ul_9540a_wall_rise_K")
egress_flux = _for_tested("ul_9540a_egress_heat_flux_W_per_m2")
no_flaming = _for_tested("ul_9540a_no_flaming_outside")
no_explosion = _for_tested("ul_9540a_no_explosion")
below_vent = _for_tested("ul_9540a_neighbours_below_vent")


def tested_spacing(site, rule):
    """Distance of neighbours that rely on a test, against the wider spacing of their reports."""
    relying = {unit.name for unit in _relying(site) if is_tested(unit)}
    larger = {unit.name for unit in _larger(site)}
    items = []
    for a, b, gap in site.all_pairs:
        if a.group == b.group and a.name not in larger:
            continue  # a group that is no larger than it may be is one thing
        of_test = [unit for unit in (a, b) if unit.name in relying]
        unsaid = [unit for unit in of_test if unit.model["ul_9540a_spacing_m"] is None]
        if unsaid:
            items.append(
                Item(
                    None, (a.name, b.name), fact=f"model.{unsaid[0].model_name}.ul_9540a_spacing_m"
                )
            )
        elif of_test:
            limit_m = max([unit.model["ul_9540a_spacing_m"] for unit in of_test])
            items.append(gap_item(a.name, b.name, gap, limit_m))
    return items or "no test is relied upon"


def tested_wall_spacing(site, rule):
    """Distance to the walls of units that rely on a test, against their report."""
    relying = {unit.name for unit in _relying(site) if is_tested(unit)}
    items = []
    for unit, area, gap in site.wall_gaps:
        if unit.name in relying:
            limit_m = unit.model["ul_9540a_wall_spacing_m"]
            items.append(
                gap_item(unit.name, area.name, gap, limit_m)
                if limit_m is not None
                else Item(
                    None,
                    (unit.name, area.name),
                    fact=f"model.{unit.model_name}.ul_9540a_wall_spacing_m",
                )
            )
    return items or "no test is relied upon"
