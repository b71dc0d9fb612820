"""The generic family: blocks, each signal by itself; writes that change, are lost, repeat."""

import dataclasses
import itertools
import struct
from array import array
from types import SimpleNamespace

import pytest
from device_suite import Bus, ModbusSuite, Slave

from controller.config import profiles
from controller.config.site_devices import gates
from controller.core.base import reasons
from controller.core.site_devices import roles
from drivers import profile
from drivers.site_device import SiteDevice
from hil.devices import sunspec_chain
from tests.tables import cases

GENSET = ("power_W", "is_running", "is_ready_ok", "fuel_permille")
# 768 maker, 772 mode, 1027 fuel, 1408 state, 1536 power
GOOD = {768: 1, 772: 1, 1027: 90, 1408: 3, 1536: 0xFFFF, 1537: 0xFF9C}


@dataclasses.dataclass
class Sink:
    inp: array = dataclasses.field(default_factory=lambda: array("i", [0] * 20))
    fresh: bytearray = dataclasses.field(default_factory=lambda: bytearray(8))

    def taken(self):
        groups = {group for group, is_fresh in enumerate(self.fresh) if is_fresh}
        self.fresh[:] = bytes(8)
        return groups


def device(of, signals, sink=None, bounds=None, **settings):
    """of: a profile, or its name."""
    loaded = profiles.load(of) if isinstance(of, str) else of
    return SiteDevice(loaded, 1, sink or Sink(), (4, 3), list(signals), settings, bounds)


class SiteSuite(ModbusSuite):
    """Suite of a site device: each signal is fresh by itself. GROUP is that of the first signal."""

    settle_ms = 2200
    old_ms = 1100
    input_registers = False

    def fed_by(self, device, request, group):
        heads = [frame_head(device, each) for each in device._blocks]
        block = device._blocks[heads.index(request.frame[:6])]
        signals = device._signals
        return {3 + signals[at].place for at, _, _ in block.places if at < len(signals)}

    def test_absurd_values_are_refused_whole(self):
        """Here each value is refused alone."""

    def test_a_value_without_meaning_makes_its_own_signal_unknown_and_no_other(self):
        for signal in self.started()[0].device._signals:
            bus, sink, _ = self.started()
            register = signal.codec._register
            every = sink.taken() | {3 + each.place for each in bus.device._signals}
            for words, is_refused in absurd_words(register):
                table = bus.slave.holding if register.function == 3 else bus.slave.inputs
                at = bus.device.places.of(register.address)
                before = [table[at + place] for place in range(len(words))]
                table.update(enumerate(words, at))
                bus.run(self.old_ms)
                sink.taken()
                refused, value = bus.device.refused, sink.inp[4 + signal.place]
                bus.run(2 * self.settle_ms)
                assert sink.taken() == every - {3 + signal.place}, (register.name, words)
                assert sink.inp[4 + signal.place] == value
                assert (bus.device.refused > refused) == is_refused
                assert bus.device.refused_mask == is_refused << signal.place
                table.update(enumerate(before, at))
                is_held = is_refused and not register.values
                bus.run(self.settle_ms + HELD_MS * is_held)
                assert bus.device.refused_mask == 0 and 3 + signal.place in sink.taken()


HELD_MS = 60_000


def frame_head(device, block):
    return struct.pack(">BBHH", 1, block.function, device.places.of(block.address), block.length)


def absurd_words(register):
    """[(words of a raw value, whether it is refused)]: invalid ones, and one out of range."""
    if register.type == "bit":
        return []
    size = register.words
    raws = [(raw, False) for raw in register.invalid[:1]]
    spare = [raw for raw in range(1 << 16) if str(raw) not in register.values]
    if register.values:
        raws += [(raw, True) for raw in spare if raw not in register.invalid][:1]
    elif register.high / abs(register.scale) < 1 << 16 * size - 1:
        beyond = int((register.high + 1) / register.scale) + 1
        raws.append((beyond, True))
    order = 1 if register.word_order == "big" else -1
    return [
        (
            struct.unpack(f">{size}H", (raw % (1 << 16 * size)).to_bytes(2 * size, "big"))[::order],
            is_,
        )
        for raw, is_ in raws
    ]


