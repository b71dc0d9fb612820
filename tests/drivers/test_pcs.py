"""SunSpec converter: discovery, start-up order, set-point, reversion, heartbeat, restarts."""

import struct

import pytest
from converter import (
    CONTROLLER_HB,
    OP_CTL,
    RVRT,
    WSET,
    Converter,
    built,
    fresh_after,
    groups,
    running,
    value,
    write_setpoint,
)
from device_suite import ModbusSuite, Slave

from drivers import pcs
from drivers.buses import rtu
from safety import signals as s
from tests.tables import cases


class TestSuite(ModbusSuite):
    settle_ms = 2500
    old_ms = 3500
    keeps_others = False  # a converter of which one half is unknown is stopped in any case

    def build(self):
        bus, sink = built()
        return bus.device, bus.slave, sink, groups(sink)[0]

    def reads(self, bus):
        return [read.request for read in bus.device.readings._reads]

    def fed_by(self, device, request, group):
        measure, control = group, group + 1
        name = request.key[1]
        if name == "remote":  # with the heartbeat, without which no measurement counts
            return {measure, control}
        return {control} if name in ("setpoint", "scales 704") else {measure}


@cases("""base  lengths
    40000  {} | 50000  {1: 65} | 0  {1: 66, 701: 160, 704: 90}""")
def test_discovery(base, lengths):
    """Model 1 with 65 or 66 registers, vendor points after a model."""
    bus, _ = running(Converter(base=base, lengths=lengths))
    assert bus.device.setpoint_address == bus.slave.address(WSET)


@cases("""chain  lengths  fault
    (1, 701, 702, 802, 715)  {}  "704 missing" | (1, 701, 704, 715)  {}  "802 missing"
    (1, 701, 704, 802, 715)  {715: 5}  "715 has length 5, needed 7"
    (1, 701, 704, 802, 715)  {715: 6}  "715 has length 6, needed 7"
    (1, 701, 802, 704, 715)  {701: 113}  "701 has length 113, needed 115"
""")
def test_a_chain_that_does_not_fit(chain, lengths, fault):
    bus, sink = built(Converter(chain, lengths=lengths))
    bus.run(1500)
    assert bus.device.fault == f"converter 1: SunSpec model {fault}" and not bus.device.ready
    assert bus.slave.writes == [] and not sink.taken()


def test_no_sunspec_device():
    slave = Converter()
    slave.holding = dict.fromkeys(range(2), 1)
    bus, _ = built(slave)
    bus.run(500)
    assert bus.device.fault == "converter 1: no SunS at register 40000, 50000, 0"
    assert len(bus.slave.requests) == 3, "again after a pause"


@cases("""length  fault
    0  "model 701 at register 40070: length 0 is none"
    400  "model header at register 40472 refused"
    40_000  "model 701 at register 40070: length 40000 leaves the map"
""")
def test_a_broken_chain_ends(length, fault):
    slave = Converter((1, 701), lengths={1: 66, 701: 66})
    slave.holding[slave.at[701] + 1] = length
    slave.holding.update({address: 0 for address in range(slave.at[701] + 2, 40400)})
    bus, _ = built(slave)
    bus.run(2000)
    assert bus.device.fault == f"converter 1: {fault}" and not bus.device.ready


def test_the_first_of_two_equal_models_counts():
    slave = Converter((1, 701, 704, 802, 715, 714))
    slave.holding[slave.at[714]] = 802
    running(slave)


def test_start_up_order():
    """mkaiser/Sungrow-SHx 644: no write before the first complete read, never a start or stop."""
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


@pytest.mark.parametrize("name", ["802.34", "701.10", "715.3"])
def test_a_reading_without_one_block_is_incomplete(name):
    slave = Converter()
    slave.heartbeat_stopped = name == "715.3"
    slave.put(name, 0x8000 if name == "701.10" else 0xFFFFFFFF, 2 if name == "715.3" else 1)
    bus, _ = built(slave)
    bus.run(3500)
    assert bus.device.state == pcs.FIRST_READ and slave.writes == []


