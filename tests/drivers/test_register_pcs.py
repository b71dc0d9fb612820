"""Converters by registers: each shipped profile; then forms, sequences, watchdogs, budgets."""

import struct
import tomllib
from random import Random

import pytest
from converter_forms import FRAMES, reach_W, toml
from device_suite import Bus, ModbusSuite
from register_converter import PROFILES, RATED_W, built, follow, running, started

from controller.config import profiles
from drivers.buses import rtu
from drivers.register_pcs_readings import _current_mA
from drivers.setpoint_form import Frame, power_W as power_of
from drivers.steps import LOST_US
from hil.devices.mirrored_pcs import Asked
from safety import signals as s
from tests.tables import cases


def value(sink, index):
    return sink.inp[sink.layout.unit_input(0, index)]


class TestEachProfile(ModbusSuite):
    settle_ms, old_ms = 4200, 2100

    @pytest.fixture(autouse=True, params=PROFILES)
    def chosen(self, request):
        self.name = request.param

    def build(self):
        device, slave, sink, groups = built(self.name)
        return device, slave, sink, groups[0]

    def fed_by(self, device, request, group):
        return {group + 1} if request.key[1].startswith("control") else {group}

    def test_the_same_reply_in_single_bytes_behind_garbage(self):
        """A reply of 161 bytes takes longer than the bus waits, at a byte in a millisecond."""
        if self.name != "fronius_gen24":
            super().test_the_same_reply_in_single_bytes_behind_garbage()

    def test_random_damage_raises_nothing_and_no_bad_frame_or_value_is_taken(self):
        """TestFaults has it, of one profile."""

    def test_a_block_that_is_silent_alone_gives_none_of_its_signals_and_keeps_no_other(self):
        """TestFaults has it, of one profile."""

    def test_it_reads_what_its_registers_hold(self):
        bus, sink, group = self.started()
        data = bus.slave.data
        scale = data["registers"]["dc_voltage_mV"].get("scale", 1)
        assert abs(value(sink, s.PCS_DC_VOLTAGE_MV) - bus.slave.voltage_mV) <= scale
        assert value(sink, s.PCS_POWER_W) == value(sink, s.PCS_DC_CURRENT_MA) == 0
        if "state" in data["registers"]:
            assert value(sink, s.PCS_STATE) == s.PCS_RUNNING

    def test_each_set_point_reaches_the_registers_and_no_mixture_exceeds_both(self):
        """The old one and the new one; a start writes nothing but 0 into them."""
        words = {}

        def check(request):
            assert reach_W(bus.slave.data, bus.slave.holding, RATED_W) == (0, 0)

        bus, sink, _ = started(self.name)
        check(None)
        last = 0
        for power_W in (4000, -3000, -900, 2500, 0):
            frames = bus.device.writer.frames
            for _ in range(len(frames) * 30):
                follow(bus, power_W, 100)
                words = bus.slave.holding
                charge, discharge = reach_W(bus.slave.data, words, RATED_W)
                assert charge <= max(0, -power_W, -last) and discharge <= max(0, power_W, last)
            assert charge - 100 <= max(0, -power_W) <= charge + 100
            assert discharge - 100 <= max(0, power_W) <= discharge + 100
            last = power_W


class TestFaults(ModbusSuite):
    """The long tests of the suite, for one profile of many reads."""

    settle_ms, old_ms = 4200, 2100
    fed_by = TestEachProfile.fed_by

    def build(self):
        device, slave, sink, groups = built("sinexcel_pws")
        return device, slave, sink, groups[0]

    def ranges(self, sink):
        return []


