"""The siting report: exit codes, examples, width, characters, JSON, and the plan as SVG."""

import functools
import hashlib
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree

import pytest
from siting_cases import (
    LARGE,
    NEAR,
    WALL,
    building,
    exposure,
    fence,
    garage,
    model,
    room,
    site_cases,
    spaced,
)
from siting_sites import content, site, toml

from controller import __main__ as firebreak
from controller.siting import (
    audit,
    distances,
    geometry,
    labels,
    lot,
    plan,
    plan_parts,
    reading,
    report,
)
from controller.siting.site import ExposureGap
from tests.repository import ROOT
from tests.tables import cases

EXAMPLES = ROOT / "controller" / "sites" / "siting"
NAMES = ["pods", "room", "yard"]
SVG = "{http://www.w3.org/2000/svg}"
FAR_A = {"unit.a.center_m": [-38.5, 5.0]}  # 49 m from unit b


@functools.cache
def example(name):
    return results(reading.load(str(EXAMPLES / f"{name}.toml")))


def results(given):
    findings = audit.audit(given)
    root = ElementTree.fromstring(plan.svg(given, findings))
    return given, findings, report.text(given, findings), root


def drawn(given):
    return results(given)[3]


def ids(root):
    found = [each for each in root.iter() if each.get("id")]
    by_id = {each.get("id"): each for each in found}
    assert len(found) == len(by_id)
    return by_id


def texts(root):
    return [each.text for each in root.iter(f"{SVG}tspan")]


def siting(capsys, *arguments):
    code = firebreak.main(["siting", *map(str, arguments)])
    return code, capsys.readouterr().out


def line_of(text, identity):
    return next(line for line in text.splitlines() if line.startswith(f"  {identity} "))


@site_cases(r"""name lines
    yard  {"B18": r"4\.781 m +>= 3\.048 m +met$", "B19": r"1\.881 m +>= 0\.914 m +met$",
        "B7c": r"3\.442 m +>= 3\.000 m +met$", "B12": "stated +yes +met$"}
    "room"  {"B4": "96 kWh +<= 50 kWh +NOT MET$", "B5a": r"0\.600 m +>= 0\.914 m +NOT MET$",
        "B5b": r"1\.000 m +>= 0\.914 m +met$", "B7a": "- +yes +needs a fact$", "A50": "no +yes +NOT
        MET$"}
    pods  {"B28a": r"2\.293 m +>= 1\.524 m +met$", "B28c": r"5\.944 m +>= 3\.048 m +met$",
        "B28d": r"17\.293 m +>= 15\.300 m +met$"}
""")
def test_the_report_of_an_example(name, lines):
    assert sorted(path.stem for path in EXAMPLES.glob("*.toml")) == NAMES
    text = example(name)[2]
    for identity, words in lines.items():
        assert re.search(words, line_of(text, identity)), line_of(text, identity)
    assert text.isascii() and max(map(len, text.splitlines())) <= 80
    assert not re.search("complian|certif", text, re.IGNORECASE)
    for words in ("AHJ", "adopted", "UL 9540", "hazard mitigation"):
        assert words in re.sub(r"\s+", " ", text)


def test_the_report_has_every_rule_once():
    table, rest = example("yard")[2].split("NOT APPLICABLE\n")
    aside = rest.split("GROUPS")[0].split()
    for rule in audit.rules.RULES:
        listed = re.findall(rf"^  {rule.id} ", table, re.MULTILINE)
        assert len(listed) + min(1, aside.count(rule.id)) == 1, rule.id


@site_cases(r"""changes words
    [model(walk_in=True)]  B22 walk-in unit counts as a room yes - applies
    [model(walk_in=True)]  the inside of a walk-in unit, which counts as a room (B22)
    [exposure("building", 9)]  855 9.5.2.6 (?), IFC 1207.8.3 (?); unconfirmed
    [{"edition": "ifc_2018"}, exposure("building", 9)]  1206.2.8.7.1 (?); read in a primary text
    [NEAR, model(energy_kWh=300.0002)]  600.0004 kWh <= 600 kWh NOT MET
    [room(floor_above_vehicle_access_m=22.8605)]  22.8605 m <= 22.860 m NOT MET
    [NEAR, spaced(0.9139)]  B5a group to group 0.913 m >= 0.914 m NOT MET
    [room()]  none in the file
    [{"name": "\u00e4"}]  SITING AUDIT \xe4
""")
def test_the_words_of_a_report(changes, words):
    assert words in " ".join(results(site(*changes))[2].split())


