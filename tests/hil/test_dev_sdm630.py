"""The simulated SDM630: register map, noise, raw channels, captured readings."""

import math
import struct

import dev_standin
import pytest

from hil.devices.power_meter import Sdm630
from hil.devices.rtu_slave import RtuSlave

FC3, FC4 = 3, 4
RAW = ((120_000.5, 231.25, 520.5, 0.99), (-7.5, 0.0, 0.25, -1.5), (99_999.0, 5000.0, 3.0, 0.5))


def meter(shows="grid", channels=None, seed=1):
    """A meter whose refresh falls on multiples of 100 ms."""
    cabinet = dev_standin.plant()
    cabinet.load_channels = channels
    sdm = Sdm630(cabinet, shows, seed)
    sdm.phase_us = 0
    sdm.tick(0)
    return sdm, cabinet


def values(sdm, address, count):
    return struct.unpack(f">{count}f", sdm.payload(FC4, address, count * 2))


def test_a_reading_is_consistent_with_itself_and_the_plant_both_ways():
    sdm, _ = meter()
    volts, amps, watts, apparent, reactive, factors = (values(sdm, at, 3) for at in range(0, 36, 6))
    assert sum(watts) == pytest.approx(200_000, rel=1e-3)
    for phase in range(3):
        assert volts[phase] == pytest.approx(230, abs=0.2)
        assert apparent[phase] == pytest.approx(volts[phase] * amps[phase], rel=1e-5)
        assert watts[phase] == pytest.approx(apparent[phase] * factors[phase], rel=1e-5)
        assert math.hypot(watts[phase], reactive[phase]) == pytest.approx(apparent[phase], rel=1e-4)
        assert factors[phase] == pytest.approx(0.98)
        assert math.cos(math.radians(values(sdm, 36, 3)[phase])) == pytest.approx(0.98)
    assert values(sdm, 0x34, 1)[0] == pytest.approx(sum(watts), rel=1e-6)
    assert values(sdm, 0x38, 1)[0] == pytest.approx(sum(apparent), rel=1e-6)
    assert values(sdm, 0x3C, 1)[0] == pytest.approx(sum(reactive), rel=1e-6)
    assert values(sdm, 0x3E, 1)[0] == pytest.approx(0.98, rel=1e-4)
    assert values(sdm, 0x46, 1)[0] == pytest.approx(50.0, abs=0.005)
    assert values(sdm, 0x2A, 1)[0] == pytest.approx(sum(volts) / 3, rel=1e-6)
    assert values(sdm, 0x30, 1)[0] == pytest.approx(sum(amps), rel=1e-6)
    assert values(sdm, 0xC8, 1)[0] == pytest.approx(volts[0] * math.sqrt(3), rel=1e-6)
    sdm, cabinet = meter()
    cabinet.grid_power_W = -30_000.0
    sdm.tick(0)
    sdm.tick(100_000)
    assert values(sdm, 0x34, 1)[0] == pytest.approx(-30_000, rel=1e-3)
    assert min(values(sdm, 6, 3)) > 0 > max(values(sdm, 12, 3))
    assert values(sdm, 30, 3) == pytest.approx((-0.98,) * 3)
    sdm, cabinet = meter()
    sdm.tick(1_800_000_000)
    cabinet.grid_power_W = -100_000.0
    sdm.tick(1_800_000_000)
    sdm.tick(3_600_000_000)
    imported, exported = values(sdm, 0x48, 2)
    assert imported == pytest.approx(100, rel=1e-3) and exported == pytest.approx(50, rel=1e-3)
    assert values(sdm, 0x156, 1)[0] == pytest.approx(imported + exported)


def test_raw_channels_are_shown_as_they_are_on_the_load_meter_only():
    sdm, _ = meter("load", RAW)
    for phase, (watts, volts, amps, factor) in enumerate(RAW):
        shown = [values(sdm, at + 2 * phase, 1)[0] for at in (12, 0, 6, 30)]
        assert shown == pytest.approx([watts, volts, amps, factor], rel=1e-6)
    assert values(sdm, 0x34, 1)[0] == pytest.approx(sum(watts for watts, _, _, _ in RAW), rel=1e-6)
    assert values(meter("grid", RAW)[0], 0, 1)[0] == pytest.approx(230, abs=0.2)
    assert values(meter("load")[0], 0x34, 1)[0] == pytest.approx(300_000, rel=1e-3)
    rows = ((math.nan, 230.0, 1.0, 1.0), (1e3, 230.0, 4.0, 1.0), (0.0, 230.0, 0.0, 1.0))
    sdm, cabinet = meter("load", rows)
    assert math.isnan(values(sdm, 12, 1)[0]) and values(sdm, 14, 1)[0] == 1000.0
    sdm.tick(3_600_000_000)
    assert values(sdm, 0x48, 1)[0] == 0.0


def test_words_never_repeat_and_come_ten_times_a_second():
    (first, cabinet), (twin, _), (other, _) = (meter(seed=seed) for seed in (7, 7, 8))
    cabinet.grid_power_W = 0.0
    seen = set()
    for turn in range(1, 200):
        for sdm in (first, other):
            sdm.tick(turn * 100_000)
        seen.add(first.payload(FC4, 0, 36))
    assert len(seen) == 199
    twin.tick(19_900_000)
    assert first.payload(FC4, 0, 2) != other.payload(FC4, 0, 2)
    assert meter(seed=7)[0].payload(FC4, 0, 80) == meter(seed=7)[0].payload(FC4, 0, 80)
    sdm, _ = meter()
    first = sdm.payload(FC4, 0, 80)
    sdm.tick(99_999)
    assert sdm.payload(FC4, 0, 80) == first
    sdm.tick(100_000)
    second = sdm.payload(FC4, 0, 80)
    assert second != first
    sdm.tick(199_000)
    assert sdm.payload(FC4, 0, 80) == second
    sdm.frozen = True
    sdm.tick(10_000_000)
    assert sdm.payload(FC4, 0, 80) == second
    sdm.frozen = False
    sdm.tick(10_099_999)
    assert sdm.payload(FC4, 0, 80) == second
    sdm.tick(10_100_000)
    assert sdm.payload(FC4, 0, 80) != second


def test_reads_refused_holes_absurd_words_and_a_captured_reading():
    wrong = {(FC3, 0, 2): 1, (FC4, 1, 2): 2, (FC4, 0, 3): 2, (FC4, 0, 82): 3, (FC4, 0x158, 4): 2}
    for request, code in wrong.items():
        assert dev_standin.refused(meter()[0].payload, *request) == code
    sdm, _ = meter()
    assert sdm.payload(FC4, 0x60, 4) == bytes(8)
    sdm.overrides = {0: 0x7FC0, 1: 0}
    assert math.isnan(values(sdm, 0, 1)[0])
    # gosdm630's README: U1 = 235.841 V from unit 1 is 01 04 04 43 6B D7 3D and CRC 01 FD.
    sdm, _ = meter("load", ((0.0, 235.8407745361328, 0.0, 1.0),) * 3)
    slave = RtuSlave({1: sdm}, 9600, 50_000)
    ((due_us, reply),) = slave.receive(bytes.fromhex("01040000000271CB"), 1000)
    assert reply == bytes.fromhex("010404436BD73D01FD") and due_us == 51_000
    ((_, reply),) = slave.receive(bytes.fromhex("0104001E000211CD"), 2_000_000)
    assert reply == bytes.fromhex("0104043F800000F678")  # PF1 = 1
