"""A profile of a site device against its role: all that may be asked must fit the register."""

import re
import shutil

import pytest

from controller.config import configuration, families
from controller.core.image import ProcessImage
from controller.forms.refusal import ConfigError
from controller.sites import FOLDER, PV_GENSET
from drivers import profile
from hil.engine.simulate import VirtualRig
from safety import signals
from tests.tables import cases

LIMIT = "(?ms)^\\[registers.limit_W\\].*"


def with_profile(folder, name, old, new):
    """The cabinet with PV; its inverter has the shipped profile `name` with a change."""
    shutil.copytree(FOLDER, folder / "sites")
    text = (profile.FOLDER / f"{name}.toml").read_text()
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    (folder / "sites" / "pv_genset" / "own.toml").write_text(changed)
    cabinet = folder / "sites" / "pv_genset" / PV_GENSET.name
    cabinet.write_text(cabinet.read_text().replace(f'"{name}"', '"own.toml"'))
    return configuration.load(cabinet)


@cases("""
    old  new  line
    '(?m)^type = "u16"'  'type = "s16"\\ncount = 1'  None
    "range = .0, 100000000."  "range = [0, 199999]"  \
"registers.limit_W.range: [0, 199999]; allowed a range that contains 0..200000"
    "range = .0, 100000000."  "range = [0, 200000]"  None
    "range = .0, 100000000."  "range = [1, 200000]"  \
"registers.limit_W.range: [1, 200000]; allowed a range that contains 0..200000"
    "scale = 1e-4"  "scale = 1e-5"  "registers.limit_W: 200000 does not fit u16 with scale 1e-05; \
allowed a type, scale or state for 0 and 200000"
    'scale_by = "rated_W"'  'scale_by = "rated"'  \
"registers.limit_W.scale_by: 'rated'; allowed stale_ms, rated_W, ramp_W_per_s, limit_W_max"
    "registers.power_W"  "registers.powr_W"  \
"registers.powr_W: role pv does not read it; allowed power_W, available_W"
""")
def test_a_write_that_cannot_be_encoded_is_refused(tmp_path, old, new, line):
    if line is None:
        with_profile(tmp_path, "sunspec_pv", old, new)
        return
    with pytest.raises(ConfigError) as error:
        with_profile(tmp_path, "sunspec_pv", old, new)
    assert str(error.value).endswith(f"device.roof: own.toml: {line}")


def test_an_inverter_that_is_only_measured_is_never_commanded(tmp_path):
    config = with_profile(tmp_path, "sunspec_pv", LIMIT, "")
    rig = VirtualRig(config, lambda t_s: 100_000.0, 1).run(3)
    part = rig.cabinet.devices["pv_1"].part
    assert part.asked == {} and rig.controller.cabinet.core.site.of_role("pv")[0].is_known


@cases("""
    device  unit_id  allowed
    "branch"  0  "" | "branch"  255  "" | "roof"  247  ""
    "roof"  0  "allowed 1..247 on a serial bus; 0 and 255 are for kind tcp"
    "roof"  255  "allowed 1..247 on a serial bus; 0 and 255 are for kind tcp"
    "roof"  256  "allowed 0..255"
""")
def test_the_ids_0_and_255_are_for_a_device_reached_directly_over_tcp(
    tmp_path, device, unit_id, allowed
):
    bus = {"branch": "lan", "roof": "site"}[device]
    place = f'bus = "{bus}"\nunit_id = 1\n'
    try:
        config = with_line(tmp_path, place, "", place.replace("1", str(unit_id)))
        assert unit_id in [each.address for each in config.devices] and not allowed
    except ConfigError as error:
        assert allowed and allowed in str(error)


def test_a_module_has_a_relay_for_each_stage(tmp_path):
    line = "stages_max 4; allowed 1..3, registers.stages.count"
    with pytest.raises(ConfigError, match=re.escape(line)):
        with_profile(tmp_path, "waveshare_relays", "count = 8", "count = 3")


@pytest.mark.parametrize("rated_W, is_taken", ((327_000, True), (331_000, False)))
def test_a_profile_reads_the_whole_rating(tmp_path, rated_W, is_taken):
    """Its 16 bits count tens of watts up to 330 kW; above it each reading would be refused."""
    try:
        with_line(tmp_path, "rated_W = 200000", f"limit_W_max = {rated_W}", f"rated_W = {rated_W}")
        assert is_taken
    except ConfigError as error:
        assert not is_taken and f"a range that contains 0..{rated_W}, rated_W" in str(error)


def with_line(folder, after, line, instead=None):
    """The cabinet with PV, with one more line behind `after`; `instead` replaces `after`."""
    shutil.copytree(FOLDER, folder / "sites")
    cabinet = folder / "sites" / "pv_genset" / PV_GENSET.name
    text = cabinet.read_text().replace(after, f"{instead or after}\n{line}", 1)
    assert text != cabinet.read_text() or not line
    cabinet.write_text(text)
    return configuration.load(cabinet)


@cases("""
    after  line  refusal
    "rated_W = 200000"  "limit_W_max = 200001"  \
"device.roof.limit_W_max: 200001 W is above rated_W 200000 W; allowed 1..200000 W"
    "[device.cold]"  "limit_W_max = 1"  "device.cold.limit_W_max: is not a key"
""")
def test_a_limit_is_at_most_the_rating_and_of_an_inverter(tmp_path, after, line, refusal):
    with pytest.raises(ConfigError, match=re.escape(refusal)):
        with_line(tmp_path, after, line)


@cases("""
    line  raw
    ""  "2710" | "limit_W_max = 140000"  "1b58"
""")
def test_the_highest_write_is_the_limit_in_percent_of_the_rating(tmp_path, line, raw):
    """70 % of 200 kW that are fixed for good: the raw percent stays that of the rating."""
    rig = VirtualRig(with_line(tmp_path, "rated_W = 200000", line), lambda t_s: 400_000.0, 1)
    sent = []
    rig.controller.cabinet.field.ports["site"].watch[1] = sent.append
    rig.run(16)
    raws = [frame[7:9].hex() for frame in sent if frame[1] == 16]
    assert max(raws) == raw and rig.cabinet.devices["pv_1"].part.asked["limit_W"] > 139_999


def test_the_range_of_each_power_follows_the_rating(tmp_path):
    """A converter that forms an island gives more than its rated power for seconds."""
    lines = "rated_W = 50000\n[device.meter_load]\nrated_W = 600000\n[unit.1]\nrated_W = 100000"
    config = with_line(tmp_path, 'profile = "em24"\nbus = "lan"\nunit_id = 1', lines)
    image = ProcessImage(config.layout(), config.site_devices)
    found = families.build(config, image)
    bounds = {
        name: (signal.codec._low, signal.codec._high)
        for name in ("roof", "diesel", "branch")
        for signal in found[name]._signals
        if signal.codec._register.name == "power_W"
    }
    assert bounds == {
        **{"roof": (-10_000, 240_000), "diesel": (-60_000, 450_000), "branch": (-60_000, 60_000)}
    }
    power = found["pcs_1"].profile.registers["701.W"]
    assert (power.low, power.high) == (-200_000, 200_000)
    assert [found[name]._power_W_max for name in ("meter_load", "meter_grid")] == [
        720_000,
        signals.INT_MAX,
    ]
