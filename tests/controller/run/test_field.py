"""The field: when each frame goes out, and the gate before every set-point."""

from types import SimpleNamespace

import pytest

from controller.config import configuration, converters
from controller.core.base import reasons
from controller.core.image import ProcessImage
from controller.run.can_bus import CanBus
from controller.run.field import Field, IoChannel
from controller.run.pcs_channel import PcsChannel
from controller.sites import EXAMPLE
from drivers.buses import rtu
from safety import latches, signals as s
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE)
LAYOUT = CONFIG.layout()
TICK_US = 20_000
WSET = 40_024
RUN_AT, CHARGE_AT, DISCHARGE_AT = (
    LAYOUT.unit_output(0, at) for at in (s.PCS_RUN_OK, s.CHARGE_W_MAX, s.DISCHARGE_W_MAX)
)
STATE_AT, POWER_AT = (LAYOUT.unit_input(0, at) for at in (s.PCS_STATE, s.PCS_POWER_W))


class Port:
    sent = ()

    def submit(self, request):
        self.sent = [*self.sent, (request.key, request.priority)]

    def withdraw(self, request):
        """The bus is always free: nothing waits."""

    def take(self):
        taken, self.sent = self.sent, ()
        return [*taken]


class Module:
    """Its request is the same object as long as the coils are the same."""

    def __init__(self):
        self.writes, self.steps, self.requests = 0, [], {}

    def service(self, now_us):
        steps, self.steps = self.steps, []
        return steps

    def write(self, out):
        coils = tuple(out)
        if coils not in self.requests:
            self.requests[coils] = rtu.write_request(15, ("coils", coils), 1, 0, coils)
        return self.requests[coils]


class IoBench:
    def __init__(self, supply=None):
        self.module, self.port, self.supply = Module(), Port(), supply
        self.channel = IoChannel(self.module, self.port, 100)
        self.module.expiry_ok, self.channel.supply = True, supply
        self.now_us = 0

    def write(self, *coils):
        self.channel.write(coils, self.now_us)
        self.now_us += TICK_US
        return self.port.take()


def test_coils_are_written_on_change_at_once_and_refreshed():
    bench, said = IoBench(), {}
    for tick in range(20):
        said[tick] = bench.write(int(tick < 12), 0)
        bench.module.writes += 1  # everything is acknowledged within the tick
    first, second = ("coils", (1, 0)), ("coils", (0, 0))
    at_once = {0: [(first, rtu.STOP)], 12: [(second, rtu.STOP)]}
    again = {5: [(first, rtu.WRITE)], 10: [(first, rtu.WRITE)], 17: [(second, rtu.WRITE)]}
    assert {tick: each for tick, each in said.items() if each} == at_once | again


@pytest.mark.parametrize(
    "acknowledged_at, urgent, calm", [(1, 1, 9), (4, 4, 9), (25, 25, 5), (99, 30, 0)]
)
def test_a_change_is_repeated_each_tick_until_it_is_acknowledged(acknowledged_at, urgent, calm):
    """Each tick for 0.5 s, when its coils have expired; then at the rate of a refresh."""
    bench, said = IoBench(), []
    for tick in range(50):
        bench.module.writes += tick == acknowledged_at
        said += [priority for _, priority in bench.write(0, 0)]
    assert said == [rtu.STOP] * urgent + [rtu.WRITE] * calm


# PCS enable and contactor supply on two modules: if frames get lost, the enable expires first
@pytest.mark.parametrize("every", [1, 5, 7, 99])
def test_an_enable_is_written_in_the_tick_after_the_supply_was(every):
    bench = IoBench(supply=Module())
    for tick in range(1, 50):
        bench.supply.writes += tick % every == 0
        bench.module.writes += 1
        # whatever else changes beside it
        assert len(bench.write(1, tick % 3 if every == 99 else 1)) == (tick % every == 0)


@pytest.mark.parametrize("enable, expiry_ok", [(0, True), (0, False), (1, False)])
@pytest.mark.parametrize("was_enabled", [False, True])
def test_coils_without_an_enable_do_not_wait_for_the_supply(enable, expiry_ok, was_enabled):
    bench = IoBench(supply=Module())
    if was_enabled:
        bench.supply.writes += 1
        assert len(bench.write(1, 1)) == 1
    bench.module.expiry_ok = expiry_ok
    assert bench.write(enable, was_enabled) == [(("coils", (enable, was_enabled)), rtu.STOP)]


