"""The simulated rack BMS: fields by cantools' decoder, CRC by crccheck, periods, commands."""

import random

import cantools
import crccheck
import dev_standin
import pytest

from hil.devices.native_bms import DBC, MessageEncoder, NativeBms
from tests.tables import cases, table

DATABASE = cantools.database.load_file(str(DBC))
NAMES = ["STATE", "CELLS", "PACK", "LIMITS", "CHARGE", *[f"TEMPERATURES_{n}" for n in range(4)]]
MS = 1000
EXPECTED = {
    "contactor_state": 1,
    "fault_bits": 0x8005,
    "cells_online": 240,
    "sensors_invalid": 1,
    "cell_voltage_min": 3281,
    "cell_voltage_max": 3312,
    "cell_position_min": 3 * 32 + 7,
    "cell_position_max": 14 * 32 + 15,
    "voltage": 790.4,
    "current": 100.3,
    "insulation": 2500,
    "charge_current_max": 140,
    "discharge_current_max": 135.5,
    "charge_voltage_max": 852,
    "soc": 51.23,
    "soh": 98.76,
    "cycles": 321,
}


def bench(node=1):
    rack = dev_standin.rack()
    return NativeBms(rack, node), rack


def collect(bms, until_us, from_us=0):
    """[(time, id, data)] of polling every 20 ms."""
    times = range(from_us, until_us, 20 * MS)
    return [(now_us, *frame) for now_us in times for frame in bms.frames(now_us)]


def latest(bms, from_us=0):
    """{message: decoded signals} of one period."""
    found = {}
    for _, can_id, data in collect(bms, from_us + 200 * MS, from_us):
        message = DATABASE.get_message_by_frame_id(can_id - 0x20)
        found[message.name] = message.decode(data, decode_choices=False)
    return found


def crc_ok(can_id, data):
    """The contract's CRC, by crccheck."""
    return crccheck.crc.Crc8SaeJ1850.calc(bytes((can_id & 255, can_id >> 8)) + data[:7]) == data[7]


def command(counter, close=1, node=1, spoil=0, filler=0):
    can_id = 0x11F + 0x20 * node
    body = bytes((close, filler, 0, 0, 0, 0, counter))
    crc = crccheck.crc.Crc8SaeJ1850.calc(bytes((can_id & 255, can_id >> 8)) + body)
    return can_id, body + bytes((crc ^ spoil,))


def test_fields_equal_the_rack_and_the_encoding_of_cantools():
    bms, rack = bench()
    rack.fault_bits, rack.contactor_state = 0x8005, 1
    found = latest(bms)
    assert sorted(found) == sorted(NAMES)
    shown = {}
    for name in NAMES[:5]:
        shown |= found[name]
    assert {name: shown[name] for name in EXPECTED} == pytest.approx(EXPECTED)
    shown = [found[f"TEMPERATURES_{n // 4}"][f"temperature_{n % 4}"] for n in range(16)]
    assert shown == pytest.approx(rack.temperatures_degC + [349.5])
    draw = random.Random(3)
    for name in NAMES:
        message = DATABASE.get_message_by_name(name)
        signals = [signal for signal in message.signals if signal.name not in ("counter", "crc")]
        encoder = MessageEncoder(message, [signal.name for signal in signals])
        for _ in range(50):
            values = {}
            for signal in signals:
                value = draw.uniform(signal.minimum, signal.maximum)
                values[signal.name] = round(value) if signal.scale == 1 else value
            expected = message.encode({**values, "counter": 0, "crc": 0}, strict=False)
            assert encoder.encode(list(values.values())) == expected[:6], (name, values)


def test_extremes_saturate():
    # 349.5 degC means that a module is not fitted
    for attribute, value, signal, shown in table("""
    degC | -80 | TEMPERATURES_1.temperature_1 | -60 ; current_A | -140.04 | PACK.current | -140
    degC | 349.46 | TEMPERATURES_1.temperature_1 | 349.4 ; soc | 1 | CHARGE.soc | 100
    degC | 900 | TEMPERATURES_1.temperature_1 | 349.4 ; current_A | 3276.8 | PACK.current | 3276.7
    current_A | -9999 | PACK.current | -3276.8 ; voltage_V | -3 | PACK.voltage | 0
    charge_limit_A | 0 | LIMITS.charge_current_max | 0
    sensors_invalid | 60 | STATE.sensors_invalid | 15
    insulation_kohm | 70_000 | PACK.insulation | 65_535
    cell_voltage_V_max | 9.9 | CELLS.cell_voltage_max | 8191
    cell_voltage_V_min | 0 | CELLS.cell_voltage_min | 0
"""):
        bms, rack = bench()
        setattr(rack, attribute, value)
        rack.temperatures_degC[5] = getattr(rack, "degC", 22.5)
        message, _, name = signal.partition(".")
        assert latest(bms)[message][name] == pytest.approx(shown), signal


