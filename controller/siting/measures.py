"""What the rules of rules.py measure. Each function takes (site, rule) and returns Items, or words why there are none.

Nothing here judges: an Item says a value, the things it is between, where it was measured, or which fact is missing.
"""

import math
from typing import NamedTuple

from controller.siting import fields as f
from controller.siting import geometry, reductions, scopes

DWELLING_kWh = {"utility_closet": 40, "garage": 80, "accessory_structure": 80, f.OUTDOORS: 80}
CROWD = 30


class Item(NamedTuple):
    """value: a number, True or False, a text, or None with the missing fact. limit None: the rule's own number.

    names: the things measured, a pair of them for a distance; gap: where; by: the other rule that judges this instead.
    """

    value: object
    names: tuple = ()
    limit: float | None = None
    gap: geometry.Gap | None = None
    fact: str = ""
    by: str = ""
    words: str = ""


def _said(value, name, fact):
    """An Item of a fact, missing when it is None."""
    return Item(value, (name,) if name else (), fact="" if value is not None else fact,
                words=value if isinstance(value, str) else "")


def _gap_item(first, second, gap, limit_m=None, by="", words=""):
    return Item(gap.distance_m, (first, second), limit_m, gap, by=by, words=words)


def _of_models(units, key):
    """One Item for each model of some units, of one of its keys."""
    names = dict.fromkeys([unit.model_name for unit in units])
    models = {unit.model_name: unit.model for unit in units}
    return [_said(models[name][key], name, f"model.{name}.{key}") for name in names]


# -- what the site is

def over_threshold(site, rule):
    """All stored energy against the lowest threshold of the technologies present."""
    words = f"{site.total_kWh:g} kWh, over {site.threshold_kWh:g}"
    return [Item(site.total_kWh > site.threshold_kWh, site.technologies, words=words)]


def volt_hours(site, rule):
    """Models whose energy was computed."""
    names = dict.fromkeys([unit.model_name for unit in site.units if unit.model["energy_kWh"] is None])
    return [Item(bool(names), tuple(names), words=f"{len(names)} model(s)")]


def near_exposure(site, rule):
    """The nearest exposure, if it is near."""
    if site.is_remote:
        return [Item(False)]
    if site.nearest_exposure is None or site.nearest_exposure[2].distance_m > rule.number:
        return _unsaid(site, f.EXPOSED)
    unit, exposure, gap = site.nearest_exposure
    return [Item(True, (unit.name, exposure.name), gap=gap, words=f"{gap.distance_m:.3f} m")]


def walk_in(site, rule):
    """Models a person can go into."""
    return _of_models(site.units, "walk_in")


def long_deployed(site, rule):
    """Days of a deployment."""
    days = site.facts["deployed_days"]
    return [Item(None if days is None else days > rule.number, fact="" if days is not None else "deployed_days",
                 words=f"{days} d")]


def charging_place(site, rule):
    """Whether the units are charged or kept here."""
    return [_said(site.facts["charging_location"], "", "charging_location")]


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

def _is_closer(gap):
    """Whether a distance is below that of row B5."""
    return gap.distance_m < f.SPACING_m - geometry.TOUCH_m


def _is_tested(*units):
    return all([unit.model["ul_9540a_report"] is not None for unit in units])


def _is_prepackaged(site, units):
    return site.edition == f.IFC_2018 and len(units) == 1 and bool(units[0].model["prepackaged"])


def _energy_kWh(units):
    return math.fsum([unit.energy_kWh for unit in units])


def group_energy(site, rule):
    """Energy of each group; a larger one is judged by its listing as prepackaged or by its test."""
    items = []
    for name, units in site.groups.items():
        energy_kWh = _energy_kWh(units)
        by = ""
        if energy_kWh > rule.number + geometry.TOUCH_m:
            by = "B6" if _is_prepackaged(site, units) else "B7a" if _is_tested(*units) else ""
        items.append(Item(energy_kWh, (name,), by=by))
    return items


def prepackaged_energy(site, rule):
    """Energy of each prepackaged unit; a larger one is judged by its large-scale fire test."""
    items = []
    for units in site.groups.values():
        if _is_prepackaged(site, units):
            is_over = units[0].energy_kWh > rule.number and _is_tested(*units)
            items.append(Item(units[0].energy_kWh, (units[0].name,), by="B7a" if is_over else ""))
    return items or "no unit is listed as prepackaged"


