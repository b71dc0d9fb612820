"""Every key of a siting file as data: allowed values, whether it is required, its meaning.

Tables: SITE is the top of the file. The others are `[model.NAME]`, `[unit.NAME]`, `[area.NAME]`,
`[exposure.NAME]`, `[barrier.NAME]`, and once each `[fence]` and `[la_r3]`.
"""

from typing import NamedTuple

from controller.config.acceptance_text import LEAST

SCHEMA = 1
IFC_2018, NFPA_2020, NFPA_2023, NFPA_2026 = EDITIONS = (
    "ifc_2018",
    "nfpa855_2020",
    "nfpa855_2023_ifc_2021",
    "nfpa855_2026",
)
LA_R3, SAN_DIEGO, NY_TIERS, NYC_FDNY = LOCALS = ("la_r3", "san_diego", "ny_tiers", "nyc_fdny")
STATIONARY, MOBILE, DWELLING, ROOFTOP, OPEN_GARAGE = MODES = (
    "stationary",
    "mobile",
    "dwelling",
    "rooftop",
    "open_garage",
)
INDOORS, OUTDOORS = PLACES = ("indoors", "outdoors")


class Technology(NamedTuple):
    """Rows B1 and B11: the threshold, and the maximum of a fire area (None: unlimited)."""

    threshold_kWh: float
    most_kWh: float | None


# The maxima have no line for sodium-ion, so it has the maximum of the other technologies.
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
EXPOSED = (
    "lot_line",
    "public_way",
    "building",
    "combustibles",
    "hazmat",
    "high_piled_stock",
    "other",
)
KINDS = (*EXPOSED, "egress", "air_intake", "vegetation", "opening", "main_panel", "disconnect")
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
# Numbers that several rules need, of rows B4, B6, B5, B14, B10, B17, B18; feet rounded to the
# millimetre.
GROUP_kWh, PREPACKAGED_kWh = 50, 250
SPACING_m, ROOF_m, NEAR_m = 0.914, 22.86, 30.5
FIVE_FEET_m, TEN_FEET_m = 1.524, 3.048
MOBILE_d = 30  # row B29
SEPARATION_h = 2  # row B25; the only rating of a separation in the source
# Chosen by the project, not by a code: more than cells alone hold, without any space between them.
DENSEST_kWh_per_m3 = 1000
COORDINATE_m_MAX = 100_000
POINTS_MAX = 200
THINGS_MAX = 400  # entries of each table: the plan is of one site
NAME_CHARACTERS, TEXT_CHARACTERS = 20, 60


class Key(NamedTuple):
    """kind and, in brackets, `allowed`: number, size (low, high); flag; choice, choices (options);
    text; named (a text that names a paper or a person); point; points (fewest, most).
    """

    kind: str
    what: str
    allowed: tuple = ()
    is_required: bool = False


def _length(what: str, most_m: float = 1000, least_m: float = 0, is_required: bool = False) -> Key:
    return Key("number", what, (least_m, most_m), is_required)


def _report(what: str) -> Key:
    return Key("named", what)


def _flag(what: str) -> Key:
    return Key("flag", what)


