"""The rules as data: the rows of the fact table's Table B and those of Table A a plan can answer,
some as several.

A rule says what is measured (a function of a measure_ module), where it holds (a scope of
scopes.py), the number, and its clause in every edition that has it with how sure that is. Feet of
the source are metres rounded to the millimetre. Row B39 (figures seen on the web without support
in any code text) has no rule on purpose.
"""

from typing import NamedTuple

from controller.siting.fields import (
    EXPOSED,
    IFC_2018,
    LA_R3,
    NFPA_2020,
    NFPA_2023,
    NFPA_2026,
    NY_TIERS,
    NYC_FDNY,
    SAN_DIEGO,
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
    measure: str
    scope: str
    sense: str
    number: float | None
    unit: str
    clauses: dict
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


THRESHOLD = _by_edition(
    ("tbl 1206.2", "C"), ("tbl 1.3 (?)", "G"), ("855 tbl 1.3 (?), IFC tbl 1207.1.1 (?)", "G")
)
GROUPS = _by_edition(("1206.2.8.3", "C"), ("4.6.2", "C"), ("855 9.4.2 (?), IFC 1207.5.1 (?)", "G"))
TESTED = _by_edition(("1206.2.8.3 exc. 3", "C"), ("4.6.3 (?)", "G"), ("855 9.1.5 (?)", "G"))
MAXIMA = _by_edition(
    ("tbl 1206.2.9", "C"), ("tbl 4.8", "C2"), ("855 tbl 9.4.1 (?), IFC 1207.5.2 (?)", "G")
)
ANALYSIS = _by_edition(
    ("1206.2.3", "C"), ("4.1.4 (?)", "G"), ("855 4.4 (?), IFC 1207.1.4 (?)", "G")
)
EXPOSURES = _by_edition(None, ("4.4.3.3 (?)", "G"), ("855 9.5.2.6 (?), IFC 1207.8.3 (?)", "G"))
REDUCED = _by_edition(
    ("1206.2.8.7.1 (?), test", "C"),
    ("4.4.3.3 (?)", "G"),
    ("855 9.5.2.6 (?), IFC 1207.8.3 (?)", "G"),
)
WALK_IN = _by_edition(None, ("4.4.3.5 (?)", "G"), ("IFC 1207.5.6 (?)", "G"))
GROWTH = _by_edition(None, ("4.4.3.6 (?)", "G"), ("IFC 1207.5.7 (?)", "G"))
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
        "over_threshold",
        "everywhere",
        SCOPE,
        None,
        "kWh",
        THRESHOLD,
    ),
    Rule(
        "B3",
        "energy from rated V x Ah",
        "volt_hours",
        "everywhere",
        SCOPE,
        None,
        "",
        _kept("tbl 1206.2 notes"),
    ),
    Rule(
        "B10",
        "an exposure within 30.5 m",
        "near_exposure",
        "outdoors",
        SCOPE,
        NEAR_m,
        "m",
        _nfpa("855, clause not stated", "C2"),
    ),
    Rule(
        "B22",
        "walk-in unit counts as a room",
        "walk_in",
        "outdoor_units",
        SCOPE,
        None,
        "",
        _kept("1206.2.8.7"),
    ),
    Rule(
        "B29",
        "deployed over 30 d: stationary",
        "long_deployed",
        "mobile",
        SCOPE,
        MOBILE_d,
        "d",
        _by_edition(None, ("IFC 2021 1207.10 (?)", "G"), ("IFC 1207.10 (?)", "G")),
    ),
    Rule(
        "B30",
        "charging place: stationary",
        "charging_place",
        "mobile",
        SCOPE,
        None,
        "",
        _nfpa("855, clause not stated", "C2"),
    ),
    Rule(
        "B37",
        "NY example: Tier 2",
        "tier_2",
        "everywhere",
        SCOPE,
        600,
        "kWh",
        _local("ecode360 42498144", "C"),
        local=NY_TIERS,
    ),
    Rule(
        "B38a",
        "FDNY: at least the medium class",
        "fdny_medium",
        "outdoors",
        SCOPE,
        70,
        "kWh",
        _local("3 RCNY 608-01", "C2"),
        local=NYC_FDNY,
    ),
    Rule(
        "B38b",
        "FDNY: the large class",
        "fdny_large",
        "outdoors",
        SCOPE,
        500,
        "kWh",
        _local("3 RCNY 608-01", "C2"),
        local=NYC_FDNY,
    ),
    # -- groups, spacing, tests
    Rule("B4", "energy of a group", "group_energy", "sized", AT_MOST, GROUP_kWh, "kWh", GROUPS),
    Rule("B5a", "group to group", "group_spacing", "sized", AT_LEAST, SPACING_m, "m", GROUPS),
    Rule("B5b", "group to wall", "wall_spacing", "sized_rooms", AT_LEAST, SPACING_m, "m", GROUPS),
    Rule(
        "B6",
        "listed prepackaged unit",
        "prepackaged_energy",
        "sized",
        AT_MOST,
        PREPACKAGED_kWh,
        "kWh",
        _by_edition(("1206.2.8.3 exc. 2", "C"), None, None),
    ),
    Rule(
        "B7a", "UL 9540A report for larger/closer", "test_report", "sized", SAID, None, "", TESTED
    ),
    Rule("B7b", "edition that report names", "test_edition", "sized", SAID, None, "", TESTED),
    Rule(
        "B7c",
        "units as far apart as tested",
        "tested_spacing",
        "sized",
        AT_LEAST,
        None,
        "m",
        TESTED,
    ),
    Rule(
        "B7d",
        "walls as far as tested",
        "tested_wall_spacing",
        "sized_rooms",
        AT_LEAST,
        None,
        "m",
        TESTED,
    ),
    Rule(
        "B8",
        "large-scale fire test, gas lit",
        "fire_test",
        "sized",
        SAID,
        None,
        "",
        _by_edition(None, None, None, ("855-2026 Annex G.11", "C2")),
    ),
    Rule(
        "B9",
        "over 50 kWh side by side: report",
        "side_by_side",
        "sized",
        SAID,
        None,
        "",
        _local("maker's FAQ, no clause", "C2"),
    ),
    Rule("A96a", "UL 9540A: wall rise", "wall_rise", "sized", AT_MOST, 97, "K", PASSED),
    Rule("A96b", "UL 9540A: flux at egress", "egress_flux", "sized", AT_MOST, 1300, "W/m2", PASSED),
    Rule("A96c", "UL 9540A: no flaming outside", "no_flaming", "sized", SAID, None, "", PASSED),
    Rule("A96d", "UL 9540A: no explosion", "no_explosion", "sized", SAID, None, "", PASSED),
    Rule("A96e", "UL 9540A: neighbours below vent", "below_vent", "sized", SAID, None, "", PASSED),
    # -- energy of a fire area
    Rule("B11", "energy of a fire area", "area_energy", "sized", AT_MOST, None, "kWh", MAXIMA),
    Rule(
        "B12",
        "over it: Group H, or HMA + test",
        "over_maximum",
        "sized",
        SAID,
        None,
        "",
        _by_edition(
            ("1206.2.9 exc.", "C"), ("4.8 (?)", "G"), ("855 9.4.1 (?), IFC 1207.5.2 (?)", "G")
        ),
    ),
    Rule(
        "B13",
        "mixed: smallest of their maxima",
        "mixed_energy",
        "regulated",
        AT_MOST,
        None,
        "kWh",
        _kept("1201.3"),
    ),
    Rule("A66", "hazard mitigation analysis", "analysis", "regulated", SAID, None, "", ANALYSIS),
    # -- height, depth, walls
    Rule(
        "B14",
        "floor above vehicle access",
        "floor_height",
        "floors",
        AT_MOST,
        ROOF_m,
        "m",
        _kept("1206.2.8.1 (?)"),
    ),
    Rule(
        "B15",
        "floor below exit discharge",
        "floor_depth",
        "floors_under_roof",
        AT_MOST,
        9.144,
        "m",
        _kept("1206.2.8.1 (?)"),
    ),
    Rule(
        "B16a",
        "high roof: non-combustible",
        "roof_material",
        "roofs",
        SAID,
        None,
        "",
        _kept("1206.2.8.1 exc. (?)"),
    ),
    Rule(
        "B16b",
        "high roof: fire operations clear",
        "roof_clear",
        "roofs",
        SAID,
        None,
        "",
        _kept("1206.2.8.1 exc. (?)"),
    ),
    Rule(
        "B16c",
        "high roof: approved",
        "roof_approved",
        "roofs",
        SAID,
        None,
        "",
        _kept("1206.2.8.1 exc. (?)"),
    ),
    Rule(
        "B25",
        "walls of the room",
        "room_rating",
        "rooms",
        AT_LEAST,
        SEPARATION_h,
        "h",
        _nfpa("855, IFC 2021: clause not stated", "G"),
    ),
    # -- outdoors
    Rule(
        "B17",
        "to exposures",
        "exposure_distance",
        "exposed_units",
        AT_LEAST,
        FIVE_FEET_m,
        "m",
        _by_edition(("1206.2.8.7.1 (?)", "C"), None, None),
        EXPOSED,
    ),
    Rule(
        "B18",
        "to exposures",
        "exposure_distance",
        "exposed_units",
        AT_LEAST,
        TEN_FEET_m,
        "m",
        EXPOSURES,
        EXPOSED,
    ),
    Rule(
        "B19",
        "to exposures, reduced",
        "reduced_distance",
        "exposed_units",
        AT_LEAST,
        None,
        "m",
        REDUCED,
        EXPOSED,
    ),
    Rule(
        "B20",
        "to a means of egress",
        "exposure_distance",
        "outdoor_units",
        AT_LEAST,
        TEN_FEET_m,
        "m",
        _kept("1206.2.8.7.2 (?)"),
        ("egress",),
    ),
    Rule(
        "B21",
        "racks to combustible container",
        "container_wall",
        "outdoor_units",
        AT_LEAST,
        SPACING_m,
        "m",
        _kept("1206.2.8.7 exc."),
    ),
    Rule(
        "B23a", "walk-in: length", "walk_in_length", "outdoor_units", AT_MOST, 16.154, "m", WALK_IN
    ),
    Rule("B23b", "walk-in: width", "walk_in_width", "outdoor_units", AT_MOST, 2.438, "m", WALK_IN),
    Rule(
        "B23c", "walk-in: height", "walk_in_height", "outdoor_units", AT_MOST, 2.896, "m", WALK_IN
    ),
    Rule(
        "B23d",
        "walk-in: maintenance only",
        "walk_in_entry",
        "outdoor_units",
        SAID,
        None,
        "",
        WALK_IN,
    ),
    Rule(
        "B24",
        "to vegetation",
        "exposure_distance",
        "outdoor_units",
        AT_LEAST,
        TEN_FEET_m,
        "m",
        GROWTH,
        ("vegetation",),
    ),
    # -- rooftop and open garage
    Rule("B26a", "to the edge of the roof", "roof_edge", "roofs", AT_LEAST, None, "m", ROOF),
    Rule("B26b", "class A covering around", "class_a", "roofs", AT_LEAST, FIVE_FEET_m, "m", ROOF),
    Rule(
        "B26c",
        "rooftop: to exposures",
        "exposure_distance",
        "roofs",
        AT_LEAST,
        TEN_FEET_m,
        "m",
        ROOF,
        EXPOSED,
    ),
    Rule(
        "B27a",
        "open garage: to exposures",
        "exposure_distance",
        "garages",
        AT_LEAST,
        TEN_FEET_m,
        "m",
        ROOF,
        EXPOSED,
    ),
    Rule(
        "B27b",
        "open garage: to air intakes",
        "exposure_distance",
        "garages",
        AT_LEAST,
        15.24,
        "m",
        ROOF,
        ("air_intake",),
    ),
    # -- mobile; the source prints 15.3 m for its 50 ft
    Rule(
        "B28a", "inside the fence", "fence_distance", "mobile", AT_LEAST, FIVE_FEET_m, "m", DEPLOYED
    ),
    Rule("B28b", "gate of the fence locked", "gate", "mobile", SAID, None, "", DEPLOYED),
    Rule(
        "B28c",
        "mobile: to exposures",
        "exposure_distance",
        "mobile",
        AT_LEAST,
        TEN_FEET_m,
        "m",
        DEPLOYED,
        EXPOSED,
    ),
    Rule(
        "B28d",
        "to buildings for 30 and more",
        "crowd_distance",
        "mobile",
        AT_LEAST,
        15.3,
        "m",
        DEPLOYED,
        ("building",),
    ),
    # -- dwellings
    Rule(
        "B2",
        "from 1 kWh: residential listing",
        "residential",
        "dwelling",
        SAID,
        None,
        "",
        _nfpa("855 ch. 15 (?)", "G"),
    ),
    Rule(
        "B31",
        "energy of a unit",
        "unit_energy",
        "dwelling",
        AT_MOST,
        20,
        "kWh",
        _nfpa("855 15.7", "C2"),
    ),
    Rule(
        "B32a",
        "energy of a place",
        "place_energy",
        "dwelling",
        AT_MOST,
        None,
        "kWh",
        _nfpa("855 15.7.1", "C2"),
    ),
    Rule(
        "B32b",
        "energy of a place not named there",
        "other_place_energy",
        "dwelling",
        AT_MOST,
        40,
        "kWh",
        _nfpa("smallest of 855 15.7.1", "D"),
    ),
    Rule(
        "B33",
        "unit to unit",
        "dwelling_spacing",
        "dwelling",
        AT_LEAST,
        SPACING_m,
        "m",
        _nfpa("855 15.5", "C2"),
    ),
    Rule(
        "B34",
        "outdoors: to doors and windows",
        "outdoor_exposure_distance",
        "dwelling",
        AT_LEAST,
        SPACING_m,
        "m",
        _nfpa("855 15.6.1", "C2"),
        ("opening",),
    ),
    # -- local profiles
    Rule(
        "B35a",
        "LA R-3: to openings",
        "exposure_distance",
        "everywhere",
        AT_LEAST,
        SPACING_m,
        "m",
        LAFD,
        ("opening",),
        LA_R3,
    ),
    Rule(
        "B35b",
        "LA R-3: to the main panel",
        "exposure_distance",
        "everywhere",
        AT_LEAST,
        SPACING_m,
        "m",
        LAFD,
        ("main_panel",),
        LA_R3,
    ),
    Rule(
        "B35c",
        "LA R-3: to the disconnect",
        "exposure_distance",
        "everywhere",
        AT_LEAST,
        SPACING_m,
        "m",
        LAFD,
        ("disconnect",),
        LA_R3,
    ),
    Rule(
        "B35d",
        "LA R-3: clear on each side",
        "side_clearance",
        "everywhere",
        AT_LEAST,
        FIVE_FEET_m,
        "m",
        LAFD,
        local=LA_R3,
    ),
    Rule(
        "B35e",
        "LA R-3: access path",
        "path_width",
        "everywhere",
        AT_LEAST,
        SPACING_m,
        "m",
        LAFD,
        local=LA_R3,
    ),
    Rule(
        "B36a",
        "San Diego: container to container",
        "container_spacing",
        "outdoors",
        AT_LEAST,
        TEN_FEET_m,
        "m",
        SDCFPD,
        local=SAN_DIEGO,
    ),
    Rule(
        "B36b",
        "San Diego: to the lot line",
        "exposure_distance",
        "outdoors",
        AT_LEAST,
        NEAR_m,
        "m",
        SDCFPD,
        ("lot_line",),
        SAN_DIEGO,
    ),
    Rule(
        "B36c",
        "San Diego: plume model",
        "plume_model",
        "outdoors",
        SAID,
        None,
        "",
        SDCFPD,
        local=SAN_DIEGO,
    ),
    # -- papers
    Rule(
        "A9a",
        "UL 9540 listing",
        "system_listing",
        "regulated",
        SAID,
        None,
        "",
        _kept("1206.2.10.2 (?)"),
    ),
    Rule(
        "A9b",
        "UL 1973 listing",
        "battery_listing",
        "regulated",
        SAID,
        None,
        "",
        _kept("1206.2.10.1 (?)"),
    ),
    Rule(
        "A49",
        "signs: energized, technology",
        "signs_first",
        "regulated",
        SAID,
        None,
        "",
        _kept("1206.2.8.6"),
    ),
    Rule("A50", "signs: hazards, agent, contact", "signs_more", "regulated", SAID, None, "", SIGNS),
    Rule(
        "A77",
        "permit file is whole",
        "permit_file",
        "regulated",
        SAID,
        None,
        "",
        _kept("1206.2.2 (?)"),
    ),
)
