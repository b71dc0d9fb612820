"""The rig runs every cabinet that the check accepts; its observer judges each unit."""

import dataclasses
import shutil
import struct

import pytest
from in_process import refused, written
from observed import events
from test_stays_on import violations
from whole_box import CABINETS, of_cabinets

from controller.config import can_dialects, configuration
from controller.documents import check
from controller.sites import EXAMPLE, FOLDER, PV_GENSET, PYLONTECH
from drivers import can_dialect, profile
from hil import __main__ as cli
from hil.campaigns.rows import start
from hil.campaigns.rows.course import Course, do
from hil.devices.mirrored_sensors import MirroredMeter
from hil.engine import cabinet_file, coverage
from hil.engine.simulate import VirtualRig
from hil.loads import selection
from hil.plant.cabinet import CabinetPlant
from hil.scenarios.scenario import Action
from hil.values.rig import ValueRig
from safety import signals
from tests.slow import slow
from tests.tables import cases

THREE_UNITS = FOLDER / "three_units" / "cabinet.toml"
CONFIG = configuration.load(THREE_UNITS)
SECONDS = 120
RIG = "rig --virtual --headless --cabinet"
SITE_DEVICES = "roof diesel shed cold fan heat branch scheduler".split()


def played(config, seconds=SECONDS):
    order = {"seed": 1, "duration_s": seconds, "peak_W": selection.peak_W(config)}
    soc = config.control["soc_target_permille"] / 1000
    return VirtualRig(config, selection.load_of(order).power, 1, (), {"soc": soc}).run(seconds)


@pytest.mark.slow
@of_cabinets("path", CABINETS)
def test_every_shipped_cabinet_runs_without_a_violation(path):
    config = coverage.loaded(path)
    rig = played(config)
    assert rig.observer.violations == [] and rig.trips.trips == []
    names = events(rig)
    assert "contactors_open" not in names[names.index("contactors_closed") :]
    found = rig.recorder.units.result()
    assert len(found) == config.units
    assert all(unit["discharged_kWh"] or unit["charged_kWh"] for unit in found)


def test_there_is_a_cabinet_of_each_kind():
    assert {EXAMPLE, PYLONTECH, THREE_UNITS} < set(CABINETS)
    assert (CONFIG.units, CONFIG.racks) == (3, 9)
    kinds = {path.parent.name: coverage.mirrored(configuration.load(path)) for path in CABINETS}
    mirrored = {"pv_genset": SITE_DEVICES, "market": ["bms_1", "pcs_1", "meter_grid"]}
    assert {name: names for name, names in kinds.items() if names} == mirrored


def test_sizes_are_those_of_each_rack_and_unit(tmp_path):
    more = "[unit.2]\nrated_W = 200000\n[rack.5]\nrated_current_mA = 120000\n"
    path = site(tmp_path).parents[1] / "three_units/cabinet.toml"
    path.write_text(path.read_text() + more)
    rig = VirtualRig(coverage.loaded(path), lambda t_s: 500_000.0).run(0.1)
    assert [pcs.rated_W for pcs in rig.plant.pcs] == [250_000, 200_000, 250_000]
    assert [unit.racks for unit in rig.observer.wiring.units] == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]
    assert [unit.rated_W for unit in rig.observer.wiring.units] == [250_000, 200_000, 250_000]
    assert list(rig.observer.wiring.rack_rated_A) == [140] * 4 + [120] + [140] * 4
    assert [unit.place[0] for unit in rig.observer.wiring.units] == ["pcs", "pcs_2", "pcs_3"]


REVERSED = do("pcs_reverse", unit=2)


def silent(device):
    return do("device_fault", device=device, fault="silent")


def test_a_silence_has_its_place():
    faults = [silent(device).arguments | {"value": True} for device in ("bms_4", "pcs_2")]
    actions = [Action(5_000_000, "device_fault", "silent", fault) for fault in faults]
    rig = VirtualRig(CONFIG, lambda t_s: 500_000.0, 1, tuple(actions)).run(7)
    found = [each[1:] for each in rig.observer.result() if each[1].endswith("_silent")]
    assert sorted(found) == [("bms_silent", "rack 4"), ("pcs_silent", "unit 2")]