BEAT = """
[heartbeat]
address = 200
function = 6
period_ms = 500
count_max = 3
"""
STEPS = """
[[setup]]
address = 210
function = 6
value = 5
read_back = true
[[start]]
address = 211
function = 6
value = 1
[[start]]
address = 212
function = 3
equals = [64, 65]
timeout_ms = 2000
fault = "not ready after its start"
[[stop]]
address = 211
function = 6
value = 0
[[stop]]
address = 213
function = 16
value = 7
"""
WAY_REGISTER = (
    'current_direction = {type = "u16", address = 15, values = {0 = -1, 1 = 1}, range = [-1, 1]}'
)
HEARTBEAT = 'heartbeat = {type = "u16", address = 20, range = [0, 65535]}'


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """running() or started() of a constructed profile: bench(started, "percent", tail=STEPS)."""

    def load(of, form="signed", **own):
        path = tmp_path / "own.toml"
        path.write_text(toml(form, **own))
        monkeypatch.setattr(
            "register_converter.data_of", lambda name: tomllib.loads(toml(form, **own))
        )
        return of(str(path))

    return load


def registers(bus, first, count=1):
    return [bus.slave.holding[first + at] for at in range(count)]


@pytest.mark.parametrize("form", FRAMES)
def test_no_mixture_of_any_form_exceeds_both_set_points_also_when_frames_are_lost(bench, form):
    bus, _, _ = bench(started, form)
    random, asked = Random(form), {0}
    for _ in range(40):
        power_W = random.choice((-8000, -100, 0, 100, 7000))
        bus.slave.silent = random.random() < 0.3
        follow(bus, power_W, random.choice((20, 40, 200)))
        charge, discharge = reach_W(bus.slave.data, bus.slave.holding, RATED_W)
        asked.add(power_W)
        assert charge <= -min(asked) and discharge <= max(asked)
        assert not (charge and discharge), (form, charge, discharge)
    bus.slave.silent = False
    follow(bus, -3000, 4000)
    charge, discharge = reach_W(bus.slave.data, bus.slave.holding, RATED_W)
    assert 2900 <= charge <= 3000 and discharge == 0


@pytest.mark.parametrize("form", FRAMES)
def test_the_words_of_each_form_mean_their_power_to_the_driver_and_to_the_rig(tmp_path, form):
    (tmp_path / "own.toml").write_text(toml(form))
    profile, rated = profiles.load(str(tmp_path / "own.toml")), {"rated_W": RATED_W}
    asked = Asked(tomllib.loads(toml(form)), RATED_W)
    for wanted_W in (-3000, 0, 3000):
        found = []
        for frame in [Frame(each, rated) for each in profile.setpoint]:
            words = frame.words(wanted_W)
            data = struct.pack(f">{len(words)}H", *words)
            found += frame.values(data)
            asked.written(frame.address, data)
        assert power_of(found) == wanted_W == pytest.approx(asked.power_W)


def test_the_direction_turns_by_way_of_zero_in_every_frame(bench):
    bus, _, _ = bench(started, "magnitude_first")
    follow(bus, 5000, 200)
    assert registers(bus, 100, 2) == [12, 500]
    bus.slave.writes.clear()
    follow(bus, -2000, 400)
    assert [(address, data) for _, address, data in bus.slave.writes] == [
        (101, b"\0\0"), (100, b"\0\x08"), (101, b"\0\xc8"), (100, b"\0\x0b"),
    ]  # fmt: skip


def test_nothing_but_a_stop_is_written_before_the_first_complete_reading(bench):
    device, slave, sink, _ = bench(built, tail=STEPS + BEAT)
    slave.mute = b"\x01\x03\x00\x0a"  # the measurements
    bus = Bus(device, slave)
    bus.run(2000)
    assert not slave.writes and not device.ready and device.stop() is not None
    assert device.setpoint(0) is None and not device.write_due(bus.now_us)


def test_steps_of_set_up_start_and_stop_in_order(bench):
    bus, sink, _ = bench(running, tail=STEPS)
    assert [each[:2] for each in bus.slave.writes] == [(6, 210)]
    follow(bus, 4000, 100)
    assert registers(bus, 100, 2) == [0, 0]  # not started
    bus.device.start()
    bus.slave.data["start"] = []  # it does not become ready by itself
    follow(bus, 4000, 1000)
    assert registers(bus, 211) == [1] and registers(bus, 100, 2) == [0, 0]
    bus.slave.holding[212] = 65
    follow(bus, 4000, 200)
    assert registers(bus, 100, 2) == [0, 4000]
    bus.port.submit(bus.device.stop())
    follow(bus, 4000, 200)
    assert registers(bus, 211) + registers(bus, 213) == [0, 7]
    assert registers(bus, 100, 2) == [0, 0]  # no power without a start


