"""Profiles: every shipped one loads; every mistake is refused in one line: file, key, what is
allowed.
"""

import copy
import re

import pytest

from drivers import profile, profile_schema
from drivers.profile import ProfileError

SHIPPED = sorted(path.stem for path in profile.FOLDER.glob("*.toml"))


def text_of(name):
    return (profile.FOLDER / f"{name}.toml").read_text()


def refusal(tmp_path, text):
    """The one line with which a profile of this text is refused."""
    path = tmp_path / "device.toml"
    path.write_text(text)
    with pytest.raises(ProfileError) as error:
        profile.load(path)
    line = str(error.value)
    assert line.startswith("device.toml: ") and "\n" not in line
    return line.removeprefix("device.toml: ")


def plain(loaded):
    """A copy of what a profile holds."""
    registers = {
        name: [getattr(register, slot) for slot in register.__slots__]
        for name, register in loaded.registers.items()
    }
    return copy.deepcopy((loaded.settings, loaded.frames, loaded.documents, registers))


def test_all_families_are_shipped():
    assert {profile.load(name).family for name in SHIPPED} == set(profile_schema.FAMILIES)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_done_to_one_device_reaches_no_other_of_its_profile(name):
    """The text is parsed once for all of them."""
    first, before = profile.load(name), plain(profile.load(name))
    for value in (
        *first.settings.values(),
        *first.frames.values(),
        first.settings,
        first.frames,
        first.documents,
    ):
        if isinstance(value, (list, dict)):
            value.clear()
    for register in first.registers.values():
        register.address = None
    assert plain(profile.load(name)) == before


def test_a_profile_that_was_edited_is_read_anew(tmp_path):
    path = tmp_path / "device.toml"
    for model in ("one", "two"):
        path.write_text(
            re.sub("^model = .*$", f'model = "{model}"', text_of(SHIPPED[0]), flags=re.MULTILINE)
        )
        assert profile.load(path).model == model


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles(name):
    loaded = profile.load(name)
    assert loaded.maker and loaded.model and loaded.documents
    assert loaded.period_ms >= 5 and loaded.path == profile.FOLDER / f"{name}.toml"
    for register in loaded.registers.values():
        assert register.direction in profile_schema.DIRECTIONS
        assert register.low is None or register.low <= register.high
        assert (
            register.type in ("bit", "sunssf", "bitfield32", "u32") or register.low is not None
        ), register.name


def test_values_of_a_register():
    register = profile.load("sunspec_pcs").registers["704.WSet"]
    assert (
        register.address,
        register.code,
        register.words,
        register.sentinel,
        register.scale_factor,
        register.unit,
        register.low,
        register.high,
        register.direction,
    ) == (24, "i", 2, -0x80000000, "WSet_SF", "W", -400_000, 400_000, "write")