@pytest.mark.slow
@cases("""action  less  duration_s  words
    REVERSED  ("56a",)  16  "power against the set-point for 10.0 s"
    silent("bms_4")  ("40b", "40c")  8  "energy with a silent BMS for 5.8 s"
    silent("pcs_2")  ("41c",)  9  "energy with a silent converter for 7.9 s"
""")
def test_a_condition_of_unit_2_is_reported_only_without_its_row(action, less, duration_s, words):
    for without in (less, ()):
        lines = violations(Course(less[-1], (action,)), without, duration_s, CONFIG)
        assert lines == [f"unit 2: {words}"] * bool(without)


def site(tmp_path, *changes):
    """Path of the example's cabinet in a copy of all sites, with (file, old, new) replaced."""
    shutil.copytree(FOLDER, tmp_path / "sites")
    for name, old, new in changes:
        path = tmp_path / "sites" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    return tmp_path / "sites" / "example" / "cabinet.toml"


def own(tmp_path, name, folder, *changes):
    """A profile of the site's own: a copy with (old, new) replaced, and the change that uses it."""
    text = (profile.FOLDER / f"{name}.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / f"own_{name}.toml").write_text(text)
    return folder, f'"{name}"', f'"../../own_{name}.toml"'


TYPE, SITE = "types/firebreak_645.toml", "example/site.toml"
SENSORS = "gas_detector offgas_detector toxic_detector climate_monitor ups_monitor".split()
IO_PLACES = (
    ("inputs = {address = 0,", "inputs = {address = 16,"),
    ("coils = {address = 0,", "coils = {address = 100,"),
    ("output_expiry = {address = 64,", "output_expiry = {scale = 10, address = 7,"),
)


def test_devices_with_a_profile_of_their_own_mirror_it_and_the_cabinet_runs(tmp_path):
    changes = [own(tmp_path, name, TYPE) for name in SENSORS]
    changes.append(own(tmp_path, "io_8in_8out", TYPE, *IO_PLACES))
    changes.append(own(tmp_path, "sunspec_pcs", TYPE, ("dead_time_ms = 60", "dead_time_ms = 80")))
    meter = own(tmp_path, "sdm630", SITE)
    changes.append((SITE, '"firebreak_fast_meter"', meter[2]))
    path = str(site(tmp_path, *changes))
    config = coverage.loaded(path)
    coarse = ValueRig(configuration.load(path, tick_ms=100), lambda t_s: 3e5, 1).run(8)
    assert [rack.contactor_state for rack in coarse.plant.racks] == [2, 2, 2]
    rig = played(config, 8)
    assert rig.observer.violations == [] and rig.trips.trips == []
    assert "contactors_closed" in events(rig)
    assert rig.plant.pcs[0]._dead_us == 80_000
    sensors = "gas_1 gas_2 offgas_1 offgas_2 toxic climate ups".split()
    meters = ("meter_grid", "meter_load")
    assert coverage.mirrored(config) == ["io_1", "io_2", "io_3", *sensors, *meters]
    assert coverage.lines(config)[-1].startswith("mirrored: proves wiring, not decoding: io_1, io")


@cases("""phases  watts
    1  [9000.0] | 2  [6000.0, 3000.0] | 3  [3000.0] * 3""")
def test_a_mirrored_meter_shows_the_whole_power_in_its_phases(tmp_path, phases, watts):
    own(tmp_path, "sdm630", SITE, ("phases = 3", f"phases = {phases}"))
    plant = CabinetPlant(load=lambda t_s: 9000.0)
    meter = MirroredMeter(plant, "load", 1, tmp_path / "own_sdm630.toml")
    meter.tick(0)
    found = struct.unpack(f">{phases}f", meter.payload(4, 0x0C, 2 * phases))
    assert list(found) == pytest.approx(watts, rel=0.03)


GRID_METER = "[device.meter_grid]             # at the connection: positive when the site imports\n"
OTHER_METERS = {
    # profile, kind of its bus, plug of it, what the check says of it
    "em24_ethernet": ('kind = "tcp"\n', 'address = "192.168.1.20:502"', "has no signature"),
    "sdm72_v1": ('kind = "rtu"\nbaud_Bd = 9600\n', None, "the total alone"),
}


def with_grid_meter(tmp_path, name):
    bus, plug, _ = OTHER_METERS[name]
    old_bus = '[bus.meter_grid]\nkind = "rtu"\nbaud_Bd = 115200\n'
    old_plug = 'port = "/dev/serial/by-path/platform-xhci-usb-0:1.3:1.0-port0"'
    device = f'{GRID_METER}role = "meter_grid"\nprofile = '
    changes = [
        (SITE, old_bus, f"[bus.meter_grid]\n{bus}"),
        (SITE, f'{device}"firebreak_fast_meter"', f'{device}"{name}"'),
        ("example/cabinet.toml", old_plug, plug or old_plug),
    ]
    return str(site(tmp_path, *changes))


@pytest.mark.parametrize("name", OTHER_METERS)
def test_a_cabinet_with_another_grid_meter_is_checked_and_its_power_known(tmp_path, name):
    path = with_grid_meter(tmp_path, name)
    config = coverage.loaded(path)
    assert coverage.mirrored(config) == ["meter_grid"]
    said = check.report(config)
    assert OTHER_METERS[name][2] in said and "meter_grid" in said
    rig = VirtualRig(config, lambda t_s: 300_000.0).run(2)
    inp = rig.controller.cabinet.image.inp
    assert inp[signals.GRID_POWER_W] == pytest.approx(300_000, rel=0.01)
    assert rig.controller.cabinet.field.drivers["meter_grid"].refused == 0


FOREIGN_RACKS = {
    # profile: changes of the type, whether it reports cells
    "victron_cells": ((), True),
    "pylontech_hv": (
        (("cells = 15", "cells = 75"), ('bus = "can0"', 'bus = "can0"\nnode = 2')),
        True,
    ),
    "seplos": ((), True),
    "deye_native": ((), True),
    "pytes": ((), True),
    "orion2": ((), False),
    "j1939_like": ((), True),
    "foxbms2": ((), True),
}
TYPE_14 = "types/pylontech_14.toml"


def with_rack(tmp_path, name):
    """The Pylontech cabinet with another BMS on its CAN bus."""
    changes, reports_cells = FOREIGN_RACKS[name]
    changes = ('"pylontech_lv"', f'"{name}"'), *changes
    example = site(tmp_path, *[(TYPE_14, *each) for each in changes])
    path = example.parents[1] / "pylontech/site.toml"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not (reports_cells and line.startswith("bms_cells"))]
    path.write_text("".join([*kept, 'bms_map = "N. N., 2026-01-01: test"\n']))
    return str(path.with_name("cabinet.toml"))


