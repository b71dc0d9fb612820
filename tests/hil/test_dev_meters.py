"""The simulated meters: window, phase, faults; both register maps, captured readings."""

import math
import struct

import dev_standin
import pytest

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.devices.power_meter import FastMeter, Sdm630
from hil.devices.rtu_slave import RtuSlave
from hil.engine import cabinet
from tests.tables import cases

FC3, FC4 = 3, 4
RAW = ((120_000.5, 231.25, 520.5, 0.99), (-7.5, 0.0, 0.25, -1.5), (99_999.0, 5000.0, 3.0, 0.5))


def meter(kind=Sdm630, shows="grid", channels=None, seed=1, phase_us=0):
    """(meter, plant); its refresh falls on multiples of its period, later by phase_us."""
    plant = dev_standin.plant()
    plant.load_channels = channels
    made = kind(plant, shows, seed)
    made.phase_us = phase_us
    made.tick(0)
    return made, plant


def values(one, address, count):
    return struct.unpack(f">{count}f", one.payload(FC4, address, count * 2))


def power_W(one):
    """Sum of the phases; both maps have it at the same place."""
    return sum(values(one, 12, 3))


both = pytest.mark.parametrize("kind, period_us", [(FastMeter, 20_000), (Sdm630, 100_000)])


def test_the_map_of_the_fast_meter_has_no_gap_and_is_consistent_with_itself():
    one, _ = meter(FastMeter, "load")
    volts_V, amps_A, watts_W, factors = (values(one, at, 3) for at in (0, 6, 12, 18))
    assert sum(watts_W) == pytest.approx(300_000, rel=1e-3)
    assert values(one, 24, 1) == pytest.approx((50.0,), abs=0.05)
    assert factors == pytest.approx((0.98,) * 3) and volts_V == pytest.approx((230,) * 3, abs=0.2)
    for phase in range(3):
        apparent_VA = volts_V[phase] * amps_A[phase]
        assert watts_W[phase] == pytest.approx(apparent_VA * factors[phase], rel=1e-5)
    assert one.TURNAROUND_US == 2000 < meter()[0].TURNAROUND_US


@cases("""kind  asked  code
    FastMeter  (FC3, 0, 2)  1 | FastMeter  (FC4, 1, 2)  2 | FastMeter  (FC4, 0, 3)  2
    FastMeter  (FC4, 2, 26)  2 | FastMeter  (FC4, 0, 28)  3 | Sdm630  (FC3, 0, 2)  1
    Sdm630  (FC4, 1, 2)  2 | Sdm630  (FC4, 0, 3)  2 | Sdm630  (FC4, 0, 82)  3
    Sdm630  (FC4, 0x158, 4)  2""")
def test_refused_requests(kind, asked, code):
    assert dev_standin.refused(meter(kind)[0].payload, *asked) == code


@both
def test_each_value_is_the_mean_of_the_window_that_ends_at_its_phase(kind, period_us):
    """The load steps from 300 to 400 kW 3 ms after a refresh: the next value is a mean."""
    one, plant = meter(kind, "load", phase_us=7000)
    for now_us in (7000, 10_000):
        one.tick(now_us)
    plant.load_power_W = 400_000.0
    one.tick(10_000)
    due_us = 7000 + period_us
    for now_us, share in ((due_us - 1, 0), (due_us, 1), (due_us + 1, 1)):
        one.tick(now_us)
        mean_W = 300_000 + share * 100_000 * (period_us - 3000) / period_us
        assert power_W(one) == pytest.approx(mean_W, rel=5e-4), now_us - due_us
    one.tick(due_us + period_us + 5000)  # late: the value is still that of its own window
    assert power_W(one) == pytest.approx(400_000, rel=5e-4)


def test_the_phase_is_drawn_from_the_seed():
    phases_us = [FastMeter(dev_standin.plant(), "load", seed).phase_us for seed in range(200)]
    assert all(0 <= phase_us < 20_000 for phase_us in phases_us)
    assert min(phases_us) < 1000 and max(phases_us) > 19_000
    again = FastMeter(dev_standin.plant(), "load", 7)
    assert again.phase_us == phases_us[7]


