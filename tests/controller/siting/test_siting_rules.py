"""Every rule of the siting audit: at, inside and outside its number; by mode and edition."""

import math

import pytest
from siting_cases import (
    DWELLING,
    FACTS,
    FAR_B,
    IFC,
    NEAR,
    NUMBERS,
    SCOPES,
    WALL,
    building,
    exposure,
    fence,
    from_wall,
    mode,
    model,
    roof,
    room,
    rows,
    site_cases,
)
from siting_sites import MODEL, ROOM, TESTED, finding, site

from controller.siting import audit, fields, rules, scopes
from controller.siting.audit import APPLIES, MET, NEEDS_FACT, NOT_APPLICABLE, NOT_MET
from tests.tables import cases, table

RULES = {rule.id: rule for rule in rules.RULES}
CASES = {**NUMBERS, **FACTS}
ROWS_OF_TABLE_A = {"A9", "A49", "A50", "A66", "A77", "A96"}
ROWS_OF_TABLE_B = {
    f"B{number}" for number in range(1, 39)
}  # B39 has claims that the project rejected
NO_ANALYSIS = {"hazard_mitigation_analysis": None}


def test_every_rule_has_its_case_and_every_row_its_rule():
    assert len(RULES) == len(rules.RULES)
    assert set(CASES) | set(SCOPES) == set(RULES)
    assert {each.rstrip("abcde") for each in RULES} == ROWS_OF_TABLE_A | ROWS_OF_TABLE_B


def test_each_rule_is_complete():
    for rule in rules.RULES:
        assert rule.clauses and set(rule.clauses) <= set(fields.EDITIONS), rule.id
        assert len(rule.what) <= 33 and len(rule.id) <= 5
        assert set(rule.kinds) <= set(fields.KINDS) and rule.scope.local in ("", *fields.LOCALS)
        for clause, confidence in rule.clauses.values():
            assert clause and confidence in rules.CONFIDENCE, rule.id
            assert confidence != "G" or "(?)" in clause or "not stated" in clause, rule.id


@pytest.mark.parametrize("identity", NUMBERS)
def test_a_rule_at_inside_and_outside_its_number(identity):
    case, sense = NUMBERS[identity], RULES[identity].sense
    for steps in (0, 1, -1, -100):
        value = case.number + (1 if sense == rules.AT_LEAST else -1) * steps * 0.001
        found = finding(identity, *case.given(value))
        facts = (found.verdict, audit.limit_of(found.rule, found.worst), bool(found.wrong))
        assert facts == (NOT_MET if steps < 0 else MET, case.number, steps < 0), steps
        assert found.worst.value == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("identity", FACTS)
def test_a_rule_of_a_fact_that_is_given_or_false(identity):
    case = FACTS[identity]
    found = finding(identity, *case.given("paper 1" if case.number is None else True))
    assert found.verdict == MET
    if case.number is not None:
        assert finding(identity, *case.given(False)).verdict == NOT_MET


@pytest.mark.parametrize("identity", CASES)
def test_a_reason_for_not_applicable_and_the_name_of_a_missing_fact(identity):
    case = CASES[identity]
    found = finding(identity, *case.off)
    assert found.verdict == NOT_APPLICABLE and found.reason and not found.wrong
    if case.missing:
        value = "paper 1" if case.number is None else case.number
        found = finding(identity, *case.given(value), case.missing)
        assert found.verdict == NEEDS_FACT and found.facts and not found.wrong


@pytest.mark.parametrize("identity", SCOPES)
def test_a_scope_rule_applies_or_not_and_never_fails(identity):
    given, applies, does_not, missing = SCOPES[identity]
    assert finding(identity, *given(applies)).verdict == APPLIES
    assert finding(identity, *given(does_not)).verdict == NOT_APPLICABLE
    if missing:
        assert finding(identity, *given(applies), missing).verdict == NEEDS_FACT


def test_the_base_meets_all_rules():
    assert audit.is_met(audit.audit(site()))


def test_only_scope_rules_apply_below_the_threshold():
    found = audit.audit(site(model(energy_kWh=10), exposure("building", 0.1)))
    judged = {each.verdict for each in found if each.rule.sense != rules.SCOPE}
    assert judged == {NOT_APPLICABLE}


