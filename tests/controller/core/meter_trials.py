"""The control function `meter_sign` beside a load, a converter and readings of different age."""

import random
from array import array
from collections.abc import Callable
from typing import NamedTuple

from controller.core import parameters
from controller.core.base import hint_sources
from controller.core.policies import contract, meter_sign
from controller.core.policies.found import Found
from controller.core.policies.known import Known

TICK_MS, RATED_W, PEAK_W = 20, 250_000, 500_000.0
SWING = 0.8  # of PEAK_W
TICKS = 80_000 // TICK_MS  # longer than any test
PERIOD_TICKS = 5  # of the converter: a reading each 0.1 s, at a phase of its own
RAMP_W = 50_000  # of the converter in a tick
WRITE_TICKS = 5  # up to 80 ms until the bus is free for the write
JITTER = 4e-4  # of a meter's reading
# (ticks from value to value of both meters, dead time of the converter in ticks)
USUAL = "usual"
PATHS = {USUAL: (5, 3), "fast meter": (1, 1), "slow converter": (5, 12)}
# Share of the battery's power that the meter shows: wired right; reversed; one of three
# transformers reversed (load and battery); on another feeder (only the battery).
WIRINGS = {"right": (1, 1), "reversed": (-1, -1), "one_of_three": (1 / 3, 1 / 3), "apart": (1, 0)}
WRONG = {
    "right": (meter_sign.REVERSED,),
    "reversed": (meter_sign.PROVEN,),
    "one_of_three": (meter_sign.PROVEN,),
    "apart": (meter_sign.PROVEN, meter_sign.REVERSED),
}

Drawn = Callable[[float, random.Random], float]  # (t_s, draw) -> W


class Trial(NamedTuple):
    """wiring: of WIRINGS; is_beside: a load meter helps; path: of PATHS."""

    load: str
    wiring: str
    is_beside: bool
    seed: str
    path: str = USUAL


class Result(NamedTuple):
    """measured_ms: path delay, 0 unmeasured."""

    code: int
    measured_ms: int
    true_ms: float


def _square(period_s: float) -> Drawn:
    return lambda t_s, draw: PEAK_W * (1 - SWING * (t_s / period_s % 1 < 0.5))


def _random_steps(mean_s: float) -> Drawn:
    """The result is asked with rising t_s."""
    now = [0.0, PEAK_W]

    def power_W(t_s: float, draw: random.Random) -> float:
        while t_s >= now[0]:
            now[0] += draw.expovariate(1 / mean_s)
            now[1] = PEAK_W * (1 - SWING * draw.random())
        return now[1]

    return power_W


LOADS = {
    "square 2 s": lambda: _square(2),
    "square 0.3 s": lambda: _square(0.3),
    "random steps, 0.5 s": lambda: _random_steps(0.5),
}


def _function(is_beside: bool) -> meter_sign.MeterSign:
    settings = {row[0]: row[4] for row in parameters.CONTROL_PARAMETERS}
    settings |= {"meter_code_permille": 20, "load_meter_fitted": int(is_beside)}
    return meter_sign.MeterSign(contract.Setup(settings, TICK_MS, RATED_W, hint_sources.image(())))


class _Meter:
    """Means over its period, read as often at another phase, a tick later."""

    def __init__(self, draw: random.Random, period_ticks: int) -> None:
        self.draw, self.period_ticks = draw, period_ticks
        self.phase, self.read = draw.randrange(period_ticks), draw.randrange(period_ticks)
        self.sum_W = self.shown_W = self.told_W = 0.0
        self.count = 0

    def see(self, tick: int, power_W: float) -> int:
        self.sum_W += power_W
        self.count += 1
        if tick % self.period_ticks == self.read:
            self.told_W = self.shown_W
        if tick % self.period_ticks == self.phase:
            self.shown_W = self.sum_W / self.count * (1 + JITTER * (self.draw.random() - 0.5))
            self.sum_W, self.count = 0.0, 0
        return round(self.told_W)


class _Converter:
    """Follows what was sent, after a dead time and with a ramp."""

    def __init__(self, dead_ticks: int) -> None:
        self.sent_W, self.power_W = array("i", [0] * (dead_ticks + 1)), 0.0

    def step(self, tick: int) -> float:
        wanted_W = self.sent_W[tick % len(self.sent_W)]
        self.power_W += max(-RAMP_W, min(RAMP_W, wanted_W - self.power_W))
        return self.power_W

    def send(self, tick: int, power_W: int) -> None:
        self.sent_W[tick % len(self.sent_W)] = power_W


def _true_delay_ms(meter: _Meter, dead_ticks: int) -> float:
    """The area above the step response, as the mean over all phases of the meter."""
    ticks, period, step_W, area = 40 * PERIOD_TICKS, meter.period_ticks, 10_000, 0
    for phase in range(period):
        quiet, converter = _Meter(random.Random(0), period), _Converter(dead_ticks)
        quiet.phase, quiet.read = (meter.phase + phase) % period, (meter.read + phase) % period
        for tick in range(ticks):
            area += step_W - quiet.see(tick, converter.step(tick))
            converter.send(tick, step_W)
    return area * TICK_MS / (step_W * period)


def result_of(trial: Trial) -> Result:
    draw = random.Random(trial.seed)
    power_W, from_s = LOADS[trial.load](), draw.uniform(0, 10)
    proof, found = _function(trial.is_beside), Found()
    proof.state.code = draw.randrange(1, 1 << 16)
    period_ticks, dead_ticks = PATHS[trial.path]
    grid, beside = _Meter(draw, period_ticks), _Meter(draw, period_ticks)
    dead_ticks += draw.randrange(WRITE_TICKS)
    converter, read = _Converter(dead_ticks), draw.randrange(PERIOD_TICKS)
    of_load, of_battery = WIRINGS[trial.wiring]
    seen_W = 0
    for tick in range(TICKS):
        battery_W, load_W = converter.step(tick), power_W(from_s + tick * TICK_MS / 1000, draw)
        grid_W = grid.see(tick, of_load * load_W - of_battery * battery_W)
        if tick % PERIOD_TICKS == read:
            seen_W = round(battery_W)
        known = Known(
            is_running=True,
            grid_meter_W=grid_W,
            load_meter_W=beside.see(tick, load_W),
            battery_W=seen_W,
        )
        answers = proof.step(known, found, 1)
        if not answers:
            break
        found.setpoint_W = answers[0].low_W
        converter.send(tick, found.setpoint_W)
    result = proof.out[meter_sign.O_RESULT]
    return Result(result, proof.state.delay_ms, _true_delay_ms(grid, dead_ticks))
