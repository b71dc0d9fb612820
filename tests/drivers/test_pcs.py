"""SunSpec converter: discovery, scale factors, start-up order, set-point, reversion, heartbeats, restarts."""

import struct

import pytest
from device_suite import Bus, ModbusSuite, Sink, Slave

from drivers import pcs, profile, sunspec
from drivers.buses import rtu
from safety import signals as s

LENGTHS = {1: 66, 701: 153, 702: 50, 704: 65, 713: 7, 714: 43, 715: 7, 802: 62}
CHAIN = (1, 701, 702, 704, 713, 802, 715)
WSET, OP_CTL, CONTROLLER_HB, RVRT = "704.24", "715.8", "715.5", "704.30"


class Converter(Slave):
    """Holding registers of a SunSpec chain; `put("701.10", value)` by model and offset. Ticks once a second."""

    def __init__(self, chain=CHAIN, base=40000, lengths=None):
        super().__init__()
        self.at, address = {}, base + 2
        self.holding.update({base: 0x5375, base + 1: 0x6E53})
        for model in chain:
            length = {**LENGTHS, **(lengths or {})}[model]
            self.at[model] = address
            self.holding.update({address + offset: 0xFFFF for offset in range(length + 2)})
            self.holding.update({address: model, address + 1: length})
            address += length + 2
        self.holding.update({address: 0xFFFF, address + 1: 0})
        self.heartbeat = 0
        self.heartbeat_stopped = self.counts_on = False
        self._second_us = 0
        self._fill()

    def _fill(self):
        self.put("701.4", 3)
        self.put("701.6", 0, 2)
        self.put("701.10", 1000)  # x 10^2 W
        self.put("701.116", 2)
        for name, words, raw in (("22", 1, 0), ("23", 1, 0), ("24", 2, 0), ("26", 2, 0), ("30", 1, 0), ("31", 2, 0),
                                 ("33", 2, 0), ("55", 1, 0)):
            self.put("704." + name, raw, words)
        for name, raw in (("34", 7683), ("44", -1301), ("59", -1), ("60", -3), ("61", -1)):
            self.put("802." + name, raw)
        for name, raw in (("15", -1), ("16", 0), ("30", 1301), ("31", 768)):
            self.put("714." + name, raw)
        for name, words in (("2", 1), ("3", 2), ("5", 2), ("8", 1)):
            self.put("715." + name, 0, words)

    def address(self, name):
        model, offset = name.split(".")
        return self.at[int(model)] + int(offset)

    def put(self, name, value, words=1):
        """Write a raw value; nothing where the chain has no such model or it is too short."""
        model, offset = map(int, name.split("."))
        if model not in self.at or offset + words > self.holding[self.at[model] + 1] + 2:
            return
        for place in range(words):
            self.holding[self.address(name) + place] = value >> 16 * (words - 1 - place) & 0xFFFF

    def get(self, name, words=1):
        value = 0
        for place in range(words):
            value = value << 16 | self.holding[self.address(name) + place]
        return value

    def each_ms(self, now_us):
        if now_us - self._second_us < 1_000_000:
            return
        self._second_us = now_us
        if not self.heartbeat_stopped:
            self.heartbeat += 1
            self.put("715.3", self.heartbeat, 2)
        if self.counts_on:
            self.put("704.33", max(0, self.get("704.33", 2) - 1), 2)

    def _write(self, function, address, count, frame):
        super()._write(function, address, count, frame)
        if address <= self.address("704.31") < address + count and not self.ignore_writes:
            self.put("704.33", self.get("704.31", 2), 2)

    def written(self, name):
        """[values] of the writes that began at this point."""
        return [struct.unpack(f">{len(data) // 2}H", data) for _, address, data in self.writes
                if address == self.address(name)]


def built(slave=None, **settings):
    sink = Sink()
    layout = sink.layout
    loaded = profile.load("sunspec_pcs")
    loaded.settings.update(settings)
    device = pcs.SunSpecPcs(loaded, 1, sink, layout.unit_input(0, 0), layout.unit_group(0, s.G_PCS_MEASURE),
                            layout.unit_group(0, s.G_PCS_CONTROL))
    return Bus(device, slave or Converter()), sink


