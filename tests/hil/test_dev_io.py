"""The simulated I/O module with its output expiry."""

import dev_standin
import pytest

from hil.devices.io_module import IoModule
from hil.devices.registers import ModbusException

CONTACTS = (
    "estop_1",
    "fire_alarm",
    "suppression",
    "gas_relay",
    "airflow",
    "key_run",
    "permit_1",
    "door",
)
COILS = ("pcs_enable", "fan_off", "horn", "lamp", "", "", "", "")
FC1, FC2, FC3, FC4, FC5, FC6, FC15, FC16 = 1, 2, 3, 4, 5, 6, 15, 16


def module():
    """An I/O module on the stand-in plant."""
    cabinet = dev_standin.plant()
    return IoModule(cabinet, CONTACTS, COILS), cabinet


def refused(device, *request):
    """The exception code with which the device refuses a read."""
    with pytest.raises(ModbusException) as refusal:
        device.payload(*request)
    return refusal.value.code


@pytest.mark.parametrize("bit, name", list(enumerate(CONTACTS)))
def test_each_contact_has_its_bit(bit, name):
    io, cabinet = module()
    assert io.payload(FC2, 0, 8) == b"\xff"
    cabinet.contacts[name] = False
    assert io.payload(FC2, 0, 8) == bytes((255 - (1 << bit),))
    assert io.read(FC2, bit, 1) == [0]


def test_spare_inputs_read_open():
    cabinet = dev_standin.plant()
    io = IoModule(cabinet, ("estop_2", "bms_fault", "permit_2", "", "", "", "", ""), COILS)
    assert io.payload(FC2, 0, 8) == b"\x07"
    with pytest.raises(ValueError, match="7 contact names, 8 are needed"):
        IoModule(cabinet, CONTACTS[:7], COILS)


def test_coils_start_at_zero_and_follow_writes():
    io, cabinet = module()
    assert cabinet.coils == {"pcs_enable": False, "fan_off": False, "horn": False, "lamp": False}
    io.write(FC15, 0, [1, 1, 0, 1, 0, 0, 0, 0], 0)
    assert cabinet.coils == {"pcs_enable": True, "fan_off": True, "horn": False, "lamp": True}
    io.write(FC5, 1, [0], 0)
    assert cabinet.coils["fan_off"] is False and io.payload(FC1, 0, 8) == b"\x09"
    io.write(FC15, 2, [1, 0], 0)
    assert io.payload(FC1, 0, 8) == b"\x05"


@pytest.mark.parametrize("age_us, expired", [(499_999, False), (500_000, True), (500_001, True)])
def test_coils_expire_after_half_a_second_without_a_write(age_us, expired):
    io, cabinet = module()
    io.tick(1_000_000)
    io.write(FC15, 0, [1] * 8, 1_000_000)
    assert io.expires_us == 1_500_000
    io.tick(1_000_000 + age_us)
    assert cabinet.coils["pcs_enable"] is not expired and io.expiries == int(expired)
    assert io.payload(FC1, 0, 8) == (b"\0" if expired else b"\xff")


def test_any_coil_write_renews_and_reads_do_not():
    io, cabinet = module()
    io.write(FC15, 0, [1] * 8, 0)
    io.tick(400_000)
    io.write(FC5, 7, [1], 400_000)
    io.tick(899_999)
    assert cabinet.coils["pcs_enable"]
    io.payload(FC2, 0, 8)
    io.tick(900_000)
    assert not cabinet.coils["pcs_enable"] and io.expires_us is None
    io.write(FC15, 0, [1] * 8, 950_000)
    io.tick(960_000)
    # a new write energises again: only the controller's latch can forbid it
    assert cabinet.coils["pcs_enable"]


def test_expiry_setting():
    io, cabinet = module()
    assert io.read(FC3, 64, 3) == [500, 0x0808, 0x0100]
    io.write(FC16, 64, [200], 0)
    io.write(FC15, 0, [1] * 8, 0)
    io.tick(200_000)
    assert not cabinet.coils["pcs_enable"] and io.read(FC3, 64, 1) == [200]
    io.write(FC6, 64, [0], 0)
    io.write(FC15, 0, [1] * 8, 0)
    io.tick(10_000_000)
    assert cabinet.coils["pcs_enable"] and io.expires_us is None
    io.restart()
    assert io.read(FC3, 64, 1) == [500] and not cabinet.coils["pcs_enable"]


@pytest.mark.parametrize(
    "request_, code",
    [((FC2, 0, 9), 2), ((FC1, 8, 1), 2), ((FC3, 63, 1), 2), ((FC3, 66, 2), 2), ((FC4, 0, 1), 1)],
)
def test_io_reads_refused(request_, code):
    assert refused(module()[0], *request_) == code


@pytest.mark.parametrize(
    "function, address, values, code",
    [
        (FC15, 1, [0] * 8, 2),
        (FC5, 8, [1], 2),
        (FC16, 65, [1], 2),
        (FC16, 64, [1, 2], 2),
        (FC6, 64, [60_001], 3),
    ],
)
def test_io_writes_refused(function, address, values, code):
    with pytest.raises(ModbusException) as refusal:
        module()[0].write(function, address, values, 0)
    assert refusal.value.code == code


def test_io_faults():
    io, cabinet = module()
    io.inputs_stuck = {0: 0, 3: 1}
    cabinet.contacts["gas_relay"] = False
    assert io.payload(FC2, 0, 8) == b"\xfe"
    io.inputs_stuck = {}
    io.frozen = True
    assert io.payload(FC2, 0, 8) == b"\xfe"
    io.frozen = False
    assert io.payload(FC2, 0, 8) == b"\xf7"
    io.coils_stuck = {0: 1}
    io.tick(10)
    assert cabinet.coils["pcs_enable"] is True and io.payload(FC1, 0, 8) == b"\0"
    io.coils_stuck = {}
    io.tick(20)
    assert cabinet.coils["pcs_enable"] is False
    io.expiry_broken = True
    io.write(FC15, 0, [1] * 8, 0)
    io.tick(10_000_000)
    assert cabinet.coils["pcs_enable"] is True
