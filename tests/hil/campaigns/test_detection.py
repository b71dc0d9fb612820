"""Lead time against false alarms: the arithmetic on series made by hand, two short courses."""

import os
import signal

import numpy as np
import pytest

from hil.__main__ import main
from hil.campaigns.rows import command as rows
from hil.campaigns.runaway import command, courses, metrics, watching
from safety import matrix as m, signals as s
from tests.tables import cases

BASE = "lfp 55 %"


def course(kind="load", **changes):
    usual = dict(base=BASE, seed="1", duration_s=200.0, noise_K=0.02, sensor_cells=(), steps=())
    return courses.Course(**{"kind": kind, "load": lambda t_s: 300_000.0, **usual, **changes})


BASE_OF_RACKS = len(m.CABINET_FEATURES)


def made(seconds=300, runaway_s=None, cabinet=(), racks=()):
    """All is quiet but for (feature, from, until, value), of racks with their index first."""
    width = BASE_OF_RACKS + 3 * m.RACK_FEATURE_COUNT
    one = watching.Series(np.zeros((seconds, width), np.int32), BASE_OF_RACKS, runaway_s)
    for rack, feature, first, after, value in [*[(None, *each) for each in cabinet], *racks]:
        one.column(feature, rack)[first - 1 : after - 1] = value
    return one


def judged(*pairs):
    """{detector: figures} of (course, series)."""
    found = [
        {
            "seconds": len(series.values),
            "runaway_s": series.runaway_s,
            "begins": metrics.begins(series, of),
        }
        for of, series in pairs
    ]
    return command.judged([(of, each) for (of, _), each in zip(pairs, found)])


def vapour(first, after, ppm=25):
    return m.F_OFFGAS_PPM_MAX, first, after, ppm


def warm(rack, first, after):
    return rack, m.F_TEMPERATURE_UNEXPLAINED_DDEGC, first, after, 9


@cases("""text seconds expected edges
    "..##.###"  1  "..##.###"  [3, 6] | "..##.###"  2  "...#..##"  [4, 7]
    "..##.###"  3  ".......#"  [8] | "........"  1  "........"  []
    "###"  1  "###"  [1] | "###"  3  "..#"  [3]""")
def test_a_hit_is_held_for_so_many_seconds(text, seconds, expected, edges):
    held = metrics.held(np.array([letter == "#" for letter in text]), seconds)
    assert "".join(".#"[int(value)] for value in held) == expected
    assert list(metrics.edges(held)) == edges


def test_leads_and_false_alarms_of_series_made_by_hand():
    """Row 7: 20 ppm for 5 s."""
    true = course("heater", rack=1, events=(60,))
    solvent = course("solvent", events=(40, 160), duration_s=300.0)
    seen = [(true, made(runaway_s=205, cabinet=[vapour(*each)])) for each in ((101, 300), (50, 54))]
    seen += [(solvent, made(cabinet=[vapour(45, 60, 20), vapour(170, 174, 30)]))]
    found = judged(*seen, (course(), made(86_400)))
    leads, false = found["row 7"]["leads"], found["row 7"]["false_alarms"]
    assert (leads["of"], leads["missed"], leads["median_s"]) == (2, 1, 50.0)
    assert leads["p5_s"] == pytest.approx(5.0), "a missed one counts as 0 s"
    solvent, load = false["makers"]["solvent"], false["makers"]["load"]
    assert (solvent["alarms"], solvent["of"]) == (1, 2)
    assert false["events_per_1000_d"] == pytest.approx(courses.RATES["solvent"] / 2)
    assert (load["of"], load["per_1000_d"]) == (24.0, 0.0)
    assert false["makers"]["noise 0.02 K"]["of"] == 24.0
    row_9, other = found["row 9"], found["row 53 at 100 %, 4 s"]
    assert (row_9["leads"]["missed"], row_9["false_alarms"]["events_per_1000_d"]) == (2, 0.0)
    assert other["leads"]["missed"] == 2


@pytest.mark.parametrize("pct, name", [(100, "row 53 at 100 %, 4 s"), (140, "row 53")])
def test_row_53_trips_at_its_threshold_and_its_variants_at_theirs(pct, name):
    true = course("short", rack=1, events=(60,))
    level = [(1, m.F_RUNAWAY_SUSPICION_PCT, 101, 300, pct)]
    for racks, missed in ((level, 0), ([(0, *level[0][1:])], 1), ([(*level[0][:4], pct - 1)], 1)):
        assert judged((true, made(runaway_s=205, racks=racks)))[name]["leads"]["missed"] == missed


@pytest.mark.parametrize("runaway_s, lead_s", [(200, 49.0), (150, 0.0)])
def test_only_the_rack_that_burns_counts_and_only_before_it_does(runaway_s, lead_s):
    true = course("short", rack=1, events=(60,))
    series = made(runaway_s=runaway_s, racks=[warm(0, 70, 200), warm(1, 150, 260)])
    short = judged((true, series))["row 22"]["leads"]
    assert (short["median_s"], short["missed"]) == (lead_s, int(not lead_s))
    sudden = judged((true._replace(kind="sudden"), series))["row 22"]["leads"]
    assert sudden["of"] == 0, "it leaves no time"


