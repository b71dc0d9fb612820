"""Largest: NERC's ramp against hand-made sizes, the ways of the racks, the command."""

import json
import math

import numpy as np
import pytest
from in_process import refused, written

from controller.__main__ import main as firebreak
from controller.audit import report
from hil.campaigns.smooth import largest as course, largest_tables as tables, loads, notices, rules
from hil.campaigns.smooth.largest import FEED, RACKS, Case, Racks, Way
from tests.repository import ROOT

PLAIN = Racks(50.0, 0.0, 0.0, 0.0, RACKS)


def grids(monkeypatch, racks=PLAIN):
    monkeypatch.setattr(course, "REPEATS", 1)
    ways = course.ways_of(course.nerc_W(), Case(None, ("55",), racks))
    return course.nerc_W(), {name: way.grid_W for name, way in ways.items()}


def test_sizes_of_a_load_without_battery():
    load_W = course.nerc_W()[:2000]
    found = course.sizes(load_W, load_W)
    rise = 0.475 / 0.975
    expected = {"ATC/SPP range_5s (?)": 25, "IESO change_15s (?)": 5}
    for name, limit_MW in expected.items():
        assert found[name] == pytest.approx(limit_MW / rise, rel=1e-3)
    assert found["Southern range_6s (?)"] == 50  # 10 / rise is below the size where it begins
    assert found["CAISO proposal ramp_10min (?)"] is None and found["NVIDIA T4 ramp (?)"] == 0
    assert not [name for name in found if "ride_through" in name]


def test_both_orders_of_the_filter_of_ercot_behind_nercs_ramp():
    """Percent of the peak in 20 ms means: 46.4 (one pole) and 53.0 (two); tracked 20.7, 21.6."""
    load_W = course.nerc_W()[:4000]
    ways = course.ways_of(load_W, Case(None, ("100f",), PLAIN._replace(J_per_kW=0.0, meter=FEED)))
    rule = [each for each in course.chosen_rules() if each.title == "ERCOT range_5s (?)"]
    found = course.judge.audit(course.Played(load_W, ways["100f ms"].grid_W), rule, 100.0)
    alone, tracked = [[one.value for one in each.readings.values()] for each in found.verdicts]
    assert alone == pytest.approx([46.4, 53.0], abs=0.15)
    assert tracked == pytest.approx([20.7, 21.6], abs=0.15)


def test_a_capacitor_of_the_length_of_the_path_leaves_least_behind_a_meter_at_the_racks(
    monkeypatch,
):
    load_W, inside_W = grids(monkeypatch)
    _, feed_W = grids(monkeypatch, PLAIN._replace(meter=FEED))
    ranges = {name: np.ptp(each_W[500:]) / load_W.max() for name, each_W in inside_W.items()}
    assert ranges["alone"] > 0.48 > ranges["55 ms"] > 2 * ranges["55 ms + c"]
    assert np.ptp(feed_W["55 ms + c"][500:]) / load_W.max() > 1.3 * ranges["55 ms + c"]
    assert inside_W["racks"].sum() == pytest.approx(load_W.sum(), rel=1e-4)


def test_tracking_believes_in_a_path_that_is_shorter_by_the_capacitor(monkeypatch):
    believed_ms, function = [], course.followers.function

    def kept(path, delay_ms, allowed_W):
        believed_ms.append(delay_ms)
        return function(path, delay_ms, allowed_W)

    monkeypatch.setattr(course.followers, "function", kept)
    monkeypatch.setattr(course, "REPEATS", 1)
    for racks in (PLAIN, PLAIN._replace(meter=FEED)):
        course.ways_of(course.nerc_W(), Case(None, ("100f", "55"), racks))
    assert believed_ms == [100, 50, 55, 20, 100, 100, 55, 55]


