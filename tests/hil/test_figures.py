"""Figures of made-up runs whose answers are known by construction."""

import errno
import json
from types import SimpleNamespace

import numpy as np
import pytest

from hil.results import figures, files
from hil.results.recorder import Recorder

TICK_US = 20_000
PROMISED = {
    "lateness_us": {"p50", "p99", "p99_9", "max"},
    "reaction_ms": {
        "estop",
        "pcs_silent",
        "bms_ramp",
        "bms_open",
        "kill_pcs_enable",
        "kill_contactor",
    },
    "swing_2s_pct": {"load", "grid", "reduction"},
    "hints": {"accepted", "limited", "refused", "bad_mac"},
    "soc_pct": {"start", "end"},
    "load": {"file", "column", "scale", "rows_refused"},
}


def recorded(load_W, grid_W=None, battery_W=None, soc=500.0, reason=0):
    """Rows of the given series; grid and battery default to the load and to nothing."""
    count = len(load_W)
    recorder = Recorder(count)
    grid_W = load_W if grid_W is None else grid_W
    battery_W = np.zeros(count) if battery_W is None else battery_W
    for tick, powers_W in enumerate(zip(load_W, grid_W, battery_W)):
        recorder.append(tick * TICK_US, *powers_W, 1.0, soc, 25.0, reason, 3)
    return recorder.rows()


def document(rows, **changes):
    """The document of these rows."""
    return figures.document(rows, **{"loop": {"ticks": 10, "missed": 0}} | changes)


@pytest.mark.parametrize("count", (0, 1, 4, 9))
def test_the_recorder_keeps_every_row_whatever_its_first_capacity(count):
    recorder = Recorder(4)
    rows = [(tick * TICK_US, *(tick + n / 2 for n in range(6)), tick, 3) for tick in range(count)]
    for row in rows:
        recorder.append(*row)
    kept = recorder.rows()
    recorder.append(0, 1, 2, 3, 4, 5, 6, 7, 3)
    assert kept.tolist() == rows and recorder.count == count + 1


def test_a_sample_of_the_plant_sums_its_converters_and_averages_its_racks():
    things = SimpleNamespace
    plant = things(
        load_power_W=9e5,
        grid_power_W=8e5,
        pcs=[things(ac_power_W=4e4), things(ac_power_W=6e4)],
        racks=[things(soc=0.5), things(soc=0.25)],
    )
    recorder = Recorder(1)
    recorder.sample(20, plant, 1e5, 25.5, 213, 3)
    assert recorder.rows().tolist() == [(20, 9e5, 8e5, 1e5, 1e5, 375.0, 25.5, 213, 3)]


def test_window_means_weigh_by_time_not_by_sample():
    step_W = np.where(np.arange(300) < 150, 100.0, 300.0)  # 3 s at 100 W, 3 s at 300 W
    means = figures.window_means(np.arange(300) * TICK_US, step_W)
    assert means.tolist() == pytest.approx([100.0, 200.0, 300.0])
    t_us = np.array([0, 500_000, 2_000_000, 4_000_000])
    means = figures.window_means(t_us, np.array([8.0, 0.0, 5.0, 9.0]))
    assert means.tolist() == pytest.approx([2.0, 5.0])


@pytest.mark.parametrize("ticks, windows", ((99, 0), (100, 1), (199, 1), (200, 2)))
def test_an_unfinished_window_is_left_out(ticks, windows):
    assert len(figures.window_means(np.arange(ticks) * TICK_US, np.ones(ticks))) == windows


def test_swing_is_p99_of_changes_in_percent_of_the_loads_peak():
    levels = np.cumsum(np.arange(102)) * 10.0  # changes of 10, 20 .. 1010 W
    load_W = np.repeat(levels, 100)
    swing = figures.swing_2s_pct(recorded(load_W, load_W / 4))
    assert swing["load"] == pytest.approx(100 * 1000 / levels[-1], abs=0.001)
    assert swing["grid"] == pytest.approx(swing["load"] / 4, abs=0.001)
    assert swing["reduction"] == pytest.approx(75.0, abs=0.01)


@pytest.mark.parametrize("load_W", (np.full(400, 3e5), np.zeros(400), np.ones(50)))
def test_there_is_no_reduction_without_a_swing(load_W):
    assert figures.swing_2s_pct(recorded(load_W))["reduction"] is None


