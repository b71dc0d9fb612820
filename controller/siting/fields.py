"""Describes every key of a siting file. SITE: top of the file. TABLES: tables with names."""

from typing import Any, NamedTuple

from controller.forms.acceptance_text import LEAST
from controller.forms.field import (
    REQUIRED,
    Fault,
    Field,
    choice,
    flag,
    is_list,
    is_row,
    is_text,
    named,
    number,
    passing,
    some_of,
)
from controller.siting import ground

SCHEMA = 1
IFC_2018, NFPA_2020 = "ifc_2018", "nfpa855_2020"
NFPA_2023, NFPA_2026 = "nfpa855_2023_ifc_2021", "nfpa855_2026"
EDITIONS = (IFC_2018, NFPA_2020, NFPA_2023, NFPA_2026)
LA_R3, SAN_DIEGO, NY_TIERS, NYC_FDNY = LOCALS = ("la_r3", "san_diego", "ny_tiers", "nyc_fdny")
STATIONARY, MOBILE, DWELLING = "stationary", "mobile", "dwelling"
ROOFTOP, OPEN_GARAGE = "rooftop", "open_garage"
MODES = (STATIONARY, MOBILE, DWELLING, ROOFTOP, OPEN_GARAGE)
OPEN_AIR = (STATIONARY, MOBILE)  # modes on the ground; a site of such a mode may be indoors
INDOORS, OUTDOORS = PLACES = ("indoors", "outdoors")


class Technology(NamedTuple):
    """Threshold (rule B1), and maximum in a fire area (rule B11; None: no maximum)."""

    threshold_kWh: float
    most_kWh: float | None


# The table of maxima has no line for sodium-ion, so it gets the maximum of "other" technologies.
TECHNOLOGIES = {
    "lithium_ion": Technology(20, 600),
    "lead_acid": Technology(70, None),
    "nickel_cadmium": Technology(70, None),
    "sodium": Technology(20, 600),
    "sodium_ion": Technology(70, 200),
    "flow": Technology(20, 600),
    "other": Technology(10, 200),
}
LOCATIONS = ("utility_closet", "garage", "accessory_structure", "other")
EXPOSED = tuple("lot_line public_way building combustibles hazmat high_piled_stock other".split())
KINDS = (*EXPOSED, "egress", "air_intake", "vegetation", "opening", "main_panel", "disconnect")
FLOORS = ("floor_above_vehicle_access_m", "floor_below_exit_discharge_m")
SIGN_WORDS = ("energized", "technology", "hazards", "suppression", "contact")
PERMIT_PARTS = (
    "listings",
    "esms",
    "rated_walls",
    "signs",
    "suppression",
    "smoke_detection",
    "ventilation",
    "racks",
)
# Numbers that several rules need, from rows B4, B6, B5, B14, B10, B17 and B18.
GROUP_kWh, PREPACKAGED_kWh = 50, 250
SPACING_m, ROOF_m, NEAR_m = 0.914, 22.86, 30.5
FIVE_FEET_m, TEN_FEET_m = 1.524, 3.048
MOBILE_d = 30  # row B29
SEPARATION_h = 2  # row B25; the only rating of a separation in the source
# Chosen by the project, not by a code: cells without any space between them contain less.
DENSEST_kWh_per_m3 = 1000
COORDINATE_m_MAX = 100_000
POINTS_MAX = 200
THINGS_MAX = 400  # entries in each table, because a plan shows one site
NAME_CHARACTERS, TEXT_CHARACTERS = 20, 60


POINT = ((-COORDINATE_m_MAX, COORDINATE_m_MAX),) * 2
POINT_WORDS = f"[x, y], each {-COORDINATE_m_MAX}..{COORDINATE_m_MAX}"
TEXT_WORDS = f"..{TEXT_CHARACTERS} printable characters"
TWICE = "has a point twice in a row", "points that differ"
AROUND = "at least 3 points around an area, each once, no edges that cross or touch"


def frozen(value: Any) -> Any:
    """A list as a tuple, including lists inside it. Any other value is returned unchanged."""
    return tuple(frozen(part) for part in value) if isinstance(value, list) else value