def test_an_edition_without_the_rule():
    for edition in fields.EDITIONS:
        for rule in [each for each in rules.RULES if edition not in each.clauses]:
            change = {"edition": edition, "local": [rule.scope.local] if rule.scope.local else None}
            found = finding(rule.id, change)
            assert (found.verdict, found.reason) == (NOT_APPLICABLE, f"not a rule of {edition}")


CLAUSES = table("""
    914 mm | B5a ; 1.524 m | B17 ; 3.048 m | B18 B20 B24 ; 22.86 m | B14 ; 9.144 m | B15
    15.3 m | B28d ; 30.5 m | B36b B10 ; 50 kWh | B4 ; 250 kWh | B6 ; 20 kWh | B31
""")


def test_the_numbers_are_those_of_the_table(shared):
    """NUMBERS and SCOPES have them as well. The fact table has millimetres in some rows."""
    lines = (shared / "facts" / "nfpa855.md").read_text(encoding="utf-8").splitlines()
    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("| B")}
    for words, identities in CLAUSES:
        assert all(words in rows[each.rstrip("abcde")] for each in identities.split()), words


BANK = {"unit.a.group": "bank", "unit.b.group": "bank"}
THIRD = {"unit.c": {"model": "m", "center_m": [7.9, 5.0]}}
CLOSE = (room(), {"unit.a.center_m": [1.0, 5.0]})
UNDECLARED = {"absent": []}
TESTED_AT_1_M = model(large_scale_fire_test="test 1", exposure_spacing_tested_m=0.95)
TESTED_AT_HALF = model(large_scale_fire_test="test 1", exposure_spacing_tested_m=0.5)
WALL_BESIDE_B = {"line_m": [[12.0, 2.9], [12.0, 7.1]], "height_m": 3.6, "fire_rating_h": 1}
BARRIER = {"barrier.wall": WALL_BESIDE_B}
BEHIND = (IFC, exposure("lot_line", 1.0), BARRIER)
GARAGE_DECK = mode("open_garage")
WITHOUT_TEST = model(large_scale_fire_test=None)
LISTED = (IFC, NEAR, model(prepackaged=True))
NO_WALL = (room(), model(**{**TESTED, "ul_9540a_wall_spacing_m": None}))
WALL_FACT = ("model.m.ul_9540a_wall_spacing_m",)
TWO_TESTS = "hazard_mitigation_analysis and large_scale_fire_test"
OUTDOOR_PAPERS = [part for part in fields.PERMIT_PARTS if part != "rated_walls"]
DEDICATED = {"dedicated_building": True}


def beside(distance_m, **facts):
    unit = {"model": "n", "center_m": [6.0 + distance_m, 5.0]}
    return {"model.n": {**MODEL, **facts}, "unit.b": unit}


MIXED = beside(5, technology="lead_acid", energy_kWh=10)
HUGE = (room(), model(energy_kWh=400, **TESTED))


def is_as(found, wanted):
    if isinstance(wanted, tuple):
        return (found.verdict, found.facts) == (NEEDS_FACT, wanted)
    return wanted in (found.verdict, found.reason)


