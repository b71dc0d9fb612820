"""Traces: exact interpolation, refused rows, cut gaps; the synthetic cluster.

What is no table, and what is no power, is tested in tests/controller/series.
"""

import hashlib
import statistics
from functools import partial

import pytest
from in_process import refusal

from hil.loads import reader, shape, trace as load
from tests.tables import cases

CHANNELS = ",".join(f"ch{n}_{point}" for n in (1, 2, 3) for point in ("W", "V", "A", "PF"))
GOOD = "800.0,230.1,3.6,0.96"
BAD = "-1,-1,-1,-1"
# one channel of a meter: W, V, A, PF
TRUE = (
    GOOD,
    "800,50.0,3.6,0.9",
    "800,1000.0,3.6,0.9",
    "800,230,3.6,1.0",
    "-800,230,3.6,-1.0",
    *["700,230,3.6,0.9"] * 8,  # more than half of the rows must be good
)
FALSE = (
    BAD,
    "-2.0,-2.0,-2.0,-2.0",
    "0,0,0,0",
    "800,49.9,3.6,0.9",
    "800,1000.1,3.6,0.9",
    "800,230,3.6,1.01",
    "-800,230,3.6,-1.01",
    "800,230,-0.1,0.9",
    "nan,230,3.6,0.9",
    "800,nan,3.6,0.9",
    "800,230,inf,0.9",
    "800,230,3.6,",
)


def _file(tmp_path, text):
    path = tmp_path / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def _read(tmp_path, rows, **options):
    if not isinstance(rows, str):
        rows = "".join(f"{t_s},{power_W}\n" for t_s, power_W in rows)
    return reader.read_trace(_file(tmp_path, "t_s,p_W\n" + rows), **options)


def _meter(tmp_path, rows):
    """A meter file of (t_s, total_W, channel 1, channel 2, channel 3) rows."""
    lines = [f"t_s,total_W,{CHANNELS}"] + [",".join(str(cell) for cell in row) for row in rows]
    return _file(tmp_path, "\n".join(lines) + "\n")


def _refused(path, **options):
    message = refusal(load.LoadError, partial(reader.read_trace, path, **options))
    assert message.startswith(str(path))
    return message[len(str(path)) + 2 :]


def test_power_is_scaled_linear_between_samples_and_held_outside(tmp_path):
    trace = reader.read_trace(_file(tmp_path, "t_s,it_kW\n10,1\n11,2.0\n13,1e0\n17,-1\n"))
    assert trace.duration_s == 7.0 and trace.rows_read == 4
    expected = {
        -5.0: 1000.0,
        0.0: 1000.0,
        0.5: 1500.0,
        1.0: 2000.0,
        1.001: 1999.5,
        2.999: 1000.5,
        3.0: 1000.0,
        5.0: 0.0,
        7.0: -1000.0,
        7.001: -1000.0,
        1e9: -1000.0,
    }
    assert {t_s: trace.power_W(t_s) for t_s in expected} == pytest.approx(expected, abs=1e-9)
    assert _read(tmp_path, [(0, 10), (1, 20)], scale=40.0).power_W(0.5) == pytest.approx(600.0)
    for scale in (0, -1.0, float("nan"), float("inf"), "2"):
        path = _file(tmp_path, "t_s,p_W\n0,1\n1,2\n")
        assert "allowed is a finite number above 0" in _refused(path, scale=scale)
    trace = _read(tmp_path, [(i, i * i % 97) for i in range(200)])
    times = [i * 0.37 for i in range(530)]
    forward = [trace.power_W(t) for t in times]
    assert [trace.power_W(t) for t in reversed(times)] == forward[::-1]
    mixed = [i * 211 % 530 for i in range(530)]
    assert [trace(times[i]) for i in mixed] == [forward[i] for i in mixed]
    assert [trace.power_W(float(i)) for i in range(200)] == [i * i % 97 for i in range(200)]


def test_a_gap_is_cut_not_interpolated(tmp_path):
    for pause_s, cut in ((9.99, 0), (10.0, 0), (10.01, 1), (357_583.0, 1)):
        rows = [(0, 100), (1, 110), (2, 120), (2 + pause_s, 500), (3 + pause_s, 600)]
        trace = _read(tmp_path, rows)
        assert trace.gaps_cut == cut
        if not cut:
            assert trace.duration_s == pytest.approx(3 + pause_s)
            assert trace.power_W(2 + pause_s / 2) == pytest.approx(310.0)
            continue
        assert trace.duration_s == pytest.approx(4.0)
        before = [trace.power_W(t) for t in (1.5, 2.0, 2.5, 2.999)]
        assert before == pytest.approx([115.0, 120.0, 120.0, 120.0])
        assert [trace.power_W(t) for t in (3.0001, 3.5)] == pytest.approx([500.0, 550.0], abs=0.1)
    trace = _read(tmp_path, [(0, 1), (1, 2), (101, 3), (102, 4), (202, 5), (203, 6)])
    assert trace.gaps_cut == 2 and trace.times_s == pytest.approx([0, 1, 2, 3, 4, 5])
    path = _file(tmp_path, "t_s,pv_W\n0,0\n60,10\n120,20\n")
    assert _refused(path) == "sampled every 60 s: allowed is at most 10 s"
    assert reader.read_trace(path, gap_s=90.0).power_W(30.0) == pytest.approx(5.0)


