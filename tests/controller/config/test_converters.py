"""Profiles of converters by registers, and cabinets that use them: each refusal is one line."""

import pytest
from converter_forms import toml

from controller.config import profiles, proof_plan, stage_states
from controller.config.converters import RESTS
from controller.documents import check, check_rows
from controller.forms.refusal import ConfigError
from drivers import profile
from safety import matrix
from tests.tables import cases

WHO = '"N. N., 2026-01-01: test"'
GOOD = toml("signed")
STORED = "stored = true\nwrites_per_day_max = 9"
NOT_STORED = "stored = false\nwrites_per_day_max = 9"
MODE = toml("mode_first")

# the charge behind a mode whose idle value is that of the charge
LATE = toml("idle_is_charge").replace('"charge"', '"x"').replace('= "discharge",', '= "charge",')
LATE = LATE.replace('"x"', '"discharge"')
STEP = "\n[[start]]\naddress = 200\nfunction = 6\n"
BEAT = "[heartbeat]\naddress = 101\nfunction = 6\nperiod_ms = 100"
TWICE = MODE[MODE.index("[[setpoint]]") :].replace("10", "11")
SETUP = STEP.replace("start", "setup") + "value = 1\n"
FRAME = "[[setpoint]]\naddress = 100\nfunction = 16\nvalues = [{role = "


def states(values):
    return GOOD.replace("{1 = 7, 2 = 3, 3 = 6}", values)


def way(values):
    """A current without a sign, and its direction."""
    own = f"range = [0, 1], values = {values}"
    register = f'current_direction = {{type = "u16", address = 20, {own}}}\nstate = {{'
    text = GOOD.replace('"discharge"}', '"both"}', 1).replace("range=[-1e6", "range=[0")
    return text.replace("state = {", register, 1)


def beats(most):
    """A heartbeat each second that may be stored, and a budget."""
    return toml("signed", settings=f"writes_per_day_max = {most}") + BEAT.replace(
        "101", "300"
    ).replace("100", "1000")


def loaded(tmp_path, text):
    (tmp_path / "own.toml").write_text(text)
    return profiles.load(str(tmp_path / "own.toml"))


