"""The rules as data: the rows of the fact table's Table B, and the rows of Table A that a plan can
answer. Some rows are several rules.

A rule has a measure, a scope, a number, and its clause and confidence in each edition. Feet of the
source are metres, rounded to the millimetre. Row B39 (figures from the web without support in any
code text) has no rule on purpose.
"""

import operator

from controller.siting import (
    fields as f,
    measure_energy as energy,
    measure_places as places,
    measure_units as units,
    scopes,
)
from controller.siting.items import (
    AT_LEAST,
    AT_MOST,
    SCOPE,
    STATED,
    Rule,
    each_area,
    each_model,
    of_site,
    of_table,
)
from controller.siting.scopes import Scope

# {confidence of a number in an edition: the words of the report}
CONFIDENCE = {
    "C": "read in a primary text",
    "C2": "read second-hand",
    "G": "unconfirmed",
    "D": "derived here",
}
NEWER = (f.NFPA_2020, f.NFPA_2023, f.NFPA_2026)
ALL = (f.IFC_2018, *NEWER)
Clause = tuple[str, str]  # clause, confidence
Clauses = dict[str, Clause]  # by edition


def _by_edition(
    ifc_2018: Clause | None,
    nfpa_2020: Clause | None,
    nfpa_2023: Clause | None,
    nfpa_2026: Clause | None = None,
) -> Clauses:
    """Clauses of the editions; None: the edition has no such rule. A missing clause of 2026 is
    assumed to be as in 2023.
    """
    if nfpa_2026 is None and nfpa_2023 is not None:
        nfpa_2026 = (f"as 2023: {nfpa_2023[0]}", "G")
    given = (ifc_2018, nfpa_2020, nfpa_2023, nfpa_2026)
    return {edition: clause for edition, clause in zip(ALL, given, strict=True) if clause}


def _kept(clause: str, confidence: str = "C") -> Clauses:
    """A clause of IFC 2018. The newer editions are assumed to have the same number."""
    newer = f"as IFC 2018 {clause.removesuffix(' (?)')} (?)"
    return {f.IFC_2018: (clause, confidence), **{edition: (newer, "G") for edition in NEWER}}


def _local(clause: str, confidence: str) -> Clauses:
    return {edition: (clause, confidence) for edition in ALL}


def _nfpa(clause: str, confidence: str) -> Clauses:
    """The same clause in every edition but IFC 2018."""
    return {edition: (clause, confidence) for edition in NEWER}


GROUPS = _by_edition(("1206.2.8.3", "C"), ("4.6.2", "C"), ("855 9.4.2 (?), IFC 1207.5.1 (?)", "G"))
TESTED = _by_edition(("1206.2.8.3 exc. 3", "C"), ("4.6.3 (?)", "G"), ("855 9.1.5 (?)", "G"))
ANALYSIS = _by_edition(
    ("1206.2.3", "C"), ("4.1.4 (?)", "G"), ("855 4.4 (?), IFC 1207.1.4 (?)", "G")
)
EXPOSURES = _by_edition(None, ("4.4.3.3 (?)", "G"), ("855 9.5.2.6 (?), IFC 1207.8.3 (?)", "G"))
WALK_IN = _by_edition(None, ("4.4.3.5 (?)", "G"), ("IFC 1207.5.6 (?)", "G"))
ROOF = _by_edition(None, ("IFC 2021 1207.9 (?)", "G"), ("IFC 1207.9 (?)", "G"))
DEPLOYED = _by_edition(None, ("4.5 (?)", "G"), ("855 9.5.3.2 (?)", "C2"))
SIGNS = _by_edition(None, ("4.3.5 (?)", "G"), ("855 4.7.4 (?)", "G"))
PASSED = _local("UL 9540A:2019 ed. 4, 9.x", "C")
LAFD = _local("LAFD memo, May 2023", "C")
SDCFPD = _local("SDCFPD guideline, Dec 2024", "C2")