def group_spacing(site, rule):
    """Distance of units of different groups; tighter pairs with a test are judged by it."""
    return [_gap_item(a.name, b.name, gap, by="B7c" if _is_closer(gap) and _is_tested(a, b) else "")
            for a, b, gap in site.pairs] or "one group"


def wall_spacing(site, rule):
    """Distance of units to the walls around."""
    return [_gap_item(unit.name, area.name, gap, by="B7d" if _is_closer(gap) and _is_tested(unit) else "")
            for unit, area, gap in site.wall_gaps]


def _larger(site):
    """Units of groups over the size that only a test allows."""
    found = []
    for units in site.groups.values():
        most_kWh = f.PREPACKAGED_kWh if _is_prepackaged(site, units) else f.GROUP_kWh
        found += units if _energy_kWh(units) > most_kWh + geometry.TOUCH_m else []
    return found


def _relying(site):
    """Units that stand there only by a test: larger than a group may be, or closer to a neighbour or a wall."""
    names = {unit.name for unit in _larger(site)}
    for a, b, gap in site.pairs:
        names |= {a.name, b.name} if _is_closer(gap) else set()
    if site.place == f.INDOORS:
        names |= {unit.name for unit, _, gap in site.wall_gaps if _is_closer(gap)}
    return [unit for unit in site.units if unit.name in names]


def _for_relying(key):
    def measure(site, rule):
        return _of_models(_relying(site), key) or "nothing larger or closer"
    return measure


def _for_tested(key):
    def measure(site, rule):
        return _of_models([unit for unit in _relying(site) if _is_tested(unit)], key) or "no test is relied upon"
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
    relying = {unit.name for unit in _relying(site) if _is_tested(unit)}
    larger = {unit.name for unit in _larger(site)}
    items = []
    for a, b, gap in site.all_pairs:
        if a.group == b.group and a.name not in larger:
            continue  # a group that is no larger than it may be is one thing
        of_test = [unit for unit in (a, b) if unit.name in relying]
        unsaid = [unit for unit in of_test if unit.model["ul_9540a_spacing_m"] is None]
        if unsaid:
            items.append(Item(None, (a.name, b.name), fact=f"model.{unsaid[0].model_name}.ul_9540a_spacing_m"))
        elif of_test:
            limit_m = max([unit.model["ul_9540a_spacing_m"] for unit in of_test])
            items.append(_gap_item(a.name, b.name, gap, limit_m))
    return items or "no test is relied upon"


def tested_wall_spacing(site, rule):
    """Distance to walls nearer than the rule, against the report."""
    items = []
    for unit, area, gap in site.wall_gaps:
        if _is_closer(gap) and _is_tested(unit):
            limit_m = unit.model["ul_9540a_wall_spacing_m"]
            items.append(_gap_item(unit.name, area.name, gap, limit_m) if limit_m is not None else
                         Item(None, (unit.name, area.name), fact=f"model.{unit.model_name}.ul_9540a_wall_spacing_m"))
    return items or "no wall is closer"


def side_by_side(site, rule):
    """Units over the size of a group that stand closer than the spacing, whatever their groups."""
    units = {}
    for a, b, gap in site.all_pairs:
        if min(a.energy_kWh, b.energy_kWh) > f.GROUP_kWh and _is_closer(gap):
            units |= {a.name: a, b.name: b}
    return _of_models(units.values(), "ul_9540a_report") or "none so close"


# -- energy of a fire area

def _by_technology(units):
    return {each: _energy_kWh([unit for unit in units if unit.technology == each])
            for each in dict.fromkeys([unit.technology for unit in units])}


def _mixed_limit_kWh(units):
    """The smallest maximum of several technologies; None for one, or where all are unlimited."""
    technologies = {unit.technology for unit in units}
    limits = [f.TECHNOLOGIES[each][1] for each in technologies if f.TECHNOLOGIES[each][1] is not None]
    return min(limits) if len(technologies) > 1 and limits else None


def _over(site):
    """Fire areas over a maximum."""
    found = []
    for name, units in site.fire_areas.items():
        sums = _by_technology(units)
        limits = {each: f.TECHNOLOGIES[each][1] for each in sums}
        mixed_kWh = _mixed_limit_kWh(units)
        if any([limits[each] is not None and sums[each] > limits[each] + geometry.TOUCH_m for each in sums]) or (
                mixed_kWh is not None and _energy_kWh(units) > mixed_kWh + geometry.TOUCH_m):
            found.append(name)
    return found


