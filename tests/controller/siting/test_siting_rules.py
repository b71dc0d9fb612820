"""Every rule of the siting audit: at its number, inside, outside, not applicable, a fact missing;
and by edition.
"""

import math

import pytest
from siting_cases import (
    FACTS,
    FAR_B,
    IFC,
    LARGE,
    NEAR,
    NEWEST,
    NUMBERS,
    SCOPES,
    WALL,
    building,
    exposure,
    fence,
    from_wall,
    garage,
    mode,
    model,
    of_high_roof,
    roof,
    room,
    spaced,
)
from siting_sites import MODEL, ROOM, TESTED, finding, site

from controller.siting import audit, fields, rules, scopes

RULES = {rule.id: rule for rule in rules.RULES}
ROWS_OF_TABLE_B = [f"B{number}" for number in range(1, 39)]  # B39 is rejected claims


def test_every_rule_has_its_case_and_every_row_its_rule():
    assert len(RULES) == len(rules.RULES)
    assert set(NUMBERS) | set(FACTS) | set(SCOPES) == set(RULES)
    assert {each.rstrip("abcde") for each in RULES if each[0] == "B"} == set(ROWS_OF_TABLE_B)
    assert {each.rstrip("abcde") for each in RULES if each[0] == "A"} == {
        "A9",
        "A49",
        "A50",
        "A66",
        "A77",
        "A96",
    }


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.id)
def test_a_rule_is_whole(rule):
    assert rule.clauses and set(rule.clauses) <= set(fields.EDITIONS)
    assert len(rule.what) <= 33 and len(rule.id) <= 5
    assert set(rule.kinds) <= set(fields.KINDS) and rule.local in ("", *fields.LOCALS)
    for clause, confidence in rule.clauses.values():
        assert confidence in rules.CONFIDENCE
        assert clause and (confidence != "G" or "(?)" in clause or "not stated" in clause)


@pytest.mark.parametrize("identity", NUMBERS)
@pytest.mark.parametrize(
    "steps, verdict", [(0, audit.MET), (1, audit.MET), (-1, audit.NOT_MET), (-100, audit.NOT_MET)]
)
def test_at_the_number_inside_and_outside(tmp_path, identity, steps, verdict):
    case, sense = NUMBERS[identity], RULES[identity].sense
    value = case.number + (1 if sense == rules.AT_LEAST else -1) * steps * case.step
    found = finding(tmp_path, identity, *case.said(value))
    assert found.verdict == verdict
    assert found.worst.value == pytest.approx(value, abs=1e-9)
    assert audit.limit_of(found.rule, found.worst) == case.number
    assert bool(found.wrong) == (verdict == audit.NOT_MET)


@pytest.mark.parametrize("identity", FACTS)
def test_a_fact_that_is_there_and_one_that_says_no(tmp_path, identity):
    case = FACTS[identity]
    found = finding(tmp_path, identity, *case.said("paper 1" if case.number is None else True))
    assert found.verdict == audit.MET
    if case.number is not None:
        assert finding(tmp_path, identity, *case.said(False)).verdict == audit.NOT_MET


CASES = {**NUMBERS, **FACTS}


@pytest.mark.parametrize("identity", CASES)
def test_not_applicable_says_why(tmp_path, identity):
    found = finding(tmp_path, identity, *CASES[identity].elsewhere)
    assert found.verdict == audit.NOT_APPLICABLE and found.reason and not found.wrong


@pytest.mark.parametrize("identity", [each for each in CASES if CASES[each].missing])
def test_a_missing_fact_is_named(tmp_path, identity):
    case = CASES[identity]
    value = {None: "paper 1"}.get(case.number, case.number)
    found = finding(tmp_path, identity, *case.said(value), case.missing)
    assert found.verdict == audit.NEEDS_FACT and found.facts and not found.wrong


@pytest.mark.parametrize("identity", SCOPES)
def test_a_scope_rule_applies_or_not_and_never_fails(tmp_path, identity):
    said, applies, does_not, missing = SCOPES[identity]
    assert finding(tmp_path, identity, *said(applies)).verdict == audit.APPLIES
    assert finding(tmp_path, identity, *said(does_not)).verdict == audit.NOT_APPLICABLE
    if missing:
        assert finding(tmp_path, identity, *said(applies), missing).verdict == audit.NEEDS_FACT


def test_the_base_meets_everything(tmp_path):
    found = audit.audit(site(tmp_path))
    assert audit.is_met(found), [
        each.rule.id for each in found if each.verdict in (audit.NOT_MET, audit.NEEDS_FACT)
    ]


# -- editions


@pytest.mark.parametrize(
    "edition, distance_m, identity, verdict",
    [
        ("ifc_2018", 1.6, "B17", audit.MET),
        ("ifc_2018", 1.5, "B17", audit.NOT_MET),
        *[(edition, 1.6, "B18", audit.NOT_MET) for edition in fields.EDITIONS[1:]],
        *[(edition, 3.1, "B18", audit.MET) for edition in fields.EDITIONS[1:]],
        ("ifc_2018", 1.6, "B18", audit.NOT_APPLICABLE),
        ("nfpa855_2020", 1.6, "B17", audit.NOT_APPLICABLE),
    ],
)
def test_five_feet_and_ten(tmp_path, edition, distance_m, identity, verdict):
    assert (
        finding(tmp_path, identity, {"edition": edition}, exposure("building", distance_m)).verdict
        == verdict
    )


