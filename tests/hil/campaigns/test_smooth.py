"""Smooth: the simulator against closed forms, the figures against numbers computed by hand, what
counts as off, and the command.
"""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from controller.core.base.answers import FastRequest
from hil.__main__ import main
from hil.campaigns.smooth import (
    cells,
    command,
    expected,
    followers,
    loads,
    metrics,
    notice_life,
    notices,
    page,
    predictor,
    rig,
    robust,
    signals,
    simulator,
    steps,
    tones,
)
from hil.campaigns.smooth.paths import PATHS
from tests.tables import cases

KW = 1000.0


class Fixed:
    """Requests that are known before."""

    def __init__(self, requests_W):
        self.requests_W = requests_W

    def request_W(self, tick, soc, setpoint_W):
        return self.requests_W[tick]


class Echo:
    """Stands in for Track: the load less a level, times a factor; keeps what it saw."""

    def __init__(self, factor=1.0, level_W=200_000):
        self.factor, self.level_W, self.seen = factor, level_W, []

    def step(self, known, found, elapsed_ticks):
        seen = found.load_W, found.is_load_new, known.soc_permille, found.left_setpoint_W
        self.seen.append(seen)
        return (FastRequest(round(self.factor * (found.load_W - self.level_W)), 0),)


def sine_W(at_Hz, seconds=60):
    return 300 * KW + 50 * KW * np.sin(2 * np.pi * at_Hz * 0.02 * np.arange(seconds * 50))


def no_battery(load_W, path=PATHS["170"]):
    return simulator.run(Fixed([0.0] * len(load_W)), load_W, path)


@cases("""
    name    delay_ms
    "50"    50
    "55"    55
    "100"   100
    "100f"  100
    "170"   170
    "250"   250
    "500"   500
""")
def test_a_step_reaches_the_battery_after_the_delay_in_the_name(name, delay_ms):
    path, late_ms = PATHS[name], []
    for phase in range(path.sample_ticks):
        load_W = np.repeat([0.0, 100 * KW], [50 + phase, 150])
        requests_W = simulator.seen_W(load_W, path)
        battery_W = simulator.run(Fixed(requests_W), load_W, path).battery_W
        late_ms.append(20 * (load_W - battery_W).sum() / (100 * KW))
    assert np.mean(late_ms) == pytest.approx(delay_ms, abs=0.5) and path.delay_ms == delay_ms


def test_the_meter_shows_the_mean_of_the_last_whole_window():
    seen_W = simulator.seen_W(np.arange(12.0), PATHS["100"])
    assert seen_W.tolist() == [0, 0, 0.5, 0.5, 2.5, 2.5, 4.5, 4.5, 6.5, 6.5, 8.5, 8.5]


def test_the_grid_draws_the_load_where_the_battery_does_nothing():
    load_W = sine_W(0.4)
    result = no_battery(load_W)
    assert result.grid_W.tolist() == load_W.tolist() and set(result.soc) == {0.55}
    row = cells._figures(load_W, result, PATHS["170"])
    assert row["residual_pct"]["2"] == {"rms": 100.0, "p99": 100.0, "max": 100.0}
    assert row["range_300s_less_pct"] == 0.0 and row["gain"] == {"0.397": 1.0}


def test_a_follower_with_foresight_leaves_no_swing():
    load_W, path = sine_W(0.4), PATHS["170"]
    ahead_W = np.interp(np.arange(len(load_W)) + 3.5, np.arange(len(load_W)), load_W) - 300 * KW
    grid_W = simulator.run(Fixed(ahead_W), load_W, path).grid_W[100:-100]
    of_load, of_grid = (metrics.changes_W(x, 2) for x in (load_W[100:-100], grid_W))
    assert metrics.residual_pct(of_load, of_grid)["rms"] < 1.0


def test_set_points_are_clipped_and_losses_come_out_of_the_charge():
    load_W, ticks = np.full(3000, 500 * KW), 3000
    both = [simulator.run(Fixed([way * 400 * KW] * ticks), load_W, PATHS["50"]) for way in (1, -1)]
    assert [result.battery_W[-1] for result in both] == [250 * KW, -250 * KW]
    moved_Wh = [(0.55 - result.soc[-1]) * 645_000 for result in both]
    assert moved_Wh == pytest.approx([4166.7 / 0.97, -4166.7 * 0.97], rel=1e-3)
    weak = simulator.run(Fixed([100 * KW] * ticks), load_W, PATHS["50"], gives=0.95)
    assert weak.battery_W[-1] == 95 * KW