SITE = {
    "schema": Key("choice", "the form of this file", (SCHEMA,), True),
    "name": Key("text", "title of report and plan", (), True),
    "edition": Key("choice", "edition profile that was adopted", EDITIONS, True),
    "mode": Key("choice", "how the storage is installed", MODES, True),
    "place": Key("choice", "only in mode stationary, required there", PLACES),
    "local": Key("choices", "local profiles in addition to the edition", LOCALS),
    "absent": Key("choices", "kinds of exposure without any within 30.5 m", KINDS),
    "dedicated_building": _flag("indoors: the building contains only the storage (default: false)"),
    "deployed_days": Key("number", "mobile: days at this place", (0, 36_500)),
    "charging_location": _flag("mobile: the units are charged or kept here between deployments"),
    "floor_above_vehicle_access_m": _length(
        "open_garage: deck above the lowest access of fire vehicles", 2000, -2000
    ),
    "floor_below_exit_discharge_m": _length(
        "open_garage: deck below the lowest exit-discharge floor", 2000, -2000
    ),
    "hazard_mitigation_analysis": _report("id of the analysis"),
    "plume_model": _report("id of the plume model"),
    "signs_say": Key("choices", "the words on the signs at the entrances", SIGN_WORDS),
    "permit_file": Key(
        "choices", "contents of the permit file besides the layout and the energies", PERMIT_PARTS
    ),
    "north_deg": Key(
        "number", "direction of north, clockwise from up the plan (default: 0)", (-360, 360)
    ),
}
MODEL = {
    "size_m": Key("size", "length and width of the unit", (0.05, 100), True),
    "height_m": Key("number", "its height without HVAC on top", (0.05, 100), True),
    "technology": Key("choice", "", tuple(TECHNOLOGIES), True),
    "energy_kWh": Key("number", "nameplate energy; or the two below", (0.001, 1_000_000)),
    "rated_voltage_V": Key(
        "number", "with rated_capacity_Ah in place of energy_kWh", (0.1, 100_000)
    ),
    "rated_capacity_Ah": Key("number", "with rated_voltage_V", (0.1, 1_000_000)),
    "ul_9540_listing": _report("listing of the system"),
    "ul_1973_listing": _report("listing of cells, modules, batteries"),
    "residential_listing": _flag("listed for residential use"),
    "prepackaged": _flag("listed as pre-engineered or prepackaged (default: false)"),
    "walk_in": _flag("a person can go in"),
    "entry_for_maintenance_only": _flag("walk-in: entered for inspection and maintenance only"),
    "container": Key(
        "choice",
        "material of the walls of its container",
        ("none", "noncombustible", "combustible"),
    ),
    "rack_to_container_wall_m": _length("combustible container: racks to its walls", 100),
    "ul_9540a_report": _report("id of the UL 9540A unit-level or installation-level report"),
    "ul_9540a_edition": _report("edition of UL 9540A the report names"),
    "ul_9540a_spacing_m": _length("distance between units in that test", 30),
    "ul_9540a_wall_spacing_m": _length("distance to the wall in that test", 30),
    "ul_9540a_wall_rise_K": Key("number", "temperature rise of the wall in that test", (0, 2000)),
    "ul_9540a_egress_heat_flux_W_per_m2": Key(
        "number", "heat flux at the egress path in that test", (0, 1_000_000)
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
    "outline_m": Key("points", "its walls, inner face; of a roof its edge", (3,), True),
    "fire_rating_h": Key(
        "number", "rating of its weakest wall, floor or ceiling; 0 for none", (0, 24)
    ),
    "floor_above_vehicle_access_m": _length(
        "floor above the lowest access of fire vehicles", 2000, -2000
    ),
    "floor_below_exit_discharge_m": _length(
        "floor below the lowest exit-discharge floor", 2000, -2000
    ),
    "group_H": _flag("classed as Group H (default: false)"),
    "location": Key("choice", "dwelling: kind of the area; required there", LOCATIONS),
    "roof_noncombustible": _flag("rooftop"),
    "fire_operations_clear": _flag("rooftop: firefighting is not obstructed"),
    "approved_by": _report("rooftop above 22.86 m: the person or office that approved it"),
    "class_a_beyond_m": _length(
        "rooftop: class A covering under the units and to this distance around them", 1000
    ),
}
OF_BUILDINGS = (
    "wall_fire_rating_h",
    "wall_noncombustible",
    "wall_without_openings",
    "occupant_load",
)
TABLES: dict[str, dict[str, Key]] = {
    "model": MODEL,
    "unit": {
        "model": Key("text", "name of its [model.NAME]", (), True),
        "center_m": Key("point", "its center", (), True),
        "rotation_deg": Key("number", "turned counter-clockwise (default: 0)", (-360, 360)),
        "group": Key("text", "units with the same word are one group (default: one per unit)"),
    },
    "area": AREA,
    "exposure": {
        "kind": Key("choice", "", KINDS, True),
        "point_m": Key("point", "one of these three keys gives the place"),
        "line_m": Key("points", "an open line; a lot line goes on straight at its ends", (2,)),
        "outline_m": Key("points", "a closed outline; of a lot line the whole lot", (3,)),
        "inside_m": Key("point", "lot line with line_m, required there: any point inside the lot"),
        "wall_fire_rating_h": Key("number", "building: the wall that faces the units", (0, 24)),
        "wall_noncombustible": _flag("building: that wall"),
        "wall_without_openings": _flag(
            "building: that wall has no opening and no combustible overhang"
        ),
        "occupant_load": Key("number", "building, tent, stand: persons", (0, 1_000_000)),
    },
    "barrier": {
        "line_m": Key("points", "its two ends", (2, 2), True),
        "height_m": Key("number", "", (0.1, 100), True),
        "fire_rating_h": Key("number", "", (0, 24), True),
    },
}
SINGLE_TABLES: dict[str, dict[str, Key]] = {
    "fence": {
        "outline_m": Key("points", "mobile: the fence, closed", (3,), True),
        "gate_locked": _flag("its gate is locked"),
    },
    "la_r3": {
        "clear_each_side_m": _length("narrowest clear space beside a unit"),
        "path_width_m": _length("width of the access path"),
    },
}


def allowed_words(field: Key) -> str:
    """The allowed values of a key in words."""
    low, *high = field.allowed or ("",)
    point = f"[x, y], each {-COORDINATE_m_MAX}..{COORDINATE_m_MAX}"
    text = f"{TEXT_CHARACTERS} printable characters"
    if field.kind in ("number", "size"):
        limits = f"{low:g}..{high[0]:g}"
        return f"a number {limits}" if field.kind == "number" else f"[length, width], each {limits}"
    return {
        "flag": "true, false",
        "choice": ", ".join(map(str, field.allowed)),
        "choices": "a list from " + ", ".join(map(str, field.allowed)),
        "text": f"a text of 1..{text}",
        "named": f"a text of {LEAST}..{text} that names it",
        "point": point,
        "points": f"{low if high else f'{low}..{POINTS_MAX}'} points {point}",
    }[field.kind]
