"""Profiles: every shipped one loads; each mistake is one line: file, key, what is allowed."""

import copy
import pathlib
import re

import pytest

from controller.config import profile_form, profiles
from controller.forms.refusal import ConfigError
from drivers import profile
from tests.tables import cases

SHIPPED = sorted(path.stem for path in profile.FOLDER.glob("*.toml"))


def text_of(name):
    return (profile.FOLDER / f"{name}.toml").read_text()


def refusal(tmp_path, text):
    path = tmp_path / "device.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as error:
        profiles.load(path)
    line = str(error.value)
    assert line.startswith("device.toml:") and "\n" not in line
    return line.removeprefix("device.toml:").strip()


def plain(loaded):
    return copy.deepcopy((loaded.settings, loaded.frames, loaded.documents, loaded.registers))


def test_all_families_are_shipped():
    assert {profiles.load(name).family for name in SHIPPED} == set(profile_form.FAMILIES)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_loaded_profile_is_a_copy(name):
    """The text is parsed once for all devices of a profile."""
    first, before = profiles.load(name), plain(profiles.load(name))
    for value in (*first.settings.values(), *first.frames.values(), first.documents):
        if isinstance(value, (list, dict)):
            value.clear()
    first.settings.clear()
    first.frames.clear()
    for register in first.registers.values():
        register.address = None
    assert plain(profiles.load(name)) == before


def test_an_edited_profile_is_read_anew(tmp_path):
    path = tmp_path / "device.toml"
    for model in ("one", "two"):
        text = re.sub("(?m)^model = .*$", f'model = "{model}"', text_of(SHIPPED[0]))
        path.write_text(text)
        assert profiles.load(path).model == model


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles(name):
    loaded = profiles.load(name)
    assert loaded.maker and loaded.model and loaded.documents
    assert loaded.period_ms >= 5 and loaded.path == profile.FOLDER / f"{name}.toml"
    for register in loaded.registers.values():
        assert set(register.direction.split()) <= set(profile_form.DIRECTIONS)
        if register.low is not None:
            assert register.low <= register.high
        else:
            assert register.type in ("bit", "sunssf", "bitfield32", "u32"), register.name


def test_the_meaning_of_each_fault_bit():
    """SunSpec names 17 of 32 bits; the other bits are warnings."""
    pcs, rack = [profiles.load(name) for name in ("sunspec_pcs", "firebreak_rack")]
    assert [pcs.mask(meaning) for meaning in profile_form.MEANINGS] == [0xD063, 0x12F80, 0x1C]
    assert [rack.mask(meaning) for meaning in profile_form.MEANINGS] == [0xFF, 0, 0]
    pylontech = profiles.load("pylontech_lv").fault_bits
    every = [bit for table in pylontech.values() for bit in table.values()]
    assert sorted(every) == [1, 2, 3, 4, 7, 8, 11, *range(14, 30)]
    assert profiles.load("sdm630").fault_bits == {}


def test_values_of_a_register():
    register = profiles.load("sunspec_pcs").registers["704.WSet"]
    slots = "address code words sentinel scale_factor unit low high direction"
    assert [getattr(register, slot) for slot in slots.split()] == (
        [24, "i", 2, -0x80000000, "WSet_SF", "W", -400_000, 400_000, "write"]
    )