@pytest.mark.parametrize(
    "rule", [each for each in rules.RULES if len(each.clauses) < 4], ids=lambda rule: rule.id
)
def test_an_edition_without_the_rule(tmp_path, rule):
    for edition in set(fields.EDITIONS) - set(rule.clauses):
        found = finding(
            tmp_path,
            rule.id,
            {"edition": edition, **({"local": [rule.local]} if rule.local else {})},
        )
        assert (found.verdict, found.reason) == (audit.NOT_APPLICABLE, f"not a rule of {edition}")


@pytest.mark.parametrize(
    "identity, edition, clause, confidence",
    [
        ("B4", "ifc_2018", "1206.2.8.3", "C"),
        ("B4", "nfpa855_2020", "4.6.2", "C"),
        ("B11", "nfpa855_2020", "tbl 4.8", "C2"),
        ("B18", "nfpa855_2020", "4.4.3.3 (?)", "G"),
        ("B8", "nfpa855_2026", "855-2026 Annex G.11", "C2"),
        ("B17", "ifc_2018", "1206.2.8.7.1 (?)", "C"),
        ("B14", "nfpa855_2020", "as IFC 2018 1206.2.8.1 (?)", "G"),
    ],
)
def test_clauses(identity, edition, clause, confidence):
    assert RULES[identity].clauses[edition] == (clause, confidence)


def test_the_numbers_are_those_of_the_table(shared):
    """Millimetres of the fact table, where its row says them."""
    text = (shared / "facts" / "nfpa855.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| B")
    }
    for identity, words in (
        ("B5a", "914 mm"),
        ("B17", "1.524 m"),
        ("B18", "3.048 m"),
        ("B20", "3.048 m"),
        ("B24", "3.048 m"),
        ("B14", "22.86 m"),
        ("B15", "9.144 m"),
        ("B28d", "15.3 m"),
        ("B36b", "30.5 m"),
        ("B10", "30.5 m"),
        ("B4", "50 kWh"),
        ("B6", "250 kWh"),
        ("B31", "20 kWh"),
    ):
        assert words in rows[identity.rstrip("abcde")]
        number, unit = words.split()
        assert RULES[identity].number == pytest.approx(
            float(number) / (1000 if unit == "mm" else 1)
        )


# -- exceptions


def test_a_larger_group_is_judged_by_its_test_and_without_one_not_at_all(tmp_path):
    assert finding(tmp_path, "B4", NEAR, LARGE).reason == "judged by B7a"
    assert finding(tmp_path, "B4", NEAR, model(energy_kWh=100)).verdict == audit.NOT_MET
    assert finding(tmp_path, "B7a", NEAR, model(energy_kWh=100)).verdict == audit.NEEDS_FACT


def test_closer_units_are_judged_by_the_spacing_of_their_test(tmp_path):
    assert finding(tmp_path, "B5a", NEAR, LARGE, spaced(0.6)).reason == "judged by B7c"
    assert finding(tmp_path, "B7c", NEAR, LARGE, spaced(0.6)).verdict == audit.MET
    assert finding(tmp_path, "B7c", NEAR, LARGE, spaced(0.4)).verdict == audit.NOT_MET


def test_units_of_one_group_need_no_distance_and_count_together(tmp_path):
    together = {"unit": {"a": {"group": "bank"}, "b": {"group": "bank", "center_m": [6.0, 5.0]}}}
    assert finding(tmp_path, "B5a", NEAR, together).verdict == audit.NOT_APPLICABLE
    found = finding(tmp_path, "B4", NEAR, together)
    assert (found.verdict, found.worst.value, found.worst.names) == (audit.NOT_MET, 80, ("bank",))


def test_a_group_larger_by_test_keeps_the_spacing_of_its_test(tmp_path):
    bank = {"unit": {"a": {"group": "bank"}, "b": {"group": "bank"}}}
    assert finding(tmp_path, "B7c", NEAR, LARGE, spaced(0.5), bank).verdict == audit.MET
    assert finding(tmp_path, "B7c", NEAR, LARGE, spaced(0.499), bank).verdict == audit.NOT_MET
    small = model(energy_kWh=20, **TESTED)
    # closer than a group may be, as tested
    third = {"unit": {"c": {"model": "m", "center_m": [7.9, 5.0]}}}
    found = finding(tmp_path, "B7c", NEAR, small, spaced(0.0), bank, third)
    assert (found.verdict, found.worst.names) == (audit.MET, ("b", "c"))


@pytest.mark.parametrize(
    "energy_kWh, distance_m, verdict",
    [
        (100, 2.0, audit.MET),
        (100, 1.999, audit.NOT_MET),
        (100, 0.914, audit.NOT_MET),
        (100, 0.5, audit.NOT_MET),
        (50, 1.999, audit.NOT_APPLICABLE),
        (50, 0.914, audit.NOT_APPLICABLE),
        (50, 0.913, audit.NOT_MET),
    ],
)
def test_what_relies_on_a_test_keeps_the_distance_to_the_wall_of_it(
    tmp_path, energy_kWh, distance_m, verdict
):
    wide = (room(), model(energy_kWh=energy_kWh, **{**TESTED, "ul_9540a_wall_spacing_m": 2.0}))
    found = finding(tmp_path, "B7d", *wide, from_wall(distance_m))
    assert found.verdict == verdict
    if verdict != audit.NOT_APPLICABLE:
        assert (found.worst.names, found.worst.value) == (("a", "room"), pytest.approx(distance_m))
    is_closer = distance_m < 0.914
    assert finding(tmp_path, "B5b", *wide, from_wall(distance_m)).worst.names == (
        "b" if is_closer else "a",
        "room",
    )


