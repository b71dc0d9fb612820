"""The point of a run in two sentences, its bands of frequency, and both on the live screen."""

from types import SimpleNamespace

import numpy as np
import pytest
from test_figures import document, recorded

from controller.config import configuration
from controller.sites import EXAMPLE
from controller.state import bands as cabinet_bands
from hil.results import bands, live, swing
from tests.tables import cases


@cases("""seconds  load_kW  grid_kW  sentence
    400  200  20  "The load swung by 200 kW; the grid saw 20 kW."
    100  200  20  "The load swung by 200 kW; the grid saw 20 kW."
    100  0  0  "The load swung by 0 kW; the grid saw 0 kW."
    1  200  20  "Nothing was measured: the battery was not in use for 2 s."
""")
def test_the_headline_is_the_range_of_one_second_means(seconds, load_kW, grid_kW, sentence):
    high = np.arange(seconds * 50) // 50 % 2 == 1  # one second low, one high
    rows = recorded(3e5 + 1e3 * load_kW * high, 3e5 + 1e3 * grid_kW * high)
    found = document(rows)
    assert swing.headline(found["swing_W"]) == sentence
    assert found["swing_W"]["within_s"] == (None if seconds == 1 else min(seconds, 300))


def test_the_swing_is_of_five_minutes_and_a_spike_counts_by_its_time():
    grid_W = np.full(50 * 700, 3e5)
    grid_W[50 * 400 :] = 4e5  # 400 s of one level, 300 s of another
    assert swing.swing_W(recorded(grid_W, grid_W))["grid"] == 1e5
    slow_W = np.linspace(0, 7e5, 50 * 700)  # 1 kW a second
    assert swing.swing_W(recorded(slow_W, slow_W))["grid"] == pytest.approx(299e3, rel=0.01)
    spike_W = np.full(5000, 3e5)
    spike_W[2500:2510] += 1e5  # 0.2 s
    assert swing.swing_W(recorded(spike_W, spike_W))["grid"] == pytest.approx(20e3)


def step_run(up_kW, battery_kW, delay_ticks=9, limit=0):
    """30 s: the load rises at 10 s, the battery follows after some ticks."""
    at = np.arange(1500)
    load_W = 3e5 + 1e3 * up_kW * (at >= 500)
    battery_W = 1e3 * battery_kW * (at >= 500 + delay_ticks)
    rows = recorded(load_W, load_W - battery_W, battery_W)
    rows["limit_reason"][490:520] = limit
    return rows


@cases("""run  words
    (100, 100)  "the grid rose by 100 kW within 0.1 s and was back 0.2 s later. The load rose\
 by 100 kW; 180 ms later the battery followed with 100 kW."
    (-80, -80)  "the grid fell by 80 kW within 0.1 s and was back 0.2 s later. The load fell\
 by 80 kW; 180 ms later the battery followed with 80 kW."
    (100, 140)  "the grid fell by 140 kW within 0.1 s. The load rose by 100 kW; 180 ms later\
 the battery followed with 140 kW, more than the load."
    (0, 60)  "the grid fell by 60 kW within 0.1 s. The battery moved by 60 kW, the load by 0\
 kW."
    (100, 0, 9, 213)  "the grid rose by 100 kW within 0.1 s. A limit held the battery back:\
 PCS discharge rating."
""")
def test_the_worst_moment_is_found_and_explained(run, words):
    found = swing.explained(swing.worst_moment(step_run(*run)))
    assert found in [f"Worst moment, {at} s: {words}" for at in ("10.0", "10.2")]


def test_a_step_counts_for_more_than_two_events_that_add_up():
    grid_W = np.full(2000, 3e5)
    grid_W[500:505] -= np.linspace(20e3, 100e3, 5)  # an edge of 0.1 s
    grid_W[505:516] -= np.linspace(100e3, 0, 11)  # back, less quickly
    grid_W[580:600] += 15e3  # and 1.4 s later a little above
    found = swing.worst_moment(recorded(grid_W, grid_W))
    assert (found["change_W"], found["t_s"], found["within_s"]) == (-100e3, 10.08, 0.1)
    assert found["back_after_s"] == 0.18


def test_the_worst_moment_is_the_largest_change_within_two_seconds():
    for seconds, change_W in ((1.9, 1e5), (2.1, 2e5 / 2.1)):  # a ramp; a slower one counts in part
        at_s = np.arange(3000) * 0.02
        grid_W = 3e5 + np.interp(at_s, (20, 20 + seconds), (0, 1e5))
        found = swing.worst_moment(recorded(grid_W, grid_W))
        assert found["change_W"] == pytest.approx(change_W, rel=0.05)
    assert swing.worst_moment(recorded(np.ones(1))) is None
    flat = swing.worst_moment(recorded(np.full(500, 3e5)))
    assert swing.explained(flat) == "The grid never changed by more than 0.0 kW within 2 s."