def _is_line(value: Any) -> bool:
    """True for a printable text that is not too long."""
    is_short = is_text(value) and len(value) <= TEXT_CHARACTERS
    return is_short and bool(value.strip()) and value.isprintable()


def _text(meaning: str, default: Any = REQUIRED) -> Field:
    return passing(_is_line, f"a text of 1{TEXT_WORDS}", default, meaning)


def _report(meaning: str) -> Field:
    return named(f"a text of {LEAST}{TEXT_WORDS} that names it", note=meaning, test=_is_line)


def _length(meaning: str, most_m: float = 1000, least_m: float = 0) -> Field:
    return number(least_m, most_m, None, meaning)


def _flag(meaning: str) -> Field:
    return flag(None, meaning)


def _point(meaning: str, default: Any = None) -> Field:
    return passing(lambda value: is_row(value, POINT), POINT_WORDS, default, meaning)


def _points(meaning: str, fewest: int, most: int = POINTS_MAX, default: Any = REQUIRED) -> Field:
    """The form of a line of different points."""

    def fits(value: Any) -> bool:
        is_points = is_list(value, lambda point: is_row(point, POINT))
        return is_points and fewest <= len(value) <= most

    def fault(value: Any) -> Fault:
        return TWICE if any(a == b for a, b in zip(value, value[1:])) else None

    count = f"{fewest}" if fewest == most else f"{fewest}..{most}"
    return passing(fits, f"{count} points {POINT_WORDS}", default, meaning, fault)


def _outline(meaning: str, default: Any = REQUIRED) -> Field:
    """The form of a polygon. Too few points count as a wrong value, not as a wrong form."""

    def fault(value: Any) -> Fault:
        problem = ground.fault_of_outline(frozen(value))
        return (problem, AROUND) if problem else None

    test, allowed, _ = _points(meaning, 1).allowed
    return passing(test, allowed.replace("1", "3", 1), default, meaning, fault)


