"""The simulated SunSpec PCS, read by pysunspec2's own client and written as a controller would."""

import dev_standin
import pytest
from dev_standin import refused
from sunspec2.modbus.client import SunSpecModbusClientDevice

from hil.devices.sunspec_models import ENTER_STANDBY, EXIT_STANDBY, START, STOP, power_scale
from hil.devices.sunspec_pcs import MANUFACTURER_ALARM, SunSpecPcs
from tests.tables import table

S_us = 1_000_000
FC3, FC6, FC16 = 3, 6, 16


class Client(SunSpecModbusClientDevice):
    """pysunspec2's device, its reads going straight to the simulated one."""

    def __init__(self, pcs):
        super().__init__()
        self.pcs = pcs
        self.base_addr_list = [40000]

    def read(self, addr, count):
        """Registers in pieces a slave allows."""
        ends = [*range(addr, addr + count, 125), addr + count]
        return b"".join(self.pcs.payload(FC3, a, b - a) for a, b in zip(ends, ends[1:]))

    def connect(self):
        pass

    disconnect = connect


class Bench:
    """A PCS on the stand-in plant with a clock."""

    def __init__(self, controller_silent_s=5):
        self.cabinet = dev_standin.plant()
        self.plant = self.cabinet.pcs[0]
        self.pcs = SunSpecPcs(self.cabinet, 0, (0, 1, 2))
        self.pcs.controller_silent_s = controller_silent_s
        self.now_us = 0
        self.pcs.tick(0)

    def address(self, name):
        return self.pcs.image.places[name].address

    def write(self, name, value, registers=1):
        words = [value >> 16 * place & 0xFFFF for place in reversed(range(registers))]
        self.pcs.write(FC16, self.address(name), words, self.now_us)

    def read(self, name, registers=1, signed=False):
        """Read one point as a controller does."""
        data = self.pcs.payload(FC3, self.address(name), registers)
        return int.from_bytes(data, "big", signed=signed)

    def run(self, seconds, step_us=20_000):
        for _ in range(round(seconds * S_us / step_us)):
            self.now_us += step_us
            self.pcs.tick(self.now_us)

    def arm(self, setpoint_W=50_000, reversion_s=4):
        """Enable the set-point with a reversion to 0 W."""
        self.write("704.WSetRvrtTms", reversion_s, 2)
        self.write("704.WSetEnaRvrt", 1)
        self.write("704.WSetMod", 1)
        self.write("704.WSetEna", 1)
        self.write("704.WSet", setpoint_W, 2)


def test_pysunspec2_finds_and_reads_the_models():
    bench = Bench()
    bench.run(1)
    client = Client(bench.pcs)
    client.scan()
    assert [model.model_id for model in client.model_list] == [1, 701, 702, 704, 715, 802]
    assert not [model.error_info for model in client.model_list if model.error_info]
    measured = client.models[701][0]
    assert (measured.W.cvalue, measured.Hz.cvalue, measured.LNV.cvalue) == (100_000, 50.0, 230.0)
    assert measured.LLV.cvalue == pytest.approx(398.4)
    assert measured.A.cvalue == pytest.approx(100_000 / 690, abs=0.1)
    shown = measured.InvSt, measured.St, measured.ConnSt, measured.Alrm
    assert [point.value for point in shown] == [3, 1, 1, 0]
    assert measured.TotWhInj.cvalue == int(100_000 / 3600)
    assert client.models[702][0].WMaxRtg.cvalue == 250_000
    battery = client.models[802][0]
    assert (battery.V.cvalue, battery.A.cvalue, battery.State.value) == (790.0, 130.0, 3)
    assert (battery.SoC.cvalue, battery.SoH.cvalue, battery.ChaSt.value) == (51.23, 98.76, 3)
    assert (battery.AChaMax.cvalue, battery.ADisChaMax.cvalue) == (420.0, 406.5)
    assert (battery.CellVMin.cvalue, battery.CellVMax.cvalue) == (3.281, 3.312)
    assert battery.W.cvalue == 102_700
    assert client.models[1][0].Mn.value == "Firebreak rig"


ADDRESSES = {
    **{"704.WSetEna": 40299, "704.WSetMod": 40300, "704.WSet": 40301, "704.WSetRvrt": 40303},
    **{"704.WSetEnaRvrt": 40307, "704.WSetRvrtTms": 40308, "704.WSetRvrtRem": 40310},
    **{"715.LocRemCtl": 40346, "715.DERHb": 40347, "715.ControllerHb": 40349},
    **{"715.AlarmReset": 40351, "715.OpCtl": 40352, "701.W": 40080, "701.Alrm": 40076},
    **{"701.W_SF": 40186, "802.V": 40387, "802.A": 40397, "802.V_SF": 40412},
}


