"""The generic family: reads in blocks, all values or none; writes that change, are lost, repeat."""

import dataclasses
from array import array

import pytest
from device_suite import Bus, ModbusSuite, Slave

from controller.core.site_devices import roles
from drivers import profile
from drivers.site_device import SiteDevice
from tests.tables import cases

GENSET = ("power_W", "is_running", "is_ready_ok", "fuel_permille")
# 772 mode, 1027 fuel, 1408 state, 1536 power
GOOD = {772: 1, 1027: 90, 1408: 3, 1536: 0xFFFF, 1537: 0xFF9C}


@dataclasses.dataclass
class Sink:
    inp: array = dataclasses.field(default_factory=lambda: array("i", [0] * 20))
    fresh: bytearray = dataclasses.field(default_factory=lambda: bytearray(8))

    def taken(self):
        groups = {group for group, is_fresh in enumerate(self.fresh) if is_fresh}
        self.fresh[:] = bytes(8)
        return groups


def device(name, signals, sink, **settings):
    return SiteDevice(profile.load(name), 1, sink, (4, 3), list(signals), settings)


class TestGenset(ModbusSuite):
    absurd = {1027: 101, 1408: 7, 772: 9}
    settle_ms = 2200
    input_registers = False

    def build(self):
        sink = Sink()
        slave = Slave(GOOD)
        return device("dse_genset", GENSET, sink), slave, sink, 3

    def ranges(self, sink):
        signals = [each for each in roles.GENSET.signals if each.name in GENSET]
        return [(3, 4 + at, each.low, each.high) for at, each in enumerate(signals)]

    def test_each_value_has_its_place(self):
        _, sink, _ = self.started()
        assert list(sink.inp[4:8]) == [-100, 1, 1, 900] and not any(sink.inp[8:])

    def test_no_value_is_taken_while_one_block_is_refused(self):
        bus, sink, group = self.started()
        del bus.slave.holding[1408]
        bus.run(2500)
        sink.taken()
        bus.slave.holding[1027] = 50
        bus.run(5000)
        assert not sink.taken() and sink.inp[7] == 900
        bus.slave.holding[1408] = 0
        bus.run(5000)
        assert group in sink.taken() and list(sink.inp[4:8]) == [-100, 0, 1, 500]


@cases("""
    name  settings  actuator  value  frame
    "dse_genset"  {}  "run"  1  "01 10 1008 0002 04 8b94 746b"
    "dse_genset"  {}  "run"  0  "01 10 1008 0002 04 8b95 746a"
    "sunspec_pv"  {"rated_W": 200_000}  "limit_W"  50_019  \
"01 10 9cbf 0005 0a 09c4 0000 003c 0000 0001"
    "waveshare_relays"  {}  "stages"  3  "01 0f 0000 0008 01 07"
    "chiller_contact"  {}  "pre_cool"  1  "01 05 0000 ff00"
    "chiller_contact"  {}  "pre_cool"  0  "01 05 0000 0000"
    "fan_contact"  {}  "boost"  1  "01 05 0000 ff00"
    "heater_contact"  {"rated_W": 9000}  "heat"  1  "01 05 0000 ff00"
    "heater_contact"  {"rated_W": 9000}  "heat"  0  "01 05 0000 0000"
""")
def test_each_profile_writes_what_its_document_says(name, settings, actuator, value, frame):
    registers = profile.load(name).registers.values()
    signals = [each.name for each in registers if "read" in each.direction]
    request = device(name, signals, Sink(), **settings).write(actuator, value, 0)
    assert request.frame[:-2].hex() == frame.replace(" ", "")


def relays():
    return device("waveshare_relays", ("stages",), Sink())


@cases("""
    value  before_ms  after_ms
    1  249  250
    0  1  1
""")
def test_a_change_waits_for_its_pause_but_the_rest_value_does_not(value, before_ms, after_ms):
    made = relays()
    assert made.write("stages", 2, 0) is not None
    if before_ms < after_ms:
        assert made.write("stages", value, before_ms * 1000) is None
    assert made.write("stages", value, after_ms * 1000) is not None


@pytest.mark.parametrize("value", (0, 2))
def test_a_value_is_repeated_within_its_time_or_after_its_pause_when_it_was_lost(value):
    made = relays()
    request = made.write("stages", value, 0)
    assert made.write("stages", value, 1_999_000) is None
    assert made.write("stages", value, 2_000_000) is not None
    request.on_failure(0, 0, 2_100_000)
    assert made.failures == 1 and made.write("stages", value, 2_249_000) is None
    assert made.write("stages", value, 2_250_000) is not None


def test_bits_are_counted():
    sink = Sink()
    made = device("waveshare_relays", ("stages",), sink)
    slave = Slave()
    slave.coils = 0b0000_0111
    Bus(made, slave).run(1200)
    assert sink.inp[4] == 3 and sink.fresh[3] == 1


def registers_of(name, changes):
    """The profile `name` with other keys in the registers that `changes` names."""
    made = profile.load(name)
    for register, keys in changes.items():
        vars(made.registers[register]).update(keys)
    return made


def runs_of(function, is_ignored):
    """Failures that a genset driver counts in 200 ms after a start command with a read-back."""
    keys = {"write_function": function, "read_back": function == 16}
    made = SiteDevice(
        registers_of("dse_genset", {"run": keys}), 1, Sink(), (4, 3), list(GENSET), {}
    )
    slave = Slave(GOOD | {4104: 0, 4105: 0})
    slave.ignore_writes = is_ignored
    bus = Bus(made, slave)
    bus.port.submit(made.write("run", 1, 0))
    bus.run(100)
    read = made.read_back("run")
    if read is not None:
        bus.port.submit(read)
    bus.run(100)
    assert made.read_back("run") is None, "a write is read back once"
    return made.failures, slave.holding[4104], made.write("run", 1, 300_000) is not None


@pytest.mark.parametrize("function", (16, 23))
def test_a_write_that_the_device_ignores_is_seen_and_repeated(function):
    assert runs_of(function, is_ignored=False) == (0, 35_732, False)
    assert runs_of(function, is_ignored=True) == (1, 0, True)


def test_coils_are_read_back_too():
    made = SiteDevice(
        registers_of("waveshare_relays", {"stages": {"read_back": True}}),
        1,
        Sink(),
        (4, 3),
        ["stages"],
        {},
    )
    bus = Bus(made, Slave())
    for time_us, coils, failures in ((0, 0b111, 0), (2_000_000, 0b110, 1)):
        bus.port.submit(made.write("stages", 3, time_us))
        bus.run(100)
        bus.slave.coils = coils
        bus.port.submit(made.read_back("stages"))
        bus.run(100)
        assert made.failures == failures