SITE = {
    "schema": choice((SCHEMA,), note="the form of this file"),
    "name": _text("title of report and plan"),
    "edition": choice(EDITIONS, note="edition profile that was adopted"),
    "mode": choice(MODES, note="how the storage is installed"),
    "place": choice(PLACES, None, "only in mode stationary, required there"),
    "local": some_of(LOCALS, None, "local profiles in addition to the edition"),
    "absent": some_of(KINDS, None, "kinds of exposure without any within 30.5 m"),
    "dedicated_building": _flag("indoors: the building contains only the storage (default: false)"),
    "deployed_days": number(0, 36_500, None, "mobile: days at this place"),
    "charging_location": _flag("mobile: the units are charged or kept here between deployments"),
    "floor_above_vehicle_access_m": _length(
        "open_garage: deck above the lowest access of fire vehicles", 2000, -2000
    ),
    "floor_below_exit_discharge_m": _length(
        "open_garage: deck below the lowest exit-discharge floor", 2000, -2000
    ),
    "hazard_mitigation_analysis": _report("id of the analysis"),
    "plume_model": _report("id of the plume model"),
    "signs_say": some_of(SIGN_WORDS, None, "the words on the signs at the entrances"),
    "permit_file": some_of(
        PERMIT_PARTS, None, "contents of the permit file besides the layout and the energies"
    ),
    "north_deg": number(
        -360, 360, None, "direction of north, clockwise from up the plan (default: 0)"
    ),
}
SIZE = ((0.05, 100),) * 2
MODEL = {
    "size_m": passing(
        lambda value: is_row(value, SIZE),
        f"[length, width], each {SIZE[0][0]}..{SIZE[0][1]}",
        note="length and width of the unit",
    ),
    "height_m": number(0.05, 100, note="its height without HVAC on top"),
    "technology": choice(tuple(TECHNOLOGIES), note=""),
    "energy_kWh": number(0.001, 1_000_000, None, "nameplate energy; or the two below"),
    "rated_voltage_V": number(0.1, 100_000, None, "with rated_capacity_Ah in place of energy_kWh"),
    "rated_capacity_Ah": number(0.1, 1_000_000, None, "with rated_voltage_V"),
    "ul_9540_listing": _report("listing of the system"),
    "ul_1973_listing": _report("listing of cells, modules, batteries"),
    "residential_listing": _flag("listed for residential use"),
    "prepackaged": _flag("listed as pre-engineered or prepackaged (default: false)"),
    "walk_in": _flag("a person can go in"),
    "entry_for_maintenance_only": _flag("walk-in: entered for inspection and maintenance only"),
    "container": choice(
        ("none", "noncombustible", "combustible"), None, "material of the walls of its container"
    ),
    "rack_to_container_wall_m": _length("combustible container: racks to its walls", 100),
    "ul_9540a_report": _report("id of the UL 9540A unit-level or installation-level report"),
    "ul_9540a_edition": _report("edition of UL 9540A the report names"),
    "ul_9540a_spacing_m": _length("distance between units in that test", 30),
    "ul_9540a_wall_spacing_m": _length("distance to the wall in that test", 30),
    "ul_9540a_wall_rise_K": number(0, 2000, None, "temperature rise of the wall in that test"),
    "ul_9540a_egress_heat_flux_W_per_m2": number(
        0, 1_000_000, None, "heat flux at the egress path in that test"
    ),
    "ul_9540a_no_flaming_outside": _flag("no flaming outside the unit in that test"),
    "ul_9540a_no_explosion": _flag("no explosion in that test"),
    "ul_9540a_neighbours_below_vent": _flag(
        "neighbour modules stayed below cell vent temperature in that test"
    ),
    "large_scale_fire_test": _report("id of the large-scale fire test with the gases ignited"),
    "exposure_spacing_tested_m": _length(
        "distance to exposures that the large-scale fire test supports", 30
    ),
}
AREA = {
    "outline_m": _outline("its walls, inner face; of a roof its edge"),
    "fire_rating_h": number(
        0, 24, None, "rating of its weakest wall, floor or ceiling; 0 for none"
    ),
    "floor_above_vehicle_access_m": _length(
        "floor above the lowest access of fire vehicles", 2000, -2000
    ),
    "floor_below_exit_discharge_m": _length(
        "floor below the lowest exit-discharge floor", 2000, -2000
    ),
    "group_H": _flag("classed as Group H (default: false)"),
    "location": choice(LOCATIONS, None, "dwelling: kind of the area; required there"),
    "roof_noncombustible": _flag("rooftop"),
    "fire_operations_clear": _flag("rooftop: firefighting is not obstructed"),
    "approved_by": _report("rooftop above 22.86 m: the person or office that approved it"),
    "class_a_beyond_m": _length(
        "rooftop: class A covering under the units and to this distance around them", 1000
    ),
}
WALL = ("wall_fire_rating_h", "wall_noncombustible", "wall_without_openings")
OF_BUILDINGS = (*WALL, "occupant_load")
TABLES: dict[str, dict[str, Field]] = {
    "model": MODEL,
    "unit": {
        "model": _text("name of its [model.NAME]"),
        "center_m": _point("its center", REQUIRED),
        "rotation_deg": number(-360, 360, None, "turned counter-clockwise (default: 0)"),
        "group": _text("units with the same word are one group (default: one per unit)", None),
    },
    "area": AREA,
    "exposure": {
        "kind": choice(KINDS, note=""),
        "point_m": _point("one of these three keys gives the place"),
        "line_m": _points("an open line; a lot line goes on straight at its ends", 2, default=None),
        "outline_m": _outline("a closed outline; of a lot line the whole lot", None),
        "inside_m": _point("lot line with line_m, required there: any point inside the lot"),
        "wall_fire_rating_h": number(0, 24, None, "building: the wall that faces the units"),
        "wall_noncombustible": _flag("building: that wall"),
        "wall_without_openings": _flag(
            "building: that wall has no opening and no combustible overhang"
        ),
        "occupant_load": number(0, 1_000_000, None, "building, tent, stand: persons"),
    },
    "barrier": {
        "line_m": _points("its two ends", 2, 2),
        "height_m": number(0.1, 100, note=""),
        "fire_rating_h": number(0, 24, note=""),
    },
}
SINGLE_TABLES: dict[str, dict[str, Field]] = {
    "fence": {
        "outline_m": _outline("mobile: the fence, closed"),
        "gate_locked": _flag("its gate is locked"),
    },
    "la_r3": {
        "clear_each_side_m": _length("narrowest clear space beside a unit"),
        "path_width_m": _length("width of the access path"),
    },
}
