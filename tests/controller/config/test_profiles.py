"""Profiles: every shipped one loads; each mistake is one line: file, key, what is allowed."""

import ast
import copy
import pathlib
import re

import pytest

from controller.config import profile_form, profiles
from controller.forms.refusal import ConfigError
from drivers import profile
from tests.exemptions import Exempt, same
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
    return copy.deepcopy((loaded.settings, loaded.signals, loaded.documents, loaded.registers))


def test_all_families_are_shipped():
    assert {profiles.load(name).family for name in SHIPPED} == set(profile_form.FAMILIES)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_loaded_profile_is_a_copy(name):
    """The text is parsed once for all devices of a profile."""
    first, before = profiles.load(name), plain(profiles.load(name))
    for value in (*first.settings.values(), *first.signals.values(), first.documents):
        if isinstance(value, (list, dict)):
            value.clear()
    first.settings.clear()
    first.signals.clear()
    for register in first.registers.values():
        register.address = None
    assert plain(profiles.load(name)) == before


def test_an_edited_profile_is_read_anew(tmp_path):
    path = tmp_path / "device.toml"
    for model in ("one", "two"):
        text = re.sub("(?m)^model = .*$", f'model = "{model}"', text_of("sdm630"))
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


@pytest.mark.parametrize("table", ["timing", "settings", "registers", "signals"])
@pytest.mark.parametrize("value", ["1", "[[1]]", '"STATE"'])
def test_a_table_is_a_table(tmp_path, table, value):
    rest = 'maker = "a"\nmodel = "b"\nfamily = "ups"\ndocuments = []'
    line = refusal(tmp_path, f"{table} = {value}\n{rest}")
    assert line == f"{table}: {value} is not allowed; allowed a table"


@cases("""name  line
    "sdm63"  "sdm63: no such profile; allowed abb_b23, "
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


# the shipped profiles alone: each of them is read by other tests
LOOPS = same(
    Exempt(
        "a shipped profile that is wrong ends the whole list; the tests read each of them",
        "tests/controller/config/test_profiles.py::test_shipped_profiles",
    ),
    ("can_dialects.py", "shipped"),
    ("decode_fits.py", "_shipped"),
)
MANY = (ast.For, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)


def loops_over_profiles(text):
    """Names of the functions that load profiles in a loop."""
    for function in ast.walk(ast.parse(text)):
        if isinstance(function, ast.FunctionDef):
            many = [each for each in ast.walk(function) if isinstance(each, MANY)]
            calls = [ast.unparse(each) for loop in many for each in ast.walk(loop)]
            if any(
                re.match(r"(profiles\.load|(profile_files\.)?checked)\(", each) for each in calls
            ):
                yield function.name


def test_one_refused_profile_ends_no_loop_over_others():
    """Everything else takes profile_files.usable, which names a bad one and goes on."""
    code = pathlib.Path(profiles.__file__).parent.parent
    found = {
        (path.name, name)
        for path in code.rglob("*.py")
        for name in loops_over_profiles(path.read_text())
    }
    assert found == {*LOOPS, ("profile_files.py", "usable")}
    planted = "def report(names):\n    return [facts(profiles.load(name)) for name in names]\n"
    assert list(loops_over_profiles(planted)) == ["report"]