@pytest.mark.parametrize("is_permit", [True, False])
def test_while_the_expiry_is_tested_the_coils_of_a_permit_are_not_written(is_permit):
    bench, out = IoBench(), [0] * LAYOUT.outputs
    bench.channel.is_permit, out[s.WITHHOLD_ON] = is_permit, 1
    assert bool(bench.write(*out)) != is_permit
    out[s.WITHHOLD_ON] = 0
    assert bench.write(*out)


def test_steps_of_the_module_go_out_before_its_coils():
    bench = IoBench()
    bench.module.steps = [rtu.read_request("expiry", 1, 3, 64, 1)]
    assert [key for key, _ in bench.write(1, 0)] == ["expiry", ("coils", (1, 0))]


class Pcs:
    """A converter that is ready; `frame_W` overrides what its set-point frames carry."""

    unit_id, setpoint_address, setpoint_exponent, restarts = 1, WSET, 0, 0
    ready, due, frame_W = True, False, None
    written_at, stop_repeat_us = {"715.OpCtl": 40_100}, 0
    profile = SimpleNamespace(settings={"reversion_s": 4}, shows_stop=True, period_ms=100)

    def __init__(self):
        self.requests, self.failures = [], []
        self.readings = SimpleNamespace(measured_us=0, is_running=False)
        self.stop_taken_us = None

    def withdraw(self):
        self.stop_taken_us = None

    def service(self, now_us):
        return ()

    def setpoint(self, setpoint_W, priority=rtu.WRITE):
        if not self.ready:
            return None
        raw = setpoint_W if self.frame_W is None else self.frame_W
        key, values = ("setpoint", setpoint_W), (raw >> 16 & 0xFFFF, raw & 0xFFFF)
        request = rtu.write_request(
            16, key, 1, WSET, values, on_failure=self._failed, priority=priority
        )
        self.requests.append(request)
        return request

    def _failed(self, *details):
        self.failures.append(details)

    def write_due(self, now_us):
        return self.due

    def stop(self):
        return self._operation("stop", 0, rtu.STOP)

    def start(self):
        return self._operation("start", 1)

    def _operation(self, key, value, priority=rtu.WRITE):
        request = rtu.write_request(16, key, 1, 40_100, (value,), priority=priority)
        return request if self.ready else None


class Bench:
    def __init__(self, running=1, setpoint_ms=100):
        self.pcs, self.port, self.refused = Pcs(), Port(), []
        sent = SimpleNamespace(refuse=self.refused.append)
        device = SimpleNamespace(address=1, profile=self.pcs.profile)
        gate = converters.sunspec_gate(device, 250_000, self.pcs)
        periods_ms = setpoint_ms, TICK_US // 1000
        self.channel = PcsChannel(self.pcs, self.port, LAYOUT, 0, *periods_ms, sent, gate)
        self.inp, self.out = [0] * LAYOUT.inputs, [0] * LAYOUT.outputs
        self.out[RUN_AT], self.out[CHARGE_AT], self.out[DISCHARGE_AT] = running, 100_000, 200_000
        self.inp[STATE_AT] = s.PCS_RUNNING if running else s.PCS_OFF
        self.now_us = 0

    def write(self, setpoint_W):
        self.channel.write(self.inp, self.out, setpoint_W, self.now_us)
        self.now_us += TICK_US
        return self.port.take()

    def write_all(self, setpoints_W):
        return [self.write(setpoint_W) for setpoint_W in setpoints_W]

    def lose(self):
        self.pcs.requests[-1].on_failure(rtu.TIMEOUT, 0, self.now_us)
        return self


def setpoint(power_W, priority=rtu.WRITE):
    return ("setpoint", power_W), priority


def test_a_set_point_goes_out_on_change_but_no_more_often_than_its_period():
    bench = Bench()
    assert bench.write(1000) == [("start", rtu.WRITE), setpoint(1000)]
    expected = [[] for _ in range(11)]
    expected[4], expected[9] = [setpoint(1005)], [setpoint(1010)]
    assert bench.write_all(range(1001, 1012)) == expected
    assert bench.write_all([1010] * 10) == [[]] * 10


@cases("""setpoint_ms  now_us  goes
    20  9_999  0 | 20  10_000  1 | 20  10_001  1 | 100  89_999  0 | 100  90_000  1""")