@site_cases("""identity changes wanted
    B17  [IFC, exposure("building", 1.6)]  MET  # five feet and ten
    B17  [IFC, exposure("building", 1.5)]  NOT_MET
    B17  [{"edition": "nfpa855_2020"}, exposure("building", 1.6)]  NOT_APPLICABLE
    B18  [IFC, exposure("building", 1.6)]  NOT_APPLICABLE
    B4  [NEAR, LARGE]  judged by B7a  # groups and tests
    B4  [NEAR, model(energy_kWh=100)]  NOT_MET
    B7a  [NEAR, model(energy_kWh=100)]  NEEDS_FACT
    B5a  [NEAR, LARGE, spaced(0.6)]  judged by B7c
    B7c  [NEAR, LARGE, spaced(0.6)]  MET
    B7c  [NEAR, LARGE, spaced(0.4)]  NOT_MET
    B5a  [NEAR, BANK]  NOT_APPLICABLE
    B7c  [NEAR, LARGE, spaced(0.5), BANK]  MET
    B7c  [NEAR, LARGE, spaced(0.499), BANK]  NOT_MET
    B7d  [*NO_WALL]  NOT_APPLICABLE
    B7d  [*NO_WALL, model(energy_kWh=51)]  WALL_FACT
    B7d  [*NO_WALL, spaced(0.6)]  WALL_FACT
    B7a  [*CLOSE]  NEEDS_FACT
    A96c  [*CLOSE, model(**TESTED)]  MET
    A96c  [*CLOSE, model(**TESTED), model(ul_9540a_no_flaming_outside=False)]  NOT_MET
    B4  [*LISTED, model(energy_kWh=200)]  judged by B6
    B7a  [*LISTED, model(energy_kWh=250)]  NOT_APPLICABLE
    B6  [*LISTED, model(energy_kWh=251, **TESTED)]  judged by B7a
    B7a  [*LISTED, model(energy_kWh=251, **TESTED)]  MET
    B6  [*LISTED, model(energy_kWh=250, **TESTED)]  MET
    B8  [NEWEST, NEAR, LARGE, WITHOUT_TEST]  NEEDS_FACT
    B8  [NEAR, LARGE, WITHOUT_TEST]  NOT_APPLICABLE
    B4  [model(energy_kWh=400)]  outdoors, no exposure within 30.5 m (B10)
    B4  [room(), DEDICATED, model(energy_kWh=400)]  a dedicated building (B10)
    B4  [UNDECLARED, model(energy_kWh=400)]  NOT_MET  # undeclared kinds: not remote
    B4  [IFC, model(energy_kWh=400)]  NOT_MET  # an edition without this row
    B4  [roof(), model(energy_kWh=51)]  NOT_MET  # a roof is never remote
    B11  [*HUGE]  judged by B12  # energy of a fire area
    B11  [*HUGE, NO_ANALYSIS]  NOT_MET
    B12  [*HUGE, NO_ANALYSIS]  NEEDS_FACT
    B12  [*HUGE, NO_ANALYSIS, {"area.room.group_H": True}]  MET
    B11  [*HUGE, WITHOUT_TEST]  NOT_MET
    B11  [*HUGE, beside(5, energy_kWh=400)]  NOT_MET  # every unit needs a test
    B12  [*HUGE, beside(5, energy_kWh=400)]  NEEDS_FACT
    B12  [NEAR, model(energy_kWh=301), NO_ANALYSIS]  (TWO_TESTS,)
    B12  [room(), model(energy_kWh=301), NO_ANALYSIS]  (TWO_TESTS + ", or area.room.group_H",)
    B1  [NEAR, model(energy_kWh=10.001), MIXED]  APPLIES
    A66  [NO_ANALYSIS, beside(5, technology="lead_acid")]  (*NO_ANALYSIS,)
    A66  [NO_ANALYSIS, room(), model(energy_kWh=400)]  (*NO_ANALYSIS,)
    A66  [NO_ANALYSIS, *HUGE, DEDICATED]  no fact of the site requires it
    B17  [*BEHIND]  NOT_MET  # barriers, walls and tests
    B17  [*BEHIND, TESTED_AT_1_M]  MET
    B19  [*BEHIND, TESTED_AT_1_M]  MET
    B19  [IFC, exposure("lot_line", 0.949), TESTED_AT_1_M]  NOT_MET
    B19  [exposure("building", 0.913), TESTED_AT_HALF]  NOT_MET
    B19  [exposure("building", 0.914), TESTED_AT_HALF]  MET
    B18  [building(1.0, **WALL)]  MET
    B18  [exposure("lot_line", 0, line_m=[[12.5, -9.0], [12.5, 8.0]]), BARRIER]  MET
    B18  [exposure("lot_line", 0, line_m=[[12.5, -9.0], [12.5, 8.0], [9.0, 8.0]]), BARRIER] |
        NOT_MET
    B18  [fence(1.6), NEAR]  NOT_APPLICABLE  # mobile storage
    B18  [fence(1.6), NEAR, {"deployed_days": 31}]  MET
    B18  [fence(1.6), NEAR, {"charging_location": True}]  MET
    B17  [fence(1.6), NEAR, IFC]  MET  # an edition without rules for it
    B14  [high_roof()]  judged by B16a  # floors, roofs, open garages
    B14  [roof()]  MET
    B14  [room(floor_above_vehicle_access_m=30)]  NOT_MET
    B14  [NEAR]  no floor of a building
    B15  [NEAR]  no floor of a building
    B15  [roof()]  no room
    B14  [garage("garage")]  NOT_APPLICABLE
    B15  [garage("garage")]  NOT_APPLICABLE
    B18  [GARAGE_DECK, building(1.0)]  a roof or garage has other rules
    B18  [roof(), exposure("building", 1.0)]  a roof or garage has other rules
    B17  [roof(), IFC, exposure("building", 1.0)]  NOT_MET
    A77  [{"permit_file": OUTDOOR_PAPERS}]  MET  # papers
    A77  [room(), {"permit_file": OUTDOOR_PAPERS}]  NOT_MET
    B21  [model(container=None)]  ("model.m.container",)
    B33  [DWELLING, spaced(0.5), BANK]  NOT_MET  # dwellings
    B33  [DWELLING, spaced(0.499), model(**TESTED)]  NOT_MET
    *[("B18", [{"edition": edition}, exposure("building", distance_m)], verdict)
        for edition in fields.EDITIONS[1:]
        for distance_m, verdict in ((1.6, NOT_MET), (3.1, MET))]
    *[("B10", [exposure(kind, 20.0)], APPLIES) for kind in ("egress", "air_intake", "opening")]
    *[("B4", [exposure(kind, 20.0), model(energy_kWh=51)], NOT_MET)
        for kind in ("egress", "air_intake", "opening")]
    *[("B18", [building(1.0, **WALL), {f"exposure.house.{fact}": least}], NOT_MET)
        for fact, least in zip(WALL, (1, False, False), strict=True)]
""")
def test_a_verdict(identity, changes, wanted):
    found = finding(identity, *changes)
    assert is_as(found, wanted), (found.verdict, found.reason, found.facts)


