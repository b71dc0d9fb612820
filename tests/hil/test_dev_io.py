"""The simulated I/O module with its output expiry."""

import dev_standin
from dev_standin import read, refused

from hil.devices.io_module import IoModule, Map

CONTACTS = "estop_1 fire_alarm suppression gas_relay airflow key_run permit_1 door".split()
COILS = ("pcs_enable", "fan_off", "horn", "lamp", "", "", "", "")
FC1, FC2, FC3, FC4, FC5, FC6, FC15, FC16 = 1, 2, 3, 4, 5, 6, 15, 16


def module(contacts=CONTACTS):
    plant = dev_standin.plant()
    return IoModule(plant, contacts, COILS), plant


def test_bits_and_refusals_of_the_module():
    for bit, name in list(enumerate(CONTACTS)):
        io, plant = module()
        assert io.payload(FC2, 0, 8) == b"\xff"
        plant.contacts[name] = False
        assert io.payload(FC2, 0, 8) == bytes((255 - (1 << bit),))
        assert read(io, FC2, bit, 1) == [0]
    io, _ = module(("estop_2", "bms_fault", "permit_2", "", "", "", "", ""))
    assert io.payload(FC2, 0, 8) == b"\x07"
    io, _ = module()
    for request in ((FC2, 0, 9), (FC1, 8, 1), (FC3, 63, 1), (FC3, 66, 2)):
        assert refused(io.payload, *request) == 2
    assert refused(io.payload, FC4, 0, 1) == 1
    for request in ((FC15, 1, [0] * 8), (FC5, 8, [1]), (FC16, 65, [1]), (FC16, 64, [1, 2])):
        assert refused(io.write, *request, 0) == 2
    assert refused(io.write, FC6, 64, [60_001], 0) == 3


def test_coils_follow_writes_and_expire_as_set():
    io, plant = module()
    assert plant.coils == {"pcs_enable": False, "fan_off": False, "horn": False, "lamp": False}
    io.write(FC15, 0, [1, 1, 0, 1, 0, 0, 0, 0], 0)
    assert plant.coils == {"pcs_enable": True, "fan_off": True, "horn": False, "lamp": True}
    io.write(FC5, 1, [0], 0)
    assert plant.coils["fan_off"] is False and io.payload(FC1, 0, 8) == b"\x09"
    io.write(FC15, 2, [1, 0], 0)
    assert io.payload(FC1, 0, 8) == b"\x05"
    io, plant = module()
    io.write(FC15, 0, [1] * 8, 1_000_000)
    io.tick(1_400_000)
    io.write(FC5, 7, [1], 1_400_000)
    io.tick(1_899_999)
    assert plant.coils["pcs_enable"] and io.payload(FC1, 0, 8) == b"\xff"
    io.payload(FC2, 0, 8)
    io.tick(1_900_000)
    assert not plant.coils["pcs_enable"] and io.payload(FC1, 0, 8) == b"\0"
    assert io.expiries == 1
    # a new write energises again: only the controller's latch can forbid it
    io.write(FC15, 0, [1] * 8, 1_950_000)
    assert plant.coils["pcs_enable"]
    io, plant = module()
    assert read(io, FC3, 64, 3) == [500, 0x0808, 0x0100]
    io.write(FC16, 64, [200], 0)
    io.write(FC15, 0, [1] * 8, 0)
    io.tick(200_000)
    assert not plant.coils["pcs_enable"] and read(io, FC3, 64, 1) == [200]
    io.write(FC6, 64, [0], 0)
    io.write(FC15, 0, [1] * 8, 0)
    io.tick(10_000_000)
    assert plant.coils["pcs_enable"]


def test_a_module_with_another_map():
    plant = dev_standin.plant()
    io = IoModule(plant, CONTACTS, COILS, Map(16, 100, 7, FC4, 10, ()))
    assert io.payload(FC2, 16, 8) == b"\xff"
    assert read(io, FC4, 7, 1) == [50]
    io.write(FC6, 7, [20], 0)
    io.write(FC15, 100, [1] * 8, 0)
    assert read(io, FC4, 7, 1) == [20]
    assert plant.coils["pcs_enable"]
    io.tick(200_000)
    assert not plant.coils["pcs_enable"]
    for request in ((FC2, 0, 8), (FC1, 99, 1), (FC4, 7, 2)):
        assert refused(io.payload, *request) == 2
    assert refused(io.write, FC15, 0, [1] * 8, 0) == 2
    assert refused(io.payload, FC3, 7, 1) == 1


def test_io_faults():
    io, plant = module()
    io.inputs_stuck = {0: 0, 3: 1}
    plant.contacts["gas_relay"] = False
    assert io.payload(FC2, 0, 8) == b"\xfe"
    io.inputs_stuck = {}
    io.frozen = True
    assert io.payload(FC2, 0, 8) == b"\xfe"
    io.frozen = False
    assert io.payload(FC2, 0, 8) == b"\xf7"
    io.coils_stuck = {0: 1}
    io.tick(10)
    assert plant.coils["pcs_enable"] is True and io.payload(FC1, 0, 8) == b"\0"
    io.coils_stuck = {}
    io.tick(20)
    assert plant.coils["pcs_enable"] is False
    io.expiry_broken = True
    io.write(FC15, 0, [1] * 8, 0)
    io.tick(10_000_000)
    assert plant.coils["pcs_enable"] is True