def test_a_period_of_set_points_may_end_half_a_tick_early(setpoint_ms, now_us, goes):
    bench = Bench(setpoint_ms=setpoint_ms)
    bench.write(1000)
    bench.now_us = now_us
    assert bench.write(2000) == [setpoint(2000)] * goes


def test_the_set_point_goes_before_what_the_converter_asks_for():
    bench = Bench(setpoint_ms=20)
    bench.write(1000)
    read = rtu.read_request("ac", 1, 3, 40_000, 2)
    bench.pcs.service = lambda now_us: [read]
    assert [key for key, _ in bench.write(2000)] == [("setpoint", 2000), "ac"]


def test_a_converter_that_its_service_finds_lost_gets_no_set_point_in_that_tick():
    """The converter's address is forgotten, so the content of a frame cannot be checked."""
    bench = Bench(setpoint_ms=20)
    bench.write(1000)

    def lost(now_us):
        bench.pcs.ready = False
        return []

    bench.pcs.service = lost
    assert bench.write(2000) == []


@pytest.mark.parametrize("way, limit", [(1, DISCHARGE_AT), (-1, CHARGE_AT)])
def test_a_set_point_beyond_a_limit_that_fell_is_replaced_at_once(way, limit):
    bench = Bench(setpoint_ms=2000)
    bench.write(90_000 * way)
    assert bench.write_all(90_000 * way + tick for tick in range(1, 9)) == [[]] * 8
    bench.out[limit] = 90_000
    assert bench.write(80_000 * way) == [], "what stands is within the limit, to the watt"
    bench.out[limit] = 89_999
    assert bench.write(70_000 * way) == [setpoint(70_000 * way)]
    assert bench.write(69_000 * way) == []


def test_what_falls_in_every_tick_goes_out_once_a_period_and_no_more():
    bench, said = Bench(setpoint_ms=100), []
    bench.write(100_000)
    for tick in range(1, 51):
        bench.out[DISCHARGE_AT] = 100_000 - 2000 * tick
        said += [(tick, *each) for each in bench.write(bench.out[DISCHARGE_AT])]
    assert [tick for tick, *_ in said] == [1, *range(5, 51, 5)]
    assert said[-1][1:] == setpoint(0, rtu.STOP)


@pytest.mark.parametrize("early_W, limit_W, waits", [(0, 200_000, 4), (80_000, 80_000, 8)])
def test_after_an_early_one_the_next_waits_for_its_own_turn(early_W, limit_W, waits):
    """It waits after a zero for one period alone: a lost zero has to be repeated soon."""
    bench = Bench()
    bench.write(90_000)
    bench.out[DISCHARGE_AT] = limit_W
    assert bench.write(early_W)[0][0] == ("setpoint", early_W)
    bench.out[DISCHARGE_AT] = 200_000
    said = bench.write_all(range(90_001, 90_010))
    assert said[: waits + 1] == [[]] * waits + [[setpoint(90_001 + waits)]]


def test_repetitions_of_an_unacknowledged_set_point_do_not_put_off_the_next():
    """Its reversion is due in every tick while the converter does not answer."""
    bench = Bench()
    bench.pcs.due = True
    assert bench.write_all([1000] * 50)[1:] == [[setpoint(1000)]] * 49
    bench.pcs.due = False
    assert bench.write_all([2000] * 10).count([setpoint(2000)]) == 1


def test_a_set_point_that_was_lost_waits_its_turn_though_a_limit_falls():
    """It may be in force already, and the bus has to hold the repetitions."""
    bench = Bench()
    bench.write(90_000)
    bench.lose().out[DISCHARGE_AT] = 10_000
    assert bench.write_all([10_000] * 5) == [[], [], [], [], [setpoint(10_000)]]


@pytest.mark.parametrize("running", [1, 0])
def test_zero_goes_out_at_once_and_of_a_converter_that_may_not_run_after_the_stop(running):
    bench = Bench()
    bench.write(1000)
    bench.out[RUN_AT] = running
    stopped = [] if running else [("stop", rtu.STOP)]
    assert bench.write(0 if running else 1000) == [*stopped, setpoint(0, rtu.STOP)]
    assert bench.write(0) == []


