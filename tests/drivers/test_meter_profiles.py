"""Every meter profile: the suite of all drivers, each public reading, refusals of the loader."""

import re
import struct
import types

import pytest
from device_suite import Bus, ModbusSuite, Sink, Slave
from hypothesis import given, strategies as st

from controller.config import meter_profile, profiles
from controller.forms.refusal import ConfigError
from drivers import meter_reads, profile
from drivers.buses import rtu
from drivers.meter import Meter
from hil.devices.mirrored_sensors import MirroredMeter
from safety import signals
from tests.tables import cases

TIMES = "[timing]\nperiod_ms = 200\nturnaround_ms = 20\ntimeout_ms = 150\n"
SETTINGS = (
    "[settings]\nphases = 3\nnominal_voltage_V = 230\nrefresh_ms = 200\n"
    "power_tolerance_permille = 100\npower_tolerance_W = 100\n"
)
HEAD = 'maker = "m"\nmodel = "m"\nfamily = "meter"\ndocuments = ["d"]\n'
PLACES = signals.GRID_POWER_W, signals.GRID_RAW_HASH, signals.G_METER_GRID
LOAD_W = 60_000.0
NAMES = [
    path.stem
    for path in sorted(profile.FOLDER.glob("*.toml"))
    if 'family = "meter"' in path.read_text()
]


def phased(quantity, first, **keys):
    """Lines of three registers one behind the other."""
    width = 2 if keys.get("type", "s32") in ("s32", "float32") else 1
    words = "".join([f", {key} = {value!r}" for key, value in {"type": "s32", **keys}.items()])
    return "".join(
        f"{quantity}_{at + 1} = {{address = {first + at * width}{words}}}\n" for at in range(3)
    )


def own(folder, registers, settings=SETTINGS, more=""):
    path = folder / "own.toml"
    path.write_text(HEAD + TIMES + settings + more + "[registers]\n" + registers)
    return str(path)


def made(name, **rating):
    sink = Sink()
    return Meter(profiles.load(name), 1, sink, *PLACES, **rating), sink


def mirror(path, load_W=LOAD_W):
    """The registers of a simulated meter: {function: {address: word}}."""
    plant = types.SimpleNamespace(
        grid_voltage_V=230.0, grid_frequency_Hz=50.0, load_channels=None, grid_power_W=load_W
    )
    meter = MirroredMeter(plant, "grid", 1, path)
    meter.tick(0)
    return meter


def slave_of(device, load_W=LOAD_W):
    meter, slave = mirror(device.profile.path, load_W), Slave()
    if device.profile.models:
        words = struct.unpack(">300H", meter.payload(3, 40_000, 300))
        slave.holding.update(enumerate(words, 40_000))
        return slave
    for request, _ in device.periodic():
        function, address, count = struct.unpack(">xBHH", request.frame[:6])
        words = struct.unpack(f">{count}H", meter.payload(function, address, count))
        table = slave.holding if function == 3 else slave.inputs
        table.update(zip(range(address, address + count), words))
    return slave


ABSURD = {
    "sdm630": {0x02: 0xBF80, 0x0C: 0x49F0, 0x1E: 0x4000, 0x06: 0xC2C8, 0x10: 0xFF80},
    "firebreak_fast_meter": {0x02: 0xBF80, 0x0C: 0x49F0, 0x12: 0x4000, 0x06: 0xC2C8, 0x16: 0xFF80},
}
CHAIN_AT = {False: 0, True: 40_070}  # of the first model behind model 1 of 66 registers


class MeterSuite(ModbusSuite):
    def fed_by(self, device, request, group):
        return {group} if request.key[1].startswith("meter") else set()

    def build(self):
        device, sink = made(self.name)
        registers = device.profile.registers
        first = registers["voltage_1" if "voltage_1" in registers else "power_W"]
        is_low = first.words > 1 and first.word_order == "little"
        words = {"float32": 0x7FC0, "s16": 0x8000}
        place = CHAIN_AT[bool(device.profile.models)] + first.address % profile.SLOT
        self.absurd = {place + is_low: words.get(first.type, 0x7FFF)} | ABSURD.get(self.name, {})
        self.input_registers = first.function == 4
        return device, slave_of(device), sink, signals.G_METER_GRID


class TestEachProfile(MeterSuite):
    @pytest.fixture(autouse=True, params=NAMES)
    def each(self, request):
        self.name = request.param


