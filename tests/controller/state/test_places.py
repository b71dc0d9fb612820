"""The page `map`: live values on the plan, the papers between two units, whom to unload first."""

import json
import shutil

import pytest
from command_line import flat
from test_pages import check
from watched import Watched, action, believed, silent

from controller.config import configuration
from controller.console import pages
from controller.sites import FOLDER
from controller.state import places
from safety import signals as s

PAPERS = {"wall_min": 0, "tested_mm": 0, "wall": "", "paper": ""}
HEATED = action(15, "runaway", rack=5, module=3, cell=3, heater_K_per_min=60.0, from_degC=70.0)


def config(folder):
    shutil.copytree(FOLDER, folder / "sites")
    return believed(
        configuration.load(folder / "sites" / "three_units" / "cabinet.toml", tick_ms=100)
    )


@pytest.fixture(scope="module")
def heated(tmp_path_factory):
    """Rack 5, of unit 2 in pod_2, heats; rack 9 is silent."""
    folder = tmp_path_factory.mktemp("places")
    return Watched(folder, actions=[silent(10, "bms_9"), HEATED], settings=config(folder)).run(28)


def test_each_place_has_its_values_and_the_others_have_none(heated):
    found = heated.facts("map")
    assert json.loads(json.dumps(found)) and found["plan"]["name"] == "Yard beside hall 3"
    by_name = {each["place"]: each for each in found["places"]}
    assert list(by_name) == ["pod_1", "pod_2", "pod_3", "pod_4"]
    hot, silent, other = by_name["pod_2"], by_name["pod_3"], by_name["pod_4"]
    assert (hot["racks"], hot["units"], hot["rack"], hot["module"]) == ([4, 5, 6], [2], 5, 3)
    assert (hot["x_mm"], hot["y_mm"]) == (15500, 6000)
    assert 700 < hot["temperature_ddegC"] < 1000 and hot["rise_ddegC_per_min"] > 800
    assert hot["is_alarm"] and "21a.rack5" in hot["rows"] and not by_name["pod_1"]["is_alarm"]
    assert (silent["unknown_racks"], silent["rack"], silent["is_alarm"]) == (1, 7, False)
    assert silent["temperature_ddegC"] < 300
    assert [each["rack"] for each in silent["each_rack"]] == [7, 8, 9]
    assert silent["each_rack"][2] == {
        **dict.fromkeys(("module", "temperature_ddegC", "rise_ddegC_per_min")),
        "rack": 9,
    }
    assert other["is_here"] is False and other["temperature_ddegC"] is None
    assert other["is_alarm"] is None and other["racks"] == []
    assert found["propagation"]["rack"] == 5
    assert found["contacts"]["door"] == "ok" and len(found["gas_lfl_permille"]) == 2
    assert heated.facts("status")["map"] == {k: found[k] for k in ("plan", "places", "unload")}


def test_the_neighbours_are_in_the_order_of_their_ways(heated):
    unload = heated.facts("map")["unload"]
    assert [(each["place"], each["units"], each["distance_mm"]) for each in unload] == [
        ("pod_1", [1], 3442),
        ("pod_4", [], 3462),
        ("pod_3", [3], 4881),
    ]
    assert {(each["next_to"], each["by"], each["time_s"]) for each in unload} == {
        ("pod_2", places.TEST, None)
    }


def test_the_page_has_them(heated):
    facts = heated.facts("map")
    for part in pages.parts("map", facts):
        check(part, "map")
    text = flat(sum(pages.parts("map", facts), []))
    for words in (
        "PLAN Yard beside hall 3; audit: 20 met",
        "AHEAD Rack 5 module 3,",
        "UNLOAD first pod_1 (unit 1), 3.442 m from pod_2; then pod_4 (another cabinet), 3.462 m",
        "pod_2 at 15.5, 6.0 m: racks 4 5 6, hottest",
        "ALARM row 21a rack 5 and",
        "to pod_1 3.442 m, pod_4 3.462 m, pod_3 4.881 m: no spread over 3.000 m in report U-0645",
        "to hall_3 (building) 4.781 m",
        "1 racks unknown",
        "pod_4 at 15.5, 11.9 m: of another cabinet, its values are not known here",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    "changes, by, time_s",
    [
        ({}, "unknown", None),
        ({"tested_mm": 3000}, "test", None),
        ({"tested_mm": 3001}, "unknown", None),
        ({"tested_mm": 2999}, "test", None),
        ({"wall_min": 1, "tested_mm": 2999}, "wall", 60),
        ({"wall_min": 120}, "wall", 7200),
    ],
)
def test_what_speaks_for_a_way(changes, by, time_s):
    found = places._way({"from": "a", "to": "b", "distance_mm": 3000, **PAPERS, **changes})
    assert (found["by"], found["time_s"]) == (by, time_s) and "from" not in found


def test_no_paper_comes_before_a_test_and_a_test_before_a_wall():
    def way(to, distance_mm, **papers):
        return places._way(
            {"from": "a", "to": to, "kind": "unit", "distance_mm": distance_mm, **PAPERS, **papers}
        )

    ways = [way("w", 1, wall_min=60), way("t", 2, tested_mm=1), way("far", 900), way("u", 800)]
    hot = {"place": "a", "is_alarm": True, "units": [1], "ways": ways}
    also = {"place": "b", "is_alarm": True, "units": [2], "ways": [way("w", 5)]}
    others = [{"place": name, "is_alarm": None, "units": []} for name in ("w", "t", "far", "u")]
    order = [(each["place"], each["next_to"]) for each in places._unload([hot], others)]
    assert order == [("u", "a"), ("far", "a"), ("t", "a"), ("w", "a")]
    assert places._unload([hot, also], others)[0]["place"] == "w", "the worse way counts"
    assert places._unload([{**hot, "is_alarm": False}], others) == []


def test_a_gas_alarm_is_of_every_place_of_the_cabinet(tmp_path):
    gas = action(11, "gas", lfl_pct=40.0, detector=None)
    watched = Watched(tmp_path, actions=[gas], settings=config(tmp_path)).run(25)
    found = watched.facts("map")
    assert [each["is_alarm"] for each in found["places"]] == [True, True, True, None]
    assert [each["place"] for each in found["unload"]] == ["pod_4"]


def test_a_cabinet_without_a_plan_has_its_units(tmp_path):
    watched = Watched(tmp_path, actions=[action(9, "estop_press")]).run(30)
    found = watched.facts("map")
    (place,) = found["places"]
    assert (found["plan"], found["unload"]) == (None, [])
    assert (place["place"], place["racks"], place["x_mm"]) == ("unit 1", [1, 2, 3], None)
    assert place["rows"] == [] and not place["is_alarm"], "an E-stop is no sign of heat"
    assert place["rise_ddegC_per_min"] is not None
    assert "has no [plan]" in watched.text("map")


@pytest.mark.parametrize("kept_s, is_known", [(9, False), (10, True), (11, True)])
def test_a_rate_needs_ten_seconds(heated, monkeypatch, kept_s, is_known):
    facts = type(heated.shadow.core.facts)
    monkeypatch.setattr(facts, "kept_s", lambda self, rack: kept_s)
    monkeypatch.setattr(facts, "oldest_reading_ddegC", lambda self, rack, module: 200)
    at = heated.shadow.layout.rack_input(0, s.MODULE_TEMPERATURE_DDEGC)
    now_ddegC = max(heated.shadow.inp[at : at + 15])
    rise = places._warmest(heated.shadow, 0)["rise_ddegC_per_min"]
    assert rise == (round((now_ddegC - 200) * 60 / kept_s) if is_known else None)
