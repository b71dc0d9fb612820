"""hil/results/figures.py and hil/results/plot.py: figures of made-up runs whose answers are known
by construction.
"""

import json

import numpy as np
import pytest

from hil.results import figures, plot

TICK_US = 20_000
STATES = ("inhibited", "ready", "closing", "running", "stopping", "tripped")


def recorded(load_W, grid_W=None, battery_W=None, t_us=None, soc=500.0, state=3):
    """Recorder of the given series; grid and battery default to the load and to nothing."""
    count = len(load_W)
    recorder = figures.Recorder(count)
    t_us = np.arange(count) * TICK_US if t_us is None else t_us
    grid_W = load_W if grid_W is None else grid_W
    battery_W = np.zeros(count) if battery_W is None else battery_W
    for tick in range(count):
        recorder.append(
            int(t_us[tick]), load_W[tick], grid_W[tick], battery_W[tick], 1.0, soc, 25.0, 7, state
        )
    return recorder


def document(recorder, **changes):
    arguments = {"loop": {"ticks": 10, "missed": 0, "lateness_us": None}} | changes
    return figures.document(recorder, **arguments)


@pytest.mark.parametrize("count", (0, 1, 3, 4, 5, 9))
def test_recorder_keeps_every_row_whatever_its_first_capacity(count):
    recorder = figures.Recorder(4)
    for tick in range(count):
        recorder.append(
            tick * TICK_US,
            tick + 0.5,
            tick + 1.5,
            -tick,
            tick + 2.5,
            500 + tick,
            20 + tick,
            tick,
            3,
        )
    rows = recorder.rows()
    assert len(rows) == count == recorder.count
    for tick in range(count):
        assert rows[tick].item() == (
            tick * TICK_US,
            tick + 0.5,
            tick + 1.5,
            -tick,
            tick + 2.5,
            500 + tick,
            20 + tick,
            tick,
            3,
        )


def test_rows_are_a_copy_so_recording_goes_on():
    recorder = figures.Recorder(1)
    recorder.append(0, 1, 2, 3, 4, 5, 6, 7, 3)
    rows = recorder.rows()
    recorder.append(1, 9, 9, 9, 9, 9, 9, 9, 5)
    assert rows["load_W"].tolist() == [1.0]


def test_window_means_of_a_step_inside_a_window():
    power_W = np.where(np.arange(300) < 150, 100.0, 300.0)  # 3 s at 100 W, 3 s at 300 W
    assert figures.window_means(np.arange(300) * TICK_US, power_W).tolist() == pytest.approx(
        [100.0, 200.0, 300.0]
    )


def test_window_means_weigh_by_time_not_by_sample():
    t_us = np.array([0, 500_000, 2_000_000, 4_000_000])
    assert figures.window_means(t_us, np.array([8.0, 0.0, 5.0, 9.0])).tolist() == pytest.approx(
        [2.0, 5.0]
    )


@pytest.mark.parametrize("ticks, windows", ((99, 0), (100, 1), (101, 1), (199, 1), (200, 2)))
def test_an_unfinished_window_is_left_out(ticks, windows):
    assert len(figures.window_means(np.arange(ticks) * TICK_US, np.ones(ticks))) == windows


def test_swing_is_p99_of_changes_in_percent_of_the_loads_peak():
    changes = 101
    levels = np.cumsum(np.append(0, np.arange(changes))) * 10.0  # changes of 0, 10, 20 .. 1000 W
    load_W = np.repeat(levels, 100)
    swing = figures.swing_2s_pct(recorded(load_W, load_W / 4).rows())
    assert swing["load"] == pytest.approx(100 * 990 / levels[-1], abs=0.001)
    assert swing["grid"] == pytest.approx(swing["load"] / 4, abs=0.001)
    assert swing["reduction"] == pytest.approx(75.0, abs=0.01)


@pytest.mark.parametrize("load_W", (np.full(400, 3e5), np.zeros(400), np.ones(50)))
def test_no_reduction_without_a_swing(load_W):
    assert figures.swing_2s_pct(recorded(load_W).rows())["reduction"] is None


