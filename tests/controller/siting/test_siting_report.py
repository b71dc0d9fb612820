"""The siting report: exit codes, what the examples print, width and alphabet; the document; the
plan as SVG.
"""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from siting_cases import LARGE, NEAR, building, exposure, fence, garage, mode, model, room, spaced
from siting_sites import content, site, toml

from controller import __main__ as firebreak
from controller.siting import audit, distances, geometry, labels, lot, plan, plan_parts, report
from controller.siting import fields as f

EXAMPLES = Path(report.__file__).parents[1] / "sites" / "siting"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.toml"))
SVG = "{http://www.w3.org/2000/svg}"


def siting(capsys, *arguments):
    """(exit code, standard output) of the command."""
    code = firebreak.main(["siting", *map(str, arguments)])
    return code, capsys.readouterr().out


def line_of(text, identity):
    """The first line of a rule in the report."""
    return next(line for line in text.splitlines() if line.startswith(f"  {identity} "))


@pytest.mark.parametrize(
    "name, code, lines",
    [
        (
            "yard",
            0,
            {
                "B18": r"4\.781 m +>= 3\.048 m  met$",
                "B19": r"1\.881 m +>= 0\.914 m  met$",
                "B7c": r"3\.442 m +>= 3\.000 m  met$",
                "B12": "said +yes  met$",
            },
        ),
        (
            "room",
            1,
            {
                "B4": "96 kWh +<= 50 kWh  NOT MET$",
                "B5a": r"0\.600 m +>= 0\.914 m  NOT MET$",
                "B5b": r"1\.000 m +>= 0\.914 m  "
                r"met$",
                "B7a": "- +yes  needs a fact$",
                "A50": "no +yes  NOT MET$",
            },
        ),
        (
            "pods",
            0,
            {
                "B28a": r"2\.293 m +>= 1\.524 m  met$",
                "B28c": r"5\.944 m +>= 3\.048 m  met$",
                "B28d": r"17\.293 m +>= 15\.300 m  met$",
            },
        ),
    ],
)
def test_the_examples(capsys, name, code, lines):
    done, text = siting(capsys, EXAMPLES / f"{name}.toml")
    assert done == code and name in NAMES
    for identity, words in lines.items():
        assert re.search(words, line_of(text, identity)), line_of(text, identity)


def test_every_example_has_its_claim():
    assert NAMES == ["pods", "room", "yard"]


@pytest.mark.parametrize("name", NAMES)
def test_ascii_in_eighty_columns_and_no_word_too_much(capsys, name):
    _, text = siting(capsys, EXAMPLES / f"{name}.toml")
    assert text.isascii() and max(map(len, text.splitlines())) <= 80
    assert not re.search("complian|certif", text, re.IGNORECASE)
    for words in ("AHJ", "adopted", "UL 9540", "hazard mitigation"):
        assert words in re.sub(r"\s+", " ", text)


def test_a_walk_in_unit_is_not_said_to_be_looked_into(tmp_path):
    given = site(tmp_path, model(walk_in=True, entry_for_maintenance_only=True))
    words = " ".join(report.text(given, audit.audit(given)).split())
    assert "B22 walk-in unit counts as a room yes - applies" in words
    assert (
        "Not covered: " in words
        and ("the inside of a walk-in unit, which counts as a room (B22)") in words
    )


def test_every_rule_is_in_the_report_once(capsys):
    _, text = siting(capsys, EXAMPLES / "yard.toml")
    table, rest = text.split("NOT APPLICABLE\n")
    words = " ".join(rest.split("GROUPS")[0].split())
    for rule in audit.rules.RULES:
        listed = re.findall(rf"^  {rule.id} ", table, re.MULTILINE)
        aside = [part for part in words.split() if part == rule.id]
        assert len(listed) + min(1, len(aside)) == 1, rule.id


def test_confidence_is_said_in_words(tmp_path):
    given = site(tmp_path, exposure("building", 9))
    text = report.text(given, audit.audit(given))
    assert "855 9.5.2.6 (?), IFC 1207.8.3 (?); unconfirmed" in text
    old = site(tmp_path, {"edition": "ifc_2018"}, exposure("building", 9))
    assert "1206.2.8.7.1 (?); read in a primary text" in report.text(old, audit.audit(old))