def test_addresses_are_those_of_the_register_table():
    bench = Bench()
    assert {name: bench.address(name) for name in ADDRESSES} == ADDRESSES
    assert bench.pcs.payload(FC3, 40000, 4) == b"SunS\0\x01\0\x42"
    assert bench.pcs.payload(FC3, 40417, 2) == b"\xff\xff\0\0"
    ratings_W = (1000, 25_205, 25_206, 250_000, 2_000_000)
    assert [power_scale(rated_W) for rated_W in ratings_W] == [0, 0, 1, 1, 2]


def test_reads_outside_and_torn_writes_are_refused():
    for function, address, count in ((4, 40000, 2), (3, 39999, 2), (3, 40418, 2), (3, 50000, 2)):
        assert refused(Bench().pcs.payload, function, address, count) in (1, 2)
    for name, skip, count in table("""
    704.WSet | 0 | 1 ; 704.WSet | 1 | 1 ; 704.WSetMod | 0 | 2 ; 704.WSetRvrtRem | 0 | 2
    715.DERHb | 0 | 2 ; 701.W | 0 | 1 ; 704.AntiIslEna | 0 | 2 ; 715.OpCtl | 0 | 2
"""):
        bench = Bench()
        assert refused(bench.pcs.write, FC16, bench.address(name) + skip, [1] * count, 0) == 2


def test_measurements_follow_the_plant_at_each_tick():
    bench = Bench()
    assert bench.read("701.W", signed=True) == 10_000
    bench.plant.ac_power_W, bench.plant.dc_current_A, bench.plant.state = -249_996.0, -330.0, 4
    assert bench.read("701.W", signed=True) == 10_000  # one instant, one set of values
    bench.run(0.02)
    assert bench.read("701.W", signed=True) == -25_000
    assert (bench.read("701.InvSt"), bench.read("701.St")) == (4, 1)
    assert bench.read("802.A", signed=True) == -3300
    bench.pcs.frozen = True
    bench.plant.ac_power_W = 0.0
    bench.run(0.02)
    assert bench.read("701.W", signed=True) == -25_000


def test_the_setpoint_needs_the_enable_and_stays_within_the_rating():
    bench = Bench()
    bench.write("704.WSet", 50_000, 2)
    assert bench.plant.setpoint_W == 0
    bench.write("704.WSetEna", 1)
    assert bench.plant.setpoint_W == 50_000
    bench.write("704.WSet", -250_000, 2)
    assert bench.plant.setpoint_W == -250_000 and bench.read("704.WSet", 2, signed=True) == -250_000
    bench.write("704.WSetPct", 250)
    bench.write("704.WSetMod", 0)
    assert bench.plant.setpoint_W == 62_500
    bench.write("704.WSetEna", 0)
    assert bench.plant.setpoint_W == 0
    for value in (250_000, -250_000):
        bench = Bench()
        bench.write("704.WSetEna", 1)
        bench.write("704.WSet", value, 2)
        assert bench.plant.setpoint_W == value
    for value in (250_001, -250_001, 1 << 30):
        bench = Bench()
        bench.write("704.WSetEna", 1)
        assert refused(bench.write, "704.WSet", value, 2) == 3
        assert bench.read("704.WSet", 2) == bench.plant.setpoint_W == 0
    bench = Bench()
    bench.write("704.WSetRvrtTms", 4, 2)
    # WSetEna, WSetMod, WSet, WSetRvrt, WSetPct, WSetPctRvrt, WSetEnaRvrt
    bench.pcs.write(FC16, bench.address("704.WSetEna"), [1, 1, 0xFFFF, 0xFC18, 0, 0, 0, 0, 1], 0)
    assert bench.plant.setpoint_W == -1000
    assert bench.read("704.WSetRvrtRem", 2) == 4
    bench.pcs.write(FC6, bench.address("704.WSetEna"), [0], 0)
    assert bench.plant.setpoint_W == 0
    assert refused(bench.pcs.write, 15, bench.address("704.WSetEna"), [0], 0) == 1


def test_reversion():
    bench = Bench()
    bench.run(0.5)
    bench.arm(reversion_s=4)
    bench.run(3.48)
    assert bench.read("704.WSetRvrtRem", 2) == 1 and bench.plant.setpoint_W == 50_000
    bench.run(0.02)  # 3.5 s after the write, on the fourth edge of the device's own second
    assert bench.read("704.WSetRvrtRem", 2) == 0 and bench.plant.setpoint_W == 0
    assert bench.read("704.WSet", 2) == 0 and bench.read("704.WSetEna") == 1
    bench.write("704.WSet", 7_000, 2)
    assert bench.plant.setpoint_W == 7_000 and bench.read("704.WSetRvrtRem", 2) == 4
    bench = Bench()
    bench.arm(reversion_s=2)
    bench.write("704.WSetEnaRvrt", 0)
    for _ in range(10):
        bench.run(0.9)
        bench.write("704.WSet", 50_000, 2)
    assert bench.plant.setpoint_W == 50_000
    bench.run(2)
    assert bench.plant.setpoint_W == 0 and bench.read("704.WSetEna") == 0
    for reversion_s, broken in ((0, False), (2, True)):
        bench = Bench()
        bench.pcs.reversion_broken = broken
        bench.arm(reversion_s=reversion_s)
        bench.run(30)
        assert bench.plant.setpoint_W == 50_000


