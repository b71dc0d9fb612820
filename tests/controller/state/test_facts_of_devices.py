"""An inverter of the wrong sign and a set of another maker, on real frames: refused and named."""

from types import SimpleNamespace

import pytest
from command_line import flat
from site_files import FIREBREAK, SiteFiles
from views import device, site_of
from watched import Watched

from controller.config import configuration
from controller.console import pages
from controller.sites import PV_GENSET
from controller.state import devices
from tests.controller.run.cabinet_bench import believed

CONFIG = believed(configuration.load(PV_GENSET, tick_ms=100))
SUN_W, RATED_W = 180_000.0, 200_000
SETTLED_S, WATCHED_S = 15, 15


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """(facts of the page, grid power in W): battery full, export limit 0, much sun, little load."""
    watched = Watched(
        tmp_path_factory.mktemp("devices"), lambda t_s: 20_000.0, soc=0.97, settings=CONFIG
    )
    devices = watched.rig.cabinet.devices
    sun, engine = devices["pv_1"].part, devices["genset_1"]
    signals, sun._measured = sun.signals, lambda t_s: SUN_W
    sun.signals = lambda: {**signals(), "power_W": -signals()["power_W"]}
    engine.identity["manufacturer"]["equals"] = [2]
    watched.run(SETTLED_S)
    grid_W = []
    for _ in range(WATCHED_S):
        watched.run(1)
        grid_W.append(watched.rig.plant.grid_power_W)
    return watched.facts("devices"), grid_W


def named(facts):
    return {each["name"]: each for each in facts["devices"]}


def test_power_of_the_wrong_sign_is_refused_and_named(seen):
    inverter = named(seen[0])["pv_1"]
    assert inverter["signals"]["power_W"] is None
    refused = inverter["refused"]["power_W"]
    assert refused["value"] < -10_000
    assert (refused["low"], refused["high"]) == (-10_000, 240_000)


def test_an_inverter_that_is_refused_is_at_rest_and_the_export_limit_kept(seen):
    (limit,) = named(seen[0])["pv_1"]["actuators"]
    assert (limit["value"], limit["sent"]) == (0, 0)
    assert min(seen[1]) > -15_000, seen[1]


def test_a_device_of_another_maker_has_no_value_and_gets_no_write(seen):
    engine = named(seen[0])["genset_1"]
    assert engine["differs"] == "manufacturer" and not engine["is_known"]
    assert set(engine["signals"].values()) == {None}
    assert engine["actuators"][0]["sent"] == 0
    others = [each for each in seen[0]["devices"] if each["name"] not in ("pv_1", "genset_1")]
    assert [each["name"] for each in others if each["refused"] or each["differs"]] == []


def test_the_page_says_what_is_wrong(seen):
    words = flat(sum(pages.parts("devices", seen[0]), []))
    assert "power_W reads -" in words and "possible are -10000 .. 240000" in words
    assert "another device than the profile's: manufacturer differs" in words


@pytest.mark.parametrize("power_W, is_beyond", ((10_001, True), (10_000, False)))
def test_an_inverter_that_does_not_follow_its_limit_is_named(power_W, is_beyond):
    site = site_of((device("pv", rated_W=RATED_W),))
    (inverter,) = site.devices
    site.inp[0] = power_W
    site.step(bytes((1, 0)), 1)
    assert devices._beyond(inverter) == ({"limit_W": power_W} if is_beyond else {})
    site.inp[2] = power_W
    assert devices._beyond(inverter) == {}, "this power was allowed"


def test_a_limit_that_somebody_has_fixed_is_named_with_the_way_out(tmp_path):
    watched = Watched(tmp_path, settings=believed(configuration.load(PV_GENSET)))
    roof = watched.rig.cabinet.devices["pv_1"]
    at = roof._map["limit_W"]["address"]  # 70 %, no time-out, enabled
    roof._written = {(False, at + place): word for place, word in enumerate((7000, 0, 0, 0, 1))}
    watched.run(4)
    facts = named(watched.facts("devices"))["pv_1"]
    assert facts["fixed"] == {"limit_W": 140_000} and facts["differs"] is None
    words = flat(watched.lines("devices"))
    assert "somebody has fixed limit_W at 140000 in the device: it is not written until" in words
    assert "limit_W_max in the site file is 140000 or less" in words


