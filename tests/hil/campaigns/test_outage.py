"""Outages at random moments: what an outage must keep, and the arithmetic of an island."""

from types import SimpleNamespace

import pytest
from in_process import written

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.campaigns.outage import command, course, islands
from hil.site.branches import LoadShed
from hil.site.grid import Grid
from hil.site.site import Site
from hil.site.transfer_switch import TransferSwitch
from safety import signals as s
from tests.hil.site.site_bench import Unit, cabinet
from tests.tables import cases

TICK_S = 0.02
COURSE = course.Course("", 1, 1, 1, None, 0.1, 0.02)
LIMITS = {"grid_import_W_max": 100_000, "grid_export_W_max": 0}


class Rig:
    """A cabinet of 100 kW on a site with an outage of 2 s at 1 s."""

    def __init__(self, load_W, forms, state=s.RUNNING):
        self.shed = LoadShed({"stage_W": 30_000})
        parts = [TransferSwitch({"open_s": 0.1, "return_s": 1}), self.shed]
        self.site = Site(lambda t_s: load_W, 1, Grid(1, outages=[(1.0, 2.0)]), parts)
        self.unit = Unit(0.0, 100_000.0, forms)
        self.site.join(cabinet(self.unit))
        self.plant = SimpleNamespace(site=self.site, racks=[SimpleNamespace(soc=0.5)])
        self.config = SimpleNamespace(cabinet=LIMITS)
        self.trips, self.observer = SimpleNamespace(trips=[]), SimpleNamespace(violations=[])
        summary = SimpleNamespace(summary=lambda: (0, state, 0))
        self.controller, self.tick_us = SimpleNamespace(cabinet=summary), 20_000

    def run(self, end_s, see=lambda: None):
        while self.site.now_us < end_s * 1e6:
            self.site.step(TICK_S)
            see()


def faults(load_W=90_000.0, forms=True, stages=(), state=s.RUNNING, trip=None, back_W=0.0):
    """Faults of an outage; stages: (at_s, stages that are shed); back_W: of the battery at last."""
    rig = Rig(load_W, forms, state)
    rig.run(0.98)
    watch = course.Watch(rig, 1.0)
    for at_s, count in stages:
        rig.run(at_s, watch.see)
        rig.shed.ask("stages", count)
    rig.trips.trips += [trip] if trip else []
    rig.run(7.0, watch.see)  # the meter has proven itself since the return
    rig.unit.ac_power_W = back_W
    rig.run(8.0, watch.see)
    return course._outcome(watch, COURSE)["faults"]


TRIP = {"stage": "50a", "scope": "cabinet", "t_s": 1.5}


@cases("""given  broken
    {}  []
    {"forms": False}  ["gap", "dark again", "no return"]
    {"load_W": 110_000.0}  ["gap", "dark again", "no return"]
    {"back_W": -10_001.0}  ["connection"] | {"back_W": -10_000.0}  []
    {"stages": ((2, 1),)}  ["shed without need"]
    {"stages": ((2, 2), (2.5, 0))}  ["shed without need", "shed order"]
    {"state": s.TRIPPED}  ["stopped"]
    {"trip": TRIP}  ["trip"]
""")
def test_an_outage_that_breaks_a_promise_is_named(given, broken):
    assert faults(**given) == broken


def test_the_gap_may_be_that_of_switch_and_converter_and_no_tick_more():
    for open_s, transfer_s, is_kept in ((0.06, 0.02, True), (0.06, 0.019, False)):
        rig = Rig(90_000.0, True)
        rig.run(0.98)
        watch = course.Watch(rig, 1.0)
        rig.run(6.0, watch.see)
        found = course._outcome(watch, COURSE._replace(open_s=open_s, transfer_s=transfer_s))
        assert ("gap" not in found["faults"]) is is_kept and watch.dark_s == pytest.approx(0.08)


def test_the_figures_name_run_and_moment_of_the_worst():
    fine = dict.fromkeys(("dark_s", "swing_W", "beyond_W", "needless_W"), 0.0)
    fine |= {"run": 1, "at_s": 5.0, "faults": [], "soc": 0.5, "load_W": 1e5}
    bad = fine | {"run": 2, "at_s": 7.5, "dark_s": 3.0, "faults": ["gap"]}
    found = [{"outages": [each], "cpu_s": 2.0} for each in (fine, bad)]
    judged = command.Outages(SimpleNamespace()).judge(found)
    text = "\n".join(judged.lines)
    assert "gap of the load's supply: 3 s, run 2, 7.5 s" in text
    assert "CPU        4 s, 2.0 s each" in text and "broken     gap: 1" in text
    assert judged.verdict == "1 of 2 outages kept every promise; not: run 2 at 7.5 s"
    assert not judged.is_met and [each["run"] for each in judged.document["outages"]] == [1, 2]


@pytest.mark.whole
def test_one_outage_in_bytes_keeps_every_promise(monkeypatch, tmp_path):
    monkeypatch.setattr(course, "OUTAGE_S", 4.0)
    monkeypatch.setattr(course, "AFTER_S", 2.0)
    document = written(tmp_path, "trials outage --count 1")
    assert [each["dark_s"] for each in document["outages"]] == [0.1]


def test_the_count_is_dealt_to_runs_of_ten():
    given = SimpleNamespace(cabinet="c", seed=3, count=23, peak=None, open=0.1, transfer=0.02)
    found = command.Outages(given).draw()
    assert [(each.number, each.outages) for each in found] == [(1, 10), (2, 10), (3, 3)]


@cases("""changes  broken
    {}  []
    {"error_pct": 5.1}  ["hours"] | {"error_pct": -5.1}  ["hours"] | {"error_pct": 5.0}  []
    {"dark_s": 0.2}  ["gap"]
    {"trips": ["21a rack 1"]}  ["trip"]
    {"start_s": 15.3}  ["start of the generator set"]
    {"start_s": None}  ["start of the generator set"]
    {"above_reserve_permille": 0.0}  ["backup reserve before the generator set"]
""")
def test_an_island_that_breaks_a_promise_is_named(changes, broken):
    figures = {
        "error_pct": 1.0,
        "dark_s": 0.1,
        "trips": [],
        "start_s": 15.2,
        "start_s_max": 15.2,
        "above_reserve_permille": 1.0,
    }
    assert islands._faults(figures | changes) == broken


def test_the_battery_carries_an_island_in_value_mode_until_the_reserve(monkeypatch):
    monkeypatch.setattr(islands, "BEGIN_S", 30.0)  # the limits are open
    monkeypatch.setattr(islands, "AFTER_S", 2.0)
    config = configuration.load(EXAMPLE, tick_ms=100)
    found = islands.play(islands.Island("x", 200_000.0, 0.105), config, 1)
    assert found["trips"] == [] and found["dark_s"] == 0 and 0.005 < found["hours"] < 0.02


def test_the_efficiency_is_that_of_the_published_points():
    assert [islands._efficiency(share, 1.0) for share in (1.0, 0.1)] == [
        pytest.approx(0.973, abs=1e-3),
        pytest.approx(0.93, abs=5e-3),
    ]
