"""Figures of the operators' rules by hand, spectra and ramps, and what the table says of them."""

import math

import numpy as np
import pytest

from hil.__main__ import main
from hil.campaigns.smooth import cells, command, followers, loads, rules, simulator, spectra
from hil.campaigns.smooth.paths import PATHS
from tests.tables import cases

SECOND = 50


def level_W(*parts):
    """Levels in kW for so many seconds: (kW, s), ..."""
    return np.concatenate([np.full(round(s * SECOND), 1000.0 * kW) for kW, s in parts])


@cases("""
    apart_s  range_kW
    4.96     150
    4.98     100
""")
def test_the_range_is_that_within_five_seconds(apart_s, range_kW):
    """A rise by 100, then by 50 kW: both levels beside the edges lie in 250 ticks, or do not."""
    load_W = level_W((0, 10), (100, apart_s), (150, 10))
    assert rules.largest_range_W(load_W, 5) == 1000 * range_kW


def test_above_a_tenth_of_a_hertz_a_step_fades_with_1_6_s():
    above_W = rules.high_passed_W(level_W((300, 1), (400, 10)))
    assert above_W[49] == 0 and above_W[50] == pytest.approx(100_000, rel=0.02)
    after = 50 + round(1.592 * SECOND)
    assert above_W[after] == pytest.approx(100_000 / math.e, rel=0.02)


def test_the_first_ten_seconds_do_not_count():
    load_W = level_W((0, 5), (200, 25), (230, 30))
    assert rules.range_5s_W(load_W) == pytest.approx(30_000, rel=0.05)


def test_a_tone_is_a_line_of_its_amplitude_and_a_slow_one_is_none():
    turns = 2 * np.pi * np.arange(60 * SECOND) / SECOND
    tone_W = 300_000 + 5000 * np.sin(0.7 * turns) + 50_000 * np.sin(0.05 * turns)
    assert rules.line_W(tone_W) == pytest.approx(5000, rel=0.02)


def test_each_figure_in_percent_of_the_peak():
    """A rise by 100 kW within 0.5 s, of 400 kW."""
    edge_W = np.linspace(300_000, 400_000, 26)[1:]
    load_W = np.concatenate([level_W((300, 20)), edge_W, level_W((400, 20))])
    found = rules.figures_pct(load_W, 400_000.0)
    assert found["change_15s"] == pytest.approx(25.0) and found["t4"] == pytest.approx(25.0)
    assert 20 < found["range_5s"] < 25 and 0 < found["line"] < 5
    assert set(rules.figures_pct(load_W[:500], 400_000.0).values()) == {None}


def test_a_ramp_of_five_seconds_shows_its_rate():
    load_W = np.concatenate([level_W((300, 12)), np.linspace(300_000, 400_000, 250)])
    assert rules.figures_pct(load_W, 400_000.0)["t4"] == pytest.approx(5.0, rel=0.01)


def test_pairs_are_grid_and_load_with_two_digits_of_the_line():
    found = rules.pairs(dict.fromkeys(rules.DIGITS, 1.239), dict.fromkeys(rules.DIGITS, 4.561))
    assert found == ["1.2/4.6", "1.2/4.6", "1.24/4.56", "1.2/4.6"]
    assert rules.pairs(dict.fromkeys(rules.DIGITS), {}) == ["-"] * 4


@pytest.mark.parametrize("kind", spectra.KINDS)
def test_a_spectrum_follows_kind_number_and_seed_and_fits_the_battery(kind):
    once_W, again_W, other_W, seed_W = (
        spectra.power_W(kind, *each) for each in ((2, 1), (2, 1), (3, 1), (2, 7))
    )
    assert (once_W == again_W).all() and (once_W != other_W).any() and (once_W != seed_W).any()
    assert len(once_W) == 3600 and 240_000 <= once_W.min() < once_W.max() <= 360_000


def test_a_noise_band_lies_between_a_tenth_and_24_hertz():
    for number in range(5):
        noise_W = spectra.power_W("noise band", number, 1)
        parts = np.abs(np.fft.rfft(noise_W - noise_W.mean()))
        outside = np.fft.rfftfreq(len(noise_W), 0.02) < 0.09
        assert (parts[outside] ** 2).sum() < 0.01 * (parts**2).sum()


def test_the_ramp_is_nerc_s():
    load_W = spectra.ramp_W(250) / spectra.LEVEL_W
    moved = np.diff(load_W) / 0.02
    assert (load_W.min(), load_W.max()) == pytest.approx((0.5, 0.975))
    assert (moved.max(), moved.min()) == pytest.approx((1.9, -1.9))
    assert np.flatnonzero(moved > 0.1)[0] * 0.02 == pytest.approx(5, abs=0.03)


