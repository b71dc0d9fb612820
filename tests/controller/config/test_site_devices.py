"""A profile of a site device against its role: all that may be asked must fit the register."""

import re
import shutil

import pytest

from controller.config import configuration
from controller.config.refusal import ConfigError
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
