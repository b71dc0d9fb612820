"""A profile of a site device against its role: all that may be asked must fit the register."""

import re
import shutil

from controller.config import configuration, families
from controller.core.image import ProcessImage
from controller.sites import FOLDER, PV_GENSET
from drivers import profile
from hil.engine.simulate import VirtualRig
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


@cases(r"""old  new
    '(?m)^type = "u16"'  'type = "s16"\ncount = 1' | "range = .0, 100000000."  "range = [0, 200000]"
""")
def test_a_write_that_can_just_be_encoded(tmp_path, old, new):
    assert with_profile(tmp_path, "sunspec_pv", old, new)


def test_an_inverter_that_is_only_measured_is_never_commanded(tmp_path):
    config = with_profile(tmp_path, "sunspec_pv", LIMIT, "")
    rig = VirtualRig(config, lambda t_s: 100_000.0, 1).run(3)
    part = rig.cabinet.devices["pv_1"].part
    assert part.asked == {} and rig.controller.cabinet.core.site.of_role("pv")[0].is_known


@cases("""device  bus  unit_id
    "branch"  "lan"  0 | "branch"  "lan"  255 | "roof"  "site"  247""")
def test_the_ids_0_and_255_are_for_a_device_reached_directly_over_tcp(
    tmp_path, device, bus, unit_id
):
    place = f'bus = "{bus}"\nunit_id = '
    config = with_line(tmp_path, f"{place}1\n", "", f"{place}{unit_id}\n")
    assert unit_id in [each.address for each in config.devices if each.name == device]


def test_a_profile_reads_the_whole_rating(tmp_path):
    assert with_line(tmp_path, "rated_W = 200000", "limit_W_max = 327000", "rated_W = 327000")


def with_line(folder, after, line, instead=None):
    """The cabinet with PV, with one more line behind `after`; `instead` replaces `after`."""
    shutil.copytree(FOLDER, folder / "sites")
    cabinet = folder / "sites" / "pv_genset" / PV_GENSET.name
    text = cabinet.read_text().replace(after, f"{instead or after}\n{line}", 1)
    assert text != cabinet.read_text() or not line
    cabinet.write_text(text)
    return configuration.load(cabinet)


@cases("""
    line  raw
    ""  "2710" | "limit_W_max = 140000"  "1b58"
""")
def test_the_highest_write_is_the_limit_in_percent_of_the_rating(tmp_path, line, raw):
    """70 % of 200 kW that are fixed for good: the raw percent stays that of the rating."""
    rig = VirtualRig(with_line(tmp_path, "rated_W = 200000", line), lambda t_s: 400_000.0, 1)
    sent = []
    rig.controller.cabinet.field.ports["site"].watch[1] = [sent.append]
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
    wanted = {"roof": (-10_000, 240_000), "diesel": (-60_000, 450_000)}
    assert bounds == wanted | {"branch": (-60_000, 60_000)}
    power = found["pcs_1"].profile.registers["701.W"]
    assert (power.low, power.high) == (-200_000, 200_000)
    most_W = [found[name]._power_W_max for name in ("meter_load", "meter_grid")]
    assert most_W == [720_000, 10 * (500_000 + 100_000)]