def running(slave=None, **settings):
    bus, sink = built(slave, **settings)
    bus.run(2500)
    assert bus.device.ready, (pcs.STATES[bus.device.state], bus.device.fault)
    sink.taken()
    return bus, sink


def value(sink, index):
    return sink.inp[sink.layout.unit_input(0, index)]


def groups(sink):
    layout = sink.layout
    return layout.unit_group(0, s.G_PCS_MEASURE), layout.unit_group(0, s.G_PCS_CONTROL)


def fresh_after(bus, sink, duration_ms):
    """(measure, control) that became fresh in the last 300 ms of duration_ms."""
    bus.run(duration_ms - 300)
    sink.taken()
    bus.run(300)
    taken = sink.taken()
    return tuple(group in taken for group in groups(sink))


def write_setpoint(bus, setpoint_W):
    bus.port.submit(bus.device.setpoint(setpoint_W))
    bus.run(20)


class TestSuite(ModbusSuite):
    absurd = {}
    input_registers = False
    settle_ms = 2500

    def build(self):
        bus, sink = built()
        slave = bus.slave
        self.absurd = {slave.address("701.10"): 0x8000, slave.address("701.4"): 0xFFFF,
                       slave.address("802.34"): 0xFFFF, slave.address("802.44"): 0x8000}
        return bus.device, slave, sink, groups(sink)[0]


def test_values():
    bus, sink = running()
    bus.run(200)
    assert [value(sink, index) for index in (s.PCS_POWER_W, s.PCS_DC_VOLTAGE_MV, s.PCS_DC_CURRENT_MA, s.PCS_STATE,
                                             s.PCS_ALARM_BITS)] == [100_000, 768_300, -130_100, 3, 0]
    assert value(sink, s.PCS_HEARTBEAT) == bus.slave.heartbeat and value(sink, s.PCS_SETPOINT_W) == 0
    assert bus.device.fault == "" and bus.device.refused == 0


def test_dc_side_from_model_714():
    bus, sink = running(Converter((1, 701, 704, 714, 715)))
    bus.run(200)
    assert value(sink, s.PCS_DC_VOLTAGE_MV) == 768_000 and value(sink, s.PCS_DC_CURRENT_MA) == 130_100


def test_dc_port_of_model_714():
    slave = Converter((1, 701, 704, 714, 715), lengths={714: 68})
    slave.put("714.55", -500)
    slave.put("714.56", 801)
    bus, sink = running(slave, dc_port=1)
    bus.run(200)
    assert value(sink, s.PCS_DC_VOLTAGE_MV) == 801_000 and value(sink, s.PCS_DC_CURRENT_MA) == -50_000


@pytest.mark.parametrize("base", [40000, 50000, 0])
def test_discovery_at_each_base_address(base):
    bus, _ = running(Converter(base=base))
    assert bus.device.setpoint_address == bus.slave.address(WSET)


@pytest.mark.parametrize("lengths", [{1: 65}, {1: 66, 701: 160, 704: 90}])
def test_odd_and_longer_models(lengths):
    """Model 1 with 65 or 66 registers, vendor points behind a model."""
    running(Converter(lengths=lengths))


@pytest.mark.parametrize("chain, lengths, fault", [
    ((1, 701, 702, 802, 715), {}, "converter 1: SunSpec model 704 missing"),
    ((1, 701, 704, 715), {}, "converter 1: SunSpec model 802 missing"),
    ((1, 701, 704, 802, 715), {715: 5}, "converter 1: SunSpec model 715 has length 5, needed 7"),
    ((1, 701, 802, 704, 715), {701: 113}, "converter 1: SunSpec model 701 has length 113, needed 115"),
])
def test_a_device_that_does_not_fit_is_said_in_one_line(chain, lengths, fault):
    bus, sink = built(Converter(chain, lengths=lengths))
    bus.run(1500)
    assert bus.device.fault == fault and not bus.device.ready
    assert bus.slave.writes == [] and not sink.taken()


