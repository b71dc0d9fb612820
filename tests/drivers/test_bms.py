"""The sealed firebreak_rack: frames by cantools; CRC, completeness."""

import cantools
import pytest
from device_suite import CanSuite, Sink, rack_of
from hypothesis import given, strategies as st

from controller.config import profiles
from controller.forms.refusal import ConfigError
from drivers import can_codec, profile
from drivers.can_bms import CanBms
from hil.devices.mirrored_bms import MirroredBms
from safety import signals as s
from tests.tables import cases, table

DATABASE = cantools.database.load_file(profile.FOLDER / "firebreak_rack.dbc")
NODE = 2
OFFSET = NODE * 32
VALUES = {
    "STATE": {"contactor_state": 2, "fault_bits": 0x8001, "cells_online": 240}
    | {"sensors_invalid": 3, "command_echo": 7},
    "CELLS": {"cell_voltage_min": 3201, "cell_voltage_max": 3399}
    | {"cell_position_min": 14 * 32 + 15, "cell_position_max": 33},
    "PACK": {"voltage": 792.3, "current": -139.9, "insulation": 5000},
    "LIMITS": {"charge_current_max": 140.0, "discharge_current_max": 139.5}
    | {"charge_voltage_max": 864.0},
    "CHARGE": {"soc": 55.59, "soh": 99.0, "cycles": 12},
}
EXPECTED = {
    getattr(s, name): number
    for name, number in table("""
    CONTACTOR_STATE | 2 ; BMS_FAULT_BITS | 0x8001 ; CELLS_ONLINE | 240 ; SENSORS_INVALID_MAX | 3
    CELL_VOLTAGE_MV_MIN | 3201 ; CELL_VOLTAGE_MV_MAX | 3399 ; CELL_POSITION_MIN | 463
    CELL_POSITION_MAX | 33 ; RACK_VOLTAGE_MV | 792_300 ; RACK_CURRENT_MA | -139_900
    CHARGE_CURRENT_MA_MAX | 140_000 ; DISCHARGE_CURRENT_MA_MAX | 139_500 ; SOC_PERMILLE | 555
    SOH_PERMILLE | 990 ; INSULATION_KOHM | 5000
    """)
}


def slow_crc(can_id, data):
    """CRC-8 SAE J1850 of the id and 7 bytes, bit by bit, as its definition reads."""
    value = 0xFF
    for byte in (can_id & 255, can_id >> 8, *data[:7]):
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ 0x1D if value & 0x80 else value << 1
            value &= 0xFF
    return value ^ 0xFF


def frame(name, counter, values=None, offset=OFFSET):
    """(id, data) of one message with a good CRC; values may be out of range."""
    message = DATABASE.get_message_by_name(name)
    can_id = message.frame_id + offset
    fields = {**VALUES.get(name, {}), **(values or {}), "counter": counter & 15, "crc": 0}
    data = message.encode(fields, strict=False)
    return can_id, data[:7] + bytes((slow_crc(can_id, data),))


