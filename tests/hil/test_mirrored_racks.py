"""The cabinet of market parts runs in the rig with a rack by registers, or one without limits."""

import pytest
from observed import events
from site_files import SiteFiles

from hil.engine import coverage
from hil.engine.simulate import VirtualRig

MARKET = ("types/market_100.toml", "market/site.toml", "market/cabinet.toml")
WHO = '"N. N., 2026-01-01: test"'
CAN = '[bus.can0]\nkind = "can"\nbitrate_bps = 500000\n'
SERIAL = '[bus.rack]\nkind = "rtu"\nbaud_Bd = 19200\n'


def cabinet(folder, name):
    files = SiteFiles(folder, MARKET)
    rack = f'profile = "{name}"\nbus = "rack"\nunit_id = 1'
    files.replace("type", 'profile = "pylontech_hv"\nbus = "can0"\nnode = 1', rack)
    files.replace("type", CAN, SERIAL)
    old = '[bus.can0]\ninterface = "socketcan"\nchannel = "can0"'
    files.replace("cabinet", old, '[bus.rack]\nport = "/dev/ttyRACK"')
    files.say("site", "not_fitted.bms_map", WHO)
    return coverage.loaded(str(files.paths[-1]))


@pytest.mark.parametrize("name", ["sunspec_battery", "byd_c130", "pylontech_m2"])
def test_a_rack_on_modbus_closes_and_follows(tmp_path, name):
    """`sunspec_battery` and `byd_c130` close by a command, in their block of registers."""
    rig = VirtualRig(cabinet(tmp_path, name), lambda t_s: 60_000, plant_config={"soc": 0.55}).run(9)
    assert rig.observer.violations == [] and rig.trips.trips == []
    assert {"contactors_closed", "setpoint_sent"} <= set(events(rig))