@pytest.mark.parametrize(
    "state, is_off_grid, is_alone",
    ((1, False, True), (1, True, False), (0, False, False), (2, False, False)),
)
def test_a_ups_on_battery_is_named_only_while_the_site_is_on_the_grid(state, is_off_grid, is_alone):
    site = site_of((device("load_ups"), device("pv")))
    site.inp[0] = state
    site.step(bytes([1] * 6), 1)
    shadow = SimpleNamespace(core=SimpleNamespace(found=SimpleNamespace(is_off_grid=is_off_grid)))
    backed, sun = [devices._reading(shadow, each) for each in site.devices]
    assert (backed["is_alone"], sun) == (is_alone, {})


CONTACTS = """[device.operator]
role = "grid_contact"
profile = "operator_contacts"
bus = "air"
unit_id = 24
contact_2_import_permille = 300"""


def test_a_closed_contact_of_the_grid_operator_is_named_and_caps_the_import(tmp_path):
    """30 % of 500 kW, while the load draws 200 kW."""
    made = SiteFiles(tmp_path, (*FIREBREAK[:2], "pv_genset/cabinet.toml")).append(
        "cabinet", CONTACTS
    )
    config = believed(configuration.load(made.paths[2], tick_ms=100))
    watched = Watched(tmp_path, lambda t_s: 200_000.0, soc=0.6, settings=config)
    watched.rig.cabinet.devices["grid_contact_1"].part.closed = {"contact_2": [(20, 60)]}

    def shown(until_s):
        watched.run(until_s)
        facts = watched.facts("status")
        (found,) = [each for each in facts["site"] if each["device"] == "operator"]
        line = " ".join([each for each in watched.lines("status") if each.startswith("SITE")])
        return found["closed"], "operator contact_2 CLOSED" in line, facts["grid_W"]

    assert shown(18)[:2] == ([], False)
    *seen, grid_W = shown(30)
    assert seen == [["contact_2"], True] and grid_W < 151_000
    assert "operator's contact, import" in flat(watched.lines("why"))


UPS = """[device.backed]
role = "load_ups"
profile = "apc_smart_ups"
bus = "lan"
unit_id = 2
rated_W = 100000
energy_Wh = 20000"""
# 20 kWh of 100 kW, less 4 %: 19.2 kWh at its output
BRIDGES_WH = 19_200


def test_the_energy_of_a_ups_is_shown_and_a_ups_on_battery_beside_the_grid_is_named(tmp_path):
    made = SiteFiles(tmp_path, (*FIREBREAK[:2], "pv_genset/cabinet.toml")).append("cabinet", UPS)
    config = believed(configuration.load(made.paths[2], tick_ms=100))
    watched = Watched(tmp_path, lambda t_s: 50_000.0, settings=config).run(SETTLED_S)
    part = watched.rig.cabinet.devices["load_ups_1"].part

    def shown():
        facts = watched.facts("status")
        (ups,) = [each for each in facts["site"] if each["device"] == "backed"]
        line = " ".join([each for each in watched.lines("status") if each.startswith("SITE")])
        return ups["is_known"], ups["ups_Wh"], ups["is_alone"], line

    is_known, energy_Wh, is_alone, line = shown()
    assert (is_known, is_alone) == (True, False) and "ON BATTERY" not in line
    assert energy_Wh == pytest.approx(BRIDGES_WH, abs=100) and "backed 19.2 kWh" in line
    signals = part.signals
    part.signals = lambda: {**signals(), "state_code": 1}
    watched.run(18)
    *_, is_alone, line = shown()
    assert is_alone and "backed ON BATTERY, the site on the grid" in line
    part.signals = lambda: {**signals(), "bridging_s": 0}
    watched.run(21)
    assert shown()[:3] == (True, None, False) and "backed - kWh" in shown()[3]
    watched.rig.cabinet.devices["load_ups_1"].silent = True
    watched.run(26)
    assert shown()[:3] == (False, None, False) and "backed NOT HEARD" in shown()[3]
