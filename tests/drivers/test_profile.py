"""Profiles: every shipped one loads; each mistake is one line: file, key, what is allowed."""

import copy
import re

import pytest

from drivers import profile, profile_schema
from drivers.profile import ProfileError
from tests.tables import cases

SHIPPED = sorted(path.stem for path in profile.FOLDER.glob("*.toml"))


def text_of(name):
    return (profile.FOLDER / f"{name}.toml").read_text()


def refusal(tmp_path, text):
    path = tmp_path / "device.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ProfileError) as error:
        profile.load(path)
    line = str(error.value)
    assert line.startswith("device.toml: ") and "\n" not in line
    return line.removeprefix("device.toml: ")


def plain(loaded):
    return copy.deepcopy((loaded.settings, loaded.frames, loaded.documents, loaded.registers))


def test_all_families_are_shipped():
    assert {profile.load(name).family for name in SHIPPED} == set(profile_schema.FAMILIES)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_loaded_profile_is_a_copy(name):
    """The text is parsed once for all devices of a profile."""
    first, before = profile.load(name), plain(profile.load(name))
    for value in (*first.settings.values(), *first.frames.values(), first.documents):
        if isinstance(value, (list, dict)):
            value.clear()
    first.settings.clear()
    first.frames.clear()
    for register in first.registers.values():
        register.address = None
    assert plain(profile.load(name)) == before


def test_an_edited_profile_is_read_anew(tmp_path):
    path = tmp_path / "device.toml"
    for model in ("one", "two"):
        text = re.sub("(?m)^model = .*$", f'model = "{model}"', text_of(SHIPPED[0]))
        path.write_text(text)
        assert profile.load(path).model == model


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles(name):
    loaded = profile.load(name)
    assert loaded.maker and loaded.model and loaded.documents
    assert loaded.period_ms >= 5 and loaded.path == profile.FOLDER / f"{name}.toml"
    for register in loaded.registers.values():
        assert set(register.direction.split()) <= set(profile_schema.DIRECTIONS)
        if register.low is not None:
            assert register.low <= register.high
        else:
            assert register.type in ("bit", "sunssf", "bitfield32", "u32"), register.name


def test_the_meaning_of_each_fault_bit():
    """SunSpec names 17 of 32 bits; the other bits are warnings."""
    pcs, rack = [profile.load(name) for name in ("sunspec_pcs", "firebreak_rack")]
    assert [pcs.mask(meaning) for meaning in profile_schema.MEANINGS] == [0xD063, 0x12F80, 0x1C]
    assert [rack.mask(meaning) for meaning in profile_schema.MEANINGS] == [0xFF, 0, 0]
    pylontech = profile.load("pylontech_lv").fault_bits
    every = [bit for table in pylontech.values() for bit in table.values()]
    assert sorted(every) == [1, 2, 3, 4, 7, 8, 11, *range(14, 30)]
    assert profile.load("sdm630").fault_bits == {}


def test_values_of_a_register():
    register = profile.load("sunspec_pcs").registers["704.WSet"]
    slots = "address code words sentinel scale_factor unit low high direction"
    assert [getattr(register, slot) for slot in slots.split()] == (
        [24, "i", 2, -0x80000000, "WSet_SF", "W", -400_000, 400_000, "write"]
    )


