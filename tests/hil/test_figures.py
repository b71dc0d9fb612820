"""Figures of made-up runs whose answers are known by construction."""

import errno
import json
from types import SimpleNamespace

import numpy as np
import pytest

from hil.results import audited, figures, files, units
from hil.results.recorder import Recorder, Run
from tests.tables import cases

TICK_US = 20_000
LOAD = {"file": "a.csv", "column": None, "scale": 1.0, "rows_refused": 0}
TRIP = {"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 60.0}


def recorded(load_W, grid_W=None, battery_W=None, soc=500.0):
    recorder = Recorder()
    grid_W = load_W if grid_W is None else grid_W
    battery_W = np.zeros(len(load_W)) if battery_W is None else battery_W
    for tick, powers_W in enumerate(zip(load_W, grid_W, battery_W)):
        recorder.append(tick * TICK_US, *powers_W, 1.0, soc, 25.0, 0, 3, 1.0, 50.0, 0)
    return recorder.rows()


def document(rows, from_us=None, timeline=(), trips=(), extra=(), **loop):
    run = Run(rows, timeline, ["x"], list(trips), {"ticks": 10, "missed": 2} | loop, LOAD)
    return figures.document(run, dict(extra), from_us)


def test_rows_are_samples_of_the_plant_kept_as_a_copy():
    recorder, row = Recorder(), (20_000, *(n / 2 for n in range(6)), 213, 3, 1.0, 50.0, 0)
    assert recorder.rows().tolist() == []
    recorder.append(*row)
    kept = recorder.rows()
    recorder.append(*row)
    assert kept.tolist() == [row] and recorder.rows().tolist() == [row, row]
    things = SimpleNamespace
    pcs, racks = (
        [things(ac_power_W=4e4, forms=False), things(ac_power_W=6e4, forms=True)],
        [things(soc=0.5), things(soc=0.25)],
    )
    links = [things(pcs=each, racks=[rack]) for each, rack in zip(pcs, racks)]
    powers_W = {"load_power_W": 9e5, "grid_power_W": 8e5, "battery_W": 1e5}
    plant = things(**powers_W, pcs=pcs, racks=racks, buses=links)
    grid = things(voltage_V=115.0, frequency_Hz=49.5)
    plant.site = things(is_off_grid=False, open_stages=1, grid=grid)
    recorder = Recorder()
    recorder.sample(20, plant, 1e5, 25.5, 213, 3)
    assert recorder.rows().tolist() == [(20, 9e5, 8e5, 1e5, 1e5, 375.0, 25.5, 213, 3, 0.5, 49.5, 6)]
    pcs[1].ac_power_W, racks[1].soc = -3e4, 0.2
    for t_us in (36_000_020, 72_000_020):  # 4e4 W for 0.02 h; 6e4 W, then -3e4 W, for 0.01 h each
        recorder.sample(t_us, plant, 1e5, 25.5, 213, 3)
    each = [list(unit.values()) for unit in recorder.units.result()]
    assert each == [
        [1, 0.0, 4e4, 0.8, 0.0, {"start": 50.0, "end": 50.0}],
        [2, -3e4, 6e4, 0.6, 0.3, {"start": 25.0, "end": 20.0}],
    ]
    doc = document(recorder.rows()) | {"units": recorder.units.result()}
    assert [name for name, _ in units.rows(doc)] == ["unit 1", "unit 2", "all units"]
    both = "0.0 .. 40.0 kW, 0.80 kWh discharged, 0.00 charged, 50.0 to 50.0 %"
    assert units.rows(doc)[0][1] == both and units.rows(doc | {"units": doc["units"][:1]}) == []


def test_window_means_and_swing_weigh_by_time():
    step_W = np.where(np.arange(300) < 150, 100.0, 300.0)  # 3 s at 100 W, 3 s at 300 W
    means = figures.window_means(np.arange(300) * TICK_US, step_W)
    assert means.tolist() == pytest.approx([100.0, 200.0, 300.0])
    t_us = np.array([0, 500_000, 2_000_000, 4_000_000])
    means = figures.window_means(t_us, np.array([8.0, 0.0, 5.0, 9.0]))
    assert means.tolist() == pytest.approx([2.0, 5.0])
    for ticks, windows in ((1, 0), (99, 0), (100, 1), (199, 1), (200, 2)):  # the last unfinished
        assert len(figures.window_means(np.arange(ticks) * TICK_US, np.ones(ticks))) == windows
    levels = np.cumsum(np.arange(102)) * 10.0  # changes of 10, 20 .. 1010 W
    load_W = np.repeat(levels, 100)
    swing = figures.swing_2s_pct(recorded(load_W, load_W / 4))
    assert swing["load"] == pytest.approx(100 * 1000 / levels[-1], abs=0.001)
    assert swing["grid"] == pytest.approx(swing["load"] / 4, abs=0.001)
    assert swing["reduction"] == pytest.approx(75.0, abs=0.01)
    for load_W in (np.full(400, 3e5), np.zeros(400), np.ones(50)):
        assert figures.swing_2s_pct(recorded(load_W))["reduction"] is None
    rows = recorded(np.where(np.arange(1000) < 200, 0.0, 4e5))
    doc = document(rows, from_us=6_000_000)
    assert doc["swing_2s_pct"]["load"] == 0.0 and doc["measured_from_s"] == 6.0
    assert document(rows)["swing_2s_pct"]["load"] > 50


def sawtooth(seconds):
    """A load like a recorded one: a point each 2 s, straight lines between."""
    points_W = 3e5 + np.random.default_rng(5).uniform(0, 8e4, seconds // 2 + 2)
    return lambda t_s: np.interp(t_s, np.arange(len(points_W)) * 2.0, points_W)


def test_delay_is_found_between_ticks_in_noise_and_before_the_first_trip():
    for true_ms in (0, 175, 1000):
        load, t_s = sawtooth(200), np.arange(10_000) * 0.02
        draw = np.random.default_rng(1)
        slow = np.convolve(load(t_s), np.exp(-np.arange(2000) / 1250) / 1250)[:10_000]
        late_W = load(np.maximum(t_s - true_ms / 1000.0, 0.0))
        battery_W = late_W - slow + draw.normal(0, 400, 10_000)
        found_ms = figures.delay_ms(recorded(load(t_s), battery_W=battery_W)[2500:])
        assert found_ms == pytest.approx(true_ms, abs=12)
    for battery_W in (np.zeros(2000), np.sin(np.arange(2000) / 3.0) * 1e5):
        load_W = sawtooth(40)(np.arange(2000) * 0.02)
        assert figures.delay_ms(recorded(load_W, battery_W=battery_W)) is None
    load, t_s = sawtooth(80), np.arange(4000) * 0.02
    battery_W = load(np.maximum(t_s - 0.1, 0.0)) - 3e5
    battery_W[3000:] = 0.0
    rows = recorded(load(t_s), battery_W=battery_W)
    assert document(rows, trips=[TRIP])["delay_ms"] == pytest.approx(100, abs=5)


def test_time_at_each_limit_and_energy():
    load_W = np.where(np.arange(500) < 400, 1e5, 9e5)
    rows = recorded(load_W)
    rows["limit_reason"][300:350] = 213
    rows["limit_reason"][350:450] = 301
    measured = rows[rows["t_us"] >= 6_500_000]
    found = figures.limited_s(measured)
    assert found == {"R213": pytest.approx(0.5), "R301": pytest.approx(2.0)}
    assert figures.overload(measured, 750e3) == {"s": pytest.approx(1.98), "W_max": 150e3}
    assert figures.limited_s(rows[:300]) == {}
    assert figures.overload(rows[:300], 750e3) == {"s": 0.0, "W_max": 0.0}
    count = 50 * 3600 + 1  # one hour
    battery_W = np.where(np.arange(count) < count // 2, 100_000.0, -50_000.0)
    energy = figures.energy_kWh(recorded(np.full(count, 2e5), np.full(count, 1e5), battery_W))
    expected = {"load": 200, "grid": 100, "discharged": 50, "charged": 25}
    assert energy == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("sign, way", ((1, "import"), (-1, "export")))
def test_time_and_depth_beyond_a_limit(sign, way):
    """A peak of 100 kW for 0.2 s is 100 kW deep in means of 0.2 s; one of 0.5 kW is tolerated."""
    grid_W = np.full(500, sign * 1e5)
    grid_W[200:210] = sign * 3e5
    grid_W[400:450] = sign * 2.004e5
    found = figures.beyond(recorded(grid_W, grid_W), {"import": 2e5, "export": 2e5}, 200)
    assert found[way]["W_max"] == pytest.approx(1e5) and found["window_ms"] == 200
    # half of the peak lifts the mean to the limit: 4 ticks before and 5 after the whole peak
    assert found[way]["s"] == pytest.approx(0.18, abs=0.03)
    other = found["export" if way == "import" else "import"]
    assert (other["s"], other["W_max"]) == (0.0, 0.0)


def test_the_document_has_the_given_keys():
    doc = document(Recorder().rows())
    assert doc["lateness_us"] == dict.fromkeys(("p50", "p99", "p99_9", "max"))
    assert doc["swing_2s_pct"] == dict.fromkeys(("load", "grid", "reduction"))
    assert doc["soc_pct"] == {"start": None, "end": None} and doc["load_W_max"] is None
    assert set(doc["reaction_ms"].values()) == {None} and doc["delay_ms"] is None
    assert doc["hints"] == dict.fromkeys(("accepted", "limited", "refused", "bad_mac"), 0)
    assert doc["energy_kWh"] == dict.fromkeys(("load", "grid", "discharged", "charged"), 0.0)
    assert (doc["measured_from_s"], doc["simulated_s"]) == (0.0, 0.0)
    late = {"p50": 1, "p99": 2, "p99_9": 3, "max": 4}
    timeline = [
        (0, "pcs_enable_on_sent", ""),
        (1_000_000, "estop_press", "x"),
        (1_043_200, "pcs_enable_off_sent", ""),
    ]
    extra = {"seed": 4, "hints": {"refused": 3}}
    rows = recorded(np.linspace(1, 2, 300), soc=555.5)
    doc = document(rows, None, timeline, [TRIP], extra, lateness_us=late)
    assert (doc["ticks"], doc["missed"], doc["seed"], doc["violations"]) == (10, 2, 4, ["x"])
    assert (doc["lateness_us"], doc["trips"], doc["load"]) == (late, [TRIP], LOAD)
    assert doc["timeline"][1] == [1.0, "estop_press", "x"] and doc["hints"]["refused"] == 3
    assert doc["reaction_ms"]["estop"] == 43.2 and doc["reaction_ms"]["bms_open"] is None
    assert doc["soc_pct"] == {"start": 55.55, "end": 55.55}
    assert (doc["load_W_max"], doc["battery_W_max_abs"], doc["simulated_s"]) == (2.0, 0.0, 5.98)
    assert (doc["grid_W_max"], doc["temperature_degC_max"]) == (2.0, 25.0)


def test_json_is_readable_again_or_refused_by_name(tmp_path):
    doc = document(recorded(np.linspace(1e5, 2e5, 500)))
    figures.write_json(tmp_path / "out.json", doc)
    assert json.loads((tmp_path / "out.json").read_text()) == doc
    with pytest.raises(ValueError):
        figures.write_json(tmp_path / "bad.json", doc | {"x": float("nan")})
    with pytest.raises(files.DiskFullError) as failure:
        figures.write_json("/dev/full", {})
    assert str(failure.value) == "/dev/full: cannot be written, the disk is full"
    with pytest.raises(OSError) as failure, files.naming("x"):
        raise OSError(errno.EIO, "input/output error")
    assert failure.value.errno == errno.EIO


@cases("""stop  grid_Hz  word
    0  60.0  "met" | 1  60.0  "NOT MET" | 1  50.0  "" """)
def test_the_audit_of_a_run_judges_its_sags(stop, grid_Hz, word):
    """The rules of CAISO and ERCOT are for 60 Hz. No curve allows a stop 60 ms into a sag to 0.6 of
    the voltage.
    """
    recorder = Recorder()
    for tick in range(1000):
        is_sag = 500 <= tick < 510
        signs = 0.6 if is_sag else 1.0, grid_Hz, stop * (tick >= 503)
        recorder.append(tick * TICK_US, 9e4, 9e4, 0.0, 0.0, 500, 25, 0, 3, *signs)
    verdicts = audited.judged(recorder.rows(), 0, 80.0)[0]["verdicts"]
    found = {each["operator"]: each for each in verdicts if each["rule"] == "ride_through"}
    if word:
        assert found["CAISO"]["verdict"] == word
    else:
        whys = [found[name]["why"] for name in ("CAISO", "ERCOT")]
        assert whys == ["the rule is for another grid: this one has 50 Hz"] * 2