def _granted(site, name):
    """What lets a fire area be over its maximum; empty when nothing does."""
    area = next((each for each in site.areas if each.name == name), None)
    if area is not None and area.facts["group_H"]:
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
                by = "B12" if energy_kWh > limit_kWh and name in over and _granted(site, name) else ""
                items.append(Item(energy_kWh, (name, technology), limit_kWh, by=by))
    return items or "the technology has no maximum"


def mixed_energy(site, rule):
    """Energy of fire areas with more than one technology."""
    items = []
    for name, units in site.fire_areas.items():
        limit_kWh, energy_kWh = _mixed_limit_kWh(units), _energy_kWh(units)
        if limit_kWh is not None:
            by = "B12" if energy_kWh > limit_kWh and _granted(site, name) else ""
            items.append(Item(energy_kWh, (name,), limit_kWh, by=by))
    return items or "one technology in each fire area, or none with a maximum"


def over_maximum(site, rule):
    """What lets a fire area be over its maximum."""
    items = []
    for name in _over(site):
        fact = "hazard_mitigation_analysis and large_scale_fire_test"
        fact += f", or area.{name}.group_H" if name != f.OUTDOORS else ""
        items.append(_said(_granted(site, name) or None, name, fact))
    return items or "no fire area is over its maximum"


def analysis(site, rule):
    """The hazard mitigation analysis, where something calls for it."""
    causes = ["technology without a line of its own"] if "other" in site.technologies else []
    causes += ["mixed technologies"] if len(site.technologies) > 1 else []
    causes += ["over the maximum"] if _over(site) and not scopes.sized(site) else []
    if not causes:
        return "nothing calls for it"
    return [_said(site.facts["hazard_mitigation_analysis"], causes[0], "hazard_mitigation_analysis")]


# -- height, depth, walls, roof

def _of_areas(key, is_asked=lambda area: True, none="no area"):
    def measure(site, rule):
        return [_said(area.facts[key], area.name, f"area.{area.name}.{key}") for area in site.areas
                if area.name in site.fire_areas and is_asked(area)] or none
    return measure


def _is_high(area):
    height_m = area.facts["floor_above_vehicle_access_m"]
    return height_m is not None and height_m > f.ROOF_m + geometry.TOUCH_m


def floor_height(site, rule):
    """Floor over the access of fire vehicles; a higher roof is judged by the exception for roofs."""
    items = _of_areas("floor_above_vehicle_access_m")(site, rule)
    if site.mode == f.ROOFTOP:
        items = [item._replace(by="B16a" if item.value is not None and item.value > f.ROOF_m else "") for item in items]
    return items


floor_depth = _of_areas("floor_below_exit_discharge_m")
room_rating = _of_areas("fire_rating_h")
roof_material = _of_areas("roof_noncombustible", _is_high, "not above 22.86 m")
roof_clear = _of_areas("fire_operations_clear", _is_high, "not above 22.86 m")
roof_approved = _of_areas("approved_by", _is_high, "not above 22.86 m")
class_a = _of_areas("class_a_beyond_m")


def roof_edge(site, rule):
    """Distance to the edge of the roof, against 1.524 m or the height of the unit."""
    return [_gap_item(unit.name, area.name, gap, max(f.FIVE_FEET_m, unit.model["height_m"]))
            for unit, area, gap in site.wall_gaps]


# -- distances outdoors

def _unsaid(site, kinds):
    """One Item that misses what is said neither way about some kinds of exposure; none where all is said."""
    unsaid = site.unsaid(kinds)
    return [Item(None, fact=f"exposures of kind {', '.join(unsaid)}, or these words in absent")] if unsaid else []


def exposure_distance(site, rule):
    """Distance of every unit to every exposure of the rule's kinds; reduced ones are judged by row B19."""
    items = _unsaid(site, rule.kinds)
    for unit, exposure, gap in site.exposure_gaps:
        if exposure.kind in rule.kinds:
            is_reduced = rule.id in ("B17", "B18") and reductions.reduced(site, unit, exposure, gap, rule.number)
            items.append(_gap_item(unit.name, exposure.name, gap, by="B19" if is_reduced else ""))
    return items or "the file says there is none within 30.5 m"