@pytest.mark.parametrize("frequency_Hz", (0.2, 0.5, 1.7, 3.0, 5.0))
def test_the_bands_of_a_run_are_those_of_the_cabinet(frequency_Hz):
    """numpy here and the standard library there: two ways to one definition."""
    t_s = np.arange(3000) * 0.02
    load_W = 3e5 + 1e5 * np.sin(2 * np.pi * frequency_Hz * t_s)
    rows = recorded(load_W, load_W / 10, -load_W)
    mine = bands.of_run(rows, 20)
    for name, factor in (("load", 1), ("grid", 0.1), ("battery", 1)):
        replies = [(20 * tick, round(factor * power_W)) for tick, power_W in enumerate(load_W)]
        theirs = cabinet_bands.measured(replies, replies[-1][0], 20, 20)
        assert mine[name]["rms_W"] == pytest.approx(theirs["rms_W"], rel=0.03, abs=300)
    minutes = recorded(np.tile(load_W, 4))  # several windows: the mean of their squares
    assert bands.of_run(minutes, 20)["load"]["rms_W"] == pytest.approx(
        mine["load"]["rms_W"], rel=0.03, abs=300
    )
    slow = bands.of_run(rows, 100)["load"]
    assert slow["rms_W"]["3-20 Hz"] is None and slow["observable_to_Hz"] == 3.33
    assert "a third of the rate" in slow["not_observable"]["3-20 Hz"]


def test_a_run_too_short_for_a_band_says_so():
    for ticks, known in ((0, 0), (1, 0), (200, 1), (1000, 2), (1600, 3)):
        found = bands.of_run(recorded(np.full(ticks, 3e5)), 20)["grid"]
        assert 3 - list(found["rms_W"].values()).count(None) == known
        assert all(found["not_observable"][name] for name, W in found["rms_W"].items() if W is None)


def test_the_live_screen_has_the_sentences_of_the_page_and_a_column_per_second():
    at_s = np.arange(60 * 50) * 0.02
    load_W = 3e5 + 1e5 * (at_s % 10 < 5) * (at_s > 31)
    battery_W = np.roll(load_W - 3e5, 9) * (at_s > 31)
    battery_W[2600] = -2e5  # a spike of one tick, 52.0 s
    rows = recorded(load_W, load_W - battery_W, battery_W)
    rows["t_us"] += 20_000  # the first row is at the end of the first tick
    recorder = SimpleNamespace(since=lambda t_us: rows[rows["t_us"] >= t_us])
    timeline = [(2_000_000, "contactors_closed", "")]
    shown = live.Live(recorder, lambda: timeline, configuration.load(EXAMPLE))
    assert shown.history(10_000_000)["headline"] == live.START_UP
    for now_us in range(0, 60_000_001, 100_000):
        last = shown.history(now_us)
    page = document(rows, from_us=22_000_000)  # recovered 20 s after the contactors closed
    assert last["headline"] == swing.headline(page["swing_W"])
    assert last["worst"] == swing.explained(page["worst_moment"])
    assert "52.0 s: the grid rose by 300 kW" in last["worst"]
    assert [len(last[f"{name}_history"]) for name in live.NAMES] == [60, 60, 60]
    assert last["battery_history"][52] == -2e5 and last["load_history"][:31] == [3e5] * 31


def test_a_battery_that_moves_early_does_not_count_as_following():
    """The load rose and the grid fell, without an overshoot: the battery was early."""
    worst = {
        "change_W": -92e3,
        "load_change_W": 101e3,
        "battery_change_W": 100e3,
        "t_s": 31.3,
        "within_s": 0.2,
        "back_after_s": 0.4,
        "limit_reason": 0,
    }
    sentence = swing.explained(worst | {"delay_ms": 110})
    assert sentence.endswith("The battery moved by 100 kW, the load by 101 kW.")


def test_a_grid_that_falls_into_a_dip_again_is_not_back():
    """A dip of 50 kW, 0.3 s before the worst moment: back is the level of the 2 s before."""
    grid_W = np.full(1500, 3e5)
    grid_W[485:490] -= 50e3
    grid_W[500:520] += 100e3  # and back after 0.4 s
    grid_W[530:] -= 50e3
    assert swing.worst_moment(recorded(grid_W, grid_W))["back_after_s"] == 0.4


def test_load_and_battery_of_the_worst_moment_are_compared_over_one_time():
    """The load goes on for 0.36 s after the step, and the battery follows it."""
    at = np.arange(1500)
    load_W = 3e5 + 60e3 * (at >= 500) + 1e3 * np.clip(at - 506, 0, 12)
    battery_W = np.append(np.zeros(5), load_W[:-5] - 3e5)
    worst = swing.worst_moment(recorded(load_W, load_W - battery_W, battery_W))
    assert (worst["load_change_W"], worst["battery_change_W"]) == (72e3, 72e3)
    assert worst["delay_ms"] == 100
