"""A converter by registers behind its channel: gate, lost frames, silence, a start and a stop."""

import tomllib
from random import Random
from types import SimpleNamespace

import pytest
from converter_forms import FRAMES, reach_W, toml, values_of
from device_suite import Bus, Sink
from register_converter import RATED_W, Converter

from controller.config import converters, profiles
from controller.core.base import reasons
from controller.core.base.sent import Sent
from controller.run.pcs_channel import PcsChannel
from drivers.register_pcs import RegisterPcs
from safety import signals as s
from tests.slow import slow

TICK_MS = 20
STOPS = """
[[start]]
address = 211
function = 6
value = 1
[[stop]]
address = 211
function = 6
value = 0
"""


class Bench:
    """One converter in virtual time, a tick after the other."""

    def __init__(self, tmp_path, form, setpoint_ms=TICK_MS, tick_ms=TICK_MS, **own):
        self.tick_ms = tick_ms
        path = tmp_path / "own.toml"
        path.write_text(toml(form, **own))
        self.data = tomllib.loads(path.read_text())
        profile, self.sink = profiles.load(str(path)), Sink()
        layout = self.sink.layout
        base = layout.unit_input(0, 0)
        groups = [layout.unit_group(0, each) for each in (s.G_PCS_MEASURE, s.G_PCS_CONTROL)]
        settings = {"rated_W": RATED_W, "setpoint_ms": setpoint_ms, "tick_ms": tick_ms}
        self.pcs = RegisterPcs(profile, 1, self.sink, (base, *groups), settings)
        self.slave = Converter(self.data)
        self.bus = Bus(self.pcs, self.slave, baud_Bd=460_800)
        gate = converters.gate(SimpleNamespace(address=1, profile=profile), RATED_W)
        self.code = [0]
        inp = _Words(self.sink.inp, self.code)
        sent = Sent(gate.sent, inp, base + s.PCS_SENT_W, len(self.sink.inp))
        self.bus.port.watch[1] = [sent.see]
        periods_ms = setpoint_ms, tick_ms
        self.channel = PcsChannel(self.pcs, self.bus.port, layout, 0, *periods_ms, sent, gate)
        self.bus.device = SimpleNamespace()  # the channel serves the driver
        self.out = [0] * layout.outputs
        self.limit(10_000, 10_000)
        self.run_at = layout.unit_output(0, s.PCS_RUN_OK)
        self.out[self.run_at] = 1

    def limit(self, charge_W, discharge_W):
        layout = self.sink.layout
        self.out[layout.unit_output(0, s.CHARGE_W_MAX)] = charge_W
        self.out[layout.unit_output(0, s.DISCHARGE_W_MAX)] = discharge_W

    def run(self, setpoint_W, ms):
        for _ in range(ms // self.tick_ms):
            self.channel.write(self.sink.inp, self.out, setpoint_W, self.bus.now_us)
            self.bus.run(self.tick_ms)
        return self

    @property
    def reach_W(self):
        return reach_W(self.data, self.slave.holding, RATED_W)

    @property
    def sent_W(self):
        return self.sink.inp[self.sink.layout.unit_input(0, s.PCS_SENT_W)]


class _Words:
    """The process image, with the word of the code behind it."""

    def __init__(self, inp, code):
        self.inp, self.code = inp, code

    def __setitem__(self, at, value):
        (self.inp if at < len(self.inp) else self.code)[at if at < len(self.inp) else 0] = value


@pytest.mark.parametrize("seed", [1, *slow(*range(2, 30))])
@pytest.mark.parametrize("form", FRAMES)
def test_no_converter_gets_more_than_the_limits_whatever_is_lost(tmp_path, form, seed):
    """Limits fall and rise, frames and answers are lost: each frame that arrives keeps the limits
    of its tick, or takes less than the one before.
    """
    bench, random = Bench(tmp_path, form).run(0, 3000), Random(f"{form} {seed}")
    take = bench.slave._write

    def judged(*details):
        before, most = bench.reach_W, limits
        take(*details)
        for limit_W, had, has in zip(most, before, bench.reach_W):
            assert has <= max(limit_W, had), (form, most, before, bench.reach_W)

    bench.slave._write = judged
    limits = 10_000, 10_000
    for _ in range(60):
        bench.slave.silent = random.random() < 0.2
        limits = random.choice((0, 900, 10_000)), random.choice((0, 900, 10_000))
        bench.limit(*limits)
        asked_W = random.choice((-9000, -100, 0, 100, 9000))
        bench.run(max(-limits[0], min(limits[1], asked_W)), random.choice((20, 60, 300)))
    bench.slave.silent = False
    limits = 10_000, 10_000
    bench.limit(*limits)
    bench.run(-3000, 5000)
    charge, discharge = bench.reach_W
    assert 2900 <= charge <= 3000 and discharge == 0 and bench.channel.gate_refusals == 0
    assert -3000 <= bench.sent_W <= -2900 and bench.code == [1]


@pytest.mark.parametrize("form", ["two_and_mode", "idle_is_charge", "crossed_apart"])
def test_a_set_point_that_changes_in_each_tick_reaches_every_frame(tmp_path, form):
    """The frames take turns: else the first one changes before the last is written."""
    bench = Bench(tmp_path, form).run(0, 3000)
    bench.limit(10_000, 10_000)
    for asked_W in range(1000, 2000, 20):
        bench.run(asked_W, TICK_MS)
    numbers = values_of(bench.data, bench.slave.holding, RATED_W)
    held = [number for value, number in numbers if value["role"] in ("power", "discharge")]
    assert bench.reach_W[1] >= 1800 and min(held) >= 1800


@pytest.mark.parametrize("tick_ms, setpoint_ms", [(10, 20), (20, 20), (10, 40), (20, 40)])
@pytest.mark.parametrize("form", ["signed", "crossed_apart"])
def test_no_more_frames_than_the_bus_plan_counts(tmp_path, form, tick_ms, setpoint_ms):
    """One frame in each setpoint_ms, at a tick of 10 ms too."""
    bench = Bench(tmp_path, form, setpoint_ms, tick_ms).run(0, 3000)
    bench.slave.writes.clear()
    for number in range(2000 // tick_ms):
        bench.run(1000 + 20 * number, tick_ms)
    assert len(bench.slave.writes) == pytest.approx(2000 / setpoint_ms, rel=0.1)


@pytest.mark.parametrize("form", ["signed", "two_registers"])
def test_a_frame_beyond_a_limit_is_replaced_by_a_zero_in_each_frame(tmp_path, form):
    bench = Bench(tmp_path, form).run(4000, 4000)
    assert bench.reach_W == (0, 4000)
    bench.limit(10_000, 3999)
    for frame in bench.pcs.writer.frames:  # an encoder that is wrong
        frame.words = lambda power_W, right=frame.words: right(4100 if power_W else 0)
    bench.run(3000, 400)
    assert bench.channel.gate_refusals and bench.code[0] in (reasons.GATE_DISCHARGE, 1)
    assert bench.reach_W == (0, 0)
    bench.limit(10_000, 10_000)
    bench.run(3000, 2000)
    assert bench.reach_W == (0, 4100), "it starts again after a refusal"


def test_a_stop_that_asks_for_power_is_not_sent(tmp_path):
    bench = Bench(tmp_path, "signed").run(4000, 4000)
    for frame in bench.pcs.writer.frames:  # an encoder that is wrong
        frame.words = lambda power_W, right=frame.words: right(power_W or 100)
    bench.out[bench.run_at] = 0
    bench.slave.writes.clear()
    bench.run(4000, 500)
    assert bench.channel.gate_refusals and not bench.slave.writes


@pytest.mark.parametrize("form", ["signed", "mode_first"])
def test_a_converter_that_was_silent_starts_again_by_itself(tmp_path, form):
    bench = Bench(tmp_path, form, tail=STOPS).run(4000, 4000)
    assert bench.reach_W == (0, 4000) and bench.slave.holding[211] == 1
    bench.slave.silent = True
    bench.run(4000, 3000)
    assert None in bench.channel._gate._setpoint._possible, "the gate knows nothing of it any more"
    bench.slave.holding.update({100: 0, 101: 0, 211: 0})  # another one, or one that has lost all
    bench.slave.silent = False
    bench.run(4000, 4000)
    assert bench.pcs.restarts and bench.reach_W == (0, 4000) and bench.slave.holding[211] == 1


@pytest.mark.parametrize("lost_ms, state", [(0, 2), (1500, 2), (0, 1), (1500, 1)])
def test_a_stop_goes_on_until_it_is_acknowledged(tmp_path, lost_ms, state):
    """state: 2 runs, 1 has gone to standby before the stop."""
    bench = Bench(tmp_path, "mode_first", tail=STOPS)
    bench.run(4000, 4000)
    bench.slave.reading("state", state)
    bench.run(4000, 300)
    bench.out[bench.run_at] = 0
    bench.slave.silent = bool(lost_ms)
    bench.run(4000, max(lost_ms, 300))
    bench.slave.silent = False
    bench.run(4000, 700)
    assert bench.slave.holding[211] == 0 and bench.reach_W == (0, 0) and not bench.pcs.is_started
    bench.slave.writes.clear()
    bench.slave.reading("state", 1)  # it stands by now
    bench.run(4000, 300)
    bench.slave.writes.clear()
    bench.run(4000, 1000)
    assert not bench.slave.writes
    bench.slave.reading("state", 2)
    bench.out[bench.run_at] = 1
    bench.run(4000, 2000)
    assert bench.slave.holding[211] == 1 and bench.reach_W == (0, 4000)
