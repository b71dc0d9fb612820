"""A cabinet whose converter is one by registers runs in the rig, on a serial line and on TCP."""

import struct
import tomllib
from types import SimpleNamespace

import pytest
from converter_cabinet import SIGNED, converter_file
from converter_forms import toml
from observed import events
from register_converter import PROFILES
from site_files import PYLONTECH

from drivers import profile
from hil.devices.mirrored_pcs import Asked, MirroredPcs
from hil.engine import coverage
from hil.engine.simulate import VirtualRig
from hil.plant.config import CabinetConfig
from hil.plant.pcs import Pcs
from tests.slow import whole
from tests.tables import table


def cabinet(*given, **more):
    return coverage.loaded(str(converter_file(*given, **more)))


def played(config, seconds, load=lambda t_s: 150_000 + 90_000 * (int(t_s) // 3 % 2)):
    return VirtualRig(config, load, plant_config={"soc": 0.55}).run(seconds)


def sungrow():
    """The shipped profile, for a rating of this cabinet."""
    text = (profile.FOLDER / "sungrow_sh.toml").read_text()
    for old, new in table("""
    "magnitude", type = "u16" | "magnitude", type = "u16", scale = 10
    60000] | 600000]
    [-60000, | [-600000,
    setpoint_pause_ms = 250 | setpoint_pause_ms = 0
    period_ms = 800 | period_ms = 200
    control_period_ms = 1600 | control_period_ms = 400
    gap_ms = 50 | gap_ms = 0
    turnaround_ms = 30 | turnaround_ms = 5
    dead_time_ms = 1000 | dead_time_ms = 60
    ramp_ms = 1000 | ramp_ms = 100
"""):
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    "text, is_tcp", [(SIGNED, True), *whole((SIGNED, False), (sungrow(), False), (sungrow(), True))]
)
def test_the_example_cabinet_runs_with_it(tmp_path, text, is_tcp):
    config = cabinet(tmp_path, text, is_tcp=is_tcp)
    assert coverage.not_simulated(config, True) == [] and coverage.mirrored(config) == ["pcs_1"]
    rig = played(config, 30)
    assert rig.observer.violations == [] and rig.trips.trips == []
    assert {"contactors_closed", "pcs_start_sent", "setpoint_sent"} <= set(events(rig))
    (unit,) = rig.recorder.units.result()
    assert unit["discharged_kWh"] and unit["charged_kWh"]


@pytest.mark.parametrize("name", whole(*PROFILES))
def test_a_small_cabinet_runs_with_each_shipped_profile(tmp_path, name):
    text = (profile.FOLDER / f"{name}.toml").read_text()
    rig = played(cabinet(tmp_path, text, PYLONTECH), 60, lambda t_s: 2000 + 1500 * (t_s // 9 % 2))
    assert rig.observer.violations == []
    assert {"contactors_closed", "setpoint_sent"} <= set(events(rig))


def test_the_watchdog_of_the_simulated_converter_ends_its_power(tmp_path):
    config = cabinet(tmp_path, SIGNED)
    rig = VirtualRig(config, lambda t_s: 150_000, plant_config={"soc": 0.55})
    pcs = rig.cabinet.devices["pcs_1"]
    for address, word in ((200, 7), (211, 1)):
        pcs.write(6, address, [word], 1_000_000)
    pcs.write(16, 100, [0, 5000], 1_000_000)
    assert pcs.pcs.setpoint_W == 5000 and pcs.pcs.run_requested
    pcs.tick(3_000_000)
    pcs.write(6, 200, [7], 3_000_000)  # it does not change
    assert (pcs.losses, pcs.pcs.setpoint_W) == (0, 5000)
    pcs.tick(3_000_001)
    assert (pcs.losses, pcs.pcs.setpoint_W, pcs.pcs.run_requested) == (1, 0, False)


def test_what_was_asked_follows_the_frames():
    asked = Asked(tomllib.loads(toml("mode_first")), 10_000)
    found = []
    for address, word in ((101, 500), (100, 0xBB), (100, 0xAA), (100, 0xCC)):
        asked.written(address, word.to_bytes(2, "big"))
        found.append(asked.power_W)
    assert found == [None, 5000, -5000, 0]


@pytest.mark.parametrize("state", range(8))
def test_a_state_of_the_plant_that_the_profile_lacks_shows_as_the_nearest(tmp_path, state):
    path = tmp_path / "mine.toml"
    text = (profile.FOLDER / "sinexcel_pws.toml").read_text()
    before = "values = {0 = 0, 1 = 6, 4 = 3, 5 = 6, 128 = 7, 129 = 6, 132 = 3, 133 = 6}"
    assert before in text
    path.write_text(text.replace(before, "values = {4 = 3, 5 = 6}"))
    plant = Pcs(CabinetConfig(), 240)
    plant.state = state
    mirror = MirroredPcs(SimpleNamespace(pcs=[plant]), 0, path)
    (shown,) = struct.unpack(">H", mirror.payload(3, 32, 1)[-2:])
    assert shown == (5 if state == 6 else 4)