def test_its_heartbeat_start_stop_and_standby():
    bench, seen = Bench(), []
    for seconds in (0.98, 0.02, 9):
        bench.run(seconds)
        seen.append(bench.read("715.DERHb", 2))
    assert seen == [0, 1, 10]
    bench.pcs.heartbeat_stopped = True
    bench.run(5)
    assert bench.read("715.DERHb", 2) == 10
    bench = Bench()
    for operation in (START, STOP, EXIT_STANDBY, ENTER_STANDBY):
        bench.write("715.OpCtl", operation)
        assert bench.read("715.OpCtl") == operation
    assert bench.plant.runs == [True, False, True, False]


def test_the_controllers_heartbeat_is_supervised_once_it_has_moved():
    bench = Bench(controller_silent_s=3)
    bench.write("715.OpCtl", START)
    bench.run(10)
    assert bench.plant.runs == [True]
    for beat in range(1, 6):
        bench.write("715.ControllerHb", beat, 2)
        bench.run(1)
    assert bench.plant.runs == [True]
    bench.run(1)
    bench.write("715.ControllerHb", 5, 2)  # the same value is no heartbeat
    assert bench.plant.runs == [True] and bench.read("701.Alrm", 2) == 0
    bench.run(1)
    assert bench.plant.runs[-1] is False and bench.read("701.Alrm", 2) == MANUFACTURER_ALARM
    bench.write("715.ControllerHb", 6, 2)
    bench.run(0.02)
    assert bench.read("701.Alrm", 2) == 0 and bench.plant.runs[-1] is False
    bench.write("715.OpCtl", START)
    assert bench.plant.runs[-1] is True
    bench.run(3)
    assert bench.plant.runs[-1] is False
    bench = Bench(controller_silent_s=0)
    bench.write("715.ControllerHb", 1, 2)
    bench.run(30)
    assert bench.plant.runs == [] and bench.read("701.Alrm", 2) == 0


def test_local_wrong_readback_alarm_and_reset():
    bench = Bench()
    bench.arm(setpoint_W=40_000)
    bench.pcs.local = True
    assert bench.read("715.LocRemCtl") == 1
    bench.write("704.WSet", 10_000, 2)
    assert bench.plant.setpoint_W == 40_000
    bench.pcs.local = False
    bench.pcs.readback_offset_W = -500
    assert bench.read("704.WSet", 2, signed=True) == 39_500
    shown = bench.pcs.payload(FC3, bench.address("704.WSetMod"), 4)
    assert shown[2:6] == (39_500).to_bytes(4, "big")
    assert bench.pcs.payload(FC3, bench.address("704.WSet"), 1) == b"\0\0"
    bench.plant.alarm_bits = 1 << 7
    bench.run(0.02)
    assert bench.read("701.Alrm", 2) == 1 << 7
    bench.write("715.AlarmReset", 1)
    assert bench.read("715.AlarmReset") == 0
    bench.pcs.overrides = {bench.address("802.V"): 0xFFFF}
    assert bench.read("802.V") == 0xFFFF


def test_energy_charges_and_discharges_apart():
    bench = Bench()
    bench.run(36)
    bench.plant.ac_power_W = -50_000.0
    bench.run(36)
    assert (bench.read("701.TotWhInj", 4), bench.read("701.TotWhAbs", 4)) == (1000, 500)
    assert bench.read("802.ChaSt") == 3
    bench.plant.dc_current_A = -1.5
    bench.run(1)
    assert bench.read("802.ChaSt") == 4
    bench.plant.dc_current_A = 0.5
    bench.run(1)
    assert bench.read("802.ChaSt") == 6


def test_only_its_own_racks():
    cabinet = dev_standin.plant()
    cabinet.racks[2].cell_voltage_V_min = 2.5
    cabinet.racks[0].contactor_state = cabinet.racks[1].contactor_state = 0
    pcs = SunSpecPcs(cabinet, 0, [0, 1])
    pcs.tick(0)
    pcs.tick(S_us)
    place = pcs.image.places
    assert pcs.payload(FC3, place["802.CellVMin"].address, 1) == (3281).to_bytes(2, "big")
    assert pcs.payload(FC3, place["802.AChaMax"].address, 1) == b"\0\0"
    assert pcs.payload(FC3, place["802.State"].address, 1) == b"\0\1"
