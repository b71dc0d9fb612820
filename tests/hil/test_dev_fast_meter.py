"""The simulated fast meter, and the base of both meters: window, phase, faults."""

import struct

import dev_standin
import pytest

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.devices.power_meter import FastMeter, Sdm630
from hil.engine import cabinet
from tests.tables import cases

FC3, FC4 = 3, 4


def meter(kind=FastMeter, phase_us=0, seed=1):
    plant = dev_standin.plant()
    made = kind(plant, "load", seed)
    made.phase_us = phase_us
    made.tick(0)
    return made, plant


def power_W(one):
    """Sum of the phases; both maps have it at the same place."""
    return sum(struct.unpack(">3f", one.payload(FC4, 12, 6)))


def test_the_map_has_no_gap_and_is_consistent_with_itself():
    one, _ = meter()
    values = struct.unpack(">12f", one.payload(FC4, 0, 24))
    volts_V, amps_A, watts_W, factors = (values[at : at + 3] for at in (0, 3, 6, 9))
    assert sum(watts_W) == pytest.approx(300_000, rel=1e-3)
    assert factors == pytest.approx((0.98,) * 3) and volts_V == pytest.approx((230,) * 3, abs=0.2)
    for phase in range(3):
        apparent_VA = volts_V[phase] * amps_A[phase]
        assert watts_W[phase] == pytest.approx(apparent_VA * factors[phase], rel=1e-5)
    assert one.TURNAROUND_US == 2000 < meter(Sdm630)[0].TURNAROUND_US


def test_refused_requests():
    wrong = {(FC3, 0, 2): 1, (FC4, 1, 2): 2, (FC4, 0, 3): 2, (FC4, 2, 24): 2, (FC4, 0, 26): 3}
    for request, code in wrong.items():
        assert dev_standin.refused(meter()[0].payload, *request) == code


@cases("""kind  period_us
    FastMeter  20_000 | Sdm630  100_000""")
def test_each_value_is_the_mean_of_the_window_that_ends_at_its_phase(kind, period_us):
    """The load steps from 300 to 400 kW 3 ms after a refresh: the next value is a mean."""
    one, plant = meter(kind, phase_us=7000)
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


def test_after_a_freeze_the_mean_is_of_one_window():
    one, plant = meter()
    one.frozen = True
    plant.load_power_W = 0.0
    for now_us in range(0, 200_001, 20_000):
        one.tick(now_us)
    assert power_W(one) == pytest.approx(300_000, rel=1e-3)
    one.frozen, plant.load_power_W = False, 100_000.0
    for now_us in (200_000, 220_000):
        one.tick(now_us)
    assert power_W(one) == pytest.approx(100_000, rel=1e-3)


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