@cases("""text  words
    GOOD.replace("dc_current_mA = ", "dc_current = ")  "registers.dc_current: is not a known key"
    GOOD.replace("dc_current_mA = ", "forming = ")  "registers.dc_current_mA: is missing; rows 54"
    GOOD.replace("dc_current_mA = ", "dc_charge_W = ")  "registers.dc_current_mA: is missing"
    GOOD.replace("power_W = ", "local = ")  "registers.power_W: is missing; the family needs it"
    GOOD.replace("state = ", "fault_x = ")  "registers.fault_x: has no bit in fault_bits"
    GOOD.replace("[[setpoint]]", "[[stop]]")  "setpoint: is missing; allowed [[setpoint]] with"
    GOOD.replace("function = 16", "function = 6")  'setpoint.1.values: "2 registers" is not allowed'
    GOOD.replace("address = 100", "address = 100\\nvalue = 1")  "setpoint.1.value: is not"
    MODE.replace("address = 101", "address = 100")  "setpoint.2.address: 100 is not allowed"
    MODE + TWICE  "has 2 values with role mode"
    MODE.replace("idle = 0xCC", "idle = 0xAA")  "values.1.idle: 170 is not allowed"
    LATE  "setpoint.2.values.1.idle: 3 is not allowed; allowed another raw value"
    MODE.replace("discharge = 0xBB", "discharge = 0xAA")  "values.1.discharge: 170 is not"
    MODE.replace(", idle = 0xCC", "")  "setpoint.1.values.1.idle: is missing: role mode"
    GOOD + FRAME.replace("100", "300") + '"constant", type = "u16"}]'  "equals: is missing"
    GOOD.replace('type = "s32"}', 'type = "s32", idle = 1}')  "idle: is not allowed: role power"
    GOOD.replace('type = "s32"}', 'type = "s32", scale = 0}')  "scale: 0 is not allowed"
    GOOD + STEP  "start.1: is not clear; allowed value"
    states("{1 = 3, 3 = 6}")  "state.values: [3, 6] is not allowed; allowed states 0..7, with 3"
    states("{1 = 7, 3 = 6}")  "state.values: [6, 7] is not allowed; allowed states 0..7, with 3"
    states("{1 = 7, 2 = 8, 3 = 3}")  "state.values: [3, 7, 8] is not allowed"
    states("{}")  "state.values: [] is not allowed"
    states("{1 = 7, 01 = 3, 2 = 3}")  "allowed a table {raw value = value}, both whole numbers"
    GOOD.replace("address = 12", "address = 11")  "dc_voltage_mV.address: 11 is not allowed"
    GOOD.replace("address = 12", "address = 13")  "dc_current_mA.address: 13 is not allowed"
    MODE.replace("0xCC", "0xCC, release = 0xCC")  "values.1.idle: 204 is not allowed; allowed a"
    GOOD.replace('"s32"}', '"s32", release = 0}')  "release: is not allowed: role power"
    GOOD + SETUP + SETUP.replace("= 1", "= 2")  "setup.2.address: 200 is not allowed"
    GOOD + SETUP + BEAT.replace("101", "200")  "heartbeat.address: 200 is not allowed"
    GOOD + SETUP.replace("setup", "stop") + BEAT.replace("101", "200")  "heartbeat.address: 200"
    way("{1 = -1}")  "current_direction.values: is not clear; allowed {raw value = 1"
    beats(86_400)  "writes_per_day_max: 86400 is not allowed; allowed 0, or more than the 86400 rep"
    GOOD + STEP + "value = 1\\nequals = [1]"  "start.1: is not clear"
    GOOD + STEP.replace("200", "101") + "value = 1"  "start.1.address: 101 is not"
    GOOD + STEP.replace("function = 6", "function = 3") + "value = 1"  "start.1: is not clear"
    GOOD + STEP.replace("start", "stop").replace("6", "3") + "equals = [1]"  "stop.1.function: 3"
    GOOD + STEP + 'value = 1\\ntype = "u32"'  "start.1.function: 6 is not allowed; allowed 16"
    GOOD + STEP + "value = -1"  "start.1.value: -1 is not allowed; allowed a value that u16"
    GOOD + STEP.replace("start", "stop") + "value = 70000"  "stop.1.value: 70000 is not allowed"
    GOOD + STEP.replace("function = 6", "function = 3") + "equals = [-1]"  "start.1.equals: -1 is"
    GOOD + STEP + "value = 1" + STEP.replace("start", "stop") + "value = 1"  "start.1.value: 1 is"
    GOOD + STEP + "value = 1" + STEP.replace("start", "setup") + "value = 1"  "of [[setup]]"
    MODE.replace("idle = 0xCC", "idle = 70000")  "setpoint.1.values.1.idle: 70000 is not allowed"
    GOOD.replace("dc_current_mA = {", 'dc_current_mA = {scale_by = "big", ')  "allowed rated_W"
    GOOD + BEAT  "heartbeat.address: 101 is not allowed; allowed a register that is not of"
    GOOD + STEP + "value = 1\\n" + BEAT.replace("101", "200")  "heartbeat.address: 200 is"
    toml("signed", watchdog_s=5)  "watchdog_s: 5 is not allowed; allowed 0 with"
    toml("signed", watchdog="setpoint", watchdog_s=4, repeat_ms=2001)  "watchdog_s: is not fed"
    toml("signed", watchdog="heartbeat", watchdog_s=4)  "heartbeat.period_ms is 0"
    toml("signed", watchdog="reads", watchdog_s=0.19)  "timing.period_ms is 100; allowed 1..95 ms"
    toml("signed", settings="stored = true")  "writes_per_day_max: 0 is not allowed"
    toml("signed", settings=NOT_STORED)  "writes_per_day_max: 9 is not allowed"
    toml("signed", repeat_ms=500, settings=STORED)  "allowed 0: each"
""")
def test_a_profile_is_refused_in_one_line(tmp_path, text, words):
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("table", ["[[setpoint]]\naddress = 1", "[heartbeat]\naddress = 1"])
def test_another_family_has_no_set_point(tmp_path, table):
    text = (profile.FOLDER / "em24.toml").read_text() + f"\n{table}\n"
    with pytest.raises(ConfigError, match="is not a table of family"):
        loaded(tmp_path, text)


def test_a_watchdog_may_be_fed_at_exactly_half_its_time(tmp_path):
    loaded(tmp_path, toml("signed", watchdog="setpoint", watchdog_s=4, repeat_ms=2000))


@pytest.fixture
def converter(files):
    """The example cabinet with a constructed converter: converter(text, accepted names)."""

    def made(text, accepted=RESTS, has_b=True):
        if has_b:
            files.second_channel()
        names = ", ".join(f'"{name}"' for name in ("suppression", "door", *RESTS))
        files.replace("type", '["suppression", "door"]', f"[{names}]")
        files.replace("type", 'profile = "sunspec_pcs"', 'profile = "own.toml"')
        (files.paths[0].parent / "own.toml").write_text(text)
        for name in accepted:
            files.say("site", f"not_fitted.{name}", WHO)
        return files

    return made