@pytest.mark.parametrize("name", ["victron_cells", *slow(*sorted(FOREIGN_RACKS)[:-1])])
def test_a_cabinet_with_a_foreign_rack_is_checked_and_runs(tmp_path, name):
    config = coverage.loaded(with_rack(tmp_path, name))
    assert coverage.mirrored(config) == ["bms_1"]
    assert "no counter: a BMS that repeats its frames" in check.report(config)
    rig = VirtualRig(config, lambda t_s: 3000.0).run(30)
    assert rig.observer.violations == []
    assert "power_flowing" in events(rig)
    driver = rig.controller.cabinet.field.drivers["bms_1"]
    assert driver.report(rig.now_us) == (0, 0) and driver.bad_frames == 0


@pytest.mark.parametrize("name", ["pylontech_hv", *slow("j1939_like")])
def test_a_cabinet_with_a_foreign_rack_closes_in_value_mode(tmp_path, name):
    config = configuration.load(with_rack(tmp_path, name), tick_ms=100)
    rig = ValueRig(config, lambda t_s: 3000.0, 1).run(25)
    assert [rack.contactor_state for rack in rig.plant.racks] == [2]


def test_a_rack_of_another_dialect_never_closes_and_its_profile_is_named(tmp_path):
    path = with_rack(tmp_path, "victron_cells")
    rig = VirtualRig(coverage.loaded(path), lambda t_s: 3000.0)
    other = tmp_path / "other"
    config = coverage.loaded(with_rack(other, "j1939_like"))
    bms = VirtualRig(config, lambda t_s: 3000.0).cabinet.bms["can0"]
    rig.cabinet.bms["can0"] = bms
    rig.run(20)
    field = rig.controller.cabinet.field
    assert "contactors_closed" not in events(rig)
    ((_, (state, can_id, fits)),) = field.can["can0"].reports(rig.now_us)
    assert (state, can_id) == (can_dialect.MISSING, 0x351)
    assert can_dialects.names()[fits - 1] == "j1939_like"


