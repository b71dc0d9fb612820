"""The simulated SunSpec PCS, read by pysunspec2's own client and written as a controller would."""

import dev_standin
import pytest
from dev_standin import refused
from sunspec2.modbus.client import SunSpecModbusClientDevice

from hil.devices.sunspec_image import ENTER_STANDBY, EXIT_STANDBY, START, STOP, power_scale
from hil.devices.sunspec_pcs import MANUFACTURER_ALARM, SunSpecPcs
from tests.tables import table

S_us = 1_000_000
FC3, FC6, FC16 = 3, 6, 16


def client_of(pcs):
    client = SunSpecModbusClientDevice()
    client.base_addr_list = [40000]
    client.connect = client.disconnect = lambda: None

    def read(addr, count):
        """A slave allows 125 registers at a time."""
        ends = [*range(addr, addr + count, 125), addr + count]
        return b"".join(pcs.payload(FC3, a, b - a) for a, b in zip(ends, ends[1:]))

    client.read = read
    return client


REGISTERS = {
    **dict.fromkeys("704.WSet 704.WSetRvrtTms 704.WSetRvrtRem 701.Alrm 701.DERMode".split(), 2),
    **dict.fromkeys("715.DERHb 715.ControllerHb".split(), 2),
    **dict.fromkeys("701.TotWhInj 701.TotWhAbs".split(), 4),
}
SIGNED = ("701.W", "802.A", "704.WSet")


class Bench:
    def __init__(self, play="", **changes):
        cabinet = dev_standin.plant()
        self.plant = cabinet.pcs[0]
        self.pcs = SunSpecPcs(cabinet, 0, (0, 1, 2))
        vars(self.pcs).update({"controller_silence_s_max": 5} | changes)
        self.now_us = 0
        self.pcs.tick(0)
        self.play(play)

    def address(self, name):
        return self.pcs.image.places[name].address

    def write(self, name, value):
        words = [value >> 16 * n & 0xFFFF for n in reversed(range(REGISTERS.get(name, 1)))]
        self.pcs.write(FC16, self.address(name), words, self.now_us)

    def read(self, name):
        """One point as a controller reads it; of the plant: `setpoint`, `runs` as digits."""
        if name == "runs":
            return int("".join(str(int(run)) for run in self.plant.runs) or 0)
        if name == "setpoint":
            return self.plant.setpoint_W
        data = self.pcs.payload(FC3, self.address(name), REGISTERS.get(name, 1))
        return int.from_bytes(data, "big", signed=name in SIGNED)

    def run(self, seconds, step_us=20_000):
        for _ in range(round(seconds * S_us / step_us)):
            self.now_us += step_us
            self.pcs.tick(self.now_us)

    def play(self, text):
        """`+2` runs 2 s, `POINT=5` writes a point, `POINT?5` asserts its value."""
        for word in text.split():
            name, _, value = word.replace("=", "?").partition("?")
            if not value:
                self.run(float(word))
            elif "=" in word:
                self.write(name, int(value))
            else:
                assert (word, self.read(name)) == (word, int(value))
        return self


# enables a set-point of 50 kW; it falls to 0 W later
ARM = "704.WSetEnaRvrt=1 704.WSetMod=1 704.WSetEna=1 704.WSet=50000"


def test_pysunspec2_finds_and_reads_the_models():
    client = client_of(Bench("+1").pcs)
    client.scan()
    assert [model.model_id for model in client.model_list] == [1, 701, 702, 704, 715, 802]
    assert not [model.error_info for model in client.model_list if model.error_info]
    measured = client.models[701][0]
    assert (measured.W.cvalue, measured.Hz.cvalue, measured.LNV.cvalue) == (100_000, 50.0, 230.0)
    assert measured.LLV.cvalue == pytest.approx(398.4)
    assert measured.A.cvalue == pytest.approx(100_000 / 690, abs=0.1)
    shown = measured.InvSt, measured.St, measured.ConnSt, measured.Alrm
    assert [point.value for point in shown] == [3, 1, 1, 0]
    assert measured.DERMode.value == 1, "follows the grid"
    assert measured.TotWhInj.cvalue == int(100_000 / 3600)
    assert client.models[702][0].WMaxRtg.cvalue == 250_000
    battery = client.models[802][0]
    assert (battery.V.cvalue, battery.A.cvalue, battery.State.value) == (790.0, 130.0, 3)
    assert (battery.SoC.cvalue, battery.SoH.cvalue, battery.ChaSt.value) == (51.23, 98.76, 3)
    assert (battery.AChaMax.cvalue, battery.ADisChaMax.cvalue) == (420.0, 406.5)
    assert (battery.CellVMin.cvalue, battery.CellVMax.cvalue) == (3.281, 3.312)
    assert (battery.W.cvalue, client.models[1][0].Mn.value) == (102_700, "Firebreak rig")