@pytest.mark.parametrize("racks, edges", [([], []), ([warm(2, 80, 90)], [101])])
def test_a_gated_row_needs_the_row_it_is_gated_by(racks, edges):
    """8c: vapour for 2 s beside row 22 or 23; alone it takes two sensors or 30 s."""
    tripped, *_ = metrics.stage_trips(made(cabinet=[vapour(100, 104)], racks=racks))["8c"]
    assert list(metrics.edges(tripped)) == edges


@pytest.fixture(scope="module")
def rig():
    """Closed after 3 s, every detector heard after 8."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "START_S", 8.0)
        return watching.started(BASE, 1)


def test_reported_values_are_those_on_the_wires(rig):
    """Tolerance: the change of a tenth of a second, and the steps of the wires."""
    features = rig.controller.cabinet.core.kernel.features
    before, rack_input = features.inp[:], features.layout.rack_input
    watching.report(rig.plant, features)
    modules = range(s.MODULE_TEMPERATURE_DDEGC, features.layout.rack_width)
    words = (s.CELL_VOLTAGE_MV_MIN, s.CELL_VOLTAGE_MV_MAX, *modules)
    told = [rack_input(rack, index) for rack in range(3) for index in words]
    assert all(abs(features.inp[at] - before[at]) <= 1 for at in told) and len(told) == 51
    assert sum(features.inp[at] for at in told) > 10_000
    for rack in range(3):
        at = rack_input(rack, s.RACK_CURRENT_MA)
        assert abs(features.inp[at] - before[at]) <= 1000
        assert before[rack_input(rack, s.CONTACTOR_STATE)] == s.CONTACTOR_CLOSED


def test_a_short_is_seen_before_it_burns_and_a_misread_sensor_is_not(rig):
    steps = ((40, lambda plant: plant.racks[0].misread(3, 40.0)),)
    plain = course("misread", events=(40,), duration_s=60.0, steps=steps)
    calm = metrics.stage_trips(watching.watch(rig, plain))
    assert not [name for name, arrays in calm.items() if any(values.any() for values in arrays)]
    steps = ((60, lambda plant: plant.racks[1].start_runaway(4, 5, 1.0, 100.0)),)
    series = watching.watch(rig, course("short", rack=1, events=(60,), steps=steps))
    assert series.runaway_s == pytest.approx(121, abs=2)
    assert len(series.values) == series.runaway_s + watching.AFTER_S
    found = judged((course("short", rack=1, events=(60,), steps=steps), series))
    leads_s = {name: each["leads"]["median_s"] for name, each in found.items()}
    assert leads_s["row 22"] > leads_s["row 7"] > 0.0 and leads_s["row 24"] == 0.0
    assert leads_s["row 53"] > leads_s["row 7"]


def test_courses_follow_from_the_seed_and_are_as_many_as_asked():
    one, two, other = (courses.drawn(seed, 16, 0.5) for seed in (1, 1, 2))
    drawn = [[(each.seed, each.noise_K, each.base) for each in all_] for all_ in (one, two, other)]
    assert drawn[0] == drawn[1] != drawn[2] and len(one) == 16 + 36
    kinds = [each.kind for each in one]
    assert [kinds.count(kind) for kind in ("heater", "short", "sudden", "load")] == [8, 6, 2, 18]
    assert set(kinds[16:]) <= {"load", *courses.RATES}
    for each in one[16:]:
        assert not each.events or each.events[-1] + courses.WINDOW_S[each.kind] <= 1240


@cases("""stage feature beyond
    "12b"  m.F_GAS_RELAY_OK  0 | "7"  m.F_OFFGAS_PPM_MAX  30""")
def test_an_unknown_feature_is_not_beyond(stage, feature, beyond):
    for value, trips in ((watching.UNKNOWN, False), (beyond, True)):
        series = made(cabinet=[(feature, 1, 301, value)])
        assert metrics.stage_trips(series)[stage][0].any() == trips


@pytest.mark.whole
def test_the_command_prints_hours_and_rows(monkeypatch, capsys):
    steps = ((60, lambda plant: plant.racks[0].start_runaway(2, 3, 1.0, 120.0)),)
    todo = [course("heater", rack=0, events=(60,), steps=steps), course(duration_s=90.0)]
    monkeypatch.setattr(watching, "START_S", 8.0)
    monkeypatch.setattr(courses, "drawn", lambda *order: todo)
    assert main(["trials", "runaway", "--days", "0.01"]) == 0
    out = capsys.readouterr().out
    assert "\nheater 0.04 h, load 0.03 h\n" in out
    assert "not field data" in out and "\n| row 53 | 0 of 1 |" in out


@pytest.mark.parametrize("name", ["trials runaway", "rows"])
def test_an_interruption_is_headed_with_the_command_that_was_given(name, monkeypatch, capsys):
    def stopped(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(courses, "drawn", stopped)
    monkeypatch.setattr(rows.configuration, "load", stopped)
    assert main(name.split()) == 130
    assert capsys.readouterr().err == f"{name}: interrupted, no result\n"