@cases("""
    running  states                                                                   word
    1        (s.PCS_OFF, s.PCS_SLEEPING, s.PCS_STOPPING, s.PCS_FAULT, s.PCS_STANDBY)  "start"
    0        (s.PCS_RUNNING, s.PCS_THROTTLED, s.PCS_STARTING, s.PCS_STOPPING)         "stop"
""")
def test_start_and_stop_are_said_again_every_half_second_until_followed(running, states, word):
    for state in range(8):
        bench = Bench(running)
        bench.inp[STATE_AT] = state
        said = []
        for tick in range(60):
            said += [tick] * (word in [key for key, _ in bench.write(0)])
            bench.pcs.stop_taken_us, bench.pcs.readings.measured_us = 0, 200_001
        assert said == ([0, 25, 50] if state in states else [0])


@cases("""taken_us  measured_us  power_W  repeats
    None     900_000   0       True  | 0  200_000  0        True | 0  200_001  0       False
    200_000  400_000   0       True  | 0  900_000  -12_501  True | 0  900_000  12_500  False
""")
def test_a_stop_has_been_followed_when_a_newer_reading_shows_no_power(
    taken_us, measured_us, power_W, repeats
):
    """250 kW, measured each 100 ms; the state is "off" all the time."""
    bench = Bench(0)
    bench.inp[POWER_AT] = power_W
    bench.write(0)
    bench.pcs.stop_taken_us, bench.pcs.readings.measured_us = taken_us, measured_us
    bench.now_us = 1_000_000
    assert (("stop", rtu.STOP) in bench.write(0)) == repeats