ADDRESSES = {
    "704.WSetEna": 40299,
    "704.WSetMod": 40300,
    "704.WSet": 40301,
    "704.WSetRvrt": 40303,
    "704.WSetEnaRvrt": 40307,
    "704.WSetRvrtTms": 40308,
    "704.WSetRvrtRem": 40310,
    "715.LocRemCtl": 40346,
    "715.DERHb": 40347,
    "715.ControllerHb": 40349,
    "715.AlarmReset": 40351,
    "715.OpCtl": 40352,
    "701.W": 40080,
    "701.Alrm": 40076,
    "701.W_SF": 40186,
    "802.V": 40387,
    "802.A": 40397,
    "802.V_SF": 40412,
}


def test_addresses_are_those_of_the_register_table_and_others_refused():
    bench = Bench()
    assert {name: bench.address(name) for name in ADDRESSES} == ADDRESSES
    assert bench.pcs.payload(FC3, 40000, 4) == b"SunS\0\x01\0\x42"
    assert bench.pcs.payload(FC3, 40417, 2) == b"\xff\xff\0\0"
    ratings_W = (1000, 25_205, 25_206, 250_000, 2_000_000)
    assert [power_scale(rated_W) for rated_W in ratings_W] == [0, 0, 1, 1, 2]
    for function, address, count in ((4, 40000, 2), (3, 39999, 2), (3, 40418, 2), (3, 50000, 2)):
        assert refused(Bench().pcs.payload, function, address, count) in (1, 2)
    for name, skip, count in table("""
    704.WSet | 0 | 1 ; 704.WSet | 1 | 1 ; 704.WSetMod | 0 | 2 ; 704.WSetRvrtRem | 0 | 2
    715.DERHb | 0 | 2 ; 701.W | 0 | 1 ; 704.AntiIslEna | 0 | 2 ; 715.OpCtl | 0 | 2
"""):
        bench = Bench()
        assert refused(bench.pcs.write, FC16, bench.address(name) + skip, [1] * count, 0) == 2


def test_an_inverter_that_forms_an_island_says_so():
    bench = Bench("701.DERMode?1")
    bench.plant.is_forming = True
    bench.play("+0.02 701.DERMode?2")


def test_measurements_follow_the_plant_and_energies_count_apart():
    bench = Bench("701.W?10000")
    bench.plant.ac_power_W, bench.plant.dc_current_A, bench.plant.state = -249_996.0, -330.0, 4
    # one instant, one set of values
    bench.play("701.W?10000 +0.02 701.W?-25000 701.InvSt?4 701.St?1 802.A?-3300")
    bench.pcs.frozen, bench.plant.ac_power_W = True, 0.0
    bench.play("+0.02 701.W?-25000")
    bench = Bench("+36")
    bench.plant.ac_power_W = -50_000.0
    bench.play("+36 701.TotWhInj?1000 701.TotWhAbs?500 802.ChaSt?3")
    for dc_current_A, state in ((-1.5, 4), (0.5, 6)):
        bench.plant.dc_current_A = dc_current_A
        bench.play(f"+1 802.ChaSt?{state}")
    cabinet, bench = dev_standin.plant(), Bench()
    cabinet.racks[2].cell_voltage_V_min = 2.5
    cabinet.racks[0].contactor_state = cabinet.racks[1].contactor_state = 0
    bench.pcs = SunSpecPcs(cabinet, 0, [0, 1])
    bench.pcs.tick(0)
    bench.play("+1 802.CellVMin?3281 802.AChaMax?0 802.State?1")