SETTINGS = {"rated_W": 200_000, "limit_W_max": 200_000, "stages_max": 4}
PROFILES = sorted(
    path.stem
    for path in profile.FOLDER.glob("*.toml")
    if profiles.load(path.stem).family == "site_device"
)


def laid_out(made, **layout):
    """The registers of a profile as they lie on a device, with the chain of a SunSpec one."""
    data = sunspec_chain.read(made.path, **layout)
    found = [
        profile.Register(**vars(each) | {"address": data["registers"][each.name]["address"]})
        for each in made.registers.values()
    ]
    for each in [each for each in found if each.name == "limit_scale"]:
        each.equals = [-2]
    plain = {"direction": "read", "word_order": "big", "function": 3, "values": {}}
    for name, each in data.get("identity", {}).items():
        words = struct.calcsize(sunspec_chain.WORDS[each["type"]]) // 2
        found.append(profile.Register(**{**plain, "name": name, "words": words, **each}))
    if made.models:
        own = plain | {"type": "u16", "name": "", "words": 1, "equals": [0]}
        found = [profile.Register(**own, address=at) for at in range(40_000, 40_300)] + found
    return found


def slave_of(made):
    """A device that holds what a profile reads: 0, or its first state; 1 for each bit."""
    slave = Slave()
    slave.bits = slave.coils = 0b0001
    device_of = laid_out(made)
    for register in device_of:
        if "read" in register.direction and register.type != "bit":
            state = getattr(register, "equals", None) or [*map(int, register.values), 0]
            mask = getattr(register, "mask", 0)
            raw = state[0] * (mask & -mask or 1)  # in its bits of the register
            data = (raw % (1 << 16 * register.words)).to_bytes(2 * register.words, "big")
            words = struct.unpack(f">{register.words}H", data)
            table = slave.holding if register.function == 3 else slave.inputs
            order = 1 if register.word_order == "big" else -1
            table.update(enumerate(words[::order], register.address))
    return slave


class TestEachProfile(SiteSuite):
    @pytest.fixture(autouse=True, params=PROFILES)
    def chosen(self, request):
        self.name = request.param

    def build(self):
        made, sink = profiles.load(self.name), Sink()
        self.role = roles.ROLES[made.settings["role"]]
        names = [each.name for each in self.role.signals]
        built = device(made, names, sink, **SETTINGS)
        return built, slave_of(made), sink, 3 + built._signals[0].place

    def ranges(self, sink):
        return [(3 + at, 4 + at, each.low, each.high) for at, each in enumerate(self.role.signals)]

    def replaced(self, silent_ms, link=None):
        """(bus, sink, undo) for each register of the identity: another device answers now."""
        for number, register in enumerate(profiles.load(self.name).identity.values(), 1):
            bus, sink, _ = self.started()
            bus.slave.silent = bool(silent_ms)
            bus.run(0 if link else silent_ms)
            bus.now_us += 1000 * silent_ms if link else 0
            at = register.address + register.words - 1
            bus.slave.silent, bus.slave.holding[at] = False, bus.slave.holding[at] ^ 0x4000
            sink.taken()
            yield bus, sink, number, at

    def test_no_value_counts_and_nothing_is_written_while_the_identity_differs(self):
        """Found by each register alone; after a silence before the first value counts."""
        periods = 4 * profiles.load(self.name).period_ms
        silences = self.replaced(periods), self.replaced(6200, link="down, so nothing is asked")
        for bus, sink, number, at in itertools.chain(*silences):
            names = list(bus.device._writes)
            assert [bus.device.write(name, 0, bus.now_us) for name in names] == [None] * len(names)
            bus.run(3 * self.settle_ms)
            assert not sink.taken() and bus.device.other_device == number
            assert [bus.device.write(name, 0, bus.now_us) for name in names] == [None] * len(names)
            bus.slave.holding[at] ^= 0x4000
            bus.run(self.settle_ms)
            assert sink.taken() and bus.device.other_device == 0
            assert None not in [bus.device.write(name, 0, bus.now_us) for name in names]

    def test_its_reads_count_as_done_when_each_has_answered_or_failed(self):
        """Also of a device that says nothing yet, and of one that is not the right one at first."""
        device_, slave, sink, _ = self.build()
        bus = Bus(device_, slave)
        slave.silent = True
        assert not device_.is_read
        bus.run(3 * self.settle_ms)
        assert device_.is_read != bool(device_._checks)
        slave.silent = False
        bus.run(self.settle_ms)
        assert device_.is_read

    def test_an_exception_differs_only_if_it_says_that_there_is_no_such_register(self):
        for code in (*range(1, 7), 10, 11):
            device_, slave, _, _ = self.build()
            slave.exception = code
            Bus(device_, slave).run(1500)
            is_other = bool(device_._checks) and (code in (1, 2, 3) or bool(device_.profile.models))
            assert (device_.other_device > 0) == is_other, code

    def test_a_device_that_is_replaced_without_a_silence_is_found_in_30_s(self):
        for bus, sink, number, _ in self.replaced(silent_ms=0):
            bus.run(31_000)
            sink.taken()
            bus.run(3 * self.settle_ms)
            assert not sink.taken() and bus.device.other_device == number