def test_no_sunspec_device():
    slave = Converter()
    slave.holding = dict.fromkeys(range(2), 1)
    bus, _ = built(slave)
    bus.run(500)
    assert bus.device.fault == "converter 1: no SunS at register 40000, 50000, 0"


@pytest.mark.parametrize("lengths", [{1: 0, 701: 0}, {701: 40000}])
def test_a_broken_chain_ends(lengths):
    slave = Converter((1, 701), lengths={1: 66, 701: 66})
    slave.holding[slave.at[701] + 1] = lengths[701]
    slave.holding.update({address: 0 for address in range(slave.at[701] + 2, 40400)})
    bus, _ = built(slave)
    bus.run(2000)
    assert bus.device.fault.startswith("converter 1: ") and not bus.device.ready


def test_start_up_order():
    """mkaiser/Sungrow-SHx 644: nothing is written before the first complete read, and never start or stop."""
    slave = Converter()
    slave.heartbeat_stopped = True
    bus, sink = built(slave)
    bus.run(3000)
    assert bus.device.state == pcs.FIRST_READ and slave.writes == []
    slave.heartbeat_stopped = False
    bus.run(1500)
    assert bus.device.ready
    first, second = slave.writes[:2]
    assert first == (16, slave.address(RVRT), struct.pack(">3H", 1, 0, 4))
    assert second == (16, slave.address("704.22"), struct.pack(">6H", 1, 1, 0, 0, 0, 0))
    assert slave.written(OP_CTL) == []
    assert {address for _, address, _ in slave.writes[2:]} <= {slave.address(CONTROLLER_HB)}


def test_nothing_is_offered_before_ready():
    bus, _ = built()
    device = bus.device
    assert device.setpoint(1000) is device.start() is device.stop() is device.setpoint_address is None
    assert device.periodic() == []
    bus.run(800)
    assert device.state == pcs.FIRST_READ
    assert device.setpoint(1000) is device.start() is None
    assert device.stop().priority == rtu.STOP


def test_scale_factors_that_are_not_awake_yet():
    """A scale factor may read 0x8000 until the inverter is awake."""
    slave = Converter()
    slave.put("802.59", 0x8000)
    bus, sink = built(slave)
    bus.run(3000)
    assert bus.device.state == pcs.SCALES and groups(sink)[0] not in sink.taken() and bus.device.refused > 0
    slave.put("802.59", -1)
    bus.run(4000)
    assert bus.device.ready and value(sink, s.PCS_DC_VOLTAGE_MV) == 768_300


@pytest.mark.parametrize("exponent", [-11, 11, 0x7FFF])
def test_impossible_scale_factors(exponent):
    slave = Converter()
    slave.put("701.116", exponent)
    bus, _ = built(slave)
    bus.run(3000)
    assert bus.device.state == pcs.SCALES


def test_a_changed_scale_factor_drops_values_until_it_is_confirmed():
    bus, sink = running()
    slave, device = bus.slave, bus.device
    bus.run(100)
    slave.put("701.116", 1)
    slave.put("701.10", 10000)
    frames = []
    answer = slave.answer

    def spoiled(frame):
        """The second reading of the new scale factor differs again."""
        if frame[2:4] == slave.address("701.116").to_bytes(2, "big"):
            frames.append(frame)
            slave.put("701.116", 1 if len(frames) % 2 else 2)
        return answer(frame)
    slave.answer = spoiled
    bus.run(2100)
    sink.taken()
    bus.run(500)
    assert groups(sink)[0] not in sink.taken()
    slave.answer = answer
    slave.put("701.116", 1)
    bus.run(500)
    assert groups(sink)[0] in sink.taken() and value(sink, s.PCS_POWER_W) == 100_000 and device.ready


def test_setpoint_scale_follows_the_device():
    bus, sink = running()
    write_setpoint(bus, 12_345)
    bus.slave.put("704.55", 2)
    bus.slave.put(WSET, 123, 2)
    bus.run(2500)
    assert bus.device.setpoint_exponent == 2 and value(sink, s.PCS_SETPOINT_W) == 12_300
    write_setpoint(bus, 12_399)
    assert bus.slave.get(WSET, 2) == 123
    write_setpoint(bus, -12_399)
    assert bus.slave.get(WSET, 2) == -123 & 0xFFFFFFFF
    bus.run(500)
    assert value(sink, s.PCS_SETPOINT_W) == -12_300 and bus.device.mismatch_streak == 0