REPEATED = """
[[start]]
address = 211
function = 6
value = 64
repeat_ms = 3000
[[stop]]
address = 211
function = 6
value = 4
"""


def test_a_start_is_repeated_while_the_converter_runs_and_never_after_a_stop(bench):
    bus, _, _ = bench(started, tail=REPEATED)
    times = []
    for _ in range(95):
        before = len(bus.slave.writes)
        bus.run(100)
        times += [bus.now_us // 100_000 for each in bus.slave.writes[before:] if each[1] == 211]
    assert len(times) == 3 and {after - one for one, after in zip(times, times[1:])} == {30}
    bus.slave.reading("state", 1)  # in standby: a repeated start would be a start of its own
    bus.run(10_000)
    bus.slave.reading("state", 2)
    bus.run(2900)
    assert len([each for each in bus.slave.writes if each[1] == 211]) == 3
    bus.run(400)
    assert len([each for each in bus.slave.writes if each[1] == 211]) == 4
    assert bus.slave.writes[-1][1:] == (211, b"\0\x40")
    bus.port.submit(bus.device.stop())
    bus.run(20_000)
    assert bus.slave.writes[-1][1:] == (211, b"\0\x04")


def test_a_stop_takes_the_place_of_a_repeated_start_that_waits_for_the_bus(bench):
    device = bench(started, tail=REPEATED)[0].device
    device.readings.heard(20_000_000)
    (start,) = [each for each in device.service(20_000_000) if each.function == 6]
    assert start.frame[2:6] == b"\0\xd3\0\x40" and device.stop().key == start.key


@pytest.mark.parametrize("way, current_mA", [(0, -7000), (1, 7000), (2, None)])
def test_the_direction_of_a_current_may_stand_in_another_register(bench, tmp_path, way, current_mA):
    text = toml("signed", registers=WAY_REGISTER)
    text = text.replace('[-1e6, 1e6], positive = "discharge"', '[0, 1000000], positive = "both"')
    (tmp_path / "way.toml").write_text(text)
    device, slave, sink, groups = built(str(tmp_path / "way.toml"), tomllib.loads(text))
    slave.holding.update({13: 70, 15: way})
    bus = Bus(device, slave, baud_Bd=460_800)
    bus.run(3000)
    assert sink.fresh[groups[0]] == (current_mA is not None)
    assert value(sink, s.PCS_DC_CURRENT_MA) == (current_mA or 0)


@pytest.mark.parametrize("ready_ms, starts", [(1900, True), (2200, False)])
def test_a_start_that_waits_too_long_says_why_and_ends(bench, ready_ms, starts):
    bus, _, _ = bench(running, tail=STEPS)
    follow(bus, 0, 100)
    bus.slave.data["start"] = []
    bus.device.start()
    follow(bus, 0, ready_ms)
    assert bool(bus.device.fault) != starts
    bus.slave.holding[212] = 64
    follow(bus, 0, 60)
    assert bus.device.readings.is_started == starts
    if not starts:
        assert bus.device.fault == "converter 1: not ready after its start"
        assert bus.device.is_starting, "the pause after a failure is not over"
        follow(bus, 0, 600)
        assert not bus.device.is_starting, "only the channel begins another one"
        bus.device.start()
        follow(bus, 0, 100)
        assert bus.device.readings.is_started


def test_a_set_up_that_the_device_does_not_keep_is_no_start(bench):
    device, slave, _, _ = bench(built, tail=STEPS)
    slave.ignore_writes = True
    bus = Bus(device, slave)
    bus.run(3000)
    assert not device.ready and device.fault == "converter 1: register 210 does not keep 5"
    slave.ignore_writes = False
    bus.run(9000)
    assert device.ready and not device.fault


def test_a_set_up_without_read_back_waits_before_it_writes_again_and_is_no_fault(bench):
    """A device that shows another value than it was told may store each write."""
    device, slave, _, _ = bench(built, tail=STEPS.replace("read_back = true", "read_back = false"))
    slave.ignore_writes = True
    bus = Bus(device, slave)
    bus.run(500)
    assert device.ready and [each[:2] for each in slave.writes] == [(6, 210)]
    device.restart()
    bus.run(500)
    assert device.ready and not device.fault and len(slave.writes) == 1


def test_a_setting_that_is_lost_begins_all_again(bench):
    bus, _, _ = bench(started, tail=STEPS)
    follow(bus, 4000, 200)
    bus.slave.holding.update({210: 0, 100: 0, 101: 0})
    follow(bus, 4000, 1500)
    device = bus.device
    assert device.restarts == 1 and registers(bus, 210) == [5]
    assert registers(bus, 100, 2) == [0, 0] and not device.readings.is_started


@pytest.mark.parametrize("mute, fresh", [(b"", True), (b"\x01\x10", False)])
def test_six_frames_that_never_hold_one_set_point_are_known_while_each_is_acknowledged(mute, fresh):
    """The set-point changes in each tick. Row 41 allows 2 s."""
    bus, sink, groups = started("sma_storage")
    follow(bus, 3000, 2000)
    bus.slave.mute, found = mute, []
    for from_W in range(3000, 3400, 100):
        sink.taken()
        for power_W in range(from_W, from_W + 100, 2):
            follow(bus, power_W, 20)
        found.append(groups[1] in sink.taken())
    assert found[1:] == [fresh] * 3 and bus.device.writer.held_W is None


def test_another_set_point_in_the_device_is_written_again(bench):
    bus, sink, groups = bench(started)
    follow(bus, 4000, 400)
    bus.slave.holding[101] = 9000
    follow(bus, 4000, 1000)
    assert registers(bus, 100, 2) == [0, 4000] and bus.device.restarts == 0
    assert value(sink, s.PCS_SETPOINT_W) == 4000 and groups[1] in sink.taken()


@pytest.mark.parametrize("silent_ms, restarts", [(1900, 0), (2200, 1)])
def test_a_silence_begins_all_again(bench, silent_ms, restarts):
    bus, _, _ = bench(running)
    bus.slave.silent = True
    bus.run(silent_ms)
    assert bus.device.restarts == restarts


def test_the_heartbeat_of_the_controller_changes_and_is_never_zero(bench):
    bus, _, _ = bench(started, tail=BEAT)
    bus.run(2900)
    beats = [int.from_bytes(data) for _, address, data in bus.slave.writes if address == 200]
    assert len(beats) == 6 and set(beats) == {1, 2, 3}
    assert all(one != other for one, other in zip(beats, beats[1:]))


@pytest.mark.parametrize("still_ms, fresh", [(1200, True), (1900, False)])
def test_a_heartbeat_of_the_device_that_stops_takes_both_groups(bench, still_ms, fresh):
    device, slave, sink, groups = bench(built, registers=HEARTBEAT)
    bus = Bus(device, slave)
    for beat in range(30):
        slave.holding[20] = beat
        bus.run(100)
    assert set(groups) <= sink.taken()
    bus.run(still_ms - 300)
    sink.taken()
    bus.run(300)
    assert (set(groups) <= sink.taken()) == fresh


def test_local_control_takes_the_set_point_alone(bench):
    local = 'local = {type = "u16", address = 21, range = [0, 1], values = {0 = 0, 7 = 1}}'
    bus, sink, groups = bench(running, registers=local)
    bus.slave.holding[21] = 7
    bus.run(500)
    sink.taken()
    bus.run(600)
    assert sink.taken() == {groups[0]}


@pytest.mark.parametrize("silent_ms, repeats", [(700, 0), (1100, 1)])
def test_a_set_point_is_repeated_in_its_time(bench, silent_ms, repeats):
    bus, _, _ = bench(started, "mode_first", repeat_ms=1000, watchdog="setpoint", watchdog_s=4)
    follow(bus, 4000, 200)
    bus.slave.writes.clear()
    follow(bus, 4000, silent_ms)
    assert [each[1] for each in bus.slave.writes] == [100, 101] * repeats


def test_a_day_stores_no_more_than_its_budget_and_zero_is_always_written(bench):
    settings = "stored = true\nwrites_per_day_max = 4"  # the first one is the 0 of the start
    bus, _, _ = bench(started, settings=settings)
    for power_W in (1000, 2000, 3000):
        follow(bus, power_W, 100)
        assert registers(bus, 101) == [power_W]
    assert bus.device.is_spent
    follow(bus, 4000, 200)
    assert registers(bus, 101) == [0]
    follow(bus, 500, 200)
    assert registers(bus, 101) == [0] and len(bus.slave.writes) == 4
    bus.device._now_us += 86_400_000_000
    assert not bus.device.is_spent


@pytest.mark.parametrize("left", range(4))
@pytest.mark.parametrize("asked_W", (2000, 8000, -3000, 0, 5000))
@pytest.mark.parametrize("form", FRAMES)
def test_a_spent_budget_lets_less_power_pass_and_never_more(bench, form, asked_W, left):
    """Whichever frame of a set-point is the last one of the budget."""
    settings = "stored = true\nwrites_per_day_max = 1000"
    bus, _, _ = bench(started, form, settings=settings)
    follow(bus, 5000, 500)
    device = bus.device
    device.wear.most = device.wear.spent + left

    def reach_of():
        return max(reach_W(bus.slave.data, bus.slave.holding, RATED_W))

    assert reach_of() == 5000
    for _ in range(50):
        follow(bus, asked_W, 20)
        assert reach_of() <= (max(5000, abs(asked_W)) if left else 5000)
    is_less = 0 <= asked_W <= 5000
    assert device.writer.held_W in ((asked_W,) if is_less else (0, asked_W) if left else (0,))
    assert reach_of() == abs(device.writer.held_W), "no mixture is left"
    follow(bus, 0, 500)
    assert reach_of() == 0 and device.is_at_zero
    bus.device.wear.most = device.wear.spent
    follow(bus, 100, 500)
    assert reach_of() == 0, "after 0 nothing passes"


def test_a_spent_budget_follows_a_set_point_that_falls_in_each_tick(bench):
    settings = "stored = true\nwrites_per_day_max = 1000"
    bus, _, _ = bench(started, "mode_first", settings=settings)
    follow(bus, 5000, 500)
    bus.device.wear.most = 1
    for power_W in range(4900, 1000, -100):
        follow(bus, power_W, 20)
        assert registers(bus, 101)[0] * 10 >= power_W and registers(bus, 100) == [0xBB]
    follow(bus, 1000, 100)
    assert registers(bus, 100, 2) == [0xBB, 100]
    follow(bus, 1010, 200)
    assert registers(bus, 100, 2) == [0xCC, 0]


def test_another_rating_or_identity_gets_no_set_point(bench):
    rated = 'rated_W = {type = "u16", address = 22, scale = 100, range = [0, 1000000]}'
    identity = '\n[identity]\nmodel = {type = "u16", address = 30, equals = [4711]}'
    device, slave, sink, _ = bench(built, registers=rated + identity)
    slave.holding.update({22: 300, 30: 4712})
    bus = Bus(device, slave)
    bus.run(3000)
    assert not sink.taken() and not device.ready
    assert device.fault == "converter 1: identity.model reads 4712, not as the profile says"
    slave.holding[30] = 4711
    bus.run(3000)
    assert device.fault == "converter 1: rated_W reads 30000, the unit has 10000"
    assert not device.ready and not slave.writes
    slave.holding[22] = 100
    bus.run(3000)
    assert device.ready


def test_faults_of_several_words_become_bits_with_names(bench):
    faults = "\n".join(
        [
            'fault_bus = {type = "u16", address = 40, mask = 0x0300, range = [0, 65535]}',
            'fault_fan = {type = "u16", address = 40, mask = 0x0001, range = [0, 65535]}',
            'fault_grid = {type = "u16", address = 41, range = [0, 65535]}',
        ]
    )
    tail = "\n[fault_bits.trip]\nbus = 3\n[fault_bits.warn]\nfan = 0\ngrid = 7\n"
    bus, sink, _ = bench(running, registers=faults, tail=tail)
    for words, bits in (((0x0200, 0), 1 << 3), ((0x0001, 9), 1 | 1 << 7), ((0xFCFE, 0), 0)):
        bus.slave.holding.update({40: words[0], 41: words[1]})
        bus.run(400)
        assert value(sink, s.PCS_ALARM_BITS) == bits


def test_the_current_follows_from_power_and_voltage_or_is_not_known():
    for power_W, dV, current_mA in ((-5000, 5000, -10_000), (5000, 5000, 10_000), (0, 0, 0)):
        assert _current_mA({"dc_power_W": power_W, "dc_voltage_mV": dV * 100}) == current_mA
    assert _current_mA({"dc_power_W": 10, "dc_voltage_mV": 999}) is None
    assert _current_mA({"dc_voltage_mV": 500_000}) is None
    values = {"dc_charge_W": 1000, "dc_discharge_W": 0, "dc_voltage_mV": 500_000}
    assert _current_mA(values) == -2000


def test_a_zero_goes_behind_a_frame_that_waits_on_the_bus(bench):
    """It is not there already: what waits may still be sent."""
    writer = bench(built)[0].writer
    writer.request(0, rtu.WRITE, 0).on_reply(b"", 0)
    assert writer.held_W == 0 and writer.request(5000, rtu.WRITE, 20_000)
    assert [writer.take_acknowledged_W(), writer.take_acknowledged_W()] == [0, None]
    assert writer.request(5000, rtu.WRITE, 40_000) is None
    behind = writer.request(0, rtu.STOP, 60_000)
    assert behind is not None and behind.frame[7:11] == bytes(4)
    assert writer.request(0, rtu.STOP, 80_000) is None


def test_no_start_before_a_set_point_of_zero_was_acknowledged(bench):
    device, slave, *_ = bench(built, tail=STEPS)
    slave.mute = b"\x01\x10\x00\x64"  # the set-point gets no answer
    bus = Bus(device, slave)
    bus.run(2000)
    device.start()
    follow(bus, 0, 2000)
    assert device.ready and not device.is_started and registers(bus, 211) == [0]
    slave.mute = b""
    follow(bus, 0, 6000)
    assert device.is_started and registers(bus, 211) == [1]


def exact(bench, **own):
    """A driver whose set-point of 1000 W was acknowledged at 0 us, as was its last answer."""
    device = bench(built, **own)[0]
    device.state, device.readings.is_identified = 2, True
    device.readings.is_started = device.readings.is_ready = True
    device.readings.heard_us = device.readings._heartbeat_us = 0
    device.writer.request(1000, rtu.WRITE, 0).on_reply(b"", 0)
    assert device.writer.held_W == 1000
    return device


@cases("""late_us  due  silent  dead  waits
    -1  False  False  False  True | 0  True  False  False  False | 1  True  True  True  False""")
def test_each_time_ends_to_the_microsecond(bench, late_us, due, silent, dead, waits):
    """The repetition, the silence, the heartbeat of the device, and the wait for an answer."""
    own = {"repeat_ms": 1000, "watchdog": "setpoint", "watchdog_s": 2, "registers": HEARTBEAT}
    assert exact(bench, **own).writer.is_due(1000, 1_000_000 + late_us) == due
    device = exact(bench, **own)
    device.service(2_000_000 + late_us)
    assert device.restarts == silent
    assert exact(bench, **own).readings._is_trusted(1_500_000 + late_us) != dead
    device = exact(bench, **own)
    assert device.writer.request(2000, rtu.WRITE, 500_000)  # without an answer
    assert (device.writer.request(3000, rtu.WRITE, 500_000 + LOST_US + late_us) is None) == waits
