"""Load tracking in closed loop on a small float plant: measured traces, sines, squares, saturation,
starts, losses.

The plant: meter sample of `meter_ms` ago, renewed every `poll_ms`; set-point to terminals
`dead_ms`; a converter that moves by its rated power in 50 ms. With `-s` the figures of each trace
are printed.
"""

import bisect
import csv
import gzip
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow import slow
from views import setup, view

from controller.core import reasons
from controller.core.policies import track
from controller.core.policies.site_load import CALCULATED, MEASURED, UNKNOWN

TICK_MS = 20
RATED_W = 250_000
ENERGY_J = 645_000 * 3600
SECOND = 1000 // TICK_MS  # ticks
TARGET_PERMILLE = 500
FREQUENCIES_HZ = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)


def tracking(tick_ms=TICK_MS, **settings):
    return track.Track(setup(tick_ms, **{"soc_target_permille": TARGET_PERMILLE} | settings))


def step(control, source, load_W, soc_permille, low_W, high_W, previous_W, elapsed_ticks=1):
    """The power asked for, W; soc_permille: None while it is unknown."""
    ((asked_W, reason),) = control.step(
        view(
            load_source=source,
            load_W=load_W if source else None,
            soc_permille=None if soc_permille is None else (0, soc_permille),
            low_W=low_W,
            high_W=high_W,
            setpoint_W=previous_W,
        ),
        elapsed_ticks,
    )
    assert reason == (reasons.LOAD_TRACKING if source else reasons.LOAD_UNKNOWN)
    return asked_W


