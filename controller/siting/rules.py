"""The rules as data: the rows of the fact table's Table B and those of Table A a plan can answer,
some as several.

A rule has a measure, a scope, a number, and its clause in every edition that has it with how sure
that is. Feet of the source are metres rounded to the millimetre. Row B39 (figures seen on the web
without support in any code text) has no rule on purpose.
"""

import operator
from collections.abc import Callable
from typing import NamedTuple

from controller.siting import (
    measure_energy as energy,
    measure_places as places,
    measure_units as units,
    scopes,
)
from controller.siting.fields import (
    EXPOSED,
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
from controller.siting.items import each_area, each_model, of_site, of_table

# How sure a number is for an edition, and the word the report prints.
CONFIDENCE = {
    "C": "read in a primary text",
    "C2": "read second-hand",
    "G": "unconfirmed",
    "D": "derived here",
}
AT_LEAST, AT_MOST, SAID, SCOPE = ">=", "<=", "said", "scope"
NEWER = (NFPA_2020, NFPA_2023, NFPA_2026)
ALL = (IFC_2018, *NEWER)


class Rule(NamedTuple):
    """sense: AT_LEAST or AT_MOST a number, SAID (a fact that is there, or true), SCOPE (classifies,
    cannot fail).

    clauses: {edition: (clause, confidence)}; a clause with (?) is unconfirmed. local: profile it
    belongs to, or empty. number None: the measure brings a required value with each item. kinds: of
    exposures it looks at.
    """

    id: str
    what: str
    measure: Callable
    scope: scopes.Scope
    clauses: dict
    sense: str
    number: float | None = None
    unit: str = ""
    kinds: tuple = ()
    local: str = ""


def _by_edition(ifc_2018, nfpa_2020, nfpa_2023, nfpa_2026=None):
    """Clauses of the editions, None where one has no such rule; the newest is taken to have kept
    the one before.
    """
    if nfpa_2026 is None and nfpa_2023 is not None:
        nfpa_2026 = (f"as 2023: {nfpa_2023[0]}", "G")
    given = (ifc_2018, nfpa_2020, nfpa_2023, nfpa_2026)
    return {edition: clause for edition, clause in zip(ALL, given, strict=True) if clause}


def _kept(clause, confidence="C"):
    """A clause of IFC 2018 whose number the newer editions are taken to have kept."""
    newer = f"as IFC 2018 {clause.removesuffix(' (?)')} (?)"
    return {IFC_2018: (clause, confidence), **{edition: (newer, "G") for edition in NEWER}}


def _local(clause, confidence):
    return {edition: (clause, confidence) for edition in ALL}


def _nfpa(clause, confidence):
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

RULES = (
    # -- what the site is
    Rule(
        "B1",
        "stored energy over threshold",
        units.over_threshold,
        scopes.EVERYWHERE,
        _by_edition(
            ("tbl 1206.2", "C"),
            ("tbl 1.3 (?)", "G"),
            ("855 tbl 1.3 (?), IFC tbl 1207.1.1 (?)", "G"),
        ),
        SCOPE,
        unit="kWh",
    ),
    Rule(
        "B3",
        "energy from rated V x Ah",
        units.volt_hours,
        scopes.EVERYWHERE,
        _kept("tbl 1206.2 notes"),
        SCOPE,
    ),
    Rule(
        "B10",
        "an exposure within 30.5 m",
        units.near_exposure,
        scopes.OUTDOORS,
        _nfpa("855, clause not stated", "C2"),
        SCOPE,
        NEAR_m,
        "m",
    ),
    Rule(
        "B22",
        "walk-in unit counts as a room",
        each_model("walk_in"),
        scopes.OUTDOOR_UNITS,
        _kept("1206.2.8.7"),
        SCOPE,
    ),
    Rule(
        "B29",
        "deployed over 30 d: stationary",
        units.long_deployed,
        scopes.MOBILE,
        _by_edition(None, ("IFC 2021 1207.10 (?)", "G"), ("IFC 1207.10 (?)", "G")),
        SCOPE,
        MOBILE_d,
        "d",
    ),
    Rule(
        "B30",
        "charging place: stationary",
        of_site("charging_location"),
        scopes.MOBILE,
        _nfpa("855, clause not stated", "C2"),
        SCOPE,
    ),
    Rule(
        "B37",
        "NY example: Tier 2",
        units.tier_2,
        scopes.EVERYWHERE,
        _local("ecode360 42498144", "C"),
        SCOPE,
        600,
        "kWh",
        local=NY_TIERS,
    ),
    Rule(
        "B38a",
        "FDNY: at least the medium class",
        units.fdny_class(operator.ge),
        scopes.OUTDOORS,
        _local("3 RCNY 608-01", "C2"),
        SCOPE,
        70,
        "kWh",
        local=NYC_FDNY,
    ),
    Rule(
        "B38b",
        "FDNY: the large class",
        units.fdny_class(operator.gt),
        scopes.OUTDOORS,
        _local("3 RCNY 608-01", "C2"),
        SCOPE,
        500,
        "kWh",
        local=NYC_FDNY,
    ),
    # -- groups, spacing, tests
    Rule(
        "B4",
        "energy of a group",
        units.group_energy,
        scopes.SIZED,
        GROUPS,
        AT_MOST,
        GROUP_kWh,
        "kWh",
    ),
    Rule(
        "B5a", "group to group", units.group_spacing, scopes.SIZED, GROUPS, AT_LEAST, SPACING_m, "m"
    ),
    Rule(
        "B5b",
        "group to wall",
        units.wall_spacing,
        scopes.SIZED_ROOMS,
        GROUPS,
        AT_LEAST,
        SPACING_m,
        "m",
    ),
    Rule(
        "B6",
        "listed prepackaged unit",
        units.prepackaged_energy,
        scopes.SIZED,
        _by_edition(("1206.2.8.3 exc. 2", "C"), None, None),
        AT_MOST,
        PREPACKAGED_kWh,
        "kWh",
    ),
    Rule(
        "B7a",
        "UL 9540A report for larger/closer",
        units.relying("ul_9540a_report"),
        scopes.SIZED,
        TESTED,
        SAID,
    ),
    Rule(
        "B7b",
        "edition that report names",
        units.tested("ul_9540a_edition"),
        scopes.SIZED,
        TESTED,
        SAID,
    ),
    Rule(
        "B7c",
        "units as far apart as tested",
        units.tested_spacing,
        scopes.SIZED,
        TESTED,
        AT_LEAST,
        unit="m",
    ),
    Rule(
        "B7d",
        "walls as far as tested",
        units.tested_wall_spacing,
        scopes.SIZED_ROOMS,
        TESTED,
        AT_LEAST,
        unit="m",
    ),
    Rule(
        "B8",
        "large-scale fire test, gas lit",
        units.relying("large_scale_fire_test"),
        scopes.SIZED,
        _by_edition(None, None, None, ("855-2026 Annex G.11", "C2")),
        SAID,
    ),
    Rule(
        "B9",
        "over 50 kWh side by side: report",
        units.side_by_side,
        scopes.SIZED,
        _local("maker's FAQ, no clause", "C2"),
        SAID,
    ),
    Rule(
        "A96a",
        "UL 9540A: wall rise",
        units.tested("ul_9540a_wall_rise_K"),
        scopes.SIZED,
        PASSED,
        AT_MOST,
        97,
        "K",
    ),
    Rule(
        "A96b",
        "UL 9540A: flux at egress",
        units.tested("ul_9540a_egress_heat_flux_W_per_m2"),
        scopes.SIZED,
        PASSED,
        AT_MOST,
        1300,
        "W/m2",
    ),
    Rule(
        "A96c",
        "UL 9540A: no flaming outside",
        units.tested("ul_9540a_no_flaming_outside"),
        scopes.SIZED,
        PASSED,
        SAID,
    ),
    Rule(
        "A96d",
        "UL 9540A: no explosion",
        units.tested("ul_9540a_no_explosion"),
        scopes.SIZED,
        PASSED,
        SAID,
    ),
    Rule(
        "A96e",
        "UL 9540A: neighbours below vent",
        units.tested("ul_9540a_neighbours_below_vent"),
        scopes.SIZED,
        PASSED,
        SAID,
    ),
    # -- energy of a fire area
    Rule(
        "B11",
        "energy of a fire area",
        energy.area_energy,
        scopes.SIZED,
        _by_edition(
            ("tbl 1206.2.9", "C"), ("tbl 4.8", "C2"), ("855 tbl 9.4.1 (?), IFC 1207.5.2 (?)", "G")
        ),
        AT_MOST,
        unit="kWh",
    ),
    Rule(
        "B12",
        "over it: Group H, or HMA + test",
        energy.over_maximum,
        scopes.SIZED,
        _by_edition(
            ("1206.2.9 exc.", "C"), ("4.8 (?)", "G"), ("855 9.4.1 (?), IFC 1207.5.2 (?)", "G")
        ),
        SAID,
    ),
    Rule(
        "B13",
        "mixed: smallest of their maxima",
        energy.mixed_energy,
        scopes.REGULATED,
        _kept("1201.3"),
        AT_MOST,
        unit="kWh",
    ),
    Rule("A66", "hazard mitigation analysis", energy.analysis, scopes.REGULATED, ANALYSIS, SAID),
    # -- height, depth, walls
    Rule(
        "B14",
        "floor above vehicle access",
        places.floor_height,
        scopes.FLOORS,
        _kept("1206.2.8.1 (?)"),
        AT_MOST,
        ROOF_m,
        "m",
    ),
    Rule(
        "B15",
        "floor below exit discharge",
        places.of_floors("floor_below_exit_discharge_m"),
        scopes.FLOORS_UNDER_ROOF,
        _kept("1206.2.8.1 (?)"),
        AT_MOST,
        9.144,
        "m",
    ),
    Rule(
        "B16a",
        "high roof: non-combustible",
        places.of_high_roofs("roof_noncombustible"),
        scopes.ROOFS,
        _kept("1206.2.8.1 exc. (?)"),
        SAID,
    ),
    Rule(
        "B16b",
        "high roof: fire operations clear",
        places.of_high_roofs("fire_operations_clear"),
        scopes.ROOFS,
        _kept("1206.2.8.1 exc. (?)"),
        SAID,
    ),
    Rule(
        "B16c",
        "high roof: approved",
        places.of_high_roofs("approved_by"),
        scopes.ROOFS,
        _kept("1206.2.8.1 exc. (?)"),
        SAID,
    ),
    Rule(
        "B25",
        "walls of the room",
        each_area("fire_rating_h"),
        scopes.ROOMS,
        _nfpa("855, IFC 2021: clause not stated", "G"),
        AT_LEAST,
        SEPARATION_h,
        "h",
    ),
    # -- outdoors
    Rule(
        "B17",
        "to exposures",
        places.exposure_distance,
        scopes.EXPOSED_UNITS,
        _by_edition(("1206.2.8.7.1 (?)", "C"), None, None),
        AT_LEAST,
        FIVE_FEET_m,
        "m",
        kinds=EXPOSED,
    ),
    Rule(
        "B18",
        "to exposures",
        places.exposure_distance,
        scopes.EXPOSED_UNITS,
        EXPOSURES,
        AT_LEAST,
        TEN_FEET_m,
        "m",
        kinds=EXPOSED,
    ),
    Rule(
        "B19",
        "to exposures, reduced",
        places.reduced_distance,
        scopes.EXPOSED_UNITS,
        _by_edition(
            ("1206.2.8.7.1 (?), test", "C"),
            ("4.4.3.3 (?)", "G"),
            ("855 9.5.2.6 (?), IFC 1207.8.3 (?)", "G"),
        ),
        AT_LEAST,
        unit="m",
        kinds=EXPOSED,
    ),
    Rule(
        "B20",
        "to a means of egress",
        places.exposure_distance,
        scopes.OUTDOOR_UNITS,
        _kept("1206.2.8.7.2 (?)"),
        AT_LEAST,
        TEN_FEET_m,
        "m",
        kinds=("egress",),
    ),
    Rule(
        "B21",
        "racks to combustible container",
        places.container_wall,
        scopes.OUTDOOR_UNITS,
        _kept("1206.2.8.7 exc."),
        AT_LEAST,
        SPACING_m,
        "m",
    ),
    Rule(
        "B23a",
        "walk-in: length",
        places.walk_in_size(0),
        scopes.OUTDOOR_UNITS,
        WALK_IN,
        AT_MOST,
        16.154,
        "m",
    ),
    Rule(
        "B23b",
        "walk-in: width",
        places.walk_in_size(1),
        scopes.OUTDOOR_UNITS,
        WALK_IN,
        AT_MOST,
        2.438,
        "m",
    ),
    Rule(
        "B23c",
        "walk-in: height",
        places.walk_in_size(2),
        scopes.OUTDOOR_UNITS,
        WALK_IN,
        AT_MOST,
        2.896,
        "m",
    ),
    Rule(
        "B23d",
        "walk-in: maintenance only",
        each_model("entry_for_maintenance_only", places.walk_in_units, "no walk-in unit"),
        scopes.OUTDOOR_UNITS,
        WALK_IN,
        SAID,
    ),
    Rule(
        "B24",
        "to vegetation",
        places.exposure_distance,
        scopes.OUTDOOR_UNITS,
        _by_edition(None, ("4.4.3.6 (?)", "G"), ("IFC 1207.5.7 (?)", "G")),
        AT_LEAST,
        TEN_FEET_m,
        "m",
        kinds=("vegetation",),
    ),
    # -- rooftop and open garage
    Rule(
        "B26a", "to the edge of the roof", places.roof_edge, scopes.ROOFS, ROOF, AT_LEAST, unit="m"
    ),
    Rule(
        "B26b",
        "class A covering around",
        each_area("class_a_beyond_m"),
        scopes.ROOFS,
        ROOF,
        AT_LEAST,
        FIVE_FEET_m,
        "m",
    ),
    Rule(
        "B26c",
        "rooftop: to exposures",
        places.exposure_distance,
        scopes.ROOFS,
        ROOF,
        AT_LEAST,
        TEN_FEET_m,
        "m",
        kinds=EXPOSED,
    ),
    Rule(
        "B27a",
        "open garage: to exposures",
        places.exposure_distance,
        scopes.GARAGES,
        ROOF,
        AT_LEAST,
        TEN_FEET_m,
        "m",
        kinds=EXPOSED,
    ),
    Rule(
        "B27b",
        "open garage: to air intakes",
        places.exposure_distance,
        scopes.GARAGES,
        ROOF,
        AT_LEAST,
        15.24,
        "m",
        kinds=("air_intake",),
    ),
    # -- mobile; the source prints 15.3 m for its 50 ft
    Rule(
        "B28a",
        "inside the fence",
        places.fence_distance,
        scopes.MOBILE,
        DEPLOYED,
        AT_LEAST,
        FIVE_FEET_m,
        "m",
    ),
    Rule(
        "B28b",
        "gate of the fence locked",
        of_table("fence", "gate_locked"),
        scopes.MOBILE,
        DEPLOYED,
        SAID,
    ),
    Rule(
        "B28c",
        "mobile: to exposures",
        places.exposure_distance,
        scopes.MOBILE,
        DEPLOYED,
        AT_LEAST,
        TEN_FEET_m,
        "m",
        kinds=EXPOSED,
    ),
    Rule(
        "B28d",
        "to buildings for 30 and more",
        places.crowd_distance,
        scopes.MOBILE,
        DEPLOYED,
        AT_LEAST,
        15.3,
        "m",
        kinds=("building",),
    ),
    # -- dwellings
    Rule(
        "B2",
        "from 1 kWh: residential listing",
        each_model("residential_listing", energy.units_from_1_kWh, "all below 1 kWh"),
        scopes.DWELLING,
        _nfpa("855 ch. 15 (?)", "G"),
        SAID,
    ),
    Rule(
        "B31",
        "energy of a unit",
        energy.unit_energy,
        scopes.DWELLING,
        _nfpa("855 15.7", "C2"),
        AT_MOST,
        20,
        "kWh",
    ),
    Rule(
        "B32a",
        "energy of a place",
        energy.place_energy(is_named=True),
        scopes.DWELLING,
        _nfpa("855 15.7.1", "C2"),
        AT_MOST,
        unit="kWh",
    ),
    Rule(
        "B32b",
        "energy of a place not named there",
        energy.place_energy(is_named=False),
        scopes.DWELLING,
        _nfpa("smallest of 855 15.7.1", "D"),
        AT_MOST,
        40,
        "kWh",
    ),
    Rule(
        "B33",
        "unit to unit",
        energy.dwelling_spacing,
        scopes.DWELLING,
        _nfpa("855 15.5", "C2"),
        AT_LEAST,
        SPACING_m,
        "m",
    ),
    Rule(
        "B34",
        "outdoors: to doors and windows",
        places.outdoor_exposure_distance,
        scopes.DWELLING,
        _nfpa("855 15.6.1", "C2"),
        AT_LEAST,
        SPACING_m,
        "m",
        kinds=("opening",),
    ),
    # -- local profiles
    Rule(
        "B35a",
        "LA R-3: to openings",
        places.exposure_distance,
        scopes.EVERYWHERE,
        LAFD,
        AT_LEAST,
        SPACING_m,
        "m",
        kinds=("opening",),
        local=LA_R3,
    ),
    Rule(
        "B35b",
        "LA R-3: to the main panel",
        places.exposure_distance,
        scopes.EVERYWHERE,
        LAFD,
        AT_LEAST,
        SPACING_m,
        "m",
        kinds=("main_panel",),
        local=LA_R3,
    ),
    Rule(
        "B35c",
        "LA R-3: to the disconnect",
        places.exposure_distance,
        scopes.EVERYWHERE,
        LAFD,
        AT_LEAST,
        SPACING_m,
        "m",
        kinds=("disconnect",),
        local=LA_R3,
    ),
    Rule(
        "B35d",
        "LA R-3: clear on each side",
        of_table("la_r3", "clear_each_side_m"),
        scopes.EVERYWHERE,
        LAFD,
        AT_LEAST,
        FIVE_FEET_m,
        "m",
        local=LA_R3,
    ),
    Rule(
        "B35e",
        "LA R-3: access path",
        of_table("la_r3", "path_width_m"),
        scopes.EVERYWHERE,
        LAFD,
        AT_LEAST,
        SPACING_m,
        "m",
        local=LA_R3,
    ),
    Rule(
        "B36a",
        "San Diego: container to container",
        units.container_spacing,
        scopes.OUTDOORS,
        SDCFPD,
        AT_LEAST,
        TEN_FEET_m,
        "m",
        local=SAN_DIEGO,
    ),
    Rule(
        "B36b",
        "San Diego: to the lot line",
        places.exposure_distance,
        scopes.OUTDOORS,
        SDCFPD,
        AT_LEAST,
        NEAR_m,
        "m",
        kinds=("lot_line",),
        local=SAN_DIEGO,
    ),
    Rule(
        "B36c",
        "San Diego: plume model",
        of_site("plume_model"),
        scopes.OUTDOORS,
        SDCFPD,
        SAID,
        local=SAN_DIEGO,
    ),
    # -- papers
    Rule(
        "A9a",
        "UL 9540 listing",
        each_model("ul_9540_listing"),
        scopes.REGULATED,
        _kept("1206.2.10.2 (?)"),
        SAID,
    ),
    Rule(
        "A9b",
        "UL 1973 listing",
        each_model("ul_1973_listing"),
        scopes.REGULATED,
        _kept("1206.2.10.1 (?)"),
        SAID,
    ),
    Rule(
        "A49",
        "signs: energized, technology",
        places.lists("signs_say", SIGN_WORDS[:2]),
        scopes.REGULATED,
        _kept("1206.2.8.6"),
        SAID,
    ),
    Rule(
        "A50",
        "signs: hazards, agent, contact",
        places.lists("signs_say", SIGN_WORDS[2:]),
        scopes.REGULATED,
        SIGNS,
        SAID,
    ),
    Rule(
        "A77",
        "permit file is whole",
        places.lists("permit_file", PERMIT_PARTS),
        scopes.REGULATED,
        _kept("1206.2.2 (?)"),
        SAID,
    ),
)