def test_the_headline_counts_rules_by_verdict_and_confidence():
    line = "20 met, 15 of them by unconfirmed clauses (?), 0 not met, 0 need a fact"
    _, _, text, root = example("yard")
    assert f"RESULT: {line}" in text and f"rules: {line}" in "".join(root.itertext())
    small = ({"edition": "ifc_2018"}, model(energy_kWh=10))
    local = {"local": ["san_diego"], "plume_model": "model 4"}
    for changes, wanted in (
        (small, "0 met, 0 not met, 0 need a fact"),
        ((*small, local), "2 met, 2 by second-hand ones, 0 not met, 0 need a fact"),
    ):
        assert report.headline(audit.audit(site(*changes))) == wanted


@cases("""changes  code
    []  0 | [building(1.0)]  1 | [model(ul_9540_listing=None)]  1 | [{"edition": "x"}]  2""")
def test_the_exit_code(tmp_path, capsys, changes, code):
    path = tmp_path / "site.toml"
    path.write_text(toml(content(*changes)))
    assert siting(capsys, path)[0] == code


@cases("""option  path  words  code
    "--svg"  "nowhere/plan"  "No such file or directory"  2 | "--svg"  "site.toml/plan"  "Not a"  2
    "--json"  "/dev/full"  "No space left"  3 | "--svg"  ""  "No such file or directory"  2
    "--json"  "."  "Is a directory"  2""")
