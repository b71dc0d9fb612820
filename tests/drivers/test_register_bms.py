"""Rack BMS by registers: the suite of each profile, readings, heartbeat, other unit id."""

import tomllib

import pytest
from device_suite import Bus, ModbusSuite, Sink, Slave, rack_of

from controller.config import profiles
from controller.forms.refusal import ConfigError
from drivers import can_dialect, profile, rack_sources
from drivers.buses import rtu
from drivers.buses.crc import seal
from drivers.rack_bms import NO_POSITION
from drivers.rack_sources import ARRAYS
from drivers.register_bms import RegisterBms
from hil.devices.mirrored_register_bms import MirroredRegisterBms
from safety import signals as s
from tests.tables import cases

NAMES = sorted(
    path.stem
    for path in profile.FOLDER.glob("*.toml")
    if tomllib.loads(path.read_text())["family"] == "register_bms"
)
CELLS, MODULES = 16, 4
RATED_MA = 90_000
FASTER = 10  # than in its profile, so that the tests are short
MODEL_802 = 40_070  # its ID register in the simulated chain, behind model 1
ABSURD = {
    "seplos_v3": {4101: 1001},
    "bcu_ems": {66: 0xFFFF, 551: 1001},
    "byd_c130": {0x2103: 101, 0x2010: 5},
    "jk_pb": {0x12A6: 101},
    "pylontech_m2": {0x1107: 101},
    "sunspec_battery": {MODEL_802 + 11: 1001, MODEL_802 + 22: 7},
}


def rack():
    degrees = [20.0, 21.0, 22.0, -3.0]
    own = {"voltage_V": 52.0, "charge_voltage_V_max": 57.6, "temperatures_degC": degrees}
    return rack_of(CELLS, **own)


class Simulated(Slave):
    """The mirrored BMS of the rig at unit id 1."""

    def __init__(self, name):
        super().__init__()
        self.rack = rack()
        self.bms = MirroredRegisterBms(self.rack, 1, profile.FOLDER / f"{name}.toml")
        function = next(iter(self.bms._map.values())).get("function", 3)
        for register in ABSURD[name]:
            words = self.bms.payload(function, register, 1)
            self.bms.overrides[register] = int.from_bytes(words, "big")
        self.inputs = self.bms.overrides

    def each_ms(self, now_us):
        self.bms.tick(now_us * FASTER)

    def answer(self, frame):
        if frame[0] != self.unit_id or self.silent or self.mute and frame.startswith(self.mute):
            return b""
        if self.exception:
            return seal(bytes((self.reply_id, frame[1] | 0x80, self.exception)))
        function, address, count = frame[1], frame[2] << 8 | frame[3], frame[4] << 8 | frame[5]
        if function == 16:
            words = [frame[at] << 8 | frame[at + 1] for at in range(7, len(frame) - 2, 2)]
            self.bms.write(function, address, words, 0)
            return seal(frame[:6])
        data = self.bms.payload(function, address, count)
        return self.before + seal(bytes((self.reply_id, function, len(data))) + data)


def built(name, **more):
    """(device, slave, sink) with times a tenth of the profile's."""
    sink, found = Sink(modules=MODULES), profiles.load(name)
    found.period_ms //= FASTER
    for key in ("heartbeat_ms_max", "stopped_ms"):
        found.settings[key] //= FASTER
    found.settings |= more.pop("settings", {})
    own = found.registers.get("module_temperature_ddegC")
    sizes = CELLS, min(own.count, MODULES) if own else MODULES
    more = {"rated_mA": RATED_MA} | more
    device = RegisterBms(found, 0, more.pop("unit_id", 1), sink, sink.layout, sizes, **more)
    return device, Simulated(name), sink