class TestSeveralReads(MeterSuite):
    @pytest.fixture(autouse=True)
    def each(self, tmp_path):
        lines = phased("power", 0) + phased("current", 10, scale=0.01) + phased("voltage", 200)
        self.name = own(tmp_path, lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_mirrored_meter_is_read_to_its_power(name):
    """Both signs: that of the profile is that of the box."""
    for load_W in (LOAD_W, -LOAD_W):
        device, sink = made(name)
        bus = Bus(device, slave_of(device, load_W))
        bus.run(1500)  # scale factors count from the second reply
        assert sink.taken() == {signals.G_METER_GRID}
        assert sink.inp[signals.GRID_POWER_W] == pytest.approx(load_W, rel=0.01)


def test_every_profile_has_its_facts():
    for name in NAMES:
        found = profiles.load(name)
        assert found.documents and found.proven == "simulated only", name
        text = found.path.read_text()
        assert "Pitfall: " in text or name == "firebreak_fast_meter", name


# -- what the loader refuses

ALL = phased("power", 0) + phased("current", 10) + phased("voltage", 20)
FAR = phased("power", 0) + phased("current", 300) + phased("voltage", 20)


SCALED = ALL + "power_W = {address = 50, type = 's16', scale_from = 'far'}\nfar = {"
SCALED += "address = 400, type = 's16'}"


def without(text, name):
    return "".join(line + "\n" for line in text.splitlines() if not line.startswith(name))


@cases("""registers  words
    without(ALL, "current_2")  "current_2: is missing; current is read of"
    without(ALL, "power")  "registers: has no power; allowed power_1,"
    ALL + "powr_W = {address = 50, type = 's32'}"  "powr_W: is not a known key; nearest key"
    ALL + "power_W = {address = 50, type = 's32', unit = 'kW'}"  'allowed "W"; use scale'
    ALL + "power_W = {address = 50, type = 's32', scale = 0}"  "scale: 0 is not allowed"
    ALL + "power_W = {address = 21, type = 's32'}"  "allowed 22 or more: it overlaps"
    ALL + "power_W = {address = 50, type = 's16', invalid = [40000]}"  "allowed -32768..32767"
    ALL + "power_W = {address = 50, type = 's16', scale_from = 'x'}"  "an s16 register that is no"
    ALL + "power_W = {address = 50, type = 's16', function = 2}"  "function: 2 is not allowed"
    SCALED  "power_W.scale_from: 'far' is not read with it; allowed one read for both"
    ALL + "power_W = {address = 65535, type = 's32'}"  "65535 is not allowed; allowed 0..65534"
    SCALED.replace("400", "31, scale = 2")  "an s16 register that is no value, with an address"
    SCALED.replace("400", "31, offset = 1")  "an s16 register that is no value, with an address"
    FAR  "current_1: is not in one read with the other"
""")
def test_registers_that_make_no_reading_are_refused(tmp_path, registers, words):
    with pytest.raises(ConfigError) as error:
        profiles.load(own(tmp_path, registers))
    assert words in re.sub(r"[\n ]+", " ", str(error.value))


def test_a_voltage_needs_its_nominal(tmp_path):
    settings = SETTINGS.replace("nominal_voltage_V = 230\n", "")
    with pytest.raises(ConfigError, match="settings.nominal_voltage_V: is missing"):
        profiles.load(own(tmp_path, ALL, settings))
    assert profiles.load(own(tmp_path, phased("power", 0), settings))


@cases("""key  value
    "evidence"  "sure" | "proven"  "yes"
""")
def test_evidence_is_one_of_its_words(tmp_path, key, value):
    path = own(tmp_path, ALL)
    (tmp_path / "own.toml").write_text(f'{key} = "{value}"\n' + (tmp_path / "own.toml").read_text())
    with pytest.raises(ConfigError, match=f'{key}: "{value}" is not allowed; allowed '):
        profiles.load(path)


def test_evidence_names_values_that_the_profile_has(tmp_path):
    path = own(tmp_path, ALL)
    text = (tmp_path / "own.toml").read_text()
    (tmp_path / "own.toml").write_text('evidence_of = ["current_1", "curent_2"]\n' + text)
    with pytest.raises(ConfigError, match='evidence_of: "curent_2" .*nearest key "current_2"'):
        profiles.load(path)


def test_what_a_meter_does_not_compare_is_said_with_its_cost(tmp_path):
    total = own(tmp_path, "power_W = {address = 0, type = 's32', scale = 10}")
    lines = list(meter_profile.lacks(profiles.load(total)))
    starts = (
        "no voltage",
        "no current",
        "the total alone",
        "no power factor",
        "frequency at most each 10 s",
        "power in steps of 10 W",
    )
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 6
    (line,) = meter_profile.lacks(profiles.load("sdm630"))
    assert line.startswith("frequency at most each 10 s")
    beside = own(
        tmp_path,
        "power_W = {address = 0, type = 's32', scale = 10}\n"
        "frequency = {address = 9, type = 'u16', scale = 0.01}",
    )
    assert not any("steps" in line for line in meter_profile.lacks(profiles.load(beside)))
    assert meter_reads.fast_names(
        *[vars(profiles.load(beside))[key] for key in ("registers", "settings")]
    ) == ["power_W", "frequency"]


REGISTERS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(("u16", "s16", "u32", "s32", "u64", "s64", "float32", "float64")),
        "address": st.integers(0, 90) | st.sampled_from((400, 65_530, 65_535)),
    },
    optional={
        "function": st.sampled_from((3, 4)),
        "word_order": st.sampled_from(("big", "little")),
        "byte_order": st.sampled_from(("big", "little")),
        "scale": st.sampled_from((0.1, 10, -1, 1e-9, 1e9)),
        "offset": st.sampled_from((-400, 0.5)),
        "invalid": st.lists(st.integers(0, 32_767), max_size=2),
        "scale_from": st.just("factor"),
    },
)
SOME = st.dictionaries(st.sampled_from(meter_profile.NAMES), REGISTERS, max_size=6)