@both
def test_values_repeat_between_refreshes_and_while_frozen_then_the_mean_is_of_one_window(
    kind, period_us
):
    one, plant = meter(kind, "load")
    seen = {bytes(one.image)}
    for turn in range(1, 200):
        one.tick(turn * period_us - 1)
        assert bytes(one.image) in seen
        one.tick(turn * period_us)
        seen.add(bytes(one.image))
    assert len(seen) == 200, "its noise never repeats"
    one.frozen = True
    plant.load_power_W = 0.0
    for turn in range(200, 210):
        one.tick(turn * period_us)
    assert power_W(one) == pytest.approx(300_000, rel=1e-3)
    assert bytes(one.image) in seen
    one.frozen, plant.load_power_W = False, 100_000.0
    for turn in (209, 210):
        one.tick(turn * period_us)
    assert power_W(one) == pytest.approx(100_000, rel=1e-3)


def test_readings_repeat_by_seed():
    first, twin, other = (meter(seed=seed)[0].payload(FC4, 0, 80) for seed in (7, 7, 8))
    assert first == twin != other


def test_the_rig_chooses_the_meter_by_its_profile_and_mirrors_another_one(tmp_path):
    loaded = configuration.load(EXAMPLE)
    one = cabinet.SimulatedCabinet(loaded, lambda t_s: 300_000.0, 1)
    meters = [one.devices[name] for name in ("meter_grid", "meter_load")]
    assert [type(each) for each in meters] == [FastMeter, FastMeter]
    assert meters[0].phase_us != meters[1].phase_us
    device = loaded.topology.device("meter_load")
    device.profile.path = device.profile.path.with_name("sdm630.toml")
    one = cabinet.SimulatedCabinet(loaded, lambda t_s: 300_000.0, 1)
    assert type(one.devices["meter_load"]) is Sdm630
    other = tmp_path / "other.toml"
    other.write_bytes(device.profile.path.read_bytes())
    device.profile.path = other
    one = cabinet.SimulatedCabinet(loaded, lambda t_s: 300_000.0, 1)
    assert "mirrored" in type(one.devices["meter_load"]).__module__


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
    totals = {
        0x34: sum(watts),
        0x38: sum(apparent),
        0x3C: sum(reactive),
        0xC8: volts[0] * 3**0.5,
        0x2A: sum(volts) / 3,
        0x30: sum(amps),
    }
    for address, total in totals.items():
        assert values(sdm, address, 1)[0] == pytest.approx(total, rel=1e-6)
    assert values(sdm, 0x3E, 1)[0] == pytest.approx(0.98, rel=1e-4)
    assert values(sdm, 0x46, 1)[0] == pytest.approx(50.0, abs=0.005)
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
    sdm, _ = meter(shows="load", channels=RAW)
    for phase, (watts, volts, amps, factor) in enumerate(RAW):
        shown = [values(sdm, at + 2 * phase, 1)[0] for at in (12, 0, 6, 30)]
        assert shown == pytest.approx([watts, volts, amps, factor], rel=1e-6)
    assert values(sdm, 0x34, 1)[0] == pytest.approx(sum(watts for watts, _, _, _ in RAW), rel=1e-6)
    assert values(meter(channels=RAW)[0], 0, 1)[0] == pytest.approx(230, abs=0.2)
    assert values(meter(shows="load")[0], 0x34, 1)[0] == pytest.approx(300_000, rel=1e-3)
    rows = ((math.nan, 230.0, 1.0, 1.0), (1e3, 230.0, 4.0, 1.0), (0.0, 230.0, 0.0, 1.0))
    sdm, cabinet = meter(shows="load", channels=rows)
    assert math.isnan(values(sdm, 12, 1)[0]) and values(sdm, 14, 1)[0] == 1000.0
    sdm.tick(3_600_000_000)
    assert values(sdm, 0x48, 1)[0] == 0.0


def test_holes_absurd_words_and_a_captured_reading_of_the_sdm630():
    sdm, _ = meter()
    assert sdm.payload(FC4, 0x60, 4) == bytes(8)
    sdm.overrides = {0: 0x7FC0, 1: 0}
    assert math.isnan(values(sdm, 0, 1)[0])
    # gosdm630's README: U1 = 235.841 V from unit 1 is 01 04 04 43 6B D7 3D and CRC 01 FD.
    sdm, _ = meter(shows="load", channels=((0.0, 235.8407745361328, 0.0, 1.0),) * 3)
    slave = RtuSlave({1: sdm}, 9600, 50_000)
    ((due_us, reply),) = slave.receive(bytes.fromhex("01040000000271CB"), 1000)
    assert reply == bytes.fromhex("010404436BD73D01FD") and due_us == 51_000
    ((_, reply),) = slave.receive(bytes.fromhex("0104001E000211CD"), 2_000_000)
    assert reply == bytes.fromhex("0104043F800000F678")  # PF1 = 1