def test_frames_have_ids_counters_crc_and_come_in_bursts():
    for node in (1, 3, 15):
        bms, _ = bench(node)
        seen = collect(bms, 5_000 * MS)
        ids = {can_id - 0x100 - 0x20 * node for _, can_id, _ in seen}
        assert ids == {0, 1, 2, 3, 4, 8, 9, 10, 11}
        assert all(len(data) == 8 and crc_ok(can_id, data) for _, can_id, data in seen)
        for wanted in {can_id for _, can_id, _ in seen}:
            mine = [(now_us, data[6]) for now_us, can_id, data in seen if can_id == wanted]
            assert [counter for _, counter in mine] == [turn & 15 for turn in range(len(mine))]
            assert {after[0] - before[0] for before, after in zip(mine, mine[1:])} == {100 * MS}
    bms, _ = bench()
    bms.frames(0)
    times = []
    for _ in range(18):
        now_us = bms.next_us
        assert bms.frames(now_us - 1) == []
        assert len(bms.frames(now_us)) == 1
        times.append(now_us)
    assert times[9:] == [now_us + 100 * MS for now_us in times[:9]]
    assert [b - a for a, b in zip(times[:9], times[1:9])] == [300] * 8  # a frame takes 0.27 ms
    bms, _ = bench()
    collect(bms, 200 * MS)
    assert len(bms.frames(60_000 * MS)) <= 2 * len(NAMES)
    assert len(collect(bms, 60_120 * MS, 60_020 * MS)) == len(NAMES)


@cases("""bad
    command(6, spoil=1) | command(5) | command(16) | command(6, close=2) | command(6, filler=1)
    command(6, node=2) | (command(6)[0], command(6)[1][:7]) | (0x140, command(6)[1])""")
def test_a_bad_command_is_ignored(bad):
    bms, rack = bench()
    bms.receive(*command(5), 0)
    bms.receive(*bad, 100 * MS)
    assert rack.commands == [True]
    bms.tick(1_000 * MS)
    assert rack.commands == [True]
    bms.tick(1_000 * MS + 1)  # the bad one has renewed nothing
    assert rack.commands == [True, False]


def test_commands_close_and_open_and_their_loss_opens_once():
    bms, rack = bench()
    for turn in range(30):
        bms.receive(*command(turn & 15), turn * 100 * MS)
        bms.frames(turn * 100 * MS)
    assert set(rack.commands) == {True}
    bms.receive(*command(5, close=0), 3_000 * MS)
    assert rack.commands[-1] is False and latest(bms, 3_020 * MS)["STATE"]["command_echo"] == 5
    rack.commands.clear()
    collect(bms, 6_000 * MS, 3_300 * MS)
    assert rack.commands == [False]
    bms.receive(*command(0), 6_000 * MS)
    assert rack.commands == [False, True]


def test_silent_deaf_frozen_and_absurd():
    bms, rack = bench()
    bms.silent_messages = {"PACK", "TEMPERATURES_2"}
    assert set(latest(bms)) == set(NAMES) - {"PACK", "TEMPERATURES_2"}
    bms.silent = True
    assert collect(bms, 700 * MS, 200 * MS) == []
    bms.silent, bms.silent_messages = False, set()
    assert len(latest(bms, 700 * MS)) == len(NAMES)
    bms.deaf = True
    bms.receive(*command(1), 0)
    assert rack.commands == []
    bms.deaf, bms.ignore_commands = False, True
    bms.receive(*command(1), 0)
    assert rack.commands == [] and latest(bms, 1_000 * MS)["STATE"]["command_echo"] == 1
    bms, rack = bench()
    latest(bms)
    bms.counter_frozen = True
    stuck = [data for _, can_id, data in collect(bms, 900 * MS, 200 * MS) if can_id == 0x121]
    assert len({data[6] for data in stuck}) == 1
    bms.counter_frozen, bms.bad_crc = False, True
    assert not any(crc_ok(can_id, data) for _, can_id, data in collect(bms, 1_200 * MS, 900 * MS))
    bms.bad_crc, bms.frozen = False, True
    rack.voltage_V = 700.0
    frozen = collect(bms, 1_500 * MS, 1_200 * MS)
    assert all(crc_ok(can_id, data) for _, can_id, data in frozen)
    assert len({data[6] for _, can_id, data in frozen if can_id == 0x122}) == 3
    assert latest(bms, 1_500 * MS)["PACK"]["voltage"] == pytest.approx(790.4)
    bms.frozen, bms.frozen_messages = False, {"PACK"}
    rack.cell_voltage_V_max = 3.5
    found = latest(bms, 1_800 * MS)
    assert found["PACK"]["voltage"] == pytest.approx(790.4)
    assert found["CELLS"]["cell_voltage_max"] == 3500
    bms.frozen_messages = set()
    bms.overrides = {"CELLS.cell_voltage_max": 6000, "LIMITS.charge_current_max": 0}
    found = latest(bms, 2_000 * MS)
    assert found["CELLS"]["cell_voltage_max"] == 6000 and found["CELLS"]["cell_voltage_min"] == 3281
    assert found["LIMITS"]["charge_current_max"] == 0
    assert found["PACK"]["voltage"] == pytest.approx(700)