def test_a_unit_that_relies_on_a_test_needs_its_distance_to_the_wall(tmp_path):
    unsaid = (room(), model(**{**TESTED, "ul_9540a_wall_spacing_m": None}))
    assert finding(tmp_path, "B7d", *unsaid).verdict == audit.NOT_APPLICABLE
    for change in (model(energy_kWh=51), spaced(0.6)):
        found = finding(tmp_path, "B7d", *unsaid, change)
        assert (found.verdict, found.facts) == (
            audit.NEEDS_FACT,
            ("model.m.ul_9540a_wall_spacing_m",),
        )


def test_no_group_brings_units_of_a_dwelling_together(tmp_path):
    bank = {"unit": {"a": {"group": "bank"}, "b": {"group": "bank"}}}
    assert finding(tmp_path, "B33", mode("dwelling"), spaced(0.5), bank).verdict == audit.NOT_MET
    tested = model(**TESTED)
    assert (
        finding(tmp_path, "B33", mode("dwelling"), spaced(0.5), tested).worst.words == "as tested"
    )
    assert (
        finding(tmp_path, "B33", mode("dwelling"), spaced(0.499), tested).verdict == audit.NOT_MET
    )


def test_group_h_or_an_analysis_with_a_test_lets_an_area_be_larger(tmp_path):
    large = model(energy_kWh=400, **TESTED)
    assert finding(tmp_path, "B11", room(), large).reason == "judged by B12"
    none = {"hazard_mitigation_analysis": None}
    assert finding(tmp_path, "B11", room(), large, none).verdict == audit.NOT_MET
    assert finding(tmp_path, "B12", room(), large, none).verdict == audit.NEEDS_FACT
    assert finding(tmp_path, "B12", room(group_H=True), large, none).verdict == audit.MET
    assert (
        finding(tmp_path, "B11", room(), large, model(large_scale_fire_test=None)).verdict
        == audit.NOT_MET
    )


def test_limits_on_size_are_not_aimed_at_dedicated_buildings_and_remote_sites(tmp_path):
    large = model(energy_kWh=400)
    assert "B10" in finding(tmp_path, "B4", large).reason
    assert "B10" in finding(tmp_path, "B4", room(), {"dedicated_building": True}, large).reason
    # not known to be remote
    assert finding(tmp_path, "B4", large, {"absent": []}).verdict == audit.NOT_MET
    # an edition that does not know it
    assert finding(tmp_path, "B4", IFC, large).verdict == audit.NOT_MET


def test_nothing_but_the_scope_below_the_threshold(tmp_path):
    found = audit.audit(site(tmp_path, model(energy_kWh=10), exposure("building", 0.1)))
    assert {each.verdict for each in found if each.rule.sense != rules.SCOPE} == {
        audit.NOT_APPLICABLE
    }


BARRIER = {
    "barrier": {"wall": {"line_m": [[12.0, 2.9], [12.0, 7.1]], "height_m": 3.6, "fire_rating_h": 1}}
}


@pytest.mark.parametrize(
    "change, verdict",
    [
        ({}, audit.MET),
        ({"height_m": 3.523}, audit.NOT_MET),
        ({"height_m": 3.524}, audit.MET),
        ({"fire_rating_h": 0.99}, audit.NOT_MET),
        ({"line_m": [[12.0, 2.977], [12.0, 7.1]]}, audit.NOT_MET),
        ({"line_m": [[12.0, 2.976], [12.0, 7.024]]}, audit.MET),
        ({"line_m": [[3.0, 2.9], [3.0, 7.1]]}, audit.NOT_MET),
    ],
)
def test_a_barrier_reduces_the_distance(tmp_path, change, verdict):
    changes = (exposure("lot_line", 1.0), BARRIER, {"barrier": {"wall": change}})
    found = finding(tmp_path, "B18", *changes)
    if verdict == audit.MET:
        # unit a, further away
        assert found.reason == "" and found.verdict == audit.MET and found.worst.value > 3.048
        reduced = finding(tmp_path, "B19", *changes)
        assert (reduced.verdict, reduced.worst.words) == (audit.MET, "behind wall")
    else:
        assert found.verdict == audit.NOT_MET


def test_a_barrier_before_one_edge_leaves_the_other_bare(tmp_path):
    line_m = [[12.5, -9.0], [12.5, 8.0]]
    assert (
        finding(tmp_path, "B18", exposure("lot_line", 0, line_m=line_m), BARRIER).verdict
        == audit.MET
    )
    around = exposure("lot_line", 0, line_m=[*line_m, [9.0, 8.0]])  # 2.5 m above unit b
    assert finding(tmp_path, "B18", around, BARRIER).verdict == audit.NOT_MET