@pytest.mark.parametrize("setpoint_W", [0, 1, -1, 65_535, 65_536, -65_536, -65_537, 250_000, -250_000])
def test_the_setpoint_is_one_frame_never_torn(setpoint_W):
    bus, sink = running()
    request = bus.device.setpoint(setpoint_W)
    raw = setpoint_W & 0xFFFFFFFF
    address = bus.slave.address(WSET)
    assert request.frame[:-2] == struct.pack(">BBHHBI", 1, 16, address, 2, 4, raw) and request.priority == rtu.WRITE
    write_setpoint(bus, setpoint_W)
    bus.run(450)
    assert value(sink, s.PCS_SETPOINT_W) == setpoint_W and bus.device.mismatches == 0
    assert bus.slave.written(WSET) == [(raw >> 16, raw & 0xFFFF)]


@pytest.mark.parametrize("asked_W, sent_W", [(400_000, 400_000), (400_001, 400_000), (-400_001, -400_000)])
def test_the_setpoint_is_cut_to_the_profile(asked_W, sent_W):
    bus, _ = running()
    assert int.from_bytes(bus.device.setpoint(asked_W).frame[7:11], "big", signed=True) == sent_W


def test_no_read_over_twenty_registers():
    bus, _ = running()
    bus.run(3000)
    reads = [count for function, _, count in bus.slave.requests if function == 3]
    assert max(reads) == 13 and len(reads) > 50
    assert max(request.reply_bytes for request, _ in bus.device.schedule()) <= 45


def test_periods():
    bus, _ = running()
    bus.slave.requests.clear()
    bus.run(2000)
    counts = {name: sum(1 for function, address, _ in bus.slave.requests
                        if function == 3 and address == bus.slave.address(name))
              for name in ("701.4", "802.34", "704.22", "715.2", "701.116", "802.59", "704.55")}
    assert all(19 <= counts[name] <= 20 for name in ("701.4", "802.34")), counts
    assert all(9 <= counts[name] <= 10 for name in ("704.22", "715.2")), counts
    assert all(counts[name] == 2 for name in ("701.116", "802.59", "704.55")), counts
    assert sum(period_us == 100_000 for _, period_us in bus.device.schedule()) == 2
    assert len(bus.device.schedule()) == 7


def test_acknowledged_but_ignored_setpoint():
    """pysunspec 27: write accepted but value not applied. The device's own value is what is shown."""
    bus, sink = running()
    write_setpoint(bus, 50_000)
    bus.run(500)
    assert bus.device.mismatch_streak == 0
    bus.slave.ignore_writes = True
    write_setpoint(bus, 10_000)
    bus.run(1000)
    assert bus.device.mismatches >= 4 and bus.device.mismatch_streak == bus.device.mismatches
    assert value(sink, s.PCS_SETPOINT_W) == 50_000
    bus.slave.ignore_writes = False
    write_setpoint(bus, 10_000)
    bus.run(500)
    assert bus.device.mismatch_streak == 0 and value(sink, s.PCS_SETPOINT_W) == 10_000


def test_a_failed_write_is_no_mismatch():
    """Whether a write without an answer was taken is not known: nothing to compare with."""
    bus, _ = running()
    write_setpoint(bus, 50_000)
    bus.slave.silent = True
    write_setpoint(bus, 60_000)
    bus.run(60)
    bus.slave.silent = False
    bus.slave.put(WSET, 60_000, 2)
    bus.run(500)
    assert bus.device.mismatches == 0


def test_settings_ignored_at_the_start():
    slave = Converter()
    slave.ignore_writes = True
    bus, _ = built(slave)
    bus.run(3000)
    assert not bus.device.ready
    assert bus.device.fault == "converter 1: SunSpec model 704: WSetEna reads 0, written 1"
    slave.ignore_writes = False
    bus.run(2500)
    assert bus.device.ready and bus.device.fault == ""