def _hold(scope: Scope, clauses: Clauses, *rules: Rule, local: str = "") -> list[Rule]:
    """Rules of one scope and one clause. local: their local profile."""
    return [rule._replace(scope=scope, clauses=clauses, local=local) for rule in rules]


def _apart(id: str, what: str, number_m: float, kinds: tuple[str, ...]) -> Rule:
    """The distance of every unit to exposures of these kinds."""
    return Rule(id, what, places.exposure_distance, AT_LEAST, number_m, "m", kinds)


RULES = (
    # -- kind of site
    *_hold(
        scopes.EVERYWHERE,
        _by_edition(
            ("tbl 1206.2", "C"),
            ("tbl 1.3 (?)", "G"),
            ("855 tbl 1.3 (?), IFC tbl 1207.1.1 (?)", "G"),
        ),
        Rule("B1", "stored energy over threshold", units.over_threshold, SCOPE, unit="kWh"),
    ),
    *_hold(
        scopes.EVERYWHERE,
        _kept("tbl 1206.2 notes"),
        Rule("B3", "energy from rated V x Ah", units.volt_hours, SCOPE),
    ),
    *_hold(
        scopes.OUTDOORS,
        _nfpa("855, clause not stated", "C2"),
        Rule("B10", "an exposure within 30.5 m", units.near_exposure, SCOPE, f.NEAR_m, "m"),
    ),
    *_hold(
        scopes.OUTDOOR_UNITS,
        _kept("1206.2.8.7"),
        Rule("B22", "walk-in unit counts as a room", each_model("walk_in"), SCOPE),
    ),
    *_hold(
        scopes.MOBILE,
        _by_edition(None, ("IFC 2021 1207.10 (?)", "G"), ("IFC 1207.10 (?)", "G")),
        Rule("B29", "deployed over 30 d: stationary", units.long_deployed, SCOPE, f.MOBILE_d, "d"),
    ),
    *_hold(
        scopes.MOBILE,
        _nfpa("855, clause not stated", "C2"),
        Rule("B30", "charging place: stationary", of_site("charging_location"), SCOPE),
    ),
    *_hold(
        scopes.EVERYWHERE,
        _local("ecode360 42498144", "C"),
        Rule("B37", "NY example: Tier 2", units.tier_2, SCOPE, 600, "kWh"),
        local=f.NY_TIERS,
    ),
    *_hold(
        scopes.OUTDOORS,
        _local("3 RCNY 608-01", "C2"),
        Rule(
            "B38a",
            "FDNY: at least the medium class",
            units.fdny_class(operator.ge),
            SCOPE,
            70,
            "kWh",
        ),
        Rule("B38b", "FDNY: the large class", units.fdny_class(operator.gt), SCOPE, 500, "kWh"),
        local=f.NYC_FDNY,
    ),
    # -- groups, spacing, tests
    *_hold(
        scopes.SIZED,
        GROUPS,
        Rule("B4", "energy of a group", units.group_energy, AT_MOST, f.GROUP_kWh, "kWh"),
        Rule("B5a", "group to group", units.group_spacing, AT_LEAST, f.SPACING_m, "m"),
    ),
    *_hold(
        scopes.SIZED_ROOMS,
        GROUPS,
        Rule("B5b", "group to wall", units.wall_spacing, AT_LEAST, f.SPACING_m, "m"),
    ),
    *_hold(
        scopes.SIZED,
        _by_edition(("1206.2.8.3 exc. 2", "C"), None, None),
        Rule(
            "B6",
            "energy of a prepackaged unit",
            units.prepackaged_energy,
            AT_MOST,
            f.PREPACKAGED_kWh,
            "kWh",
        ),
    ),
    *_hold(
        scopes.SIZED,
        TESTED,
        Rule("B7a", "UL 9540A report for larger/closer", units.relying("ul_9540a_report"), STATED),
        Rule("B7b", "edition in that report", units.tested("ul_9540a_edition"), STATED),
        Rule("B7c", "units at the tested distance", units.tested_spacing, AT_LEAST, unit="m"),
    ),
    *_hold(
        scopes.SIZED_ROOMS,
        TESTED,
        Rule("B7d", "walls at the tested distance", units.tested_wall_spacing, AT_LEAST, unit="m"),
    ),
    *_hold(
        scopes.SIZED,
        _by_edition(None, None, None, ("855-2026 Annex G.11", "C2")),
        Rule(
            "B8", "large-scale fire test, gas lit", units.relying("large_scale_fire_test"), STATED
        ),
    ),
    *_hold(
        scopes.SIZED,
        _local("maker's FAQ, no clause", "C2"),
        Rule("B9", "over 50 kWh side by side: report", units.side_by_side, STATED),
    ),
    *_hold(
        scopes.SIZED,
        PASSED,
        Rule("A96a", "UL 9540A: wall rise", units.tested("ul_9540a_wall_rise_K"), AT_MOST, 97, "K"),
        Rule(
            "A96b",
            "UL 9540A: flux at egress",
            units.tested("ul_9540a_egress_heat_flux_W_per_m2"),
            AT_MOST,
            1300,
            "W/m2",
        ),
        Rule(
            "A96c",
            "UL 9540A: no flaming outside",
            units.tested("ul_9540a_no_flaming_outside"),
            STATED,
        ),
        Rule("A96d", "UL 9540A: no explosion", units.tested("ul_9540a_no_explosion"), STATED),
        Rule(
            "A96e",
            "UL 9540A: neighbours below vent",
            units.tested("ul_9540a_neighbours_below_vent"),
            STATED,
        ),
    ),
    # -- energy of a fire area
    *_hold(
        scopes.SIZED,
        _by_edition(
            ("tbl 1206.2.9", "C"), ("tbl 4.8", "C2"), ("855 tbl 9.4.1 (?), IFC 1207.5.2 (?)", "G")
        ),
        Rule("B11", "energy of a fire area", energy.area_energy, AT_MOST, unit="kWh"),
    ),
    *_hold(
        scopes.SIZED,
        _by_edition(
            ("1206.2.9 exc.", "C"), ("4.8 (?)", "G"), ("855 9.4.1 (?), IFC 1207.5.2 (?)", "G")
        ),
        Rule("B12", "over maximum: Group H or HMA+test", energy.over_maximum, STATED),
    ),
    *_hold(
        scopes.REGULATED,
        _kept("1201.3"),
        Rule("B13", "mixed: smallest of their maxima", energy.mixed_energy, AT_MOST, unit="kWh"),
    ),
    *_hold(
        scopes.REGULATED,
        ANALYSIS,
        Rule("A66", "hazard mitigation analysis", energy.analysis, STATED),
    ),
    # -- height, depth, walls
    *_hold(
        scopes.FLOORS,
        _kept("1206.2.8.1 (?)"),
        Rule("B14", "floor above vehicle access", places.floor_height, AT_MOST, f.ROOF_m, "m"),
    ),
    *_hold(
        scopes.FLOORS_UNDER_ROOF,
        _kept("1206.2.8.1 (?)"),
        Rule(
            "B15",
            "floor below exit discharge",
            places.of_floors("floor_below_exit_discharge_m"),
            AT_MOST,
            9.144,
            "m",
        ),
    ),
    *_hold(
        scopes.ROOFS,
        _kept("1206.2.8.1 exc. (?)"),
        Rule(
            "B16a",
            "high roof: non-combustible",
            places.of_high_roofs("roof_noncombustible"),
            STATED,
        ),
        Rule(
            "B16b",
            "high roof: fire operations clear",
            places.of_high_roofs("fire_operations_clear"),
            STATED,
        ),
        Rule("B16c", "high roof: approved", places.of_high_roofs("approved_by"), STATED),
    ),
    *_hold(
        scopes.ROOMS,
        _nfpa("855, IFC 2021: clause not stated", "G"),
        Rule("B25", "walls of the room", each_area("fire_rating_h"), AT_LEAST, f.SEPARATION_h, "h"),
    ),
    # -- outdoors
    *_hold(
        scopes.EXPOSED_UNITS,
        _by_edition(("1206.2.8.7.1 (?)", "C"), None, None),
        _apart("B17", "to exposures", f.FIVE_FEET_m, f.EXPOSED),
    ),
    *_hold(scopes.EXPOSED_UNITS, EXPOSURES, _apart("B18", "to exposures", f.TEN_FEET_m, f.EXPOSED)),
    *_hold(
        scopes.EXPOSED_UNITS,
        _by_edition(
            ("1206.2.8.7.1 (?), test", "C"),
            ("4.4.3.3 (?)", "G"),
            ("855 9.5.2.6 (?), IFC 1207.8.3 (?)", "G"),
        ),
        Rule(
            "B19",
            "to exposures, reduced",
            places.reduced_distance,
            AT_LEAST,
            unit="m",
            kinds=f.EXPOSED,
        ),
    ),
    *_hold(
        scopes.OUTDOOR_UNITS,
        _kept("1206.2.8.7.2 (?)"),
        _apart("B20", "to a means of egress", f.TEN_FEET_m, ("egress",)),
    ),
    *_hold(
        scopes.OUTDOOR_UNITS,
        _kept("1206.2.8.7 exc."),
        Rule(
            "B21",
            "racks to combustible container",
            places.container_wall,
            AT_LEAST,
            f.SPACING_m,
            "m",
        ),
    ),
    *_hold(
        scopes.OUTDOOR_UNITS,
        WALK_IN,
        Rule("B23a", "walk-in: length", places.walk_in_size(0), AT_MOST, 16.154, "m"),
        Rule("B23b", "walk-in: width", places.walk_in_size(1), AT_MOST, 2.438, "m"),
        Rule("B23c", "walk-in: height", places.walk_in_size(2), AT_MOST, 2.896, "m"),
        Rule(
            "B23d",
            "walk-in: maintenance only",
            each_model("entry_for_maintenance_only", places.walk_in_units, "no walk-in unit"),
            STATED,
        ),
    ),
    *_hold(
        scopes.OUTDOOR_UNITS,
        _by_edition(None, ("4.4.3.6 (?)", "G"), ("IFC 1207.5.7 (?)", "G")),
        _apart("B24", "to vegetation", f.TEN_FEET_m, ("vegetation",)),
    ),
    # -- rooftop and open garage
    *_hold(
        scopes.ROOFS,
        ROOF,
        Rule("B26a", "to the edge of the roof", places.roof_edge, AT_LEAST, unit="m"),
        Rule(
            "B26b",
            "class A covering around",
            each_area("class_a_beyond_m"),
            AT_LEAST,
            f.FIVE_FEET_m,
            "m",
        ),
        _apart("B26c", "rooftop: to exposures", f.TEN_FEET_m, f.EXPOSED),
    ),
    *_hold(
        scopes.GARAGES,
        ROOF,
        _apart("B27a", "open garage: to exposures", f.TEN_FEET_m, f.EXPOSED),
        _apart("B27b", "open garage: to air intakes", 15.24, ("air_intake",)),
    ),
    # -- mobile; the source prints 15.3 m for its 50 ft
    *_hold(
        scopes.MOBILE,
        DEPLOYED,
        Rule("B28a", "inside the fence", places.fence_distance, AT_LEAST, f.FIVE_FEET_m, "m"),
        Rule("B28b", "gate of the fence locked", of_table("fence", "gate_locked"), STATED),
        _apart("B28c", "mobile: to exposures", f.TEN_FEET_m, f.EXPOSED),
        Rule(
            "B28d",
            "to buildings for 30 and more",
            places.crowd_distance,
            AT_LEAST,
            15.3,
            "m",
            kinds=("building",),
        ),
    ),
    # -- dwellings
    *_hold(
        scopes.DWELLING,
        _nfpa("855 ch. 15 (?)", "G"),
        Rule(
            "B2",
            "from 1 kWh: residential listing",
            each_model("residential_listing", energy.units_from_1_kWh, "all below 1 kWh"),
            STATED,
        ),
    ),
    *_hold(
        scopes.DWELLING,
        _nfpa("855 15.7", "C2"),
        Rule("B31", "energy of a unit", energy.unit_energy, AT_MOST, 20, "kWh"),
    ),
    *_hold(
        scopes.DWELLING,
        _nfpa("855 15.7.1", "C2"),
        Rule("B32a", "energy of a place", energy.place_energy(is_named=True), AT_MOST, unit="kWh"),
    ),
    *_hold(
        scopes.DWELLING,
        _nfpa("smallest of 855 15.7.1", "D"),
        Rule(
            "B32b",
            "energy of another place",
            energy.place_energy(is_named=False),
            AT_MOST,
            40,
            "kWh",
        ),
    ),
    *_hold(
        scopes.DWELLING,
        _nfpa("855 15.5", "C2"),
        Rule("B33", "unit to unit", energy.dwelling_spacing, AT_LEAST, f.SPACING_m, "m"),
    ),
    *_hold(
        scopes.DWELLING,
        _nfpa("855 15.6.1", "C2"),
        Rule(
            "B34",
            "outdoors: to doors and windows",
            places.outdoor_exposure_distance,
            AT_LEAST,
            f.SPACING_m,
            "m",
            kinds=("opening",),
        ),
    ),
    # -- local profiles
    *_hold(
        scopes.EVERYWHERE,
        LAFD,
        _apart("B35a", "LA R-3: to openings", f.SPACING_m, ("opening",)),
        _apart("B35b", "LA R-3: to the main panel", f.SPACING_m, ("main_panel",)),
        _apart("B35c", "LA R-3: to the disconnect", f.SPACING_m, ("disconnect",)),
        Rule(
            "B35d",
            "LA R-3: clear on each side",
            of_table("la_r3", "clear_each_side_m"),
            AT_LEAST,
            f.FIVE_FEET_m,
            "m",
        ),
        Rule(
            "B35e",
            "LA R-3: access path",
            of_table("la_r3", "path_width_m"),
            AT_LEAST,
            f.SPACING_m,
            "m",
        ),
        local=f.LA_R3,
    ),
    *_hold(
        scopes.OUTDOORS,
        SDCFPD,
        Rule(
            "B36a",
            "San Diego: container to container",
            units.container_spacing,
            AT_LEAST,
            f.TEN_FEET_m,
            "m",
        ),
        _apart("B36b", "San Diego: to the lot line", f.NEAR_m, ("lot_line",)),
        Rule("B36c", "San Diego: plume model", of_site("plume_model"), STATED),
        local=f.SAN_DIEGO,
    ),
    # -- papers
    *_hold(
        scopes.REGULATED,
        _kept("1206.2.10.2 (?)"),
        Rule("A9a", "UL 9540 listing", each_model("ul_9540_listing"), STATED),
    ),
    *_hold(
        scopes.REGULATED,
        _kept("1206.2.10.1 (?)"),
        Rule("A9b", "UL 1973 listing", each_model("ul_1973_listing"), STATED),
    ),
    *_hold(
        scopes.REGULATED,
        _kept("1206.2.8.6"),
        Rule(
            "A49",
            "signs: energized, technology",
            places.lists("signs_say", f.SIGN_WORDS[:2]),
            STATED,
        ),
    ),
    *_hold(
        scopes.REGULATED,
        SIGNS,
        Rule(
            "A50",
            "signs: hazards, agent, contact",
            places.lists("signs_say", f.SIGN_WORDS[2:]),
            STATED,
        ),
    ),
    *_hold(
        scopes.REGULATED,
        _kept("1206.2.2 (?)"),
        Rule("A77", "permit file is complete", places.lists("permit_file", f.PERMIT_PARTS), STATED),
    ),
)
