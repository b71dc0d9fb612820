"""One trial: the control function `meter_sign` alone, beside a load, a converter and three
readings of different age. No wires, for thousands of trials; the sampling is that of the rig.
"""

import math
import os
import random
from array import array
from typing import NamedTuple

from controller.core import contract, hint_sources, parameters
from controller.core.policies import meter_sign
from hil.loads import reader

TICK_MS, RATED_W, PEAK_W = 20, 250_000, 500_000.0
SWING = 0.8  # of the peak
TICKS = (meter_sign.TEST_S + 1) * 1000 // TICK_MS
PERIOD_TICKS = 5  # of meters and converter: a reading each 0.1 s, at phases of their own
# of the converter: 60 ms, and up to 80 ms until the bus is free for the write; its rating in 0.1 s
DEAD_TICKS, WRITE_TICKS, RAMP_W = 3, 5, 50_000
JITTER = 4e-4  # of a meter's reading
FILES = {
    "LORA": ("lora_512xh100_2s.csv.gz", "run01_kW"),
    "GPT3": ("gpt3_512xh100_2s.csv.gz", "ac_total_kW"),
    "POD11": ("pod11_composite_2s.csv.gz", "pod_kW"),
    "B200": ("b200x8_llama_lora_1s.csv.gz", "run_0_W"),
    "H200": ("h200x8_inference_1s.csv.gz", "total_W"),
    "A100": ("a100_5050_1ms.csv.gz", "meter_W"),
}
# what the meter shows of the battery: wired right, the wrong way round, one of three transformers
# the wrong way round (of load and battery), on another feeder (of the battery alone)
WIRINGS = {"right": (1, 1), "reversed": (-1, -1), "one_of_three": (1 / 3, 1 / 3), "apart": (1, 0)}
WRONG = {
    "right": (meter_sign.REVERSED,),
    "reversed": (meter_sign.PROVEN,),
    "one_of_three": (meter_sign.PROVEN,),
    "apart": (meter_sign.PROVEN, meter_sign.REVERSED),
}
RESULTS = ("proven", "testing", "undecided", "reversed")


class Trial(NamedTuple):
    """load: name; wiring: of WIRINGS; is_beside: a load meter helps; seed: of everything drawn."""

    load: str
    wiring: str
    is_beside: bool
    seed: str


def _square(period_s):
    return lambda t_s, draw: PEAK_W * (1 - SWING * (t_s / period_s % 1 < 0.5))


def _random_steps(mean_s):
    """Levels from 20 to 100 % at random times: (t_s, draw) is asked with rising t_s."""
    now = [0.0, PEAK_W]

    def power_W(t_s, draw):
        while t_s >= now[0]:
            now[0] += draw.expovariate(1 / mean_s)
            now[1] = PEAK_W * (1 - SWING * draw.random())
        return now[1]

    return power_W


def _sine(period_s):
    half = SWING / 2
    return lambda t_s, draw: PEAK_W * (1 - half + half * math.sin(math.tau * t_s / period_s))


SYNTHETIC = {
    "square 10 s": lambda: _square(10),
    "square 2 s": lambda: _square(2),
    "square 0.9 s": lambda: _square(0.9),
    "square 0.3 s": lambda: _square(0.3),
    "sine 5 s": lambda: _sine(5),
    "random steps, 3 s": lambda: _random_steps(3),
    "random steps, 0.5 s": lambda: _random_steps(0.5),
}


def measured(folder):
    """{name: Trace scaled to PEAK_W} of the files that the folder has."""
    found = {}
    for name, (file, column) in FILES.items():
        path = os.path.join(folder, file)
        if os.path.exists(path):
            trace = reader.read_trace(path, column)
            found[name] = reader.read_trace(path, column, scale=PEAK_W / max(trace.powers_W))
    return found


def load_of(trial, traces, draw):
    """t_s -> W, beginning anywhere."""
    if trial.load in traces:
        trace = traces[trial.load]
        from_s = draw.uniform(0.0, max(0.0, trace.duration_s - meter_sign.TEST_S))
        return lambda t_s: trace(from_s + t_s)
    power_W, from_s = SYNTHETIC[trial.load](), draw.uniform(0, 10)
    return lambda t_s: power_W(from_s + t_s, draw)


def function(is_beside):
    """The control function as the example site has it."""
    settings = {row[0]: row[4] for row in parameters.CONTROL_PARAMETERS}
    settings |= {"meter_code_permille": 20, "load_meter_fitted": int(is_beside)}
    return meter_sign.MeterSign(contract.Setup(settings, TICK_MS, RATED_W, hint_sources.image(())))


class _Meter:
    """Means over 0.1 s, read each 0.1 s at another phase, a tick later."""

    def __init__(self, draw):
        self.draw, self.phase, self.read = draw, draw.randrange(5), draw.randrange(5)
        self.sum_W = self.shown_W = self.told_W = 0.0
        self.count = 0

    def see(self, tick, power_W):
        """W, as the controller has it in this tick."""
        self.sum_W += power_W
        self.count += 1
        if tick % PERIOD_TICKS == self.read:
            self.told_W = self.shown_W
        if tick % PERIOD_TICKS == self.phase:
            self.shown_W = self.sum_W / self.count * (1 + JITTER * (self.draw.random() - 0.5))
            self.sum_W, self.count = 0.0, 0
        return round(self.told_W)


def result_of(trial, traces):
    """(code of the result, ticks it took)."""
    draw = random.Random(trial.seed)
    load = load_of(trial, traces, draw)
    proof, view = function(trial.is_beside), contract.View(is_running=True)
    # the register goes on from test to test
    proof.state[meter_sign.S_CODE] = draw.randrange(1, 1 << 16)
    grid, beside, of_load, of_battery = _Meter(draw), _Meter(draw), *WIRINGS[trial.wiring]
    dead_ticks = DEAD_TICKS + draw.randrange(WRITE_TICKS)
    sent, battery_W, read = array("i", [0] * (dead_ticks + 1)), 0.0, draw.randrange(5)
    view.battery_W = 0
    for tick in range(TICKS):
        wanted_W = sent[tick % len(sent)]
        battery_W += max(-RAMP_W, min(RAMP_W, wanted_W - battery_W))
        load_W = load(tick * TICK_MS / 1000)
        view.grid_meter_W = grid.see(tick, of_load * load_W - of_battery * battery_W)
        view.load_meter_W = beside.see(tick, load_W)
        if tick % PERIOD_TICKS == read:
            view.battery_W = round(battery_W)
        answers = proof.step(view, 1)
        if not answers:
            break
        view.setpoint_W = sent[tick % len(sent)] = answers[0].low_W
    return proof.out[0], tick