# Two lines each: a change of a shipped profile (the first match only), the line that refuses it.
MISTAKES = {
    "sdm630": """
period_ms = 100 => period_m = 100
    timing.period_m: is not a known key; nearest key "period_ms"
period_ms = 100 => period_ms = 4
    timing.period_ms: 4 is not allowed; allowed 5..60000
period_ms = 100 =>
    timing.period_ms: is missing; allowed 5..60000
maker = "Eastron" => makr = "Eastron"
    makr: is not a known key; nearest key "maker"
phases = 3 => phases = 4
    settings.phases: 4 is not allowed; allowed 1, 2, 3
nominal_voltage_V = 230 => nominal_voltage_V = nan
    settings.nominal_voltage_V: NaN is not allowed; allowed a number 50..1000
voltage_2 = => voltag_2 =
    registers.voltag_2: is not a known key; nearest key "voltage_2"
address = 0x22 => address = 65536
    registers.power_factor_3.address: 65536 is not allowed; allowed 0..65535
range = [-1, 1] => range = [1, -1]
    registers.power_factor_1.range: [1, -1] is not allowed; allowed [low, high] within -100000\
0000..1000000000
, range = [-1, 1] =>
    registers.power_factor_1.range: is missing; allowed [low, high]
range = [-1, 1] => range = [-1, 1], scale = 1000
    registers.power_factor_1.scale: 1000 is not allowed; allowed 1, the raw value is used
unit = "W" => unit = "kW"
    registers.power_1.unit: "kW" is not allowed; allowed "W"
unit = "V" => unit = "mV"
    registers.voltage_1.unit: "mV" is not allowed; allowed "V"
unit = "A" => unit = "mA"
    registers.current_1.unit: "mA" is not allowed; allowed "A"
unit = "" => unit = "%"
    registers.power_factor_1.unit: "%" is not allowed; allowed ""
range = [-1, 1] => range = [-1, inf]
    registers.power_factor_1.range: [-1, Infinity] is not allowed; allowed [low, high] within \
-1000000000..1000000000
range = [-9e6, 9e6] => range = [-1000000001, 1]
    registers.power_1.range: [-1000000001, 1] is not allowed; allowed [low, high] within -1000\
000000..1000000000
[registers] => [registers]\\nvoltage_9 = 3
    registers: is not a table of tables: voltage_9 is 3; allowed [registers.NAME]
""",
    "sunspec_pv": """
type = "s16"\\naddress => type = "enum16"\\naddress
    registers.power_W.type: "enum16" is not allowed; allowed u16, s16, u32, s32, u64, s64, flo\
at32, float64, bit; nearest key "u16"
unit = "W" => unit = "kW"
    registers.power_W.unit: "kW" is not allowed; allowed W; use scale
invalid = [-32768] => invalid = [32768]
    registers.power_W.invalid: 32768 is not allowed; allowed -32768..32767, as s16 reads
invalid = [-32768] => invalid = -32768
    registers.power_W.invalid: -32768 is not allowed; allowed a list of whole numbers -9223372\
036854775808..18446744073709551615
type = "u16"\\naddress => type = "float32"\\naddress
    registers.limit_W.type: "float32" is not allowed; allowed an integer type to write
equals = [-2] => equals = []
    identity.limit_scale.equals: [] is not allowed; allowed at least one value
equals = [-2] => equals = [65534]
    identity.limit_scale.equals: 65534 is not allowed; allowed -32768..32767, as s16 reads
type = "u32" => type = "float32"
    identity.suns.type: "float32" is not allowed; allowed u16, s16, u32, s32, u64, s64
family = "site_device" =>
    family: is missing; allowed meter, io, gas, offgas, toxic, climate, ups, sunspec_pcs, site\
_device, native_bms, pylontech_bms
""",
    "dse_genset": """
values = {35732 = 1, 35733 = 0} => values = {1 = 1000000001}
    registers.run.values: {"1": 1000000001} is not allowed; allowed a table {raw value = value\
}, both whole numbers
""",
    "io_8in_8out": """
[timing] => [identity]\\nmodel = {type = "u16", address = 1, equals = [7]}\\n[timing]
    identity: is not a table of family io; allowed site_device
expiry_ms = 500 => expiry_ms = 501
    settings.expiry_ms: 501 is not allowed; allowed 40..500
output_expiry = => fault_bits = {trip = {a = 1}}\\noutput_expiry =
    registers.fault_bits.trip: is not a known key; nearest key "type"
[timing] => [fault_bits]\\ntrip = {a = 1}\\n[timing]
    fault_bits.trip: is not a known key
output_expiry = => output_expire =
    registers.output_expire: is not a known key; nearest key "output_expiry"
""",
    "gas_detector": """
fault_mask = 0b11011 => fault_mask = 0
    settings.fault_mask: 0 is not allowed; allowed 1..65535
calibrated_lfl_vol_ppm = 50000 =>
    settings.calibrated_lfl_vol_ppm: is missing; allowed 1000..1000000
\\nfunction = 4 => \\nfunction = 3
    registers.concentration.function: 3 is not allowed; allowed 4, input registers
\\ntype = "u16" => \\ntype = "u32"
    registers.concentration.type: "u32" is not allowed; allowed u16, s16
\\nrange = [0, 10000] =>
    registers.concentration.range: is missing; allowed [low, high]
full_scale = 1000 =>
    registers.concentration.full_scale: is missing; over_range_mask needs it
today = { => today = {full_scale = 1,
    registers.today.full_scale: 1 is not allowed; allowed none, the raw value is used
calibration_due = { => calibration_due = {scale = 2,
    registers.calibration_due.scale: 2 is not allowed; allowed 1, the raw value is used
status = { => status = {full_scale = 4, over_range_mask = 4,
    registers.status.full_scale: 4 is not allowed; allowed none, the raw value is used
status = { => status = {untrusted_mask = 4,
    registers.status.full_scale: is missing; untrusted_mask needs it
""",
    "sunspec_pcs": """
W_SF = {offset = 116 => X_SF = {offset = 116
    registers.701.W.scale_factor: "W_SF" is not allowed; allowed a sunssf point of the same model
[registers.701] => [registers.700]
    registers.700.W_SF: is not a known key; nearest key "701.W_SF"
reversion_s = 4 => reversion_s = 0
    settings.reversion_s: 0 is not allowed; allowed 1..60
base_addresses = [40000, 50000, 0] => base_addresses = [40000, -1]
    settings.base_addresses: [40000, -1] is not allowed; allowed a list of whole numbers 0..65000
CABINET_OPEN = 5 => CABINET_OPEN = 30
    fault_bits.trip.CABINET_OPEN: 30 is not allowed; allowed 0..29
UNDER_TEMP = 13 => UNDER_TEMP = 5
    fault_bits.warn.UNDER_TEMP: 5 is not allowed; allowed a bit of its own (fault_bits.trip.CA\
BINET_OPEN has this one)
[fault_bits.info] => [fault_bits.inform]
    fault_bits.inform: is not a known key; nearest key "info"
""",
    "pylontech_lv": """
current_positive = "charge" => current_positive = "in"
    settings.current_positive: "in" is not allowed; allowed charge, discharge
""",
    "firebreak_rack": """
signal = "voltage", scale = 1000 => signal = "voltage", scale = "k"
    frames.PACK.rack_voltage_mV.scale: "k" is not allowed; allowed a number 1e-09..1e+09
warn = {} =>
    fault_bits.warn: is missing; the family needs it
warn = {} => warn = 3
    fault_bits: is not a table of tables: warn is 3; allowed [fault_bits.NAME]
[frames.CHARGE] => [frames.CHARG]
    frames.CHARG: is not a known key; nearest key "CHARGE"
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
    "current_2 =.*"  ""  "registers.current_2: is missing; the family needs it"
    '"meter"'  '"metre"'  'family: "metre" is not allowed; allowed meter, .*; nearest key "meter"'
    '"meter"'  '["meter"]'  'family: ."meter". is not allowed; allowed meter, io, gas, .*'
    '"float32"'  '"float"'  'registers.voltage_1.type: "float" is not allowed; allowed u16, .*'
""")
def test_mistakes_with_long_lines(tmp_path, old, new, line):
    assert re.fullmatch(line, refusal(tmp_path, re.sub(old, new, text_of("sdm630"), count=1)))