def test_settings_refused_at_the_start():
    slave = Converter()
    refuse = slave._refusal
    slave._refusal = lambda function, address, count: 3 if function == 16 else refuse(function, address, count)
    bus, sink = built(slave)
    bus.run(2500)
    assert bus.device.fault == "converter 1: SunSpec model 704 refuses the settings of the set-point"
    assert fresh_after(bus, sink, 400)[0], "the measurements go on"


@pytest.mark.parametrize("name, raw, words", [("704.22", 0, 1), ("704.23", 0, 1), ("704.31", 0, 2), ("704.30", 0, 1),
                                              ("704.26", 5000, 2)])
def test_lost_settings_are_written_again_while_measuring_goes_on(name, raw, words):
    """A converter that restarts forgets mode and reversion."""
    bus, sink = running()
    write_setpoint(bus, 20_000)
    bus.slave.put(name, raw, words)
    assert fresh_after(bus, sink, 400) == (True, True)
    assert bus.device.ready and bus.device.restarts == 0 and bus.slave.get(name, words) != raw
    assert bus.slave.get(WSET, 2) == 0 and bus.device.mismatches == 0


def test_reversion_is_whole_seconds_and_the_setpoint_is_due_at_half():
    """evcc 33041: the set-point silently expires; write again at half of the reversion time at the latest."""
    bus, _ = running()
    assert bus.slave.get("704.31", 2) == 4 and bus.slave.get("704.26", 2) == 0 and bus.slave.get("704.30") == 1
    assert bus.device.write_due(bus.now_us)
    write_setpoint(bus, 1000)
    acknowledged_us = next(at for at in range(bus.now_us, 0, -1000) if not bus.device.write_due(at + 1_979_999))
    assert bus.now_us - acknowledged_us <= 20_000
    assert not bus.device.write_due(bus.now_us + 1_900_000) and bus.device.write_due(bus.now_us + 2_000_000)


def test_reversion_time_is_written_again_where_setpoints_do_not_restart_it():
    bus, _ = running()
    bus.slave.counts_on = True
    for _ in range(10):
        write_setpoint(bus, 1000)
        bus.run(980)
        assert bus.slave.get("704.33", 2) > 0
    assert len(bus.slave.written(RVRT)) >= 4
    count = len(bus.slave.written(RVRT))
    bus.run(6000)
    assert len(bus.slave.written(RVRT)) <= count + 1, "nothing holds the set-point when nobody writes it"


def test_reversion_time_is_left_alone_where_setpoints_restart_it():
    bus, _ = running()
    for _ in range(5):
        bus.slave.put("704.33", 4, 2)
        write_setpoint(bus, 1000)
        bus.run(980)
    assert len(bus.slave.written(RVRT)) == 1


def test_remaining_time_may_be_missing():
    slave = Converter()
    slave.put("704.33", 0xFFFFFFFF, 2)
    slave._write = lambda *arguments: Slave._write(slave, *arguments)
    bus, _ = running(slave)
    for _ in range(4):
        write_setpoint(bus, 1000)
        bus.run(980)
    assert len(slave.written(RVRT)) >= 3


def test_controller_heartbeat_counts_once_a_second():
    bus, _ = running()
    bus.run(10_000)
    counts = [high << 16 | low for high, low in bus.slave.written(CONTROLLER_HB)]
    assert len(counts) in (10, 11, 12) and counts == list(range(counts[0], counts[0] + len(counts)))


def test_controller_heartbeat_stops_with_the_loop_and_starts_where_the_device_is():
    """openems 1217: a heartbeat must stop when the control loop hangs."""
    slave = Converter()
    slave.put("715.5", 0xFFFFFFFE, 2)
    bus, _ = running(slave)
    assert slave.written(CONTROLLER_HB)[0] == (0, 0)
    service, count = bus.device.service, len(slave.written(CONTROLLER_HB))
    bus.device.service = lambda now_us: ()
    bus.run(5000)
    assert len(slave.written(CONTROLLER_HB)) == count
    bus.device.service = service
    bus.run(2000)
    assert len(slave.written(CONTROLLER_HB)) <= count + 3