class Plant:
    """Battery, converter and meters around one Track; `grid`, `battery`, `sent` are lists of W per
    tick.
    """

    def __init__(
        self,
        load_W,
        dead_ms=60,
        meter_ms=80,
        poll_ms=60,
        source=MEASURED,
        noise_W=0,
        soc=0.5,
        available=lambda tick: (-RATED_W, RATED_W),
        efficiency=0.97,
        **changes,
    ):
        self.load = load_W
        self.track = tracking(**changes)
        self.pipe = [0] * (dead_ms // TICK_MS)
        self.meter, self.poll, self.source = meter_ms // TICK_MS, poll_ms // TICK_MS, source
        deal = random.Random(7)
        self.noise = lambda: deal.uniform(-noise_W, noise_W) if noise_W else 0
        self.soc, self.available, self.efficiency = soc, available, efficiency
        self.grid, self.battery, self.sent, self.asked = [], [], [], []

    def seen_W(self, tick):
        """What the meters say: the load of some time ago, or grid + battery, read at moments a tick
        apart.
        """
        past = max(0, tick - tick % self.poll - self.meter)
        if self.source == MEASURED or past == 0 or not self.grid:
            return int(self.load[past] + self.noise())
        past = min(past, len(self.grid) - 1)
        return int(self.grid[past] + self.battery[max(0, past - 3)])

    def run(self):
        power_W = 0
        for tick, load_W in enumerate(self.load):
            low_W, high_W = self.available(tick)
            before_W = self.sent[-1] if self.sent else 0
            soc_permille = int(self.soc * 1000)
            asked_W = step(
                self.track, self.source, self.seen_W(tick), soc_permille, low_W, high_W, before_W
            )
            self.asked.append(asked_W)
            self.sent.append(min(max(asked_W, low_W), high_W))
            self.pipe.append(self.sent[-1])
            power_W += min(max(self.pipe.pop(0) - power_W, -RATED_W // 5 * 2), RATED_W // 5 * 2)
            loss = 1 / self.efficiency if power_W > 0 else self.efficiency
            self.soc -= power_W * loss * TICK_MS / 1000 / ENERGY_J
            self.battery.append(power_W)
            self.grid.append(load_W - power_W)
        return self


def sampled(times_s, powers_W):
    """Linear interpolation at every tick."""
    result = []
    for tick in range(int((times_s[-1] - times_s[0]) * SECOND)):
        now_s = times_s[0] + tick / SECOND
        right = bisect.bisect_right(times_s, now_s)
        left = right - 1
        share = (now_s - times_s[left]) / (times_s[right] - times_s[left])
        result.append(powers_W[left] + (powers_W[right] - powers_W[left]) * share)
    return result


def measured(shared, name, column, scale=1000.0):
    with gzip.open(shared / "data" / "load" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        rows = [
            (float(row["t_s"]), float(row[column]) * scale)
            for row in csv.DictReader(file)
            if row[column]
        ]
    return sampled(*map(list, zip(*rows)))


def p99_swing_W(powers_W):
    """99th percentile (linear) of the absolute changes of consecutive 2 s means."""
    size = 2 * SECOND
    means = [
        sum(powers_W[at : at + size]) / size for at in range(0, len(powers_W) - size + 1, size)
    ]
    steps = sorted(abs(after - before) for before, after in zip(means, means[1:]))
    place = 0.99 * (len(steps) - 1)
    low = int(place)
    return steps[low] + (place - low) * (steps[min(low + 1, len(steps) - 1)] - steps[low])


def reduction(plant):
    return 1 - p99_swing_W(plant.grid) / p99_swing_W(plant.load)


def swing_W(powers_W):
    """RMS of the movement around the mean."""
    mean = sum(powers_W) / len(powers_W)
    return math.sqrt(sum((power - mean) ** 2 for power in powers_W) / len(powers_W))


def sine(frequency_Hz, seconds, amplitude_W=100_000):
    return [
        300_000 + amplitude_W * math.sin(2 * math.pi * frequency_Hz * tick / SECOND)
        for tick in range(int(seconds * SECOND))
    ]


def square(frequency_Hz, seconds, amplitude_W=100_000):
    return [
        300_000 + (amplitude_W if tick * frequency_Hz / SECOND % 1 < 0.5 else -amplitude_W)
        for tick in range(int(seconds * SECOND))
    ]


def level(seconds, power_W=300_000):
    return [power_W] * int(seconds * SECOND)


# -- measured traces


@pytest.mark.parametrize(
    "column, meter_ms",
    [
        *[(f"run{run:02}_kW", 140) for run in range(1, 6)],
        *slow(*[(f"run{run:02}_kW", 60) for run in range(1, 6)]),
    ],
)
def test_five_measured_finetuning_runs(shared, column, meter_ms):
    plant = Plant(
        measured(shared, "lora_512xh100_2s", column), meter_ms=meter_ms, noise_W=100
    ).run()
    print(
        f"lora {column} meter {meter_ms} ms: reduction {reduction(plant):.3f}, SOC end "
        f"{plant.soc:.4f}"
    )
    assert reduction(plant) >= 0.90
    assert abs(plant.soc - 0.5) <= 0.02


@pytest.mark.parametrize("column, seconds", [("dc_total_kW", 1200), *slow(("ac_total_kW", 3406))])
def test_measured_training_run(shared, column, seconds):
    load = measured(shared, "gpt3_512xh100_2s", column)[: seconds * SECOND]
    plant = Plant(load, meter_ms=140, noise_W=100).run()
    print(f"gpt3 {column}: reduction {reduction(plant):.3f}, SOC end {plant.soc:.4f}")
    assert reduction(plant) >= 0.85
    assert abs(plant.soc - 0.5) <= 0.01


@pytest.mark.parametrize(
    "name, column, scale, least",
    (
        # steps of 280 kW within a second: more than the battery has
        ("b200x8_llama_lora_1s", "run_3_W", 40, 0.80),
        ("b200x8_stable_diffusion_1s", "run_0_W", 40, 0.75),
        ("pod11_composite_2s", "pod_kW", 6000, 0.75),
        ("a100_step_1ms", "meter_W", 1000, 0.70),
    ),
)
def test_traces_it_was_not_made_for(shared, name, column, scale, least):
    load = measured(shared, name, column, scale)[: 1200 * SECOND]
    plant = Plant(load, meter_ms=100).run()
    print(f"{name} {column} x {scale}: reduction {reduction(plant):.3f}, SOC end {plant.soc:.4f}")
    assert reduction(plant) >= least
    assert abs(plant.soc - 0.5) <= 0.02


# -- do no harm: what the path delay cannot answer in phase is left alone


@pytest.mark.parametrize(
    "frequency_Hz, meter_ms",
    [
        *[(frequency_Hz, 120) for frequency_Hz in FREQUENCIES_HZ],
        *slow(*[(hz, meter_ms) for hz in FREQUENCIES_HZ for meter_ms in (40, 80)]),
    ],
)
def test_no_sine_is_amplified(frequency_Hz, meter_ms):
    tail = round(max(10, 2 / frequency_Hz)) * SECOND
    plant = Plant(sine(frequency_Hz, 20 + tail / SECOND), meter_ms=meter_ms).run()
    assert swing_W(plant.grid[-tail:]) <= 1.05 * swing_W(plant.load[-tail:])


@pytest.mark.parametrize(
    "frequency_Hz, most", ((0.02, 0.10), (0.1, 0.08), (0.3, 0.15), (0.5, 0.25))
)
def test_slow_sines_nearly_vanish(frequency_Hz, most):
    tail = round(max(10, 2 / frequency_Hz)) * SECOND
    plant = Plant(sine(frequency_Hz, 20 + tail / SECOND)).run()
    assert swing_W(plant.grid[-tail:]) <= most * swing_W(plant.load[-tail:])


@pytest.mark.parametrize("frequency_Hz", (0.8, 1.0, 1.1, 1.2, 1.4, 2.0, 3.0))
def test_a_path_as_slow_as_configured_amplifies_at_most_by_the_stated_bound(frequency_Hz):
    """The fit averages over half and whole configured delay; at the whole one 1.15 is what that
    costs near 1.2 Hz.
    """
    plant = Plant(sine(frequency_Hz, 30), dead_ms=60, meter_ms=160, poll_ms=20).run()
    assert swing_W(plant.grid[-10 * SECOND :]) <= 1.15 * swing_W(plant.load[-10 * SECOND :])


@pytest.mark.parametrize("frequency_Hz", (0.1, 0.3, 0.7, 1.0, 1.5, 2.0, 3.0))
def test_no_square_wave_is_amplified(frequency_Hz):
    plant = Plant(square(frequency_Hz, 40), meter_ms=100).run()
    assert swing_W(plant.grid[-20 * SECOND :]) <= 1.02 * swing_W(plant.load[-20 * SECOND :])


@pytest.mark.parametrize("frequency_Hz", (2.0, 2.5, 3.0))
def test_the_battery_rests_while_the_load_swings_too_fast_for_it(frequency_Hz):
    plant = Plant(sine(frequency_Hz, 30)).run()
    assert swing_W(plant.battery[-10 * SECOND :]) <= 0.02 * swing_W(plant.load[-10 * SECOND :])


def test_a_step_after_a_quiet_minute_is_taken_whole():
    """Meter noise teaches the fit nothing: where the load says nothing the gains stay at 1."""
    plant = Plant(level(60) + level(2, 400_000), noise_W=150, poll_ms=20).run()
    # 60 + 80 ms of path, 40 ms of converter ramp, 2 ticks
    assert plant.battery[60 * SECOND + 12] > 90_000


def test_a_fast_swing_that_begins_is_let_go_within_two_seconds():
    load = level(20) + square(2.0, 10)
    plant = Plant(load, meter_ms=100).run()
    for second in range(22, 30):
        part = slice(second * SECOND, (second + 1) * SECOND)
        assert swing_W(plant.grid[part]) <= 1.05 * swing_W(plant.load[part]), second


def test_without_the_load_meter_grid_plus_battery_still_tracks_and_does_not_swing():
    """Readings of different age feed the battery back into the load (venus.dbus-hoymiles 7,
    AstraMeter 230).
    """
    plant = Plant(level(20) + level(60, 400_000), source=CALCULATED, meter_ms=120).run()
    assert swing_W(plant.grid[-20 * SECOND :]) < 8000  # only the slow reference moves
    assert (
        max(abs(a - b) for a, b in zip(plant.sent[40 * SECOND :], plant.sent[40 * SECOND + 1 :]))
        <= 300
    )
    assert plant.battery[24 * SECOND] > 90_000


# -- saturation, starting, losing


def test_a_load_beyond_the_battery_moves_the_grid_by_the_least_possible():
    """Load steps of 700 kW, a battery that reaches from -250 to 250 kW: the grid swings by the 200
    kW that are left.
    """
    plant = Plant(
        level(20, 600_000) + [2 * power for power in square(0.05, 120, 175_000)], meter_ms=100
    ).run()
    tail = [
        sum(plant.grid[at : at + SECOND]) / SECOND
        for at in range(40 * SECOND, 140 * SECOND, SECOND)
    ]
    assert (min(plant.sent), max(plant.sent)) == (-RATED_W, RATED_W)
    # without the seconds that hold an edge
    flat = [mean for at, mean in enumerate(tail) if at % 10 not in (0, 9)]
    assert 200_000 <= max(flat) - min(flat) <= 210_000


def test_the_grid_takes_a_closing_battery_over_at_the_speed_it_closes():
    """Available discharge shrinks by 5 kW/s to 0 while 200 kW are needed: no jump, not then and not
    later.
    """

    def available(tick):
        return -RATED_W, max(0, RATED_W - max(0, tick - 25 * SECOND) * 100)

    plant = Plant(
        level(20, 200_000) + level(100, 400_000),
        meter_ms=100,
        available=available,
        soc_recovery_W_max=0,
    ).run()
    means = [
        sum(plant.grid[at : at + SECOND]) / SECOND
        for at in range(23 * SECOND, 120 * SECOND, SECOND)
    ]
    assert max(abs(b - a) for a, b in zip(means, means[1:])) <= 7_000
    assert plant.sent[-1] == 0 and abs(plant.grid[-1] - 400_000) < 1


def test_an_export_limit_that_falls_with_the_load_does_not_shift_the_grid():
    """Nothing may be exported, so the available discharge is the load itself: after a drop the
    battery still fits.
    """
    load = level(30, 65_000) + level(5, 200_000) + level(20, 65_000)

    def available(tick):
        return -RATED_W, load[max(0, tick - 5)]

    plant = Plant(load, meter_ms=100, poll_ms=20, available=available).run()
    assert abs(plant.grid[30 * SECOND + 20] - plant.grid[36 * SECOND]) < 8_000
    assert abs(plant.grid[-1] - 65_000) < 8_000


def test_what_it_would_take_is_named_when_it_gets_less():
    """The console says: asked 200 kW, held back by the limit; the reference that follows the limit
    is not the wish.
    """
    plant = Plant(
        level(20, 200_000) + level(3, 400_000), available=lambda tick: (-81_500, 81_500)
    ).run()
    assert plant.sent[-1] == 81_500
    assert 180_000 <= plant.asked[-1] <= 200_000


def test_what_it_would_take_is_counted_from_where_the_limit_left_the_grid():
    load = level(20, 200_000) + level(30, 400_000) + level(5, 300_000) + level(2, 440_000)
    plant = Plant(load, available=lambda tick: (-81_500, 81_500), soc_recovery_W_max=0).run()
    assert plant.sent[-1] == 81_500
    assert 81_500 <= plant.asked[-1] < 125_000


def test_a_short_peak_beyond_the_battery_leaves_no_trace():
    """One wrong meter sample must not shift the grid for minutes."""
    plant = Plant(level(30) + [900_000] * 3 + level(20), poll_ms=20).run()
    assert abs(plant.grid[36 * SECOND] - 300_000) < 15_000


def test_it_begins_without_a_bump():
    control = tracking()
    assert step(control, MEASURED, 431_700, 500, -RATED_W, RATED_W, 0) == 0
    control = tracking()
    assert step(control, MEASURED, 431_700, 500, -RATED_W, RATED_W, -60_000) == -60_000


def test_while_nothing_is_available_the_reference_is_the_load():
    """So when power becomes available again nothing jumps (victronenergy/venus 1657: take-over
    swung by 7 kW).
    """

    def available(tick):
        return (0, 0) if tick < 60 * SECOND else (-RATED_W, RATED_W)

    plant = Plant(level(20) + level(40, 420_000) + level(20, 420_000), available=available).run()
    assert max(abs(power) for power in plant.sent[60 * SECOND :]) <= 400


def test_a_lost_load_goes_to_zero_at_its_ramp_and_comes_back_without_a_bump():
    control = tracking(track_fall_ramp_W_per_s=25_000)
    sent = [step(control, MEASURED, 300_000, 500, -RATED_W, RATED_W, 0)]
    for _ in range(2 * SECOND):
        sent.append(step(control, MEASURED, 400_000, 500, -RATED_W, RATED_W, sent[-1]))
    assert sent[-1] > 90_000
    sent.append(step(control, UNKNOWN, 0, 500, -RATED_W, RATED_W, sent[-1]))
    assert sent[-2] - sent[-1] == 500
    sent.append(step(control, UNKNOWN, 0, 500, -RATED_W, RATED_W, sent[-1], 3))
    assert sent[-2] - sent[-1] == 1500  # missed ticks count
    sent.append(step(control, MEASURED, 380_000, 500, -RATED_W, RATED_W, sent[-1]))
    assert sent[-1] == sent[-2]
    for _ in range(10 * SECOND):
        sent.append(step(control, UNKNOWN, 0, 500, -RATED_W, RATED_W, sent[-1]))
    assert sent[-1] == 0
    assert step(control, UNKNOWN, 0, 500, -RATED_W, RATED_W, -300) == 0


# -- state of charge, noise, steadiness


@pytest.mark.parametrize("start", (0.48, 0.52))
def test_the_state_of_charge_comes_back(start):
    plant = Plant(level(1200), soc=start).run()
    # 1200 s is one time constant, after the reference's own 120 s
    assert abs(plant.soc - 0.5) < 0.011
    # soc_recovery_W_max
    assert 20_000 < max(abs(power - 300_000) for power in plant.grid) <= 25_000
    swing = [abs(b - a) for a, b in zip(plant.grid[: -2 * SECOND], plant.grid[2 * SECOND :])]
    assert max(swing) < 1000  # W in 2 s


def test_the_largest_load_step_costs_less_than_two_points():
    plant = Plant(
        level(5, 150_000) + level(300, 150_000 + RATED_W), efficiency=1.0, soc_recovery_W_max=0
    ).run()
    assert 0.010 < 0.5 - plant.soc < 0.02


def test_an_unknown_state_of_charge_is_left_alone():
    control = tracking()
    for _ in range(60 * SECOND):
        sent_W = step(control, MEASURED, 300_000, None, -RATED_W, RATED_W, 0)
    assert sent_W == 0


def test_less_than_half_the_dead_band_is_nothing():
    plant = Plant(level(5) + level(600, 302_000), soc_recovery_W_max=0).run()
    assert plant.sent[-1] == 0


def test_meter_noise_does_not_reach_the_wire():
    plant = Plant(level(120), noise_W=150).run()
    assert sum(a != b for a, b in zip(plant.sent, plant.sent[1:])) <= 12


def test_no_flicker_where_power_changes_its_sign():
    """OpenEMS/openems 2960, 3581: -120 -> +90 kW flicker."""
    load = [300_000 + (tick - 60 * SECOND) * 2 for tick in range(120 * SECOND)]
    plant = Plant(load, noise_W=100).run()
    steps = [b - a for a, b in zip(plant.sent, plant.sent[1:])]
    assert max(map(abs, steps)) <= 400
    assert sum(a < 0 < b or b < 0 < a for a, b in zip(plant.sent, plant.sent[1:])) <= 2


def test_steady_and_full_with_no_charge_allowed_nothing_moves():
    """victronenergy/venus 904: the battery was drained while it was said to be full. Charge limit 0
    means 0.
    """
    plant = Plant(
        level(600), soc=0.9995, soc_target_permille=999, available=lambda tick: (0, RATED_W)
    ).run()
    assert set(plant.sent) == {0}


# -- exactness


POWER_W = st.integers(-(1 << 30) + 1, (1 << 30) - 1)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((UNKNOWN, CALCULATED, MEASURED)),
            POWER_W,
            st.none() | st.integers(0, 1000),
            POWER_W,
            POWER_W,
            POWER_W,
            st.integers(1, 1000),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_no_input_within_its_range_overflows_a_word(steps):
    control = tracking()
    for source, load_W, soc, low_W, high_W, previous_W, elapsed in steps:
        asked_W = step(
            control,
            source,
            load_W,
            soc,
            min(low_W, high_W),
            max(low_W, high_W),
            previous_W,
            elapsed,
        )
        assert isinstance(asked_W, int)
        assert 0 <= control.state[track.S_GAIN_MID] <= track.GAIN_MID_MAX
        assert 0 <= control.state[track.S_GAIN_HIGH] <= track.GAIN_HIGH_MAX


@pytest.mark.parametrize(
    "tick_ms, delay_ms, ticks", ((20, 250, 13), (20, 260, 13), (20, 261, 14), (100, 20, 1))
)
def test_the_delay_is_whole_ticks_rounded_up(tick_ms, delay_ms, ticks):
    assert tracking(tick_ms, track_path_delay_ms=delay_ms).delay_ticks == ticks