def test_the_control_function_is_asked_as_in_the_product():
    echo, path = Echo(), PATHS["100"]
    load_W = np.full(6, 300 * KW)
    simulator.run(followers.Ours(simulator.seen_W(load_W, path), path, echo), load_W, path)
    assert [is_new for _, is_new, _, _ in echo.seen] == [True, False] * 3
    assert echo.seen[0] == (300_000, True, (550, 550), 0) and echo.seen[1][3] == 100_000


@cases("""
    believed_ms  delay_ms
    None         250
    300          300
""")
def test_the_control_function_gets_its_path(monkeypatch, believed_ms, delay_ms):
    monkeypatch.setattr(followers, "Track", lambda setup: setup)
    made = followers.function(PATHS["250"], believed_ms)
    settings = made.settings
    assert (settings["track_path_delay_ms"], settings["track_sample_ms"]) == (delay_ms, 100)
    assert (settings["energy_Wh"], settings["soc_target_permille"]) == (645_000, 550)
    assert (made.tick_ms, made.rated_W) == (20, 250_000)


def test_the_slow_reference_brings_the_charge_back_by_a_quarter_of_the_energy_per_full_step():
    # T = 645 kWh / (4 * 250 kW) = 2322 s; 10 permille are 23.2 MJ, so 10 kW
    seen_W = np.full(10, 300 * KW)
    guess = followers.Guessed(seen_W, seen_W, PATHS["170"])
    assert guess.request_W(0, 0.55, 0.0) == pytest.approx(0.0)
    # R' = 10 kW / (T / 4), one tick of it
    assert guess.request_W(1, 0.54, 0.0) == pytest.approx(-10 * KW * 4 * 0.02 / 2322)


def test_the_slow_reference_goes_where_the_battery_cannot_carry_the_load():
    seen_W = np.repeat([200 * KW, 600 * KW], [10, 500])
    guess = followers.Guessed(seen_W, seen_W, PATHS["170"])
    requests_W = [guess.request_W(tick, 0.55, 0.0) for tick in range(510)]
    # at first all of the step, after some time constants of 340 ms what the battery has
    assert requests_W[10] > 350 * KW and requests_W[-1] == pytest.approx(250 * KW, abs=1 * KW)


def source(folder, text, column="a_kW"):
    (folder / "x.csv").write_text(text)
    return loads.Source(str(folder / "x.csv"), column)


def test_a_held_load_has_edges_of_50_ms(tmp_path):
    load = loads.read(source(tmp_path, "t_s,a_kW\n0,200\n1,300\n2,300\n"))
    held_W = loads.ticks_W(load, "held", "")
    # 0 to 40, 40 to 80, 80 to 100 and 100 kW above 200
    assert held_W[49:54] == pytest.approx([200 * KW, 220 * KW, 260 * KW, 295 * KW, 300 * KW])
    assert loads.ticks_W(load, "lin", "")[24:26] == pytest.approx([249 * KW, 251 * KW])
    assert load.kinds == ("held", "jit", "lin") and load.scale == 1.0 and len(held_W) == 102


def test_jittered_steps_lie_within_a_third_of_their_time_and_follow_the_seed(tmp_path):
    rows = "".join(f"{t},{200 + 100 * (t % 2)}\n" for t in range(200))
    load = loads.read(source(tmp_path, "t_s,a_kW\n" + rows))
    one_W, again_W, other_W = (loads.ticks_W(load, "jit", seed) for seed in ("1", "1", "2"))
    assert one_W.tolist() == again_W.tolist() != other_W.tolist()
    times_s = np.flatnonzero(np.diff(one_W > 250 * KW)) * 0.02
    shifts_s = times_s - np.arange(1, 200)[: len(times_s)]
    assert -0.37 < shifts_s.min() < -0.25 and 0.25 < shifts_s.max() < 0.40


def test_a_small_load_is_scaled_a_long_one_cut_and_a_gap_is_a_step(tmp_path):
    rows = "".join(f"{t},{5 + 5 * (t > 3)}\n" for t in range(4000) if not 3 < t < 50)
    load = loads.read(source(tmp_path, "t_s,a_kW\n" + rows))
    power_W = loads.ticks_W(load, "lin", "")
    assert load.scale == 35.0 and len(power_W) == 180_000
    # row 3 s, then row 50 s, moved to 4 s
    assert power_W[195:202:3] == pytest.approx([175 * KW, 245 * KW, 350 * KW])