@cases("""power_W  current_A  is_wrong
    3000  -20  True | -3000  20  True | 3000  20  False | 900  -20  False | 3000  -8  False""")
def test_the_power_of_the_converter_refuses_a_rack_of_the_other_direction(
    tmp_path, power_W, current_A, is_wrong
):
    """The comparison begins at 20 % of the converter's 5 kW and 10 % of the rack's 100 A."""
    rig = VirtualRig(coverage.loaded(with_rack(tmp_path, "victron_cells")), lambda t_s: 3000.0)
    rig.run(5)
    cabinet, device = rig.controller.cabinet, rig.cabinet.devices["bms_1"]
    cabinet.image.inp[cabinet.image.layout.unit_input(0, signals.PCS_POWER_W)] = power_W
    device.rack.current_A = current_A
    driver = cabinet.field.drivers["bms_1"]
    for second in range(6, 12):
        for can_id, data in device.frames(second * 1_000_000):
            driver.on_frame(can_id, data, second * 1_000_000)
    assert driver.is_sign_wrong == is_wrong
    assert driver.report(11_000_000) == (can_dialect.SIGN if is_wrong else can_dialect.OK, 0)


def test_a_meter_that_was_silent_is_asked_at_once_who_it_is(tmp_path):
    rig = VirtualRig(coverage.loaded(with_grid_meter(tmp_path, "em24_ethernet")), lambda t_s: 3e5)
    driver = rig.controller.cabinet.field.drivers["meter_grid"]
    device = rig.cabinet.devices["meter_grid"]
    for silent, until_s, is_identified in ((False, 1, True), (True, 4, False), (False, 8, True)):
        device.silent = silent
        rig.run(until_s)
        assert driver._identity.is_identified == is_identified


@cases("""old  new
    "refresh_ms = 20"  "refresh_ms = 20\\nregisters_per_read_max = 18"
    "nominal_voltage_V = 230"  "nominal_voltage_V = 120"
""")
def test_a_fast_meter_of_a_site_is_read_in_value_mode(tmp_path, old, new):
    more = old, new
    path = site(tmp_path, own(tmp_path, "firebreak_fast_meter", SITE, more))
    rig = ValueRig(configuration.load(path, tick_ms=100), lambda t_s: 3e5, 1).run(2)
    power_W = rig.controller.cabinet.image.inp[signals.GRID_POWER_W]
    assert power_W == pytest.approx(300_000, rel=0.01)


@pytest.mark.whole
@pytest.mark.parametrize("name", OTHER_METERS)
def test_a_cabinet_with_another_grid_meter_follows_its_load(tmp_path, name):
    """The direction of the meter is proven, and no row trips."""
    rig = played(coverage.loaded(with_grid_meter(tmp_path, name)), 60)
    assert rig.observer.violations == [] and rig.trips.trips == []
    (unit,) = rig.recorder.units.result()
    assert unit["discharged_kWh"] and unit["charged_kWh"]


REFUSED = [
    ("sunspec_pcs", ("base_addresses = [40000,", "base_addresses = [30000,"), "SunSpec models"),
    ("io_8in_8out", ('type = "bit", function = 2', 'type = "bit", function = 1'), "by function 2"),
]


@pytest.mark.parametrize("name, change, words", REFUSED)
def test_a_profile_that_the_rig_cannot_simulate_is_refused(tmp_path, capsys, name, change, words):
    path = str(site(tmp_path, own(tmp_path, name, TYPE, change)))
    line = refused(capsys, RIG, path)
    assert line.startswith(f"rig: {path}: the rig cannot simulate device.") and words in line
    assert f"own_{name} (allowed " in line and coverage.lines(configuration.load(path))


