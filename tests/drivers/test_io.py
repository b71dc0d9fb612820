"""I/O modules: contacts, coils, and the output expiry without which no coil is switched on."""

import pytest
from device_suite import Bus, ModbusSuite, Sink, Slave

from controller.config import profiles
from drivers.buses import rtu
from drivers.io import IoModule
from safety import signals
from tests.tables import cases

NAMES = "ESTOP_1_OK FIRE_ALARM_OK SUPPRESSION_OK GAS_RELAY_OK AIRFLOW_OK KEY_RUN_OK DOOR_OK".split()
INPUTS = [getattr(signals, name) for name in NAMES]
INPUTS.insert(6, -1)
OUTPUTS = ("pcs_enable_ok", "!fan_on", "horn_on", "lamp_on", "", "", "", "")
EXPIRY = 64


def levels(*named):
    """The outputs of the kernel: 1 for these names."""
    return [int(name in named) for name, _ in signals.CABINET_OUTPUTS]


ON = levels("pcs_enable_ok", "horn_on")


def module(outputs=OUTPUTS, inputs=INPUTS):
    sink = Sink()
    return IoModule(profiles.load("io_8in_8out"), 1, sink, inputs, signals.G_IO_1, outputs), sink


def running(expiry=3000, bits=0xFF):
    device, sink = module()
    bus = Bus(device, Slave(holding={EXPIRY: expiry}, bits=bits))
    bus.run(300)
    return bus, sink


def coils(request):
    assert request.frame[1:7] == bytes((15, 0, 0, 0, 8, 1))
    return request.frame[7]


class TestSuite(ModbusSuite):
    settle_ms = 300

    def build(self):
        device, sink = module()
        return device, Slave(holding={EXPIRY: 3000}, bits=0xA5), sink, signals.G_IO_1


@pytest.mark.parametrize("bit", range(8))
def test_each_input_bit(bit):
    _, sink = running(bits=1 << bit)
    for place, index in enumerate(INPUTS):
        if index >= 0:
            assert sink.inp[index] == (place == bit)
    assert sum(sink.inp) == (INPUTS[bit] >= 0), "a free input is nowhere"
    assert signals.G_IO_1 in sink.taken()


@cases("""named  expected
    ("pcs_enable_ok", "fan_on")  0b0001 | ()  0b0010
    ("fan_on", "horn_on")  0b0100 | ("fan_on", "lamp_on")  0b1000""")
def test_coils_follow_the_outputs_of_the_kernel(named, expected):
    bus, _ = running()
    request = bus.device.write(levels(*named))
    assert coils(request) == expected and bus.device.write(levels(*named)) is request
    assert request.key == (1, "coils"), "another module's stay on the bus"


def test_an_expired_module_is_the_safe_state():
    """All coils 0 must mean: permits off, fan on, red lamp on, supervisory fault."""
    names = "contactor_supply_ok !red_lamp_on supervisory_ok pre_alarm_on !fan_on".split()
    device, _ = module((*names, "", "", ""))
    device.expiry_ok = True
    assert coils(device.write(levels(*[name[1:] for name in names if "!" in name]))) == 0


def test_no_coil_before_the_expiry_is_confirmed():
    device, _ = module()
    assert not device.expiry_ok and coils(device.write(ON)) == 0
    bus, _ = running()
    assert bus.device.expiry_ok and coils(bus.device.write(ON)) == 0b0111
    bus.port.submit(bus.device.write(ON))
    bus.run(50)
    assert bus.slave.coils == 0b0111 and bus.device.writes == 1


def test_no_write_before_the_first_complete_read():
    """mkaiser/Sungrow-SHx 644: a start-up write stopped the device."""
    device, _ = module()
    bus = Bus(device, Slave(holding={EXPIRY: 3000}))
    bus.slave.exception = 4
    bus.run(500)
    assert bus.slave.writes == [] and device.expiry_ok is False


