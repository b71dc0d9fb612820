"""What the rules measure of rooms, roofs, exposures, fences and papers.

Each function takes (site, rule) and returns a list of Items, or in words why there are none.
"""

from controller.siting import fields as f
from controller.siting import geometry, ground, reductions
from controller.siting.items import Item, gap_item, of_models, said, unsaid_kinds

CROWD = 30


# -- height, depth, walls, roof


def _of_areas(key, is_asked=lambda area: True, none="no area"):
    def measure(site, rule):
        return [
            said(area.facts[key], area.name, f"area.{area.name}.{key}")
            for area in site.used_areas
            if is_asked(area)
        ] or none

    return measure


def _is_high(area):
    height_m = area.facts["floor_above_vehicle_access_m"]
    return height_m is not None and height_m > f.ROOF_m + geometry.TOUCH_m


def _of_floors(key):
    """As _of_areas; of an open garage, which has no area, the file says it of the deck."""

    def measure(site, rule):
        return (
            [said(site.facts[key], "", key)]
            if site.mode == f.OPEN_GARAGE
            else _of_areas(key)(site, rule)
        )

    return measure


def floor_height(site, rule):
    """Floor over the access of fire vehicles; a higher roof is judged by the exception for
    roofs.
    """
    items = _of_floors("floor_above_vehicle_access_m")(site, rule)
    if site.mode == f.ROOFTOP:
        items = [
            item._replace(by="B16a" if item.value is not None and item.value > f.ROOF_m else "")
            for item in items
        ]
    return items


floor_depth = _of_floors("floor_below_exit_discharge_m")
room_rating = _of_areas("fire_rating_h")
roof_material = _of_areas("roof_noncombustible", _is_high, "not above 22.86 m")
roof_clear = _of_areas("fire_operations_clear", _is_high, "not above 22.86 m")
roof_approved = _of_areas("approved_by", _is_high, "not above 22.86 m")
class_a = _of_areas("class_a_beyond_m")


def roof_edge(site, rule):
    """Distance to the edge of the roof, against 1.524 m or the height of the unit."""
    return [
        gap_item(unit.name, area.name, gap, max(f.FIVE_FEET_m, unit.model["height_m"]))
        for unit, area, gap in site.wall_gaps
    ]


# -- distances outdoors


def exposure_distance(site, rule):
    """Distance of every unit to every exposure of the rule's kinds; reduced ones are judged by row
    B19.
    """
    items = unsaid_kinds(site, rule.kinds)
    for unit, exposure, gap in site.exposure_gaps:
        if exposure.kind in rule.kinds:
            is_reduced = rule.id in ("B17", "B18") and reductions.reduced(
                site, unit, exposure, gap, rule.number
            )
            items.append(gap_item(unit.name, exposure.name, gap, by="B19" if is_reduced else ""))
    return items or "the file says there is none within 30.5 m"


def reduced_distance(site, rule):
    """Distances below that of row B17 or B18 that a barrier, a wall or a test allows."""
    full_m = f.FIVE_FEET_m if site.edition == f.IFC_2018 else f.TEN_FEET_m
    items = []
    for unit, exposure, gap in site.exposure_gaps:
        if exposure.kind in rule.kinds:
            found = reductions.reduced(site, unit, exposure, gap, full_m)
            if found:
                items.append(
                    gap_item(unit.name, exposure.name, gap, found.distance_m, words=found.words)
                )
    return items or "no distance is reduced"


def outdoor_exposure_distance(site, rule):
    """As exposure_distance, for units that stand in no area."""
    outside = [unit.name for unit in site.units if not unit.area]
    found = exposure_distance(site, rule)
    if not outside or isinstance(found, str):
        return "no unit is outdoors" if not outside else found
    return [item for item in found if item.fact or item.names[0] in outside]


def crowd_distance(site, rule):
    """Distance to buildings for many persons; a near one without an occupant load needs it."""
    items = unsaid_kinds(site, rule.kinds)
    for unit, exposure, gap in site.exposure_gaps:
        load = exposure.facts["occupant_load"]
        if exposure.kind not in rule.kinds:
            continue
        if load is None and gap.distance_m < rule.number:
            items.append(
                Item(
                    None, (unit.name, exposure.name), fact=f"exposure.{exposure.name}.occupant_load"
                )
            )
        elif load is not None and load >= CROWD:
            items.append(gap_item(unit.name, exposure.name, gap))
    return items or f"no building for {CROWD} persons or more"


def container_wall(site, rule):
    """Racks to the walls of a combustible container."""
    items = [item for item in of_models(site.units, "container") if item.fact]
    combustible = [unit for unit in site.units if unit.model["container"] == "combustible"]
    items += of_models(combustible, "rack_to_container_wall_m")
    return items or "no combustible container"


def _walk_in_size(index):
    def measure(site, rule):
        items = []
        for unit in site.units:
            size_m = (*sorted(unit.model["size_m"], reverse=True), unit.model["height_m"])
            items += [Item(size_m[index], (unit.name,))] if unit.model["walk_in"] else []
        return items or "no walk-in unit"

    return measure


walk_in_length, walk_in_width, walk_in_height = map(_walk_in_size, range(3))


def walk_in_entry(site, rule):
    """Whether people go in for maintenance only."""
    entered = [unit for unit in site.units if unit.model["walk_in"]]
    return of_models(entered, "entry_for_maintenance_only") or "no walk-in unit"


# -- mobile


def fence_distance(site, rule):
    """Distance of every unit to the fence around it."""
    if site.fence is None:
        return [Item(None, ("fence",), fact="[fence] with outline_m")]
    fence = geometry.polygon(site.fence["outline_m"])
    items = []
    for unit in site.units:
        gap = geometry.gap(unit.shape, geometry.outline(fence))
        is_inside = ground.is_within(unit.shape, fence)
        items.append(
            gap_item(
                unit.name,
                "fence",
                gap if is_inside else gap._replace(distance_m=0.0),
                words="" if is_inside else "not inside the fence",
            )
        )
    return items


def gate(site, rule):
    """Whether the gate is locked."""
    return [said((site.fence or {}).get("gate_locked"), "fence", "fence.gate_locked")]


# -- local profiles and papers


def container_spacing(site, rule):
    """Distance of units, whatever their groups."""
    return [gap_item(a.name, b.name, gap) for a, b, gap in site.all_pairs] or "one unit"


def _of_site(key):
    def measure(site, rule):
        return [said(site.facts[key], "", key)]

    return measure


def _of_la_r3(key):
    def measure(site, rule):
        return [said(site.la_r3.get(key), "", f"la_r3.{key}")]

    return measure


def _of_every_model(key):
    def measure(site, rule):
        return of_models(site.units, key)

    return measure


plume_model = _of_site("plume_model")
side_clearance, path_width = _of_la_r3("clear_each_side_m"), _of_la_r3("path_width_m")
system_listing, battery_listing = (
    _of_every_model("ul_9540_listing"),
    _of_every_model("ul_1973_listing"),
)


def _words_of(key, wanted):
    def measure(site, rule):
        said = site.facts[key]
        parts = [part for part in wanted if part != "rated_walls" or site.place == f.INDOORS]
        if said is None:
            return [Item(None, (), fact=key)]
        return [Item(part in said, (part,)) for part in parts]

    return measure


signs_first = _words_of("signs_say", f.SIGN_WORDS[:2])
signs_more = _words_of("signs_say", f.SIGN_WORDS[2:])
permit_file = _words_of("permit_file", f.PERMIT_PARTS)