@pytest.mark.parametrize("name", NAMES, scope="class")
class TestEach(ModbusSuite):
    settle_ms, old_ms, keeps_others = 500, 800, False

    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name, self.absurd = name, ABSURD[name]

    def build(self):
        device, slave, sink = built(self.name)
        return device, slave, sink, sink.layout.rack_group(0, s.G_BMS_PACK)

    def reads(self, bus):
        return [request for request, _ in bus.device.periodic()][: len(bus.device._reads)]

    def fed_by(self, device, request, group):
        number = int(request.key[1].split()[1]) - 1
        source = device._reads[number][0]
        groups = device._sources.groups.items()
        fed = {number for number, each in groups if each.required & source.bit}
        fed |= {s.G_BMS_STATE} if s.G_BMS_LIMITS in fed else set()
        first = group - s.G_BMS_PACK
        return {first + number for number in fed}

    def test_absurd_values_are_refused_whole(self):
        for register, word in self.absurd.items():
            bus, sink, group = self.started()
            good, bus.slave.inputs[register] = bus.slave.inputs[register], word
            bus.run(self.old_ms)
            sink.taken()
            refused = bus.device.refused
            bus.run(self.settle_ms)
            fed = {
                group,
                group - s.G_BMS_PACK + s.G_BMS_STATE,
                group - s.G_BMS_PACK + s.G_BMS_CHARGE,
            }
            assert bus.device.refused > refused and not fed <= sink.taken(), register
            bus.slave.inputs[register] = good
            bus.run(2 * self.settle_ms)
            assert fed <= sink.taken()

    def test_values_of_all_groups(self):
        bus, sink, _ = self.started()
        bus.slave.rack.current_A = -7.0
        bus.run(self.settle_ms)
        first = sink.layout.rack_input(0, 0)
        registers = bus.device.profile.registers
        arrays = [name in registers for name in ARRAYS]
        assert len(sink.taken()) == s.RACK_GROUP_COUNT - (not arrays[1])
        found = [sink.inp[first + index] for index in (s.RACK_VOLTAGE_MV, s.RACK_CURRENT_MA)]
        assert found == [52_000, -7000]
        limits = [sink.inp[first + index] for index in rack_sources.ALLOWED.values()]
        reports = "charge_current_mA_max" in registers
        assert limits == ([100_000, 120_000] if reports else [RATED_MA, RATED_MA])
        cells = (s.CELL_VOLTAGE_MV_MIN, s.CELL_VOLTAGE_MV_MAX, s.CELL_POSITION_MAX, s.CELLS_ONLINE)
        place = 0 if arrays[0] else NO_POSITION
        assert [sink.inp[first + index] for index in cells] == [3301, 3312, place, CELLS]
        places = range(first + s.MODULE_TEMPERATURE_DDEGC, first + s.MODULE_TEMPERATURE_DDEGC + 4)
        degrees = [200, 210, 220, -30][: bus.device._modules if arrays[1] else 0]
        found = [sink.inp[at] for at in places]
        assert found == pytest.approx(degrees + [0] * (MODULES - len(degrees)), abs=1)
        assert sink.inp[first + s.BMS_FAULT_BITS] == 0
        bus.slave.rack.fault_bits = 1
        bus.run(self.settle_ms)
        trips = bus.device.profile.mask("trip")
        assert sink.inp[first + s.BMS_FAULT_BITS] & trips

    def test_the_other_direction_is_refused_until_the_restart(self):
        device, slave, sink = built(self.name, flow=lambda: -3000, sign_mA=1000)
        bus = Bus(device, slave)
        bus.run(4000)
        assert not device.is_sign_wrong
        bus.run(2500)
        assert device.is_sign_wrong and device.report(bus.now_us)[0] == can_dialect.SIGN
        sink.taken()
        bus.run(1000)
        assert not sink.taken()


def test_a_heartbeat_that_stops_takes_all_values_until_it_counts_again():
    device, slave, sink = built("bcu_ems")
    bus = Bus(device, slave)
    bus.run(500)
    assert len(sink.taken()) == s.RACK_GROUP_COUNT and device.report(bus.now_us) == (0, 0)
    slave.bms.overrides[26] = 5
    bus.run(700)
    sink.taken()
    bus.run(500)
    assert not sink.taken() and device.report(bus.now_us) == (can_dialect.STUCK, 18)
    del slave.bms.overrides[26]
    bus.run(500)
    assert len(sink.taken()) == s.RACK_GROUP_COUNT


def test_a_read_whose_values_are_refused_for_too_long_is_named():
    device, slave, _ = built("seplos_v3")
    bus = Bus(device, slave)
    bus.run(500)
    slave.inputs[4101] = 1001
    bus.run(200)
    assert device.report(bus.now_us) == (can_dialect.OK, 0)
    bus.run(400)
    assert device.report(bus.now_us) == (can_dialect.READ, 4096)


def test_after_a_failure_no_group_is_whole_by_a_reply_from_before():
    """Its other read came in time, but the values of both are no longer of one moment."""
    sink, found = Sink(modules=MODULES), profiles.load("seplos_v3")
    device = RegisterBms(found, 0, 1, sink, sink.layout, (CELLS, MODULES))
    groups = device._sources.groups.values()
    group = next(each for each in groups if each.required.bit_count() > 1)
    request = device.periodic()[0][0]
    group.arrived = group.required
    request.on_failure(rtu.TIMEOUT, 0, 0)
    assert group.arrived == group.required & ~1


@cases("""offset  reply_id  comes
    -48  0x51  True | -48  0x81  False | 0  0x81  True | 0  0x51  False""")