def test_a_short_file_with_fine_samples_begins_again(tmp_path):
    rows = "".join(f"{t / 100:.2f},{300 + t}\n" for t in range(100))
    load = loads.read(source(tmp_path, "t_s,a_kW\n" + rows))
    power_W = loads.ticks_W(load, "as is", "")
    assert load.kinds == ("as is",) and len(power_W) == 399
    assert power_W[50:399] == pytest.approx(power_W[:349])


def test_other_runs_of_a_file_are_those_with_a_number(tmp_path):
    text = "t_s,run_0_W,run_1_W,total_W\n0,1,2,3\n1,1,2,3\n"
    first = source(tmp_path, text, "run_0_W")
    assert [other.column for other in first.runs()] == ["run_1_W"]
    assert source(tmp_path, text, "total_W").runs() == []


def test_the_predictor_knows_a_tone_from_its_other_half_and_from_another_run():
    load_W, path = sine_W(0.7) + sine_W(1.9), PATHS["170"]
    acts_W = np.interp(np.arange(3000) + 3.5, np.arange(3000), load_W)
    part = slice(200, 2900)
    for others_W in ([], [sine_W(0.7) - sine_W(1.9)]):
        off_W = predictor.guess_W(load_W, others_W, path) - acts_W
        assert np.abs(off_W[part]).max() < 0.5 * KW
    plain_W = simulator.seen_W(load_W, path) - acts_W
    assert np.abs(plain_W[part]).max() > 50 * KW


def test_the_predictor_is_fitted_on_data_that_it_is_not_judged_by():
    draw = np.random.default_rng(1)
    load_W = 300 * KW + 20 * KW * draw.standard_normal(1000).repeat(5)
    acts_W = np.interp(np.arange(5000) + 3.5, np.arange(5000), load_W)
    # a guess in its first tick acts a sample later. White noise has no future: the mean is best,
    # and 30 weights that are fitted on 500 other samples cost 3 %
    off_W = (predictor.guess_W(load_W, [], PATHS["170"]) - acts_W)[::5]
    assert 1.01 < off_W.std() / acts_W[::5].std() < 1.1


def test_a_guess_is_held_to_the_range_of_two_seconds_and_a_twentieth():
    seen_W = np.repeat([0.0, 100.0, 100.0], 100)
    guess_W = np.full(300, 500.0)
    held_W = predictor.held_back_W(guess_W, seen_W)
    assert held_W[[99, 100, 198, 199, 299]].tolist() == [0.0, 105.0, 105.0, 100.0, 100.0]
    assert predictor.held_back_W(-guess_W, seen_W)[[100, 199]].tolist() == [-5.0, 100.0]


@cases("""
    name    count
    "50"    28
    "100"   28
    "170"   30
    "500"   30
""")
def test_the_predictor_sees_three_seconds(name, count):
    lags = predictor.lags(PATHS[name])
    assert len(lags) == count == len(set(lags)) and lags[-1] * PATHS[name].sample_ms == 3000


def test_changes_of_means_by_hand():
    # 2 s means of 0, 3, 1 and a rest that is left out
    power_W = np.repeat([0.0, 3.0, 1.0, 9.0], [100, 100, 100, 99])
    changes_W = metrics.changes_W(power_W, 2)
    assert changes_W == pytest.approx({"rms": math.sqrt(6.5), "p99": 2.99, "max": 3.0})
    assert metrics.changes_W(power_W, 5) is None
    halved = {name: value / 2 for name, value in changes_W.items()}
    assert metrics.residual_pct(changes_W, halved) is None  # under 50 W nothing moves
    large, half = ({name: 100.0 / by for name in changes_W} for by in (1, 2))
    assert metrics.residual_pct(large, half) == {"rms": 50.0, "p99": 50.0, "max": 50.0}


def test_the_range_is_that_within_300_seconds():
    power_W = np.repeat([0.0, 4 * KW, 5 * KW], [50, 299 * 50, 50])
    assert metrics.range_kW(power_W) == 4.0 and metrics.range_kW(power_W[50:]) == 1.0
    assert metrics.range_kW(power_W, 301) == 5.0