def test_nothing_is_offered_before_ready():
    bus, _ = built()
    device = bus.device
    assert [device.setpoint(1000), device.start(), device.stop()] == [None] * 3
    assert device.setpoint_address is None and device.periodic() == []
    bus.run(800)
    assert device.state == pcs.FIRST_READ
    assert device.setpoint(1000) is device.start() is None
    assert device.stop().priority == rtu.STOP


def test_setpoint_scale_follows_the_device():
    bus, sink = running()
    write_setpoint(bus, 12_345)
    bus.slave.put("704.55", 2)
    bus.slave.put(WSET, 123, 2)
    while bus.device.setpoint_exponent is not None:
        bus.run(1)
    assert bus.device.ready and bus.device.setpoint(12_345) is None
    bus.run(2500)
    assert bus.device.setpoint_exponent == 2 and value(sink, s.PCS_SETPOINT_W) == 12_300
    write_setpoint(bus, 12_399)
    assert bus.slave.get(WSET, 2) == 123
    write_setpoint(bus, -12_399)
    assert bus.slave.get(WSET, 2) == -123 & 0xFFFFFFFF
    bus.run(500)
    assert value(sink, s.PCS_SETPOINT_W) == -12_300


@cases("""setpoint_W
    0 | 1 | -1 | 65_535 | 65_536 | -65_536 | -65_537 | 250_000 | -250_000""")
def test_the_setpoint_is_one_frame_never_torn(setpoint_W):
    bus, sink = running()
    request = bus.device.setpoint(setpoint_W)
    raw = setpoint_W & 0xFFFFFFFF
    address = bus.slave.address(WSET)
    assert request.frame[:-2] == struct.pack(">BBHHBI", 1, 16, address, 2, 4, raw)
    assert request.priority == rtu.WRITE
    write_setpoint(bus, setpoint_W)
    bus.run(450)
    assert value(sink, s.PCS_SETPOINT_W) == setpoint_W
    assert bus.slave.written(WSET) == [(raw >> 16, raw & 0xFFFF)]


@cases("""exponent  asked_W  limit_W  raw
    -3  250_000  400_000  250_000_000
    3  250_000  400_000  250
    0  400_001  400_000  400_000
    -3  4_000_000  4_000_000  0x7FFFFFFF  # too large for the register
""")
def test_the_setpoint_is_cut_and_never_wraps(exponent, asked_W, limit_W, raw):
    bus, _ = built()
    bus.device._setpoint_point.low, bus.device._setpoint_point.high = -limit_W, limit_W
    bus.slave.put("704.55", exponent)
    bus.run(2500)
    for sign in (1, -1):
        assert bus.device.setpoint(sign * asked_W).frame[7:11] == struct.pack(">i", sign * raw)


def test_acknowledged_but_ignored_setpoint():
    """pysunspec 27: write accepted but not applied. The driver shows the value of the device."""
    bus, sink = running()
    write_setpoint(bus, 50_000)
    bus.run(500)
    bus.slave.ignore_writes = True
    write_setpoint(bus, 10_000)
    bus.run(1000)
    assert value(sink, s.PCS_SETPOINT_W) == 50_000
    bus.slave.ignore_writes = False
    write_setpoint(bus, 10_000)
    bus.run(500)
    assert value(sink, s.PCS_SETPOINT_W) == 10_000


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


def test_a_setpoint_that_does_not_go_to_zero_at_the_start():
    slave = Converter()
    slave.put(WSET, 5000, 2)
    write = slave._write

    def writes_all_but_wset(*arguments):
        write(*arguments)
        slave.put(WSET, 5000, 2)

    slave._write = writes_all_but_wset
    bus, _ = built(slave)
    bus.run(2500)
    assert bus.device.fault == "converter 1: SunSpec model 704: WSet reads 5000, written 0"
    assert not bus.device.ready


