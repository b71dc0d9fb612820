"""`firebreak profile`: what a list and a check say of a profile, a skeleton that is filled in."""

import re

import pytest
from command_line import facts_in, flat, refused, run

from controller.config import profile_form, profiles
from controller.workbench import profile_bench, profile_facts, profile_skeleton
from drivers.profile import FOLDER
from tests.tables import cases

NAMES = sorted([path.stem for path in FOLDER.glob("*.toml")])


@pytest.fixture(scope="module")
def listed():
    """{name: facts} of every shipped profile."""
    return {name: profile_facts.facts(name, profiles.load(name)) for name in NAMES}


def test_the_list_has_every_profile_in_both_forms(capsys, listed):
    code, lines, said = run(capsys, "profile list --json")
    assert (code, said) == (0, []) and facts_in(lines) == [*listed.values()]
    text = "\n".join(run(capsys, "profile list")[1])
    assert all(f"{name} " in text for name in NAMES) and "NO WATCHDOG" in text
    assert "captured: 4 of 12 values, simulated only; needs no" in text  # sdm630


@cases("""name  key  value
    "sdm630"       "acceptances"  []
    "sdm630"       "buses"  ["rtu", "tcp"]
    "em340"        "acceptances"  ["meter_map"]
    "sdm72_v1"     "map_only"  True
    "goodwe_et"    "watchdog"  "none"
    "goodwe_et"    "tracking"  True
    "em24"         "roles"  ["meter"]
    "deye_native"  "acceptances"  ["bms_temperatures", "insulation", "bms_sensors", "bms_map"]
    "deye_native"  "buses"  ["can"]
    "sunspec_pcs"  "acceptances"  ["pcs_stored", "pcs_map"]
    "em24_rs485"   "tracking"  None
    "goodwe_meter"  "rested_on"  ["power_1", "power_2", "power_3", "power_W"]
""")
def test_facts_of_a_profile(listed, name, key, value):
    assert listed[name][key] == value


def test_the_sign_of_each_value_follows_its_own_scale(listed):
    said = listed["growatt_vpp"]["sign"]
    assert "discharge as positive in power_W" in said and "charge as positive in dc_power_W" in said
    assert "charge as positive in setpoint." in said
    said = listed["fronius_gen24"]["sign"]
    assert "in power_W; its set-point is a negative number for charge and for discharge;" in said


def test_a_read_beyond_the_last_register_is_refused_in_one_line(capsys, tmp_path):
    text = (FOLDER / "sdm630.toml").read_text()
    path = tmp_path / "own.toml"
    path.write_text(re.sub("address = [0-9]+", "address = 65535", text, count=1))
    refused(capsys, 2, "own.toml", "profile check", str(path))


def test_a_converter_that_stores_its_set_points_is_not_tracked(tmp_path):
    text = (FOLDER / "goodwe_et.toml").read_text()
    text = re.sub("repeat_ms = [0-9]+", "repeat_ms = 0", text)
    text = text.replace("[settings]\n", "[settings]\nstored = true\nwrites_per_day_max = 9\n")
    (tmp_path / "own.toml").write_text(text)
    found = profile_facts.facts("own", profiles.load(str(tmp_path / "own.toml")))
    assert (found["stored"], found["writes_per_day_max"], found["tracking"]) == ("yes", 9, False)