def test_a_dead_converter_program_is_silence():
    """solaredge_meterproxy 33: all frames look healthy and mean nothing."""
    bus, sink = running()
    bus.slave.heartbeat_stopped = True
    assert fresh_after(bus, sink, 1000)[0]
    assert fresh_after(bus, sink, 2000) == (False, False)
    bus.slave.heartbeat_stopped = False
    assert fresh_after(bus, sink, 1500) == (True, True)


def test_heartbeat_may_fall_back_to_zero():
    """Model 715: "with periodic resets to zero"."""
    bus, sink = running()
    bus.slave.heartbeat = -1
    assert fresh_after(bus, sink, 1500) == (True, True) and bus.device.restarts == 0


def test_local_control_is_not_controlled():
    bus, sink = running()
    bus.slave.put("715.2", 1)
    assert fresh_after(bus, sink, 1000) == (True, False) and bus.device.readings.local
    bus.slave.put("715.2", 0)
    assert fresh_after(bus, sink, 1000) == (True, True)


@pytest.mark.parametrize("name, raw, words, group", [
    ("701.4", 8, 1, 0), ("701.4", 0xFFFF, 1, 0), ("701.6", 0xFFFFFFFF, 2, 0), ("701.10", 4001, 1, 0),
    ("701.10", -4001, 1, 0), ("802.34", 15001, 1, 0), ("802.44", 10001, 1, 0), ("802.44", -10001, 1, 0),
    ("704.24", 0x80000000, 2, 1), ("704.24", 400_001, 2, 1), ("715.3", 0xFFFFFFFF, 2, 1), ("715.2", 0xFFFF, 1, 1)])
def test_not_implemented_and_absurd_values_leave_the_group_stale(name, raw, words, group):
    bus, sink = running()
    bus.slave.heartbeat_stopped = name == "715.3"
    before = sink.inp[:]
    refused = bus.device.refused
    bus.slave.put(name, raw, words)
    assert not fresh_after(bus, sink, 900)[group] and bus.device.refused > refused
    assert sink.inp[:sink.layout.rack_base - 1] == before[:sink.layout.rack_base - 1]


@pytest.mark.parametrize("name, raw, index, expected", [
    ("701.10", 4000, s.PCS_POWER_W, 400_000), ("701.10", -4000, s.PCS_POWER_W, -400_000), ("701.4", 7, s.PCS_STATE, 7),
    ("802.34", 15000, s.PCS_DC_VOLTAGE_MV, 1_500_000), ("802.44", 10000, s.PCS_DC_CURRENT_MA, 1_000_000)])
def test_values_at_the_edge_are_taken(name, raw, index, expected):
    bus, sink = running()
    bus.slave.put(name, raw)
    bus.run(300)
    assert value(sink, index) == expected and bus.device.refused == 0


@pytest.mark.parametrize("bit", range(32))
def test_each_alarm_bit_arrives(bit):
    bus, sink = running()
    bus.slave.put("701.6", 1 << bit, 2)
    bus.run(300)
    assert value(sink, s.PCS_ALARM_BITS) == 1 << min(bit, 29)


def test_power_and_dc_side_become_fresh_together():
    bus, sink = running()
    answer = bus.slave.answer
    dc = bus.slave.address("802.34").to_bytes(2, "big")
    bus.slave.answer = lambda frame: b"" if frame[2:4] == dc else answer(frame)
    bus.run(200)
    bus.slave.put("701.10", 5)
    assert not fresh_after(bus, sink, 900)[0] and value(sink, s.PCS_POWER_W) == 100_000
    bus.slave.answer = answer
    assert fresh_after(bus, sink, 2500)[0] and value(sink, s.PCS_POWER_W) == 500


def test_short_silence_keeps_the_device_known():
    bus, sink = running()
    bus.slave.silent = True
    bus.run(1500)
    bus.slave.silent = False
    assert fresh_after(bus, sink, 2500) == (True, True) and bus.device.restarts == 0


