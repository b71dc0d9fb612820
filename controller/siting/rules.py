"""Lists the rules of the siting audit. Each id is a row of the project's tables of code facts.

Feet in the source are given here in metres, rounded to the millimetre. Row B39 deliberately has no
rule: its figures are from the web, and no text of a code supports them.
"""

import operator

from controller.siting import (
    measure_energy as energy,
    measure_places as places,
    measure_units as units,
)
from controller.siting.fields import (
    EXPOSED,
    FLOORS as FLOOR_KEYS,
    IFC_2018,
    LA_R3,
    NFPA_2020,
    NFPA_2023,
    NFPA_2026,
    NY_TIERS,
    NYC_FDNY,
    PERMIT_PARTS,
    SAN_DIEGO,
    SIGN_WORDS,
    FIVE_FEET_m,
    GROUP_kWh,
    MOBILE_d,
    NEAR_m,
    PREPACKAGED_kWh,
    ROOF_m,
    SEPARATION_h,
    SPACING_m,
    TEN_FEET_m,
)
from controller.siting.items import (
    AT_LEAST,
    AT_MOST,
    SCOPE,
    STATED,
    Measure,
    Rule,
    each_area,
    each_model,
    of_site,
    of_table,
)
from controller.siting.scopes import (
    DWELLING,
    EVERYWHERE,
    EXPOSED_UNITS,
    FLOORS,
    FLOORS_UNDER_ROOF,
    GARAGES,
    MOBILE,
    OUTDOOR_UNITS,
    OUTDOORS,
    REGULATED,
    ROOFS,
    ROOMS,
    SIZED,
    SIZED_ROOMS,
    Scope,
)

# {confidence of a number in an edition: words for the report}
CONFIDENCE = {
    "C": "read in a primary text",
    "C2": "read second-hand",
    "G": "unconfirmed",
    "D": "derived here",
}
NEWER = (NFPA_2020, NFPA_2023, NFPA_2026)
ALL = (IFC_2018, *NEWER)
Clauses = dict[str, tuple[str, str]]  # {edition: (clause, confidence)}


def _by_edition(ifc_2018: str, nfpa_2020: str, nfpa_2023: str, nfpa_2026: str = "") -> Clauses:
    """Clauses, each after its confidence; "" means no rule. 2026 is assumed to be like 2023."""
    if not nfpa_2026 and nfpa_2023:
        nfpa_2026 = f"G as 2023: {nfpa_2023.partition(' ')[2]}"
    texts = (ifc_2018, nfpa_2020, nfpa_2023, nfpa_2026)
    return {
        edition: (text.partition(" ")[2], text.partition(" ")[0])
        for edition, text in zip(ALL, texts, strict=True)
        if text
    }


def _kept(clause: str) -> Clauses:
    """A clause that was read in IFC 2018. Newer editions are assumed to have the same number."""
    newer = f"as IFC 2018 {clause.removesuffix(' (?)')} (?)"
    return {IFC_2018: (clause, "C"), **_nfpa(f"G {newer}")}


def _local(clause: str) -> Clauses:
    """The same clause in every edition."""
    return _by_edition(*[clause] * len(ALL))


def _nfpa(clause: str) -> Clauses:
    """The same clause in every edition but IFC 2018."""
    return _by_edition("", *[clause] * len(NEWER))


GROUPS = _by_edition("C 1206.2.8.3", "C 4.6.2", "G 855 9.4.2 (?), IFC 1207.5.1 (?)")
TESTED = _by_edition("C 1206.2.8.3 exc. 3", "G 4.6.3 (?)", "G 855 9.1.5 (?)")
EXPOSURES = _by_edition("", "G 4.4.3.3 (?)", "G 855 9.5.2.6 (?), IFC 1207.8.3 (?)")
WALK_IN = _by_edition("", "G 4.4.3.5 (?)", "G IFC 1207.5.6 (?)")
ROOF = _by_edition("", "G IFC 2021 1207.9 (?)", "G IFC 1207.9 (?)")
DEPLOYED = _by_edition("", "G 4.5 (?)", "C2 855 9.5.3.2 (?)")
SIGNS = _by_edition("", "G 4.3.5 (?)", "G 855 4.7.4 (?)")


def _stated(id: str, name: str, measure: Measure) -> Rule:
    """A rule that requires a fact in the file, or a fact that is true."""
    return Rule(id, name, measure, STATED)