def line_of(name, keys):
    words = [f"{key} = {value!r}" for key, value in keys.items()]
    return f"{name} = {{{', '.join(words)}}}\n"


@given(some=SOME, total=REGISTERS, phases=st.integers(0, 3), data=st.data())
def test_a_profile_is_refused_in_one_line_or_takes_any_reply(
    tmp_path_factory, some, total, phases, data
):
    lines = {**some, "power_W": total, "factor": {"type": "s16", "address": 91}}
    used = any("scale_from" in each for each in lines.values())
    text = "".join(line_of(*each) for each in lines.items() if used or each[0] != "factor")
    folder = tmp_path_factory.getbasetemp()
    settings = SETTINGS.replace("phases = 3", f"phases = {phases}")
    try:
        device, sink = made(own(folder, text, settings))
    except ConfigError as error:
        assert "\n" not in str(error)
        return
    for request, _ in [*device.periodic(), *device.periodic()]:
        size = request.reply_bytes - 5
        pdu = bytes((request.function, size)) + data.draw(st.binary(min_size=size, max_size=size))
        request.on_reply(pdu, 0)
        request.on_reply(pdu, 0)
    assert abs(sink.inp[signals.GRID_POWER_W]) <= signals.INT_MAX
    assert all(-1 <= number < 1 << 62 for number in device.report())


# -- what the driver refuses


def give(request, words, now_us=0):
    """The reply to a read; words: {address: word}."""
    _, address, count = struct.unpack(">xBHH", request.frame[:6])
    data = struct.pack(f">{count}H", *[words.get(address + at, 0) for at in range(count)])
    request.on_reply(bytes((3, len(data))) + data, now_us)


def fed(name, words, now_us=0, device=None):
    """The meter after the replies to its reads."""
    device, sink = device or made(name)
    for request in device.fast():
        give(request, words, now_us)
    return device, sink


def reported(device):
    return dict(zip(Meter.REPORT, device.report(), strict=True))


def low_first(values):
    """{address: word} of s32 values, high word first."""
    found = {}
    for address, value in values.items():
        found[address], found[address + 1] = value >> 16 & 0xFFFF, value & 0xFFFF
    return found


GOOD = {0: 1000, 2: 1000, 4: 1000, 10: 5, 12: 5, 14: 5, 20: 230, 22: 230, 24: 230, 30: 3000}


@cases("""change  is_taken
    {}  True | {30: 3400}  True | {30: 3401}  False | {30: -3000}  False | {4: 1366}  False
    {0: -1000, 2: -1000, 4: -1000, 30: -3000}  True | {10: -5}  True | {20: 114}  False
    {22: 0x7FFFFFFF}  False""")
def test_a_total_must_agree_with_its_phases(tmp_path, change, is_taken):
    lines = ALL.replace("}", ", invalid = [0x7FFFFFFF]}")
    name = own(tmp_path, lines + "power_W = {address = 30, type = 's32'}")
    device, sink = fed(name, low_first(GOOD | change))
    assert device.refused == 1 - is_taken and bool(sink.taken()) == is_taken
    if is_taken:
        assert sink.inp[signals.GRID_POWER_W] == (GOOD | change)[30]