class TestGenset(SiteSuite):
    def build(self):
        sink = Sink()
        slave = Slave(GOOD)
        return device("dse_genset", GENSET, sink), slave, sink, 3

    def ranges(self, sink):
        signals = [each for each in roles.GENSET.signals if each.name in GENSET]
        return [(3 + at, 4 + at, each.low, each.high) for at, each in enumerate(signals)]

    def test_each_value_has_its_place(self):
        _, sink, _ = self.started()
        assert list(sink.inp[4:8]) == [-100, 1, 1, 900] and not any(sink.inp[8:])

    def test_no_signal_is_fresh_with_a_value_of_before_its_silence(self):
        """The engine state is refused, then the whole device is silent, then all but it answer."""
        bus, sink, _ = self.started()
        state = bus.slave.holding.pop(1408)
        bus.run(2500)
        bus.slave.silent = True
        bus.run(60_000)
        bus.slave.silent = False
        bus.slave.holding.update({1027: 50, 1536: 0, 1537: 0})
        sink.taken()
        bus.run(8000)
        assert sink.taken() == {3, 5, 6} and list(sink.inp[4:8]) == [0, 1, 1, 500]
        bus.slave.holding[1408] = state
        bus.run(5000)
        assert sink.taken() == {3, 4, 5, 6}


