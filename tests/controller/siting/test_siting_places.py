"""The places of a plan: distances down, tests up, rated walls; live values on the plan."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from siting_sites import MODEL, ROOM, TESTED, content, site, toml

from controller import __main__ as firebreak
from controller.config import site_plan
from controller.sites import FOLDER
from controller.siting import audit, places

YARD = FOLDER / "siting" / "yard.toml"
TESTED_MODEL = {f"model.m.{key}": value for key, value in TESTED.items()}
CLOSED = {"place": "indoors"}


def ways(folder, *changes):
    """{(from, to): way} of a site, as the box reads them."""
    made = site(*changes)
    path = folder / "places.toml"
    path.write_text(places.toml(made, audit.audit(made)), encoding="ascii")
    return {(way["from"], way["to"]): way for way in site_plan.read_places(str(path))["way"]}


def test_the_shipped_places_are_those_of_the_yard(tmp_path, capsys):
    made = tmp_path / "places.toml"
    assert firebreak.main(["siting", str(YARD), "--places", str(made)]) == 0
    capsys.readouterr()
    assert made.read_text() == (FOLDER / "three_units" / "places.toml").read_text()


@pytest.mark.parametrize("spacing_m, tested_mm", [(4.999, 4999), (5.0, 5000), (5.0001, 5001)])
def test_a_test_counts_upwards_and_a_distance_downwards(tmp_path, spacing_m, tested_mm):
    changes = {**TESTED_MODEL, "model.m.ul_9540a_spacing_m": spacing_m}
    way = ways(tmp_path, changes)["a", "b"]
    assert (way["distance_mm"], way["tested_mm"], way["paper"]) == (5000, tested_mm, "report 1")
    nearer = {**changes, "unit.b.center_m": [10.9999, 5.0]}
    assert ways(tmp_path, nearer)["a", "b"]["distance_mm"] == 4999


@pytest.mark.parametrize("key", [f"ul_9540a_{each}" for each in places.SHOWN_OF_TEST])
def test_a_test_with_fire_outside_shows_nothing(tmp_path, key):
    for value in (False, None):
        way = ways(tmp_path, {**TESTED_MODEL, f"model.m.{key}": value})["a", "b"]
        assert (way["tested_mm"], way["paper"]) == (0, "")


def test_the_test_of_both_units_counts(tmp_path):
    other = {f"model.n.{key}": value for key, value in {**MODEL, **TESTED}.items()}
    other |= {"model.n.ul_9540a_spacing_m": 2.5, "model.n.ul_9540a_report": "report 2"}
    both = {**TESTED_MODEL, **other, "unit.b.model": "n"}
    way = ways(tmp_path, both)["a", "b"]
    assert (way["tested_mm"], way["paper"]) == (2500, "report 1, report 2")
    alone = {**both, "model.n.ul_9540a_report": None}
    assert ways(tmp_path, alone)["a", "b"]["tested_mm"] == 0


@pytest.mark.parametrize(
    "rated, wall_min, wall",
    [((2, 1), 120, "walls of r"), ((0, 1.5), 90, "walls of q"), ((0, 0), 0, "")],
)
def test_the_better_wall_of_two_rooms_counts(tmp_path, rated, wall_min, wall):
    rooms = {
        "area.r": {
            **ROOM,
            "outline_m": [[0, 0], [8, 0], [8, 9], [0, 9]],
            "fire_rating_h": rated[0],
        },
        "area.q": {
            **ROOM,
            "outline_m": [[8.2, 0], [19, 0], [19, 9], [8.2, 9]],
            "fire_rating_h": rated[1],
        },
    }
    way = ways(tmp_path, CLOSED, rooms)["a", "b"]
    assert (way["wall_min"], way["wall"]) == (wall_min, wall)


def test_one_room_is_no_wall(tmp_path):
    way = ways(tmp_path, CLOSED, {"area.r": ROOM})["a", "b"]
    assert (way["wall_min"], way["wall"]) == (0, "")


@pytest.mark.parametrize(
    "barrier, wall_min",
    [
        ({"line_m": [[8, -30], [8, 40]], "height_m": 4, "fire_rating_h": 2}, 120),
        ({"line_m": [[8, -30], [8, 40]], "height_m": 3.5, "fire_rating_h": 2}, 0),  # too low
        ({"line_m": [[8, 4], [8, 6]], "height_m": 4, "fire_rating_h": 2}, 0),  # too short
        ({"line_m": [[8, -30], [8, 40]], "height_m": 4, "fire_rating_h": 0.9}, 0),  # below 1 h
    ],
)
def test_a_barrier_counts_as_it_does_for_an_exposure(tmp_path, barrier, wall_min):
    way = ways(tmp_path, {"barrier.w": barrier})["a", "b"]
    assert (way["wall_min"], way["wall"]) == (wall_min, "w" * bool(wall_min))


def test_only_the_nearest_units_are_kept(tmp_path):
    row = {f"unit.u{at}": {"model": "m", "center_m": [20.0 + 5 * at, 5.0]} for at in range(9)}
    ends = [to for start, to in ways(tmp_path, row) if start == "u4"]
    assert sorted(ends) == ["u2", "u3", "u5", "u6"]


# -- live values

PLACE_OF_B = {"place": "b", "is_here": True, "temperature_ddegC": 312, "rise_ddegC_per_min": -4}
MAP = {
    "cabinet": "Cabinet 1",
    "is_live": True,
    "uptime_ms": 61_000,
    "plan": {"name": "Test"},
    "contacts": {"door": "not ok", "smoke": "ok", "damper": "idle"},
    "gas_lfl_permille": [0, None],
    "places": [PLACE_OF_B, {"place": "a", "is_here": False}],
    "unload": [],
    "unknown to it": [1],
}
HOT = {**PLACE_OF_B, "temperature_ddegC": 880, "rows": ["21a.rack2", "22.rack2"]}


def drawn(folder, capsys, *given):
    """(exit code, text of the plan, lines on stderr) with these outputs of `firebreak map`."""
    (folder / "site.toml").write_text(toml(content()))
    more = []
    for at, each in enumerate(given):
        path = folder / f"map_{at}.json"
        text = each if isinstance(each, (str, bytes)) else json.dumps(each)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        more += ["--live", str(path)]
    plan = folder / "plan.svg"
    code = firebreak.main(["siting", str(folder / "site.toml"), "--svg", str(plan), *more])
    err = capsys.readouterr().err.splitlines()
    texts = (
        ["".join(each.itertext()) for each in ElementTree.parse(plan).iter()] if code < 2 else []
    )
    return code, "\n".join(texts), err


def test_live_values_are_on_the_plan(tmp_path, capsys):
    order = [{"place": "a", "next_to": "b", "distance_mm": 5000}]
    code, text, err = drawn(tmp_path, capsys, {**MAP, "places": [HOT], "unload": order})
    assert (code, err) == (0, [])
    for words in (
        "88.0 C -0.4 K/min",
        "ALARM 21a.rack2",
        "no live values",
        "live: Cabinet 1 (up 61 s): gas 0.0 - %LFL; door not ok",
        "unload first a (5.000 m from b)",
        "unit in alarm",
    ):
        assert words in text, words
    _, text, _ = drawn(tmp_path, capsys, {**MAP, "is_live": False, "contacts": {}})
    assert "live: Cabinet 1 NOT TICKING, last state (up 61 s): gas 0.0 - %LFL; contacts ok" in text
    assert "31.2 C -0.4 K/min" in text and "ALARM" not in text
    assert "live" not in drawn(tmp_path, capsys)[1]


def test_an_unknown_temperature_is_no_number(tmp_path, capsys):
    unknown = {**PLACE_OF_B, "temperature_ddegC": None, "rise_ddegC_per_min": None}
    _, text, _ = drawn(tmp_path, capsys, {**MAP, "places": [unknown]})
    assert "40 kWh- C" in text


ONE = {"place": "b", "is_here": True}
WRONG = {
    "no JSON": "{",
    "deep": "[" * 40,
    "not UTF-8": b'"\xff"',
    "a list": "[]",
    "no plan": {**MAP, "plan": None},
    "places a text": {**MAP, "places": "b"},
    "a place a text": {**MAP, "places": ["b"]},
    "another unit": {**MAP, "places": [{**ONE, "place": "z"}]},
    "no name": {**MAP, "places": [{"is_here": True}]},
    "hot a text": {**MAP, "places": [{**ONE, "temperature_ddegC": "9"}]},
    "hot above": {**MAP, "places": [{**ONE, "temperature_ddegC": 1_000_001}]},
    "hot a flag": {**MAP, "places": [{**ONE, "temperature_ddegC": True}]},
    "rows numbers": {**MAP, "places": [{**ONE, "rows": [1]}]},
    "rows of control signs": {**MAP, "places": [{**ONE, "rows": ["\x07"]}]},
    "twice": {**MAP, "places": [ONE, ONE]},
    "contacts a list": {**MAP, "contacts": ["door"]},
    "contacts of numbers": {**MAP, "contacts": {"door": 1}},
    "contacts of control signs": {**MAP, "contacts": {"\x00": "ok"}},
    "cabinet of two lines": {**MAP, "cabinet": "a\nb"},
    "unload a number": {**MAP, "unload": [1]},
    "far": {**MAP, "unload": [{"place": "a", "next_to": "b", "distance_mm": -1}]},
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_a_wrong_file_of_live_values_is_one_line(tmp_path, capsys, given):
    code, _, err = drawn(tmp_path, capsys, given)
    assert code == 2 and len(err) == 1 and "map_0.json" in err[0] and err[0].isascii()


def test_two_cabinets_on_one_plan(tmp_path, capsys):
    other = {**MAP, "cabinet": "Cabinet 2", "places": [{**PLACE_OF_B, "place": "a"}]}
    code, text, _ = drawn(tmp_path, capsys, MAP, other)
    assert code == 0 and "live: Cabinet 1 (" in text and "live: Cabinet 2 (" in text
    assert "no live values" not in text
    code, _, (line,) = drawn(tmp_path, capsys, MAP, MAP)
    assert code == 2 and line.endswith(
        "b has live values of two files; allowed one file for a unit"
    )