@cases("""raw  mHz
    4998  49_980 | 65_535  0 | 10_001  0""")
def test_a_frequency_without_a_value_costs_only_itself(tmp_path, raw, mHz):
    frequency = "frequency = {address = 40, type = 'u16', scale = 0.01, invalid = [65535]}"
    device, sink = fed(own(tmp_path, without(ALL, "voltage") + frequency), {1: 900, 40: raw})
    assert sink.taken() and device.refused == 0 and device.quality(0) == (0, mHz)


@cases("""watts  is_taken
    3895  True | 3896  False | -3895  True | -3896  False""")
def test_a_total_without_phases_is_compared_with_voltage_times_current(tmp_path, watts, is_taken):
    lines = without(ALL, "power") + "power_W = {address = 30, type = 's32'}"
    device, sink = fed(own(tmp_path, lines), low_first(GOOD | {30: watts}))
    assert device.refused == 1 - is_taken and bool(sink.taken()) == is_taken


@cases("""keys  words  watts
    {"type": "s16", "offset": 1000}  [10, 20, 30]  3060
    {"type": "s16", "byte_order": "little"}  [0x0A00, 0x1400, 0x1E00]  60
    {"type": "s32", "word_order": "little"}  [10, 0, 20, 0, 0xFFFE, 0xFFFF]  28
    {"type": "s32", "word_order": "little", "byte_order": "little"}  [0x0A00, 0, 0, 0, 0, 0]  10
    {"type": "u16", "scale": -0.5}  [10, 20, 31]  -30
    {"type": "s16", "scale": 1e-3}  [499, 1, 0]  0 | {"type": "s16", "scale": 1e3}  [1, 2, 3]  6000
""")
def test_orders_scales_and_offsets(tmp_path, keys, words, watts):
    _, sink = fed(own(tmp_path, phased("power", 0, **keys)), dict(enumerate(words)))
    assert sink.taken() and sink.inp[signals.GRID_POWER_W] == watts


FACTORS = phased("power", 0, type="s16", scale_from="power_scale") + (
    "power_scale = {address = 3, type = 's16'}\n"
)


def test_a_scale_factor_counts_when_it_has_come_twice(tmp_path):
    name = own(tmp_path, FACTORS)
    device, sink = made(name)
    found = []
    for words in (
        [10, 20, 30, 1],
        [10, 20, 30, 1],
        [1, 2, 3, 2],
        [1, 2, 3, 2],
        [1, 2, 3, 0x8000],
        [1, 2, 3, 0x8000],
        [7, 7, 7, 0xFFFF],
        [7, 7, 7, 0xFFFF],
    ):
        fed(name, dict(enumerate(words)), device=(device, sink))
        found.append(sink.inp[signals.GRID_POWER_W] if sink.taken() else None)
    assert found == [None, 600, None, 600, None, None, None, 2]
    assert device.refused == 5


@pytest.fixture
def parted(tmp_path):
    """A meter of two reads: voltages far from the rest."""
    lines = phased("power", 0) + phased("current", 10) + phased("voltage", 200)
    device, sink = made(own(tmp_path, lines))
    volts, powers = device.fast()
    assert [request.key[1] for request in (volts, powers)] == ["meter 1", "meter"]
    words = low_first(GOOD | {200: 230, 202: 230, 204: 230})

    def is_fresh(request, now_us):
        give(request, words, now_us)
        return bool(sink.taken())

    return types.SimpleNamespace(give=is_fresh, volts=volts, powers=powers, words=words, sink=sink)


def test_a_reading_of_two_reads_is_fresh_with_the_last_of_one_round(parted):
    give, volts, powers = parted.give, parted.volts, parted.powers
    assert not give(volts, 0) and give(powers, 50_000)
    assert not give(powers, 250_000), "without its voltages"
    assert not give(volts, 400_000) and not give(powers, 600_000), "of two rounds"
    assert not give(volts, 800_000)
    volts.on_failure(0, 0, 900_000)
    assert not give(powers, 950_000), "a failure lies between them"
    assert not give(volts, 1_000_000) and not give(volts, 1_200_000) and give(powers, 1_300_000)