def test_starts_are_bounded_per_hour_and_a_repeated_one_counts_once():
    """Twelve starts, each sent at most ten times in its minute; a stop ends a start."""
    bench, minutes = Bench(), []
    bench.inp[STATE_AT] = s.PCS_OFF
    for _ in range(14 * 60 * 2):
        minutes += [bench.now_us // 60_000_000] * (("start", rtu.WRITE) in bench.write(0))
        bench.now_us += 480_000
    assert [minutes.count(each) for each in range(14)] == [10] * 12 + [0] * 2
    assert bench.refused[-1] == reasons.STARTS_SPENT and bench.channel.gate_refusals == 0
    bench.now_us = 3_600_000_000 - TICK_US
    assert ("start", rtu.WRITE) not in bench.write(0)
    assert ("start", rtu.WRITE) in bench.write(0)
    bench = Bench()
    bench.inp[STATE_AT] = s.PCS_OFF
    for run in range(40):
        bench.out[RUN_AT] = run % 2
        said = [key for _ in range(50) for key, _ in bench.write(0)]
        assert ("start" in said) == (run % 2 and run < 24) and ("stop" in said) == (run % 2 == 0)


def test_a_converter_whose_sign_test_is_due_gets_no_start_and_goes_on_if_it_runs():
    bench = Bench()
    assert ("start", rtu.WRITE) in bench.write(0)
    bench.channel.is_sign_due = True
    said = [key for _ in range(100) for key, _ in bench.write(5000)]
    assert not {"start", "stop"} & {*said} and said and bench.refused == []
    bench.inp[STATE_AT] = s.PCS_OFF
    said = [key for _ in range(100) for key, _ in bench.write(0)]
    assert "start" not in said and {*bench.refused} == {reasons.SIGN_DUE}
    bench.channel.is_sign_due = False
    assert ("start", rtu.WRITE) in bench.write(0)


def test_a_fault_that_comes_behind_a_start_takes_it_back_in_the_same_tick():
    bench = Bench()
    bench.write(0)
    bench.port.withdrawn = []
    bench.port.withdraw = bench.port.withdrawn.append
    bench.inp[STATE_AT] = s.PCS_FAULT
    bench.write(0)
    assert [each.key for each in bench.port.withdrawn] == ["start"]
    assert bench.refused == [reasons.START_HELD] and bench.channel.fault.is_withheld


@pytest.mark.parametrize("result", range(len(latches.RESULTS)))
def test_a_reset_that_was_done_alone_ends_the_hold_of_a_fault(result):
    nothing = dict(wear={}, io=[], _identified=[], _commanded=[], can={})
    pcs = SimpleNamespace(fault=SimpleNamespace(is_held=True), unit=0, write=lambda *details: None)
    out = [0] * LAYOUT.outputs
    out[s.RESET_RESULT] = result
    Field.write(SimpleNamespace(**nothing, pcs=[pcs]), [], out, [0], 0)
    assert pcs.fault.is_held == (latches.RESULTS[result] != "done")


def test_stop_is_said_as_soon_as_the_converter_is_known_even_if_it_never_ran():
    bench = Bench(0)
    bench.pcs.ready = False
    assert bench.write(0) == bench.write(0) == []
    bench.pcs.ready = True
    assert bench.write(0) == [("stop", rtu.STOP), setpoint(0, rtu.STOP)]


@pytest.mark.parametrize("power_W", [0, 1000])
def test_a_set_point_that_was_lost_is_said_again(power_W):
    bench = Bench()
    bench.write_all([500] + [power_W] * 6)
    assert bench.lose().pcs.failures == [(rtu.TIMEOUT, 0, bench.now_us)]
    again = [each for each in bench.write_all([power_W] * 10) if each]
    assert again == [[setpoint(power_W, rtu.WRITE if power_W else rtu.STOP)]]


@cases("""frame_W  limit  verdict
    200_001  DISCHARGE_AT  reasons.GATE_DISCHARGE | -100_001  CHARGE_AT  reasons.GATE_CHARGE""")
def test_what_the_gate_refuses_never_goes_out_the_stop_frame_does(frame_W, limit, verdict):
    bench = Bench()
    bench.pcs.frame_W = frame_W
    assert bench.write(50_000) == [("start", rtu.WRITE), ("stop", rtu.STOP)]
    assert (bench.channel.gate_refusals, bench.channel.gate_verdict) == (1, verdict)
    bench.inp[STATE_AT] = s.PCS_OFF
    said = [key for _ in range(30) for key, _ in bench.write(50_000)]
    # no start while it refuses, and not a stop every tick
    assert set(said) == {"stop"} and len(said) <= 8
    assert bench.refused == [verdict] * bench.channel.gate_refusals and len(bench.refused) > 2
    bench.pcs.frame_W = None
    said = [key for _ in range(10) for key, _ in bench.write(50_000)]
    assert said == [("setpoint", 50_000), "start"]
    assert bench.channel.gate_verdict == reasons.NONE


def test_the_gate_holds_against_the_limits_of_this_tick_at_the_scale_of_the_register():
    bench = Bench()
    bench.write(150_000)
    bench.out[DISCHARGE_AT], bench.pcs.due = 149_999, True
    assert bench.write(150_000) == [("stop", rtu.STOP)]
    bench = Bench()
    bench.pcs.setpoint_exponent, bench.pcs.frame_W = 2, 1999
    assert bench.write(199_900)[-1] == setpoint(199_900)
    bench.pcs.frame_W = 2001
    assert bench.write_all([199_800] * 5)[-1] == [("stop", rtu.STOP)]


def test_what_stood_before_a_refusal_is_sent_anew_after_it():
    """The converter was stopped meanwhile, and starts with it."""
    bench = Bench()
    bench.write_all([1000] * 5)
    bench.pcs.frame_W = 200_001
    assert bench.write(50_000) == [("stop", rtu.STOP)]
    bench.pcs.frame_W = None
    said = [key for key, _ in sum(bench.write_all([1000] * 10), [])]
    assert said == [("setpoint", 1000), "start"]


@pytest.mark.parametrize("change", [{"setpoint_exponent": 1}, {"setpoint_address": WSET + 2}])
def test_the_gate_follows_a_converter_whose_register_changes(change):
    bench = Bench()
    bench.write(150_000)
    vars(bench.pcs).update(change)
    assert bench.write_all([140_000] * 5)[-1] == [("stop", rtu.STOP)]


class Bms:
    command_period_us, is_sealed = 100_000, True

    def __init__(self, can_id):
        self.can_id, self.seen = can_id, []

    def can_ids(self):
        return (self.can_id,)

    def on_frame(self, can_id, data, now_us):
        self.seen.append((can_id, data, now_us))

    def command(self, close_ok):
        return [(self.can_id + 31, bytes((close_ok,)))]


class CanPort:
    def __init__(self, frames):
        self.frames, self.sent = frames, []

    def drain(self, limit):
        taken, self.frames = self.frames[:limit], self.frames[limit:]
        return taken

    def send(self, can_id, data):
        self.sent.append((can_id, data))
        return True


def can_bus(frames, *racks):
    bus = CanBus("can0")
    bus.port = CanPort(frames)
    for rack, bms in enumerate(racks):
        bus.add(bms, rack)
    return bus


def test_frames_go_to_their_rack_unknown_ones_nowhere_and_so_many_a_tick():
    first, second = Bms(0x120), Bms(0x140)
    bus = can_bus([(0x140, b"a"), (0x7FF, b"b"), (0x120, b"c")], first, second)
    bus.read(5)
    assert (first.seen, second.seen) == ([(0x120, b"c", 5)], [(0x140, b"a", 5)])
    bus.port.frames = [(0x120, b"")] * 1000
    for taken in (512, 1000):
        bus.read(0)
        assert len(first.seen) == 1 + taken


def test_commands_keep_their_period_and_do_not_bunch_up_after_a_pause():
    bus, sent_us = can_bus([], Bms(0x120)), []

    def times_us(period_us):
        return [*range(0, 500_001, period_us), *range(2_000_000, 2_300_001, period_us)]

    for now_us in times_us(TICK_US):
        bus.write([1], now_us)
        sent_us += [now_us] * len(bus.port.sent)
        bus.port.sent = []
    assert sent_us == times_us(100_000)


def test_each_rack_gets_its_own_command():
    bus = can_bus([], Bms(0x120), Bms(0x140))
    bus.write([0, 1], 0)
    assert bus.port.sent == [(0x120 + 31, b"\0"), (0x140 + 31, b"\1")]


@pytest.mark.parametrize("units", [(1, 2), (2, 1)])
def test_each_of_two_converters_gets_what_is_its_own_whichever_is_named_first(files, units):
    files.two_units()
    for number, unit in enumerate(units, 1):
        files.say("type", f"device.pcs_{number}.unit", str(unit))
    settings = files.load()
    layout = settings.layout()
    image, asked = ProcessImage(layout, ()), {}
    field = Field(settings, image)
    field.can["can0"].port = CanPort([])
    for number, channel in zip(units, sorted(field.pcs, key=lambda each: each.port.name)):
        channel.write = lambda inp, out, power_W, _, at=channel.run_at: asked.update({at: power_W})
        channel._gate._setpoint._pcs = Pcs()
        channel.sent.see(rtu.write_request(16, "w", 1, WSET, (0, number)).frame)
        channel.sent.refuse(600 + number)
    field.write(image.inp, [0] * layout.outputs, [11, 22], 0)
    for unit in range(2):
        assert asked[layout.unit_output(unit, s.PCS_RUN_OK)] == 11 * (unit + 1)
        assert image.inp[layout.unit_input(unit, s.PCS_SENT_W)] == unit + 1
        assert image.inp[image.places["sent"].start + unit] == 601 + unit


@cases("""
    tick_ms  ticks  known
    10  2  True | 10  3  False | 10  4  False | 20  2  True | 20  3  False | 20  4  False""")
def test_a_silent_grid_meter_shows_no_voltage_and_a_load_meter_its_last(tick_ms, ticks, known):
    """A bus that the load meter read as dead is not live because the meter then falls silent."""
    image = ProcessImage(LAYOUT, CONFIG.site_devices)
    field = Field(CONFIG, image)
    field.can = {}
    for meter in (field._grid, field._load):
        meter._quality_max_us = 3 * tick_ms * 1000
        meter.see([29.0, 230.0, 431.0], 50.0, 1_000_000)
        meter._moved_us = 1_000_000
    field.read(1_000_000 + ticks * tick_ms * 1000)
    found = image.inp[image.places["grid_quality"]], image.inp[image.places["load_quality"]]
    assert [list(each) for each in found] == [[1000 * known, 50_000 * known], [126]]


def test_a_field_is_built_from_the_site():
    field = Field(CONFIG, ProcessImage(LAYOUT, CONFIG.site_devices))
    assert sorted(field.ports) == ["gas", "io", "meter_grid", "meter_load", "pcs"]
    assert list(field.can) == ["can0"]
    assert (len(field.io), len(field.pcs), len(field.can["can0"].racks)) == (3, 1, 3)
    assert sorted(field.drivers) == sorted(device.name for device in CONFIG.devices)
    enable, supply, third = field.io  # its coils go first
    assert "pcs_enable_ok" in [name for name, *_ in enable.module._outputs]
    assert (enable.supply, supply.supply, third.supply) == (supply.module, None, None)
    assert enable.module is not supply.module
    assert [channel.is_permit for channel in field.io] == [True, True, False]
    closing = [LAYOUT.rack_output(rack, s.CONTACTOR_CLOSE_OK) for rack in range(3)]
    assert [rack.command_at for rack in field.can["can0"].racks] == closing
