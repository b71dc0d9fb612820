"""A load, its meter, load tracking and a converter in closed loop, in W at each tick of 20 ms."""

import csv
import gzip
import math

import numpy as np
from views import Tick, setup

from controller.core.base import reasons
from controller.core.policies.site_load import MEASURED
from controller.core.policies.track import Track

TICK_MS = 20
SECOND = 1000 // TICK_MS  # ticks
RATED_W = 250_000
RATING = -RATED_W, RATED_W
ENERGY_J = 645_000 * 3600
PARTS = 4  # of a tick, in which the converter moves
# path delay: (period of the meter, dead time, time constant of the converter), ms
PATHS = {50: (20, 20, 10), 100: (20, 60, 20), 170: (100, 40, 30), 250: (100, 100, 50)}


def tracking(tick_ms=TICK_MS, **settings) -> Track:
    """Load tracking with a target of 50 % and the default parameters but for `settings`."""
    return Track(setup(tick_ms, **{"soc_target_permille": 500} | settings))


def step(
    control,
    load_W,
    previous_W=0,
    elapsed=1,
    source=MEASURED,
    soc_permille=500,
    available_W=RATING,
    is_new=True,
    **known,
):
    """The power asked for, W; soc_permille: None while it is unknown."""
    soc = None if soc_permille is None else (0, soc_permille)
    seen = Tick(load_source=source, load_W=load_W if source else None, soc_permille=soc, **known)
    seen.left_setpoint_W, seen.is_load_new = previous_W, is_new
    seen.left_low_W, seen.left_high_W = available_W
    ((asked_W, reason),) = control.step(seen, seen, elapsed)
    assert reason == (reasons.LOAD_TRACKING if source else reasons.LOAD_UNKNOWN)
    return asked_W


class Plant:
    """The plant; after `run`: grid, battery (means over each tick), sent and asked, W."""

    def __init__(self, load, delay_ms=170, available=lambda tick: RATING, **changes):
        """changes: import_W_max of the connection; phase (ticks) and noise_W of the meter; lost
        (sample number -> whether it is lost). Also soc, gain of the converter, source of the load,
        and known_ms (the delay that tracking believes). Other names are parameters.
        """
        self.load, self.available = np.asarray(load, float), available
        self.phase, self.soc = changes.pop("phase", 0), changes.pop("soc", 0.5)
        self.gain, self.source = changes.pop("gain", 1.0), changes.pop("source", MEASURED)
        self.noise_W = changes.pop("noise_W", 0)
        self.lost = changes.pop("lost", lambda number: False)
        self.import_W_max = changes.pop("import_W_max", None)
        meter_ms, dead_ms, lag_ms = PATHS[delay_ms]
        self.share = 1 - math.exp(-TICK_MS / PARTS / lag_ms)  # of the way, in a part of a tick
        self.meter_ticks = meter_ms // TICK_MS
        told = {"track_path_delay_ms": changes.pop("known_ms", delay_ms)}
        self.track = tracking(**told | {"track_sample_ms": meter_ms} | changes)
        self.pipe = [0] * (dead_ms * PARTS // TICK_MS)
        self.noise = np.random.default_rng(7)
        self.grid, self.battery, self.sent, self.asked = [], [], [], []

    def run(self):
        """Play the whole load."""
        loads_W = self.load.tolist()  # numbers of numpy are slow one by one
        work_J, seen_W, power_W = [0.0, *np.cumsum(self.load).tolist()], loads_W[0], 0.0
        for tick, load_W in enumerate(loads_W):
            is_new = (tick - self.phase) % self.meter_ticks == 0
            is_new &= not self.lost(tick // self.meter_ticks)
            if is_new and tick >= self.meter_ticks:
                seen_W = (work_J[tick] - work_J[tick - self.meter_ticks]) / self.meter_ticks
                seen_W += self.noise_W * self.noise.standard_normal() if self.noise_W else 0
            power_W = self._tick(tick, seen_W, is_new, power_W)
            self.grid.append(load_W - self.battery[-1])
        self.grid, self.battery = np.array(self.grid), np.array(self.battery)
        return self

    def _tick(self, tick, seen_W, is_new, power_W):
        low_W, high_W = available_W = tuple(map(int, self.available(tick)))
        before_W, known = self.sent[-1] if self.sent else 0, {}
        if self.import_W_max is not None:
            obliged_W = max(low_W, round(seen_W) - self.import_W_max)
            known["is_low_obliged"] = obliged_W > low_W
            low_W, high_W = available_W = obliged_W, max(obliged_W, high_W)
        told = (round(seen_W), before_W, 1, self.source, int(self.soc * 1000), available_W, is_new)
        self.asked.append(step(self.track, *told, **known))
        self.sent.append(min(max(self.asked[-1], low_W), high_W))
        moved_W = 0.0
        for _ in range(PARTS):
            self.pipe.append(self.sent[-1] * self.gain)
            power_W += (self.pipe.pop(0) - power_W) * self.share
            moved_W += power_W / PARTS
        self.battery.append(moved_W)
        self.soc -= moved_W * TICK_MS / 1000 / ENERGY_J
        return power_W


def measured(shared, name, column, scale):
    """Load of a trace, W, interpolated at every tick."""
    with gzip.open(shared / "data" / "load" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        rows = [(float(row["t_s"]), row[column]) for row in csv.DictReader(file) if row[column]]
    times_s, powers = np.array(rows, float).T
    ticks = int((times_s[-1] - times_s[0]) * SECOND)
    return np.interp(times_s[0] + np.arange(ticks) / SECOND, times_s, powers * scale)


def means_W(powers_W, seconds=1):
    """Consecutive means."""
    size = round(seconds * SECOND)
    return np.mean(np.reshape(powers_W[: len(powers_W) // size * size], (-1, size)), axis=1)


def change_W(powers_W, seconds=2):
    """Rms of the changes of consecutive means."""
    return np.sqrt(np.mean(np.diff(means_W(powers_W, seconds)) ** 2))


def amplified(plant, start, stop=None):
    """Rms of the movement of the grid, in terms of that of the load; start, stop: s."""
    part = slice(start * SECOND, stop and stop * SECOND)
    return np.std(plant.grid[part]) / np.std(plant.load[part])


def sine(frequency_Hz, seconds, amplitude_W=60_000):
    """Load about 300 kW."""
    turns = frequency_Hz * np.arange(seconds * SECOND) / SECOND
    return 300_000 + amplitude_W * np.sin(2 * np.pi * turns)


def square(frequency_Hz, seconds, amplitude_W=60_000):
    """Load about 300 kW."""
    turns = np.arange(seconds * SECOND) * frequency_Hz / SECOND
    return np.where(turns % 1 < 0.5, 300_000 + amplitude_W, 300_000.0 - amplitude_W)


def level(seconds, power_W=300_000):
    """A constant load."""
    return np.full(round(seconds * SECOND), float(power_W))


def ramp(seconds, first_W, last_W):
    """Load from first_W to last_W."""
    return np.linspace(first_W, last_W, max(1, round(seconds * SECOND)))