# Two lines each: a change of a shipped profile (the first match only), the line that refuses it.
MISTAKES = {
    "sdm630": """
period_ms = 100 => period_m = 100
    timing.period_m: unknown key, did you mean period_ms?
period_ms = 100 => period_ms = 4
    timing.period_ms: 4; allowed a whole number from 5 to 60000
period_ms = 100 =>
    timing.period_ms: missing; allowed a whole number from 5 to 60000
period_ms = 100 => period_ms = 100.5
    timing.period_ms: 100.5; allowed a whole number from 5 to 60000
gap_ms = 0 => gap_ms = true
    timing.gap_ms: True; allowed a whole number from 0 to 1000
maker = "Eastron" => maker = 3
    maker: 3; allowed text
maker = "Eastron" => makr = "Eastron"
    makr: unknown key, did you mean maker?
[timing] => [timings]
    timings: unknown key, did you mean timing?
phases = 3 => phases = 4
    settings.phases: 4; allowed 1, 2, 3
nominal_voltage_V = 230 => nominal_voltage_V = nan
    settings.nominal_voltage_V: nan; allowed a number from 50 to 1000
voltage_2 = => voltag_2 =
    registers.voltag_2: unknown name, did you mean voltage_2?
voltage_1 = {address = 0x00 => voltage_1 = {adress = 0x00
    registers.voltage_1.adress: unknown key, did you mean address?
address = 0x22 => address = 65536
    registers.power_factor_3.address: 65536; allowed a whole number from 0 to 65535
range = [-1, 1] => range = [1, -1]
    registers.power_factor_1.range: [1, -1]; allowed [low, high] from -1000000000 to 1000000000
, range = [-1, 1] =>
    registers.power_factor_1.range: missing; allowed [low, high]
range = [-1, 1] => range = [-1, 1], scale = 1000
    registers.power_factor_1.scale: 1000; allowed 1, the raw value is used
unit = "W" => unit = "kW"
    registers.power_1.unit: 'kW'; allowed 'W'
unit = "V" => unit = "mV"
    registers.voltage_1.unit: 'mV'; allowed 'V'
unit = "A" => unit = "mA"
    registers.current_1.unit: 'mA'; allowed 'A'
unit = "" => unit = "%"
    registers.power_factor_1.unit: '%'; allowed ''
range = [-1, 1] => range = [1]
    registers.power_factor_1.range: [1]; allowed [low, high] from -1000000000 to 1000000000
range = [-1, 1] => range = [-1, inf]
    registers.power_factor_1.range: [-1, inf]; allowed [low, high] from -1000000000 to 1000000000
range = [-9e6, 9e6] => range = [-1000000001, 1]
    registers.power_1.range: [-1000000001, 1]; allowed [low, high] from -1000000000 to 1000000000
[registers] => [registers]\\nvoltage_9 = 3
    registers.voltage_9: 3; allowed a table
""",
    "sunspec_pv": """
type = "s16"\\naddress => type = "enum16"\\naddress
    registers.power_W.type: 'enum16'; allowed u16, s16, u32, s32, u64, s64, float32, float64, bit
unit = "W" => unit = "kW"
    registers.power_W.unit: 'kW'; allowed 'W'; use scale
invalid = [-32768] => invalid = [32768]
    registers.power_W.invalid: 32768; allowed -32768..32767, as s16 reads
invalid = [-32768] => invalid = -32768
    registers.power_W.invalid: -32768; allowed a list of whole numbers from -9223372036854775808 to\
 18446744073709551615
type = "u16"\\naddress => type = "float32"\\naddress
    registers.limit_W.type: 'float32'; allowed an integer type to write
equals = [-2] => equals = []
    identity.limit_scale.equals: []; allowed at least one value
equals = [-2] => equals = [65534]
    identity.limit_scale.equals: 65534; allowed -32768..32767, as s16 reads
equals = [-2] => equal = [-2]
    identity.limit_scale.equal: unknown key, did you mean equals?
type = "u32" => type = "float32"
    identity.suns.type: 'float32'; allowed u16, s16, u32, s32, u64, s64
family = "site_device" =>
    family: missing; allowed meter, io, gas, offgas, toxic, climate, ups, sunspec_pcs, site_device,\
 native_bms, pylontech_bms
""",
    "dse_genset": """
values = {35732 = 1, 35733 = 0} => values = {1 = 1000000001}
    registers.run.values: {'1': 1000000001}; allowed a table {raw value = value}, both whole numbers
""",
    "io_8in_8out": """
[timing] => [identity]\\nmodel = {type = "u16", address = 1, equals = [7]}\\n[timing]
    identity: family io; allowed with family site_device
expiry_ms = 500 => expiry_ms = 501
    settings.expiry_ms: 501; allowed a whole number from 40 to 500
output_expiry = => fault_bits = {trip = {a = 1}}\\noutput_expiry =
    registers.fault_bits.trip: unknown key
[timing] => [fault_bits]\\ntrip = {a = 1}\\n[timing]
    fault_bits.trip: unknown name
output_expiry = => output_expire =
    registers.output_expire: unknown name, did you mean output_expiry?
""",
    "gas_detector": """
fault_mask = 0b11011 => fault_mask = 0
    settings.fault_mask: 0; allowed a whole number from 1 to 65535
fault_mask = 0b11011 => invalid_mask = 3\\nfault_mask = 0b11011
    settings.invalid_mask: unknown key, did you mean fault_mask?
calibrated_lfl_vol_ppm = 50000 =>
    settings.calibrated_lfl_vol_ppm: missing; allowed a whole number from 1000 to 1000000
\\nfunction = 4 => \\nfunction = 3
    registers.concentration.function: 3; allowed 4, input registers
\\ntype = "u16" => \\ntype = "u32"
    registers.concentration.type: 'u32'; allowed u16, s16
\\nrange = [0, 10000] =>
    registers.concentration.range: missing; allowed [low, high]
full_scale = 1000 =>
    registers.concentration.full_scale: missing; over_range_mask needs it
today = { => today = {full_scale = 1,
    registers.today.full_scale: 1; allowed none, the raw value is used
calibration_due = { => calibration_due = {scale = 2,
    registers.calibration_due.scale: 2; allowed 1, the raw value is used
status = { => status = {full_scale = 4, over_range_mask = 4,
    registers.status.full_scale: 4; allowed none, the raw value is used
status = { => status = {untrusted_mask = 4,
    registers.status.full_scale: missing; untrusted_mask needs it
""",
    "sunspec_pcs": """
W_SF = {offset = 116 => X_SF = {offset = 116
    registers.701.W.scale_factor: 'W_SF'; allowed a sunssf point of the same model
[registers.701] => [registers.700]
    registers.700.W_SF: unknown name, did you mean 701.W_SF?
reversion_s = 4 => reversion_s = 0
    settings.reversion_s: 0; allowed a whole number from 1 to 60
base_addresses = [40000, 50000, 0] => base_addresses = [40000, -1]
    settings.base_addresses: [40000, -1]; allowed a list of whole numbers from 0 to 65000
CABINET_OPEN = 5 => CABINET_OPEN = 30
    fault_bits.trip.CABINET_OPEN: 30; allowed a whole number from 0 to 29
CABINET_OPEN = 5 => CABINET_OPEN = -1
    fault_bits.trip.CABINET_OPEN: -1; allowed a whole number from 0 to 29
UNDER_TEMP = 13 => UNDER_TEMP = 5
    fault_bits.warn.UNDER_TEMP: 5; allowed a bit of its own (fault_bits.trip.CABINET_OPEN)
[fault_bits.info] => [fault_bits.inform]
    fault_bits.inform: unknown name, did you mean info?
""",
    "pylontech_lv": """
current_positive = "charge" => current_positive = "in"
    settings.current_positive: 'in'; allowed charge, discharge
""",
    "firebreak_rack": """
signal = "voltage", scale = 1000 => signal = "voltage", scale = "k"
    frames.PACK.rack_voltage_mV.scale: 'k'; allowed a number from 1e-09 to 1000000000.0
warn = {} =>
    fault_bits.warn: missing; the family needs it
warn = {} => warn = 3
    fault_bits.warn: 3; allowed a table
[frames.CHARGE] => [frames.CHARG]
    frames.CHARG: unknown name, did you mean CHARGE?
""",
}


