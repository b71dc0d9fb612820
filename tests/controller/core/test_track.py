"""Load tracking in closed loop on a small float plant; `-s` prints the figures of each trace."""

import csv
import gzip
import random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from slow import slow
from views import setup, view

from controller.core import reasons
from controller.core.policies import track
from controller.core.policies.site_load import CALCULATED, MEASURED, UNKNOWN
from tests.tables import cases

TICK_MS = 20
RATED_W = 250_000
RATING = -RATED_W, RATED_W
ENERGY_J = 645_000 * 3600
SECOND = 1000 // TICK_MS  # ticks
FREQUENCIES_HZ = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)


def tracking(tick_ms=TICK_MS, **settings):
    return track.Track(setup(tick_ms, **{"soc_target_permille": 500} | settings))


def step(
    control, load_W, previous_W=0, elapsed=1, source=MEASURED, soc_permille=500, available_W=RATING
):
    """The power asked for, W; soc_permille: None while it is unknown."""
    soc = None if soc_permille is None else (0, soc_permille)
    known = view(load_source=source, load_W=load_W if source else None, soc_permille=soc)
    known.setpoint_W, (known.low_W, known.high_W) = previous_W, available_W
    ((asked_W, reason),) = control.step(known, elapsed)
    assert reason == (reasons.LOAD_TRACKING if source else reasons.LOAD_UNKNOWN)
    return asked_W