def test_each_word_of_all_reads_is_in_the_hash(parted):
    seen = set()
    for address in (None, 11, 201):
        if address is not None:
            parted.words[address] += 1
        assert not parted.give(parted.volts, 0) and parted.give(parted.powers, 1)
        seen.add(parted.sink.inp[signals.GRID_RAW_HASH])
    assert len(seen) == 3


def test_the_refresh_is_measured_by_the_changes_of_the_words(tmp_path):
    device, sink = made(own(tmp_path, ALL))
    name = device.profile.path
    report = reported(device)
    assert (report["refresh_stated_ms"], report["refresh_ms"]) == (200, -1)
    for number in range(60):  # read each 100 ms, new each 250 ms
        words = low_first(GOOD | {0: 1000 + number * 100 // 250})
        fed(name, words, number * 100_000, (device, sink))
    report = reported(device)
    assert report["refresh_ms"] == 250
    assert report["refresh_least_ms"] == 200
    device.fast()[0].on_failure(0, 0, 0)
    assert reported(device)["refresh_ms"] == -1


def test_a_measured_refresh_of_almost_10_ms_is_one_of_10_ms(tmp_path):
    device, sink = made(own(tmp_path, ALL))
    for number in range(60):
        words = low_first(GOOD | {0: 1000 + number})
        fed(device.profile.path, words, number * 9_960, (device, sink))
    assert reported(device)["refresh_ms"] == 10


def test_no_value_of_another_device_counts():
    device, sink = made("em24_ethernet")
    bus = Bus(device, slave_of(device))
    bus.slave.holding[0xA000] = 3
    bus.run(3000)
    assert not sink.taken() and reported(device)["other_device"] == 2
    bus.slave.holding[0xA000] = 7
    bus.run(1000)
    assert sink.taken() == {signals.G_METER_GRID} and device.refused == 0
    bus.slave.holding[11] = 1  # replaced without a silence
    bus.run(31_000)
    sink.taken()
    bus.run(2000)
    assert not sink.taken() and reported(device)["other_device"] == 1


@cases("""fault  bad  good  for_ms
    "silent"  True  False  1500 | "exception"  4  0  6000""")
def test_after_a_silence_the_identity_comes_first(fault, bad, good, for_ms):
    device, sink = made("em24_ethernet")
    bus = Bus(device, slave_of(device))
    bus.run(1000)
    assert sink.taken()
    setattr(bus.slave, fault, bad)
    bus.run(for_ms)
    sink.taken()
    setattr(bus.slave, fault, good)
    bus.slave.holding[11] = 1
    bus.run(5000)
    assert not sink.taken()


def test_the_identity_of_a_meter_that_answers_costs_no_reading():
    device, sink = made("em24_ethernet")
    bus = Bus(device, slave_of(device))
    bus.run(1000)
    for _ in range(130):
        sink.taken()
        bus.run(250)
        assert sink.taken() and device._identity.is_identified


def test_energies_and_frequency_are_read_seldom_and_refuse_nothing(tmp_path):
    lines = ALL + "frequency = {address = 90, type = 'u16', scale = 0.01}\n"
    lines += "energy_import = {address = 91, type = 'u32', scale = 0.1}\n"
    device, _ = made(own(tmp_path, lines, SETTINGS + "gap_registers_max = 10\n"))
    (slow_read, period_us) = device.periodic()[-1]
    assert (slow_read.key[1], period_us) == ("slow 1", 10_000_000)
    slow_read.on_reply(bytes((3, 6)) + struct.pack(">HI", 5001, 12_345), 0)
    slow_read.on_reply(bytes((3, 6)) + struct.pack(">HI", 0, 12_346), 0)
    report = reported(device)
    found = report["frequency_mHz"], report["import_Wh"], report["export_Wh"]
    assert found == (50_010, 1_234_600, -1) and device.refused == 0
    slow_read.on_failure(rtu.TIMEOUT, 0, 0)
    assert device.report()[-3:] == (-1, -1, -1)


@pytest.mark.parametrize("name", ["acuvim2", "eem", "pac2200", "pm5100", "sdm630", "umg604"])
def test_a_frequency_that_the_battery_responds_to_comes_in_the_read_of_the_power(name):
    profile = profiles.load(name)
    assert "frequency" in meter_reads.slow_names(profile.registers, profile.settings)
    assert meter_profile.read_frequency(profile) == ""
    assert "frequency" not in meter_reads.slow_names(profile.registers, profile.settings)
    device = Meter(profile, 1, Sink(), *PLACES)
    assert len(device.fast()) == 1 and "frequency" in device._numbers.names
