"""The pack: verdicts of planted runs, its page, and the tests that no rig answers."""

import pytest
from in_process import refused

from controller.sites import EXAMPLE
from hil.campaigns.vendor_pack import gains, page, plays, verdicts
from hil.engine import coverage
from hil.values.chain_only import ChainOnly
from tests.tables import cases


def t1(off_W):
    """A battery that reports off_W too much of 50 kW; the grid meter never stands still."""
    rows = [(at * 0.02, 50e3, 50e3, 50e3 + off_W, 20e3, 20e3 + at % 2) for at in range(500)]
    return verdicts.t1(rows, 20, [9.98])


def answers(found):
    return {asked.split(",")[0].split(" (")[0]: is_met for asked, _, is_met in found.answers}


@pytest.mark.parametrize("off_W, is_met", [(249, True), (251, False)])
def test_t1_takes_half_a_percent_of_the_reading(off_W, is_met):
    assert answers(t1(off_W))["active power as the converter reports it"] is is_met


def test_event_stamps_are_answered_with_the_tick():
    found = t1(0)
    assert ("event stamps of 1 ms", "no: one tick of 20 ms", False) in found.answers
    assert answers(found)["no channel missing"] and answers(found)["logs held for 7 days"]


@pytest.mark.parametrize("late_s, is_met", [(1.9, True), (2.1, False)])
def test_t6_takes_2_s_for_a_limit(late_s, is_met):
    rows = [(at * 0.02, 300e3 if at * 0.02 > late_s else 400e3, 300e3) for at in range(1500)]
    assert verdicts.t6(rows, 400e3, 100e3).is_met is is_met


@pytest.mark.parametrize("given_W, is_met", [(60e3, True), (50e3, False)])
def test_t10_needs_the_whole_load(given_W, is_met):
    rows = [(at * 0.02, 60e3, given_W, given_W, 1.0) for at in range(100)]
    assert verdicts.t10(rows, [0.5], [], True).is_met is is_met


@cases("""last  low  is_met
    0.59  0.21  True | 0.61  0.3  False | 0.55  0.19  False""")
def test_t11_limits_drift_and_range(last, low, is_met):
    rows = [(0.0, 0.55, 1e3, 1e3), (60.0, low, 1e3, 1e3), (120.0, last, 1e3, 1e3)]
    assert verdicts.t11(rows, ChainOnly.MODE).is_met is is_met


def test_the_page_has_every_test_its_curve_and_its_csv():
    found = {"T1": verdicts.plain(t1(0))}
    numbers = [gains.Gain("track_path_delay_ms", 110, "ms")]
    text = page.html_page(found, "seed 1", numbers)
    assert all([f"<td class=short>T{number}</td>" in text for number in (1, 2, 3, 5, 7, 8, 9, 12)])
    assert text.count("<svg ") == 1 and "EMT: not provable here" in text
    assert "<td>track_path_delay_ms</td><td class=short>110</td>" in text
    (path, content), last = page.csv_files("a/pack.html", found, numbers)
    assert path == "a/pack_T1.csv" and len(content.splitlines()) == 501
    assert last == ("a/pack_T12.csv", "name,value,unit\ntrack_path_delay_ms,110,ms\n")


def test_the_gains_are_those_of_the_configuration_and_of_its_path():
    config = coverage.loaded(EXAMPLE)
    found = {each.name: each for each in gains.of_config(config)}
    assert found["tick_ms"].value == 20 and found["setpoint_ramp_W_per_s"].unit == "W/s"
    assert found["path: dead time"] == ("path: dead time", 60.0, "ms")
    path = sum([each.value for name, each in found.items() if name.startswith("path: ")])
    assert path == pytest.approx(found["track_path_delay_ms"].value, abs=0.5)


def test_a_cabinet_with_capacitors_has_a_path_that_is_shorter_by_them():
    config = coverage.loaded(EXAMPLE)
    other = plays.buffered(config, 54)
    delays_ms = [each.control["track_path_delay_ms"] for each in (config, other)]
    assert delays_ms == [110, 56] and list(other.control_image) == [*other.control.values()]
    assert other.topology.required("meter_load").settings == {"buffer_J_per_kW": 54}
    assert config.topology.required("meter_load").settings == {}
    assert (
        not other.control["meter_delay_difference_ms"]
        - config.control["meter_delay_difference_ms"]
        + 54
    )


def test_t4_plays_around_the_edge_that_is_sharpest_for_the_path(monkeypatch):
    """A ramp of 2 s is higher than the edge, and less steep."""
    monkeypatch.setattr(plays, "T4_JOB_S", 60.0)

    def job(t_s):
        return 1e5 * min(max(t_s - 20, 0), 2) + 5e4 * (t_s >= 41)

    assert plays.sharpest_s(job, 0.1) == pytest.approx(41, abs=0.15)
    assert plays.sharpest_s(job, 2) == pytest.approx(20, abs=0.1)


def test_a_cabinet_without_sources_is_refused_in_one_line(capsys):
    line = refused(capsys, "vendor-pack --cabinet controller/sites/pylontech/cabinet.toml")
    assert line.startswith("vendor-pack: --cabinet ") and "source" in line
