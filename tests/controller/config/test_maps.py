"""A map that no reading proves: its acceptance by name, and what rests on it."""

from controller.config import configuration, equipment, families, maps, profile_evidence, profiles
from controller.config.schema import ROLES
from controller.core.image import ProcessImage
from controller.core.site_devices.roles import CLOCK
from controller.documents import check
from controller.sites import FOLDER
from drivers.profile import FOLDER as FOLDER_OF_PROFILES
from tests.tables import cases


@cases("""name  layer  device
    "bms_map"    "type"  "device.bms_1 (firebreak_rack), device.bms_2 (firebreak_rack)"
    "pcs_map"    "type"  "device.pcs_1 (sunspec_pcs): no captured or documented reading"
    "io_map"     "type"  "device.io_1 (io_8in_8out)"
    "sensor_map"  "type"  "device.gas_1 (gas_detector)"
    "meter_map"  "site"  "device.meter_grid (firebreak_fast_meter)"
""")
def test_a_map_without_a_reading_needs_an_acceptance_by_name(files, name, layer, device):
    line = files.say(layer, f"not_fitted.{name}", "nothing").refusal()
    assert f"not_fitted.{name}: is missing: {device}" in line
    assert line.endswith("allowed who accepted it, when (YYYY-MM-DD) and why, on one line of ASCII")


def test_the_first_missing_acceptance_names_the_others(files):
    for name in ("io_map", "pcs_map"):
        files.say("type", f"not_fitted.{name}", "nothing")
    line = files.refusal()
    assert "not_fitted.io_map: is missing" in line and "; pcs_map is missing too; allowed" in line


def test_a_bms_without_limits_of_its_current_needs_an_acceptance_and_has_the_rated_one(pylontech):
    pylontech.replace("type", '"pylontech_lv"', '"jk_can"').without(["bms_map"])
    line = (
        "not_fitted.bms_limits: is missing: device.bms_1 (jk_can): the BMS does not report limits"
    )
    assert line in pylontech.refusal()
    pylontech.replace("type", '"bms_sensors"', '"bms_sensors", "bms_limits"')
    config = pylontech.without(["bms_limits"]).load()
    (rack,) = config.rack_tables
    image = ProcessImage(config.layout(), config.site_devices)
    assert families.build(config, image)["bms_1"]._rated_mA == rack["rated_current_mA"]


def test_a_reading_replaces_the_acceptance(files):
    files.say("site", "not_fitted.meter_map", "nothing")
    files.with_profile("firebreak_fast_meter", 'evidence = "constructed"', 'evidence = "captured"')
    assert "meter_map" not in maps.map_only(files.load().devices)


def test_a_set_point_that_no_reading_proves_needs_the_acceptance(tmp_path):
    text = (FOLDER_OF_PROFILES / "foxess_h3_smart.toml").read_text()
    assert maps.is_map_only(profiles.load("foxess_h3_smart")), "of its captures none is a write"
    path = tmp_path / "own.toml"
    path.write_text(text.replace("evidence_of = [", 'evidence_of = ["setpoint", '))
    assert not maps.is_map_only(profiles.load(str(path)))
    assert profile_evidence.rested_on(profiles.load(str(path))) == [
        *("power_W", "dc_power_W", "dc_voltage_mV", "setup", "setpoint", "start")
    ]


def test_check_says_what_rests_on_each_map_and_who_accepted_it(files):
    page = " ".join(check.report(files.load()).split())
    assert "map only: meter_grid, meter_load; no captured or documented reading proves" in page
    assert "on it depend rows 50, 57 not_fitted.meter_map: N. N., integrator" in page
    assert "on it depend rows 38, 41, 50, 54, 55, 56, 57, 59; set-point" in page


def test_a_detector_alone_carries_no_row_of_another(files):
    """The rows of toxic gas rest on no other detector."""
    devices = [each for each in files.load().devices if each.name == "gas_1"]
    assert maps.rests_on(devices) == "rows 11, 12, 13"


def test_every_role_has_one_acceptance():
    every = [role for _, roles in equipment.MAPS.values() for role in roles]
    assert sorted(every) == sorted(ROLES) and CLOCK.name not in every


def test_the_actuators_of_site_devices_rest_on_their_maps():
    config = configuration.load(FOLDER / "pv_genset" / "cabinet.toml")
    words = maps.rests_on(maps.map_only(config.devices)["site_device_map"])
    assert words.split(", ") == [
        *("pv limit_W", "genset run", "load_shed stages", "chiller pre_cool", "fan boost"),
        *("heater heat", "load_cap lower_W"),
    ]