def follow(monkeypatch, factor):
    """Plain following of the last sample, times a factor."""

    class Plain(followers.Plain):
        def __init__(self, seen_W, path, track=None):
            super().__init__(seen_W, path)
            self.guess_W = (300_000 + factor * (seen_W - 300_000)).tolist()

        def request_W(self, tick, soc, setpoint_W):
            plain_W = super().request_W(tick, soc, setpoint_W)
            return plain_W + self.guess_W[tick] - self._seen_W[tick]

    monkeypatch.setattr(followers, "Ours", Plain)


def test_a_battery_that_does_nothing_leaves_a_ratio_of_one(monkeypatch):
    follow(monkeypatch, 0.0)
    found = spectra.played(spectra.Job("noise band", 0, "100f", 1))
    assert (found["ratio"], found["line"]) == pytest.approx((1, 1), abs=0.01)


def test_steps_that_are_followed_whole_stay_below_their_bound(monkeypatch):
    follow(monkeypatch, 1.0)
    for number in range(3):
        found = spectra.played(spectra.Job("telegraph", number, "100f", 1))
        assert 1.0 < found["ratio"] <= found["bound"]


@cases("""
    kind          path    ratio  is_off
    "noise band"  "100f"  1.050  False
    "noise band"  "100f"  1.051  True
    "tone"        "60"    1.051  True
    "tone"        "170"   1.180  False
    "steps"       "100f"  1.600  False
""")
def test_only_what_can_be_foreseen_or_left_alone_is_judged(kind, path, ratio, is_off):
    found = {"seed": 1, "number": 4, "ratio": ratio, "first": 1.3, "line": 1.0, "bound": 1.7}
    row = spectra._row(kind, path, [found, found | {"ratio": 0.5, "number": 5}], 1)
    assert bool(row["missed"]) is is_off and (row["worst"], row["highest"]) == (4, ratio)
    assert row["bound"] == (1.7 if kind == "steps" else None)
    assert len(spectra._line(row)) > 60


def test_spectra_of_other_seeds_may_be_a_little_higher_and_each_miss_is_named():
    found = {"number": 4, "first": 1.3, "line": 1.0, "bound": 1.7}
    seeds = [
        found | {"seed": seed, "ratio": ratio} for seed, ratio in ((1, 1.06), (2, 1.07), (3, 1.09))
    ]
    row = spectra._row("tone", "60", seeds, 1)
    assert [line.partition(",")[0] for line in row["missed"]] == [
        f"tone 4 of seed {n}" for n in (1, 3)
    ]
    assert row["above"] == [3, 3] and (row["seed"], row["first"]) == (3, 1.3)


@cases("""
    at_Hz  path    is_beyond
    12     "100"   False
    13     "100"   True
    24     "100f"  False
""")
def test_what_the_meter_shows_as_slower_is_beyond_it(at_Hz, path, is_beyond):
    load_W = np.sin(2 * np.pi * at_Hz * np.arange(3600) / SECOND)
    assert spectra._is_beyond(load_W, PATHS[path]) is is_beyond


def test_a_narrow_band_at_the_lowest_frequency_still_holds_a_line():
    class Narrow:
        def uniform(self, low, high):
            return low

        def standard_normal(self, count):
            return np.random.default_rng(1).standard_normal(count)

    assert np.abs(spectra._noise_band(Narrow(), np.arange(3600) / SECOND)).max() == 1.0


@cases("""
    path    pct    two    missed
    "100f"  21.0   21.7   []
    "100f"  21.01  21.7   ["5 s range 21.01 %, filter of 1"]
    "100f"  21.0   21.71  ["5 s range 21.71 %, filter of 2"]
    "60"    12.6   13.1   []
    "60"    12.61  13.11  ["5 s range 12.61 %, filter of 1", "5 s range 13.11 %, filter of 2"]
    "170"   40.0   40.0   []
""")
def test_a_ramp_is_judged_with_both_filters_on_the_paths_of_60_and_100_ms(path, pct, two, missed):
    (row,) = spectra._ramp_rows(path, [{"number": 250, "pct": pct, "two_poles_pct": two}])
    assert [line.partition(": ")[2].partition(" poles")[0] for line in row["missed"]] == missed
    assert f"{pct:.2f} % of the load's peak; two poles {two:.2f} %" in spectra._line(row)