def test_expiry_is_written_and_read_back():
    """evcc 10906: the device's own time-out is part of the start sequence."""
    bus, sink = running(expiry=3000)
    assert bus.slave.writes == [(16, EXPIRY, b"\x01\xf4")] and bus.device.fault == ""
    reads = [request for request in bus.slave.requests if request[:2] == (3, EXPIRY)]
    assert len(reads) == 2 and bus.device.refused == 0
    bus.slave.requests.clear()
    bus.slave.bits = 0
    bus.run(100)
    assert (3, EXPIRY, 1) not in bus.slave.requests, "a contact that moves is no reason to look"
    bus.run(4900)
    assert not any(sink.inp[index] for index in INPUTS if index >= 0)
    reads = [request for request in bus.slave.requests if request[:2] == (3, EXPIRY)]
    assert 4 <= len(reads) <= 5, "once a second"
    bus, _ = running(expiry=500)
    assert bus.slave.writes == [] and bus.device.expiry_ok


def test_acknowledged_but_ignored_expiry_keeps_all_coils_off():
    """pysunspec 27: write accepted but value not applied."""
    device, _ = module()
    bus = Bus(device, Slave(holding={EXPIRY: 3000}))
    bus.slave.ignore_writes = True
    bus.run(1000)
    assert not device.expiry_ok and coils(device.write(ON)) == 0
    assert device.refused >= 2
    assert device.fault == "I/O module 1: output expiry reads 3000, written 500"
    bus.slave.ignore_writes = False
    bus.run(1000)
    assert device.expiry_ok and device.fault == ""


def test_module_that_lost_its_expiry_is_found_at_the_next_check():
    bus, _ = running()
    bus.slave.holding[EXPIRY] = 3000
    bus.slave.ignore_writes = True
    bus.run(2000)
    assert not bus.device.expiry_ok and coils(bus.device.write(ON)) == 0
    bus.slave.ignore_writes = False
    bus.run(1000)
    assert bus.device.expiry_ok


@pytest.mark.parametrize("silent_ms, within_ms", [(500, 1500), (60, 400)])
def test_module_that_was_silent_is_checked_at_once(silent_ms, within_ms):
    bus, _ = running()
    bus.slave.silent = True
    bus.run(silent_ms)
    bus.slave.silent = False
    bus.slave.holding[EXPIRY] = 3000
    bus.run(within_ms)
    assert bus.device.expiry_ok and bus.slave.holding[EXPIRY] == 500


def test_coils_follow_the_expiry_and_a_failed_check_changes_nothing():
    bus, _ = running()
    device, answer = bus.device, bus.slave.answer
    assert coils(device.write(ON)) == 0b0111
    bus.slave.answer = lambda frame: b"" if frame[1] == 3 else answer(frame)
    bus.run(3000)
    assert device.fault == "I/O module 1: timeout" and device.refused == 0
    assert coils(device.write(ON)) == 0b0111
    bus.slave.answer, bus.slave.holding[EXPIRY] = answer, 3000
    while bus.slave.holding[EXPIRY] != 500:
        bus.run(1)
    assert coils(device.write(ON)) == 0, "the levels are the same, the module is not"
    bus.run(500)
    assert coils(device.write(ON)) == 0b0111


def test_the_expiry_is_written_in_the_scale_of_its_register():
    device, _ = module()
    device.profile.registers["output_expiry"].scale = 10
    bus = Bus(device, Slave(holding={EXPIRY: 500}))
    bus.run(300)
    assert device.expiry_ok and bus.slave.holding[EXPIRY] == 50


def test_a_failed_read_does_not_restart_the_setting_of_the_expiry():
    device, _ = module()
    ((read, _),) = device.periodic()
    read.on_reply(b"\x02\x01\xff", 0)
    (expiry,) = device.service(0)
    read.on_failure(rtu.TIMEOUT, 0, 1)
    expiry.on_reply(b"\x03\x02\x01\xf4", 2)
    assert device.service(3) == () and device.expiry_ok


def test_failures_in_a_row_do_not_delay_the_check_of_the_expiry():
    bus, _ = running()
    request = bus.device.write(ON)
    bus.slave.requests.clear()
    for _ in range(3):
        request.on_failure(rtu.TIMEOUT, 0, bus.now_us)
        bus.run(60)
    assert (3, EXPIRY, 1) not in bus.slave.requests
    bus.run(40)
    assert (3, EXPIRY, 1) in bus.slave.requests