def reduced_distance(site, rule):
    """Distances below that of row B17 or B18 that a barrier, a wall or a test allows."""
    full_m = f.FIVE_FEET_m if site.edition == f.IFC_2018 else f.TEN_FEET_m
    items = []
    for unit, exposure, gap in site.exposure_gaps:
        if exposure.kind in rule.kinds:
            found = reductions.reduced(site, unit, exposure, gap, full_m)
            if found:
                items.append(_gap_item(unit.name, exposure.name, gap, found.distance_m, words=found.words))
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
    items = _unsaid(site, rule.kinds)
    for unit, exposure, gap in site.exposure_gaps:
        load = exposure.facts["occupant_load"]
        if exposure.kind not in rule.kinds:
            continue
        if load is None and gap.distance_m < rule.number:
            items.append(Item(None, (unit.name, exposure.name), fact=f"exposure.{exposure.name}.occupant_load"))
        elif load is not None and load >= CROWD:
            items.append(_gap_item(unit.name, exposure.name, gap))
    return items or f"no building for {CROWD} persons or more"


def container_wall(site, rule):
    """Racks to the walls of a combustible container."""
    items = [item for item in _of_models(site.units, "container") if item.fact]
    combustible = [unit for unit in site.units if unit.model["container"] == "combustible"]
    items += _of_models(combustible, "rack_to_container_wall_m")
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
    return _of_models(entered, "entry_for_maintenance_only") or "no walk-in unit"


# -- mobile

def fence_distance(site, rule):
    """Distance of every unit to the fence around it."""
    if site.fence is None:
        return [Item(None, ("fence",), fact="[fence] with outline_m")]
    fence = geometry.polygon(site.fence["outline_m"])
    items = []
    for unit in site.units:
        gap = geometry.gap(unit.shape, geometry.outline(fence))
        is_inside = geometry.is_within(unit.shape, fence)
        items.append(_gap_item(unit.name, "fence", gap if is_inside else gap._replace(distance_m=0.0),
                               words="" if is_inside else "not inside the fence"))
    return items


def gate(site, rule):
    """Whether the gate is locked."""
    return [_said((site.fence or {}).get("gate_locked"), "fence", "fence.gate_locked")]


# -- dwellings

def residential(site, rule):
    """Residential listing of models from 1 kWh on."""
    return _of_models([unit for unit in site.units if unit.energy_kWh >= 1], "residential_listing") or "all below 1 kWh"


def unit_energy(site, rule):
    """Energy of each unit."""
    return [Item(unit.energy_kWh, (unit.name,)) for unit in site.units]


def place_energy(site, rule):
    """Energy of each place of a dwelling that the source names."""
    return [Item(_energy_kWh(units), (name,), DWELLING_kWh[location]) for name, units, location in _places(site)
            if location in DWELLING_kWh] or "no such place"


def other_place_energy(site, rule):
    """Energy of each other place of a dwelling."""
    return [Item(_energy_kWh(units), (name,)) for name, units, location in _places(site)
            if location not in DWELLING_kWh] or "no such place"


def _places(site):
    locations = {area.name: area.facts["location"] for area in site.areas}
    return [(name, units, locations.get(name, f.OUTDOORS)) for name, units in site.fire_areas.items()]


def dwelling_spacing(site, rule):
    """Distance of units, whatever their groups; closer where both reports tested it."""
    items = []
    for a, b, gap in site.all_pairs:
        tested_m = [unit.model["ul_9540a_spacing_m"] for unit in (a, b)]
        is_tested = _is_tested(a, b) and None not in tested_m
        items.append(_gap_item(a.name, b.name, gap, max(tested_m) if is_tested else None,
                               words="as tested" if is_tested else ""))
    return items or "one unit"


# -- local profiles and papers

def container_spacing(site, rule):
    """Distance of units, whatever their groups."""
    return [_gap_item(a.name, b.name, gap) for a, b, gap in site.all_pairs] or "one unit"


def _of_site(key):
    def measure(site, rule):
        return [_said(site.facts[key], "", key)]
    return measure


def _of_la_r3(key):
    def measure(site, rule):
        return [_said(site.la_r3.get(key), "", f"la_r3.{key}")]
    return measure


def _of_every_model(key):
    def measure(site, rule):
        return _of_models(site.units, key)
    return measure


plume_model = _of_site("plume_model")
side_clearance, path_width = _of_la_r3("clear_each_side_m"), _of_la_r3("path_width_m")
system_listing, battery_listing = _of_every_model("ul_9540_listing"), _of_every_model("ul_1973_listing")


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
