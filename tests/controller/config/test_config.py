"""Layers, keys, topology and images of a configuration."""

import dataclasses

import pytest

from controller.config import (
    bus_times,
    configuration,
    families,
    limit_images,
    profiles,
    schema,
    stage_states,
    time_chain,
    topology,
)
from controller.config.equipment import EQUIPMENT
from controller.core import parameters
from controller.core.image import ProcessImage
from safety import matrix, parameters as p
from safety.kernel import Kernel


def test_the_default_cabinet_is_the_default_of_the_tables(files):
    """The rig and the kernel's tests then use the same cabinet."""
    loaded = files.load()
    assert (loaded.units, loaded.racks, loaded.modules, loaded.tick_ms) == (1, 3, 15, 20)
    assert list(loaded.cabinet.values()) == [row[4] for row in p.CABINET_PARAMETERS]
    assert list(loaded.unit_tables[0].values()) == [row[4] for row in p.UNIT_PARAMETERS]
    for each in loaded.rack_tables:
        assert list(each.values()) == [row[4] for row in p.RACK_PARAMETERS]
    path = {"track_sample_ms": 20, "track_path_delay_ms": 110, "track_lag_ms": 10}
    path |= {"track_path_delay_ms_min": 63, "track_path_delay_ms_max": 240}
    assert loaded.control == parameters.settings_of(parameters.default_image()) | path
    assert list(loaded.control_image) == list(loaded.control.values())


def test_the_bits_of_the_profiles_are_in_the_limit_image(files, tmp_path):
    """A profile of the site's own says that another bit is a fault."""
    text = (profiles.FOLDER / "sunspec_pcs.toml").read_text(encoding="utf-8")
    text = text.replace("OVER_TEMP = 7\n", "").replace("GROUND_FAULT = 0", "OVER_TEMP = 7")
    (tmp_path / "types" / "own.toml").write_text(text, encoding="utf-8")
    files.say("type", "device.pcs_1.profile", '"own.toml"')
    loaded = files.load()
    bits = [loaded.unit_tables[0][name] for name in ("pcs_trip_bits", "pcs_info_bits")]
    assert bits == [0xD0E2, 0x1C]
    at = loaded.image_map().unit + p.U_PCS_TRIP_BITS
    assert list(loaded.safety_image[at : at + 2]) == bits


def test_each_rack_goes_by_the_profile_of_its_own_bms(files):
    dbc = "firebreak_rack.dbc"
    (files.paths[0].parent / dbc).write_bytes((profiles.FOLDER / dbc).read_bytes())
    racks = own_profile(files, "bms_2", "firebreak_rack", {"internal = 7": ""}).load().rack_tables
    assert [rack["bms_trip_bits"] for rack in racks] == [0xFF, 0x7F, 0xFF]


def test_the_image_lies_as_its_map_says(files):
    files.say("site", "rack.2.rated_current_mA", 120_000)
    files.append("site", "[stage.29]\nset = 3640\nset_ms = 1001")
    loaded = files.load()
    image, where = loaded.safety_image, loaded.image_map()
    assert len(image) == where.words
    assert list(image[: len(p.HEADER)]) == [p.IMAGE_SCHEMA, 1, 3, 15, 20]
    at = where.rack + p.R_RATED_CURRENT_MA
    rated = [image[at + rack * len(p.RACK_PARAMETERS)] for rack in range(3)]
    assert rated == [140_000, 120_000, 140_000]
    stages = [stage[matrix.S_ID] for stage in matrix.STAGES]
    words = where.stage + stages.index("29") * len(p.STAGE_WORDS)
    # 1001 ms are 51 ticks of 20 ms: never shortened
    assert list(image[words : words + 4]) == [3640, 3550, 51, 0]
    off = [
        stage[matrix.S_ID]
        for (stage, _), word in zip(stage_states.instances(loaded.topology), image[where.armed :])
        if not word
    ]
    assert off == ["46b", "51"]  # no derate is asked for; one channel
    assert all(p.in_range(word) for word in image)


