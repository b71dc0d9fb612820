"""Lead time against false alarms: the arithmetic on series made by hand, two short courses."""

import json
import os
import signal

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from hil.__main__ import main
from hil.campaigns.rows import command as rows
from hil.campaigns.runaway import courses, metrics, report, watching
from safety import matrix as m, runaway, signals as s
from tests.tables import cases

BASE = "lfp 55 %"


def course(kind="load", **changes):
    usual = dict(base=BASE, seed="1", duration_s=200.0, noise_K=0.02, sensor_cells=(), steps=())
    return courses.Course(**{"kind": kind, "load": lambda t_s: 300_000.0, **usual, **changes})


def made(of, seconds=300, runaway_s=None, cabinet=(), racks=()):
    """All is quiet but for (feature, from, until, value), of racks with their index first."""
    of_cabinet = np.zeros((seconds, len(watching.CABINET_COLUMNS)), np.int32)
    of_racks = np.zeros((3, seconds, len(watching.RACK_COLUMNS)), np.int32)
    one = watching.Series(of, of_cabinet, of_racks, runaway_s)
    for feature, first, after, value in cabinet:
        one.cabinet[first - 1 : after - 1, watching.CABINET_COLUMNS.index(feature)] = value
    for rack, feature, first, after, value in racks:
        one.racks[rack, first - 1 : after - 1, watching.RACK_COLUMNS.index(feature)] = value
    return one


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


@settings(max_examples=20)
@given(st.lists(st.integers(-50, 900), min_size=6, max_size=6))
@example([0, 0, 0, 0, 250, 100])  # the second sign is exactly the least that counts
def test_the_suspicion_is_the_kernels(values):
    base = len(m.CABINET_FEATURES)
    kernel = [0] * (base + m.RACK_FEATURE_COUNT)
    series = made(course(), 2)
    for (feature, of_rack, *_), value in zip(runaway.SIGNS, values):
        kernel[base + feature if of_rack else feature] = value
        columns = watching.RACK_COLUMNS if of_rack else watching.CABINET_COLUMNS
        (series.racks[1] if of_rack else series.cabinet)[:, columns.index(feature)] = value
    found = metrics.suspicion(metrics.signs(series, 1), runaway.SECOND_PCT_MIN)
    assert list(found) == [runaway.suspicion_pct(kernel, [1] * len(kernel), base)] * 2


def test_leads_and_false_alarms_of_series_made_by_hand():
    """Row 7: 20 ppm for 5 s. No alarm in a day: less than 3 a day with 95 %."""
    true = course("heater", rack=1, events=(60,))
    solvent = course("solvent", events=(40, 160), duration_s=300.0)
    seen = [made(true, runaway_s=205, cabinet=[vapour(*each)]) for each in ((101, 300), (50, 54))]
    seen += [made(solvent, cabinet=[vapour(45, 60, 20), vapour(170, 174, 30)])]
    found = metrics.judge([*seen, made(course(), 86_400)])
    leads, false = found["row 7"]["leads"], found["row 7"]["false_alarms"]
    assert (leads["of"], leads["missed"], leads["median_s"]) == (2, 1, 50.0)
    solvent, load = false["makers"]["solvent"], false["makers"]["load"]
    assert (solvent["alarms"], solvent["events"]) == (1, 2)
    assert false["per_1000_d"] == pytest.approx(courses.RATES["solvent"] / 2)
    assert (load["hours"], load["per_1000_d"]) == (24.0, 0.0)
    assert load["per_1000_d_upper"] == pytest.approx(3000.0)
    assert load["by_noise_K"]["0.02"] == {"alarms": 0, "hours": 24.0}
    row_9, one_sign = found["row 9"], found["suspicion 100 %, second 25 %, 3 s"]
    assert (row_9["leads"]["missed"], row_9["false_alarms"]["per_1000_d"]) == (2, 0.0)
    assert one_sign["leads"]["missed"] == 2


@pytest.mark.parametrize("runaway_s, lead_s", [(200, 49.0), (150, 0.0)])
def test_only_the_rack_that_burns_counts_and_only_before_it_does(runaway_s, lead_s):
    true = course("short", rack=1, events=(60,))
    series = made(true, runaway_s=runaway_s, racks=[warm(0, 70, 200), warm(1, 150, 260)])
    short = metrics.judge([series])["row 22"]["leads"]["kinds"]["short"]
    assert (short["median_s"], short["missed"]) == (lead_s, int(not lead_s))


@pytest.mark.parametrize("racks, edges", [([], []), ([warm(2, 80, 90)], [101])])
def test_a_gated_row_needs_the_row_it_is_gated_by(racks, edges):
    """8c: vapour for 2 s beside row 22 or 23; alone it takes two sensors or 30 s."""
    (tripped,) = metrics.stage_trips(made(course(), cabinet=[vapour(100, 104)], racks=racks))["8c"]
    assert list(metrics.edges(tripped)) == edges


@pytest.mark.parametrize("count, upper", [(0, 3.0), (1, 4.74), (5, 10.51), (50, 63.29)])
def test_the_upper_bound_is_poissons(count, upper):
    assert metrics.count_upper(count) == pytest.approx(upper, rel=0.01)