@site_cases("""identity changes verdict value limit names words
    B4  [NEAR, BANK, spaced(0)]  NOT_MET  80  50  ("bank",)  ""
    B7c  [NEAR, model(energy_kWh=20, **TESTED), spaced(0.0), BANK, THIRD]  MET  0.9  0.5 |
        ("b", "c")  ""
    B28a  [fence(-3.0)]  NOT_MET  0.0  1.524  ("b", "fence")  not inside the fence
    B26a  [roof(), model(height_m=4.6)]  NOT_MET  4.5  4.6  ("a", "room")  ""
    B32a  [DWELLING]  MET  80  80  ("outdoors",)  ""
    B13  [NEAR, model(energy_kWh=100), beside(5, technology="sodium_ion", energy_kWh=101)] |
        NOT_MET  201  200  ("outdoors",)  ""
    B18  [exposure("lot_line", 1.0), BARRIER]  MET  7.0  3.048  ("a", "e")  ""
    B19  [exposure("lot_line", 1.0), BARRIER]  MET  1.0  0.914  ("b", "e")  behind wall
    *[("B32a", [garage(place)], MET if limit > 40 else NOT_MET, 80, limit, ("room",), "")
        for place, limit in
        (("utility_closet", 40), ("garage", 80), ("accessory_structure", 80))]
    *[(identity, [*base, beside(apart_m, **{**TESTED, "ul_9540a_spacing_m": 0.8})],
        MET if apart_m == 0.8 else NOT_MET, apart_m, 0.8, ("a", "b"),
        "as tested" if identity == "B33" else "")
        for identity, base in (("B7c", (NEAR, LARGE)), ("B33", (DWELLING, model(**TESTED))))
        for apart_m in (0.8, 0.799)]  # the wider spacing of two tests
    *[("B33", [DWELLING, model(**{**TESTED, "ul_9540a_spacing_m": tested_m}), spaced(apart_m)],
        MET if apart_m == limit_m else NOT_MET, apart_m, limit_m, ("a", "b"), words)
        for tested_m, limit_m, words in
        ((0.5, 0.5, "as tested"), (0.913, 0.913, "as tested"), (0.914, 0.914, ""), (1.2, 0.914, ""))
        for apart_m in (limit_m, limit_m - 0.001)]  # a test of a dwelling only relaxes
""")
def test_the_item_that_decides_a_verdict(identity, changes, verdict, value, limit, names, words):
    found = finding(identity, *changes)
    worst = found.worst
    assert (found.verdict, worst.names, worst.remark) == (verdict, names, words)
    assert (worst.value, audit.limit_of(found.rule, worst)) == pytest.approx((value, limit))


