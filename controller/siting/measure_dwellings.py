"""What the rules measure of storage in and at dwellings."""

from controller.siting import fields as f
from controller.siting.items import Item, gap_item, of_models, sum_kWh
from controller.siting.measure_units import is_tested

DWELLING_kWh = {"utility_closet": 40, "garage": 80, "accessory_structure": 80, f.OUTDOORS: 80}


def residential(site, rule):
    """Residential listing of models from 1 kWh on."""
    return (
        of_models([unit for unit in site.units if unit.energy_kWh >= 1], "residential_listing")
        or "all below 1 kWh"
    )


def unit_energy(site, rule):
    """Energy of each unit."""
    return [Item(unit.energy_kWh, (unit.name,)) for unit in site.units]


def place_energy(site, rule):
    """Energy in each kind of place of a dwelling that the source names, over all areas of that
    kind.
    """
    return [
        Item(sum_kWh(units), _names(units), DWELLING_kWh[location])
        for location, units in _by_location(site)
        if location in DWELLING_kWh
    ] or "no such place"


def other_place_energy(site, rule):
    """Energy in all other places of a dwelling."""
    return [
        Item(sum_kWh(units), _names(units))
        for location, units in _by_location(site)
        if location not in DWELLING_kWh
    ] or "no such place"


def _by_location(site):
    """(location, its units): the source says totals of the dwelling, so a second outline of a kind
    holds no more.
    """
    locations, found = {area.name: area.facts["location"] for area in site.areas}, {}
    for unit in site.units:
        found.setdefault(locations.get(unit.area, f.OUTDOORS), []).append(unit)
    return found.items()


def _names(units):
    """Of the areas that hold some units, each once."""
    return tuple(dict.fromkeys([unit.area or f.OUTDOORS for unit in units]))


def dwelling_spacing(site, rule):
    """Distance of units, whatever their groups; closer where both reports tested it, never further
    for a test.
    """
    items = []
    for a, b, gap in site.all_pairs:
        tested_m = [unit.model["ul_9540a_spacing_m"] for unit in (a, b)]
        is_closer = is_tested(a, b) and None not in tested_m and max(tested_m) < rule.number
        items.append(
            gap_item(
                a.name,
                b.name,
                gap,
                max(tested_m) if is_closer else None,
                words="as tested" if is_closer else "",
            )
        )
    return items or "one unit"