class Plant:
    """One Track, battery, meters, a converter that ramps to rated power in 50 ms; W per tick."""

    dead_ms, meter_ms, poll_ms = 60, 80, 60
    source, noise_W, soc, efficiency = MEASURED, 0, 0.5, 0.97

    def __init__(self, load_W, available=lambda tick: RATING, **changes):
        self.load, self.available = load_W, available
        for name in [name for name in changes if hasattr(Plant, name)]:
            setattr(self, name, changes.pop(name))
        self.track = tracking(**changes)
        self.pipe = [0] * (self.dead_ms // TICK_MS)
        self.meter, self.poll = self.meter_ms // TICK_MS, self.poll_ms // TICK_MS
        self.deal = random.Random(7)
        self.grid, self.battery, self.sent, self.asked = [], [], [], []

    def seen_W(self, tick):
        past = max(0, tick - tick % self.poll - self.meter)
        if self.source == MEASURED or past == 0 or not self.grid:
            noise_W = self.deal.uniform(-self.noise_W, self.noise_W) if self.noise_W else 0
            return int(self.load[past] + noise_W)
        past = min(past, len(self.grid) - 1)
        return int(self.grid[past] + self.battery[max(0, past - 3)])

    def run(self):
        power_W = 0
        for tick, load_W in enumerate(self.load):
            low_W, high_W = available_W = self.available(tick)
            before_W, soc_permille = self.sent[-1] if self.sent else 0, int(self.soc * 1000)
            seen = self.seen_W(tick), before_W, 1, self.source, soc_permille, available_W
            self.asked.append(step(self.track, *seen))
            self.sent.append(min(max(self.asked[-1], low_W), high_W))
            self.pipe.append(self.sent[-1])
            power_W += min(max(self.pipe.pop(0) - power_W, -RATED_W // 5 * 2), RATED_W // 5 * 2)
            loss = 1 / self.efficiency if power_W > 0 else self.efficiency
            self.soc -= power_W * loss * TICK_MS / 1000 / ENERGY_J
            self.battery.append(power_W)
            self.grid.append(load_W - power_W)
        return self


def measured(shared, name, column, scale):
    """Load of a trace, W, interpolated at every tick."""
    with gzip.open(shared / "data" / "load" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        rows = [(float(row["t_s"]), row[column]) for row in csv.DictReader(file) if row[column]]
    times_s, powers = np.array(rows, float).T
    ticks = int((times_s[-1] - times_s[0]) * SECOND)
    return np.interp(times_s[0] + np.arange(ticks) / SECOND, times_s, powers * scale).tolist()


def means_W(powers_W, seconds=1):
    size = seconds * SECOND
    return np.mean(np.reshape(powers_W[: len(powers_W) // size * size], (-1, size)), axis=1)


def p99_swing_W(powers_W):
    """99th percentile of the changes of consecutive 2 s means."""
    return np.percentile(abs(np.diff(means_W(powers_W, 2))), 99)


def amplified(plant, start, stop=None):
    """RMS of the movement of the grid, in terms of that of the load; start, stop: s."""
    part = slice(start * SECOND, stop and stop * SECOND)
    return np.std(plant.grid[part]) / np.std(plant.load[part])


def sine(frequency_Hz, seconds):
    turns = np.arange(int(seconds * SECOND)) * frequency_Hz / SECOND
    return (300_000 + 100_000 * np.sin(2 * np.pi * turns)).tolist()


def square(frequency_Hz, seconds, amplitude_W=100_000):
    turns = np.arange(int(seconds * SECOND)) * frequency_Hz / SECOND
    return np.where(turns % 1 < 0.5, 300_000 + amplitude_W, 300_000 - amplitude_W).tolist()


def level(seconds, power_W=300_000):
    return [power_W] * int(seconds * SECOND)


LORA = "lora_512xh100_2s"
GPT3 = "gpt3_512xh100_2s"
SLOW_LORA = slow(*[(LORA, f"run{at:02}_kW", 1000, 9999, 60, 100, 0.9, 0.02) for at in range(1, 6)])


@cases("""
    name  column  scale  seconds  meter_ms  noise_W  least  soc_error
    *[(LORA, f"run{run:02}_kW", 1000, 9999, 140, 100, 0.90, 0.02) for run in range(1, 6)]
    *SLOW_LORA
    GPT3  "dc_total_kW"  1000  1200  140  100  0.85  0.01
    *slow((GPT3, "ac_total_kW", 1000, 3406, 140, 100, 0.85, 0.01))
    # it was not made for these: steps of 280 kW within a second, more than the battery has
    "b200x8_llama_lora_1s"         "run_3_W"  40    1200  100  0  0.80  0.02
    "b200x8_stable_diffusion_1s"   "run_0_W"  40    1200  100  0  0.75  0.02
    "pod11_composite_2s"           "pod_kW"   6000  1200  100  0  0.75  0.02
    "a100_step_1ms"                "meter_W"  1000  1200  100  0  0.70  0.02
""")
def test_measured_traces_are_smoothed(
    shared, name, column, scale, seconds, meter_ms, noise_W, least, soc_error
):
    load = measured(shared, name, column, scale)[: seconds * SECOND]
    plant = Plant(load, meter_ms=meter_ms, noise_W=noise_W).run()
    reduction = 1 - p99_swing_W(plant.grid) / p99_swing_W(plant.load)
    print(f"{name} {column} x {scale}: reduction {reduction:.3f}, SOC end {plant.soc:.4f}")
    assert reduction >= least and abs(plant.soc - 0.5) <= soc_error


# A fit over half and whole delay costs 1.15 near 1.2 Hz at the whole configured delay.
SLOW_PATH = {"dead_ms": 60, "meter_ms": 160, "poll_ms": 20}


@cases("""
    wave  frequency_Hz  most  path
    *[(sine, frequency_Hz, 1.05, {"meter_ms": 120}) for frequency_Hz in FREQUENCIES_HZ]
    *slow(*[(sine, hz, 1.05, {"meter_ms": ms}) for hz in FREQUENCIES_HZ for ms in (40, 80)])
    sine  0.02  0.10  {} | sine  0.1  0.08  {} | sine  0.3  0.15  {} | sine  0.5  0.25  {}
    *[(sine, hz, 1.15, SLOW_PATH) for hz in (0.8, 1.0, 1.1, 1.2, 1.4, 2.0, 3.0)]
    *[(square, hz, 1.02, {"meter_ms": 100}) for hz in (0.1, 0.3, 0.7, 1.0, 1.5, 2.0, 3.0)]
""")
def test_no_wave_is_amplified(wave, frequency_Hz, most, path):
    start = 20
    seconds = round(max(20 if wave is square else 10, 2 / frequency_Hz))
    assert amplified(Plant(wave(frequency_Hz, start + seconds), **path).run(), start) <= most


@pytest.mark.parametrize("frequency_Hz", (2.0, 2.5, 3.0))
def test_the_battery_rests_while_the_load_swings_too_fast_for_it(frequency_Hz):
    plant = Plant(sine(frequency_Hz, 30)).run()
    assert np.std(plant.battery[-10 * SECOND :]) <= 0.02 * np.std(plant.load[-10 * SECOND :])


def test_a_step_after_a_quiet_minute_is_taken_whole():
    """Meter noise teaches the fit nothing: while the load is quiet the gains stay at 1."""
    plant = Plant(level(60) + level(2, 400_000), noise_W=150, poll_ms=20).run()
    # 60 + 80 ms of path, 40 ms of converter ramp, 2 ticks
    assert plant.battery[60 * SECOND + 12] > 90_000


def test_a_fast_swing_that_begins_is_let_go_within_two_seconds():
    plant = Plant(level(20) + square(2.0, 10), meter_ms=100).run()
    assert all(amplified(plant, second, second + 1) <= 1.05 for second in range(22, 30))


def test_grid_plus_battery_tracks_without_swinging_where_no_load_meter_is():
    """Their readings differ in age (venus.dbus-hoymiles 7, AstraMeter 230)."""
    plant = Plant(level(20) + level(60, 400_000), source=CALCULATED, meter_ms=120).run()
    assert np.std(plant.grid[-20 * SECOND :]) < 8000  # only the slow reference moves
    assert max(abs(np.diff(plant.sent[40 * SECOND :]))) <= 300
    assert plant.battery[24 * SECOND] > 90_000


KEPT_SOC = {"soc_recovery_W_max": 0}


def test_a_load_beyond_the_battery_moves_the_grid_by_the_least_possible():
    """Load steps of 700 kW, +-250 kW of battery: the grid swings by the 200 kW that are left."""
    load = level(20, 600_000) + [2 * power for power in square(0.05, 120, 175_000)]
    plant = Plant(load, meter_ms=100).run()
    assert (min(plant.sent), max(plant.sent)) == (-RATED_W, RATED_W)
    # without the seconds that hold an edge
    flat = [mean for at, mean in enumerate(means_W(plant.grid)[40:]) if at % 10 not in (0, 9)]
    assert 200_000 <= max(flat) - min(flat) <= 210_000


def test_the_grid_takes_a_closing_battery_over_at_the_speed_it_closes():
    """Available discharge shrinks by 5 kW/s to 0 while 200 kW are needed."""

    def available(tick):
        return -RATED_W, max(0, RATED_W - max(0, tick - 25 * SECOND) * 100)

    load = level(20, 200_000) + level(100, 400_000)
    plant = Plant(load, meter_ms=100, available=available, soc_recovery_W_max=0).run()
    assert max(abs(np.diff(means_W(plant.grid)[23:]))) <= 7_000
    assert plant.sent[-1] == 0 and abs(plant.grid[-1] - 400_000) < 1


def test_an_export_limit_that_falls_with_the_load_does_not_shift_the_grid():
    """Nothing may be exported, so the available discharge is the load itself."""
    load = level(30, 65_000) + level(5, 200_000) + level(20, 65_000)
    paths = {"meter_ms": 100, "poll_ms": 20}
    plant = Plant(load, lambda tick: (-RATED_W, load[max(0, tick - 5)]), **paths).run()
    assert abs(plant.grid[30 * SECOND + 20] - plant.grid[36 * SECOND]) < 8_000
    assert abs(plant.grid[-1] - 65_000) < 8_000


@cases("""
    after  changes  low_W  high_W
    level(3, 400_000)  {}  180_000  200_000
    # counted from where the limit left the grid
    level(30, 400_000) + level(5, 300_000) + level(2, 440_000)  KEPT_SOC  81_500  124_999
""")
def test_the_request_beyond_a_limit_is_reported(after, changes, low_W, high_W):
    load = level(20, 200_000) + after
    plant = Plant(load, lambda tick: (-81_500, 81_500), **changes).run()
    assert plant.sent[-1] == 81_500 and low_W <= plant.asked[-1] <= high_W


def test_a_short_peak_beyond_the_battery_leaves_no_trace():
    """One wrong meter sample must not shift the grid for minutes."""
    plant = Plant(level(30) + [900_000] * 3 + level(20), poll_ms=20).run()
    assert abs(plant.grid[36 * SECOND] - 300_000) < 15_000


def test_it_begins_without_a_bump():
    assert step(tracking(), 431_700) == 0
    assert step(tracking(), 431_700, -60_000) == -60_000


def test_nothing_jumps_when_power_becomes_available_again():
    """victronenergy/venus 1657: take-over swung by 7 kW."""

    def available(tick):
        return (0, 0) if tick < 60 * SECOND else (-RATED_W, RATED_W)

    plant = Plant(level(20) + level(60, 420_000), available=available).run()
    assert max(map(abs, plant.sent[60 * SECOND :])) <= 400


def test_a_lost_load_goes_to_zero_at_its_ramp_and_comes_back_without_a_bump():
    control = tracking(track_fall_ramp_W_per_s=25_000)
    sent = [step(control, 300_000)]
    for _ in range(2 * SECOND):
        sent.append(step(control, 400_000, sent[-1]))
    assert sent[-1] > 90_000
    for elapsed_ticks, fall_W in ((1, 500), (3, 1500)):  # missed ticks count
        sent.append(step(control, 0, sent[-1], elapsed_ticks, UNKNOWN))
        assert sent[-2] - sent[-1] == fall_W
    sent.append(step(control, 380_000, sent[-1]))
    assert sent[-1] == sent[-2]
    for _ in range(10 * SECOND):
        sent.append(step(control, 0, sent[-1], 1, UNKNOWN))
    assert sent[-1] == 0
    assert step(control, 0, -300, 1, UNKNOWN) == 0


@pytest.mark.parametrize("start", (0.48, 0.52))
def test_the_state_of_charge_comes_back(start):
    plant = Plant(level(1200), soc=start).run()
    # 1200 s is one time constant, after the reference's own 120 s
    assert abs(plant.soc - 0.5) < 0.011
    # soc_recovery_W_max
    grid = np.array(plant.grid)
    assert 20_000 < max(abs(grid - 300_000)) <= 25_000
    assert max(abs(grid[2 * SECOND :] - grid[: -2 * SECOND])) < 1000


def test_the_largest_load_step_costs_less_than_two_points_an_unknown_charge_nothing():
    load = level(5, 150_000) + level(300, 150_000 + RATED_W)
    assert 0.010 < 0.5 - Plant(load, efficiency=1.0, soc_recovery_W_max=0).run().soc < 0.02
    control = tracking()
    asked_W = [step(control, 300_000, soc_permille=None) for _ in range(60 * SECOND)]
    assert asked_W[-1] == 0


def test_less_than_half_the_dead_band_and_meter_noise_do_not_reach_the_wire():
    plant = Plant(level(5) + level(600, 302_000), soc_recovery_W_max=0).run()
    assert plant.sent[-1] == 0
    assert np.count_nonzero(np.diff(Plant(level(120), noise_W=150).run().sent)) <= 12


def test_power_changes_its_sign_without_flicker():
    """OpenEMS/openems 2960, 3581: -120 -> +90 kW flicker."""
    load = [300_000 + (tick - 60 * SECOND) * 2 for tick in range(120 * SECOND)]
    sent = np.array(Plant(load, noise_W=100).run().sent)
    assert max(abs(np.diff(sent))) <= 400
    assert np.count_nonzero(sent[1:] * sent[:-1] < 0) <= 2


def test_a_full_battery_that_may_not_charge_rests():
    """victronenergy/venus 904: a full battery was drained."""
    full = {"soc": 0.9995, "soc_target_permille": 999}
    plant = Plant(level(600), available=lambda tick: (0, RATED_W), **full).run()
    assert set(plant.sent) == {0}


POWER_W = st.integers(-(1 << 30) + 1, (1 << 30) - 1)
SOURCE, SOC = st.sampled_from((UNKNOWN, CALCULATED, MEASURED)), st.none() | st.integers(0, 1000)
AVAILABLE_W = st.tuples(POWER_W, POWER_W).map(sorted)
STEP = st.tuples(POWER_W, POWER_W, st.integers(1, 1000), SOURCE, SOC, AVAILABLE_W)


@settings(max_examples=60)
@given(st.lists(STEP, min_size=1, max_size=60))
def test_no_input_within_its_range_overflows_a_word(steps):
    control = tracking()
    for known in steps:
        assert isinstance(step(control, *known), int)
        assert 0 <= control.state[track.S_GAIN_MID] <= track.GAIN_MID_MAX
        assert 0 <= control.state[track.S_GAIN_HIGH] <= track.GAIN_HIGH_MAX


@pytest.mark.parametrize(
    "tick_ms, delay_ms, ticks", ((20, 250, 13), (20, 260, 13), (20, 261, 14), (100, 20, 1))
)
def test_the_delay_is_whole_ticks_rounded_up(tick_ms, delay_ms, ticks):
    assert tracking(tick_ms, track_path_delay_ms=delay_ms).delay_ticks == ticks