def test_a_unit_that_needs_a_test_keeps_the_tested_distance_to_the_wall():
    for kWh, apart_m, verdict in rows("""
    100  2.0  MET ; 100  1.999  NOT_MET ; 100  0.914  NOT_MET ; 100  0.5  NOT_MET
    50  1.999  NOT_APPLICABLE ; 50  0.914  NOT_APPLICABLE ; 50  0.913  NOT_MET
    """):
        wide = (room(), model(energy_kWh=kWh, **{**TESTED, "ul_9540a_wall_spacing_m": 2.0}))
        found = finding("B7d", *wide, from_wall(apart_m))
        assert found.verdict == verdict
        if verdict != NOT_APPLICABLE:
            assert (found.worst.names, found.worst.value) == (("a", "room"), pytest.approx(apart_m))
        nearest = finding("B5b", *wide, from_wall(apart_m)).worst.names
        assert nearest == ("b" if apart_m < 0.914 else "a", "room")


def test_a_barrier_reduces_the_distance():
    for key, value, verdict in rows("""
    height_m  3.523  NOT_MET ; height_m  3.524  MET ; fire_rating_h  0.99  NOT_MET
    line_m  [[12.0, 2.977], [12.0, 7.1]]  NOT_MET
    line_m  [[12.0, 2.976], [12.0, 7.024]]  MET
    line_m  [[3.0, 2.9], [3.0, 7.1]]  NOT_MET
    """):
        changes = (exposure("lot_line", 1.0), BARRIER, {f"barrier.wall.{key}": value})
        assert finding("B18", *changes).verdict == verdict, (key, value)


@pytest.mark.parametrize("middle_m, way", [([], 1), ([[7.9, 3.1]], 1), ([[6.4, 3.1]], -1)])
@pytest.mark.parametrize("end_x_m, verdict", [(7.524, NOT_MET), (8.58, NOT_MET), (8.59, MET)])
def test_a_barrier_that_shields_only_a_part_reduces_nothing(middle_m, way, end_x_m, verdict):
    """The way is near up to x = 8.842. The sight line from there crosses the barrier at 8.584."""
    line_m = [[-5, 3.1], *middle_m, [20, 3.1]][::way]
    ends = [[6.0 - end_x_m, 3.0], [end_x_m, 3.0]]
    long = (
        model(size_m=[6.0, 2.0]),
        {"unit.a.center_m": [3.0, 1.0], "unit.b": None},
        {"exposure.way": {"kind": "public_way", "line_m": line_m}},
        {"barrier.wall": {"line_m": ends, "height_m": 4.0, "fire_rating_h": 1}},
    )
    found = finding("B19" if verdict == MET else "B18", *long)
    assert (found.verdict, found.worst.value) == (verdict, pytest.approx(1.1))


# An open lot line goes on straight at its ends in the file.
PLACES = pytest.mark.parametrize("turned_deg, factor", [(0, 1), (90, -1), (37, -1), (-121.3, 1)])


def placed(turned_deg, factor, line_m, wall_m=()):
    cos, sin = math.cos(math.radians(turned_deg)), math.sin(math.radians(turned_deg))

    def at(x, y):
        return [40 + x * cos - factor * y * sin, -70 + x * sin + factor * y * cos]

    places = {"a": at(5.0, 5.0), "b": at(11.0, 5.0)}
    units = {name: {"center_m": m, "rotation_deg": turned_deg} for name, m in places.items()}
    line = exposure("lot_line", 0, line_m=[at(*each) for each in line_m], inside_m=at(5.0, 5.0))
    wall = {"line_m": [at(*each) for each in wall_m], "height_m": 3.6, "fire_rating_h": 1}
    return {"unit": units}, line, {"barrier.wall": wall} if wall_m else {}