def test_third_octaves_touch_and_reach_from_a_hundredth_to_twenty_hertz():
    bands = metrics.bands()
    assert [high for _, _, high in bands[:-1]] == pytest.approx([low for _, low, _ in bands[1:]])
    assert bands[0][0] == pytest.approx(0.00984, rel=1e-3)
    assert bands[-1][0] == pytest.approx(20.16, rel=1e-3)


def test_gains_are_those_of_third_octaves_that_hold_something_of_the_load():
    slow_W, fast_W = sine_W(0.25, 120), sine_W(2.0, 120)
    faint_W = 0.05 * sine_W(8.0, 120)
    gains = metrics.gains(slow_W + fast_W + faint_W, 0.5 * slow_W + 1.5 * fast_W, 24.0)
    assert gains == {0.25: pytest.approx(0.5), 2.0: pytest.approx(1.5)}
    assert metrics.worst(gains)[1] == 2.0 and metrics.worst({}) is None
    assert list(metrics.gains(slow_W + fast_W, slow_W, 1.0)) == [0.25]


@cases("""
    figure       value  expects  is_met
    "rms_2s"     10.9   10.0     True
    "rms_2s"     11.1   10.0     False
    "rms_2s"     2.0    10.0     True
    "less_300s"  69.1   70.0     True
    "less_300s"  68.9   70.0     False
    "less_300s"  99.0   70.0     True
    "p99_2s"     None   1.0      False
    "line"       0.25   0.25     True
    "line"       0.26   0.25     False
""")
def test_a_figure_is_met_within_a_point_or_better(monkeypatch, figure, value, expects, is_met):
    monkeypatch.setattr(expected, "rows", lambda: {("x", "lin", "170"): {figure: expects}})
    monkeypatch.setattr(expected, "measured", lambda row: {figure: value})
    (found,) = expected.compared({"load": "x", "kind": "lin", "path": "170"})
    assert found["is_met"] is is_met
    assert expected.compared({"load": "x", "kind": "held", "path": "170"}) == []


def test_the_excess_over_plain_following_uses_the_same_draw():
    def way(two_s, ten_s=None):
        return {"residual_pct": {"2": two_s, "10": ten_s}, "range_300s_less_pct": 80.0}

    rules = {"ours": {"line": 0.2}}
    ways = {"ours": way({"rms": 11.5, "p99": 9.0}), "plain": way({"rms": 11.0, "p99": 8.0})}
    assert expected.measured({"ways": ways, "rules": rules}) == {
        **{"rms_2s": 11.5, "p99_2s": 9.0, "rms_10s": None, "line": 0.2},
        **{"less_300s": 80.0, "over_plain": 0.5},
    }
    still = {"ways": dict.fromkeys(ways, way(None)), "rules": rules}
    assert expected.measured(still)["over_plain"] is None


def test_the_study_expects_every_figure_under_a_name_that_is_measured():
    found = expected.rows()
    names = {figure for figures in found.values() for figure in figures}
    assert names == {"rms_2s", "p99_2s", "rms_10s", "less_300s", "over_plain", "line"}
    key = "lora_512xh100_2s run01_kW", "held", "170"
    assert found[key] == {"rms_2s": 9.8, "p99_2s": 6.7, "rms_10s": 3.4, "less_300s": 81}
    assert len(found) == 74 and {path for _, _, path in found} <= PATHS.keys()


def follow(monkeypatch, factor):
    monkeypatch.setattr(followers, "function", lambda path, believed_ms=None: Echo(factor))


def test_a_step_that_is_followed_plainly_is_back_in_time(monkeypatch):
    follow(monkeypatch, 1.0)
    row = steps.played(steps.Job(100, "170"))
    assert row["overshoot_pct"] == 0.0 and 250 <= row["back_ms"] <= 300 and not row["missed"]


def test_a_step_with_overshoot_and_one_that_is_not_back_are_off(monkeypatch):
    follow(monkeypatch, 1.2)
    row = steps.played(steps.Job(50, "100"))
    assert row["overshoot_pct"] == pytest.approx(20.0, abs=0.1)
    assert row["missed"] == [
        "step with an edge of 50 ms, 100 ms: overshoot 20.0 %, at most 5 %",
        "step with an edge of 50 ms, 100 ms: back after 9975 ms, at most 350",
    ]
    assert not steps.played(steps.Job(200, "100"))["missed"]
    assert not steps.played(steps.Job(50, "500"))["missed"]


