"""Racks in parallel on a PCS link."""

import pytest

from hil.plant import bus, config, pcs, rack

DT_S = 0.02


class _Link:
    def __init__(self, soc=(0.5, 0.5)):
        configs = [config.checked({"racks": 2, "soc": of_rack}) for of_rack in soc]
        self.racks = [rack.Rack(made, f"bus/{i}") for i, made in enumerate(configs)]
        self.bus = bus.Bus(pcs.Pcs(config.checked(), 240), self.racks)
        self.now_us = 0

    @property
    def current_A(self):
        return sum(one.current_A for one in self.racks)

    def steps(self, count, enabled=True, supply=True):
        for _ in range(count):
            self.now_us += 20_000
            self.bus.step(DT_S, self.now_us, enabled, supply)
        return self

    def closed(self, *indices):
        for i in indices or (0, 1):
            self.racks[i].command_close(True)
        return self.steps(40)

    def opened(self):
        for one in self.racks:
            one.command_close(False)
        return self

    def running(self, power_W):
        self.bus.pcs.command_run(True)
        self.bus.pcs.command_setpoint(power_W)
        self.steps(100)
        assert self.bus.pcs.ac_power_W == power_W
        return self


def test_the_link_is_precharged_before_the_contactors_close_and_bleeds_without_racks():
    link = _Link()
    link.racks[0].command_close(True)
    volts = []
    while not link.racks[0].contactors.conducting:
        link.steps(1)
        volts.append(link.bus.voltage_V)
    source_V = link.racks[0].source_V
    assert len(volts) == 26
    assert all(a < b for a, b in zip(volts, volts[1:]))
    assert volts[4] == pytest.approx(source_V * (1 - 2.71828**-1.0), rel=0.01)
    assert source_V - volts[-2] < 8.0
    link = _Link().closed()
    full_V = link.bus.voltage_V
    link.opened().steps(2 + 1000)
    assert link.bus.voltage_V == pytest.approx(full_V * 2.71828**-1.0, rel=0.01)


def test_the_node_is_balanced_and_energy_conserved():
    for power_W in (250_000.0, 25_000.0, 0.0, -25_000.0, -250_000.0):
        link = _Link(soc=(0.3, 0.35)).closed().running(power_W)
        volts = link.bus.voltage_V
        assert link.current_A * volts == pytest.approx(link.bus.pcs.dc_power_W, rel=1e-9)
        assert link.bus.pcs.dc_current_A * volts == pytest.approx(link.bus.pcs.dc_power_W)
        for one in link.racks:
            assert one.voltage_V == pytest.approx(volts, abs=0.02)
    link = _Link(soc=(0.2, 0.25)).closed().running(200_000.0)
    assert link.racks[1].current_A > link.racks[0].current_A + 5.0
    link.bus.pcs.command_setpoint(-200_000.0)
    link.steps(20)
    assert link.racks[0].current_A < link.racks[1].current_A - 5.0
    link = _Link(soc=(0.6, 0.6)).closed().running(100_000.0)
    start = sum(one.soc * one.soh for one in link.racks) * 280.0
    given_As = 0.0
    for _ in range(360):
        link.now_us += 10_000_000
        link.bus.step(10.0, link.now_us, True, True)
        given_As += 10.0 * link.bus.pcs.dc_current_A
    used_Ah = start - sum(one.soc * one.soh for one in link.racks) * 280.0
    assert used_Ah == pytest.approx(given_As / 3600.0, rel=1e-6)


def test_racks_join_open_weld_and_are_cut_off():
    link = _Link(soc=(0.5, 0.03)).closed(0)
    link.racks[1].command_close(True)
    link.steps(160)
    assert [one.contactor_state for one in link.racks] == [2, 3]
    for power_W in (200_000.0, -200_000.0):
        link = _Link().closed().running(power_W)
        link.steps(2, supply=False)
        assert (link.bus.pcs.state, link.bus.pcs.ac_power_W) == (pcs.FAULT, 0.0)
        assert link.bus.pcs.alarm_bits == pcs.ALARM_DC_DISCONNECT
        assert [one.current_A for one in link.racks] == [0.0, 0.0]
    link = _Link().closed().running(100_000.0)
    link.racks[0].command_close(False)
    link.steps(3)
    assert link.bus.pcs.state == pcs.RUNNING and link.racks[0].current_A == 0.0
    assert link.racks[0].voltage_V == link.racks[0].source_V
    assert link.racks[1].current_A * link.bus.voltage_V == pytest.approx(link.bus.pcs.dc_power_W)
    link = _Link().closed()
    assert link.current_A * link.bus.voltage_V == pytest.approx(pcs.STANDBY_W)
    link.racks[0].contactors.welded = True
    link.opened().steps(200)
    assert link.racks[0].contactor_state == 3
    assert link.bus.voltage_V == pytest.approx(link.racks[0].source_V, abs=0.1)
    link = _Link().closed()
    for one in link.racks:
        one.contactors.welded = True
        one.open_breaker(True)
    link.steps(1500)
    assert link.bus.voltage_V < 200.0 and [one.current_A for one in link.racks] == [0.0, 0.0]


def test_a_load_beyond_the_racks_trips_and_a_fault_load_blows_its_fuse():
    link = _Link().closed().running(100_000.0)
    link.bus.pcs.dc_power_W = 1e7
    assert link.bus._solve(700.0, 1.0) == 700.0
    assert link.bus.pcs.state == pcs.FAULT and link.bus.pcs.dc_power_W == 0.0
    link = _Link().closed().running(50_000.0)
    before_A = link.current_A
    link.bus.fault = bus.FaultLoad(current_A=560.0, fuse_A2s=560.0**2 * 2.0)
    link.steps(1)
    assert link.current_A == pytest.approx(before_A + 560.0, rel=0.02)
    link.steps(98)
    assert link.bus.fault is not None
    link.steps(2)
    assert link.bus.fault is None
    assert (link.current_A, link.bus.pcs.state) == (pytest.approx(before_A, rel=0.01), pcs.RUNNING)


def test_faults_on_the_link():
    link = _Link().closed()
    link.bus.fault = bus.FaultLoad(current_A=-300.0, fuse_A2s=1e9)
    link.steps(5)
    assert link.current_A == pytest.approx(-300.0, rel=0.02)
    link.steps(200, supply=False)
    assert link.bus.voltage_V == pytest.approx(4.1 * 240)
    link = _Link()
    link.bus.fault = bus.FaultLoad(ohm=0.5)
    link.steps(50)
    assert link.bus.fault is not None and link.bus.voltage_V == 0.0
    link.racks[0].command_close(True)
    link.steps(160)
    assert link.racks[0].contactor_state == 3 and not link.racks[0].contactors.conducting
    link = _Link().closed()
    source_V = link.racks[0].source_V
    link.bus.fault = bus.FaultLoad(ohm=0.5, fuse_A2s=1e6)
    link.steps(1)
    inner_ohm = 1.0 / sum(one.conductance_S for one in link.racks)
    flowing_A = link.current_A
    assert flowing_A == pytest.approx(source_V / (inner_ohm + 0.5), rel=0.03)
    assert flowing_A > 4 * 280.0
    assert link.bus.pcs.state == pcs.STANDBY
    steps = 1
    while link.bus.fault is not None:
        link.steps(1)
        steps += 1
    assert steps * DT_S == pytest.approx(1e6 / flowing_A**2, abs=0.06)
    link.steps(5)
    assert abs(link.current_A) < 1.0