@pytest.mark.parametrize("refused", [("704.22",), (RVRT,), ("704.22", RVRT)])
def test_settings_refused_at_the_start(refused):
    """A set-point would last without the reversion for ever, so the reversion comes first."""
    slave = Converter()
    refuse, addresses = slave._refusal, [slave.address(name) for name in refused]
    slave._refusal = lambda *asked: (
        3 if asked[0] == 16 and asked[1] in addresses else refuse(*asked)
    )
    bus, sink = built(slave)
    bus.run(2500)
    assert (
        bus.device.fault == "converter 1: SunSpec model 704 refuses the settings of the set-point"
    )
    assert fresh_after(bus, sink, 400)[0], "the measurements go on"
    assert not bus.device.ready and slave.get("704.22") == 0


def test_settings_that_cannot_be_read_back():
    slave = Converter()
    refuse, first = slave._refusal, slave.address("704.22")
    slave._refusal = lambda *asked: (
        4 if slave.writes and asked[:2] == (3, first) else refuse(*asked)
    )
    bus, sink = built(slave)
    bus.run(3500)
    assert bus.device.fault == "converter 1: SunSpec model 704 cannot be read back"
    assert fresh_after(bus, sink, 400)[0] and bus.device.stop(), "not from discovery again"
    slave._refusal = refuse
    bus.run(2500)
    assert bus.device.ready and bus.device.fault == ""


@cases("""name  raw  words
    "704.22"  0  1 | "704.23"  0  1 | "704.31"  0  2 | "704.30"  0  1 | "704.26"  5000  2""")
def test_lost_settings_are_written_again_while_measuring_goes_on(name, raw, words):
    """A converter that restarts forgets mode and reversion."""
    bus, sink = running()
    write_setpoint(bus, 20_000)
    bus.slave.put(name, raw, words)
    assert fresh_after(bus, sink, 400) == (True, True)
    assert bus.device.ready and bus.device.restarts == 0 and bus.slave.get(name, words) != raw
    assert bus.slave.get(WSET, 2) == 0
    assert bus.device.write_due(bus.now_us), "what was acknowledged before is gone"


def test_reversion_is_whole_seconds_and_the_setpoint_is_due_at_half():
    """evcc 33041: the set-point expires; the driver writes it again at half of that time."""
    bus, _ = running()
    assert [bus.slave.get(*at) for at in (("704.31", 2), ("704.26", 2), ("704.30",))] == [4, 0, 1]
    assert bus.device.write_due(bus.now_us)
    write_setpoint(bus, 1000)
    due = bus.device.write_due
    assert not due(bus.now_us + 1_979_999)
    bus.device.setpoint(1000).on_reply(b"", bus.now_us)
    assert [due(bus.now_us + at_us) for at_us in (0, 1_999_999, 2_000_000)] == [0, 0, 1]


def test_reversion_time_is_written_again_where_setpoints_do_not_restart_it():
    bus, _ = running()
    bus.slave.counts_on = True
    for _ in range(10):
        write_setpoint(bus, 1000)
        bus.run(980)
        assert bus.slave.get("704.33", 2) > 0
    assert 4 <= len(bus.slave.written(RVRT)) <= 11
    count = len(bus.slave.written(RVRT))
    bus.run(5100)
    assert len(bus.slave.written(RVRT)) <= count + 1, "nobody writes the set-point"
    assert bus.slave.get("704.33", 2) == 0, "4 s, and at most 2 more"


@pytest.mark.parametrize("left_s, count", [(10, 1), (6, 1), (5, 2), (0, 2), (0xFFFFFFFF, 2)])
def test_reversion_time_is_written_again_from_its_half_on(left_s, count):
    """It is unread at the end."""
    slave = Converter()
    slave._write = lambda *arguments: Slave._write(slave, *arguments)
    slave.put("704.33", left_s, 2)
    bus, _ = running(slave, reversion_s=10)
    write_setpoint(bus, 1000)
    bus.run(500)
    assert len(slave.written(RVRT)) == count