@pytest.mark.parametrize(
    "line_m",
    [
        [[-5, 3.1], [20, 3.1]],
        [[-5, 3.1], [7.9, 3.1], [20, 3.1]],
        [[20, 3.1], [6.4, 3.1], [-5, 3.1]],
    ],
)
@pytest.mark.parametrize(
    "end_x_m, verdict", [(7.524, audit.NOT_MET), (8.58, audit.NOT_MET), (8.59, audit.MET)]
)
def test_a_long_edge_is_not_shielded_by_a_barrier_that_leaves_a_part_of_it_bare(
    tmp_path, line_m, end_x_m, verdict
):
    """The way is within 3.048 m of the unit up to x = 8.842; the sight line from there passes the
    barrier at 8.584.
    """
    long = (
        model(size_m=[6.0, 2.0]),
        {"unit": {"a": {"center_m": [3.0, 1.0]}, "b": None}},
        {"exposure": {"way": {"kind": "public_way", "line_m": line_m}}},
        {
            "barrier": {
                "wall": {
                    "line_m": [[6.0 - end_x_m, 3.0], [end_x_m, 3.0]],
                    "height_m": 4.0,
                    "fire_rating_h": 1,
                }
            }
        },
    )
    judged_by = "B19" if verdict == audit.MET else "B18"
    found = finding(tmp_path, judged_by, *long)
    assert (found.verdict, found.worst.value) == (verdict, pytest.approx(1.1))


# -- an open lot line goes on straight beyond the ends that the file says

PLACES = pytest.mark.parametrize(
    "turned_deg, factor", [(0, 1), (0, -1), (90, 1), (37, 1), (37, -1), (-121.3, 1)]
)


def placed(turned_deg, factor, line_m, wall_m=()):
    """Both units, a lot line and a wall: mirrored where factor is -1, then turned and moved, all
    together.
    """
    cos, sin = math.cos(math.radians(turned_deg)), math.sin(math.radians(turned_deg))

    def at(x, y):
        return [40 + x * cos - factor * y * sin, -70 + x * sin + factor * y * cos]

    units = {
        name: {"center_m": at(x, 5.0), "rotation_deg": turned_deg}
        for name, x in (("a", 5.0), ("b", 11.0))
    }
    line = exposure("lot_line", 0, line_m=[at(*each) for each in line_m], inside_m=at(5.0, 5.0))
    wall = {
        "barrier": {
            "wall": {"line_m": [at(*each) for each in wall_m], "height_m": 3.6, "fire_rating_h": 1}
        }
    }
    return {"unit": units}, line, wall if wall_m else {}


@PLACES
@pytest.mark.parametrize(
    "line_m",
    [
        [[11.501, 20], [11.501, 21]],
        [[11.501, -5], [11.501, -6]],
        [[0, 40], [11.501, 40], [11.501, 30]],
        [[11.501, -9], [11.501, -30], [0, -30]],
    ],
)
def test_a_unit_beside_the_continuation_of_a_lot_line_is_near_it(
    tmp_path, turned_deg, factor, line_m
):
    found = finding(tmp_path, "B18", *placed(turned_deg, factor, line_m))
    assert (found.verdict, found.worst.names) == (audit.NOT_MET, ("b", "e"))
    assert found.worst.value == pytest.approx(0.001, abs=1e-6)
    far = [[x + (3.047 if x else 0), y] for x, y in line_m]  # at 3.048 m
    assert finding(tmp_path, "B18", *placed(turned_deg, factor, far)).verdict == audit.MET


@PLACES
@pytest.mark.parametrize(
    "wall_m, verdict",
    [
        ([[12.0, 2.9], [12.0, 7.1]], audit.MET),
        ([[12.4, 2.4], [12.4, 7.6]], audit.NOT_MET),
        ([[12.4, 1.8], [12.4, 8.2]], audit.MET),
        ([[12.4, 1.8], [12.4, 8.0]], audit.NOT_MET),
    ],
)
@pytest.mark.parametrize("line_m", [[[12.5, 3.0], [12.5, 7.0]], [[12.5, 20.0], [12.5, 30.0]]])
def test_a_barrier_has_to_hide_the_continuation_too(
    tmp_path, turned_deg, factor, line_m, wall_m, verdict
):
    """The line is within 3.048 m of unit b from y = 1.62 to 8.38: sight lines that pass x = 12.4 at
    1.91, 8.09.
    """
    changes = placed(turned_deg, factor, line_m, wall_m)
    assert finding(tmp_path, "B18", *changes).verdict == verdict
    if verdict == audit.MET:
        reduced = finding(tmp_path, "B19", *changes)
        assert (reduced.verdict, reduced.worst.words) == (audit.MET, "behind wall")
        assert reduced.worst.value == pytest.approx(1.0, abs=1e-6)


def test_a_site_beside_the_continuation_of_a_lot_line_is_not_remote(tmp_path):
    for x, is_near in ((42.0, True), (42.001, False)):
        found = finding(tmp_path, "B10", exposure("lot_line", 0, line_m=[[x, 50], [x, 60]]))
        assert (found.verdict != audit.NOT_APPLICABLE) == is_near


@pytest.mark.parametrize(
    "change",
    [
        {
            "kind": "lot_line",
            "outline_m": [[-20, -20], [60, -20], [60, 40], [11.501, 40], [11.501, 30], [-20, 30]],
        },
        {"kind": "public_way", "line_m": [[11.501, 40], [11.501, 30]]},
    ],
)
def test_a_closed_lot_line_and_other_lines_end_where_they_are_said_to(tmp_path, change):
    found = finding(tmp_path, "B18", {"exposure": {"e": change}})
    assert (found.verdict, found.worst.value) == (audit.MET, pytest.approx(24.5, abs=1e-6))


def test_a_barrier_does_nothing_in_ifc_2018_and_a_test_does(tmp_path):
    behind = (IFC, exposure("lot_line", 1.0), BARRIER)
    assert finding(tmp_path, "B17", *behind).verdict == audit.NOT_MET
    tested = model(large_scale_fire_test="test 1", exposure_spacing_tested_m=0.95)
    assert finding(tmp_path, "B17", *behind, tested).verdict == audit.MET
    assert finding(tmp_path, "B19", *behind, tested).verdict == audit.MET
    assert (
        finding(tmp_path, "B19", IFC, exposure("lot_line", 0.949), tested).verdict == audit.NOT_MET
    )