def _case(
    id: str, name: str, measure: Measure, number: float | None = None, unit: str = ""
) -> Rule:
    """A rule that classifies the site. number: above it, the site is of this kind."""
    return Rule(id, name, measure, SCOPE, number, unit)


def _least_m(
    id: str, name: str, measure: Measure, number_m: float | None = None, kinds: tuple[str, ...] = ()
) -> Rule:
    """A rule for a least length. number_m None: the measure gives each Item a limit."""
    return Rule(id, name, measure, sense=AT_LEAST, number=number_m, unit="m", kinds=kinds)


def _most(id: str, name: str, measure: Measure, number: float | None, unit: str) -> Rule:
    return Rule(id, name, measure, AT_MOST, number, unit)


def _apart(id: str, name: str, number_m: float, kinds: tuple[str, ...]) -> Rule:
    """A rule for the distance of every unit to exposures of these kinds."""
    return _least_m(id, name, places.exposure_distance, number_m, kinds)


_TABLE: tuple[tuple[Scope, Clauses, *tuple[Rule, ...]], ...] = (
    # -- kind of site
    (
        EVERYWHERE,
        _by_edition("C tbl 1206.2", "G tbl 1.3 (?)", "G 855 tbl 1.3 (?), IFC tbl 1207.1.1 (?)"),
        _case("B1", "stored energy over threshold", units.over_threshold, unit="kWh"),
    ),
    (
        EVERYWHERE,
        _kept("tbl 1206.2 notes"),
        _case("B3", "energy from rated V x Ah", units.volt_hours),
    ),
    (
        OUTDOORS,
        _nfpa("C2 855, clause not stated"),
        _case("B10", "an exposure within 30.5 m", units.near_exposure, NEAR_m, "m"),
    ),
    (
        OUTDOOR_UNITS,
        _kept("1206.2.8.7"),
        _case("B22", "walk-in unit counts as a room", each_model("walk_in")),
    ),
    (
        MOBILE,
        _by_edition("", "G IFC 2021 1207.10 (?)", "G IFC 1207.10 (?)"),
        _case("B29", "deployed over 30 d: stationary", units.long_deployed, MOBILE_d, "d"),
    ),
    (
        MOBILE,
        _nfpa("C2 855, clause not stated"),
        _case("B30", "charging place: stationary", of_site("charging_location")),
    ),
    (
        EVERYWHERE._replace(local=NY_TIERS),
        _local("C ecode360 42498144"),
        _case("B37", "NY example: Tier 2", units.tier_2, 600, "kWh"),
    ),
    (
        OUTDOORS._replace(local=NYC_FDNY),
        _local("C2 3 RCNY 608-01"),
        _case("B38a", "FDNY: at least the medium class", units.fdny_class(operator.ge), 70, "kWh"),
        _case("B38b", "FDNY: the large class", units.fdny_class(operator.gt), 500, "kWh"),
    ),
    # -- groups, spacing, tests
    (
        SIZED,
        GROUPS,
        _most("B4", "energy of a group", units.group_energy, GROUP_kWh, "kWh"),
        _least_m("B5a", "group to group", units.group_spacing, SPACING_m),
    ),
    (SIZED_ROOMS, GROUPS, _least_m("B5b", "group to wall", units.wall_spacing, SPACING_m)),
    (
        SIZED,
        _by_edition("C 1206.2.8.3 exc. 2", "", ""),
        _most(
            "B6", "energy of a prepackaged unit", units.prepackaged_energy, PREPACKAGED_kWh, "kWh"
        ),
    ),
    (
        SIZED,
        TESTED,
        _stated("B7a", "UL 9540A report for larger/closer", units.relying("ul_9540a_report")),
        _stated("B7b", "edition in that report", units.tested("edition")),
        _least_m("B7c", "units at the tested distance", units.tested_spacing),
    ),
    (
        SIZED_ROOMS,
        TESTED,
        _least_m("B7d", "walls at the tested distance", units.tested_wall_spacing),
    ),
    (
        SIZED,
        _by_edition("", "", "", "C2 855-2026 Annex G.11"),
        _stated("B8", "large-scale fire test, gas lit", units.relying("large_scale_fire_test")),
    ),
    (
        SIZED,
        _local("C2 maker's FAQ, no clause"),
        _stated("B9", "over 50 kWh side by side: report", units.side_by_side),
    ),
    (
        SIZED,
        _local("C UL 9540A:2019 ed. 4, 9.x"),
        _most("A96a", "UL 9540A: wall rise", units.tested("wall_rise_K"), 97, "K"),
        _most(
            "A96b",
            "UL 9540A: flux at egress",
            units.tested("egress_heat_flux_W_per_m2"),
            1300,
            "W/m2",
        ),
        _stated("A96c", "UL 9540A: no flaming outside", units.tested("no_flaming_outside")),
        _stated("A96d", "UL 9540A: no explosion", units.tested("no_explosion")),
        _stated("A96e", "UL 9540A: neighbours below vent", units.tested("neighbours_below_vent")),
    ),
    # -- energy of a fire area
    (
        SIZED,
        _by_edition("C tbl 1206.2.9", "C2 tbl 4.8", "G 855 tbl 9.4.1 (?), IFC 1207.5.2 (?)"),
        _most("B11", "energy of a fire area", energy.area_energy, None, "kWh"),
    ),
    (
        SIZED,
        _by_edition("C 1206.2.9 exc.", "G 4.8 (?)", "G 855 9.4.1 (?), IFC 1207.5.2 (?)"),
        _stated("B12", "over maximum: Group H or HMA+test", energy.over_maximum),
    ),
    (
        REGULATED,
        _kept("1201.3"),
        _most("B13", "mixed: smallest of their maxima", energy.mixed_energy, None, "kWh"),
    ),
    (
        REGULATED,
        _by_edition("C 1206.2.3", "G 4.1.4 (?)", "G 855 4.4 (?), IFC 1207.1.4 (?)"),
        _stated("A66", "hazard mitigation analysis", energy.analysis),
    ),
    # -- height, depth, walls
    (
        FLOORS,
        _kept("1206.2.8.1 (?)"),
        _most("B14", "floor above vehicle access", places.floor_height, ROOF_m, "m"),
    ),
    (
        FLOORS_UNDER_ROOF,
        _kept("1206.2.8.1 (?)"),
        _most("B15", "floor below exit discharge", places.of_floors(FLOOR_KEYS[1]), 9.144, "m"),
    ),
    (
        ROOFS,
        _kept("1206.2.8.1 exc. (?)"),
        _stated("B16a", "high roof: non-combustible", places.of_high_roofs("roof_noncombustible")),
        _stated(
            "B16b",
            "high roof: fire operations clear",
            places.of_high_roofs("fire_operations_clear"),
        ),
        _stated("B16c", "high roof: approved", places.of_high_roofs("approved_by")),
    ),
    (
        ROOMS,
        _nfpa("G 855, IFC 2021: clause not stated"),
        Rule("B25", "walls of the room", each_area("fire_rating_h"), AT_LEAST, SEPARATION_h, "h"),
    ),
    # -- outdoors
    (
        EXPOSED_UNITS,
        _by_edition("C 1206.2.8.7.1 (?)", "", ""),
        _apart("B17", "to exposures", FIVE_FEET_m, EXPOSED),
    ),
    (EXPOSED_UNITS, EXPOSURES, _apart("B18", "to exposures", TEN_FEET_m, EXPOSED)),
    (
        EXPOSED_UNITS,
        {IFC_2018: ("1206.2.8.7.1 (?), test", "C"), **EXPOSURES},
        _least_m("B19", "to exposures, reduced", places.reduced_distance, kinds=EXPOSED),
    ),
    (
        OUTDOOR_UNITS,
        _kept("1206.2.8.7.2 (?)"),
        _apart("B20", "to a means of egress", TEN_FEET_m, ("egress",)),
    ),
    (
        OUTDOOR_UNITS,
        _kept("1206.2.8.7 exc."),
        _least_m("B21", "racks to combustible container", places.container_wall, SPACING_m),
    ),
    (
        OUTDOOR_UNITS,
        WALK_IN,
        _most(
            "B23a",
            "walk-in: length",
            places.walk_in_size(lambda model: max(model["size_m"])),
            16.154,
            "m",
        ),
        _most(
            "B23b",
            "walk-in: width",
            places.walk_in_size(lambda model: min(model["size_m"])),
            2.438,
            "m",
        ),
        _most(
            "B23c",
            "walk-in: height",
            places.walk_in_size(lambda model: model["height_m"]),
            2.896,
            "m",
        ),
        _stated(
            "B23d",
            "walk-in: maintenance only",
            each_model("entry_for_maintenance_only", places.walk_in_units, places.NO_WALK_IN),
        ),
    ),
    (
        OUTDOOR_UNITS,
        _by_edition("", "G 4.4.3.6 (?)", "G IFC 1207.5.7 (?)"),
        _apart("B24", "to vegetation", TEN_FEET_m, ("vegetation",)),
    ),
    # -- rooftop and open garage
    (
        ROOFS,
        ROOF,
        _least_m("B26a", "to the edge of the roof", places.roof_edge),
        _least_m("B26b", "class A covering around", each_area("class_a_beyond_m"), FIVE_FEET_m),
        _apart("B26c", "rooftop: to exposures", TEN_FEET_m, EXPOSED),
    ),
    (
        GARAGES,
        ROOF,
        _apart("B27a", "open garage: to exposures", TEN_FEET_m, EXPOSED),
        _apart("B27b", "open garage: to air intakes", 15.24, ("air_intake",)),
    ),
    # -- mobile; the source prints 15.3 m for its 50 ft
    (
        MOBILE,
        DEPLOYED,
        _least_m("B28a", "inside the fence", places.fence_distance, FIVE_FEET_m),
        _stated("B28b", "gate of the fence locked", of_table("fence", "gate_locked")),
        _apart("B28c", "mobile: to exposures", TEN_FEET_m, EXPOSED),
        _least_m(
            "B28d", "to buildings for 30 and more", places.crowd_distance, 15.3, ("building",)
        ),
    ),
    # -- dwellings
    (
        DWELLING,
        _nfpa("G 855 ch. 15 (?)"),
        _stated("B2", "from 1 kWh: residential listing", energy.residential_listing),
    ),
    (
        DWELLING,
        _nfpa("C2 855 15.7"),
        _most("B31", "energy of a unit", energy.unit_energy, 20, "kWh"),
    ),
    (
        DWELLING,
        _nfpa("C2 855 15.7.1"),
        _most("B32a", "energy of a place", energy.place_energy(is_named=True), None, "kWh"),
    ),
    (
        DWELLING,
        _nfpa("D smallest of 855 15.7.1"),
        _most("B32b", "energy of another place", energy.place_energy(is_named=False), 40, "kWh"),
    ),
    (
        DWELLING,
        _nfpa("C2 855 15.5"),
        _least_m("B33", "unit to unit", energy.dwelling_spacing, SPACING_m),
    ),
    (
        DWELLING,
        _nfpa("C2 855 15.6.1"),
        _least_m(
            "B34",
            "outdoors: to doors and windows",
            places.outdoor_distance,
            SPACING_m,
            ("opening",),
        ),
    ),
    # -- local profiles
    (
        EVERYWHERE._replace(local=LA_R3),
        _local("C LAFD memo, May 2023"),
        _apart("B35a", "LA R-3: to openings", SPACING_m, ("opening",)),
        _apart("B35b", "LA R-3: to the main panel", SPACING_m, ("main_panel",)),
        _apart("B35c", "LA R-3: to the disconnect", SPACING_m, ("disconnect",)),
        _least_m(
            "B35d",
            "LA R-3: clear on each side",
            of_table("la_r3", "clear_each_side_m"),
            FIVE_FEET_m,
        ),
        _least_m("B35e", "LA R-3: access path", of_table("la_r3", "path_width_m"), SPACING_m),
    ),
    (
        OUTDOORS._replace(local=SAN_DIEGO),
        _local("C2 SDCFPD guideline, Dec 2024"),
        _least_m("B36a", "San Diego: container to container", units.container_spacing, TEN_FEET_m),
        _apart("B36b", "San Diego: to the lot line", NEAR_m, ("lot_line",)),
        _stated("B36c", "San Diego: plume model", of_site("plume_model")),
    ),
    # -- papers
    (
        REGULATED,
        _kept("1206.2.10.2 (?)"),
        _stated("A9a", "UL 9540 listing", each_model("ul_9540_listing")),
    ),
    (
        REGULATED,
        _kept("1206.2.10.1 (?)"),
        _stated("A9b", "UL 1973 listing", each_model("ul_1973_listing")),
    ),
    (
        REGULATED,
        _kept("1206.2.8.6"),
        _stated("A49", "signs: energized, technology", places.lists("signs_say", SIGN_WORDS[:2])),
    ),
    (
        REGULATED,
        SIGNS,
        _stated("A50", "signs: hazards, agent, contact", places.lists("signs_say", SIGN_WORDS[2:])),
    ),
    (
        REGULATED,
        _kept("1206.2.2 (?)"),
        _stated("A77", "permit file is complete", places.lists("permit_file", PERMIT_PARTS)),
    ),
)
RULES = tuple(
    [
        rule._replace(scope=scope, clauses=clauses)
        for scope, clauses, *rules in _TABLE
        for rule in rules
    ]
)