def test_the_floor_of_the_smoothing_is_of_the_highest_power():
    load_W = course.nerc_W()[:1000]
    smooth_W, feed_W = course.racks_W(load_W, Racks(0.0, 80.0, 0.0, 60.0, FEED))
    assert smooth_W[600:].min() == pytest.approx(0.8 * load_W.max(), rel=1e-3)
    assert feed_W.tolist() == smooth_W.tolist()


def test_losses_of_the_floor_and_of_the_battery():
    case = Case(None, ("55",), PLAIN)
    gpus_W = np.array([100.0, 300.0])
    ways = {"alone": Way(gpus_W, gpus_W), "55 ms": Way(np.array([200.0, 200.0]), gpus_W)}
    found = course.lost_pct(gpus_W, ways, case)
    assert found["floor"] == found["withheld"] == pytest.approx(100 * 100 / 400)
    lost_W = 100 * (1 / 0.97 - 1) + 100 * 0.03
    assert found["alone"] == 0 and found["55 ms"] == pytest.approx(100 * lost_W / 400)


def test_sizes_are_those_of_the_audit_of_the_same_course(monkeypatch, tmp_path):
    _, found = grids(monkeypatch)
    load_W, grid_W = course.nerc_W(), found["55 ms"]
    rows = [f"{at * 0.02:.2f},{load_W[at]},{grid_W[at]}" for at in range(500, len(load_W))]
    path, page = tmp_path / "a.csv", tmp_path / "a.json"
    path.write_text("\n".join(["t_s,load_W,grid_W", *rows]))
    assert (
        firebreak(["audit", str(path), *"--site-MW 50 --meter-ms 20 --json".split(), str(page)])
        == 1
    )
    verdicts = json.loads(page.read_text())["verdicts"]
    titles = {(rule.operator, rule.name): rule.title for rule in course.chosen_rules()}
    audited = {
        titles[each["operator"], each["rule"]]: math.inf
        if each["any_site"]
        else each["site_MW_max"]
        for each in verdicts
        if each["series"] == "with battery" and each["rule"] != "ride_through"
    }
    sizes = course.sizes(load_W, grid_W)
    judged = {name: size_MW for name, size_MW in sizes.items() if size_MW is not None}
    short = {"CAISO proposal ramp_10min (?)", "ATC change_50MW (?)"}
    assert len(sizes) == 16 and {*sizes} - {*judged} == short
    assert {name: audited[name] for name in judged} == pytest.approx(judged, rel=1e-6)


def test_the_worst_load_of_each_rule_and_loads_that_a_battery_makes_worse():
    titles = [rule.title for rule in course.chosen_rules()]

    def row(load, alone_MW, path_MW):
        ways = {"alone": alone_MW, "55 ms": path_MW}
        return {"load": load, "ways": {way: dict.fromkeys(titles, ways[way]) for way in ways}}

    rows = [row("a", 20.0, 15.0), row("b", 10.0, math.inf), row("c", None, None)]
    found = tables.worst(rows)["Southern range_6s (?)"]
    assert found["alone"] == {"site_MW": 10.0, "load": "b", "smaller": []}
    assert found["55 ms"] == {"site_MW": 15.0, "load": "a", "smaller": ["a"]}
    text = tables.of_worst(tables.worst(rows), 3)
    (line,) = [line for line in text.splitlines() if "| Southern range" in line]
    assert line.strip("| ").split(" | ")[1:] == ["10", "15 <1", "b (alone); a (55 ms)"]
    assert tables.plain({"a": [math.inf, 1.0]}) == {"a": ["any", 1.0]}