@pytest.mark.parametrize("fact", WALL)
def test_a_wall_needs_all_three(tmp_path, fact):
    assert finding(tmp_path, "B18", building(1.0, **WALL)).verdict == audit.MET
    assert (
        finding(
            tmp_path, "B18", building(1.0, **{**WALL, fact: 1 if fact.endswith("_h") else False})
        ).verdict
        == audit.NOT_MET
    )


@pytest.mark.parametrize("change", [{"deployed_days": 31}, {"charging_location": True}])
def test_mobile_becomes_stationary(tmp_path, change):
    assert finding(tmp_path, "B18", fence(1.6), NEAR).verdict == audit.NOT_APPLICABLE
    assert finding(tmp_path, "B18", fence(1.6), NEAR, change).verdict == audit.MET


def test_mobile_is_stationary_for_an_edition_without_mobile_rules(tmp_path):
    assert finding(tmp_path, "B17", fence(1.6), NEAR, IFC).verdict == audit.MET


def test_a_unit_outside_the_fence(tmp_path):
    found = finding(tmp_path, "B28a", fence(-3.0))
    assert (found.verdict, found.worst.value, found.worst.words) == (
        audit.NOT_MET,
        0.0,
        "not inside the fence",
    )


def test_a_high_roof_is_judged_by_its_exception(tmp_path):
    assert finding(tmp_path, "B14", of_high_roof()).reason == "judged by B16a"
    assert finding(tmp_path, "B14", roof()).verdict == audit.MET
    assert finding(tmp_path, "B14", room(floor_above_vehicle_access_m=30)).verdict == audit.NOT_MET


@pytest.mark.parametrize("edition", fields.EDITIONS[1:])
@pytest.mark.parametrize(
    "identity, key, most_m",
    [
        ("B14", "floor_above_vehicle_access_m", 22.86),
        ("B15", "floor_below_exit_discharge_m", 9.144),
    ],
)
def test_the_deck_of_an_open_garage_is_a_floor(tmp_path, edition, identity, key, most_m):
    deck = ({"edition": edition}, mode("open_garage"))
    assert finding(tmp_path, identity, *deck, {key: most_m}).verdict == audit.MET
    found = finding(tmp_path, identity, *deck, {key: most_m + 0.001})
    assert (found.verdict, found.worst.value, found.facts) == (audit.NOT_MET, most_m + 0.001, ())
    unsaid = finding(tmp_path, identity, *deck)
    assert (unsaid.verdict, unsaid.facts) == (audit.NEEDS_FACT, (key,))
    small = finding(tmp_path, identity, *deck, {key: 30}, model(energy_kWh=10))
    assert small.reason == scopes.BELOW


def test_a_yard_has_no_floor_and_a_roof_no_room(tmp_path):
    assert (
        finding(tmp_path, "B14", NEAR).reason
        == finding(tmp_path, "B15", NEAR).reason
        == ("no floor of a building")
    )
    assert finding(tmp_path, "B15", roof()).reason == "no room"
    for identity in ("B14", "B15"):
        assert finding(tmp_path, identity, garage("garage")).verdict == audit.NOT_APPLICABLE


def test_roofs_and_garages_have_distances_of_their_own_where_the_edition_has(tmp_path):
    for changes in ((mode("open_garage"),), (roof(),)):
        assert (
            "rules of its own"
            in finding(tmp_path, "B18", *changes, exposure("building", 1.0)).reason
        )
    assert finding(tmp_path, "B17", roof(), IFC, exposure("building", 1.0)).verdict == audit.NOT_MET


WIDE_ROOF = roof(outline_m=[[-20, -20], [80, -20], [80, 80], [-20, 80]])
ABOVE = pytest.mark.parametrize(
    "edition, place",
    [
        *[
            (edition, place)
            for edition in fields.EDITIONS[1:]
            for place in (WIDE_ROOF, mode("open_garage"))
        ],
        (fields.IFC_2018, WIDE_ROOF),
    ],
)


@ABOVE
@pytest.mark.parametrize(
    "identity, changes",
    [
        ("B20", [exposure("egress", 0.5)]),
        ("B21", [model(container="combustible", rack_to_container_wall_m=0.1)]),
        ("B23a", [FAR_B, model(walk_in=True, size_m=[2.0, 16.2])]),
        ("B23b", [model(walk_in=True, size_m=[2.5, 3.0])]),
        ("B23c", [model(walk_in=True, height_m=2.9)]),
        ("B23d", [model(walk_in=True, entry_for_maintenance_only=False)]),
        ("B24", [exposure("vegetation", 0.5)]),
    ],
)
def test_other_outdoor_rules_hold_on_a_roof_and_in_an_open_garage(
    tmp_path, edition, place, identity, changes
):
    found = finding(tmp_path, identity, {"edition": edition}, place, *changes)
    assert found.verdict == (
        audit.NOT_MET if edition in found.rule.clauses else audit.NOT_APPLICABLE
    )


@ABOVE
def test_a_walk_in_unit_counts_as_a_room_on_a_roof_and_in_an_open_garage(tmp_path, edition, place):
    entered = ({"edition": edition}, place, model(walk_in=True))
    assert finding(tmp_path, "B22", *entered).verdict == audit.APPLIES
    assert finding(tmp_path, "B22", *entered, model(walk_in=None)).verdict == audit.NEEDS_FACT


