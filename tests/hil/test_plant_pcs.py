"""The PCS: dead time, ramp, losses, enable input, DC loss."""

import csv

import pytest

from hil.plant import config, pcs
from tests.tables import cases

DC_V = 790.0
DT_S = 0.02


class _Bench:
    def __init__(self, **changes):
        self.pcs = pcs.Pcs(config.checked(changes), 240)
        self.now_us = 0
        self.enabled = True
        self.dc_V = DC_V

    def steps(self, count, dt_s=DT_S):
        return [self._one(dt_s) for _ in range(count)]

    def _one(self, dt_s):
        self.now_us += round(dt_s * 1e6)
        self.pcs.step(dt_s, self.now_us, self.enabled, self.dc_V)
        return self.pcs.ac_power_W

    def running(self, power_W=0.0):
        self.pcs.command_run(True)
        self.pcs.command_setpoint(power_W)
        self.steps(100)
        assert self.pcs.state == pcs.RUNNING and self.pcs.ac_power_W == power_W
        return self


def test_starts_after_dead_time_and_start_time():
    bench = _Bench()
    bench.steps(5)
    assert bench.pcs.state == pcs.STANDBY
    bench.pcs.command_run(True)
    states = [(bench.steps(1), bench.pcs.state)[1] for _ in range(54)]
    assert states == [pcs.STANDBY] * 2 + [pcs.STARTING] * 50 + [pcs.RUNNING] * 2


@cases("""enabled  dc_V  state
    False  DC_V  pcs.OFF | True  0.0  pcs.SLEEPING | True  587.9  pcs.SLEEPING
    True  588.0  pcs.STANDBY | True  900.0  pcs.STANDBY | True  900.1  pcs.SLEEPING""")
def test_its_inputs_decide_the_state_at_rest_and_lost_dc_is_no_fault(enabled, dc_V, state):
    bench = _Bench()
    bench.enabled, bench.dc_V = enabled, dc_V
    bench.steps(2)
    bench.pcs.lose_dc()
    assert bench.pcs.state == state


def test_set_points_keep_dead_time_ramp_and_rating():
    """2.5 MW/s give 10 kW within 4 ms, which may lie between two steps."""
    rows = ((0.0, 0), (0.036, 1), (0.04, 2), (0.056, 2), (0.06, 3), (0.076, 3), (0.1, 5))
    for dead_time_s, first_moving in rows:
        bench = _Bench(pcs_dead_time_s=dead_time_s).running()
        bench.pcs.command_setpoint(10_000.0)
        assert bench.pcs.setpoint_W == 10_000.0
        powers = bench.steps(8)
        assert powers == [0.0] * first_moving + [10_000.0] * (8 - first_moving)
    bench = _Bench().running()
    powers = []
    for i in range(8):
        bench.pcs.command_setpoint(1000.0 * min(i, 3))
        powers += bench.steps(1)
    assert powers == [0.0, 0.0, 0.0, 0.0, 1000.0, 2000.0, 3000.0, 3000.0]
    bench = _Bench(pcs_dead_time_s=0.065).running()
    bench.pcs.command_setpoint(250_000.0)  # moves from 65 ms on: 15 ms until the step at 80 ms
    assert bench.steps(5) == pytest.approx([0.0, 0.0, 0.0, 37_500.0, 87_500.0])
    bench.pcs.command_setpoint(0.0)  # until 165 ms it still rises
    assert bench.steps(4)[3] == pytest.approx(250_000.0 - 37_500.0)
    for aim_W in (250_000.0, -250_000.0):
        bench = _Bench().running()
        bench.pcs.command_setpoint(aim_W)
        powers = bench.steps(9)[3:]
        assert powers == pytest.approx([aim_W * share for share in (0.2, 0.4, 0.6, 0.8, 1.0, 1.0)])
    bench = _Bench().running()
    bench.pcs.command_setpoint(300_000.0)
    bench.steps(20)
    assert (bench.pcs.ac_power_W, bench.pcs.state) == (250_000.0, pcs.THROTTLED)
    bench.pcs.command_setpoint(-1e9)
    bench.steps(20)
    assert (bench.pcs.ac_power_W, bench.pcs.state) == (-250_000.0, pcs.THROTTLED)
    bench.pcs.command_setpoint(250_000.0)
    bench.steps(20)
    assert bench.pcs.state == pcs.RUNNING


@cases("""fault  value  stays_W  power_W
    "is_reversed"  True  -50_000.0  -100_000.0 | "is_stuck"  True  50_000.0  50_000.0
    "derated_W"  3e4  3e4  3e4 | "derated_W"  7e4  50_000.0  7e4""")