@pytest.mark.parametrize(
    "name, old, new, line",
    [
        (
            "sdm630",
            "period_ms = 100 ",
            "period_m = 100 ",
            "timing.period_m: unknown key, did you mean period_ms?",
        ),
        (
            "sdm630",
            "period_ms = 100 ",
            "period_ms = 4 ",
            "timing.period_ms: 4; allowed a whole number from 5 to 60000",
        ),
        (
            "sdm630",
            "period_ms = 100 ",
            "",
            "timing.period_ms: missing; allowed a whole number from 5 to 60000",
        ),
        (
            "sdm630",
            "period_ms = 100 ",
            "period_ms = 100.5 ",
            "timing.period_ms: 100.5; allowed a whole number from 5 to 60000",
        ),
        (
            "sdm630",
            "gap_ms = 0 ",
            "gap_ms = true ",
            "timing.gap_ms: True; allowed a whole number from 0 to 1000",
        ),
        ("sdm630", 'maker = "Eastron"', "maker = 3", "maker: 3; allowed text"),
        (
            "sdm630",
            'maker = "Eastron"',
            'makr = "Eastron"',
            "makr: unknown key, did you mean maker?",
        ),
        ("sdm630", "[timing]", "[timings]", "timings: unknown key, did you mean timing?"),
        (
            "sdm630",
            'family = "meter"',
            'family = "metre"',
            "family: 'metre'; allowed meter, io, gas, offgas, toxic, climate, ups, sunspec_pcs, "
            "native_bms, pylontech_bms, "
            "did you mean meter?",
        ),
        ("sdm630", "phases = 3", "phases = 4", "settings.phases: 4; allowed 1, 2, 3"),
        (
            "sdm630",
            "nominal_voltage_V = 230",
            "nominal_voltage_V = nan",
            "settings.nominal_voltage_V: nan; allowed a number from 50 to 1000",
        ),
        (
            "sdm630",
            "voltage_2 =",
            "voltag_2 =",
            "registers.voltag_2: unknown name, did you mean voltage_2?",
        ),
        (
            "sdm630",
            "voltage_1 = {address = 0x00",
            "voltage_1 = {adress = 0x00",
            "registers.voltage_1.adress: unknown key, did you mean address?",
        ),
        (
            "sdm630",
            "address = 0x22",
            "address = 65536",
            "registers.power_factor_3.address: 65536; allowed a whole number from 0 to 65535",
        ),
        (
            "sdm630",
            'address = 0x22, type = "float32"',
            'address = 0x22, type = "float"',
            "registers.power_factor_3.type: 'float'; allowed u16, s16, enum16, sunssf, u32, s32, "
            "bitfield32, float32, bit",
        ),
        (
            "sdm630",
            "range = [-1, 1]",
            "range = [1, -1]",
            "registers.power_factor_1.range: [1, -1]; allowed [low, high]",
        ),
        (
            "sdm630",
            ", range = [-1, 1]",
            "",
            "registers.power_factor_1.range: missing; allowed [low, high]",
        ),
        (
            "sdm630",
            "range = [-1, 1]",
            "range = [-1, 1], scale = 1000",
            "registers.power_factor_1.scale: 1000; allowed 1, it is taken as it is",
        ),
        (
            "sdm630",
            "range = [-1, 1]",
            "range = [1]",
            "registers.power_factor_1.range: [1]; allowed [low, high]",
        ),
        (
            "sdm630",
            "[registers]",
            "[registers]\nvoltage_9 = 3",
            "registers.voltage_9: 3; allowed a table",
        ),
        (
            "io_8in_8out",
            "expiry_ms = 500 ",
            "expiry_ms = 501 ",
            "settings.expiry_ms: 501; allowed a whole number from 40 to 500",
        ),
        (
            "io_8in_8out",
            "output_expiry = ",
            "output_expire = ",
            "registers.output_expire: unknown name, did you mean output_expiry?",
        ),
        (
            "gas_detector",
            "fault_mask = 0b11011",
            "fault_mask = 0",
            "settings.fault_mask: 0; allowed a whole number from 1 to 65535",
        ),
        (
            "sunspec_pcs",
            "W_SF = {offset = 116",
            "X_SF = {offset = 116",
            "registers.701.W.scale_factor: 'W_SF'; allowed a sunssf point of the same model",
        ),
        (
            "sunspec_pcs",
            "[registers.701]",
            "[registers.700]",
            "registers.700.W_SF: unknown name, did you mean 701.W_SF?",
        ),
        (
            "sunspec_pcs",
            "reversion_s = 4 ",
            "reversion_s = 0 ",
            "settings.reversion_s: 0; allowed a whole number from 1 to 60",
        ),
        (
            "sunspec_pcs",
            "base_addresses = [40000, 50000, 0]",
            "base_addresses = [40000, -1]",
            "settings.base_addresses: [40000, -1]; allowed whole numbers from 0 to 65000",
        ),
        (
            "pylontech_lv",
            'current_positive = "charge"',
            'current_positive = "in"',
            "settings.current_positive: 'in'; allowed charge, discharge",
        ),
        (
            "firebreak_rack",
            'signal = "voltage", scale = 1000',
            'signal = "voltage", scale = "k"',
            "frames.PACK.rack_voltage_mV.scale: 'k'; allowed a number from 1e-09 to 1000000000.0",
        ),
        (
            "firebreak_rack",
            "[frames.CHARGE]",
            "[frames.CHARG]",
            "frames.CHARG: unknown name, did you mean CHARGE?",
        ),
    ],
)
def test_mistakes(tmp_path, name, old, new, line):
    text = text_of(name)
    assert old in text
    assert refusal(tmp_path, text.replace(old, new, 1)) == line