@PLACES
@cases("""line_m
    [[11.501, 20], [11.501, 21]]
    [[11.501, -5], [11.501, -6]]
    [[0, 40], [11.501, 40], [11.501, 30]]
    [[11.501, -9], [11.501, -30], [0, -30]]""")
def test_a_unit_beside_the_extension_of_a_lot_line_is_near_the_lot_line(turned_deg, factor, line_m):
    found = finding("B18", *placed(turned_deg, factor, line_m))
    assert (found.verdict, found.worst.names) == (NOT_MET, ("b", "e"))
    assert found.worst.value == pytest.approx(0.001, abs=1e-6)
    far = [[x + (3.047 if x else 0), y] for x, y in line_m]  # at 3.048 m
    assert finding("B18", *placed(turned_deg, factor, far)).verdict == MET


@PLACES
@cases("""wall_m  verdict
    [[12.0, 2.9], [12.0, 7.1]]  MET
    [[12.4, 2.4], [12.4, 7.6]]  NOT_MET
    [[12.4, 1.8], [12.4, 8.2]]  MET
    [[12.4, 1.8], [12.4, 8.0]]  NOT_MET""")
@pytest.mark.parametrize("line_m", [[[12.5, 3.0], [12.5, 7.0]], [[12.5, 20.0], [12.5, 30.0]]])
def test_a_barrier_has_to_shield_the_extension_too(turned_deg, factor, line_m, wall_m, verdict):
    """The line is near from y = 1.62 to 8.38. Sight lines cross x = 12.4 at 1.91 and 8.09."""
    changes = placed(turned_deg, factor, line_m, wall_m)
    assert finding("B18", *changes).verdict == verdict
    if verdict == MET:
        reduced = finding("B19", *changes)
        assert (reduced.verdict, reduced.worst.remark) == (MET, "behind wall")
        assert reduced.worst.value == pytest.approx(1.0, abs=1e-6)


def test_a_site_beside_the_extension_of_a_lot_line_is_not_remote():
    for x, is_near in ((42.0, True), (42.001, False)):
        found = finding("B10", exposure("lot_line", 0, line_m=[[x, 50], [x, 60]]))
        assert (found.verdict != NOT_APPLICABLE) == is_near


LOT_m = [[-20, -20], [60, -20], [60, 40], [11.501, 40], [11.501, 30], [-20, 30]]


@cases("""change
    {"kind": "lot_line", "outline_m": LOT_m}
    {"kind": "public_way", "line_m": [[11.501, 40], [11.501, 30]]}""")
def test_a_closed_lot_line_and_other_lines_are_not_extended(change):
    found = finding("B18", {"exposure.e": change})
    assert (found.verdict, found.worst.value) == (MET, pytest.approx(24.5, abs=1e-6))


@pytest.mark.parametrize("edition", fields.EDITIONS[1:])
@cases("""identity  key  most_m
    "B14"  "floor_above_vehicle_access_m"  22.86 | "B15"  "floor_below_exit_discharge_m"  9.144""")
def test_the_deck_of_an_open_garage_is_a_floor(edition, identity, key, most_m):
    deck = ({"edition": edition}, GARAGE_DECK)
    assert finding(identity, *deck, {key: most_m}).verdict == MET
    found = finding(identity, *deck, {key: most_m + 0.001})
    assert (found.verdict, found.worst.value, found.facts) == (NOT_MET, most_m + 0.001, ())
    assert is_as(finding(identity, *deck), (key,))
    small = finding(identity, *deck, {key: 30}, model(energy_kWh=10))
    assert small.reason == scopes.BELOW


WIDE_ROOF = roof(outline_m=[[-20, -20], [80, -20], [80, 80], [-20, 80]])


