"""Measures (items.py) of roofs, floors, exposures, fences and lists of papers."""

from collections.abc import Callable

from controller.siting import fields as f, geometry, ground, reductions
from controller.siting.items import (
    Item,
    Items,
    Measure,
    Rule,
    each_area,
    fact_item,
    gap_item,
    of_models,
    of_site,
    undeclared_kinds,
)
from controller.siting.site import Site
from controller.siting.things import Area, Table, Unit

CROWD = 30  # persons
NO_WALK_IN = "no walk-in unit"

# -- floors and roofs


def of_floors(key: str) -> Measure:
    """A measure of one key of each area, or of the deck of an open garage, which has no areas."""
    return lambda site, rule: (of_site(key) if site.mode == f.OPEN_GARAGE else each_area(key))(
        site, rule
    )


def floor_height(site: Site, rule: Rule) -> Items:
    """Height of the floor above the access of fire vehicles. B16a judges a roof above ROOF_m."""
    items = of_floors("floor_above_vehicle_access_m")(site, rule)
    if site.mode != f.ROOFTOP or isinstance(items, str):
        return items
    return [
        item._replace(judged_by="B16a" if item.value is not None and item.value > f.ROOF_m else "")
        for item in items
    ]


def _is_high(area: Area) -> bool:
    height_m = area.facts["floor_above_vehicle_access_m"]
    return height_m is not None and height_m > f.ROOF_m + geometry.TOUCH_m


def of_high_roofs(key: str) -> Measure:
    """A measure of one key of each roof above the height of row B14."""
    return each_area(key, _is_high, "not above 22.86 m")


def roof_edge(site: Site, rule: Rule) -> Items:
    """Distance to the edge of the roof, against 1.524 m or the height of the unit."""
    return [
        gap_item(unit, area, gap, max(f.FIVE_FEET_m, unit.model["height_m"]))
        for unit, area, gap in site.wall_gaps
    ]


# -- distances outdoors


def exposure_distance(site: Site, rule: Rule) -> Items:
    """Distance to every exposure of the kinds of the rule. B19 judges reducible distances."""
    items = undeclared_kinds(site, rule.kinds)
    for unit, exposure, gap in site.gaps_to(rule.kinds):
        is_reduced = rule.id in ("B17", "B18") and reductions.reduced(
            site, unit, exposure, gap, rule.own_number
        )
        items.append(gap_item(unit, exposure, gap, judged_by="B19" if is_reduced else ""))
    return items or "none within 30.5 m, by the file"


def reduced_distance(site: Site, rule: Rule) -> Items:
    """Distances below the limit of row B17 or B18, if a barrier, a wall or a test allows them."""
    full_m = f.FIVE_FEET_m if site.edition == f.IFC_2018 else f.TEN_FEET_m
    items = []
    for unit, exposure, gap in site.gaps_to(rule.kinds):
        reduction = reductions.reduced(site, unit, exposure, gap, full_m)
        if reduction:
            limit_m, reason = reduction
            items.append(gap_item(unit, exposure, gap, limit_m, remark=reason))
    return items or "no distance is reduced"


def outdoor_distance(site: Site, rule: Rule) -> Items:
    """The Items of exposure_distance, but only for units outside all areas."""
    outside = [unit.name for unit in site.units if not unit.area]
    items = exposure_distance(site, rule)
    if not outside:
        return "no unit is outdoors"
    if isinstance(items, str):
        return items
    return [item for item in items if item.fact or item.names[0] in outside]


def crowd_distance(site: Site, rule: Rule) -> Items:
    """Distance to buildings for many persons.

    If a near building has no occupant load in the file, this fact is missing.
    """
    items = undeclared_kinds(site, rule.kinds)
    for unit, exposure, gap in site.gaps_to(rule.kinds):
        load = exposure.facts["occupant_load"]
        if load is None and gap.distance_m < rule.own_number:
            fact = f"exposure.{exposure.name}.occupant_load"
            items.append(Item(None, (unit.name, exposure.name), fact=fact))
        elif load is not None and load >= CROWD:
            items.append(gap_item(unit, exposure, gap))
    return items or f"no building for {CROWD} persons or more"


def container_wall(site: Site, rule: Rule) -> Items:
    """Distance of the racks to the walls of a combustible container."""
    items = [item for item in of_models(site.units, "container") if item.fact]
    combustible = [unit for unit in site.units if unit.model["container"] == "combustible"]
    items += of_models(combustible, "rack_to_container_wall_m")
    return items or "no combustible container"


def walk_in_units(site: Site) -> list[Unit]:
    """Units that a person can enter."""
    return [unit for unit in site.units if unit.model["walk_in"]]


def walk_in_size(size_m: Callable[[Table], float]) -> Measure:
    """A measure of one size of each walk-in unit. size_m: takes it from the model."""
    return lambda site, rule: (
        [Item(size_m(unit.model), (unit.name,)) for unit in walk_in_units(site)] or NO_WALK_IN
    )


# -- mobile


def fence_distance(site: Site, rule: Rule) -> Items:
    """Distance of every unit to the fence around the units."""
    if site.fence is None:
        return [Item(None, ("fence",), fact="[fence] with outline_m")]
    fence = geometry.polygon(site.fence["outline_m"])
    items = []
    for unit in site.units:
        gap, remark = geometry.gap(unit.shape, geometry.outline(fence)), ""
        if not ground.is_within(unit.shape, fence):
            gap, remark = gap._replace(distance_m=0.0), "not inside the fence"
        items.append(Item(gap.distance_m, (unit.name, "fence"), gap=gap, remark=remark))
    return items


# -- papers


def lists(key: str, wanted: tuple) -> Measure:
    """A measure: whether a list of the file has each word. Rated walls count only indoors."""

    def measure(site: Site, rule: Rule) -> Items:
        listed = site.facts[key]
        if listed is None:
            return [fact_item(None, "", key)]
        parts = [part for part in wanted if part != "rated_walls" or site.place == f.INDOORS]
        return [Item(part in listed, (part,)) for part in parts]

    return measure
