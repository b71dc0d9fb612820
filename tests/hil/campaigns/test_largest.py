"""Largest: NERC's ramp against hand-made sizes, the ways of the racks, the command."""

import json

import numpy as np
import pytest

from hil.__main__ import main
from hil.campaigns.largest import course
from hil.campaigns.largest.course import FEED, RACKS, Case, Racks

PLAIN = Racks(50.0, 0.0, 0.0, 0.0, RACKS)


def grids(monkeypatch, racks=PLAIN):
    monkeypatch.setattr(course, "REPEATS", 1)
    return course.nerc_W(), course.grids_W(course.nerc_W(), Case(None, ("55",), racks))


def test_sizes_of_a_load_without_battery():
    load_W = course.nerc_W()[:2000]
    found = course.sizes(load_W, load_W)
    rise = 0.475 / 0.975
    expected = {"ATC/SPP range_5s (?)": 25, "IESO change_15s (?)": 5, "Southern range_6s (?)": 10}
    for name, limit_MW in expected.items():
        assert found[name] == pytest.approx(limit_MW / rise, rel=1e-3)
    assert found["CAISO ramp_10min (?)"] is None and found["NVIDIA T4 ramp (?)"] == 0
    assert not [name for name in found if "ride_through" in name]


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

    def kept(path, delay_ms):
        believed_ms.append(delay_ms)
        return function(path, delay_ms)

    monkeypatch.setattr(course.followers, "function", kept)
    monkeypatch.setattr(course, "REPEATS", 1)
    for racks in (PLAIN, PLAIN._replace(meter=FEED)):
        course.grids_W(course.nerc_W(), Case(None, ("100f", "55"), racks))
    assert believed_ms == [100, 50, 55, 20, 100, 100, 55, 55]


def test_the_floor_of_the_smoothing_is_of_the_highest_power():
    load_W = course.nerc_W()[:1000]
    smooth_W, feed_W = course.racks_W(load_W, Racks(0.0, 80.0, 0.0, 60.0, FEED))
    assert smooth_W[600:].min() == pytest.approx(0.8 * load_W.max(), rel=1e-3)
    assert feed_W.tolist() == smooth_W.tolist()


def test_the_command_prints_one_table_and_refuses_an_unknown_load(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(course, "REPEATS", 1)
    written = str(tmp_path / "a.json")
    assert main(["largest", "--only", "NERC", "--processes", "1", "--json", written]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = {line[:26].strip(): line[26:].split() for line in lines}
    assert cells[""] == "alone racks 100f ms 100f ms + c 55 ms 55 ms + c".split()
    assert (
        cells["CAISO ramp_10min (?)"] == ["-"] * 6
        and cells["NVIDIA T4 ramp (?)"][:2] == ["none"] * 2
    )
    assert "below 50" in next(line for line in lines if line.startswith("ATC/SPP ramp"))
    (row,) = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert row["load"] == "NERC's ramp" and len(row["ways"]["55 ms"]) == 11
    assert main(["largest", "--only", "nothing"]) == 2
    assert "allowed are parts of NERC's ramp, training" in capsys.readouterr().err