def test_a_reply_counts_from_the_unit_id_of_the_profile_alone(offset, reply_id, comes):
    """Daly: requests to 0x80 + n, replies from 0x50 + n."""
    device, slave, sink = built("seplos_v3", unit_id=0x81, settings={"reply_id_offset": offset})
    slave.unit_id, slave.reply_id = 0x81, reply_id
    Bus(device, slave).run(500)
    assert bool(sink.taken()) == comes


def test_more_cells_than_the_device_has_are_refused():
    sink, found = Sink(modules=MODULES), profiles.load("seplos_v3")
    with pytest.raises(profile.ProfileError, match="has 16 values for the 17 of the rack"):
        RegisterBms(found, 0, 1, sink, sink.layout, (17, MODULES))


# -- SunSpec model 802: scale factors, and writes to the BMS


def commanded(bus, close_ok, ms=1):
    """The words of all writes in the next `ms`, by their register in the model."""
    found = []
    for _ in range(ms):
        for request in bus.device.command(close_ok, bus.now_us):
            address = int.from_bytes(request.frame[2:4], "big") - MODEL_802
            found.append((address, int.from_bytes(request.frame[7:9], "big"), request.priority))
            bus.port.submit(request)
        bus.run(1)
    return found


def test_the_contactors_are_commanded_on_change_alone_and_the_heartbeat_each_period():
    device, slave, _ = built("sunspec_battery")
    closes, slave.rack.command_close = [], lambda close: closes.append(close)
    bus = Bus(device, slave)
    assert not commanded(bus, 1)  # nothing before a reading
    bus.run(500)
    assert commanded(bus, 0, 20) == [(50, 2, rtu.STOP), (19, 1, rtu.WRITE)]
    assert commanded(bus, 1, 1100) == [(50, 1, rtu.WRITE), (19, 2, rtu.WRITE)]
    assert commanded(bus, 0, 20) == [(50, 2, rtu.STOP)] and closes == [False, True, False]


@cases("""state  close_ok  writes
    3  1  {50, 19} | 1  1  {19} | 3  0  {50, 19} | 1  0  {50, 19}""")
def test_a_spent_budget_holds_back_a_closing_alone(state, close_ok, writes):
    """A lost repetition of "close" would let the BMS open under load."""
    device, slave, _ = built("sunspec_battery", settings={"writes_per_day_max": 1})
    for row in device.profile.sent.values():
        row["stored"] = "not stated"
    slave.bms.overrides |= {MODEL_802 + 22: state}
    bus = Bus(device, slave)
    bus.run(500)
    device.wear.spent = 1
    assert {address for address, *_ in commanded(bus, close_ok, 1100)} == writes


def test_an_opening_comes_again_while_the_bms_reports_closed_contactors():
    """An acknowledged write that the BMS ignores is no opening. One that opens is told once."""
    for state, times in ((3, 4), (1, 1)):
        device, slave, _ = built("sunspec_battery")
        slave.bms.overrides |= {MODEL_802 + 22: state}
        bus = Bus(device, slave)
        bus.run(500)
        commanded(bus, 1, 500)
        opened = [each for each in commanded(bus, 0, 3500) if each[0] == 50]
        assert opened == [(50, 2, rtu.STOP)] * times, state


def test_a_write_without_an_answer_comes_again_after_a_second():
    device, slave, _ = built("sunspec_battery")
    bus = Bus(device, slave)
    bus.run(500)
    commanded(bus, 1, 50)
    slave.mute = bytes((1, 16))
    first = commanded(bus, 0, 900)
    assert [each[:2] for each in first] == [(50, 2)]
    assert (50, 2, rtu.STOP) in commanded(bus, 0, 200)


def test_a_scale_factor_that_changes_counts_when_it_has_come_twice():
    device, slave, sink = built("sunspec_battery")
    bus = Bus(device, slave)
    bus.run(500)
    slave.bms.overrides |= {MODEL_802 + 59: 0, MODEL_802 + 34: 53}
    place = sink.layout.rack_input(0, s.RACK_VOLTAGE_MV)
    seen = []
    for _ in range(200):
        bus.run(1)
        seen.append(sink.inp[place])
    assert list(dict.fromkeys(seen)) == [52_000, 53_000]


@cases("""sent  words
    "period_ms = 0"  "is not clear; allowed data, or count_max of a counter"
    "data = [1, 2]"  "function: 6 is not allowed; allowed 16 for several words"
    "data = [1], data_close = [1, 2]"  "data_close: [1, 2] is not allowed; allowed as many" """)
def test_a_write_that_is_not_clear_is_refused(tmp_path, sent, words):
    path = tmp_path / "own.toml"
    text = (profile.FOLDER / "seplos_v3.toml").read_text()
    path.write_text(f"{text}\n[sent]\nclose = {{address = 5, function = 6, {sent}}}\n")
    with pytest.raises(ConfigError) as error:
        profiles.load(str(path))
    assert words in str(error.value)