def sawtooth(seconds, seed=5):
    """A load like a traced one: a point each 2 s, straight lines between. Battery: it less its slow
    part.
    """
    draw = np.random.default_rng(seed)
    points_W = 3e5 + draw.uniform(0, 8e4, seconds // 2 + 2)
    return lambda t_s: np.interp(t_s, np.arange(len(points_W)) * 2.0, points_W)


@pytest.mark.parametrize("true_ms", (0, 60, 175, 410, 1000))
def test_delay_is_found_between_ticks_and_in_noise(true_ms):
    load, t_s = sawtooth(200), np.arange(10_000) * 0.02
    draw = np.random.default_rng(1)
    slow = np.convolve(load(t_s), np.exp(-np.arange(2000) / 1250) / 1250)[:10_000]
    battery_W = load(np.maximum(t_s - true_ms / 1000.0, 0.0)) - slow + draw.normal(0, 400, 10_000)
    found_ms = figures.delay_ms(recorded(load(t_s), battery_W=battery_W).rows()[2500:])
    assert found_ms == pytest.approx(true_ms, abs=12)


@pytest.mark.parametrize(
    "battery_W", (np.zeros(2000), np.full(2000, 5e4), np.sin(np.arange(2000) / 3.0) * 1e5)
)
def test_no_delay_when_the_battery_does_not_follow(battery_W):
    load_W = sawtooth(40)(np.arange(2000) * 0.02)
    assert figures.delay_ms(recorded(load_W, battery_W=battery_W).rows()) is None


def test_delay_ignores_what_came_after_the_first_trip():
    load, t_s = sawtooth(80), np.arange(4000) * 0.02
    battery_W = load(np.maximum(t_s - 0.1, 0.0)) - 3e5
    battery_W[3000:] = 0.0
    trip = {"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 60.0}
    recorder = recorded(load(t_s), battery_W=battery_W)
    assert document(recorder, trips=[trip])["delay_ms"] == pytest.approx(100, abs=5)


def test_from_us_leaves_the_start_out_of_the_swings_and_says_so():
    load_W = np.where(np.arange(1000) < 200, 0.0, 4e5)
    doc = document(recorded(load_W), from_us=6_000_000)
    assert doc["swing_2s_pct"]["load"] == 0.0 and doc["measured_from_s"] == 6.0
    assert document(recorded(load_W))["swing_2s_pct"]["load"] > 50


def test_lateness_percentiles():
    assert figures.percentiles(range(1001)) == {"p50": 500, "p99": 990, "p99_9": 999, "max": 1000}
    assert figures.percentiles([]) == {"p50": None, "p99": None, "p99_9": None, "max": None}


def test_energy_counts_charge_and_discharge_apart():
    count = 50 * 3600 + 1  # one hour
    battery_W = np.where(np.arange(count) < count // 2, 100_000.0, -50_000.0)
    energy = figures.energy_kWh(
        recorded(np.full(count, 2e5), np.full(count, 1e5), battery_W).rows()
    )
    assert energy == pytest.approx(
        {"load": 200, "grid": 100, "discharged": 50, "charged": 25}, abs=0.01
    )


def test_document_has_exactly_the_promised_keys_even_of_an_empty_run():
    doc = document(figures.Recorder(1))
    promised = {
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
    for key, parts in promised.items():
        assert set(doc[key]) == parts, key
    assert set(doc["reaction_ms"].values()) == {None} and doc["trips"] == [] and doc["ticks"] == 10
    assert set(doc["hints"].values()) == {0} and doc["missed"] == 0


def test_document_carries_what_it_is_given():
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
    assert (
        doc["trips"] == trips
        and doc["missed"] == 2
        and doc["lateness_us"]["p99_9"] == 3
        and doc["seed"] == 4
    )
    assert doc["reaction_ms"]["estop"] == 43.2 and doc["reaction_ms"]["bms_open"] is None
    assert doc["hints"] == {"accepted": 0, "limited": 0, "refused": 3, "bad_mac": 0}
    assert doc["load"] == {"file": "a.csv", "column": None, "scale": 1.0, "rows_refused": 0}
    assert doc["soc_pct"] == {"start": 55.55, "end": 55.55}


def test_extra_keys_may_not_replace_promised_ones():
    with pytest.raises(ValueError, match="soc_pct, ticks already stand"):
        document(figures.Recorder(1), extra={"ticks": 1, "soc_pct": 2, "seed": 3})


def test_json_is_readable_again_and_refuses_nan(tmp_path):
    doc = document(recorded(np.linspace(1e5, 2e5, 500)))
    figures.write_json(tmp_path / "out.json", doc)
    assert json.loads((tmp_path / "out.json").read_text()) == doc
    with pytest.raises(ValueError):
        figures.write_json(tmp_path / "bad.json", doc | {"x": float("nan")})


def test_summary_says_dash_where_nothing_was_measured():
    text = "\n".join(
        figures.summary_lines(document(figures.Recorder(1), reaction_ms={"estop": 43.4}))
    )
    assert (
        "p99.9 - max -" in text
        and "reduction - %" in text
        and "estop 43 ms" in text
        and text.isascii()
    )


@pytest.mark.parametrize("count", (10, 2 * plot.COLUMNS_MAX, 2 * plot.COLUMNS_MAX + 1, 170_000))
def test_thinning_keeps_every_spike(count):
    values = np.zeros(count)
    values[count // 3], values[count // 2] = 7.0, -9.0
    time_s, thin = plot.envelope(np.arange(count) * 0.02, values)
    assert (
        thin.max() == 7.0
        and thin.min() == -9.0
        and len(thin) == len(time_s) <= 2 * plot.COLUMNS_MAX + 2
    )
    assert (np.diff(time_s) >= 0).all()


def test_runs_of_states():
    assert plot.runs(np.array([0, 0, 3, 5, 5])) == [(0, 2, 0), (2, 3, 3), (3, 5, 5)]
    assert plot.runs(np.array([2])) == [(0, 1, 2)]


def tripped_run():
    recorder = recorded(sawtooth(40)(np.arange(2000) * 0.02))
    trips = [{"row": 1, "stage": "1a", "scope": "cabinet", "t_s": 20.04}]
    return recorder, document(recorder, trips=trips)


def test_png_is_written(tmp_path):
    recorder, doc = tripped_run()
    plot.write(str(tmp_path / "out.png"), recorder, doc, "E-stop", STATES, [(20.0, "estop_press")])
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_html_stands_alone_and_escapes(tmp_path):
    recorder, doc = tripped_run()
    plot.write(
        str(tmp_path / "out.html"),
        recorder,
        doc,
        "a < b & c",
        STATES,
        [(20.0, "estop_press")],
        [(True, "first is met"), (False, "x < 3: 4")],
    )
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "a &lt; b &amp; c" in text and "x &lt; 3: 4" in text and "NOT MET" in text
    assert "<svg" in text and "<script" not in text and "<img" not in text and "<link" not in text
    assert "row 1a" in text and "20.040 s" in text


def test_a_run_of_one_tick_is_not_drawn(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw, the run has 1 ticks"):
        plot.write(str(tmp_path / "out.png"), recorded(np.ones(1)), {}, "", STATES)