def test_a_cabinet_is_built_from_its_topology(files):
    topology = files.load().topology
    assert topology.rack_units == (0, 0, 0) and topology.dc_buses == ("dc_1",)
    assert topology.device("bms", 2).address == 3
    device, bit = topology.mapped("estop_2_ok")
    assert (device.role, bit) == ("io_2", 0)
    assert [device.name for device in topology.on_bus("gas")][:2] == ["io_3", "gas_1"]


def test_two_units_with_racks_of_their_own(files):
    loaded = files.two_units().load()
    assert loaded.topology.rack_units == (1, 0, 0)
    assert [table["unit"] for table in loaded.rack_tables] == [1, 0, 0]
    assert len(loaded.safety_image) == loaded.image_map().words
    assert loaded.units == 2 and loaded.layout().units == 2
    evaluator = Kernel(loaded.safety_image).evaluator
    assert [matrix.STAGES[stage] for stage in evaluator.stage] == [
        stage for stage, _ in stage_states.instances(loaded.topology)
    ]


def test_pylontech_bms_replaces_stages_without_values(pylontech):
    loaded = pylontech.load()
    rack, where = loaded.rack_tables[0], loaded.image_map()
    assert (rack["cells_reported"], rack["temperatures_reported"]) == (0, 0)
    assert (rack["bms_warn_ms"], rack["bms_ramp_ms"], rack["bms_stop_ms"]) == (3000, 5000, 8000)
    armed = loaded.safety_image[where.armed :]
    instances = stage_states.instances(loaded.topology)
    off = {stage[matrix.S_ROW] for (stage, _), word in zip(instances, armed) if not word}
    by_bms = {*range(18, 30), *range(31, 35), 45, 53}
    not_fitted = {3, 7, 8, 9, 10, 16, 17, 30, 37, 42, 43, 46, 47, 51, 52}
    assert off == by_bms | not_fitted
    assert [rack[name] for name in stage_states.LACKING] == [0, 0, 0, 0]
    assert loaded.cabinet["contactor_report_ms"] == 2000
    assert loaded.cabinet["gas_detectors"] == 1 and loaded.control["load_meter_fitted"] == 0


def test_equipment_not_fitted_removes_devices_contacts_and_rows(files):
    every = tuple(EQUIPMENT)
    files.replace("type", '["suppression", "door"]', str(list(every)).replace("'", '"'))
    files.replace("type", 'explosion_control = "both"', 'explosion_control = "68"')
    files.replace("type", "\ngas_required_by = ", "\n# gas_required_by = ")
    files.replace("type", "hard_wired_rows = [1, 2, 3, 12, 30, 44]", "hard_wired_rows = [1, 2, 44]")
    files.without(every, "Nora Toft, 2026-01-01")
    loaded = files.load()
    units = {row[0]: row[1] for row in p.CABINET_PARAMETERS if row[0] != "meter_load_fitted"}
    derived = [name for name in units if schema.CABINET[name].kind == "derived"]
    counts = [name for name in derived if units[name] != "W"]
    assert len(counts) == 14
    found = [name for name in counts if loaded.cabinet[name]]
    assert found == ["io_3_fitted", "close_command_fitted"]
    assert [device.role for device in loaded.topology.on_bus("gas")] == ["io_3"]
    io_3 = loaded.topology.device("io_3")
    assert set(io_3.inputs + io_3.outputs) == {"", "source_code"}
    assert loaded.topology.device("gas_1") is loaded.topology.mapped("gas_relay_ok") is None
    assert loaded.topology.device("io_1").inputs[3] == ""
    off = {
        stage[matrix.S_ROW]
        for stage, index in stage_states.instances(loaded.topology)
        if stage_states.stage_state(stage, loaded.topology, index)[0] != stage_states.ARMED
    }
    # 37: these racks report it themselves
    assert off == {3, 4, 5, 6, *range(7, 18), 30, 40, 42, 43, 46, 47, 48, 51, 52}


def test_a_close_command_is_fitted_where_every_bms_takes_one(files, pylontech):
    """A rack that closes whenever it has supply would close in the test of the permits."""
    (deaf,) = [each for each in pylontech.load().devices if each.role == "bms"]
    loaded = files.load()
    for replaced in range(4):
        devices = list(loaded.topology.devices)
        places = [place for place, each in enumerate(devices) if each.role == "bms"]
        for place in places[:replaced]:
            devices[place] = deaf
        found = limit_images.fitted(dataclasses.replace(loaded.topology, devices=tuple(devices)))
        assert found["close_command_fitted"] == (replaced == 0)