@pytest.mark.parametrize("edition", fields.EDITIONS)
@pytest.mark.parametrize("place", [WIDE_ROOF, GARAGE_DECK], ids=["roof", "garage"])
def test_other_outdoor_rules_hold_on_a_roof_and_in_an_open_garage(edition, place):
    if (edition, place) == (fields.IFC_2018, GARAGE_DECK):
        return  # the file is refused
    base = ({"edition": edition}, place)
    for identity, changes in (
        ("B20", [exposure("egress", 0.5)]),
        ("B21", [model(container="combustible", rack_to_container_wall_m=0.1)]),
        ("B23a", [FAR_B, model(walk_in=True, size_m=[2.0, 16.2])]),
        ("B23b", [model(walk_in=True, size_m=[2.5, 3.0])]),
        ("B23c", [model(walk_in=True, height_m=2.9)]),
        ("B23d", [model(walk_in=True, entry_for_maintenance_only=False)]),
        ("B24", [exposure("vegetation", 0.5)]),
    ):
        found = finding(identity, *base, *changes)
        assert found.verdict == (NOT_MET if edition in found.rule.clauses else NOT_APPLICABLE)
    assert finding("B22", *base, model(walk_in=True)).verdict == APPLIES
    assert finding("B22", *base, model(walk_in=None)).verdict == NEEDS_FACT
    own = "a roof or garage has other rules"
    assert finding("B19", *base, building(1.0, **WALL)).reason == (
        "no distance is reduced" if edition == fields.IFC_2018 else own
    )


def two_rooms(apart_m, first_h, second_h, **facts):
    """A unit of 301 kWh in each of two rooms side by side. None: the file has no rating."""
    x = 10 + apart_m
    first = {**ROOM, "outline_m": [[0, 0], [10, 0], [10, 9], [0, 9]], **facts}
    second = {**first, "outline_m": [[x, 0], [x + 9, 0], [x + 9, 9], [x, 9]]}
    return (
        {**IFC, **NO_ANALYSIS, "place": "indoors", "area": {"r": first, "s": second}},
        {"area.r.fire_rating_h": first_h, "area.s.fire_rating_h": second_h},
        model(energy_kWh=301),
        {"unit.b.center_m": [x + 4.0, 5.0]},
    )


@cases("""apart_m  first_h  second_h  is_one
    0  0  0  True | 0  None  None  True | 0  0  None  True | 0.5  0  0  True
    0.501  0  0  False | 0  2  0  False | 0  None  2  False | 0  0.1  0.1  True
    0  1  None  True | 0  1.999  1.999  True | 0  1.999  2  False | 0  3  1  False""")
def test_rooms_without_a_wall_of_two_hours_are_one_fire_area(apart_m, first_h, second_h, is_one):
    found = finding("B11", *two_rooms(apart_m, first_h, second_h))
    assert (found.verdict, found.worst.value) == ((NOT_MET, 602) if is_one else (MET, 301))
    assert found.worst.names == ("r + s" if is_one else "r", "lithium_ion")


def test_a_fire_area_goes_on_through_a_room_without_units():
    apart = two_rooms(3, 0, 0)
    assert finding("B11", *apart).verdict == MET
    lobby = {**ROOM, "outline_m": [[10, 0], [13, 0], [13, 9], [10, 9]], "fire_rating_h": 0}
    through = (*apart, {"area.lobby": lobby})
    assert finding("B11", *through).worst.names == ("r + s", "lithium_ion")
    assert finding("B11", *through, {"area.lobby.fire_rating_h": 2}).verdict == MET


def test_the_missing_facts_of_a_fire_area_of_several_rooms():
    papers = TWO_TESTS + ", or area.r.group_H and area.s.group_H"
    for ratings, more in (
        ((0, 0), ""),
        ((None, 0), ", or area.r.fire_rating_h"),
        ((None, None), ", or area.r.fire_rating_h, or area.s.fire_rating_h"),
    ):
        assert finding("B12", *two_rooms(0, *ratings)).facts == (papers + more,)
    of_H = two_rooms(0, 0, 0, group_H=True)
    assert finding("B12", *of_H).verdict == MET
    assert finding("B11", *of_H, {"area.s.group_H": False}).verdict == NOT_MET


def test_each_room_of_a_fire_area_is_judged_by_itself():
    for second_h in (2, 0):
        found = finding("B14", *two_rooms(0, 0, second_h, floor_above_vehicle_access_m=30))
        assert [item.names for item in found.items] == [("r",), ("s",)]
    mixed = (*two_rooms(0, 0, 0), beside(10, technology="lead_acid", energy_kWh=10))
    assert finding("B13", *mixed).worst.names == ("r + s",)