def test_the_profiles_beside_a_site_file_are_listed_too(capsys, tmp_path, files):
    site = files.paths[1].parent
    (site / "own.toml").write_text((FOLDER / "sdm630.toml").read_text())
    found = facts_in(run(capsys, "profile list --json --site", files.paths[2])[1])
    assert [each["name"] for each in found[len(NAMES) :]] == [str(site / "own.toml")]
    refused(capsys, 2, "cannot be read", "profile list --site", tmp_path / "none.toml")
    (site / "bad.toml").write_text('family = "meter"\nmaker = 5\n')
    code, lines, said = run(capsys, "profile list --site", files.paths[2])
    assert code == 2 and len(said) == 1 and "left out: " in said[0] and "bad.toml" in said[0]
    assert any(line.startswith(str(site / "own.toml")) for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_profile_has_a_driver_of_its_own(name):
    """The check tries the profile with the driver that a cabinet would give it."""
    profile = profiles.load(name)
    device, shelf = profile_bench.build(profile)
    assert device.profile is profile and shelf.taken() == {}
    shelf.fresh[:] = [1] * len(shelf.fresh)
    assert shelf.taken() == {}  # nothing was said, so no value is 0
    shelf.inp[:] = [0] * len(shelf.inp)
    shelf.fresh[:] = [1] * len(shelf.fresh)
    given = {*profile.registers, *profile.signals}
    made = {"contactor_state", "soh_permille", "pcs_heartbeat"} & set(shelf.taken())
    is_sunspec = profile.family == "sunspec_pcs"
    own = profile.family.endswith(("bms", "pcs"))
    assert not own or is_sunspec or {each.removeprefix("pcs_") for each in made} <= given


def test_the_check_of_a_meter_says_what_it_gives(capsys):
    code, lines, _ = run(capsys, "profile check sdm630 --baud 9600")
    text = flat(lines)
    assert code == 0 and "signals voltage_1 V, voltage_2 V" in text
    # 8 + 77 characters of 11 bits, 3.5 between frames: 111 ms; its period is 100 ms
    assert "function 4, 36 from 0, every 100 ms; at most 111.4 ms at 9600 Bd: TOO SLOW" in text
    assert "TOO SLOW" not in " ".join(run(capsys, "profile check sdm630 --baud 115200")[1])


@cases("""name  words
    "goodwe_et"      "charge 10000 W of 100000 W: 0x000B to 47511 (function 6)"
    "fronius_gen24"  "discharge 10000 W of 100000 W: 0x0000 0xFC18 to 12 of SunSpec model 124 (fun"
    "sungrow_sh"     "start: 0x0002 to 13049 (function 6)"
    "ejpcs"          "setup: "
    "pytes"          "alive: 0000000000000000 to 0x305, every 1000 ms"
""")
def test_the_check_of_a_device_says_what_it_is_sent(capsys, name, words):
    text = flat(run(capsys, f"profile check {name}")[1])
    assert f" write {words}" in text


def test_the_check_shows_the_heartbeat_that_a_converter_is_sent(tmp_path):
    beat = "[heartbeat]\naddress = 46229\nfunction = 6\nperiod_ms = 5000\ncount_max = 9\n"
    (tmp_path / "own.toml").write_text((FOLDER / "foxess_h3.toml").read_text() + beat)
    found = profile_facts.writes(profiles.load(str(tmp_path / "own.toml")))
    assert "heartbeat: 1 to 9 to 46229, every 5000 ms" in found


def test_the_check_shows_what_a_rack_by_registers_is_sent(tmp_path):
    close = "close = {address = 50, function = 6, data = [2], data_close = [1], period_ms = 0}\n"
    beat = "beat = {address = 19, function = 16, count_max = 9}\n"
    text = (FOLDER / "bcu_ems.toml").read_text() + "[sent]\n" + close + beat
    (tmp_path / "own.toml").write_text(text)
    found = profile_facts.writes(profiles.load(str(tmp_path / "own.toml")))
    close = "close: 0x0002, to close 0x0001, to 50, at each change"
    assert found == [close, "beat: 1 to 9 to 19, every 1000 ms"]


def test_the_check_of_a_rack_names_each_signal_once():
    names = [name for name, _ in profile_facts.signals(profiles.load("seplos_v3"))]
    assert len(names) == len(set(names)) > 5


def test_a_rack_that_is_too_slow_for_every_cabinet_is_refused(capsys, tmp_path):
    text = (FOLDER / "pylontech_lv.toml").read_text()
    assert "\nwarn = {" in text and "period_ms = 1000" in text
    slow = tmp_path / "slow.toml"
    slow.write_text(text.replace("period_ms = 1000", "period_ms = 1001"))
    words = "its longest period of 1001 ms is too long for contactor_report_ms of every cabinet; "
    refused(capsys, 2, f"slow.toml: {words}allowed 1..1000 ms", "profile check", slow)


def test_a_rack_without_warnings_needs_no_empty_table(tmp_path):
    text = (FOLDER / "pytes.toml").read_text()
    assert "\ninfo = {}" in text
    (tmp_path / "own.toml").write_text(text.replace("\ninfo = {}", ""))
    assert profiles.load(str(tmp_path / "own.toml")).fault_bits["info"] == {}


@cases("""old  new  words
    'role = "genset"'  'role = "gen"'  "dse.toml: settings.role: 'gen'; allowed pv, "
    "[registers.run]"  "[registers.runs]"  "k: dse.toml: registers.runs: role genset does not"
    "address = 768"  "address = 70000"  "manufacturer.address: 70000 is not allowed; allowed 0..6"
""")
def test_the_first_mistake_is_one_line(capsys, tmp_path, old, new, words):
    text = (FOLDER / "dse_genset.toml").read_text()
    assert old in text
    (tmp_path / "dse.toml").write_text(text.replace(old, new))
    refused(capsys, 2, re.escape(words), "profile check", tmp_path / "dse.toml")


# -- a skeleton, filled in as its document says

FILLED = {
    "type": '"u16"',
    "function": "3",
    "direction": '"read"',
    "documents": '["a paper"]',
    "range": "[0, 1000000]",
    "expiry_ms": "100",
    "period_ms": "100",
    "power_tolerance_permille": "100",
    "calibrated_lfl_vol_ppm": "40000",
    "equals": "[1]",
    "watchdog": '"none"',
    "watchdog_s": "0",
    "on_loss": '"goes on"',
    "positive": '"discharge"',
    "values": "{0 = 1, 1 = 3}",
    "read_back": "true",
    "repeat_ms": "0",
    "maker": '"a maker"',
    "model": '"a model"',
    "phases": "3",
    "refresh_ms": "200",
    "message": '"pack"',
    "length": "8",
    "bit": "1",
    "role": '"power"',
}


def filled(text):
    """Each "?" replaced by a value of its key; addresses and bits rise."""
    places = iter(range(1000))

    def value(match):
        key = match[1]
        if key in ("address", "start"):
            return f"{key} = {next(places) * (8 if key == 'start' else 1)}"
        return f"{key} = {FILLED.get(key, '600')}"

    text = text.replace('documents = ["?"]', f"documents = {FILLED['documents']}")
    text = text.replace('type = "?"}]', 'type = "s16"}]')
    text = text.replace(
        '[[setpoint]]\naddress = "?"\nfunction = "?"', "[[setpoint]]\naddress = 900\nfunction = 16"
    )
    return re.sub(r'(\w+) = "\?"', value, text)


@cases("""family  role
    "meter"  "" | "io"  "" | "gas"  "" | "climate"  "" | "can_bms"  "" | "register_pcs"  ""
    "site_device"  "meter" | "site_device"  "pv"
""")
def test_a_skeleton_passes_once_it_is_filled_in(capsys, tmp_path, family, role):
    path = tmp_path / "own.toml"
    more = ("--role", role) if role else ()
    assert run(capsys, f"profile new {family}", path, *more)[0] == 0
    refused(capsys, 2, r'own.toml:\w.*"\?" is not allowed; allowed', "profile check", path)
    text = filled(path.read_text())
    if family in profile_form.SENSORS:
        text = text.replace("function = 3", "function = 4")
    if family == "can_bms":
        text = text.replace("[0, 1000000]", "[0, 1000]")
    if family == "meter":
        text = text.replace("# nominal_voltage_V = ...", "nominal_voltage_V = 230")
    if role == "pv":
        assert 'limit_W = {direction = "write", type = "u16"' in text
        text = text.replace('"write", type = "u16"', '"write", type = "u32"')
    path.write_text(text)
    code, lines, said = run(capsys, "profile check", path)
    assert (code, said) == (0, []) and lines[0].endswith("accepted")


def test_a_skeleton_replaces_no_file(capsys, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("mine")
    refused(capsys, 2, "own.toml: File exists", "profile new meter", path)
    assert path.read_text() == "mine"


def test_a_family_is_begun_by_a_skeleton_or_by_a_copy():
    assert {*profile_skeleton.FAMILIES, "sunspec_pcs"} == set(profile_form.FAMILIES)
    assert (FOLDER / "sunspec_pcs.toml").is_file()