def mistakes():
    """(profile, old text, new text, line) of each."""
    for name, text in MISTAKES.items():
        lines = text.strip("\n").splitlines()
        for change, line in zip(lines[::2], lines[1::2]):
            old, _, new = change.replace("\\n", "\n").rpartition("=>")
            yield name, old.strip(" "), new.strip(" "), line.strip()


@pytest.mark.parametrize("name, old, new, line", list(mistakes()))
def test_mistakes(tmp_path, name, old, new, line):
    text = text_of(name)
    assert old in text
    assert refusal(tmp_path, text.replace(old, new, 1)) == line


@cases("""old  new  line
    "current_2 =.*"  ""  "registers.current_2: missing; the family needs it"
    '"meter"'  '"metre"'  "family: 'metre'; allowed meter, .*, pylontech_bms, did you mean meter[?]"
    '"meter"'  '["meter"]'  "family: .'meter'.; allowed meter, io, gas, .*"
    '"float32"'  '"float"'  "registers.voltage_1.type: 'float'; allowed u16, .*, bit"
""")
def test_mistakes_with_long_lines(tmp_path, old, new, line):
    assert re.fullmatch(line, refusal(tmp_path, re.sub(old, new, text_of("sdm630"), count=1)))


@cases(r"""text  line
    "maker = "  "not TOML: "
    b"\xff\xfe"  "not TOML: "
    "maker = " + "[" * 5000 + "]" * 5000  "not usable TOML: nested too deeply"
    "[" + ".".join(["a"] * 20_000) + "]"  "not usable TOML: nested too deeply"
    "maker = " + "9" * 5000  "not usable TOML: a number is too long"
    "maker = [0x" + "f" * 5000 + "]"  "not usable TOML: a number is too long"
    "maker = [0x" + "f" * 50 + "]"  "not usable TOML: a number of more than 64 bits"
""")
def test_no_toml(tmp_path, text, line):
    assert refusal(tmp_path, text).startswith(line)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(profile.toml_text, "file_text", lambda _: open(tmp_path))
    assert refusal(tmp_path, "") == "cannot be read: Is a directory"