@cases("""identity  location  limit_kWh
    "B32a"  "utility_closet"  40 | "B32a"  "garage"  80 | "B32a"  "accessory_structure"  80
    "B32b"  "other"  40""")
@pytest.mark.parametrize("left_m", [10, 30])  # touching, and apart
def test_places_of_one_kind_count_together(identity, location, limit_kWh, left_m):
    def two(of_second, each_kWh):
        second_m = [[left_m, 0], [left_m + 10, 0], [left_m + 10, 9], [left_m, 9]]
        return (
            {**DWELLING, "unit.b.center_m": [left_m + 5, 5.0]},
            model(energy_kWh=each_kWh),
            {"area.p": {"outline_m": [[0, 0], [10, 0], [10, 9], [0, 9]], "location": location}},
            {"area.q": {"outline_m": second_m, "location": of_second}},
        )

    found = finding(identity, *two(location, limit_kWh / 2 + 0.001))
    assert (found.verdict, found.worst.names) == (NOT_MET, ("p", "q"))
    assert found.worst.value == pytest.approx(limit_kWh + 0.002)
    assert audit.limit_of(found.rule, found.worst) == limit_kWh
    assert finding(identity, *two(location, limit_kWh / 2)).verdict == MET
    another = "garage" if location != "garage" else "other"
    assert finding(identity, *two(another, limit_kWh)).verdict == MET


@cases("""technology  threshold_kWh  most_kWh
    "lithium_ion"  20  600 | "lead_acid"  70  None | "nickel_cadmium"  70  None | "sodium"  20  600
    "sodium_ion"  70  200 | "flow"  20  600 | "other"  10  200""")
def test_the_threshold_and_the_maximum_of_a_technology(technology, threshold_kWh, most_kWh):
    def one(energy_kWh):
        return (NEAR, model(technology=technology, energy_kWh=energy_kWh), {"unit.b": None})

    assert finding("B1", *one(threshold_kWh)).verdict == NOT_APPLICABLE
    assert finding("B1", *one(threshold_kWh + 0.001)).verdict == APPLIES
    found = finding("B11", *one(1_900))
    assert found.verdict == (NOT_MET if most_kWh else NOT_APPLICABLE)
    assert most_kWh is None or audit.limit_of(found.rule, found.worst) == most_kWh


def test_the_item_of_a_gate_has_the_name_of_the_fence():
    assert finding("B28b", fence(1.6)).worst.names == ("fence",)
    path = {"local": ["la_r3"], "la_r3.path_width_m": 1}
    assert finding("B35e", DWELLING, path).worst.names == ()


def test_mixed_technologies_are_tier_2():
    for changes, words in (([], "80 kWh"), ([MIXED], "50 kWh, mixed")):
        found = finding("B37", {"local": ["ny_tiers"]}, *changes)
        assert [item.remark for item in found.items] == [words]
        assert found.verdict == (APPLIES if changes else NOT_APPLICABLE)


def test_a_fact_of_one_model_does_not_count_for_another():
    walk_in = model(walk_in=True, entry_for_maintenance_only=True)
    far = {"model": "n", "center_m": [40.0, 5.0]}
    other = {"model.n": {**MODEL, "size_m": [20, 3]}, "unit.b": far}
    assert finding("B22", walk_in, other).verdict == APPLIES
    found = finding("B22", walk_in, other, {"model.n.walk_in": None})
    assert is_as(found, ("model.n.walk_in",)) and found.worst.names == ("m",)


def test_a_violation_beside_a_missing_fact_is_a_violation():
    found = finding("B18", exposure("building", 1.0), {"absent": ["hazmat"]})
    kinds = "lot_line, public_way, combustibles, high_piled_stock, other"
    assert found.verdict == NOT_MET
    assert found.facts == (f"exposures of kind {kinds}, or these words in absent",)


def test_a_finding_has_the_worst_item_and_all_wrong_items():
    places = (("c", 12.4), ("d", 13.7))
    more = {f"unit.{name}": {"model": "m", "center_m": [x, 5.0]} for name, x in places}
    found = finding("B5a", NEAR, more)
    assert found.worst.names == ("c", "d")
    assert [item.names for item in found.wrong] == [("c", "d"), ("b", "c")]