def test_missing_registers(tmp_path):
    text = "\n".join(
        line for line in text_of("sdm630").splitlines() if not line.startswith("current_2")
    )
    assert refusal(tmp_path, text) == "registers.current_2: missing; the family needs it"


def test_no_toml(tmp_path):
    assert refusal(tmp_path, "maker = ").startswith("not TOML: ")
    assert refusal(tmp_path, "maker = " + "[" * 5000 + "]" * 5000) == (
        "not TOML of ours: nested too deeply"
    )
    assert refusal(tmp_path, "[" + ".".join(["a"] * 20_000) + "]") == (
        "not TOML of ours: nested too deeply"
    )
    assert refusal(tmp_path, "maker = " + "9" * 5000) == ("not TOML of ours: a number is too long")
    assert refusal(tmp_path, "maker = [0x" + "f" * 5000 + "]") == (
        "not TOML of ours: a number of more than 64 bits"
    )


def test_no_text(tmp_path):
    path = tmp_path / "device.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="^device.toml: not TOML: "):
        profile.load(path)


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "device.toml"
    path.write_text("")
    monkeypatch.setattr(profile.pathlib.Path, "read_text", lambda *_, **__: open(tmp_path))
    with pytest.raises(ProfileError, match="^device.toml: cannot be read: Is a directory$"):
        profile.load(path)


@pytest.mark.parametrize("table", ["timing", "settings", "registers", "frames"])
@pytest.mark.parametrize("value", ["1", "[[1]]", '"STATE"'])
def test_a_table_is_a_table(tmp_path, table, value):
    line = refusal(
        tmp_path, f'{table} = {value}\nmaker = "a"\nmodel = "b"\nfamily = "ups"\ndocuments = []'
    )
    assert line.startswith(f"{table}: ") and line.endswith("; allowed a table")


def test_a_block_of_which_a_register_is_missing():
    loaded = profile.load("sdm630")
    with pytest.raises(
        ProfileError, match="^sdm630.toml: registers.voltage_9: missing; it is read with the others"
    ):
        loaded.block(["voltage_1", "voltage_9"])


def test_a_family_is_a_text(tmp_path):
    line = refusal(tmp_path, text_of("sdm630").replace('family = "meter"', 'family = ["meter"]'))
    assert line.startswith("family: ['meter']; allowed meter, io, gas, ")


@pytest.mark.parametrize(
    "name, words",
    [
        (
            "sdm63",
            "sdm63: no such profile, did you mean sdm630?; there are climate_monitor, "
            "firebreak_rack, ",
        ),
        ("nowhere/sdm630.toml", "nowhere/sdm630.toml: no such profile file"),
    ],
)
def test_no_such_profile(name, words):
    with pytest.raises(ProfileError) as error:
        profile.load(name)
    assert str(error.value).startswith(words)


def test_block_of_registers():
    loaded = profile.load("sdm630")
    first, count, layout = loaded.block(["voltage_2", "current_1"])
    assert (first, count, layout.size) == (2, 6, 12)
    assert layout.unpack(b"\x43\x66\x00\x00" + b"\xff" * 4 + b"\x3f\x80\x00\x00") == (230.0, 1.0)


def test_block_in_the_wrong_order():
    loaded = profile.load("sdm630")
    with pytest.raises(
        ProfileError,
        match="^sdm630.toml: registers.voltage_1: address 0 must be "
        "4 or more to be read "
        "with registers.voltage_2$",
    ):
        loaded.block(["voltage_2", "voltage_1"])


def test_the_dbc_lies_beside_its_profile():
    loaded = profile.load("firebreak_rack")
    assert (loaded.path.parent / loaded.settings["dbc"]).is_file()