@ABOVE
def test_distances_to_exposures_are_replaced_where_the_edition_has_its_own(
    tmp_path, edition, place
):
    own = "a roof or garage has rules of its own"
    assert finding(tmp_path, "B19", {"edition": edition}, place, building(1.0, **WALL)).reason == (
        "no distance is reduced" if edition == fields.IFC_2018 else own
    )


def test_a_prepackaged_unit_is_judged_by_its_listing_and_a_larger_one_by_its_test(tmp_path):
    listed = (IFC, NEAR, model(prepackaged=True))
    assert finding(tmp_path, "B4", *listed, model(energy_kWh=200)).reason == "judged by B6"
    assert finding(tmp_path, "B7a", *listed, model(energy_kWh=250)).verdict == audit.NOT_APPLICABLE
    large = model(energy_kWh=251, **TESTED)
    assert finding(tmp_path, "B6", *listed, large).reason == "judged by B7a"
    assert finding(tmp_path, "B7a", *listed, large).verdict == audit.MET
    assert finding(tmp_path, "B6", *listed, model(energy_kWh=250, **TESTED)).verdict == audit.MET


def test_what_a_fire_area_over_its_maximum_lacks(tmp_path):
    large = (model(energy_kWh=301), {"hazard_mitigation_analysis": None})
    assert finding(tmp_path, "B12", NEAR, *large).facts == (
        "hazard_mitigation_analysis and large_scale_fire_test",
    )
    assert finding(tmp_path, "B12", room(), *large).facts == (
        "hazard_mitigation_analysis and large_scale_fire_test, or area.room.group_H",
    )


def two_rooms(apart_m, first_h, second_h, **facts):
    """A unit of 301 kWh in each of two rooms side by side; a rating None is not said."""
    x = 10 + apart_m
    outlines_m = {
        "r": [[0, 0], [10, 0], [10, 9], [0, 9]],
        "s": [[x, 0], [x + 9, 0], [x + 9, 9], [x, 9]],
    }
    said = {
        name: {**ROOM, "outline_m": outlines_m[name], "fire_rating_h": rating_h, **facts}
        for name, rating_h in (("r", first_h), ("s", second_h))
    }
    return (
        IFC,
        {"place": "indoors", "area": said, "hazard_mitigation_analysis": None},
        model(energy_kWh=301),
        {"unit": {"b": {"center_m": [x + 4.0, 5.0]}}},
    )


@pytest.mark.parametrize(
    "apart_m, first_h, second_h, is_one",
    [
        (0, 0, 0, True),
        (0, None, None, True),
        (0, 0, None, True),
        (0.5, 0, 0, True),
        (0.501, 0, 0, False),
        (0, 2, 0, False),
        (0, None, 2, False),
        (0, 0.1, 0.1, True),
        (0, 1, None, True),
        (0, 1.999, 1.999, True),
        (0, 1.999, 2, False),
        (0, 3, 1, False),
    ],
)
def test_rooms_with_no_wall_of_two_hours_between_are_one_fire_area(
    tmp_path, apart_m, first_h, second_h, is_one
):
    found = finding(tmp_path, "B11", *two_rooms(apart_m, first_h, second_h))
    assert (found.verdict, found.worst.value) == (
        (audit.NOT_MET, 602) if is_one else (audit.MET, 301)
    )
    assert found.worst.names == ("r + s" if is_one else "r", "lithium_ion")


def test_a_fire_area_goes_on_through_a_room_without_units(tmp_path):
    apart = two_rooms(3, 0, 0)
    assert finding(tmp_path, "B11", *apart).verdict == audit.MET
    lobby = {
        "area": {
            "lobby": {**ROOM, "outline_m": [[10, 0], [13, 0], [13, 9], [10, 9]], "fire_rating_h": 0}
        }
    }
    assert finding(tmp_path, "B11", *apart, lobby).worst.names == ("r + s", "lithium_ion")
    assert (
        finding(tmp_path, "B11", *apart, lobby, {"area": {"lobby": {"fire_rating_h": 2}}}).verdict
        == audit.MET
    )


def test_what_a_fire_area_of_several_rooms_lacks(tmp_path):
    def lacks(*changes):
        return finding(tmp_path, "B12", *two_rooms(0, *changes)).facts

    papers = (
        "hazard_mitigation_analysis and large_scale_fire_test, or area.r.group_H and area.s.group_H"
    )
    assert lacks(0, 0) == (papers,)
    assert lacks(None, 0) == (papers + ", or area.r.fire_rating_h",)
    assert lacks(None, None) == (papers + ", or area.r.fire_rating_h, or area.s.fire_rating_h",)
    assert finding(tmp_path, "B12", *two_rooms(0, 0, 0, group_H=True)).verdict == audit.MET
    one = {"area": {"s": {"group_H": False}}}
    assert finding(tmp_path, "B11", *two_rooms(0, 0, 0, group_H=True), one).verdict == audit.NOT_MET


def test_each_room_of_a_fire_area_answers_for_itself(tmp_path):
    both = two_rooms(0, 0, 2, floor_above_vehicle_access_m=30)
    for changes in (both, two_rooms(0, 0, 0, floor_above_vehicle_access_m=30)):
        assert [item.names for item in finding(tmp_path, "B14", *changes).items] == [("r",), ("s",)]
    mixed = two_rooms(0, 0, 0) + (beside(10, technology="lead_acid", energy_kWh=10),)
    assert finding(tmp_path, "B13", *mixed).worst.names == ("r + s",)


