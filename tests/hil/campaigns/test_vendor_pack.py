"""The pack: verdicts of planted runs, its page, and the tests that no rig answers."""

import pytest

from hil.__main__ import main
from hil.campaigns.vendor_pack import page, verdicts
from hil.values.chain_only import ChainOnly

RATED_W = 100_000.0


def t1(off_W):
    rows = [(at * 0.02, 50e3, 50e3 + off_W, 50e3 + off_W, 20e3, 20e3) for at in range(500)]
    return verdicts.t1(rows, RATED_W, 20, [9.98])


def answers(found):
    return {asked.split(",")[0].split(" (")[0]: is_met for asked, _, is_met in found.answers}


@pytest.mark.parametrize("off_W, is_met", [(499, True), (501, False)])
def test_t1_takes_half_a_percent(off_W, is_met):
    assert answers(t1(off_W))["active power as asked"] is is_met


def test_event_stamps_are_answered_with_the_tick():
    assert ("event stamps of 1 ms (?)", "no: one tick of 20 ms", False) in t1(0).answers


@pytest.mark.parametrize("late_s, is_met", [(1.9, True), (2.1, False)])
def test_t6_takes_2_s_for_a_limit(late_s, is_met):
    rows = [(at * 0.02, 300e3 if at * 0.02 > late_s else 400e3, 300e3) for at in range(1500)]
    assert verdicts.t6(rows, 400e3, 100e3).is_met is is_met


@pytest.mark.parametrize("given_W, is_met", [(60e3, True), (50e3, False)])
def test_t10_needs_the_whole_load(given_W, is_met):
    rows = [(at * 0.02, 60e3, given_W, given_W, 1.0) for at in range(100)]
    assert verdicts.t10(rows, [0.5], [], True).is_met is is_met


@pytest.mark.parametrize(
    "last, low, is_met", [(0.59, 0.21, True), (0.61, 0.3, False), (0.55, 0.19, False)]
)
def test_t11_limits_drift_and_range(last, low, is_met):
    rows = [(0.0, 0.55, 1e3, 1e3), (60.0, low, 1e3, 1e3), (120.0, last, 1e3, 1e3)]
    assert verdicts.t11(rows, ChainOnly.MODE).is_met is is_met


def test_the_page_has_every_test_its_curve_and_its_csv():
    found = {"T1": verdicts.plain(t1(0))}
    text = page.html_page(found, "seed 1")
    assert all([f"<td class=short>T{number}</td>" in text for number in (1, 2, 3, 5, 7, 8, 9, 12)])
    assert text.count("<polyline") == 2 and "EMT: not provable here" in text
    ((path, content),) = page.csv_files("a/pack.html", found)
    assert path == "a/pack_T1.csv" and len(content.splitlines()) == 501


@pytest.mark.parametrize("command", ["ride", "vendor-pack"])
def test_a_cabinet_without_sources_is_refused_in_one_line(command, capsys):
    assert main([command, "--cabinet", "controller/sites/pylontech/cabinet.toml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{command}: --cabinet ") and "source" in line