def test_a_fault_acts_on_a_set_point_that_stays_and_on_a_new_one(fault, value, stays_W, power_W):
    bench = _Bench().running(50_000.0)
    setattr(bench.pcs, fault, value)
    assert bench.steps(20)[-1] == stays_W
    bench.pcs.command_setpoint(100_000.0)
    assert bench.steps(20)[-1] == power_W and bench.pcs.setpoint_W == 100_000.0
    assert bench.pcs.state == pcs.RUNNING
    for bad in (float("nan"), float("inf"), "much"):
        with pytest.raises(ValueError):
            _Bench().pcs.command_setpoint(bad)


def test_stop_disable_and_enable():
    bench = _Bench().running(200_000.0)
    bench.pcs.command_run(False)
    powers = bench.steps(8)
    assert powers[:2] == [200_000.0] * 2
    assert powers[2:] == pytest.approx([150_000.0, 100_000.0, 50_000.0, 0.0, 0.0, 0.0])
    assert (bench.pcs.state, bench.pcs.dc_power_W) == (pcs.STANDBY, pcs.STANDBY_W)
    bench = _Bench(pcs_ramp_W_per_s=1e6).running(200_000.0)
    bench.pcs.command_run(False)
    bench.steps(4)
    assert bench.pcs.state == pcs.SHUTTING_DOWN
    bench.pcs.command_run(True)
    powers = bench.steps(8)
    assert powers == pytest.approx([1e3 * kW for kW in (140, 120, 120, 140, 160, 180, 200, 200)])
    assert bench.pcs.state == pcs.RUNNING
    bench = _Bench().running(-250_000.0)
    bench.enabled = False
    powers = bench.steps(12, dt_s=0.001)
    assert (powers[0], powers[4]) == (pytest.approx(-225_000.0), pytest.approx(-125_000.0))
    assert powers[9] == powers[11] == pytest.approx(0.0, abs=1e-6)
    assert bench.pcs.state == pcs.OFF
    bench = _Bench().running(250_000.0)
    bench.enabled = False
    assert bench.steps(5) == [0.0] * 5  # at once, without dead time
    bench.enabled = True
    assert bench.steps(1) == [0.0] and bench.pcs.state == pcs.STARTING
    assert bench.steps(60)[-1] == 250_000.0


@cases("""dc_V  alarm
    587.0  pcs.ALARM_DC_DISCONNECT | 901.0  pcs.ALARM_DC_OVER_VOLT""")
def test_dc_out_of_its_window_trips_until_stop_and_start(dc_V, alarm):
    bench = _Bench().running(100_000.0)
    bench.dc_V = dc_V
    assert bench.steps(1) == [0.0]
    assert (bench.pcs.state, bench.pcs.alarm_bits) == (pcs.FAULT, alarm)
    assert bench.pcs.dc_power_W <= pcs.STANDBY_W
    bench.dc_V = DC_V
    bench.steps(100)
    assert bench.pcs.state == pcs.FAULT
    bench.pcs.command_run(False)
    bench.steps(5)
    assert (bench.pcs.state, bench.pcs.alarm_bits) == (pcs.STANDBY, 0)


def test_losses_are_the_published_ones():
    for share, efficiency in ((1.0, 0.973), (0.1, 0.93), (0.01, 0.59)):
        power_W = 250_000.0 * share
        bench = _Bench().running(power_W)
        assert power_W / bench.pcs.dc_power_W == pytest.approx(efficiency, abs=0.002)
        loss_W = bench.pcs.dc_power_W - power_W
        bench.pcs.command_setpoint(-power_W)
        bench.steps(20)
        assert bench.pcs.dc_power_W == pytest.approx(-power_W + loss_W)


def test_losses_have_the_shape_of_a_measured_converter(shared):
    path = shared / "data/battery/v2_sinamics_S120_efficiency.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for permille, tolerance in ((10, 0.03), (50, 0.015), (100, 0.006), (500, 0.006), (1000, 0.006)):
        power_W = 250.0 * permille
        efficiency = power_W / _Bench().running(power_W).pcs.dc_power_W
        assert efficiency == pytest.approx(float(rows[permille]["Discharging"]), abs=tolerance)


def test_a_converter_that_forms_an_island_gives_its_load_not_its_set_point():
    bench = _Bench().running(50_000.0)
    bench.pcs.is_forming, bench.pcs.island_W = True, -30_000.0
    assert bench.steps(20)[-1] == -30_000.0 and bench.pcs.setpoint_W == 50_000.0
    bench.pcs.is_forming = False
    assert bench.steps(20)[-1] == 50_000.0


@cases("""power_W  sleeps  loss_W
    0  0  1725 | 0  1  60 | 2500  1  1761.5""")
def test_a_converter_that_sleeps_draws_60_W_at_0_W(power_W, sleeps, loss_W):
    """0.69 % of 250 kW while it switches."""
    bench = _Bench(pcs_sleeps=sleeps).running(power_W)
    assert bench.pcs.dc_power_W - power_W == pytest.approx(loss_W, abs=30)
    bench.pcs.carry(0.0)
    bench.steps(1)
    assert bench.pcs.dc_power_W == pytest.approx(1725), "one that forms an island switches"