def temperatures(counter, first_degC=25.0, modules=15):
    fitted = [round(first_degC + module / 10, 1) for module in range(modules)]
    degC = fitted + [349.5] * (64 - modules)
    return [
        frame(f"TEMPERATURES_{k}", counter, {f"temperature_{i}": degC[4 * k + i] for i in range(4)})
        for k in range(-(-modules // 4))
    ]


def built(rack=1, racks=3, modules=15):
    sink = Sink(racks=racks, modules=modules)
    return made(profiles.load("firebreak_rack"), rack, NODE, sink, modules), sink


def made(loaded, rack, node, sink, modules=15):
    return CanBms(loaded, rack, node, sink, sink.layout, (0, modules))


def value(sink, index, rack=1):
    return sink.inp[sink.layout.rack_input(rack, index)]


def groups_of(sink, *groups, rack=1):
    return {sink.layout.rack_group(rack, group) for group in groups}


class TestSuite(CanSuite):
    groups = groups_of(Sink(racks=3), *range(6))

    def build(self):
        return built()

    def frames(self, counter):
        return [frame(name, counter) for name in VALUES] + temperatures(counter)

    def short_bytes(self, can_id):
        return 7


def warm(*names):
    device, sink = built()
    for name in names:
        device.on_frame(*frame(name, 0), 0)
    assert not sink.taken()
    return device, sink


def test_values_of_every_signal():
    device, sink = warm(*VALUES)
    for name in VALUES:
        device.on_frame(*frame(name, 1), 0)
    assert {index: value(sink, index) for index in EXPECTED} == EXPECTED
    assert sink.taken() == groups_of(sink, *range(5))
    others = [place for place in range(sink.layout.inputs) if sink.inp[place]]
    first = sink.layout.rack_input(1, 0)
    assert all(first <= place < first + sink.layout.rack_width for place in others)


@given(st.binary(min_size=7, max_size=7), st.integers(0, 0x7FF))
def test_crc(data, can_id):
    """The published check value of CRC-8 SAE J1850 is 0x4B over "123456789"."""
    assert slow_crc(0x3231, b"3456789") == 0x4B
    assert can_codec.crc8(can_codec.crc8_begun(can_id), data) == slow_crc(can_id, data)


def test_a_good_frame_of_another_id_is_refused():
    device, sink = warm("PACK")
    _, data = frame("LIMITS", 1)
    device.on_frame(frame("PACK", 1)[0], data, 0)
    assert device.bad_frames == 1 and not sink.taken()


def test_the_first_frame_and_a_frozen_counter_do_not_count():
    """esphome-yambms 77: stale data repeated after the BMS link was lost."""
    device, sink = built()
    for _ in range(20):
        device.on_frame(*frame("STATE", 5), 0)
    assert not sink.taken() and device.bad_frames == 19 and device.frames == 0
    device.on_frame(*frame("STATE", 6), 0)
    assert sink.taken() == groups_of(sink, s.G_BMS_STATE)
    assert value(sink, s.BMS_BAD_FRAMES) == 19


def test_a_lost_frame_is_accepted_and_the_counter_wraps():
    device, sink = warm("PACK")
    for counter in (3, 15, 16, 17):
        device.on_frame(*frame("PACK", counter), 0)
        assert sink.taken() == groups_of(sink, s.G_BMS_PACK)
    assert device.bad_frames == 0


def test_a_bad_crc_leaves_the_counter_unchanged():
    device, sink = warm("PACK")
    can_id, data = frame("PACK", 1)
    device.on_frame(can_id, data[:7] + bytes((data[7] ^ 1,)), 0)
    device.on_frame(can_id, data, 0)
    assert sink.taken() == groups_of(sink, s.G_BMS_PACK) and device.bad_frames == 1


def test_the_same_payload_is_not_decoded_again(monkeypatch):
    """The echo of the command counter changes with every frame and is not decoded."""
    device, sink = warm(*VALUES)
    feed(device, [frame(name, 1) for name in VALUES] + temperatures(0) + temperatures(1), 0)
    sink.taken()
    monkeypatch.setattr(CanBms, "_read", None)
    feed(device, [frame(name, 2) for name in VALUES if name != "STATE"] + temperatures(2), 100_000)
    feed(device, [frame("STATE", 2, {"command_echo": 12})], 100_000)
    assert sink.taken() == groups_of(sink, *range(6))
    monkeypatch.undo()
    feed(device, [frame("PACK", 3, {"current": 140.1})], 200_000)
    assert value(sink, s.RACK_CURRENT_MA) == 140_100


@pytest.mark.parametrize(
    "name, change, index",
    [
        *[
            (name, {field: number}, getattr(s, index))
            for name, field, number, index in table("""
    STATE | contactor_state | 3 | CONTACTOR_STATE ; CHARGE | soc | 100.0 | SOC_PERMILLE
    STATE | sensors_invalid | 15 | SENSORS_INVALID_MAX ; CHARGE | soh | 0.0 | SOH_PERMILLE
    CELLS | cell_voltage_min | 0 | CELL_VOLTAGE_MV_MIN ; PACK | insulation | 0 | INSULATION_KOHM
    CELLS | cell_voltage_max | 5000 | CELL_VOLTAGE_MV_MAX
    CELLS | cell_position_min | 479 | CELL_POSITION_MIN
    PACK | insulation | 65_535 | INSULATION_KOHM ; PACK | voltage | 1500.0 | RACK_VOLTAGE_MV
    LIMITS | charge_current_max | 0 | CHARGE_CURRENT_MA_MAX
    LIMITS | discharge_current_max | 1000.0 | DISCHARGE_CURRENT_MA_MAX
            """)
        ],
        # a short circuit is a current up to the end of the frame: row 36 must see it
        *[
            ("PACK", {"current": current_A}, s.RACK_CURRENT_MA)
            for current_A in (-1000.0, 1000.0, 3276.7, -3276.8)
        ],
        *[("STATE", {"fault_bits": 1 << bit}, s.BMS_FAULT_BITS) for bit in range(16)],
    ],
)
def test_values_at_the_edge_of_their_range_are_taken(name, change, index):
    device, sink = warm(name)
    device.on_frame(*frame(name, 1, change), 0)
    assert device.refused == 0 and len(sink.taken()) == 1
    ((field, expected),) = change.items()
    scale = {"voltage": 1000, "current": 1000, "soc": 10, "soh": 10}.get(field, 1)
    scale = 1000 if field.endswith("current_max") else scale
    assert value(sink, index) == round(expected * scale)


@cases("""name  signal  value  misfit
    "STATE"  "contactor_state"  4  None | "CELLS"  "cell_voltage_max"  5001  None
    "CELLS"  "cell_voltage_min"  3400  ("cell_voltage_mV_min", 3400, 0, 3399)
    "CELLS"  "cell_position_min"  480  ("cell_position_min", 480, 0, 479)
    "CELLS"  "cell_position_max"  2047  ("cell_position_max", 2047, 0, 479)
    "PACK"  "voltage"  1500.1  None
    "LIMITS"  "charge_current_max"  6553.5  None | "LIMITS"  "discharge_current_max"  1000.1  None
    "CHARGE"  "soc"  100.1  None | "CHARGE"  "soh"  655.35  None""")
def test_values_out_of_range_are_refused_whole_and_silence_no_other_group(
    name, signal, value, misfit
):
    """diyBMSv4ESP32 194: SOC > 100 % stopped everything and the inverter went on discharging."""
    device, sink = warm(*VALUES)
    device.on_frame(*frame(name, 1, {signal: value}), 0)
    assert device.refused == 1 and device.bad_frames == 0 and not sink.taken() and not any(sink.inp)
    assert device.misfit == misfit
    # said again it is refused again
    device.on_frame(*frame(name, 2, {signal: value}), 0)
    assert device.refused == 2 and not sink.taken()
    for each in VALUES:
        device.on_frame(*frame(each, 3), 0)
    assert sink.taken() == groups_of(sink, *range(5))


def feed(device, frames, now_us):
    for can_id, data in frames:
        device.on_frame(can_id, data, now_us)


@pytest.mark.parametrize("modules", [1, 4, 5, 15, 16, 64])
def test_module_temperatures(modules):
    device, sink = built(modules=modules, racks=2)
    for counter in (0, 1):
        feed(device, temperatures(counter, -3.0, modules), counter * 100_000)
    first = sink.layout.rack_input(1, s.MODULE_TEMPERATURE_DDEGC)
    assert list(sink.inp[first : first + modules]) == [-30 + module for module in range(modules)]
    assert sink.taken() == groups_of(sink, s.G_BMS_TEMPERATURES)
    assert not any(sink.inp[first + modules :])


def test_temperatures_wait_for_every_frame():
    """Battery-Emulator 480: complete frame set or nothing."""
    device, sink = built()
    feed(device, temperatures(0), 0)
    feed(device, temperatures(1)[:3], 100_000)
    feed(device, temperatures(2)[:3], 200_000)
    assert not sink.taken() and value(sink, s.MODULE_TEMPERATURE_DDEGC) == 0
    feed(device, temperatures(1)[3:], 200_000)
    assert sink.taken() == groups_of(sink, s.G_BMS_TEMPERATURES)


@pytest.mark.parametrize("early", range(4))
@pytest.mark.parametrize("late_us, fresh", [(299_999, True), (300_000, True), (300_001, False)])
def test_temperatures_older_than_the_window_do_not_count(late_us, fresh, early):
    device, sink = built()
    feed(device, temperatures(0), 0)
    frames = temperatures(1)
    feed(device, [frames.pop(early)], 1_000_000)
    for count in range(3):
        feed(device, [frame("PACK", count)], 1_080_000 + 80_000 * count)
    feed(device, frames, 1_000_000 + late_us)
    assert (groups_of(sink, s.G_BMS_TEMPERATURES) <= sink.taken()) == fresh
    # the one that was too old completes the others when it comes again
    feed(device, temperatures(2) if fresh else [temperatures(2)[early]], 1_000_000 + late_us)
    assert sink.taken() == groups_of(sink, s.G_BMS_TEMPERATURES)


def test_one_hot_module_shows_when_only_its_frame_changes():
    device, sink = built()
    for counter in (0, 1):
        feed(device, temperatures(counter), counter * 100_000)
    degC = {f"temperature_{i}": value for i, value in enumerate((26.2, 26.3, 300.0, 349.5))}
    hot = frame("TEMPERATURES_3", 2, degC)
    feed(device, temperatures(2)[:3] + [hot], 200_000)
    assert value(sink, s.MODULE_TEMPERATURE_DDEGC + 14) == 3000


@pytest.mark.parametrize("degC", [349.5, 300.1])
def test_a_fitted_module_without_a_temperature_leaves_the_group_stale(degC):
    device, sink = built()
    for counter in (0, 1):
        feed(device, temperatures(counter), counter * 100_000)
    sink.taken()
    bad = frame("TEMPERATURES_0", 2, {f"temperature_{i}": (25, degC, 25, 25)[i] for i in range(4)})
    feed(device, [bad] + temperatures(2)[1:], 200_000)
    assert not sink.taken()
    feed(device, temperatures(3), 300_000)
    assert sink.taken()


def test_a_rack_with_fewer_modules_than_another():
    sink, loaded = Sink(racks=3), profiles.load("firebreak_rack")
    device = made(loaded, 1, NODE, sink, modules=6)
    for counter, position in ((0, 0), (1, 6 * 32 - 1), (2, 6 * 32)):
        places = dict.fromkeys(("cell_position_min", "cell_position_max"), position)
        feed(device, [*temperatures(counter)[:2], frame("CELLS", counter, places)], 0)
    assert sink.taken() == groups_of(sink, s.G_BMS_CELLS, s.G_BMS_TEMPERATURES)
    assert device.refused == 1 and len(device.can_ids()) == 5 + 2
    assert value(sink, s.MODULE_TEMPERATURE_DDEGC + 5) and not any(
        sink.inp[sink.layout.rack_input(1, s.MODULE_TEMPERATURE_DDEGC) + 6 :]
    )


def test_command_frames_follow_the_dbc():
    device, _ = built()
    assert device.command(1) == []
    feed(device, [frame("PACK", 0)], 0)
    assert device.command(1) == [], "the first frame may be of a dead sender"
    feed(device, [frame("PACK", 1)], 100_000)
    counters = []
    for close_ok in (True, False, 1, 0) * 5:
        ((can_id, data),) = device.command(close_ok)
        decoded = DATABASE.get_message_by_name("COMMAND").decode(data, decode_choices=False)
        assert can_id == 0x100 + OFFSET + 0x1F and decoded["close"] == bool(close_ok)
        assert data[1:6] == bytes(5)
        assert data[7] == slow_crc(can_id, data) == decoded["crc"]
        counters.append(decoded["counter"])
    assert all((after - before) % 16 == 1 for before, after in zip(counters, counters[1:]))
    assert device.command_period_us == 100_000


@cases("""old  new  words
    '"voltage"'  '"volts"'  '"volts" is not allowed; allowed voltage, current, insulation, counter,'
    "rack_voltage_mV ="  "rack_volts ="  'signals.rack_volts: is not a known key; nearest key'
    " 258 PACK:"  " 258 PAC:"  'messages.pack.dbc: "PACK" is not allowed; allowed STATE, CELLS, PAC'
    '"firebreak_rack.dbc"'  '"other.dbc"'  "settings.dbc: no such file other.dbc"
    '"temperature_3"'  '"temperature_4"'  'ddegC.signals: "temperature_4" is not allowed; allowed t'
    "start = 48"  "start = 61"  'command.data: "0000000000000000" is not allowed; allowed 10 bytes'
    # one whole degree is five times what row 22 needs: every degree opened the cabinet
    "(0.1,-60)"  "(0.25,-60)"  "ddegC.scale: 2.5 is not allowed; allowed 2 and finer, or no such"
    "(0.1,-60)"  "(1,-60)"  "module_temperature_ddegC.scale: 10.0 is not allowed; allowed 2 and"
""")
def test_a_wrong_profile_is_refused_in_one_line(tmp_path, old, new, words):
    with pytest.raises(ConfigError) as error:
        edited(tmp_path, old, new)
    line = str(error.value)
    assert words in line and line.startswith("rack.toml:") and "\n" not in line


def test_temperatures_in_fine_steps_are_taken(tmp_path):
    edited(tmp_path, "(0.1,-60)", "(0.2,-60)")


def edited(folder, old, new):
    shipped = profile.FOLDER / "firebreak_rack"
    for name, suffix in (("rack", ".toml"), ("firebreak_rack", ".dbc")):
        text = shipped.with_suffix(suffix).read_text()
        (folder / name).with_suffix(suffix).write_text(text.replace(old, new))
    sink = Sink()
    return made(profiles.load(folder / "rack.toml"), 0, 1, sink, modules=1)


def test_the_rig_mirrors_a_sealed_profile():
    told, loaded, sink = [], profiles.load("firebreak_rack"), Sink(modules=15)
    rack = rack_of(240, temperatures_degC=[20.0] * 15, command_close=told.append, sensors_invalid=0)
    device, mirror = made(loaded, 0, NODE, sink), MirroredBms(rack, NODE, loaded)
    for burst in range(20):
        sink.taken()
        feed(device, mirror.frames(burst * 100_000), burst * 100_000)
        for can_id, data in device.command(burst % 2):
            mirror.receive(can_id, data, burst * 100_000)
    assert sink.taken() == groups_of(sink, *range(6), rack=0) and device.bad_frames == 0
    assert told == [burst % 2 == 1 for burst in range(1, 20)]