def test_the_setpoint_needs_the_enable_and_stays_within_the_rating():
    bench = Bench("704.WSet=50000 setpoint?0 704.WSetEna=1 setpoint?50000")
    bench.play("704.WSet=-250000 setpoint?-250000 704.WSet?-250000")
    bench.play("704.WSetPct=250 704.WSetMod=0 setpoint?62500 704.WSetEna=0 setpoint?0")
    for value in (250_000, -250_000):
        Bench(f"704.WSetEna=1 704.WSet={value} setpoint?{value}")
    for value in (250_001, -250_001, 1 << 30):
        bench = Bench("704.WSetEna=1")
        assert refused(bench.write, "704.WSet", value) == 3
        bench.play("704.WSet?0 setpoint?0")
    bench = Bench("704.WSetRvrtTms=4")
    # WSetEna, WSetMod, WSet, WSetRvrt, WSetPct, WSetPctRvrt, WSetEnaRvrt
    bench.pcs.write(FC16, bench.address("704.WSetEna"), [1, 1, 0xFFFF, 0xFC18, 0, 0, 0, 0, 1], 0)
    bench.play("setpoint?-1000 704.WSetRvrtRem?4")
    bench.pcs.write(FC6, bench.address("704.WSetEna"), [0], 0)
    bench.play("setpoint?0")
    assert refused(bench.pcs.write, 15, bench.address("704.WSetEna"), [0], 0) == 1


def test_reversion_counts_whole_seconds_of_the_device_and_falls_to_zero():
    bench = Bench(f"+0.5 704.WSetRvrtTms=4 {ARM} +3.48 704.WSetRvrtRem?1 setpoint?50000")
    # 3.5 s after the write, on the fourth edge of the device's own second
    bench.play("+0.02 704.WSetRvrtRem?0 setpoint?0 704.WSet?0 704.WSetEna?1")
    bench.play("704.WSet=7000 setpoint?7000 704.WSetRvrtRem?4")
    bench = Bench(f"704.WSetRvrtTms=2 {ARM} 704.WSetEnaRvrt=0" + 10 * " +0.9 704.WSet=50000")
    bench.play("setpoint?50000 +2 setpoint?0 704.WSetEna?0")
    Bench(f"704.WSetRvrtTms=0 {ARM} +30 setpoint?50000")
    Bench(f"704.WSetRvrtTms=2 {ARM} +30 setpoint?50000", reversion_broken=True)


def test_heartbeats_both_ways_start_and_stop():
    bench = Bench("+0.98 715.DERHb?0 +0.02 715.DERHb?1 +9 715.DERHb?10")
    bench.pcs.heartbeat_stopped = True
    bench.play("+5 715.DERHb?10")
    for operation in (START, STOP, EXIT_STANDBY, ENTER_STANDBY):
        bench.play(f"715.OpCtl={operation} 715.OpCtl?{operation}")
    assert bench.plant.runs == [True, False, True, False]
    bench = Bench(f"715.OpCtl={START} +10 runs?1", controller_silence_s_max=3)
    for beat in range(1, 6):
        bench.play(f"715.ControllerHb={beat} +1")
    # the same value is no heartbeat
    bench.play("runs?1 +1 715.ControllerHb=5 runs?1 701.Alrm?0")
    bench.play(f"+1 runs?10 701.Alrm?{MANUFACTURER_ALARM}")
    bench.play("715.ControllerHb=6 +0.02 701.Alrm?0 runs?10")
    bench.play(f"715.OpCtl={START} runs?101 +3 runs?1010")
    Bench("715.ControllerHb=1 +30 runs?0 701.Alrm?0", controller_silence_s_max=0)


def test_local_wrong_readback_alarm_and_reset():
    bench = Bench(f"704.WSetRvrtTms=4 {ARM}")
    bench.pcs.local = True
    bench.play("715.LocRemCtl?1 704.WSet=10000 setpoint?50000")
    bench.pcs.local, bench.pcs.readback_offset_W = False, -500
    bench.play("704.WSet?49500")
    shown = bench.pcs.payload(FC3, bench.address("704.WSetMod"), 4)
    assert shown[2:6] == (49_500).to_bytes(4, "big")
    assert bench.pcs.payload(FC3, bench.address("704.WSet"), 1) == b"\0\0"
    bench.plant.alarm_bits = 1 << 7
    bench.play("+0.02 701.Alrm?128 715.AlarmReset=1 715.AlarmReset?0")
    bench.pcs.overrides = {bench.address("802.V"): 0xFFFF}
    bench.play("802.V?65535")