def test_a_failed_output_is_one_line(tmp_path, capsys, monkeypatch, option, path, words, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.toml").touch()
    assert firebreak.main(["siting", str(EXAMPLES / "yard.toml"), option, path]) == code
    out, err = capsys.readouterr()
    assert err.startswith(f"firebreak: {path or repr(path)}: {words}")
    assert out == "" and err.count("\n") == 1


@cases("""arguments
    ["--svg", "site.toml"] | ["--json", "./link.toml"] | ["--svg", "out", "--json", "../there/out"]
""")
def test_an_output_never_replaces_another_named_file(tmp_path, capsys, monkeypatch, arguments):
    folder = tmp_path / "there"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = folder / "site.toml"
    path.write_text(toml(content()))
    (folder / "link.toml").symlink_to(path)
    assert firebreak.main(["siting", "site.toml", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "is named twice" in err and err.count("\n") == 1
    assert path.read_text() == toml(content()) and not (folder / "out").exists()
    assert siting(capsys, "site.toml", "--svg", "/dev/null", "--json", "/dev/null")[0] == 0


def test_the_command_writes_json_and_plan(tmp_path, capsys):
    made, drawing = tmp_path / "out.json", tmp_path / "plan.svg"
    code, text = siting(capsys, EXAMPLES / "room.toml", "--json", made, "--svg", drawing)
    given, findings, report_text, _ = example("room")
    assert (code, text) == (1, report_text + "\n")
    assert drawing.read_text(encoding="utf-8") == plan.svg(given, findings)
    found = json.loads(made.read_text())
    by_id = {each["id"]: each for each in found["rules"]}
    assert list(by_id) == [rule.id for rule in audit.rules.RULES]
    assert (found["is_met"], found["total_kWh"]) == (False, 288)
    assert found["fire_areas"] == {"room_0_14": 288}
    spacing = by_id["B5a"]
    assert spacing["verdict"] == "not met" and spacing["worst"]["required"] == 0.914
    wrong = [["rack_1", "rack_2"], ["rack_2", "rack_3"]]
    assert [each["between"] for each in spacing["not_met"]] == wrong
    assert by_id["B7a"]["missing"] == ["model.rack.ul_9540a_report"]
    assert by_id["B18"]["reason"] == "not outdoors"
    assert {each["confidence"] for each in found["rules"]} <= {*audit.rules.CONFIDENCE.values(), ""}


def test_the_report_names_rooms_of_one_fire_area_together():
    rooms = (("the_first_room_", 0, 0), ("the_second_room_", 9, 0), ("rated", 18, 2))
    areas = {
        name: {"outline_m": [[x, 0], [x + 9, 0], [x + 9, 9], [x, 9]], "fire_rating_h": rating_h}
        for name, x, rating_h in rooms
    }
    units = {
        name: {"model": "m", "center_m": [x + 4.5, 4.5]}
        for name, (_, x, _) in zip("abc", rooms, strict=True)
    }
    change = {"edition": "ifc_2018", "place": "indoors", "area": areas, "unit": units}
    given, findings, text, root = results(site(change, model(energy_kWh=301)))
    both = "the_first_room_ + the_second_room_"
    assert f"  {both}        602 kWh in 2 unit(s)\n  rated " in text
    assert max(map(len, text.splitlines())) <= 80
    assert report.document(given, findings)["fire_areas"] == {both: 602, "rated": 301}
    assert {
        name: each.get("stroke") == plan_parts.BAD
        for name, each in ids(root).items()
        if name.startswith("area.")
    } == {"area.the_first_room_": True, "area.the_second_room_": True, "area.rated": False}


def spread(*distances_m):
    """Egresses at these distances to the right of unit b. The first is the last in the file."""
    return {
        f"exposure.e{number}": {"kind": "egress", "point_m": [11.5 + distances_m[number], 5.0]}
        for number in reversed(range(len(distances_m)))
    }


RIGHT = garage("garage", outline_m=[[8, 0], [20, 0], [20, 20], [8, 20]])


@site_cases("""changes
    [building(2.0, **WALL), FAR_A]
    [garage("garage"), FAR_A, exposure("opening", 20.0)]
    [garage("garage"), exposure("opening", 40.0)]
    [garage("garage", outline_m=[[-60, 0], [8, 0], [8, 20], [-60, 20]]), FAR_A,
        exposure("opening", 40.0)]
    [RIGHT, FAR_A, exposure("opening", 12.0)]
    [RIGHT, FAR_A, exposure("opening", 40.0)]
    [spread(45.0, 40.0, 40.0, 31.0)]
    [spread(20.0, 20.0, 45.0), FAR_A]
    [spread(30.5, 30.501, 31.0), FAR_A]
    [exposure("lot_line", 33.0), FAR_A]
    [exposure("public_way", 0, line_m=[[42.0, -90], [60, 5], [42, 90]]), FAR_A]
    [fence(1.6), building(14.0, occupant_load=40), FAR_A]
    [mode("open_garage"), exposure("air_intake", 60.0), FAR_A]
""")
def test_the_gaps_left_out_change_no_output(changes):
    given, whole = site(*changes), site(*changes)
    whole.__dict__["exposure_gaps"] = [
        ExposureGap(unit, each, geometry.gap(unit.shape, each.shape))
        for unit in whole.units
        for each in whole.exposures
    ]
    found, wanted = [
        (report.text(each, findings), report.document(each, findings), plan.svg(each, findings))
        for each in (given, whole)
        for findings in (audit.audit(each),)
    ]
    assert found == wanted


def test_the_full_distance_is_judged_by_a_far_unit_if_the_near_one_is_reduced():
    findings = audit.audit(site(building(2.0, **WALL), FAR_A))
    for identity, distance_m in (("B19", 2.0), ("B18", 51.5)):
        (found,) = [each for each in findings if each.rule.id == identity]
        assert (found.verdict, found.worst.value) == (audit.MET, pytest.approx(distance_m))


def test_exposure_gaps_are_the_near_ones_and_the_next_beyond():
    units = {f"unit.u{at}": {"model": "m", "center_m": [at * 10.0, 0.0]} for at in range(20)}
    mills = {
        f"exposure.m{at}": {"kind": "building", "point_m": [at * 10.0 + 5, 0.0]}
        for at in range(29, -6, -1)
    }
    given = site({"unit": None}, units, mills)

    def units_of(name):
        gaps = [(u.name, round(g.distance_m, 6), each) for u, each, g in given.exposure_gaps]
        return [(unit, apart_m) for unit, apart_m, each in gaps if each.name == name]

    assert units_of("m29") == [("u19", 104.5)]
    # two units at 34.5 m may both be the next
    assert [name for name, _ in units_of("m10")] == [f"u{at}" for at in range(7, 15)]
    assert [f"exposure.{each.name}" for _, each, _ in given.nearest_units] == list(mills)


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_has_every_element_once(name):
    given, findings, _, root = example(name)
    wanted = [
        f"{kind}.{each.name}"
        for kind in ("unit", "area", "exposure", "barrier")
        for each in getattr(given, {"area": "areas"}.get(kind, kind + "s"))
    ]
    wanted += ["distance." + ".".join(e.item.names) for e in distances.shown(findings, given)]
    wanted += ["view", "north", "scale", "legend"] + (["fence"] if given.fence else [])
    assert sorted(ids(root)) == sorted(wanted)
    words = " ".join(root.itertext())
    for unit in given.units:
        assert unit.name in words and f"{unit.energy_kWh:g} kWh" in words


@cases("""name  digest
    "pods"  "36978c8478ef43af" | "room"  "7ee7c2c0a4775a8d" | "yard"  "cad9dd77b995a1b6"
""")
def test_the_plan_of_an_example_is_unchanged(name, digest):
    """Digest of elements and attributes, without the words. Before a change, look at the plan."""
    elements = [(each.tag, each.attrib) for each in example(name)[3].iter()]
    assert hashlib.sha256(repr(elements).encode()).hexdigest()[:16] == digest


@cases("""changes  wanted
    [NEAR, spaced(0.5), building(3.2)]  [("B5a", "ab", False)]
    [building(3.1)]  [("B5a", "ab", True), ("B18", ("b", "house"), True)]
    [{"unit.b": None}]  []""")
def test_each_unit_has_its_binding_distance(changes, wanted):
    given = site(*changes)
    found = distances.binding(audit.audit(given), given)
    assert [(each.rule.id, each.item.names, each.is_met) for each in found] == [
        (identity, tuple(names), is_met) for identity, names, is_met in wanted
    ]


@site_cases("""name judged further
    yard  {"pod_1 hall_3": "4.781 m (B18?: 3.048)", "pod_2 hall_exit": "4.812 m (B20?:
        3.048)", "pod_1 hedge": "4.971 m (B24?: 3.048)", "pod_3 road": "4.881 m (B18?: 3.048)",
        "pod_3 lot_line": "1.881 m (B19?: 0.914)", "pod_4 lot_line": "1.881 m (B19?: 0.914)",
        "pod_1 pod_2": "3.442 m (B7c?: 3.000)"}  {"pod_1 pod_3": "3.462 m", "pod_2 pod_4": "3.462
        m", "pod_3 pod_4": "3.442 m"}
    "room"  {"rack_1 rack_2": "! 0.600 m (B5a: 0.914)", "rack_2 rack_3": "! 0.600 m (B5a:
        0.914)", "rack_1 room_0_14": "1.000 m (B5b: 0.914)"}  {"rack_1 room_0_14 wall_1": "1.100
        m", "rack_3 room_0_14 wall_2": "1.900 m", "rack_3 room_0_14 wall_3": "1.100 m", "rack_1
        room_0_14 wall_5": "2.400 m"}
    pods  {"pod_a canteen": "17.293 m (B28d?: 15.300)", "pod_a fence": "2.293 m (B28a?:
        1.524)", "pod_b fence": "2.293 m (B28a?: 1.524)", "pod_a switch_house": "5.944 m (B28c?:
        3.048)", "pod_b lot_line": "7.444 m (B28c?: 3.048)", "pod_b street": "7.444 m (B28c?:
        3.048)"}  {"pod_a pod_b": "3.008 m"}
""")
def test_the_distances_of_the_examples(name, judged, further):
    given, findings, _, root = example(name)
    found = distances.shown(findings, given)
    assert {" ".join(each.item.names) for each in found if each.rule} == set(judged)
    assert {" ".join(each.item.names) for each in found if not each.rule} == set(further)
    wanted = [*judged.values(), *further.values()]
    counts = {text: texts(root).count(text) for text in wanted}
    assert counts == {text: wanted.count(text) for text in wanted}


def test_every_distance_that_is_not_met_is_drawn_so():
    """This includes a pair that binds neither of its units."""
    # 1 m from a
    house = {"kind": "building", "outline_m": [[-4, 0], [3.5, 0], [3.5, 10], [-4, 10]]}
    third = {"model": "m", "center_m": [8.3, 5.0]}
    changes = (NEAR, spaced(0.8), {"unit.c": third, "exposure.house": house})
    given, findings, _, root = results(site(*changes))
    assert {
        each.item.names: round(each.item.gap.distance_m, 3)
        for each in distances.shown(findings, given)
        if not each.is_met
    } == {("a", "house"): 1.0, ("b", "house"): 2.8, ("a", "b"): 0.8, ("b", "c"): 0.5}
    bound = {each.item.names for each in distances.binding(findings, given)}
    assert bound == {("a", "house"), ("b", "c")}
    assert texts(root).count("! 0.800 m (B5a?: 0.914)") == 1


def behind_a_barrier(*changes):
    """(binding names, {names: Distance}, plan). A lot line is near a and b; an exit binds each."""
    given, findings, _, root = results(
        site(
            {
                "unit.b.center_m": [11.0, 5.2],
                "exposure.line": {"kind": "lot_line", "line_m": [[-40, 7.0], [60, 7.0]]},
                "exposure.line.inside_m": [5.0, 0.0],
                "exposure.exit_5": {"kind": "egress", "point_m": [5, 1.452]},
                "exposure.exit_11": {"kind": "egress", "point_m": [11, 1.452]},
                "barrier.wall": {"line_m": [[-9, 6.5], [25, 6.5]], "height_m": 4.0},
                "barrier.wall.fire_rating_h": 1,
            },
            *changes,
        )
    )
    bound = {each.item.names for each in distances.binding(findings, given)}
    return bound, {each.item.names: each for each in distances.shown(findings, given)}, root


def test_a_distance_that_is_met_only_as_reduced_is_drawn(monkeypatch):
    bound, found, root = behind_a_barrier()
    assert bound == {("a", "exit_5"), ("b", "exit_11")}
    for name, apart_m in (("a", 1.5), ("b", 1.3)):
        each = found[name, "line"]
        assert (each.rule.id, each.is_met) == ("B19", True)
        assert each.item.gap.distance_m == pytest.approx(apart_m)
    assert "1.500 m (B19?: 0.914)" in texts(root)
    monkeypatch.setattr(distances, "CROWD", 1)
    _, found, _ = behind_a_barrier()
    assert {names for names in found if "line" in names} == {("b", "line")}


def test_a_reduced_distance_that_fails_another_rule_is_red():
    nearer = {"kind": "lot_line", "line_m": [[-40, 3.2], [60, 3.2]], "inside_m": [5.0, 5.0]}
    bound, found, _ = behind_a_barrier({"local": ["san_diego"], "exposure.other": nearer})
    assert bound == {("a", "other"), ("b", "line")}
    for name in "ab":
        each = found[name, "line"]
        assert (each.rule.id, each.is_met) == ("B36b", False)


def test_a_wall_around_a_corner_and_an_exposure_without_a_rule():
    """The room is an L: the unit in one arm does not face the short wall of the other arm."""
    given, findings, _, _ = results(
        site(
            room(outline_m=[[0, 0], [20, 0], [20, 8], [8, 8], [8, 20], [0, 20]]),
            {"unit.a.center_m": [14.0, 5.0], "unit.b": None},
            {"exposure.fan": {"kind": "air_intake", "point_m": [14.0, 25.0]}},
        )
    )
    every = distances.shown(findings, given)
    found = {" ".join(each.item.names[1:]): each.item.gap.distance_m for each in every}
    walls = {"room wall_1": 4.5, "room wall_2": 5.5, "room wall_6": 13.5}
    assert found == pytest.approx({**walls, "fan": 19.5, "room": 2.5})


@pytest.mark.parametrize("apart_m, is_met", [(0.5, False), (1.0, True)])
def test_a_distance_that_is_not_met_is_red_dashed_and_marked(apart_m, is_met):
    root = drawn(site(NEAR, spaced(apart_m)))
    line = ids(root)["distance.a.b"]
    assert line.get("stroke") == (plan_parts.INK if is_met else plan_parts.BAD)
    assert (line.get("stroke-dasharray") == "none") == is_met
    assert (f"! {apart_m:.3f} m (B5a?: 0.914)" in texts(root)) != is_met


@cases("""edition  rule  apart_m  mark  count
    "nfpa855_2023_ifc_2021"  "B5a?"  0.95  ""  3 | "ifc_2018"  "B5a"  0.9  "! "  3""")
def test_a_short_label_keeps_the_unit_of_the_distance(edition, rule, apart_m, mark, count):
    """Thirty containers: labels with all parts, without the limit, with the number only."""
    units = {
        f"unit.container_number_{at}": {
            "model": "m",
            "center_m": [at % 5 * (6 + apart_m), at // 5 * (2 + apart_m)],
        }
        for at in range(30)
    }
    base = ({"edition": edition, "unit": None}, exposure("public_way", 40))
    root = drawn(site(*base, units, model(size_m=[6.0, 2.0])))
    apart = f"{mark}{apart_m:.3f}"
    colours = (plan_parts.INK, plan_parts.BAD)
    judged = [each for each in root.iter(f"{SVG}text") if each.get("fill") in colours]
    shown = {words for each in judged for words in each.itertext() if words.startswith(apart)}
    forms = {f"{apart} m ({rule}: 0.914)", f"{apart} m {rule}", f"{apart} m{rule[3:]}"}
    assert shown <= forms and len(shown) == count


def test_a_unit_that_is_too_large_is_marked():
    root = drawn(site(NEAR, model(energy_kWh=51)))
    assert ids(root)["unit.a"].get("stroke") == plan_parts.BAD and "! a" in texts(root)


def test_the_plan_is_to_scale():
    by_id = ids(drawn(site(NEAR)))
    xs = [x for x, _ in points_of(by_id["unit.a"])]
    bar_px = float(re.search(r"H([\d.]+)", by_id["scale"].find(f"{SVG}path").get("d"))[1])
    bar_m = float(by_id["scale"].find(f"{SVG}text").text.split()[0])
    assert (max(xs) - min(xs)) / bar_px == pytest.approx(1.0 / bar_m, rel=0.01)


@pytest.mark.parametrize("inside_m, factor", [([5.0, 5.0], -1), ([40.0, 5.0], 1)])
def test_ticks_of_an_open_lot_line_point_into_the_lot(inside_m, factor):
    """The line goes up the plan to the right of the units, so the lot is on its left."""
    given = site(NEAR)
    line = given.exposures[0]._replace(facts={"inside_m": inside_m})
    start, end = lot.inward(line, (31.5, 0.0), (31.5, 10.0), 0.5)
    assert start == (31.5, 5.0) and end == pytest.approx((31.5 + factor * 0.5, 5.0))
    assert "tick: into the lot" in "".join(drawn(given).itertext())


def extensions(root):
    """[[(x, y), (x, y)]], pixels, of an open lot line."""
    dashes = plan_parts.EXTENDED.stroke_dasharray
    found = [each for each in root.iter(f"{SVG}polyline") if each.get("stroke-dasharray") == dashes]
    return [points_of(each) for each in found]


def points_of(element):
    """Points of a polyline in pixels."""
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def test_a_distance_ends_on_the_extended_lot_line():
    """The line in the file is above the view, which is as large as for a line inside it."""
    root = drawn(site(exposure("lot_line", 0, line_m=[[12.5, 90], [12.5, 100]])))
    written = drawn(site(exposure("lot_line", 1.0)))
    words = "".join(root.itertext())
    assert root.get("viewBox") == written.get("viewBox") and "beyond the plan" not in words
    ((top, bottom),) = [sorted(each, key=lambda point: point[1]) for each in extensions(root)]
    frame = next(root.iter(f"{SVG}clipPath")).find(f"{SVG}rect")
    assert top[0] == bottom[0] and (top[1], bottom[1]) == (0, float(frame.get("height")))
    here, there = [ids(each)["distance.b.e"].find(f"{SVG}line").attrib for each in (root, written)]
    assert here == there and float(here["x2"]) == top[0]
    assert "exposure.e" in ids(root) and "lot line extended" in words


def test_an_open_lot_line_is_extended_at_both_ends_and_a_closed_one_is_not():
    yard, pods = example("yard")[3], example("pods")[3]
    points = points_of(ids(yard)["exposure.lot_line"])
    ends = [{points[0]}, {points[-1]}]
    assert len(points) == 3 and [set(each) & set(points) for each in extensions(yard)] == ends
    assert extensions(pods) == [] and "line extended" not in "".join(pods.itertext())


def test_the_plan_names_exposures_beyond_the_view():
    mill = {"kind": "building", "outline_m": [[500, 0], [510, 0], [510, 9]]}
    root = drawn(site({"exposure.mill": mill}))
    assert "exposure.mill" not in ids(root)
    assert "beyond the plan: mill (building)" in "".join(root.itertext())


def test_texts_are_escaped_and_the_same_site_gives_the_same_bytes():
    given = site({"name": "<b> & \"\u00e4\u96fb\" 'x'"}, fence(2.0))
    first, second = (plan.svg(given, audit.audit(given)) for _ in range(2))
    assert first == second and "<b>" not in first
    title = ElementTree.fromstring(first).find(f"{SVG}title").text
    assert title == "Plan of <b> & \"\u00e4\u96fb\" 'x'"


@pytest.mark.parametrize("name", NAMES)
def test_no_label_of_an_example_covers_another(name, monkeypatch):
    boxes, place, drawn_before = [], labels.Placer.place, example(name)[:2]

    def kept(self, choices, x, y):
        lines, (center_x, center_y) = place(self, choices, x, y)
        wide, high = (each / 2 for each in labels.size(lines))
        boxes.append((center_x - wide, center_y - high, center_x + wide, center_y + high))
        assert lines == choices[0]
        return lines, (center_x, center_y)

    monkeypatch.setattr(labels.Placer, "place", kept)
    plan.svg(*drawn_before)
    assert len(boxes) > 4
    for index, (left, low, right, high) in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert left >= other[2] or other[0] >= right or low >= other[3] or other[1] >= high


def test_a_plan_of_many_units():
    at_m = [(at % 10 * 1.5, at // 10 * 1.5) for at in range(100)]
    units = {f"unit.u{at}": {"model": "m", "center_m": [*at_m[at]]} for at in range(100)}
    given, findings, _, root = results(site(LARGE, {"unit": None}, units, exposure("lot_line", 40)))
    assert audit.is_met(findings) and given.total_kWh == 10_000
    assert set(units) <= set(ids(root))


def test_the_examples_are_installed_with_the_package(tmp_path):
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = re.split(r"[,\s]+", setup["options.package_data"]["controller"].strip())
    shutil.copytree(EXAMPLES, tmp_path / "sites" / "siting")
    shipped = {path.name for pattern in patterns for path in tmp_path.glob(pattern)}
    assert {f"{name}.toml" for name in NAMES} <= shipped


def test_the_page_names_every_example_and_claims_no_compliance_or_certification():
    page = (ROOT / "controller" / "siting" / "AUDIT.md").read_text(encoding="utf-8")
    assert all(f"`{name}.toml`" in page for name in NAMES)
    assert not re.search("complian|certif", page, re.IGNORECASE)


def test_lengths_in_feet_are_the_same_lengths(tmp_path, capsys):
    """Report and plan print 5 ft and 10 ft. Verdicts and JSON do not change."""
    yard, found = str(EXAMPLES / "yard.toml"), {}
    for lengths in ("m", "ft"):
        drawing, made = tmp_path / f"{lengths}.svg", tmp_path / f"{lengths}.json"
        given = ["siting", yard, "--lengths", lengths, "--svg", str(drawing), "--json", str(made)]
        assert firebreak.main(given) == 0
        text = capsys.readouterr().out.replace("within 30.5 m", "")  # in the name of rule B10
        found[lengths] = text, drawing.read_text(encoding="utf-8"), made.read_text()
    assert re.search(r"to exposures +15\.685 ft  >= 10\.000 ft  met", found["ft"][0])
    assert re.search(r"to exposures +4\.781 m +>= 3\.048 m  met", found["m"][0])
    assert "EXPOSURES WITHIN 100.1 ft" in found["ft"][0] and not re.search(
        r"\d m\b", found["ft"][0]
    )
    assert " ft" in found["ft"][1] and not re.search(r">[^<]*\d m\b", found["ft"][1])
    assert not re.search(r"\d ft\b", found["m"][0] + found["m"][1])
    verdicts = [
        re.findall(r"  (met|NOT MET|needs a fact)$", each[0], re.M) for each in found.values()
    ]
    assert verdicts[0] == verdicts[1] and len(verdicts[0]) > 15
    words = [re.sub(r'"note": "[^"]*"', "", each[2]) for each in found.values()]
    assert words[0] == words[1], "the JSON stays in metres"