BAD_POWERS = ["1.5,abc", "1.5,nan", "1.5,inf", "1.5,-inf", "1.5,1_0", "1.5,1;5"]


def test_a_wrong_row_is_refused_and_an_empty_cell_is_no_sample(tmp_path):
    for row in (*BAD_POWERS, "1", "1.5,-9999", "1.5,65535"):
        trace = _read(tmp_path, f"0,1\n1,2\n{row}\n2,3\n3,4\n")
        assert (trace.rows_read, trace.rows_refused, trace.rows_empty) == (5, 1, 0)
        assert [*trace.times_s, *trace.powers_W] == [0.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0]
    text = "t_s,a_W,b_W\n0,1,\n1,2,5\n2,,6\n3,4, \n4,,\n"
    trace = reader.read_trace(_file(tmp_path, text), column="a_W")
    assert (trace.rows_refused, trace.rows_empty, trace.duration_s) == (0, 2, 3.0)
    for place in (0, 1, 2):
        rows = [(0, 2400, GOOD, GOOD, GOOD)]
        for t_s, channel in enumerate((*TRUE, *FALSE), 1):
            three = [GOOD] * 3
            three[place] = channel
            rows.append((t_s, 2400, *three))
        trace = reader.read_trace(_meter(tmp_path, rows))
        assert list(trace.times_s) == list(range(len(TRUE) + 1)) and trace.rows_refused == len(
            FALSE
        )


def _raw(tmp_path, rows):
    """Raw trace of (t_s, is the meter right) rows."""
    lines = [(t_s, n, *[GOOD if good else BAD] * 3) for n, (t_s, good) in enumerate(rows)]
    return reader.read_trace(_meter(tmp_path, lines), raw=True)


def test_raw_rows_travel_as_they_are_in_order_of_time(tmp_path):
    path = _file(tmp_path, "t_s,p_W\n0,1\n1,2\n")
    assert _refused(path, raw=True).startswith(
        "raw needs the columns t_s, chN_W, chN_V, chN_A, chN_PF"
    )
    path = _meter(tmp_path, [(i, 2400, GOOD, GOOD, GOOD) for i in range(3)])
    assert reader.read_trace(path).column == "total_W"
    assert reader.read_trace(path, column="ch2_W").power_W(1.0) == 800.0
    times = {0: 2400, 1: -2, 1.5: 2700, 2: 2700}
    rows = [(t_s, total_W, *[GOOD if total_W > 0 else BAD] * 3) for t_s, total_W in times.items()]
    path = _meter(tmp_path, rows)
    trace = reader.read_trace(path, raw=True, scale=2.0)
    good, wrong = ((1600.0, 230.1, 7.2, 0.96),) * 3, ((-1.0,) * 4,) * 3
    assert trace(0.0) == (4800.0, good)
    assert trace(1.0) == (pytest.approx(5200.0), wrong)
    assert [trace(t_s)[1] for t_s in (0.999, 1.499, 1.5)] == [good, wrong, good]
    assert trace.rows_refused == 1
    assert reader.read_trace(path)(0.5) == pytest.approx(2500.0)
    trace = _raw(tmp_path, [(0, 1), (1, 1), (1, 0), (2, 1)])
    assert trace.channels(1.2)[0][0] == -1.0 and trace.channels(2.0)[0][0] == 800.0
    assert trace.rows_refused == 1 and trace.channel_times_s == [0.0, 1.0, 1.0, 2.0]
    trace = _raw(tmp_path, [(0, 1), (1, 1), (500, 0), (1000, 1), (1001, 1), (1002, 0), (1003, 1)])
    assert trace.channel_times_s == sorted(trace.channel_times_s) == [0, 1, 2, 2, 3, 4, 5]
    shown_W = [trace.channels(t)[0][0] for t in (1.5, 2.0, 3.5, 4.5, 5.0)]
    assert shown_W == [800.0, 800.0, 800.0, -1.0, 800.0]