LACKING = toml("signed", read_back="false").replace("state = {", "local = {")


# the example cabinet accepts pcs_stored: see below
@pytest.mark.parametrize("name", [each for each in RESTS if each != "pcs_stored"])
def test_what_a_converter_lacks_needs_an_acceptance_by_name(converter, name):
    said = converter(LACKING, [each for each in RESTS if each != name]).refusal()
    line = f"not_fitted.{name}: is missing: device.pcs_1 {RESTS[name]}; allowed who accepted it"
    is_of_a_row = name in ("pcs_faults", "pcs_state")
    assert line in said or is_of_a_row and "row 59" in said


def test_check_prints_what_rests_on_each_gap_and_the_rows_that_are_not_armed(converter):
    config = converter(LACKING).load()
    page = " ".join(check.report(config).split())
    for name, words in RESTS.items():
        assert f"pcs_1: {words} (not_fitted.{name})" in page
    assert "it has no watchdog; what stops it: channel B (N. N., 2026-01-01: test)" in page
    states = {
        stage[matrix.S_ID]: stage_states.stage_state(stage, config.topology, index)
        for stage, index in stage_states.instances(config.topology)
    }
    for stage, name in (("59c", "pcs_faults"), ("59d", "pcs_faults"), ("59e", "pcs_state")):
        assert states[stage] == (stage_states.NOT_REPORTED, name)
    assert states["56a"] == states["41a"] == (stage_states.ARMED, "")
    assert "the converter does not report fault bits" in "\n".join(check_rows.rows(config))


@cases("""own
    {"settings": "enable_input = true"}
    {"watchdog": "setpoint", "watchdog_s": 4, "repeat_ms": 1000}
    {"watchdog": "reads", "watchdog_s": 4}
""")
def test_an_enable_input_or_a_watchdog_needs_no_second_agent(converter, own):
    files = converter(toml("signed", **own), ["pcs_faults", "pcs_heartbeat"], has_b=False)
    assert "pcs_watchdog" not in files.load().topology.not_fitted


def test_a_text_alone_does_not_stop_a_converter_without_a_watchdog(converter):
    line = converter(GOOD, has_b=False).refusal()
    assert 'cabinet.second_channel: is "none", and nothing stops device.pcs_1' in line
    assert 'allowed "fitted", or a profile with a watchdog, or one with enable_input' in line


def test_the_longest_time_of_a_row_counts_its_slowest_read(converter):
    """The slower of measurements, 500 or 100 ms, and of read-backs, 200 ms."""
    config = converter(GOOD).load()
    slow = converter_of(config)
    slow.period_ms = 500
    late_ms = proof_plan.allowed_ms(config)
    slow.period_ms = 100
    soon_ms = proof_plan.allowed_ms(config)
    assert {key: late_ms[key] - soon_ms[key] for key in ("55", "56")} == {"55": 300, "56": 300}


def converter_of(config):
    return config.topology.required("pcs", 0).profile


def test_a_converter_may_be_on_modbus_tcp(converter):
    files = converter(GOOD)
    files.replace("type", 'kind = "rtu"\nbaud_Bd = 115200\n[bus.io]', 'kind = "tcp"\n[bus.io]')
    files.say("cabinet", "bus.pcs.port", "nothing")
    files.say("cabinet", "bus.pcs.address", '"192.168.1.20:502"')
    assert files.load().topology.required("pcs", 0).bus == "pcs"


@cases("""old  new  words
    'type = "s32"}]'  'type = "s16"}]'  "250000 does not fit s16 with scale 1: rated_W of unit 1"
    'type = "s32"}]'  'type = "u32", offset = 9}]'  "does not fit u32 with scale 1 and offset 9"
    "[-400000, 400000]"  "[-200000, 200000]"  "registers.power_W.range: [-200000, 200000]"
""")
def test_a_profile_must_fit_the_rating(converter, old, new, words):
    assert words in converter(GOOD.replace(old, new)).refusal()


def test_load_tracking_is_refused_where_set_points_are_stored(converter):
    text = toml("signed", settings="stored = true\nwrites_per_day_max = 200")
    line = (
        "control.track_dead_band_W: stores each set-point of device.pcs_1, and load tracking asks"
    )
    assert line in converter(text).refusal()


def test_load_tracking_on_what_a_converter_may_store_needs_an_acceptance(files):
    """Flash wears out in a day of several set-points a second; a person knows it or asks."""
    line = f"not_fitted.pcs_stored: is missing: device.pcs_1 {RESTS['pcs_stored']}"
    assert line in files.drop("type", "pcs_stored").refusal()