def test_long_silence_begins_with_discovery_and_heals():
    """homeassistant-solax-modbus 905, 1007: a device that was off at the start or stopped must come back by itself."""
    bus, sink = running()
    bus.slave.silent = True
    bus.run(4000)
    assert bus.device.state == pcs.DISCOVER and bus.device.restarts == 1
    assert bus.device.setpoint(0) is bus.device.stop() is None
    moved = Converter(base=50000)
    bus.slave.silent = False
    bus.slave.holding, bus.slave.at = moved.holding, moved.at
    bus.slave.writes.clear()
    bus.run(9000)
    assert bus.device.ready and bus.device.setpoint_address == moved.address(WSET)
    assert fresh_after(bus, sink, 400) == (True, True)


def test_device_that_is_off_at_the_start():
    bus, _ = built()
    bus.slave.silent = True
    bus.run(20_000)
    assert bus.device.fault == "converter 1: timeout" and bus.slave.requests == []
    bus.slave.silent = False
    bus.run(9000)
    assert bus.device.ready


def test_exceptions_of_a_busy_device_are_no_silence():
    """BYD answers exception 4 during a firmware update: busy, retry later."""
    bus, sink = running()
    bus.slave.exception = 6
    assert fresh_after(bus, sink, 5000) == (False, False) and bus.device.restarts == 0
    bus.slave.exception = 0
    assert fresh_after(bus, sink, 1500) == (True, True)


def test_stop_goes_first_and_start_only_when_asked():
    bus, _ = running()
    bus.port.submit(bus.device.setpoint(5000))
    bus.port.submit(bus.device.stop())
    bus.slave.writes.clear()
    bus.run(60)
    assert [address for _, address, _ in bus.slave.writes][:2] == [bus.slave.address(OP_CTL), bus.slave.address(WSET)]
    assert bus.slave.written(OP_CTL) == [(0,)]
    bus.port.submit(bus.device.start())
    bus.run(60)
    assert bus.slave.get(OP_CTL) == 1


def test_late_answers_of_an_abandoned_start_up_are_dropped():
    bus, _ = built()
    request = bus.device.service(0)[0]
    bus.device.restart()
    again = bus.device.service(0)[0]
    request.on_reply(b"\x03\x04SunS", 0)
    assert bus.device.service(0) == []
    again.on_reply(b"\x03\x04SunS", 0)
    assert bus.device.service(0)[0].frame[2:4] == (40002).to_bytes(2, "big")


@pytest.mark.parametrize("raw, exponent, per_unit, expected", [
    (1234, 0, 1, 1234), (1234, 2, 1, 123_400), (1239, -1, 1, 123), (-1239, -1, 1, -123), (7683, -1, 1000, 768_300),
    (5, -10, 1000, 0), (-5, -10, 1000, 0), (3, 10, 1, 30_000_000_000)])
def test_scaled_is_exact_and_toward_zero(raw, exponent, per_unit, expected):
    assert sunspec.scaled(raw, exponent, per_unit) == expected


def test_a_profile_with_a_block_that_is_too_long(tmp_path):
    text = (profile.FOLDER / "sunspec_pcs.toml").read_text()
    path = tmp_path / "long.toml"
    path.write_text(text.replace("InvSt = {offset = 4", "InvSt = {offset = 2").replace("W = {offset = 10",
                                                                                       "W = {offset = 22"))
    with pytest.raises(profile.ProfileError, match="^long.toml: registers.701: InvSt to W take 21 registers; allowed 20"):
        pcs.SunSpecPcs(profile.load(path), 1, Sink(), 0, 0, 1)


@pytest.mark.parametrize("without", ["802", "714"])
def test_one_of_the_dc_models_is_enough(tmp_path, without):
    lines, skipping = [], False
    for line in (profile.FOLDER / "sunspec_pcs.toml").read_text().splitlines():
        if line.startswith("["):
            skipping = line.startswith(f"[registers.{without}]")
        lines += [] if skipping else [line]
    path = tmp_path / "less.toml"
    path.write_text("\n".join(lines))
    other = {"802": 714, "714": 802}[without]
    device = pcs.SunSpecPcs(profile.load(path), 1, Sink(), 0, 0, 1)
    assert device.readings.models_needed() == [701, 704, 715, other]