@pytest.fixture(scope="module")
def rig():
    """Closed after 3 s, every detector heard after 8."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "START_S", 8.0)
        return watching.started(courses.BASES[BASE], 1)


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
    assert series.seconds == series.runaway_s + watching.AFTER_S
    judged = metrics.judge([series])
    leads_s = {name: each["leads"]["kinds"]["short"]["median_s"] for name, each in judged.items()}
    assert leads_s["row 22"] > leads_s["row 7"] > 0.0 and leads_s["row 24"] == 0.0


def test_courses_follow_from_the_seed_and_are_as_many_as_asked():
    one, two, other = (courses.drawn(seed, 16, 0.5) for seed in (1, 1, 2))
    drawn = [[(each.seed, each.noise_K, each.base) for each in all_] for all_ in (one, two, other)]
    assert drawn[0] == drawn[1] != drawn[2] and len(one) == 16 + 36
    kinds = [each.kind for each in one]
    assert [kinds.count(kind) for kind in ("heater", "short", "sudden", "load")] == [8, 6, 2, 18]
    assert set(kinds[16:]) <= {"load", *courses.MAKERS}
    for each in one[16:]:
        assert not each.events or each.events[-1] + courses.WINDOW_S[each.kind] <= 1240


@cases("""stage feature beyond
    "12b"  m.F_GAS_RELAY_OK  0 | "7"  m.F_OFFGAS_PPM_MAX  30""")
def test_an_unknown_feature_is_not_beyond(stage, feature, beyond):
    for value, trips in ((watching.UNKNOWN, False), (beyond, True)):
        series = made(course(), cabinet=[(feature, 1, 301, value)])
        assert metrics.stage_trips(series)[stage][0].any() == trips


def test_as_many_runaways_as_asked_by_their_shares():
    for count in (*range(20), 96, 1001):
        counts = dict(courses._counts(count))
        assert sum(counts.values()) == count
        assert all(abs(counts[kind] - share * count) < 1.0 for kind, share in courses.SHARES)


@pytest.mark.whole
def test_the_command_prints_writes_and_draws(monkeypatch, tmp_path, capsys):
    steps = ((60, lambda plant: plant.racks[0].start_runaway(2, 3, 1.0, 120.0)),)
    todo = [course("heater", rack=0, events=(60,), steps=steps), course(duration_s=90.0)]
    monkeypatch.setattr(watching, "START_S", 8.0)
    monkeypatch.setattr(courses, "drawn", lambda *order: todo)
    files = tmp_path / "a.json", tmp_path / "a.png"
    assert main(["runaway", "--days", "0.01", "--json", str(files[0]), "--png", str(files[1])]) == 0
    doc = json.loads(files[0].read_text())
    assert doc["detectors"]["row 22"]["leads"]["missed"] == 0 and doc["runaways"]["heater"] == 1
    assert "not field data" in doc["about"] and 0.0 < doc["hours_of_load_alone"] < 0.04
    assert files[1].read_bytes()[:4] == b"\x89PNG"
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err.startswith("runaway: 2 courses, 0.1 h of simulated operation\n")
    assert [line for line in lines if line.startswith("row 53 ")]
    assert all(len(line) <= 250 for line in lines)


@pytest.mark.parametrize("name", ["runaway", "rows"])
def test_an_interruption_is_headed_with_the_command_that_was_given(name, monkeypatch, capsys):
    def stopped(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(courses, "drawn", stopped)
    monkeypatch.setattr(rows.configuration, "load", stopped)
    assert main([name]) == 130
    assert capsys.readouterr().err == f"{name}: interrupted, no result\n"


def test_no_name_in_the_picture_covers_another():
    """Picture of a short run: most rows see nothing, most thresholds are equally good."""
    own = [report._suspicion(pct) for pct in metrics.SCORE_PCT]
    found = {f"row {number}": (None, 8, 0.0) for number in (10, 11, 12, 23, 24, 34)}
    found |= {name: (560.0, 0, 0.0 if index > 12 else 3.0) for index, name in enumerate(own)}
    found |= {"row 7": (300.0, 0, 1.8), "row 8": (300.0, 0, 1.8), "row 53": (560.0, 0, 0.0)}
    found |= {"any row": (580.0, 0, 4.0), "row 26": (540.0, 2, 2.5)}
    detectors = {}
    for name, (median_s, missed, per_1000_d) in found.items():
        leads = {"median_s": median_s, "missed": missed, "of": 8}
        detectors[name] = {"leads": leads, "false_alarms": {"per_1000_d": per_1000_d}}
    figure = report.draw({"detectors": detectors})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    wanted = [name for name in detectors if name not in own]
    wanted += [f"{pct} %" for pct in metrics.SCORE_PCT[::3]]
    for axes in figure.axes:
        words = ", ".join([each.get_text().replace("\n", " ") for each in axes.texts]).split(", ")
        assert sorted(words) == sorted(wanted)
        # without its line
        boxes = [Text.get_window_extent(each, canvas.get_renderer()) for each in axes.texts]
        for index, box in enumerate(boxes):
            assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            assert not any([box.overlaps(other) for other in boxes[index + 1 :]])