@cases("""
    name        level_kW  high_kW
    "sine2.5"   300       340
    "sq0.1"     300       340
    "sq.2+2.2"  300       355
""")
def test_periodic_signals_have_the_study_s_amplitudes(name, level_kW, high_kW):
    power_W = signals.power_W(name, 1)
    assert power_W.mean() == pytest.approx(level_kW * KW, rel=1e-3)
    assert power_W.max() == pytest.approx(high_kW * KW, rel=3e-3)


def test_noise_is_where_its_name_says_and_follows_the_seed():
    for name in signals.NAMES:
        once_W, again_W, other_W = (signals.power_W(name, seed) for seed in (3, 3, 4))
        assert (once_W == again_W).all(), name
        assert (once_W == other_W).all() == (name in signals.PERIODIC or name == "chirp"), name
    noise_W = signals.power_W("noise1-5", 3)
    power = np.abs(np.fft.rfft(noise_W - noise_W.mean())) ** 2
    at_Hz = np.fft.rfftfreq(len(noise_W), 0.02)
    assert power[(at_Hz >= 1) & (at_Hz <= 5)].sum() == pytest.approx(power.sum())
    assert noise_W.std() == pytest.approx(20 * KW)


def test_a_swing_is_learned_after_its_last_second_with_more_than_the_load():
    load_W = sine_W(2.0, 20)
    factors = np.repeat([0.5, 1.2, 1.04, 0.2], [250, 250, 250, 250])
    assert tones.learned_s(load_W, 300 * KW + factors * (load_W - 300 * KW)) == 10.0
    assert tones.learned_s(load_W, load_W * 1.2) is None


def test_gains_of_tones_and_noise_are_judged_below_a_third_of_the_meter_s_rate(monkeypatch):
    follow(monkeypatch, 0.0)
    assert tones.played(tones.Job("sine1", "170", 1))["missed"] == []
    follow(monkeypatch, 1.0)
    row = tones.played(tones.Job("sine2.5", "170", 1))
    # 2 * sin(pi * 2.5 Hz * 170 ms), and what meter and converter smooth
    assert 1.6 < row["worst"][0] < 1.95 and row["worst"] == row["worst_in_reach"]
    assert len(row["missed"]) == 1 and row["missed"][0].endswith("at 2.5 Hz, at most 1.05")
    assert tones.played(tones.Job("sine4", "170", 1))["missed"] == []
    assert tones.played(tones.Job("pink", "170", 1))["missed"]
    assert not tones.played(tones.Job("red", "170", 1))["missed"]
    assert not tones.played(tones.Job("pink", "50", 1))["missed"]


@cases("""
    name      path    at     gain  is_off
    "sq0.5"   "100f"  5.04   1.06  True
    "sine10"  "100f"  10.08  1.08  False
    "sine10"  "100f"  10.08  1.09  True
    "white"   "170"   1.0    1.20  False
    "white"   "170"   1.0    1.21  True
""")
def test_most_gain_by_signal_and_frequency(name, path, at, gain, is_off):
    lines = tones._missed(tones.Job(name, path, 1), PATHS[path], {at: gain})
    assert len(lines) == is_off


def test_missed_limits_of_signals_steps_and_disturbances_are_off():
    names = "robust", "signals", "spectra", "steps"
    parts = {name: [{"missed": [name]}, {"missed": []}] for name in names}
    assert command.misses({"rows": [], **parts}) == ["signals", "steps", "spectra", "robust"]


def test_a_run_is_predicted_from_the_other_runs(tmp_path, monkeypatch):
    rows = "".join(f"{t},{200 + t % 3},{300 + t % 4}\n" for t in range(20))
    first, seen = source(tmp_path, "t_s,run_0_kW,run_1_kW\n" + rows, "run_0_kW"), []
    monkeypatch.setattr(
        predictor, "guess_W", lambda load_W, others_W, path: seen.append(others_W) or load_W
    )
    for is_joined in (False, True):
        cells.played(cells.Cell(first, ("170",), 1, is_joined))
    assert [len(others_W) for others_W in seen] == [1, 1, 1]
    assert all(others_W[0].min() > 299 * KW for others_W in seen)