def test_measured_inference_trace_with_ten_meter_errors(shared):
    trace = reader.read_trace(shared / "data/load/h200x8_inference_1s.csv.gz", raw=True)
    assert (trace.column, trace.rows_refused, trace.gaps_cut) == ("total_W", 10, 41)
    assert min(trace.powers_W) > 2000.0
    assert trace.duration_s < 60_000.0 < 1_000_000.0
    step = 3 * 4
    wrong = [i for i in range(0, len(trace.channel_rows), step) if trace.channel_rows[i] < 0.0]
    assert len(wrong) == 10
    assert all(len(set(trace.channel_rows[i : i + step])) == 1 for i in wrong)
    for i in wrong:
        t_s = trace.channel_times_s[i // step]
        assert trace(t_s)[1][0][0] in (-1.0, -2.0) and trace(t_s)[0] > 2000.0


@cases("""name  column  duration_s  low_W  high_W
    "gpt3_512xh100_2s.csv.gz"  "ac_total_kW"  3408.0  326_475.0  458_431.0
    "lora_512xh100_2s.csv.gz"  "run01_kW"  118.0  173_757.0  392_117.0
    "lora_512xh100_2s.csv.gz"  "run05_kW"  116.0  177_764.0  394_157.0
    "pod11_composite_2s.csv.gz"  "pod_kW"  25_198.0  24_523.0  74_778.0
    "b200x8_llama_lora_1s.csv.gz"  "run_4_W"  745.0  3093.0  10_075.0
    "a100_5050_1ms.csv.gz"  "meter_W"  9.975  57.6  196.0
    "a100_step_1ms.csv.gz"  "meter_W"  14.012  57.3  203.5""")
def test_measured_traces(shared, name, column, duration_s, low_W, high_W):
    path = shared / "data/load" / name
    trace = reader.read_trace(path, column=column)
    assert trace.duration_s == pytest.approx(duration_s)
    assert (min(trace.powers_W), max(trace.powers_W)) == pytest.approx((low_W, high_W))
    assert (trace.rows_refused, trace.gaps_cut) == (0, 0)
    assert "several power columns" in _refused(path) and column in _refused(path)


def test_nodes_and_events_are_no_power(tmp_path):
    path = _file(tmp_path, "t_s,nodes_logged,logged_kW,pod_kW\n0,3,1,2\n1,3,1,2\n")
    refused = _refused(path, column="nodes_logged")
    assert refused == "column nodes_logged: allowed are logged_kW, pod_kW"
    path = _file(tmp_path, "t_s,event,nodes\n0,begins,3\n1,ends,0\n")
    assert _refused(path).startswith("no power column")


def test_synthetic_loads_keep_their_shape_seed_and_length():
    trace = load.synthetic_load(0, 3600.0)
    powers = [trace.power_W(i * 0.1) for i in range(36_000)]
    dips = [i for i in range(1, len(powers)) if powers[i] < 0.75 * 400e3 <= powers[i - 1]]
    apart = [(b - a) / 10.0 for a, b in zip(dips, dips[1:])]
    assert 125.0 < statistics.median(apart) < 160.0
    training = [p for p in powers if p > 0.95 * 400e3]
    assert len(training) > 0.4 * len(powers)
    quiet = powers[dips[0] + 200 : dips[0] + 1200]
    falls = [i for i in range(1, len(quiet)) if quiet[i] < 0.92 * 400e3 <= quiet[i - 1]]
    periods = [(b - a) / 10.0 for a, b in zip(falls, falls[1:])]
    assert periods and all(10.7 < period < 11.1 for period in periods)
    assert 0.09 <= (max(quiet) - min(quiet)) / 400e3 <= 0.115
    # Figures that were published with the cluster are reproduced.
    digests = {
        "synthetic": "8d931a688cbe2f75",
        "training": "cd6553fb9137c160",
        "iterations": "902a09a12f49ab60",
        "squares": "bbc770d85be20979",
    }
    for kind, digest in digests.items():
        times_s, powers_W = shape.points(kind, 1, 1500.0, 1e5)
        points = " ".join(f"{t_s:.6f} {watts:.3f}" for t_s, watts in zip(times_s, powers_W))
        assert hashlib.sha256(points.encode()).hexdigest()[:16] == digest
        assert shape.points(kind, 2, 1500.0, 1e5) != (times_s, powers_W)
    for duration_s in (1.0, 600.0):
        assert load.synthetic_load(1, duration_s).duration_s == duration_s
    for duration_s in (0.0, 0.99, -1.0, float("nan"), float("inf")):
        with pytest.raises(load.LoadError, match="allowed is at least 1"):
            load.synthetic_load(1, duration_s)