@cases("""
    kind          number  path    seed
    "noise band"  17      "50"    20260
    "noise band"  29      "60"    20260
    "pair"        17      "50"    238
""")
def test_a_spectrum_that_following_made_larger_is_not_any_more(kind, number, path, seed):
    """1.10 to 1.15 with the guard, or with a gain of 4 %; the pair 1.40 with the grid's period."""
    assert spectra.played(spectra.Job(kind, number, path, seed))["ratio"] <= 1.05


@pytest.mark.parametrize("path, most, two", (("100f", 21.0, 21.7), ("60", 12.6, 13.1)))
@pytest.mark.parametrize("rise_ms", (250, 450))
def test_a_short_ramp_leaves_what_plain_following_leaves(monkeypatch, path, most, two, rise_ms):
    monkeypatch.setattr(spectra, "RAMP_TURNS", 1)
    found = spectra.played(spectra.Job("ramp", rise_ms, path, 1))
    assert found["pct"] <= most and found["pct"] < found["two_poles_pct"] <= two


@pytest.mark.parametrize("number, part", ((4, 0.0), (6, 1.2), (4, 1.2)))
def test_a_stated_range_holds_beside_random_steps(number, part):
    """Both leave 1.5 times the load's range without the rule."""
    load_W, path = spectra.power_W("steps", number, 20260), PATHS["100f"]
    range_W = rules.range_5s_W(load_W)
    found = cells._strict(load_W, path, int(part * range_W))
    left_W = found["rules"]["range_5s"] * load_W.max() / 100
    assert left_W <= command.RANGE_MAX * max(part, 1) * range_W


@pytest.mark.parametrize("step_s, is_fine", ((0.2, True), (0.25, False)))
def test_samples_of_a_fifth_of_a_second_are_taken_as_they_are(tmp_path, step_s, is_fine):
    rows = "".join(f"{n * step_s:.3f},{250 + n % 9}\n" for n in range(200))
    (tmp_path / "b.csv").write_text("t_s,total_kW\n" + rows)
    load = loads.read(loads.Source(str(tmp_path / "b.csv"), "total_kW"))
    assert load.kinds == (("as is",) if is_fine else ("held", "jit", "lin"))


def test_spectra_are_printed_with_their_seed(monkeypatch, capsys):
    monkeypatch.setattr(spectra, "SPECTRA_PER_KIND", 1)
    monkeypatch.setattr(spectra, "KINDS", {"tone": spectra._tone})
    monkeypatch.setattr(spectra, "RAMPS_ms", (250,))
    monkeypatch.setattr(command, "_rows", lambda arguments, runner: [])
    assert main("smooth --delays 100f --seed 3 --spectra --processes 1".split()) == 0
    printed = capsys.readouterr().out
    assert (
        "1 spectra of a kind, 1 seeds from 3 on" in printed
        and "ramp 250 ms          100f  20." in printed
    )


def ranges_kW(load_W, *ranges_W_max):
    """Range in 5 s on the grid, path of 100 ms, with each stated range."""
    path = PATHS["100f"]
    seen_W = simulator.seen_W(load_W, path)
    ways = [followers.Ours(seen_W, path, followers.function(path, None, w)) for w in ranges_W_max]
    grids_W = [simulator.run(way, load_W, path).grid_W for way in ways]
    return [rules.range_5s_W(each_W) / 1000 for each_W in grids_W]


def test_a_range_that_following_keeps_costs_nothing_and_opening_makes_no_edge():
    """A load that followed leaves 56 kW: 170 kW were left at each stated range, 126 without a
    battery.
    """
    load_W = spectra.ramp_W(500)
    default, kept, narrow = ranges_kW(load_W, None, 60_000, 23_000)
    assert kept == default and 55 < default < 57
    assert narrow < 1.25 * rules.range_5s_W(load_W) / 1000


@cases("""
    stated  left   none  free  line
    30      69.01  60    80    "at most 69.00"
    30      69     60    80    ""
    30      46.01  60    40    "at most 46.00"
    80      92.01  60    90    "at most 92.00"
    80      92     60    40    ""
    30      None   None  None  ""
""")
def test_a_stated_range_that_makes_the_grid_worse_is_off(stated, left, none, free, line):
    found = {"no_battery": {"range_5s": none}, "ours": {"range_5s": free}}
    row = {"load": "a", "kind": "held", "path": "60", "rules": found}
    assert command._missed_range(row) == []
    row["strict"] = {"stated_pct": stated, "rules": {"range_5s": left}}
    (text,) = command._missed_range(row) or ("",)
    assert line in text and bool(line) == bool(text)