@pytest.mark.parametrize("tick_ms", [10, 20, 25, 40, 50, 100])
def test_a_second_is_a_whole_number_of_ticks(files, tick_ms):
    loaded = files.say("type", "cabinet.tick_ms", tick_ms).load()
    for stage in matrix.STAGES:
        *_, set_ticks, clear_ticks = loaded.stage_words[stage[matrix.S_ID]]
        assert set_ticks == -(-stage[matrix.S_SET_MS] // tick_ms)
        assert clear_ticks == -(-stage[matrix.S_CLEAR_MS] // tick_ms)


@pytest.mark.parametrize("path", ["//dev/a", "/dev/../dev/a", "/dev/./a", "/../dev//a", "/dev/a/."])
def test_wire_of_a_path_however_it_is_spelt(path):
    wire = topology._wire(topology.Bus("x", "rtu", port="/dev/a"))
    assert topology._wire(topology.Bus("y", "rtu", port=path)) == wire
    assert topology._wire(topology.Bus("y", "rtu", port=path.replace("a", "b"))) != wire
    assert topology._wire(topology.Bus("z", "can", "slcan", channel=path)) == wire


def own_profile(files, device, name, changes):
    text = (profiles.FOLDER / f"{name}.toml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    (files.paths[0].parent / "own.toml").write_text(text)
    return files.say("type", f"device.{device}.profile", '"own.toml"')


def test_devices_of_one_kind_that_differ(files):
    """The slowest of them counts where one number is for all."""
    slow = {"expiry_ms = 500 ": "expiry_ms = 450 ", "timeout_ms = 20": "timeout_ms = 60"}
    slow |= {"gap_ms = 0": "gap_ms = 3", "period_ms = 25 ": "period_ms = 99 "}
    own_profile(files, "io_2", "io_8in_8out", slow)
    for name, period_ms in {"bms_2": 400, "gas_2": 1200, "offgas_1": 1300}.items():
        files.say("type", f"device.{name}.period_ms", period_ms)
    loaded = files.load()
    port = bus_times.rtu_port(loaded, next(bus for bus in loaded.buses if bus.name == "io"))
    found = loaded.coil_period_ms, port.first_byte_timeout_us, port.turnaround_us
    assert found == (90, 60_000, 3000)
    keys = "bms_warn_ms", "bms_ramp_ms", "bms_stop_ms"
    silences = [tuple([rack[key] for key in keys]) for rack in loaded.rack_tables]
    assert silences == [(500, 1000, 3000), (1200, 2000, 3200), (500, 1000, 3000)]
    keys = "contactor_report_ms", "gas_silent_ms", "bms_still_ms"
    assert [loaded.cabinet[key] for key in keys] == [800, 3900, 10_000]
    schedule, parts = bus_times.schedule(loaded), {}
    for stage in matrix.STAGES:
        chain = time_chain.decision(loaded, schedule, stage)
        parts[stage[matrix.S_ID]] = {part.what: part.time_ms for part in chain}
    assert parts["40a"]["silence"] == 1200 and parts["27"]["bus"] >= 400
    assert parts["12a"]["bus"] >= 1200 and parts["7"]["bus"] >= 1300
    files.say("site", "rack.all.bms_warn_ms", 400)
    allowed = "allowed 1200..1200 (device.bms_2 has a period of 400 ms)"
    assert files.refusal().endswith(f"rack.all.bms_warn_ms: 400 is not allowed; {allowed}")


def test_each_unit_goes_by_the_profile_of_its_own_converter(files):
    files.two_units().say("type", "unit.2.rated_W", 150_000)
    power = 'scale_factor = "WSet_SF", unit = "W", range = [-{0}, {0}]'.format
    changes = {power(400_000): power(150_000), "GROUND_FAULT = 0\n": ""}
    own_profile(files, "pcs_2", "sunspec_pcs", changes).say("type", "device.pcs_2.period_ms", 700)
    units = files.load().unit_tables
    assert units[0]["pcs_trip_bits"] ^ units[1]["pcs_trip_bits"] == 1
    found = [(each["rated_W"], each["pcs_open_ms"]) for each in units]
    assert found == [(250_000, 5000), (150_000, 5600)]
    line = "unit.2.rated_W: 150001 is not allowed; allowed 1000..150000 by own.toml"
    assert files.say("type", "unit.2.rated_W", 150_001).refusal().endswith(line)


def test_racks_that_differ(files):
    files.drop("type", "cells = ", "modules = ").two_units()
    for rack, (cells, modules) in enumerate(((200, 10), (240, 15), (240, 12)), 1):
        files.say("type", f"rack.{rack}.cells", cells)
        files.say("type", f"rack.{rack}.modules", modules)
    loaded = files.say("type", "control.energy_Wh", 8_225_280).load()
    drivers = families.build(loaded, ProcessImage(loaded.layout(), loaded.site_devices))
    assert [drivers[f"bms_{rack}"]._modules for rack in (1, 2, 3)] == [10, 15, 12]
    assert "at most 8225280: " in files.say("type", "control.energy_Wh", 8_225_281).refusal()
    files.say("type", "control.energy_Wh", 1000).say("type", "rack.3.cells", 224)
    line = "rack.3.cells: 224 is not allowed; allowed 240, as rack 2 on the same DC bus"
    assert files.refusal().endswith(line)


def test_profile_lies_beside_the_file_that_names_it(files):
    files.with_profile("gas_detector", "period_ms = 500 ", "period_ms = 1200 ")
    assert files.load().cabinet["gas_silent_ms"] == 3600
    path = files.paths[0].parent / "gas_detector.toml"
    path.write_text(path.read_text().replace("fault_mask", "fault_msk"))
    line = 'gas_detector.toml:settings.fault_msk: is not a known key; nearest key "fault_mask"'
    assert files.refusal().endswith(line)


def test_every_parameter_is_bounded_and_has_a_tighter_direction():
    own = p.CABINET_PARAMETERS + p.UNIT_PARAMETERS + p.RACK_PARAMETERS
    for name, _unit, low, high, default, tighter in own + parameters.CONTROL_PARAMETERS:
        assert low <= default <= high and p.in_range(low) and p.in_range(high), name
        assert tighter in ("up", "down", "fixed", "free"), name
    assert not [row[0] for row in own if row[5] == "free"]
    assert all(0 < len(names) <= schema.IO_BITS for names in schema.INPUT_NAMES.values())
    assert "estop_1_ok" in schema.INPUT_NAMES["io_1"]
    assert "estop_2_ok" in schema.INPUT_NAMES["io_2"]


HEAD = 'schema = 1\nlayer = "type"\nname = "n"\n'


@pytest.mark.parametrize(
    "text",
    [
        HEAD + 'extends = "a\\u0000b"',
        HEAD + '"a\\nb" = 1',
        HEAD + '[bus."\\u001b[2J"]\nkind = "can"',
        HEAD + 'extends = "a\\nb.toml"',
        HEAD + "x = " + "[" * 5000 + "]" * 5000,
        HEAD + "[" + ".".join(["a"] * 4000) + "]",
        HEAD.replace("name", "name." + ".".join(["a"] * 2000)),
        HEAD + "x = [{" + ".".join(["a"] * 4000) + " = 1}]",
        HEAD + "[rack.all]\nrated_current_mA = " + "9" * 5000,
        HEAD + "[rack.all]\nrated_current_mA = 0x" + "f" * 5000,
        HEAD + "#" * 300_000,
    ],
    ids=lambda text: text[41:60],
)
def test_no_file_makes_more_than_one_line(tmp_path, text):
    path = tmp_path / "cabinet.toml"
    path.write_text(text)
    with pytest.raises(configuration.ConfigError) as refused:
        configuration.load(path)
    assert str(refused.value).isprintable() and str(tmp_path) in str(refused.value)


def test_what_is_no_cabinet(files):
    for path, line in ((files.paths[0], "is missing"), ("", "no file is named")):
        with pytest.raises(configuration.ConfigError, match=line):
            configuration.load(path)