def test_a_tall_unit_keeps_its_height_from_the_edge(tmp_path):
    found = finding(tmp_path, "B26a", roof(), model(height_m=4.6))
    assert (found.verdict, audit.limit_of(found.rule, found.worst)) == (audit.NOT_MET, 4.6)


@pytest.mark.parametrize(
    "location, limit_kWh", [("utility_closet", 40), ("garage", 80), ("accessory_structure", 80)]
)
def test_places_of_a_dwelling(tmp_path, location, limit_kWh):
    found = finding(tmp_path, "B32a", garage(location))
    assert audit.limit_of(found.rule, found.worst) == limit_kWh
    outside = finding(tmp_path, "B32a", mode("dwelling"))
    assert (outside.worst.names, audit.limit_of(outside.rule, outside.worst)) == (("outdoors",), 80)


@pytest.mark.parametrize(
    "identity, location, limit_kWh",
    [
        ("B32a", "utility_closet", 40),
        ("B32a", "garage", 80),
        ("B32a", "accessory_structure", 80),
        ("B32b", "other", 40),
    ],
)
@pytest.mark.parametrize("left_m", [10, 30])  # touching, and apart
def test_places_of_one_kind_count_together(tmp_path, identity, location, limit_kWh, left_m):
    def two(of_second, each_kWh):
        outlines_m = {
            "p": [[0, 0], [10, 0], [10, 9], [0, 9]],
            "q": [[left_m, 0], [left_m + 10, 0], [left_m + 10, 9], [left_m, 9]],
        }
        return (
            mode("dwelling"),
            model(energy_kWh=each_kWh),
            {"unit": {"b": {"center_m": [left_m + 5, 5.0]}}},
            {
                "area": {
                    name: {"outline_m": outline_m, "location": of}
                    for (name, outline_m), of in zip(
                        outlines_m.items(), (location, of_second), strict=True
                    )
                }
            },
        )

    found = finding(tmp_path, identity, *two(location, limit_kWh / 2 + 0.001))
    assert (found.verdict, found.worst.names) == (audit.NOT_MET, ("p", "q"))
    assert found.worst.value == pytest.approx(limit_kWh + 0.002)
    assert audit.limit_of(found.rule, found.worst) == limit_kWh
    assert finding(tmp_path, identity, *two(location, limit_kWh / 2)).verdict == audit.MET
    another = "garage" if location != "garage" else "other"
    assert finding(tmp_path, identity, *two(another, limit_kWh)).verdict == audit.MET


@pytest.mark.parametrize(
    "technology, threshold_kWh, most_kWh",
    [
        ("lithium_ion", 20, 600),
        ("lead_acid", 70, None),
        ("nickel_cadmium", 70, None),
        ("sodium", 20, 600),
        ("sodium_ion", 70, 200),
        ("flow", 20, 600),
        ("other", 10, 200),
    ],
)
def test_technologies(tmp_path, technology, threshold_kWh, most_kWh):
    def one(energy_kWh):
        return (NEAR, model(technology=technology, energy_kWh=energy_kWh), {"unit": {"b": None}})

    assert finding(tmp_path, "B1", *one(threshold_kWh)).verdict == audit.NOT_APPLICABLE
    assert finding(tmp_path, "B1", *one(threshold_kWh + 0.001)).verdict == audit.APPLIES
    found = finding(tmp_path, "B11", *one(1_900))
    assert found.verdict == (audit.NOT_MET if most_kWh else audit.NOT_APPLICABLE)
    assert most_kWh is None or audit.limit_of(found.rule, found.worst) == most_kWh


def test_the_newest_edition_wants_both_tests(tmp_path):
    without = model(large_scale_fire_test=None)
    assert finding(tmp_path, "B8", NEWEST, NEAR, LARGE, without).verdict == audit.NEEDS_FACT
    assert finding(tmp_path, "B8", NEAR, LARGE, without).verdict == audit.NOT_APPLICABLE


def beside(distance_m, **facts):
    """Unit b of a model n of its own, so far from unit a."""
    return {
        "model": {"n": {**MODEL, **facts}},
        "unit": {"b": {"model": "n", "center_m": [6.0 + distance_m, 5.0]}},
    }


def test_the_wider_spacing_of_two_tests_holds(tmp_path):
    wider = {**TESTED, "ul_9540a_spacing_m": 0.8}
    for identity, base in (("B7c", (NEAR, LARGE)), ("B33", (mode("dwelling"), model(**TESTED)))):
        found = finding(tmp_path, identity, *base, beside(0.799, **wider))
        assert (found.verdict, audit.limit_of(found.rule, found.worst)) == (audit.NOT_MET, 0.8)
        assert finding(tmp_path, identity, *base, beside(0.8, **wider)).verdict == audit.MET


@pytest.mark.parametrize(
    "tested_m, limit_m, words",
    [(0.5, 0.5, "as tested"), (0.913, 0.913, "as tested"), (0.914, 0.914, ""), (1.2, 0.914, "")],
)
def test_a_test_of_a_dwelling_only_relaxes(tmp_path, tested_m, limit_m, words):
    tested = (mode("dwelling"), model(**{**TESTED, "ul_9540a_spacing_m": tested_m}))
    found = finding(tmp_path, "B33", *tested, spaced(limit_m))
    assert (found.verdict, audit.limit_of(found.rule, found.worst), found.worst.words) == (
        audit.MET,
        limit_m,
        words,
    )
    assert finding(tmp_path, "B33", *tested, spaced(limit_m - 0.001)).verdict == audit.NOT_MET