UPS = {0: 0, 1: 0b10, 128: 0, 129: 600, 130: 0xC800, 136: 100 * 256 // 2}


@cases("""
    changes                     refused  found
    {}                          0        (0, 1000, 600, 100_000)
    {1: 0b100}                  0        (1, 1000, 600, 100_000)
    # high efficiency beside it, and test beside the battery
    {1: 0b10_0000_0000_0010}    0        (0, 1000, 600, 100_000)
    {1: 0b1000_0100}            0        (1, 1000, 600, 100_000)
    {1: 0b1000}                 0        (2, 1000, 600, 100_000)
    {1: 0b1_0000}               0        (3, 1000, 600, 100_000)
    # a state of 0, as in a gap of the map, or two at once, is none
    {1: 0}                      0b1      (None, 1000, 600, 100_000)
    {1: 0b110}                  0b1      (None, 1000, 600, 100_000)
    {130: 0x0001}               0        (0, 0, 600, 100_000)
    {130: 0xC81A}               0b10     (0, None, 600, 100_000)
    {128: 1, 129: 0}            0        (0, 1000, 65_536, 100_000)
    {128: 0xFFFF, 129: 0xFFFF}  0b100    (0, 1000, None, 100_000)
    {136: 150 * 256}            0        (0, 1000, 600, 300_000)
    {136: 150 * 256 + 1}        0b1000   (0, 1000, 600, None)
""")
def test_a_ups_of_the_load_is_read_by_the_map_of_its_maker(changes, refused, found):
    """200 kW rated, so its load is at most 300 kW; binary fixed point."""
    names, sink = [each.name for each in roles.LOAD_UPS.signals], Sink()
    bounds = {"load_W": (0, 300_000)}
    made = device("apc_smart_ups", names, sink, bounds, rated_W=200_000)
    bus = Bus(made, Slave(UPS | changes))
    bus.run(3500)
    fresh = sink.taken()
    values = [each if 3 + at in fresh else None for at, each in enumerate(sink.inp[4:8])]
    assert (tuple(values), made.refused_mask) == (found, refused)


@cases("""
    inputs  found
    0b000  (0, 0, 1) | 0b101  (1, 0, 0) | 0b010  (0, 1, 1)
""")
def test_contacts_of_the_grid_operator_are_read_from_the_inputs_of_a_relay_module(inputs, found):
    """The third one opens for its stage."""
    sink, opens = Sink(), {"contact_3": {"values": {"0": 1, "1": 0}}}
    names = ["contact_1", "contact_2", "contact_3"]
    made = device(registers_of("operator_contacts", opens), names, sink)
    slave = slave_of(made.profile)
    slave.bits = inputs
    Bus(made, slave).run(1500)
    assert (sink.taken(), tuple(sink.inp[4:7])) == ({3, 4, 5}, found)


@cases("""
    name  settings  actuator  value  frame
    "dse_genset"  {}  "run"  1  "01 10 1008 0002 04 8b94 746b"
    "dse_genset"  {}  "run"  0  "01 10 1008 0002 04 8b95 746a"
    "sunspec_pv"  {"rated_W": 200_000}  "limit_W"  50_019  \
"01 10 9cbf 0005 0a 09c4 0000 003c 0000 0001"
    "waveshare_relays"  {"stages_max": 8}  "stages"  3  "01 0f 0000 0008 01 07"
    "waveshare_relays"  {"stages_max": 4}  "stages"  3  "01 0f 0000 0004 01 07"
    "chiller_contact"  {}  "pre_cool"  1  "01 05 0000 ff00"
    "chiller_contact"  {}  "pre_cool"  0  "01 05 0000 0000"
    "fan_contact"  {}  "boost"  1  "01 05 0000 ff00"
    "heater_contact"  {"rated_W": 9000}  "heat"  1  "01 05 0000 ff00"
    "heater_contact"  {"rated_W": 9000}  "heat"  0  "01 05 0000 0000"
    "load_cap_tcp"  {}  "lower_W"  70_000  "01 10 0005 0002 04 0001 1170"
""")
def test_each_profile_writes_what_its_document_says(name, settings, actuator, value, frame):
    registers = profiles.load(name).registers.values()
    signals = [each.name for each in registers if "read" in each.direction]
    made = device(name, signals, **settings)
    Bus(made, slave_of(made.profile)).run(1000)
    request = made.write(actuator, value, 1_000_000)
    assert request.frame[:-2].hex() == frame.replace(" ", "")
    device_ = SimpleNamespace(profile=profiles.load(name), address=1, settings=settings)
    gate = gates(device_)[actuator]
    gate.move(*made.written_at(actuator))
    assert gate.check(request.frame, 0, value) == reasons.NONE


@cases("""
    value  word_order  byte_order  words
    -100_000  "big"  "big"  "fffe 7960" | -100_000  "little"  "big"  "7960 fffe"
    -100_000  "big"  "little"  "feff 6079" | -100_000  "little"  "little"  "6079 feff"
    -1  "big"  "big"  "ffff ffff" | -(1 << 31)  "big"  "big"  "8000 0000"
    (1 << 31) - 1  "big"  "big"  "7fff ffff" | (1 << 31) - 1  "little"  "big"  "ffff 7fff"
    70_000  "big"  "big"  "0001 1170" | 70_000  "little"  "big"  "1170 0001"
""")
@pytest.mark.parametrize("function", (16, 23))
def test_a_32_bit_write_goes_out_whole_in_one_frame(function, value, word_order, byte_order, words):
    """And the gate, which decodes by its own code, reads the same value from the frame."""
    keys = {"type": "s32", "words": 2, "word_order": word_order, "byte_order": byte_order}
    keys |= {"scale": 1, "scale_by": "", "with_words": [], "write_function": function}
    keys |= {"scale_from": "", "fixed_words": [], "address": 40_127, "write_address": 40_127}
    profile_ = registers_of("sunspec_pv", {"limit_W": keys, "power_W": {"scale_from": ""}})
    profile_.models = []
    del profile_.registers["power_scale"], profile_.registers["limit_scale"]
    made = device(profile_, ["power_W"], **SETTINGS)
    frame = made.write("limit_W", value, 0).frame
    head = "01 10 9cbf 0002 04" if function == 16 else "01 17 9cbf 0002 9cbf 0002 04"
    assert frame[:-2] == bytes.fromhex(head + words)
    device_ = SimpleNamespace(profile=profile_, address=1, settings=SETTINGS)
    assert gates(device_)["limit_W"].value(frame) == value


@cases("""
    refusals  held_ms
    1  0 | 2  60_000 | 9  60_000
""")
def test_a_value_beyond_the_rating_twice_in_a_row_is_unknown_for_a_minute(refusals, held_ms):
    """150 kW at 100 kW rated; the inverter is read every 500 ms."""
    made, sink = profiles.load("sunspec_pv"), Sink()
    names, bounds = ["power_W", "available_W"], {"power_W": (-5000, 120_000)}
    bus = Bus(device(made, names, sink, bounds, **SETTINGS), slave_of(made))
    bus.slave.holding[40085] = 1  # power_scale
    bus.run(1700)
    assert sink.taken() == {3}
    bus.slave.holding[40084] = 15_000
    bus.run(500 * refusals)
    assert (sink.taken(), sink.inp[4], bus.device.refused) == (set(), 0, refusals)
    bus.slave.holding[40084] = 5000
    if held_ms:
        assert (bus.device.refused_mask, bus.device.refused_value) == (1, 150_000)
        bus.run(held_ms - 500)
        assert not sink.taken() and bus.device.refused_mask == 1
    bus.run(1000)
    assert (sink.taken(), sink.inp[4], bus.device.refused_mask) == ({3}, 50_000, 0)


def relays():
    return device("waveshare_relays", ("stages",))


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


def test_the_own_bits_are_counted_and_written_and_no_others():
    sink = Sink()
    made = device("waveshare_relays", ("stages",), sink, stages_max=4)
    slave = Slave()
    slave.coils = 0b1001_0111
    bus = Bus(made, slave)
    bus.run(1200)
    assert sink.inp[4] == 3 and sink.fresh[3] == 1
    bus.port.submit(made.write("stages", 1, bus.now_us))
    bus.run(100)
    assert slave.coils == 0b1001_0001


def registers_of(name, changes):
    """The profile `name` with other keys in the registers that `changes` names."""
    made = profiles.load(name)
    for register, keys in changes.items():
        vars(made.registers[register]).update(keys)
    return made


def runs_of(function, is_ignored):
    """Failures that a genset driver counts in 200 ms after a start command with a read-back."""
    keys = {"write_function": function, "read_back": function == 16}
    made = device(registers_of("dse_genset", {"run": keys}), GENSET)
    slave = Slave(GOOD | {4104: 0, 4105: 0})
    slave.ignore_writes = is_ignored
    bus = Bus(made, slave)
    bus.run(100)
    bus.port.submit(made.write("run", 1, 0))
    bus.run(100)
    read = made.read_back("run")
    if read is not None:
        bus.port.submit(read)
    bus.run(100)
    assert made.read_back("run") is None, "a write is read back once"
    return made.failures, slave.holding[4104], made.write("run", 1, 400_000) is not None


@pytest.mark.parametrize("function", (16, 23))
def test_a_write_that_the_device_ignores_is_seen_and_repeated(function):
    assert runs_of(function, is_ignored=False) == (0, 35_732, False)
    assert runs_of(function, is_ignored=True) == (1, 0, True)


def test_coils_are_read_back_too():
    made = device(registers_of("waveshare_relays", {"stages": {"read_back": True}}), ["stages"])
    bus = Bus(made, Slave())
    for time_us, coils, failures in ((0, 0b111, 0), (2_000_000, 0b110, 1)):
        bus.port.submit(made.write("stages", 3, time_us))
        bus.run(100)
        bus.slave.coils = coils
        bus.port.submit(made.read_back("stages"))
        bus.run(100)
        assert made.failures == failures