@pytest.mark.parametrize("first", [0, 0x1FFFB, 0x7654_3210, 0xFFFFFFFF])
def test_controller_heartbeat_counts_once_a_second(first):
    slave = Converter()
    slave.put("715.5", first, 2)
    bus, _ = running(slave)
    bus.run(10_000)
    counts = [high << 16 | low for high, low in slave.written(CONTROLLER_HB)]
    begin = (first + 1) % 0xFFFFFFFF
    assert len(counts) in (10, 11, 12) and counts == list(range(begin, begin + len(counts)))


def test_controller_heartbeat_stops_with_the_loop():
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


def test_short_silence_keeps_the_device_known():
    bus, sink = running()
    bus.slave.silent = True
    bus.run(1500)
    bus.slave.silent = False
    assert fresh_after(bus, sink, 2500) == (True, True) and bus.device.restarts == 0


def test_an_answer_to_a_write_ends_a_silence():
    bus, _ = running()
    answer = bus.slave.answer
    bus.slave.answer = lambda frame: b"" if frame[1] == 3 else answer(frame)
    bus.run(6000)
    assert bus.device.restarts == 0
    bus.slave.answer = lambda frame: b""
    bus.run(4000)
    assert bus.device.restarts == 1


@cases("""name  raw  state
    "701.116"  0x8000  pcs.SCALES
    *(("715.3", 0, pcs.FIRST_READ), ("802.34", 0xFFFF, pcs.FIRST_READ))
    "715.2"  1  pcs.FIRST_READ""")
def test_a_restart_forgets_everything_known_before(name, raw, state):
    bus, _ = running()
    write_setpoint(bus, 1000)
    bus.device.restart()
    bus.device.restart()
    assert bus.device.restarts == 2 and bus.device.write_due(bus.now_us)
    bus.slave.heartbeat_stopped = name == "715.3"
    bus.slave.put(name, bus.slave.heartbeat + 1 if name == "715.3" else raw)
    bus.slave.writes.clear()
    bus.run(2500)
    assert bus.device.state == state and bus.slave.writes == []


@pytest.mark.parametrize("fault, bad", [("silent", True), ("reply_id", 77), ("before", bytes(90))])
def test_only_a_good_reply_ends_a_silence(fault, bad):
    bus, _ = running()
    setattr(bus.slave, fault, bad)
    bus.slave.answer = lambda frame: Slave.answer(bus.slave, frame)[:90]
    bus.run(3500)
    assert bus.device.restarts == 1


def test_long_silence_begins_with_discovery_and_heals():
    """homeassistant-solax-modbus 905, 1007: a device that stopped works again by itself."""
    bus, sink = running()
    bus.slave.silent = True
    bus.run(4000)
    assert bus.device.state == pcs.DISCOVER and bus.device.restarts == 1
    assert bus.device.setpoint(0) is None and bus.device.stop() is not None
    moved = Converter(base=50000)
    bus.slave.silent = False
    bus.slave.holding, bus.slave.at = moved.holding, moved.at
    bus.slave.writes.clear()
    bus.run(9000)
    assert bus.device.ready and bus.device.setpoint_address == moved.address(WSET)
    assert fresh_after(bus, sink, 400) == (True, True)


def test_settings_that_are_there_already_are_not_written_again():
    """A device may store them, and a link that drops each minute would write them each minute."""
    bus, _ = running()
    for silent in (True, False):
        bus.slave.silent = silent
        bus.slave.writes.clear()
        bus.run(9000)
    assert bus.device.ready and bus.device.restarts == 1
    assert {address for _, address, _ in bus.slave.writes} == {bus.slave.address(CONTROLLER_HB)}


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
    assert bus.device.setpoint(5000, rtu.STOP).priority == rtu.STOP
    bus.port.submit(bus.device.setpoint(5000))
    bus.port.submit(bus.device.stop())
    bus.slave.writes.clear()
    bus.run(60)
    stop_first = [bus.slave.address(OP_CTL), bus.slave.address(WSET)]
    assert [address for _, address, _ in bus.slave.writes][:2] == stop_first
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