@pytest.mark.parametrize(
    "changes, code",
    [([], 0), ([building(1.0)], 1), ([model(ul_9540_listing=None)], 1), ([{"edition": "x"}], 2)],
)
def test_exit_codes(tmp_path, capsys, changes, code):
    path = tmp_path / "site.toml"
    path.write_text(toml(content(*changes)))
    assert siting(capsys, path)[0] == code


@pytest.mark.parametrize("option", ["--svg", "--json"])
@pytest.mark.parametrize(
    "path, words",
    [
        ("nowhere/plan", "No such file or directory"),
        ("/dev/full", "No space left"),
        ("", "No such file or directory"),
    ],
)
def test_an_output_that_cannot_be_written(tmp_path, capsys, monkeypatch, option, path, words):
    monkeypatch.chdir(tmp_path)
    assert firebreak.main(["siting", str(EXAMPLES / "yard.toml"), option, path]) == 3
    out, err = capsys.readouterr()
    assert (
        out == ""
        and err.startswith(f"firebreak: {path or repr(path)}: {words}")
        and err.count("\n") == 1
    )


@pytest.mark.parametrize(
    "identity, changes, words",
    [
        ("B11", [NEAR, model(energy_kWh=300.0002)], r"600\.0004 kWh +<= 600 kWh  NOT MET"),
        ("B14", [room(floor_above_vehicle_access_m=22.8605)], r"22\.8605 m +<= 22\.860 m  NOT MET"),
    ],
)
def test_a_small_excess_is_seen(tmp_path, identity, changes, words):
    given = site(tmp_path, *changes)
    assert re.search(words, line_of(report.text(given, audit.audit(given)), identity))