def test_the_worst_of_all_seeds_is_held_against_the_study():
    jobs = [robust.Job("weak", 1.0, seed, None) for seed in (5, 6, 7)]
    rows = robust._rows([(job, {"lora": 13.0 + job.seed / 7}) for job in jobs])
    assert (rows[0]["median"], rows[0]["worst_seed"]) == (pytest.approx(13 + 6 / 7), 7)
    assert rows[0]["missed"] == ["weak, lora: 14.00 (seed 7), study 12.7 and 10 %"]
    assert robust._rows([(jobs[0], {"lora": 13.9})])[0]["missed"] == []


@cases("""
    case     new  noisy  gives
    "delay"  360  False  1.0
    "noise"  360  True   1.0
    "lost"   342  False  1.0
    "weak"   360  False  0.95
""")
def test_each_disturbance_reaches_the_function(monkeypatch, case, new, noisy, gives):
    believed_ms, echo = [], Echo()
    monkeypatch.setattr(followers, "function", lambda path, ms=None: believed_ms.append(ms) or echo)
    load_W = np.full(1800, 250 * KW)
    grid_W = robust._grid_W(robust.Job(case, 0.7, 9, None), load_W)
    arrived = sum(is_new for _, is_new, _, _ in echo.seen)
    assert arrived == pytest.approx(new, abs=12) and (arrived < 360) == (case == "lost")
    assert believed_ms == [119 if case == "delay" else None]
    assert (len({load_W for load_W, *_ in echo.seen}) > 1) is noisy
    assert grid_W[-1] == pytest.approx(250 * KW - gives * 50 * KW, rel=2e-3)


ROWS = "".join(f"{t},{250 + 50 * (t // 5 % 2)}\n" for t in range(40))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "b.csv").write_text("t_s,total_kW\n" + ROWS)
    return tmp_path


def test_all_kinds_and_delays_of_a_file_are_in_table_json_and_page(folder, capsys):
    options = "--delays", "170,100f", "--only", "b total", "--processes", "1"
    outputs = "--json", str(folder / "o.json"), "--html", str(folder / "o.html")
    assert main(["smooth", "--loads", str(folder), *options, *outputs]) == 0
    printed = capsys.readouterr().out
    assert "seed       1" in printed and "verdict    0 figures are off" in printed
    document = json.loads((folder / "o.json").read_text())
    names = [(row["path"], row["kind"]) for row in document["rows"]]
    assert names == [(path, kind) for path in ("170", "100f") for kind in ("held", "jit", "lin")]
    row = document["rows"][0]
    assert set(row["ways"]) == {"ours", "plain", "predictor", "held back"}
    assert set(row["ways"]["ours"]["residual_pct"]) == {"0.1", "1", "2", "10", "60", "300"}
    assert row["no_battery"]["range_300s_kW"] == pytest.approx(50.0)
    written = (folder / "o.html").read_text()
    assert written.count("<svg") == 2 and "http" not in written and "src=" not in written


def test_a_row_that_is_worse_than_the_study_s_is_off(folder, monkeypatch, capsys):
    worse = {("b total_kW", "lin", "170"): {"rms_2s": -5.0}}
    monkeypatch.setattr(expected, "rows", lambda: worse)
    options = "--delays", "170", "--only", "b total", "--processes", "1"
    assert main(["smooth", "--loads", str(folder), *options]) == 1
    assert "off        b total_kW, lin, 170 ms: rms_2s" in capsys.readouterr().out


def test_a_name_that_no_load_has_is_refused_in_one_line(folder, capsys):
    assert main(["smooth", "--loads", str(folder), "--only", "nothing"]) == 2
    words = "--only nothing: allowed are parts of training, cluster, iterations, b total_kW"
    assert capsys.readouterr().err == f"smooth: {words}\n"