def test_the_command_prints_one_table_and_refuses_an_unknown_load(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(course, "REPEATS", 1)
    (row,) = written(tmp_path, "smooth largest --only NERC --processes 1")["rows"]
    first, smallest = capsys.readouterr().out.split("\nthe smallest site of 1 loads")
    rows = [line.strip("| ").split(" | ") for line in first.splitlines() if line[:1] == "|"]
    cells = {name: each for name, *each in rows}
    assert cells["rule"] == ["alone", "racks", "100f ms", "100f ms + c", "55 ms", "55 ms + c"]
    assert (
        cells["CAISO proposal ramp_10min (?)"] == ["-"] * 6
        and cells["NVIDIA T4 ramp (?)"][:2] == ["none"] * 2
    )
    assert "below 50" in cells["Southern range_6s (?)"]
    assert smallest.splitlines()[1].endswith("| the load that decides |")
    assert cells["energy lost in the battery"][:2] == ["0.00 %", "0.00 %"]
    assert row["load"] == "NERC's ramp" and len(row["ways"]["55 ms"]) == 16
    line = refused(capsys, "smooth largest --only nothing")
    assert "allowed are parts of NERC's ramp, training" in line


def test_the_steps_of_a_load_are_its_short_and_large_edges():
    """50 % up in 0.1 s, 20 % down in one tick, 60 % down in 0.6 s, 5 % up in one tick."""
    corners_s = 0, 1, 1.1, 2, 2.02, 3, 3.6, 4, 4.02, 5
    powers_W = 50_000, 50_000, 100_000, 100_000, 80_000, 80_000, 20_000, 20_000, 25_000, 25_000
    load_W = loads.means_W(np.array(corners_s), np.array(powers_W, float), 5)
    first, second = notices.steps_of(load_W)
    assert first.time_ms == pytest.approx(1050, abs=5) and first.step_W == 50_000
    assert second.time_ms == pytest.approx(2010, abs=5) and second.step_W == -20_000


def test_notices_on_time_help_and_wrong_ones_are_not_believed(monkeypatch):
    """A square of 12 s is foreseen by notices alone; the first step is only watched."""
    times_s, level_W = np.arange(0, 120, 6.0), np.tile([100_000.0, 250_000.0], 10)
    edges_s = np.stack([times_s, times_s + 5.98], axis=1).ravel()
    load_W = loads.means_W(edges_s, np.repeat(level_W, 2), 119)
    ways = course.ways_of(load_W, Case(None, ("100f",), PLAIN, True))
    assert [*ways] == ["alone", "100f ms", *[f"100f ms, {off} ms off" for off in (0, 100, 200)]]
    ranges_W = {name: rules.range_5s_W(way.grid_W) for name, way in ways.items()}
    assert ranges_W["100f ms, 0 ms off"] < 0.5 * ranges_W["100f ms"]
    assert ranges_W["100f ms, 200 ms off"] == pytest.approx(ranges_W["100f ms"], rel=0.01)


@pytest.mark.parametrize("option", ("--capacitor 10", "--meter feed", "--range 5", "--table"))
def test_an_option_without_effect_beside_notices_is_refused(capsys, option):
    line = refused(capsys, f"smooth largest --notices {option}")
    assert f"{option.split()[0]} cannot stand beside --notices" in line


def on_page():
    """{rule: cells} of the operators' table."""
    text = (ROOT / "controller/audit/README.md").read_text(encoding="utf-8")
    table = text[text.index("| rule | it limits |") :].split("\n\n")[0].splitlines()[2:]
    rows = [line.strip("| ").split(" | ") for line in table]
    return {name: cells for name, *cells in rows}


def test_the_page_has_the_rules_in_the_words_of_the_audit():
    assert [(title, cells[0]) for title, cells in on_page().items()] == [
        (rule.title, report.limit_words(rule))
        for rule in course.chosen_rules()
        if "nprr_1191" not in rule.title  # passes at no size
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_has_the_sizes_of_the_built_in_loads():
    racks = PLAIN._replace(J_per_kW=54.0)
    sources = None, course.loads.Source("", "training")
    rows = [course.played(Case(source, ("100f", "55"), racks)) for source in sources]
    lines = [line.strip("| ").split(" | ") for line in tables.markdown(rows)[2:]]
    found = {name: cells for name, *cells in lines}
    assert {name: [each.split(" (")[0] for each in cells] for name, cells in on_page().items()} == {
        name: found[name] for name in on_page()
    }