@pytest.mark.parametrize(
    "arguments",
    [["--svg", "site.toml"], ["--json", "./link.toml"], ["--svg", "out", "--json", "../there/out"]],
)
def test_no_output_takes_the_place_of_another_file_of_the_command(
    tmp_path, capsys, monkeypatch, arguments
):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    path = tmp_path / "there" / "site.toml"
    path.write_text(toml(content()))
    (tmp_path / "there" / "link.toml").symlink_to(path)
    assert firebreak.main(["siting", "site.toml", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "is named twice; allowed a file of its own" in err and err.count("\n") == 1
    assert path.read_text() == toml(content()) and not (tmp_path / "there" / "out").exists()
    assert siting(capsys, "site.toml", "--svg", "/dev/null", "--json", "/dev/null")[0] == 0


def test_a_shortfall_of_a_millimetre_is_seen(tmp_path):
    given = site(tmp_path, NEAR, spaced(0.9139))
    text = report.text(given, audit.audit(given))
    assert re.search(r"0\.913 m +>= 0\.914 m  NOT MET", line_of(text, "B5a"))


def test_the_document(tmp_path, capsys):
    path = tmp_path / "out.json"
    assert siting(capsys, EXAMPLES / "room.toml", "--json", path)[0] == 1
    found = json.loads(path.read_text())
    by_id = {each["id"]: each for each in found["rules"]}
    assert list(by_id) == [rule.id for rule in audit.rules.RULES]
    assert (
        not found["is_met"]
        and found["total_kWh"] == 288
        and found["fire_areas"] == {"room_0_14": 288}
    )
    assert by_id["B5a"]["verdict"] == "not met" and by_id["B5a"]["worst"]["required"] == 0.914
    assert [each["between"] for each in by_id["B5a"]["not_met"]] == [
        ["rack_1", "rack_2"],
        ["rack_2", "rack_3"],
    ]
    assert (
        by_id["B7a"]["missing"] == ["model.rack.ul_9540a_report"]
        and by_id["B18"]["reason"] == "not outdoors"
    )
    assert {each["confidence"] for each in found["rules"]} <= {*audit.rules.CONFIDENCE.values(), ""}


def open_rooms():
    """Units of 301 kWh in two rooms of long names with no rated wall between them, one more in a
    rated room.
    """
    areas = {
        name: {"outline_m": [[x, 0], [x + 9, 0], [x + 9, 9], [x, 9]], "fire_rating_h": rating_h}
        for x, name, rating_h in (
            (0, "the_first_room_", 0),
            (9, "the_second_room_", 0),
            (18, "rated", 2),
        )
    }
    units = {
        name: {"model": "m", "center_m": [x, 4.5]}
        for name, x in (("a", 4.5), ("b", 13.5), ("c", 22.5))
    }
    return {"edition": "ifc_2018", "place": "indoors", "area": areas, "unit": units}, model(
        energy_kWh=301
    )


def test_rooms_of_one_fire_area_are_named_together(tmp_path):
    given = site(tmp_path, *open_rooms())
    findings = audit.audit(given)
    text = report.text(given, findings)
    assert "  the_first_room_ + the_second_room_        602 kWh in 2 unit(s)\n  rated " in text
    assert max(map(len, text.splitlines())) <= 80
    assert report.document(given, findings)["fire_areas"] == {
        "the_first_room_ + the_second_room_": 602,
        "rated": 301,
    }
    looks = {
        each.get("id"): each.get("stroke") for each in drawn(given)[0].iter() if each.get("id")
    }
    assert {
        name: look == plan_parts.BAD for name, look in looks.items() if name.startswith("area.")
    } == {"area.the_first_room_": True, "area.the_second_room_": True, "area.rated": False}


# -- what is far away


def told(given):
    """All that is said of a site."""
    findings = audit.audit(given)
    return report.text(given, findings), report.document(given, findings), plan.svg(given, findings)


def spread(*distances_m):
    """An egress so far to the right of unit b each, the first one last in the file."""
    return {
        "exposure": {
            f"e{number}": {"kind": "egress", "point_m": [11.5 + distance_m, 5.0]}
            for number, distance_m in reversed(list(enumerate(distances_m)))
        }
    }


FAR_A = {"unit": {"a": {"center_m": [-38.5, 5.0]}}}  # 49 m from unit b


@pytest.mark.parametrize(
    "changes",
    [
        [
            building(
                2.0, wall_fire_rating_h=2, wall_noncombustible=True, wall_without_openings=True
            ),
            FAR_A,
        ],
        [garage("garage"), FAR_A, exposure("opening", 20.0)],
        [garage("garage"), exposure("opening", 40.0)],
        [
            garage("garage", outline_m=[[-60, 0], [8, 0], [8, 20], [-60, 20]]),
            FAR_A,
            exposure("opening", 40.0),
        ],
        *[
            [
                garage("garage", outline_m=[[8, 0], [20, 0], [20, 20], [8, 20]]),
                FAR_A,
                exposure("opening", distance_m),
            ]
            for distance_m in (12.0, 40.0)
        ],
        [spread(45.0, 40.0, 40.0, 31.0)],
        [spread(20.0, 20.0, 45.0), FAR_A],
        [spread(30.5, 30.501, 31.0), FAR_A],
        [exposure("lot_line", 33.0), FAR_A],
        [exposure("public_way", 0, line_m=[[42.0, -90], [60, 5], [42, 90]]), FAR_A],
        [fence(1.6), building(14.0, occupant_load=40), FAR_A],
        [mode("open_garage"), exposure("air_intake", 60.0), FAR_A],
    ],
)
def test_what_is_left_out_as_too_far_changes_nothing_that_is_said(tmp_path, changes):
    given, whole = site(tmp_path, *changes), site(tmp_path, *changes)
    whole.__dict__["exposure_gaps"] = [
        (unit, each, geometry.gap(unit.shape, each.shape))
        for unit in whole.units
        for each in whole.exposures
    ]
    assert told(given) == told(whole)


def test_a_reduced_distance_leaves_the_rule_to_the_units_far_away(tmp_path):
    wall = {"wall_fire_rating_h": 2, "wall_noncombustible": True, "wall_without_openings": True}
    found = {
        each.rule.id: each for each in audit.audit(site(tmp_path, building(2.0, **wall), FAR_A))
    }
    assert (found["B19"].verdict, found["B19"].worst.value) == (audit.MET, pytest.approx(2.0))
    assert (found["B18"].verdict, found["B18"].worst.value) == (audit.MET, pytest.approx(51.5))


def test_only_what_is_near_is_measured_and_the_next_beyond(tmp_path):
    units = {f"u{index}": {"model": "m", "center_m": [index * 10.0, 0.0]} for index in range(20)}
    mills = {
        f"m{index}": {"kind": "building", "point_m": [index * 10.0 + 5, 0.0]}
        for index in range(29, -6, -1)
    }
    given = site(tmp_path, {"unit": None}, {"unit": units, "exposure": mills})
    of_last = [
        (unit.name, round(gap.distance_m, 6))
        for unit, each, gap in given.exposure_gaps
        if each.name == "m29"
    ]
    assert of_last == [("u19", 104.5)]
    of_tenth = [unit.name for unit, each, _ in given.exposure_gaps if each.name == "m10"]
    # two at 34.5 m: both may be the next beyond
    assert of_tenth == [f"u{index}" for index in range(7, 15)]
    assert [each.name for _, each, _ in given.nearest_units] == list(mills)


# -- the plan


def drawn(given):
    """(root element, ids in order) of a plan."""
    root = ElementTree.fromstring(plan.svg(given, audit.audit(given)))
    return root, [each.get("id") for each in root.iter() if each.get("id")]


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_holds_everything_once(name):
    from controller.siting import reading

    given = reading.load(str(EXAMPLES / f"{name}.toml"))
    root, ids = drawn(given)
    wanted = [f"unit.{each.name}" for each in given.units] + [
        f"area.{each.name}" for each in given.areas
    ]
    wanted += [f"exposure.{each.name}" for each in given.exposures]
    wanted += [f"barrier.{each.name}" for each in given.barriers]
    wanted += [
        "distance." + ".".join(each.item.names)
        for each in distances.shown(audit.audit(given), given)
    ]
    wanted += ["view", "north", "scale", "legend"] + (["fence"] if given.fence else [])
    assert sorted(ids) == sorted(wanted)
    words = " ".join(root.itertext())
    for unit in given.units:
        assert unit.name in words and f"{unit.energy_kWh:g} kWh" in words


def test_each_unit_has_its_binding_distance(tmp_path):
    given = site(tmp_path, NEAR, spaced(0.5), building(3.2))
    found = distances.binding(audit.audit(given), given)
    assert [(each.rule.id, each.item.names, each.is_met) for each in found] == [
        ("B5a", ("a", "b"), False)
    ]
    apart = site(tmp_path, building(3.1))
    found = distances.binding(audit.audit(apart), apart)
    assert [(each.rule.id, each.item.names, each.is_met) for each in found] == [
        ("B5a", ("a", "b"), True),
        ("B18", ("b", "house"), True),
    ]


@pytest.mark.parametrize(
    "name, judged, further",
    [
        (
            "yard",
            {
                ("pod_1", "hall_3"): "4.781 m (B18?: 3.048)",
                ("pod_2", "hall_exit"): "4.812 m (B20?: 3.048)",
                ("pod_1", "hedge"): "4.971 m (B24?: 3.048)",
                ("pod_3", "road"): "4.881 m (B18?: 3.048)",
                ("pod_3", "lot_line"): "1.881 m (B19?: 0.914)",
                ("pod_4", "lot_line"): "1.881 m (B19?: 0.914)",
                ("pod_1", "pod_2"): "3.442 m (B7c?: 3.000)",
            },
            {
                ("pod_1", "pod_3"): "3.462 m",
                ("pod_2", "pod_4"): "3.462 m",
                ("pod_3", "pod_4"): "3.442 m",
            },
        ),
        (
            "room",
            {
                ("rack_1", "rack_2"): "! 0.600 m (B5a: 0.914)",
                ("rack_2", "rack_3"): "! 0.600 m (B5a: 0.914)",
                ("rack_1", "room_0_14"): "1.000 m (B5b: 0.914)",
            },
            {
                ("rack_1", "room_0_14", "wall_1"): "1.100 m",
                ("rack_3", "room_0_14", "wall_2"): "1.900 m",
                ("rack_3", "room_0_14", "wall_3"): "1.100 m",
                ("rack_1", "room_0_14", "wall_5"): "2.400 m",
            },
        ),
        (
            "pods",
            {
                ("pod_a", "canteen"): "17.293 m (B28d?: 15.300)",
                ("pod_a", "fence"): "2.293 m (B28a?: 1.524)",
                ("pod_b", "fence"): "2.293 m (B28a?: 1.524)",
                ("pod_a", "switch_house"): "5.944 m (B28c?: 3.048)",
                ("pod_b", "lot_line"): "7.444 m (B28c?: 3.048)",
                ("pod_b", "street"): "7.444 m (B28c?: 3.048)",
            },
            {("pod_a", "pod_b"): "3.008 m"},
        ),
    ],
)
def test_the_distances_of_the_examples(name, judged, further):
    """Of each unit, each exposure, each wall and between neighbours; each with its words on the
    plan.
    """
    from controller.siting import reading

    given = reading.load(str(EXAMPLES / f"{name}.toml"))
    found = distances.shown(audit.audit(given), given)
    assert {each.item.names for each in found if each.rule} == set(judged)
    assert {each.item.names for each in found if not each.rule} == set(further)
    words = [each.text for each in drawn(given)[0].iter(f"{SVG}tspan")]
    for text in [*judged.values(), *further.values()]:
        assert words.count(text) == [*judged.values(), *further.values()].count(text), text


def test_all_that_is_not_met_is_drawn_so(tmp_path):
    """A pair that bound neither of its units, each being nearer to something else, was drawn as a
    further distance.
    """
    # 1 m from a
    house = {"kind": "building", "outline_m": [[-4, 0], [3.5, 0], [3.5, 10], [-4, 10]]}
    third = {"c": {"model": "m", "center_m": [8.3, 5.0]}}
    given = site(tmp_path, NEAR, spaced(0.8), {"unit": third, "exposure": {"house": house}})
    found = {each.item.names: each for each in distances.shown(audit.audit(given), given)}
    assert {
        names: round(each.item.gap.distance_m, 3)
        for names, each in found.items()
        if not each.is_met
    } == {("a", "house"): 1.0, ("b", "house"): 2.8, ("a", "b"): 0.8, ("b", "c"): 0.5}
    bound = {each.item.names for each in distances.binding(audit.audit(given), given)}
    assert bound == {("a", "house"), ("b", "c")}
    assert [each.text for each in drawn(given)[0].iter(f"{SVG}tspan")].count(
        "! 0.800 m (B5a?: 0.914)"
    ) == 1


def behind_a_barrier(folder, *changes):
    """{names: Distance} of a plan with a lot line at 1.5 m of a and 1.3 m of b; an exit at ten feet
    binds each.
    """
    line = {"kind": "lot_line", "line_m": [[-40, 7.0], [60, 7.0]], "inside_m": [5.0, 0.0]}
    exits = {f"exit_{x}": {"kind": "egress", "point_m": [x, 1.452]} for x in (5, 11)}
    wall = {"line_m": [[-9, 6.5], [25, 6.5]], "height_m": 4.0, "fire_rating_h": 1}
    given = site(
        folder,
        {
            "unit": {"b": {"center_m": [11.0, 5.2]}},
            "exposure": {"line": line, **exits},
            "barrier": {"wall": wall},
        },
        *changes,
    )
    findings = audit.audit(given)
    bound = {each.item.names for each in distances.binding(findings, given)}
    return (
        bound,
        {each.item.names: each for each in distances.shown(findings, given)},
        drawn(given)[0],
    )


def test_what_is_met_only_as_reduced_is_drawn(tmp_path):
    bound, found, root = behind_a_barrier(tmp_path)
    assert bound == {("a", "exit_5"), ("b", "exit_11")}
    for name, apart_m in (("a", 1.5), ("b", 1.3)):
        each = found[name, "line"]
        assert (each.rule.id, each.is_met, round(each.item.gap.distance_m, 3)) == (
            "B19",
            True,
            apart_m,
        )
    assert "1.500 m (B19?: 0.914)" in [each.text for each in root.iter(f"{SVG}tspan")]


def test_what_is_met_only_as_reduced_but_not_met_by_another_rule_is_red(tmp_path):
    nearer = {
        "exposure": {
            "other": {"kind": "lot_line", "line_m": [[-40, 3.2], [60, 3.2]], "inside_m": [5.0, 5.0]}
        }
    }
    bound, found, _ = behind_a_barrier(tmp_path, {"local": ["san_diego"]}, nearer)
    assert bound == {("a", "other"), ("b", "line")}
    assert [(found[name, "line"].rule.id, found[name, "line"].is_met) for name in "ab"] == [
        ("B36b", False)
    ] * 2


def test_of_a_crowd_only_the_nearest_reduced_distance_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(distances, "CROWD", 1)
    _, found, _ = behind_a_barrier(tmp_path)
    assert {names for names in found if "line" in names} == {("b", "line")}


def test_a_wall_around_a_corner_and_an_exposure_of_no_rule(tmp_path):
    """The room is an L: from the unit in its foot the short wall of the other arm is not seen."""
    outline_m = [[0, 0], [20, 0], [20, 8], [8, 8], [8, 20], [0, 20]]
    given = site(
        tmp_path,
        room(outline_m=outline_m),
        {"unit": {"a": {"center_m": [14.0, 5.0]}, "b": None}},
        {"exposure": {"fan": {"kind": "air_intake", "point_m": [14.0, 25.0]}}},
    )
    found = {
        each.item.names: each.item.gap.distance_m
        for each in distances.shown(audit.audit(given), given)
    }
    walls = {name[2]: found[name] for name in found if len(name) == 3}
    assert walls == pytest.approx({"wall_1": 4.5, "wall_2": 5.5, "wall_6": 13.5})
    assert found["a", "fan"] == pytest.approx(19.5) and found["a", "room"] == pytest.approx(2.5)


def test_the_headline_says_how_sure_the_rules_are(tmp_path, capsys):
    path, line = (
        tmp_path / "plan.svg",
        ("20 met, 15 of them by unconfirmed clauses (?), 0 not met, 0 need a fact"),
    )
    _, text = siting(capsys, EXAMPLES / "yard.toml", "--svg", path)
    assert f"RESULT: {line}" in text and f"rules: {line}" in path.read_text()
    given = site(tmp_path, {"edition": "ifc_2018"}, model(energy_kWh=10))
    assert report.headline(audit.audit(given)) == "0 met, 0 not met, 0 need a fact"
    local = {"local": ["san_diego"], "plume_model": "model 4"}
    apart = site(tmp_path, {"edition": "ifc_2018"}, model(energy_kWh=10), local)
    assert report.headline(audit.audit(apart)) == (
        "2 met, 2 by second-hand ones, 0 not met, 0 need a fact"
    )


def test_what_is_not_met_is_red_dashed_and_marked(tmp_path):
    root, _ = drawn(site(tmp_path, NEAR, spaced(0.5)))
    line = next(each for each in root.iter() if each.get("id") == "distance.a.b")
    assert line.get("stroke") == plan_parts.BAD and line.get("stroke-dasharray") != "none"
    assert "! 0.500 m (B5a?: 0.914)" in "".join(root.itertext())
    good = drawn(site(tmp_path, NEAR, spaced(1.0)))[0]
    line = next(each for each in good.iter() if each.get("id") == "distance.a.b")
    assert (line.get("stroke"), line.get("stroke-dasharray")) == (plan_parts.INK, "none")
    assert "! 1.000" not in "".join(good.itertext())


@pytest.mark.parametrize(
    "edition, rule, apart_m, mark, count",
    [
        ("nfpa855_2023_ifc_2021", "B5a?", 0.95, "", 3),
        ("nfpa855_2023_ifc_2021", "B5a?", 0.9, "! ", 3),
        ("ifc_2018", "B5a", 0.95, "", 2),
        ("ifc_2018", "B5a", 0.9, "! ", 3),
    ],
)
def test_in_a_crowd_a_distance_keeps_its_unit_and_the_doubt_about_its_rule(
    tmp_path, edition, rule, apart_m, mark, count
):
    """Thirty containers: some labels have room for all, some for the rule, some for the number
    only.
    """
    units = {
        f"container_number_{at}": {
            "model": "m",
            "center_m": [at % 5 * (6 + apart_m), at // 5 * (2 + apart_m)],
        }
        for at in range(30)
    }
    given = site(
        tmp_path,
        {"edition": edition, "unit": None},
        {"unit": units},
        exposure("public_way", 40),
        model(size_m=[6.0, 2.0]),
    )
    judged = [
        each
        for each in drawn(given)[0].iter(f"{SVG}text")
        if each.get("fill") in (plan_parts.INK, plan_parts.BAD)
    ]
    apart = f"{mark}{apart_m:.3f}"
    shown = {words for each in judged for words in each.itertext() if words.startswith(apart)}
    forms = {f"{apart} m ({rule}: 0.914)", f"{apart} m {rule}", f"{apart} m{rule[3:]}"}
    assert shown <= forms and len(shown) == count


def test_a_unit_too_large_is_marked(tmp_path):
    root, _ = drawn(site(tmp_path, NEAR, model(energy_kWh=51)))
    unit = next(each for each in root.iter() if each.get("id") == "unit.a")
    assert unit.get("stroke") == plan_parts.BAD and "! a" in "".join(root.itertext())


def test_the_plan_is_to_scale(tmp_path):
    """Pixels of a unit against the scale bar."""
    root, _ = drawn(site(tmp_path, NEAR))
    unit = next(each for each in root.iter() if each.get("id") == "unit.a")
    xs = [float(pair.split(",")[0]) for pair in unit.get("points").split()]
    bar = next(each for each in root.iter() if each.get("id") == "scale")
    bar_px = float(re.search(r"H([\d.]+)", bar.find(f"{SVG}path").get("d"))[1])
    bar_m = float(bar.find(f"{SVG}text").text.split()[0])
    assert (max(xs) - min(xs)) / bar_px == pytest.approx(1.0 / bar_m, rel=0.01)


@pytest.mark.parametrize("inside_m, factor", [([5.0, 5.0], -1), ([40.0, 5.0], 1)])
def test_ticks_of_an_open_lot_line_point_into_the_lot(tmp_path, inside_m, factor):
    """The line runs up the plan on the right of the units: into the lot is left of it."""
    given = site(tmp_path, NEAR)
    line = given.exposures[0]
    start, end = lot.inward(
        line._replace(facts={"inside_m": inside_m}), (31.5, 0.0), (31.5, 10.0), 0.5
    )
    assert start == (31.5, 5.0) and end == pytest.approx((31.5 + factor * 0.5, 5.0))
    words = "".join(drawn(given)[0].itertext())
    assert "tick: into the lot" in words


def drawn_on(root):
    """[[(x, y), (x, y)]] of what is drawn of an open lot line beyond its ends, in pixels."""
    return [
        points_of(each)
        for each in root.iter(f"{SVG}polyline")
        if each.get("stroke-dasharray") == plan_parts.DRAWN_ON["stroke_dasharray"]
    ]


def points_of(element):
    """Of a polyline, in pixels."""
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def test_a_distance_ends_on_the_lot_line_drawn_on(tmp_path):
    """Its written part lies above the view, which is as large as for a written line at that
    place.
    """
    root, ids = drawn(site(tmp_path, exposure("lot_line", 0, line_m=[[12.5, 90], [12.5, 100]])))
    written, _ = drawn(site(tmp_path, exposure("lot_line", 1.0)))
    assert root.get("viewBox") == written.get("viewBox") and "beyond the plan" not in "".join(
        root.itertext()
    )
    ((top, bottom),) = [sorted(each, key=lambda point: point[1]) for each in drawn_on(root)]
    frame = next(root.iter(f"{SVG}clipPath")).find(f"{SVG}rect")
    assert top[0] == bottom[0] and (top[1], bottom[1]) == (0, float(frame.get("height")))
    ends = {
        name: next(each for each in found.iter() if each.get("id") == "distance.b.e")
        .find(f"{SVG}line")
        .attrib
        for name, found in (("drawn_on", root), ("written", written))
    }
    assert ends["drawn_on"] == ends["written"] and float(ends["drawn_on"]["x2"]) == top[0]
    assert ids.count("exposure.e") == 1 and "lot line drawn on" in "".join(root.itertext())


def test_an_open_lot_line_is_drawn_on_from_both_its_ends_and_a_closed_one_not():
    from controller.siting import reading

    yard, pods = [
        drawn(reading.load(str(EXAMPLES / f"{name}.toml")))[0] for name in ("yard", "pods")
    ]
    said = points_of(next(each for each in yard.iter() if each.get("id") == "exposure.lot_line"))
    assert len(said) == 3 and [set(each) & set(said) for each in drawn_on(yard)] == [
        {said[0]},
        {said[-1]},
    ]
    assert drawn_on(pods) == [] and "drawn on" not in "".join(pods.itertext())


def test_what_lies_beyond_is_named(tmp_path):
    far = {"exposure": {"mill": {"kind": "building", "outline_m": [[500, 0], [510, 0], [510, 9]]}}}
    root, ids = drawn(site(tmp_path, far))
    assert "exposure.mill" not in ids and ("beyond the plan: mill (building)") in "".join(
        root.itertext()
    )


def test_texts_are_escaped_and_the_same_site_gives_the_same_bytes(tmp_path):
    given = site(tmp_path, {"name": "<b> & \"\u00e4\u96fb\" 'x'"}, fence(2.0))
    first, second = (plan.svg(given, audit.audit(given)) for _ in range(2))
    assert first == second and "<b>" not in first
    root = ElementTree.fromstring(first)
    assert root.find(f"{SVG}title").text == "Plan of <b> & \"\u00e4\u96fb\" 'x'"
    assert r"\xe4" in report.text(given, audit.audit(given))


@pytest.mark.parametrize("name", NAMES)
def test_no_label_of_an_example_covers_another(name, monkeypatch):
    from controller.siting import reading

    given = reading.load(str(EXAMPLES / f"{name}.toml"))
    boxes = []
    place = labels.Placer.place

    def kept(self, choices, x, y):
        lines, (center_x, center_y) = place(self, choices, x, y)
        wide, high = labels.size(lines)
        boxes.append(
            (center_x - wide / 2, center_y - high / 2, center_x + wide / 2, center_y + high / 2)
        )
        assert lines == choices[0]
        return lines, (center_x, center_y)

    monkeypatch.setattr(labels.Placer, "place", kept)
    plan.svg(given, audit.audit(given))
    assert len(boxes) > 4
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert (
                one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
            )


def test_a_site_of_many_units(tmp_path):
    """400 units on a grid: every one is audited and drawn."""
    units = {
        f"u{index}": {"model": "m", "center_m": [index % 20 * 1.5, index // 20 * 1.5]}
        for index in range(f.THINGS_MAX)
    }
    given = site(tmp_path, LARGE, {"unit": None}, {"unit": units}, exposure("lot_line", 40))
    found = audit.audit(given)
    assert audit.is_met(found) and given.total_kWh == 100 * f.THINGS_MAX
    assert len([each for each in drawn(given)[1] if each.startswith("unit.")]) == f.THINGS_MAX


def test_a_lone_unit_without_anything_near(tmp_path):
    given = site(tmp_path, {"unit": {"b": None}})
    assert (
        distances.binding(audit.audit(given), given) == [] and drawn(given)[1].count("unit.a") == 1
    )


def test_indoors_without_exposures(tmp_path):
    given = site(tmp_path, room())
    assert "none in the file" in report.text(given, audit.audit(given))


def test_the_examples_are_installed_with_the_package(tmp_path):
    import configparser

    setup = configparser.ConfigParser()
    setup.read(EXAMPLES.parents[2] / "setup.cfg")
    patterns = setup["options.package_data"]["controller"].split(", ")
    shutil.copytree(EXAMPLES, tmp_path / "sites" / "siting")
    shipped = {path.name for pattern in patterns for path in tmp_path.glob(pattern)}
    assert {f"{name}.toml" for name in NAMES} <= shipped