def test_a_file_that_is_no_load_is_refused_in_one_line(folder, capsys):
    (folder / "a.csv").write_text("t_s,a_kW\n0,x\n1,y\n2,1\n3,1\n4,z\n")
    assert main(["smooth", "--loads", str(folder)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "a.csv: 2 of 5 rows usable in a_kW (3 refused" in lines[0]


def test_the_page_has_the_worst_load_first(folder):
    rows = cells.played(cells.Cell(loads.Source(str(folder / "b.csv"), "total_kW"), ("170",), 1))
    text = page.text({"delays": ["170"], "rows": rows, "missed": ["a < b"]})
    rms = [row["ways"]["ours"]["residual_pct"]["2"]["rms"] for row in rows]
    places = [
        text.index(f'<span class="armed">{value:.1f} %') for value in sorted(rms, reverse=True)
    ]
    assert places == sorted(places) and '<span class="missing">a &lt; b' in text


def test_the_picture_shows_the_minute_in_which_the_grid_moves_most():
    load_W = np.full(9000, 200 * KW)
    load_W[6000:6200] = 300 * KW
    shown = cells.picture(load_W, no_battery(load_W))
    assert shown["from_s"] == 90.0 and shown["load"] == shown["grid"] and len(shown["load"]) == 600
    assert set(shown["load"]) == {200.0, 300.0} and set(shown["battery"]) == {0.0}


def test_the_rig_gets_the_same_load_and_the_path_of_its_meter():
    power = rig.power_of(np.array([1.0, 2.0, 3.0]))
    assert [power(t_s) for t_s in (0.0, 30.01, 30.03, 30.05, 99.0)] == [1.0, 1.0, 2.0, 3.0, 3.0]
    assert [rig.path_of(sample_ms).name for sample_ms in (20, 100)] == ["100f", "170"]


def test_a_sample_of_the_loads_is_spread_over_all_of_them(monkeypatch):
    monkeypatch.setattr(rig, "played", lambda job: job)
    monkeypatch.setattr(rig, "_line", str)
    found = [loads.Source("x", str(at)) for at in range(37)]
    runner = SimpleNamespace(play=lambda todo, work, line, name: map(work, todo))
    assert [job.source.column for job in rig.run(found, 1, runner)] == ["0", "10", "20", "30"]
    assert command.OPTIONS["--rig"]["action"] == "store_true"


def noticed(notice, has_credit, path="100f", edge_ms=0):
    return notices.played(notices.Job(path, edge_ms, notice, has_credit))


def test_an_announced_step_leaves_little_and_a_wrong_notice_costs_what_it_saves():
    none, right, wrong = [noticed(each, False)["change_2s_pct"] for each in ("none", 0, "wrong")]
    assert none == pytest.approx(5.0, abs=0.1)  # one path delay
    assert right < 1.8 and wrong < 3.6
    for late_ms in (-50, 50):
        row = noticed(late_ms, True)
        assert row["change_2s_pct"] <= 3.1 and row["range_5s_pct"] <= 105 and row["pulse_ms"] < 65
        assert noticed(late_ms, False)["change_2s_pct"] <= 5.0
    assert noticed(50, False, edge_ms=100)["change_2s_pct"] <= 3.6


@pytest.mark.parametrize("delay_ms, sample_ms", [(100, 20), (60, 20), (160, 100)])
def test_a_source_loses_little_over_its_life_whatever_it_does(delay_ms, sample_ms):
    found = {each.sequence: each for each in notice_life.lives(delay_ms, sample_ms)}
    assert not any([notice_life.missed(each, (delay_ms - 20) * 8.65) for each in found.values()])
    assert found["never right"].acted == 1 and found["right while watched"].acted <= 9
    assert found["always right"].net_ms > 190 * delay_ms
    assert found["one of ten wrong"].net_ms > 110 * delay_ms


def test_rows_of_notices_that_are_off_are_named():
    about = {"path": "170", "edge_ms": 100, "has_credit": False, "missed": []}
    rows = [
        about | {"notice": notice, "change_2s_pct": change, "missed": []}
        for notice, change in (("none", 9.0), (0, 1.0), (50, 5.1), ("wrong", 9.1))
    ]
    rows += [about | {"has_credit": True, "notice": 0, "change_2s_pct": 1.0, "missed": []}]
    rows += [about | {"has_credit": True, "notice": "wrong", "change_2s_pct": 16.0, "missed": []}]
    notices._judge(rows)
    assert [len(row["missed"]) for row in rows] == [0, 0, 1, 1, 0, 0]
    (line,) = notices.not_met(rows)
    assert line.startswith("not met    edge of 100 ms, 170 ms, wrong: costs 16.0 %, a right one")
    far = [about | {"path": "500", "notice": 50, "change_2s_pct": 25.0, "missed": []}]
    notices._judge(far)
    assert not far[0]["missed"] and "the path is too long" in notices.not_met(far)[0]
    assert rows[3]["missed"] == ["notice, edge of 100 ms, 170 ms, wrong: costs 9.1 %, saves 8.0 %"]