def sawtooth(seconds):
    """A load like a recorded one: a point each 2 s, straight lines between."""
    points_W = 3e5 + np.random.default_rng(5).uniform(0, 8e4, seconds // 2 + 2)
    return lambda t_s: np.interp(t_s, np.arange(len(points_W)) * 2.0, points_W)


@pytest.mark.parametrize("true_ms", (0, 175, 1000))
def test_delay_is_found_between_ticks_and_in_noise(true_ms):
    load, t_s = sawtooth(200), np.arange(10_000) * 0.02
    draw = np.random.default_rng(1)
    slow = np.convolve(load(t_s), np.exp(-np.arange(2000) / 1250) / 1250)[:10_000]
    battery_W = load(np.maximum(t_s - true_ms / 1000.0, 0.0)) - slow + draw.normal(0, 400, 10_000)
    found_ms = figures.delay_ms(recorded(load(t_s), battery_W=battery_W)[2500:])
    assert found_ms == pytest.approx(true_ms, abs=12)


@pytest.mark.parametrize("battery_W", (np.zeros(2000), np.sin(np.arange(2000) / 3.0) * 1e5))
def test_there_is_no_delay_when_the_battery_does_not_follow(battery_W):
    load_W = sawtooth(40)(np.arange(2000) * 0.02)
    assert figures.delay_ms(recorded(load_W, battery_W=battery_W)) is None


def test_delay_ignores_what_came_after_the_first_trip():
    load, t_s = sawtooth(80), np.arange(4000) * 0.02
    battery_W = load(np.maximum(t_s - 0.1, 0.0)) - 3e5
    battery_W[3000:] = 0.0
    trip = {"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 60.0}
    rows = recorded(load(t_s), battery_W=battery_W)
    assert document(rows, trips=[trip])["delay_ms"] == pytest.approx(100, abs=5)


def test_from_us_leaves_the_start_out_of_the_swings():
    rows = recorded(np.where(np.arange(1000) < 200, 0.0, 4e5))
    doc = document(rows, from_us=6_000_000)
    assert doc["swing_2s_pct"]["load"] == 0.0 and doc["measured_from_s"] == 6.0
    assert document(rows)["swing_2s_pct"]["load"] > 50


def test_time_at_each_limit_and_the_load_beyond_what_is_carried():
    load_W = np.where(np.arange(500) < 400, 1e5, 9e5)
    rows = recorded(load_W)
    rows["limit_reason"][300:350] = 213
    rows["limit_reason"][350:450] = 301
    found = figures.held_back(rows, 6_500_000, 750e3)
    assert found["limited_s"] == {"R213": pytest.approx(0.5), "R301": pytest.approx(2.0)}
    assert found["overload"] == {"s": pytest.approx(1.98), "W_max": 150e3}
    nothing = figures.held_back(rows[:300], 0, 750e3)
    assert nothing == {"limited_s": {}, "overload": {"s": 0.0, "W_max": 0.0}}


def test_lateness_percentiles():
    assert figures.percentiles(range(1001)) == {"p50": 500, "p99": 990, "p99_9": 999, "max": 1000}
    assert figures.percentiles([]) == dict.fromkeys(("p50", "p99", "p99_9", "max"))


def test_energy_counts_charge_and_discharge_apart():
    count = 50 * 3600 + 1  # one hour
    battery_W = np.where(np.arange(count) < count // 2, 100_000.0, -50_000.0)
    energy = figures.energy_kWh(recorded(np.full(count, 2e5), np.full(count, 1e5), battery_W))
    expected = {"load": 200, "grid": 100, "discharged": 50, "charged": 25}
    assert energy == pytest.approx(expected, abs=0.01)


def test_the_document_of_an_empty_run_has_exactly_the_promised_keys():
    doc = document(Recorder(1).rows())
    for key, parts in PROMISED.items():
        assert set(doc[key]) == parts, key
    assert set(doc["reaction_ms"].values()) == {None} and doc["trips"] == [] and doc["ticks"] == 10
    assert set(doc["hints"].values()) == {0} and doc["missed"] == 0


def test_the_document_carries_what_it_is_given():
    trips = [{"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 40.04}]
    loop = {"ticks": 3000, "missed": 2, "lateness_us": {"p50": 1, "p99": 2, "p99_9": 3, "max": 4}}
    doc = document(
        recorded(np.linspace(1, 2, 300), soc=555.5),
        loop=loop,
        reaction_ms={"estop": 43.2, "more": 1.0},
        trips=trips,
        hints={"refused": 3},
        load={"file": "a.csv"},
        extra={"seed": 4},
    )
    assert (doc["trips"], doc["missed"], doc["seed"]) == (trips, 2, 4)
    assert doc["lateness_us"]["p99_9"] == 3 and doc["soc_pct"] == {"start": 55.55, "end": 55.55}
    assert doc["reaction_ms"]["estop"] == 43.2 and doc["reaction_ms"]["bms_open"] is None
    assert doc["hints"] == {"accepted": 0, "limited": 0, "refused": 3, "bad_mac": 0}
    assert doc["load"] == {"file": "a.csv", "column": None, "scale": 1.0, "rows_refused": 0}
    assert (doc["load_W_max"], doc["battery_W_max_abs"], doc["simulated_s"]) == (2.0, 0.0, 5.98)


def test_extra_keys_may_not_replace_promised_ones():
    with pytest.raises(ValueError, match="soc_pct, ticks already stand"):
        document(Recorder(1).rows(), extra={"ticks": 1, "soc_pct": 2, "seed": 3})


def test_json_is_readable_again_and_refuses_nan(tmp_path):
    doc = document(recorded(np.linspace(1e5, 2e5, 500)))
    figures.write_json(tmp_path / "out.json", doc)
    assert json.loads((tmp_path / "out.json").read_text()) == doc
    with pytest.raises(ValueError):
        figures.write_json(tmp_path / "bad.json", doc | {"x": float("nan")})


def test_a_full_disk_is_reported_with_the_file():
    with pytest.raises(files.DiskFullError) as failure:
        figures.write_json("/dev/full", {})
    assert str(failure.value) == "/dev/full: cannot be written, the disk is full"
    with pytest.raises(OSError) as failure, files.naming("x"):
        raise OSError(errno.EIO, "input/output error")
    assert failure.value.errno == errno.EIO