@pytest.mark.parametrize("table", ["timing", "settings", "registers", "frames"])
@pytest.mark.parametrize("value", ["1", "[[1]]", '"STATE"'])
def test_a_table_is_a_table(tmp_path, table, value):
    rest = 'maker = "a"\nmodel = "b"\nfamily = "ups"\ndocuments = []'
    line = refusal(tmp_path, f"{table} = {value}\n{rest}")
    assert line.startswith(f"{table}: ") and line.endswith("; allowed a table")


@cases("""name  line
    "sdm63"  "sdm63: no such profile, did you mean sdm630?; there are chiller_contact, "
    "nowhere/sdm630.toml"  "nowhere/sdm630.toml: no such profile file"
""")
def test_no_such_profile(name, line):
    with pytest.raises(ProfileError) as error:
        profile.load(name)
    assert str(error.value).startswith(line)


def test_block_of_registers():
    first, count, layout = profile.load("sdm630").block(["voltage_2", "current_1"])
    assert (first, count, layout.size) == (2, 6, 12)
    assert layout.unpack(b"\x43\x66\x00\x00" + b"\xff" * 4 + b"\x3f\x80\x00\x00") == (230.0, 1.0)


BEHIND = "voltage_1: address 0 must be 4 or more to be read with registers.voltage_2"


@cases("""names  line
    ["voltage_1", "voltage_9"]  "voltage_9: missing; it is read with the others of its block"
    ["voltage_2", "voltage_1"]  BEHIND""")
def test_registers_that_are_no_block(names, line):
    with pytest.raises(ProfileError) as error:
        profile.load("sdm630").block(names)
    assert str(error.value) == f"sdm630.toml: registers.{line}"