def test_a_fire_area_over_its_maximum_needs_the_test_of_every_unit(tmp_path):
    mixed = (room(), model(energy_kWh=400, **TESTED), beside(5, energy_kWh=400))
    assert finding(tmp_path, "B11", *mixed).verdict == audit.NOT_MET
    assert finding(tmp_path, "B12", *mixed).verdict == audit.NEEDS_FACT


def test_mixed_technologies_have_the_least_threshold_and_the_least_maximum(tmp_path):
    lead = beside(5, technology="lead_acid", energy_kWh=10)
    assert finding(tmp_path, "B1", NEAR, model(energy_kWh=10.001), lead).verdict == audit.APPLIES
    found = finding(
        tmp_path,
        "B13",
        NEAR,
        model(energy_kWh=100),
        beside(5, technology="sodium_ion", energy_kWh=101),
    )
    assert (found.verdict, audit.limit_of(found.rule, found.worst)) == (audit.NOT_MET, 200)


def test_a_unit_closer_to_a_wall_relies_on_its_test(tmp_path):
    close = (room(), {"unit": {"a": {"center_m": [1.0, 5.0]}}})
    assert finding(tmp_path, "B7a", *close).verdict == audit.NEEDS_FACT
    assert finding(tmp_path, "A96c", *close, model(**TESTED)).verdict == audit.MET
    assert (
        finding(
            tmp_path, "A96c", *close, model(**{**TESTED, "ul_9540a_no_flaming_outside": False})
        ).verdict
        == audit.NOT_MET
    )


def test_a_container_that_is_not_described_may_be_combustible(tmp_path):
    found = finding(tmp_path, "B21", model(container=None))
    assert (found.verdict, found.facts) == (audit.NEEDS_FACT, ("model.m.container",))


def test_what_calls_for_the_analysis(tmp_path):
    none = {"hazard_mitigation_analysis": None}
    large = (room(), model(energy_kWh=400))
    for changes in ((beside(5, technology="lead_acid"),), large):
        found = finding(tmp_path, "A66", none, *changes)
        assert (found.verdict, found.facts) == (
            audit.NEEDS_FACT,
            ("hazard_mitigation_analysis",),
        ), changes
    assert finding(tmp_path, "A66", none, *large, {"dedicated_building": True}).reason == (
        "nothing calls for it"
    )


@pytest.mark.parametrize("kind", ["egress", "air_intake", "opening"])
def test_people_nearby_are_an_exposure_as_well(tmp_path, kind):
    near = exposure(kind, 20.0)
    assert finding(tmp_path, "B10", near).verdict == audit.APPLIES
    assert finding(tmp_path, "B4", near, model(energy_kWh=51)).verdict == audit.NOT_MET


def test_a_roof_is_never_remote(tmp_path):
    assert finding(tmp_path, "B4", roof(), model(energy_kWh=51)).verdict == audit.NOT_MET


def test_rated_walls_belong_to_the_papers_of_a_room(tmp_path):
    parts = [part for part in fields.PERMIT_PARTS if part != "rated_walls"]
    assert finding(tmp_path, "A77", {"permit_file": parts}).verdict == audit.MET
    assert finding(tmp_path, "A77", room(), {"permit_file": parts}).verdict == audit.NOT_MET


def test_no_test_reduces_a_distance_below_three_feet(tmp_path):
    tested = model(large_scale_fire_test="test 1", exposure_spacing_tested_m=0.5)
    assert finding(tmp_path, "B19", exposure("building", 0.913), tested).verdict == audit.NOT_MET
    assert finding(tmp_path, "B19", exposure("building", 0.914), tested).verdict == audit.MET


def test_one_model_that_says_it_does_not_speak_for_another(tmp_path):
    walk_in = model(walk_in=True, entry_for_maintenance_only=True)
    other = {
        "model": {"n": {**MODEL, "size_m": [20, 3]}},
        "unit": {"b": {"model": "n", "center_m": [40.0, 5.0]}},
    }
    assert finding(tmp_path, "B22", walk_in, other).verdict == audit.APPLIES
    found = finding(tmp_path, "B22", walk_in, other, {"model": {"n": {"walk_in": None}}})
    assert (found.verdict, found.facts, found.worst.names) == (
        audit.NEEDS_FACT,
        ("model.n.walk_in",),
        ("m",),
    )


def test_a_violation_beside_a_missing_fact_is_a_violation(tmp_path):
    found = finding(tmp_path, "B18", exposure("building", 1.0), {"absent": ["hazmat"]})
    assert found.verdict == audit.NOT_MET
    assert found.facts == (
        "exposures of kind lot_line, public_way, combustibles, "
        "high_piled_stock, other, "
        "or these words in absent",
    )


def test_the_worst_of_several_is_named_and_all_are_kept(tmp_path):
    three = {
        "unit": {
            "c": {"model": "m", "center_m": [12.4, 5.0]},
            "d": {"model": "m", "center_m": [13.7, 5.0]},
        }
    }
    found = finding(tmp_path, "B5a", NEAR, three)
    assert found.worst.names == ("c", "d") and [item.names for item in found.wrong] == [
        ("c", "d"),
        ("b", "c"),
    ]