@cases(r"""text  line
    "maker = "  "is not TOML: "
    b"\xff\xfe"  "is not TOML: "
    "maker = " + "[" * 5000 + "]" * 5000  "is not usable TOML: nested too deeply"
    "[" + ".".join(["a"] * 20_000) + "]"  "is not usable TOML: nested too deeply"
    "maker = " + "9" * 5000  "is not usable TOML: a number is too long"
    "maker = [0x" + "f" * 5000 + "]"  "is not usable TOML: a number is too long"
    'family = "io"\nmaker = [0x' + "f" * 50 + "]"  "maker: [160693804425899027554196209234116260"
""")
def test_no_toml(tmp_path, text, line):
    assert refusal(tmp_path, text).startswith(line)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "is_file", lambda _: True)
    with pytest.raises(ConfigError, match="^none.toml: cannot be read: No such file or directory"):
        profiles.load(str(tmp_path / "none.toml"))


@pytest.mark.parametrize("table", ["timing", "settings", "registers", "frames"])
@pytest.mark.parametrize("value", ["1", "[[1]]", '"STATE"'])
def test_a_table_is_a_table(tmp_path, table, value):
    rest = 'maker = "a"\nmodel = "b"\nfamily = "ups"\ndocuments = []'
    line = refusal(tmp_path, f"{table} = {value}\n{rest}")
    assert line == f"{table}: {value} is not allowed; allowed a table"


@cases("""name  line
    "sdm63"  "sdm63: no such profile; allowed chiller_contact, "
    "nowhere/sdm630.toml"  "nowhere/sdm630.toml: no such profile file"
""")
def test_no_such_profile(name, line):
    with pytest.raises(ConfigError) as error:
        profiles.load(name)
    assert str(error.value).startswith(line)


def test_block_of_registers():
    first, count, layout = profiles.load("sdm630").block(["voltage_2", "current_1"])
    assert (first, count, layout.size) == (2, 6, 12)
    assert layout.unpack(b"\x43\x66\x00\x00" + b"\xff" * 4 + b"\x3f\x80\x00\x00") == (230.0, 1.0)


BEHIND = "voltage_1: address 0 must be 4 or more to be read with registers.voltage_2"


@cases("""names  line
    ["voltage_1", "voltage_9"]  "voltage_9: missing; it is read with the others of its block"
    ["voltage_2", "voltage_1"]  BEHIND""")
def test_registers_that_are_no_block(names, line):
    with pytest.raises(profile.ProfileError) as error:
        profiles.load("sdm630").block(names)
    assert str(error.value) == f"sdm630.toml: registers.{line}"
