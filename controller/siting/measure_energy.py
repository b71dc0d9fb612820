"""Measures (items.py) of the energy of fire areas and dwellings, and of distances at dwellings."""

from collections.abc import Iterable

from controller.siting import fields as f, geometry, scopes
from controller.siting.items import (
    Item,
    Items,
    Measure,
    Rule,
    each_model,
    fact_item,
    gap_item,
    sum_kWh,
)
from controller.siting.measure_units import is_tested
from controller.siting.site import Site
from controller.siting.things import Unit, grouped

DWELLING_kWh = {"utility_closet": 40, "garage": 80, "accessory_structure": 80, f.OUTDOORS: 80}
ANALYSIS = "hazard_mitigation_analysis"

# -- fire areas


def _energies(units: Iterable[Unit]) -> list[tuple[str, float, float | None]]:
    """[(technology, energy in kWh, maximum in kWh or None)] for a fire area."""
    return [
        (technology, sum_kWh(some), f.TECHNOLOGIES[technology].most_kWh)
        for technology, some in grouped(units, lambda unit: unit.model["technology"]).items()
    ]


def _mixed_limit_kWh(units: Iterable[Unit]) -> float | None:
    """The smallest maximum of several technologies. None for one technology, or without maxima."""
    energies = _energies(units)
    limits = [limit_kWh for _, _, limit_kWh in energies if limit_kWh is not None]
    return min(limits) if len(energies) > 1 and limits else None


def _is_over(units: list[Unit]) -> bool:
    limits = [(energy_kWh, limit_kWh) for _, energy_kWh, limit_kWh in _energies(units)]
    limits.append((sum_kWh(units), _mixed_limit_kWh(units)))
    return any(
        limit_kWh is not None and energy_kWh > limit_kWh + geometry.TOUCH_m
        for energy_kWh, limit_kWh in limits
    )


def _over(site: Site) -> list[str]:
    return [name for name, units in site.fire_areas.items() if _is_over(units)]


def _granted(site: Site, name: str) -> str:
    """The reason that allows a fire area to exceed its maximum, or ""."""
    areas = site.areas_of_fire_area.get(name, ())
    if areas and all(area.facts["group_H"] for area in areas):
        return "Group H"
    tests = [unit.model["large_scale_fire_test"] for unit in site.fire_areas[name]]
    return f"{site.facts[ANALYSIS]}, {tests[0]}" if site.facts[ANALYSIS] and all(tests) else ""


def area_energy(site: Site, rule: Rule) -> Items:
    """Energy of each technology in each fire area."""
    return [
        Item(
            energy_kWh,
            (name, technology),
            limit_kWh,
            judged_by="B12"
            if energy_kWh > limit_kWh and _is_over(units) and _granted(site, name)
            else "",
        )
        for name, units in site.fire_areas.items()
        for technology, energy_kWh, limit_kWh in _energies(units)
        if limit_kWh is not None
    ] or "the technology has no maximum"


def mixed_energy(site: Site, rule: Rule) -> Items:
    """Energy of fire areas with more than one technology."""
    items = []
    for name, units in site.fire_areas.items():
        limit_kWh, energy_kWh = _mixed_limit_kWh(units), sum_kWh(units)
        if limit_kWh is not None:
            judge = "B12" if energy_kWh > limit_kWh and _granted(site, name) else ""
            items.append(Item(energy_kWh, (name,), limit_kWh, judged_by=judge))
    return items or "one technology in each fire area, or none with a maximum"


def over_maximum(site: Site, rule: Rule) -> Items:
    """The reason that allows a fire area to exceed its maximum, for each such area."""
    return [
        fact_item(_granted(site, name) or None, name, _lacking(site, name)) for name in _over(site)
    ] or "no fire area is over its maximum"


def _lacking(site: Site, name: str) -> str:
    """Missing facts. Each of them would allow the excess, or divide the fire area."""
    areas = site.areas_of_fire_area.get(name, ())
    ways = [f"{ANALYSIS} and large_scale_fire_test"]
    ways += [" and ".join(f"area.{area.name}.group_H" for area in areas)] if areas else []
    if len(areas) > 1:
        unrated = [area.name for area in areas if area.facts["fire_rating_h"] is None]
        ways += [f"area.{area_name}.fire_rating_h" for area_name in unrated]
    return ", or ".join(ways)


def analysis(site: Site, rule: Rule) -> Items:
    """The hazard mitigation analysis, if some fact of the site requires it."""
    causes = ["technology without its own line"] if "other" in site.technologies else []
    causes += ["mixed technologies"] if len(site.technologies) > 1 else []
    causes += ["over the maximum"] if _over(site) and not scopes.SIZED.reason(site) else []
    if not causes:
        return "no fact of the site requires it"
    return [fact_item(site.facts[ANALYSIS], causes[0], ANALYSIS)]


# -- dwellings


def units_from_1_kWh(site: Site) -> list[Unit]:
    """Units that need a residential listing."""
    return [unit for unit in site.units if unit.energy_kWh >= 1]


residential_listing = each_model("residential_listing", units_from_1_kWh, "all below 1 kWh")


def unit_energy(site: Site, rule: Rule) -> Items:
    """Energy of each unit."""
    return [Item(unit.energy_kWh, (unit.name,)) for unit in site.units]


def place_energy(is_named: bool) -> Measure:
    """A measure of the energy in each kind of place of a dwelling.

    is_named: True for the kinds in DWELLING_kWh, False for all others. The energies of all units in
    places of one kind are added.
    """

    def measure(site: Site, rule: Rule) -> Items:
        locations = {area.name: area.facts["location"] for area in site.areas}
        by_location = grouped(site.units, lambda unit: locations.get(unit.area, f.OUTDOORS))
        return [
            Item(
                sum_kWh(units),
                tuple(dict.fromkeys(unit.area or f.OUTDOORS for unit in units)),
                DWELLING_kWh.get(location),
            )
            for location, units in by_location.items()
            if (location in DWELLING_kWh) == is_named
        ] or "no such place"

    return measure


def dwelling_spacing(site: Site, rule: Rule) -> Items:
    """Distance of units of all groups.

    Two test reports can reduce the limit, but not increase it.
    """
    items = []
    for a, b, gap in site.all_pairs:
        tested_m = [unit.model["ul_9540a_spacing_m"] for unit in (a, b)]
        if is_tested(a, b) and None not in tested_m and max(tested_m) < rule.own_number:
            items.append(gap_item(a, b, gap, max(tested_m), remark="as tested"))
        else:
            items.append(gap_item(a, b, gap))
    return items or "one unit"
