"""Mutations of shipped profiles: each is refused in one line, or all that its driver sends fits."""

import random
import re
import struct

import pytest

from controller.config import profiles, sends
from controller.core.site_devices.roles import ROLES
from controller.forms.refusal import ConfigError
from controller.workbench import profile_bench, profile_facts
from controller.workbench.profile_files import checked
from drivers.profile import FOLDER
from drivers.steps import Steps
from tests.slow import whole
from tests.tables import cases

DBC = "firebreak_rack.dbc"
NAMES = sorted(each.stem for each in FOLDER.glob("*.toml"))
PATTERN = re.compile(r'(?<=[=\[ ])(?:"\w+"|true|false|-?(?:0x)?\d[\w.-]*)')
LONG_STEP = '\\1\naddress = 65535\ntype = "u32"\nfunction = 16'
BEAT = "\n[heartbeat]\nmodel = 123\naddress = 65530\nfunction = 6\nperiod_ms = 1000\n\\1"
VALUES = "-1 0 1 2 5 6 15 16 23 124 255 65534 65535 65536 -70000 4294967295 1e-9 0.001 0.3 -1e9 "
VALUES += '"u16" "s32" "u64" "float64" "bit" "little" "write" "read" "rated_W" true [1] [65535,1]'


def mutated(text, rng):
    """The text with one value replaced, often a number by a number."""
    lines = [line.split("#")[0] for line in text.splitlines()]
    places = [(at, each.span()) for at, line in enumerate(lines) for each in PATTERN.finditer(line)]
    at, (start, end) = rng.choice(places)
    lines[at] = lines[at][:start] + rng.choice(VALUES.split()) + lines[at][end:]
    return "\n".join(lines), lines[at]


def sent(driver, profile):
    """Make every request of a driver. Raises what the loop would raise."""
    if profile.family == "register_pcs":
        driver.beats()
        driver.readings.has_measured = True
        driver.stop()
        for step in (*profile.setup, *profile.start):
            run(driver._register_steps.run(step))
        run(driver._start_up())
    if profile.family == "site_device":
        role = ROLES[profile.settings["role"]]
        settings = profile_bench.parameters_of(role.name)
        for each in [each for each in role.actuators if each.name in driver._writes]:
            high = each.high if isinstance(each.high, int) else settings[each.high]
            for value in (0, 1, high // 3, high):
                driver._writes[each.name].write_and_read_of(value)
    if profile.family == "register_bms":
        for name, row in profile.sent.items():
            for words in (row["data"] or [row["count_max"]], row["data_close"] or [0]):
                driver.write(name, words)
    if profile.family == "io":
        run(driver._set_expiry())


def run(sequence):
    """Make each request of a sequence, and answer it by zeros."""
    steps = Steps(1, lambda error, now_us: None)
    steps.begin(sequence)
    while request := steps.next_request(0):
        request.on_reply(bytes(max(2, request.reply_bytes - 3)), 0)


def failure(name, number, folder):
    """What is wrong with one mutation, or None."""
    text, line = mutated((FOLDER / f"{name}.toml").read_text(), random.Random(f"{name} {number}"))
    path = folder / f"{name}.toml"
    path.write_text(text)
    try:
        profile = checked(str(path))
        profile_facts.writes(profile)
        if profile.registers:
            profile_facts.reads(profile, 9600)
        sent(profile_bench.build(profile)[0], profile)
    except ConfigError as error:
        return f"{name} {line}: {error}" if "\n" in str(error) else None
    except (ArithmeticError, LookupError, TypeError, ValueError, struct.error) as error:
        return f"{name} {line}: {error!r}"


@pytest.mark.parametrize("count", [1, *whole(100)])
def test_a_mutation_is_refused_in_one_line_or_all_its_frames_fit(tmp_path, count):
    (tmp_path / DBC).write_text((FOLDER / DBC).read_text())
    found = [failure(name, at, tmp_path) for name in NAMES for at in range(count)]
    assert [each for each in found if each] == []


@cases("""name  old  new
    "dse_genset"  r"(.registers.run.*?address =) \\d+"  r"\\1 65535"
    "foxess_h3"  r"(.setpoint...address =) \\d+"  r"\\1 65535"
    "growatt_vpp"  'type = "u16", address = 30099'  'type = "u32", address = 65535'
    "growatt_vpp"  r"(\\n..setup..)[^\\n]*\\naddress = \\d+\\nfunction = 6"  LONG_STEP
    "sinexcel_pws"  r"(\\n..start..)[^\\n]*\\naddress = \\d+\\nfunction = 6"  LONG_STEP
    "sinexcel_pws"  r"(\\n..stop..)[^\\n]*\\naddress = \\d+\\nfunction = 6"  LONG_STEP
    "growatt_vpp"  r"(..setup..)"  r"[serial]\\naddress = 65535\\nregisters = 2\\n\\1"
    "sunspec_battery"  r"(model = 802.address =) 19"  r"\\1 65535"  # [sent.alive]
    "sunspec_pv"  r"with_words = .0,"  "with_words = [" + "0, " * 130
    "sunspec_pv"  "write_function = 16"  "write_function = 6"
    "chiller_contact"  "write_function = 5"  "write_function = 5\\ncount = 2"
    "io_8in_8out"  "(address = 64,)"  r"\\1 scale = 1e-3,"
    "fronius_gen24"  r"(\\n..setpoint)"  BEAT
    "sunspec_pcs"  "(WSetEna = .offset =) 22"  r"\\1 20"
    "pylontech_hv"  "extended = true, data"  "extended = false, data"
""")
def test_a_write_that_no_frame_can_hold_is_refused(tmp_path, name, old, new):
    path, text = tmp_path / "own.toml", (FOLDER / f"{name}.toml").read_text()
    text, changed = re.subn(old, new, text, count=1, flags=re.DOTALL)
    path.write_text(text)
    with pytest.raises(ConfigError, match="own.toml.*allowed") as error:
        checked(str(path))
    assert changed and "\n" not in str(error.value)


@cases("""name  old  new  allowed
    "sunspec_pv"  "write_function = 16"  "write_function = 6"  16
    "chiller_contact"  "write_function = 5"  "write_function = 5\\ncount = 2"  15
""")
def test_a_write_of_one_with_more_than_one_names_the_function_for_more(
    tmp_path, name, old, new, allowed
):
    path = tmp_path / "own.toml"
    path.write_text((FOLDER / f"{name}.toml").read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=rf"_function: \d .*allowed {allowed} for more than one"):
        checked(str(path))


@pytest.mark.parametrize("name, stride", [("pylontech_hv", 1 << 29), ("firebreak_rack", 1 << 11)])
def test_an_id_that_its_node_moves_out_of_range_is_refused(name, stride):
    """A port would send the low bits, which may be the id of another message."""
    profile = profiles.load(name)
    profile.settings["node_stride"] = stride
    for row in profile.sent.values():
        row["addressed"] = True
    driver = profile_bench.MAKERS[profile.family](profile, 0, 1)[0]
    with pytest.raises(ValueError, match="CAN id 0x.*allowed 0 to 0x"):
        sends.check(driver)