@cases("""cells  modules  is_simulated
    240  15  True | 480  15  True | 495  15  False | 240  16  True | 100  7  False | 15  0  True
    240  0  True | 241  0  False""")
def test_cells_are_in_equal_modules(cells, modules, is_simulated):
    table = CONFIG.rack_tables[0] | {"cells": cells, "modules": modules}
    config = dataclasses.replace(CONFIG, rack_tables=[table])
    assert (coverage.not_simulated(config, True) == []) == is_simulated
    count = coverage.modules_of(table)
    assert count == (modules or {15: 1, 240: 8, 241: 241}[cells])


def test_what_the_rig_lacks_is_one_line(capsys):
    line = refused(capsys, RIG, PYLONTECH, "--scenario", "bms_cells_frozen")
    words = "scenario bms_cells_frozen, device_fault: no device bms_3; allowed io_1, bms_1, pcs_1"
    assert line.startswith(f"rig: {PYLONTECH}: {words}")
    line = refused(capsys, RIG, "/no/such/cabinet.toml")
    assert line == "rig: /no/such/cabinet.toml: cannot be read: No such file or directory"
    topology = dataclasses.replace(CONFIG.topology, hma=CONFIG.hma | {"chemistry": "NMC"})
    chemistry = dataclasses.replace(CONFIG, topology=topology)
    assert coverage.not_simulated(chemistry, True) == ["hma.chemistry NMC (allowed LFP)"]
    second = start.armed(CONFIG, (start.SECOND_CHANNEL,), ())
    assert coverage.not_simulated(second, True) == []
    assert coverage.not_simulated(second, False) == [
        "channel B in real time (allowed with --virtual)"
    ]


def test_a_run_names_the_mirrored_devices_everywhere(capsys, tmp_path):
    page = tmp_path / "a.html"
    document = written(tmp_path, RIG, PV_GENSET, "--for", 4, "--plot", page)
    names = ", ".join(SITE_DEVICES)
    line = f"mirrored proves wiring, not decoding: {names}"
    assert line in " ".join(capsys.readouterr().out.split())
    note = "mirrored: proves wiring, not decoding"
    assert document["mirrored"] == {"note": note, "devices": SITE_DEVICES}
    assert line in page.read_text()


def test_the_report_of_a_cabinet_beside_the_check(capsys):
    for path, line in (
        (THREE_UNITS, "the rig simulates every device; none is mirrored"),
        (PV_GENSET, f"mirrored: proves wiring, not decoding: {', '.join(SITE_DEVICES)}"),
    ):
        assert cli.main(["keys", "covers", str(path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"  {line}"
    assert cli.main(["keys", "covers", "--keys"]) == 0 and capsys.readouterr().out == ""


def test_the_file_of_the_rig_is_the_cabinet_with_other_plugs(tmp_path):
    changes = [own(tmp_path, name, "pv_genset/cabinet.toml") for name in ("em24",)]
    path = site(tmp_path, *changes).parents[1] / "pv_genset" / "cabinet.toml"
    config = configuration.load(path)
    ports = {bus.name: f"/dev/pts/{at}" for at, bus in enumerate(config.buses) if bus.kind == "rtu"}
    wires = {
        "ports": ports | {"lan": "127.0.0.1:99", "cluster": "127.0.0.1:98"},
        "cans": {"can0": "127.0.0.1:1/can0"},
    }
    made = tmp_path / "cabinet.toml"
    made.write_text(cabinet_file.text({"site": str(path)}, wires))
    loaded = configuration.load(made)
    assert loaded.safety_image == config.safety_image and loaded.names[-1][1].startswith("Rig: Cab")
    assert [each.role for each in loaded.devices] == [each.role for each in config.devices]
    plugs = {bus.name: bus.port or bus.address or bus.channel for bus in loaded.buses}
    assert plugs == {**wires["ports"], **wires["cans"]}
    assert {bus.interface for bus in loaded.buses} == {"", "socketcand"}


def test_the_file_of_the_rig_keeps_the_plan(tmp_path):
    made = tmp_path / "cabinet.toml"
    made.write_text(cabinet_file.text({"site": str(THREE_UNITS)}, {"ports": {}, "cans": {}}))
    assert configuration.load(made).site_plan == configuration.load(THREE_UNITS).site_plan
